"""`python -m olbench` and the console script."""

import sys

from olbench.cli import run


def main() -> None:
    """Leave with the exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
