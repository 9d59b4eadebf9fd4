"""A process that runs one command line of olbench and says what memory it took, in bytes, as its last line."""

import sys

from client import peak_rss

from olbench import cli


def main() -> int:
    """Run the command line in the arguments."""
    code = cli.run(sys.argv[1:])
    sys.stdout.write(f"\n{peak_rss()}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
