"""The blocks of `olbench ab`: taken, kept, and told of while they are."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from olbench import blocks, estimate, labels
from olbench.alternate import Alternating
from olbench.bench import Bench
from olbench.blocks import Letter, Twin
from olbench.clock import now, today
from olbench.live import View
from olbench.model import Cell, Fact, Observation, Visit
from olbench.verbs.ab_words import NAMES
from olbench.verbs.taking import Begun, Session, Tally, bench_of, facts_end, stopping


class Judging(Protocol):
    """Who says for how long it goes on."""

    @property
    def settings(self) -> Mapping[str, Fact]:
        """What was asked, as the runs keep it at their end."""
        ...

    @property
    def foreseen(self) -> int:
        """Blocks that may count, as far as that is known yet: it may grow."""
        ...

    def wanting(self, taken: int, spent_ns: float) -> tuple[int, ...]:
        """The places of the twins that need another block after so many. Slow, so called in a thread."""
        ...

    def news(self) -> Sequence[str]:
        """What there is to say since it was asked last."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Two runs that have begun."""

    sessions: Mapping[Letter, Session]
    begun: Mapping[Letter, Begun]
    twins: tuple[Twin, ...]
    one_server: bool


@dataclass(slots=True)
class Measured:
    """What the blocks came to."""

    blocks: int = 0
    stopped: bool = False  # by the user
    spent: bool = False  # the budget is
    tallies: dict[Letter, Tally] = field(default_factory=lambda: {side: Tally() for side in NAMES})

    @property
    def failed(self) -> int:
        """Requests."""
        return sum(one.failed for one in self.tallies.values())


async def take(sides: Sides, rule: Judging) -> Measured:
    """Block after block, until the rule wants no more, the budget is spent, or the user stops it."""
    measured, stop = Measured(), asyncio.Event()
    view = _view(sides, rule.foreseen)
    with view, stopping(stop, view.say):
        benches: dict[Letter, Bench] = {
            side: bench_of(sides.sessions[side], begun, _Beside(view, side), stop)
            for side, begun in sides.begun.items()
        }
        await _blocks(sides, rule, benches, measured, view)
    measured.stopped = stop.is_set()
    for side in NAMES:
        await _end(sides, side, measured, rule.settings)
    return measured


async def _blocks(
    sides: Sides,
    rule: Judging,
    benches: Mapping[Letter, Bench],
    measured: Measured,
    view: View,
) -> None:
    alternating = Alternating(benches, one_server=sides.one_server)
    measure, began = sides.sessions["a"].scenario.measure, now()
    foreseen = rule.foreseen
    wanted: Sequence[int] = range(len(sides.twins))
    while wanted and not alternating.over():
        found = blocks.turns(measure, sides.twins, measured.blocks, wanted, benches["a"].state.loaded)
        async for side, seen in alternating.take(found):
            # Outside the event loop, and before the next visit begins: a kill loses the visit in hand at most.
            await asyncio.to_thread(sides.sessions[side].store.append, sides.begun[side].run.id, seen)
            measured.tallies[side].add(seen)
        measured.blocks += 1
        wanted = await asyncio.to_thread(rule.wanting, measured.blocks, now() - began)
        for sentence in rule.news():
            view.say(sentence)
        view.further(_visits(sides, range(foreseen, rule.foreseen)))
        foreseen = max(foreseen, rule.foreseen)
    measured.spent = bool(wanted) and alternating.over()


async def _end(sides: Sides, side: Letter, measured: Measured, asked: Mapping[str, Fact]) -> None:
    session, run = sides.sessions[side], sides.begun[side].run
    early = measured.stopped or measured.spent
    status: Literal["complete", "failed", "interrupted"] = "interrupted" if early else "complete"
    if not measured.tallies[side].good and not early:
        status = "failed"
    ended = replace(run, status=status, ended_at=today(), settings={**run.settings, **asked})
    session.store.end(ended, await facts_end(session))


# --- who is told --------------------------------------------------------------------------------------------------


def _view(sides: Sides, foreseen: int) -> View:
    visits = _visits(sides, range(foreseen))
    names: dict[str, str] = {}
    expected: dict[str, float] = {}
    due: dict[str, float] = {}
    for side, begun in sides.begun.items():
        times = estimate.time(begun.plan, sides.sessions[side].scenario, begun.cards)
        for cell, label in zip(begun.plan.cells, labels.labels(begun.plan.cells), strict=True):
            names[_key(side, cell.id)] = f"{NAMES[side]}: {label}"
            expected[_key(side, cell.id)] = times.cells[cell.id]
        due.update({_key(side, cell): span for cell, span in times.due.items()})
    return View(visits, names, expected, sides.sessions["a"].machine.watch, due=due)


def _visits(sides: Sides, numbers: range) -> tuple[Visit, ...]:
    """Those of whole blocks, as the view knows them."""
    measure, every = sides.sessions["a"].scenario.measure, range(len(sides.twins))
    found = (blocks.turns(measure, sides.twins, number, every) for number in numbers)
    return tuple(replace(one.visit, cell=_key(one.side, one.visit.cell)) for turns in found for one in turns)


def _key(side: Letter, cell: str) -> str:
    return f"{side} {cell}"


class _Beside:
    """The audience of one side: what both have in common is told apart by its letter."""

    def __init__(self, view: View, side: Letter) -> None:
        self._view = view
        self._side = side

    def visiting(self, visit: Visit, cell: Cell) -> None:
        """A visit begins."""
        self._view.visiting(self._own(visit), replace(cell, id=_key(self._side, cell.id)))

    def doing(self, what: str) -> None:
        """Another part of it begins."""
        self._view.doing(what)

    def observed(self, seen: Observation) -> None:
        """A visit has ended."""
        self._view.observed(replace(seen, visit=self._own(seen.visit)))

    def going_on(self, number: int, visits: Sequence[Visit]) -> None:
        """A round begins: blocks have none."""

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._view.say(f"{NAMES[self._side]}: {sentence}")

    def _own(self, visit: Visit) -> Visit:
        return replace(visit, cell=_key(self._side, visit.cell))
