"""`make bench`: how exact and how costly olbench is as a client, beside its peers, held against its bounds."""

import argparse
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import machine
import shell
from figures import Figure, Figures, medians
from job import Client
from loads import LOADS, Load, run, shortened
from rows import ROWS, Row, Taken, judged, needs
from servers import BenchError, Mock, Scripted, Server, cores
from table import NOTES, bounds, number, table

GROUPS = frozenset(row.line for row in ROWS)
REQUESTS, FEW_REQUESTS = 100_000, 2_000
# How much longer than their load these take: for the time that is left, and for nothing else.
SLOW = {("httpx", "c256"): 8.0, ("httpx", "c64"): 2.0, ("httpx", "paced"): 2.0}
SHOWN = ("ttft_p50", "warm_p50", "ttft_p99", "gap_p50", "gap_p99", "dispatch_p99", "flagged", "cpu", "rate")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to take; `take` gives its figures or raises BenchError."""

    name: str
    key: tuple[str, str, str]  # server, client, load
    seconds: float  # about as long
    take: Callable[[], Figures]


@dataclass(slots=True)
class Notes:
    """What was taken so far, and how quiet it was meanwhile."""

    taken: defaultdict[tuple[str, str, str], list[Figures]] = field(default_factory=lambda: defaultdict(list))
    others: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    wakes: list[tuple[list[int], list[int]]] = field(default_factory=list)  # client's core, server's


def main(argv: Sequence[str] | None = None) -> int:
    """Take all that the rows need, print the table; 1 when a bound does not hold."""
    given = _parser().parse_args(argv)
    rows = [row for row in ROWS if row.line in given.rows]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    load = machine.load_before()
    notes = Notes()
    with (
        tempfile.TemporaryDirectory(prefix="olbench-bench-") as folder,
        _servers(given.server, Path(folder), notes, spin=given.spin) as servers,
    ):
        steps = _steps(rows, servers, Path(folder), quick=given.quick)
        repeats = 1 if given.quick else given.repeats
        _take([_floor(notes), *steps] * repeats if servers else steps * repeats, servers, notes)
        names = list(servers)
    return _tell(rows, names, notes, load, quick=given.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    parser.add_argument(
        "--rows",
        type=_groups,
        default=GROUPS,
        help=f"which groups of rows, of {_listed(GROUPS)} (all)",
    )
    parser.add_argument("--repeats", type=int, default=3, help="medians of so many runs (3)")
    parser.add_argument(
        "--server",
        choices=("mock", "scripted"),
        action="append",
        help="mockllm, which needs a C compiler, or olbench's scripted engine (both, one after the other)",
    )
    parser.add_argument(
        "--spin",
        action="store_true",
        help="mockllm never sleeps: on a machine that wakes processes late, its truth is exact only so",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short run of each: whether it works, not how well"
    )
    return parser


def _groups(text: str) -> frozenset[int]:
    found = frozenset(int(one) for one in text.split(",") if one.strip().isdecimal())
    if not found or len(found) < len(text.split(",")) or found - GROUPS:
        raise argparse.ArgumentTypeError(f"{text!r} are not rows; some of {_listed(GROUPS)} would do")
    return found


def _listed(groups: frozenset[int]) -> str:
    return ",".join(map(str, sorted(groups)))


@contextmanager
def _servers(
    names: Sequence[str] | None, folder: Path, notes: Notes, *, spin: bool
) -> Iterator[dict[str, Server]]:
    _, core = cores()
    if core is None:
        notes.faults.append("nothing could be pinned to a core here: client and server share the machine")
    found: dict[str, Server] = {}
    try:
        for name in names or ("mock", "scripted"):
            try:
                found[name] = Mock(folder, core, spin=spin) if name == "mock" else Scripted(core)
            except BenchError as fault:
                notes.faults.append(f"{name}: {fault}")
        yield found
    finally:
        for server in found.values():
            server.close()


# --- taking -------------------------------------------------------------------------------------------------------


def _steps(rows: Sequence[Row], servers: dict[str, Server], folder: Path, *, quick: bool) -> list[Step]:
    pairs = needs(rows)
    steps = [
        _step(name, server, client, shortened(LOADS[load]) if quick else LOADS[load])
        for name, server in servers.items()
        for client, load in pairs
        if load in LOADS and not (quick and (client, load) == ("httpx", "c256"))
    ]
    if "mock" in servers and any(load == "selftest" for _, load in pairs):
        # Held against the server that knows nothing of olbench: the scripted engine would be its own witness.
        key = ("mock", "olbench", "selftest")
        steps.append(Step("olbench selftest", key, 28.0, lambda: shell.selftest(folder)))
    if any(load == "shell" for _, load in pairs):
        steps += _shell(folder, FEW_REQUESTS if quick else REQUESTS)
    return steps


def _step(name: str, server: Server, client: Client, load: Load) -> Step:
    core, _ = cores()
    seconds = load.seconds() * SLOW.get((client, load.name), 1.0)
    return Step(
        f"{name}: {client}, {load.name}",
        (name, client, load.name),
        seconds,
        lambda: run(client, load, server, core),
    )


def _floor(notes: Notes) -> Step:
    client, server = cores()

    def take() -> Figures:
        notes.wakes.append((machine.wakes(client), machine.wakes(server)))
        return {}

    return Step("how late a sleeper is woken", ("machine", "", ""), 5.0, take)


def _shell(folder: Path, requests: int) -> list[Step]:
    made: list[Path] = []

    def report() -> Figures:
        if not made:
            made.append(shell.store(folder, requests))
        return shell.report(made[0])

    key = ("shell", "olbench", "shell")
    return [
        Step("olbench --help", key, 3.0, shell.starts),
        Step(f"report of {requests:,} requests", key, 20.0, report),
    ]


def _take(steps: Sequence[Step], servers: dict[str, Server], notes: Notes) -> None:
    began = time.monotonic()
    planned = sum(step.seconds for step in steps)
    done = 0.0
    for place, step in enumerate(steps, 1):
        server = servers.get(step.key[0])
        try:
            before = machine.reading(_cpu_s(server))
            figures = step.take()
            share = machine.others(before, machine.reading(_cpu_s(server)))
        except BenchError as fault:
            notes.faults.append(f"{step.name}: {fault}")
            said = f"failed: {fault}"
        else:
            notes.taken[step.key].append(figures)
            if share is not None:
                notes.others.append(share)
            said = _said(figures)
        done += step.seconds
        minutes, seconds = divmod(round((time.monotonic() - began) / done * (planned - done)), 60)
        _talk(f"[{place}/{len(steps)}, {minutes}:{seconds:02d} left] {step.name}: {said}")


def _cpu_s(server: Server | None) -> float:
    return 0.0 if server is None else server.cpu_s() or 0.0


def _said(figures: Figures) -> str:
    failed = figures.get("failed", Figure(0, 0))
    words = [f"{name} {number(figures[name].value)}" for name in SHOWN if name in figures]
    words += [f"{name} {number(one.value)}" for name, one in figures.items() if name.endswith(("_s", "_mb"))]
    return ", ".join([*words, *([f"{failed.value:g} of {failed.n} FAILED"] if failed.value else [])])


# --- telling ------------------------------------------------------------------------------------------------------


def _tell(
    rows: Sequence[Row], servers: Sequence[str], notes: Notes, load: float | None, *, quick: bool
) -> int:
    lines = [
        *machine.facts(),
        f"load average before the start: {'unknown' if load is None else f'{load:.2f}'}",
        *([machine.woken(notes.wakes)] if notes.wakes else []),
    ]
    broken: list[str] = []
    for title, shown, taken in _parts(rows, servers, notes):
        verdicts = [judged(row, taken) for row in shown]
        lines += ["", title, table(verdicts)]
        broken += bounds(title, verdicts)
    doubts = [*machine.doubts(load, notes.others), *dict.fromkeys(notes.faults)]
    if quick:
        doubts.insert(0, "these are quick figures of one short run each: they show that it works, no more")
    lines += ["", *NOTES, "", *(f"Doubt: {one}" for one in doubts), *(f"Not met: {one}" for one in broken)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if broken else 0


def _parts(
    rows: Sequence[Row], servers: Sequence[str], notes: Notes
) -> Iterator[tuple[str, list[Row], Taken]]:
    served = [row for row in rows if row.of.load != "shell"]
    alone = [row for row in rows if row.of.load == "shell"]
    for name in servers if served else ():
        shown = [row for row in served if name == "mock" or row.of.load != "selftest"]
        yield f"against {name}", shown, _of(name, notes)
    if alone:
        yield "as a command", alone, _of("shell", notes)


def _of(server: str, notes: Notes) -> Taken:
    return {
        (client, load): medians(repeats)
        for (name, client, load), repeats in notes.taken.items()
        if name == server
    }


def _talk(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
