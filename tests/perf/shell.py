"""What olbench costs as a command: its start, and the report of a large run."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from figures import Figure
from servers import BenchError

HERE = Path(__file__).parent
STARTS = 5


def starts() -> dict[str, Figure]:
    """Wall seconds of `olbench --help` and of an interpreter that does nothing; medians of five."""
    return {
        "help_s": _median([sys.executable, "-m", "olbench", "--help"]),
        "pass_s": _median([sys.executable, "-c", "pass"]),
    }


def selftest(folder: Path) -> dict[str, Figure]:
    """What olbench's self-test says of itself: the p99 of its TTFT error at each number of streams, ms."""
    _, said = _timed(
        [sys.executable, "-m", "olbench", "selftest", "--json", "--db", str(folder / "selftest.db")], (0, 1)
    )
    levels = [one for one in json.loads(said)["levels"] if one["rate"] is None]
    return {
        f"ttft_p99_{one['streams']}": Figure(one["ttft"]["far"] * 1e3, one["ttft"]["count"]) for one in levels
    }


def store(folder: Path, requests: int) -> Path:
    """A database with a run of so many requests over 20 cells with 5 visits each. Raises BenchError."""
    file = folder / f"{requests}.db"
    shape = f"20x5x{requests // 100}"
    _timed([sys.executable, str(HERE / "big_run.py"), str(file), "--shape", shape])
    return file


def report(database: Path) -> dict[str, Figure]:
    """Wall seconds and peak megabytes of the report of that run. Raises BenchError."""
    out = database.with_suffix(".html")
    command = ["report", "latest", "--db", str(database), "--out", str(out)]
    seconds, said = _timed([sys.executable, str(HERE / "told.py"), *command])
    memory = said.strip().splitlines()[-1]
    found = {"report_s": Figure(seconds, 1)}
    return found if memory == "None" else found | {"report_mb": Figure(int(memory) / 1e6, 1)}


def _median(command: Sequence[str]) -> Figure:
    return Figure(median(_timed(command)[0] for _ in range(STARTS)), STARTS)


def _timed(command: Sequence[str], good: Sequence[int] = (0,)) -> tuple[float, str]:
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    seconds = time.monotonic() - began
    if done.returncode not in good:
        last = next(iter(done.stderr.strip().splitlines()[-1:]), "no word of why")
        raise BenchError(f"{Path(command[1]).name} ended with {done.returncode}: {last}")
    return seconds, done.stdout
