"""The long simulation: `python -m calibration [trials]` prints its tables and writes them into docs/statistics.md."""

import os
import sys
import time
from collections.abc import Iterable

from calibration import capacity, verdicts
from calibration.tables import every, written

TRIALS = 10_000


def main() -> None:
    """All tables."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    os.nice(10)
    began = time.monotonic()

    def say(step: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:5.0f} s  {step}\n")

    def shown(tables: Iterable[str]) -> str:
        told = []
        for one in tables:
            sys.stdout.write(f"{one}\n\n")
            sys.stdout.flush()
            told.append(one)
        return "\n\n".join(told)

    written(shown(capacity.every(trials, say)), capacity.BEGIN, capacity.END)
    written(shown(verdicts.every(trials, say)), verdicts.BEGIN, verdicts.END)
    written(shown(every(trials, say)))
    say("docs/statistics.md has the new tables")


if __name__ == "__main__":
    main()
