"""`olbench selftest`, and the short one that goes before a run: how exact the client is, said and kept."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from olbench import accuracy, selftest, units
from olbench import scenario as scenarios
from olbench.clock import now, today
from olbench.errors import OlbenchError, UsageError
from olbench.model import SelfTest
from olbench.probes import accounts, facts
from olbench.prose import counted
from olbench.report.exports import as_json as exported
from olbench.report.selftest import table
from olbench.selftest_steps import MOST_STREAMS, SHORT_STREAMS, STREAMS, Step, short_steps, steps
from olbench.store import Store
from olbench.verbs import files

NOT_EXACT = 1
BUSY_CORES = 0.3


def main(
    *, scenario: Path | None, streams: str | None, short: bool, user_space: bool, as_json: bool, db: Path
) -> int:
    """The exit code: 1 where the client is not exact."""
    asked = _streams(streams, scenario, short=short)
    planned = short_steps(asked) if short else steps(asked)
    store = Store(db)
    try:
        beside = _Beside()
        test = asyncio.run(_taken(planned, user_space=user_space))
        around = beside.told()
        store.keep(test)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(exported.selftest(test, around), indent=1))
    else:
        click.echo(table(test, around, colour=sys.stdout.isatty()), nl=False)
    return 0 if accuracy.verdict(test).good else NOT_EXACT


async def preceding(store: Store, concurrencies: Iterable[int]) -> int | None:
    """The number of the self-test that holds for a run; a short one is taken where none does.

    None when it could not be taken: that costs the self-test, never the run.
    """
    streams = [min(one, MOST_STREAMS) for one in concurrencies]
    try:
        machine = selftest.machine_of(selftest.stamps())
        for number, kept in store.selftests(machine):
            if selftest.holds(kept, max(streams, default=1), today()):
                return number
        planned = short_steps(streams)
        click.echo(f"self-test of the clock first, about {_rest(planned)}", err=True)
        test = await selftest.take(planned, machine=machine, client=selftest.client())
    except (OlbenchError, OSError) as fault:
        click.echo(f"note: no self-test, the clock's error is unknown: {fault}", err=True)
        return None
    for sentence in accuracy.verdict(test).sentences:
        click.echo(sentence, err=True)
    return store.keep(test)


async def _taken(planned: Sequence[Step], *, user_space: bool) -> SelfTest:
    machine = selftest.machine_of(selftest.stamps(user_space=user_space))
    client = selftest.client(user_space=user_space)
    with _progress(planned) as told:
        return await selftest.take(planned, machine=machine, client=client, told=told)


# --- what is asked --------------------------------------------------------------------------------------------


def _streams(given: str | None, path: Path | None, *, short: bool) -> tuple[int, ...]:
    known: tuple[int, ...] = SHORT_STREAMS if short else STREAMS
    if given is not None:
        known = tuple(_count(word) for word in given.split(","))
    if path is None:
        return known
    asked = scenarios.parse(files.read(path), path=str(path), environ=os.environ).values("concurrency")
    own = tuple(min(one, MOST_STREAMS) for one in asked)
    return own if short and given is None else (*known, *own)


def _count(word: str) -> int:
    if not word.strip().isascii() or not word.strip().isdigit() or not 1 <= int(word) <= MOST_STREAMS:
        raise UsageError(
            f"--streams: {word.strip()!r} is no number of streams; numbers from 1 to {MOST_STREAMS} with commas between "
            "them would do"
        )
    return int(word)


# --- what stands beside it ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Used:
    """Seconds since some beginning: of the clock, of all CPUs, and of our own processes on them."""

    clock: float
    whole: float
    ours: float


class _Beside:
    """What other programs and the machine itself are like while a self-test is taken."""

    def __init__(self) -> None:
        """It begins."""
        self._machine = accounts.machine()
        self._before = self._used()

    def told(self) -> tuple[str, ...]:
        """What would explain errors, in words; the self-test is over, and its servers with it."""
        after = self._used()
        self._machine.close()
        span = after.clock - self._before.clock
        others = (after.whole - self._before.whole) - (after.ours - self._before.ours)
        return _around(facts.machine()["cpu.usable"], others / span if span > 0 else 0.0)

    def _used(self) -> _Used:
        # The servers' processes are our children, and the system counts them once they have ended.
        ours = sum(os.times()[:4])
        return _Used(now() / 1e9, self._machine.ticks().busy, ours)


def _around(cores: object, others: float) -> tuple[str, ...]:
    one = ("only one core is to be had: client and server take turns on it",) if cores == 1 else ()
    busy = (f"other programs kept {others:.1f} cores busy meanwhile",) if others > BUSY_CORES else ()
    return (*one, *busy)


# --- how it goes ----------------------------------------------------------------------------------------------


@contextmanager
def _progress(planned: Sequence[Step]) -> Iterator[Callable[[Step], None]]:
    """A bar that stays in place on a terminal, a line a level elsewhere."""
    console = Console(stderr=True)
    bar = _Bar(planned, console)
    if not console.is_terminal:
        yield bar.say
        return
    # Two a second, as during a run: drawing takes some milliseconds from the loop that stamps.
    with Live(get_renderable=bar.drawn, console=console, refresh_per_second=2, transient=True):
        yield bar.begin


class _Bar:
    def __init__(self, planned: Sequence[Step], console: Console) -> None:
        self._planned = planned
        self._console = console
        self._place = 0  # of the level that runs, from 1
        self._since = now()

    def begin(self, _: Step) -> None:
        self._place += 1
        self._since = now()

    def say(self, step: Step) -> None:
        self.begin(step)
        self._console.print(Text(self._label()), soft_wrap=True)

    def drawn(self) -> Table:
        whole = sum(one.expected_ns for one in self._planned)
        done = Table.grid(padding=(0, 2))
        done.add_row(ProgressBar(total=whole, completed=whole - self._left(), width=40), Text(self._label()))
        return done

    def _label(self) -> str:
        if not self._place:
            return "starting"
        step = self._planned[self._place - 1]
        what = counted(step.streams, "stream") if step.rate is None else f"{step.rate:g} sends a second"
        return f"[{self._place}/{len(self._planned)}] {what}, about {units.span(self._left())} left"

    def _left(self) -> float:
        later = sum(one.expected_ns for one in self._planned[self._place :])
        if not self._place:
            return later
        return later + max(0, self._planned[self._place - 1].expected_ns - (now() - self._since))


def _rest(planned: Sequence[Step]) -> str:
    return units.span(sum(one.expected_ns for one in planned))
