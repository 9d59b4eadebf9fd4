"""How it goes, while it goes: a view that stays in place on a terminal, plain lines elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from olbench import units
from olbench.arrival import Load
from olbench.clock import now
from olbench.gist import Gist, gist
from olbench.metrics import METRICS
from olbench.model import (
    GOOD,
    Cell,
    Observation,
    Visit,
)
from olbench.prose import counted
from olbench.served import stopped

SHORT = 0.5e9  # nanoseconds: less is not worth waiting for
ROWS = 8  # of the visits that ended last
HEADLINES = ("decode", "ttft", "throughput")


class Latest(Protocol):
    """What the probes say just now."""

    def latest(self) -> Mapping[str, tuple[float, str]]:
        """Series name -> last value and its unit."""
        ...


class Pace:
    """How long the rest will take: the estimates, scaled by how true they have been so far.

    What falls due at given times takes as long as that on any machine: it is not scaled, and says nothing of the others.
    """

    def __init__(
        self,
        expected: Mapping[str, float],
        visits: Sequence[Visit],
        due: Mapping[str, float] | None = None,
    ) -> None:
        """`expected`: cell -> nanoseconds a visit is expected to take; only their proportions matter.

        `due`: cell -> nanoseconds in which the requests of a visit fall due. Both may grow before visits are added.
        """
        self._expected = expected
        self._due = {} if due is None else due
        self._left = self._due_left = 0.0
        self._told = self._taken = 0.0
        self.further(visits)

    def took(self, cell: str, nanoseconds: float) -> None:
        """A visit to `cell` has ended."""
        self._count(cell, -1)
        self.again(cell, nanoseconds)

    def again(self, cell: str, nanoseconds: float) -> None:
        """A visit has ended that was taken once more: it says how long visits take, and nothing less is left."""
        if cell not in self._due:
            self._told += self._expected.get(cell, 0.0)
            self._taken += nanoseconds

    def further(self, visits: Sequence[Visit]) -> None:
        """Visits are to come."""
        for visit in visits:
            self._count(visit.cell, 1)

    def _count(self, cell: str, times: int) -> None:
        if cell in self._due:
            self._due_left += times * self._due[cell]
        else:
            self._left += times * self._expected.get(cell, 0.0)

    def left(self, cell: str = "", elapsed: float = 0.0) -> float | None:
        """Nanoseconds until the end, `elapsed` of a visit to `cell` over; None before an estimate has been held to a visit."""
        if not self._told and (self._left > 0 or not self._due_left):
            return None
        scale = self._taken / self._told if self._told else 0.0
        rest = max(0.0, self._left) * scale + max(0.0, self._due_left)
        # A visit that takes longer than was expected is about to end, not the ones after it.
        return max(0.0, rest - min(elapsed, self._due.get(cell, self._expected.get(cell, 0.0) * scale)))


class View:
    """A run's Audience. `with View(...)`: begins to show, and leaves the terminal as it was."""

    def __init__(
        self,
        visits: tuple[Visit, ...],
        labels: Mapping[str, str],
        expected: Mapping[str, float],
        watch: Latest,
        *,
        due: Mapping[str, float] | None = None,
        within: str = "",
    ) -> None:
        """`labels`: cell -> what it is called; `expected` and `due`: as Pace has them.

        `within`: how well figures shall be known, where visits go on until then.
        """
        self._total = len(visits)
        self._within = within
        self._round = ""
        self._seen: set[Visit] = set()
        self._labels = labels
        self._pace = Pace(expected, visits, due)
        self._watch = watch
        self._began = now()
        self._visited: tuple[str, int] = ("", 0)  # the cell that is visited, and since when
        self._now: tuple[str, str] = ("", "starting")
        self._load: Load | None = None  # of the cell that is visited
        self._rows: list[tuple[str, ...]] = []
        self._console = Console(stderr=True)
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Show; a view that stays in place only where there is a terminal to hold it."""
        if self._console.is_terminal:
            # Two a second: drawing takes some milliseconds from the loop that stamps.
            self._live = Live(
                get_renderable=self._drawn, console=self._console, refresh_per_second=2, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        if self._live is not None:
            self._live.stop()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._console.print(Text(sentence), soft_wrap=self._live is None)

    # --- Audience --------------------------------------------------------------------------------------------

    def visiting(self, visit: Visit, cell: Cell) -> None:
        """A visit begins."""
        again = " again" if visit in self._seen else ""
        self._load = cell.load
        self._visited = (cell.id, now())
        self._now = (f"{self._labels.get(cell.id, cell.id)}, repeat {visit.repeat + 1}{again}", "preparing")

    def doing(self, what: str) -> None:
        """Another part of it begins."""
        self._now = (self._now[0], what)

    def observed(self, seen: Observation) -> None:
        """A visit has ended."""
        again = seen.visit in self._seen
        count = self._pace.again if again else self._pace.took
        count(seen.visit.cell, seen.ended_ns - seen.started_ns)
        self._seen.add(seen.visit)
        self._visited = ("", 0)
        row = summary(seen, self._load)
        label = f"{self._labels.get(seen.visit.cell, seen.visit.cell)} #{seen.visit.repeat + 1}{' again' if again else ''}"
        self._rows = [*self._rows[-ROWS + 1 :], (label, *row)]
        if self._live is None:
            self._console.print(
                Text(
                    f"[{len(self._seen)}/{self._total}] {self._clock()}: {label}: {', '.join(one for one in row if one)}"
                ),
                soft_wrap=True,
            )

    def going_on(self, number: int, visits: Sequence[Visit]) -> None:
        """A round beyond the plan begins."""
        self.further(visits)
        self._round = f"round {number}: {counted(len(visits), 'cell')} not known within {self._within} yet"
        if self._live is None:
            self.say(self._round)

    def further(self, visits: Sequence[Visit]) -> None:
        """Visits are to come that were not planned."""
        self._total += len(visits)
        self._pace.further(visits)

    # --- drawing ---------------------------------------------------------------------------------------------

    def _clock(self) -> str:
        cell, since = self._visited
        left = self._pace.left(cell, now() - since)
        rest = f", about {units.span(left)} left" if left and left >= SHORT else ""
        return f"{units.span(now() - self._began)}{rest}"

    def _drawn(self) -> Group:
        table = Table(box=None, pad_edge=False, expand=False)
        for name in ("visit", "decode", "TTFT", "system", "memory", ""):
            table.add_column(name, justify="left" if name in ("visit", "") else "right", no_wrap=True)
        for row in self._rows:
            table.add_row(*(Text(one) for one in row))
        cell, what = self._now
        progress = Table.grid(padding=(0, 2))
        progress.add_row(
            ProgressBar(total=max(1, self._total), completed=len(self._seen), width=40),
            Text(f"{len(self._seen)} of {self._total} visits, {self._clock()}"),
        )
        further = [Text(self._round)] if self._round else []
        return Group(table, Text(f"{what}: {cell}   {self._memory()}"), *further, progress)

    def _memory(self) -> str:
        last = self._watch.latest()
        named = (("server.rss", "RAM"), ("gpu0.server", "GPU"), ("host.available", "free"))
        return " · ".join(f"{word} {units.words(*last[key])}" for key, word in named if key in last)


def summary(seen: Observation, load: Load | None = None) -> tuple[str, ...]:
    """Decode, TTFT, system throughput, memory and failures of a visit, as words; "" where there is none."""
    if seen.problem is not None:
        return ("", "", "", "", seen.problem)
    good = [one for one in seen.samples if one.phase == "measured" and one.outcome in GOOD]
    measured = sum(one.phase == "measured" and not stopped(seen, one) for one in seen.samples)
    told = gist(seen, load=load)
    failed = "" if len(good) == measured else f"{measured - len(good)} of {measured} failed"
    end = ", ".join(one for one in ("given up" if seen.cut_short else "", failed) if one)
    return (*(_words(key, told) for key in (*HEADLINES, "ram_peak")), end)


def _words(key: str, told: Gist) -> str:
    numbers = sorted(told.columns[key].numbers)
    return units.words(float(numbers[len(numbers) // 2]), METRICS[key].unit) if numbers else ""
