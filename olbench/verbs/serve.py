"""`olbench serve-embedded`: the embedded engine alone, until ^C."""

from pathlib import Path


def main(
    *, host: str, port: int, parallel: int, threads: int | None, models_dir: Path | None, log_dir: Path | None
) -> int:
    """The exit code."""
    from olbench.engines.embedded import serve  # noqa: PLC0415 - an extra that most runs do not need

    return serve(
        host=host, port=port, parallel=parallel, threads=threads, models_dir=models_dir, log_dir=log_dir
    )
