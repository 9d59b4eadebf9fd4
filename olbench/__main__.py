"""`python -m olbench` and the console script."""

import io
import sys

from olbench.cli import run


def main() -> None:
    """Leave with the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file or pipe may be of an old encoding (Windows): a name that it cannot hold is spelled out, not a crash.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
