"""What it costs to tell a run of 100,000 requests: python tests/perf/report_cost.py [--shape 20x5x1000] [--db FILE].

Each verb runs in a process of its own. Its time is the whole process's, from the start of the interpreter to the end;
its memory is the VmHWM that the kernel kept of it, read in its last moment, for no figure of a process outlives it.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import big_run

# As the console script has it, and a word on memory down the pipe at the end.
_CHILD = """
import atexit, os, sys
def told(pipe=int(sys.argv.pop(1))):
    with open("/proc/self/status") as status:
        os.write(pipe, next(line for line in status if line.startswith("VmHWM")).encode())
atexit.register(told)
from olbench.__main__ import main
main()
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    wall_s: float
    cpu_s: float
    peak_b: int


@dataclass(frozen=True, slots=True)
class Bound:
    """One row: a verb, how often it is run, and what it may take. None: no bound, shown all the same."""

    what: str
    arguments: tuple[str, ...]
    wall_s: float | None
    peak_b: float | None
    times: int = 1


BOUNDS = (
    Bound("olbench --help", ("--help",), 0.2, None, times=3),
    Bound("olbench report", ("report", "latest"), 10.0, 400e6),
    Bound("olbench show", ("show", "latest"), 10.0, 400e6),
    Bound("olbench export --format csv", ("export", "latest", "--format", "csv"), 10.0, 400e6),
    Bound("olbench export --format md", ("export", "latest", "--format", "md"), 10.0, 400e6),
    Bound("olbench export --format json", ("export", "latest", "--format", "json"), None, None),
    Bound("olbench export --format samples-csv", ("export", "latest", "--format", "samples-csv"), None, None),
)


def cost(arguments: Sequence[str]) -> Cost:
    """One run of `olbench ARGUMENTS`; CalledProcessError when it fails."""
    reading, writing = os.pipe()
    began_s = time.perf_counter()
    command = [sys.executable, "-c", _CHILD, str(writing), *arguments]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, pass_fds=(writing,))
    _, status, used = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - began_s
    child.returncode = os.waitstatus_to_exitcode(status)
    os.close(writing)
    with os.fdopen(reading) as told:
        words = told.read().split()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Cost(wall_s, used.ru_utime + used.ru_stime, int(words[1]) * 1024)


def costs(db: Path, out: Path) -> Iterator[tuple[Bound, Cost]]:
    """Each bound with what its verb took: the middle of its runs. What they write goes to `out`."""
    for bound in BOUNDS:
        verb = bound.arguments[0]
        kept = () if verb.startswith("-") else ("--db", str(db))
        into = ("--out", str(out)) if verb in ("report", "export") else ()
        runs = [cost((*bound.arguments, *kept, *into)) for _ in range(bound.times)]
        wall_s, cpu_s = median(one.wall_s for one in runs), median(one.cpu_s for one in runs)
        yield bound, Cost(wall_s, cpu_s, max(one.peak_b for one in runs))


def held(bound: Bound, seen: Cost) -> bool:
    """Whether the cost is within its bound."""
    wall = bound.wall_s is None or seen.wall_s <= bound.wall_s
    return wall and (bound.peak_b is None or seen.peak_b <= bound.peak_b)


def row(bound: Bound, seen: Cost) -> str:
    """One line of the table."""
    limits = [f"{bound.wall_s:g} s"] if bound.wall_s is not None else []
    limits += [f"{bound.peak_b / 1e6:.0f} MB"] if bound.peak_b is not None else []
    asked = f"{'ok  ' if held(bound, seen) else 'MISS'} <= {', '.join(limits)}" if limits else ""
    figures = f"{seen.wall_s:7.2f} s {seen.cpu_s:7.2f} s CPU {seen.peak_b / 1e6:7.1f} MB"
    return f"{bound.what:<38}{figures}  {asked}".rstrip()


def main() -> int:
    """The exit code: 1 when a bound was missed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--db", type=Path, help="a database that big_run.py wrote; else one is written now")
    asked.add_argument("--shape", default=big_run.SHAPES[0], help="cells x visits x requests")
    given = asked.parse_args()
    with TemporaryDirectory() as folder:
        db = given.db or Path(folder, "big.db")
        if given.db is None:
            big_run.build(db, given.shape, big_run.CHUNKS, seed=1, prompts=0)
        good = True
        for bound, seen in costs(db, Path(folder, "out")):
            good = good and held(bound, seen)
            sys.stdout.write(row(bound, seen) + "\n")
            sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
