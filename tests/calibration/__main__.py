"""The long simulation: `python -m calibration [trials]` prints its tables and writes them into docs/statistics.md."""

import os
import sys
import time

from calibration.tables import every, written

TRIALS = 10_000


def main() -> None:
    """All tables."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    os.nice(10)
    began = time.monotonic()

    def say(step: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:5.0f} s  {step}\n")

    tables = []
    for one in every(trials, say):
        sys.stdout.write(f"{one}\n\n")
        sys.stdout.flush()
        tables.append(one)
    written("\n\n".join(tables))
    say("docs/statistics.md has the new tables")


if __name__ == "__main__":
    main()
