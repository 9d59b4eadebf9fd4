"""The visits of `olbench size`: what the cost model is learned from, then load after load as the search asks for them."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from olbench import estimate, gauge, labels, plan, sizing, units
from olbench.arrival import Load
from olbench.bench import Bench
from olbench.clock import now, today
from olbench.live import View
from olbench.model import Cell, Observation, Plan, Record, Visit
from olbench.prose import counted
from olbench.run import Going
from olbench.scenario import Scenario
from olbench.seek import Ask
from olbench.sized import By, Predicted, Step
from olbench.sizing import Search
from olbench.verbs.taking import Begun, Session, Tally, bench_of, facts_end, stopping

SETTLE = 0.2  # of the requests of a probe, so many go before them, until the queue is what it will be


@dataclass(frozen=True, slots=True)
class Next:
    """What the search asks for."""

    search: Search
    load: float
    again: int  # times the usual number of requests

    @property
    def words(self) -> str:
        """It, for people."""
        return f"{self.search.label}: {said(self.search.by, self.load)}"


@dataclass(slots=True)
class Searched:
    """What it came to."""

    tally: Tally = field(default_factory=Tally)
    foretold: Mapping[str, Predicted] = field(default_factory=dict)
    stopped: bool = False  # by the user
    spent: bool = False  # the budget is
    failed: bool = False  # a load could not be measured at all


def said(by: By, load: float) -> str:
    """A load in words: "9 users"."""
    if by == "rate":
        return f"{load:.3g} requests a second"
    return counted(round(load), "user" if by == "users" else "stream")


async def take(session: Session, begun: Begun) -> Searched:
    """All of it, until every search has its answer, the budget is spent, or the user stops it."""
    found, stop = Searched(), asyncio.Event()
    names, expected = _known(session.scenario, begun)
    closed, due = _closed(session.scenario, begun), dict[str, float]()
    view = View(closed, names, expected, session.machine.watch, due=due)
    with view, stopping(stop, view.say):
        bench = bench_of(session, begun, view, stop)
        hunt = _Hunt(session, begun, bench, _Sight(view, names, expected, due), found)
        await hunt.gauge(closed)
        await hunt.foretell()
        await hunt.search()
    found.stopped = stop.is_set()
    status: Literal["complete", "failed", "interrupted"] = "complete"
    if found.stopped or found.spent:
        status = "interrupted"
    elif found.failed or not (found.tally.good or len(begun.visits) < len(begun.plan.visits)):
        status = "failed"  # nor had anything been taken before it went on
    session.store.end(replace(begun.run, status=status, ended_at=today()), await facts_end(session))
    return found


def _closed(wanted: Scenario, begun: Begun) -> tuple[Visit, ...]:
    """The visits that a search begins with. A probe that was interrupted is none: it is asked for again if it is needed."""
    if wanted.persona is None:
        return ()
    loaded = {cell.id for cell in begun.plan.cells if cell.load is not None}
    return tuple(visit for visit in begun.visits if visit.cell not in loaded)


def _known(wanted: Scenario, begun: Begun) -> tuple[dict[str, str], dict[str, float]]:
    names = dict(zip((cell.id for cell in begun.plan.cells), labels.labels(begun.plan.cells), strict=True))
    return names, dict(estimate.time(begun.plan, wanted, begun.cards).cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    """A visit to one load."""

    visit: Visit
    requests: int  # measured ones
    warmup: int
    least_ns: int  # until its last request falls due


@dataclass(frozen=True, slots=True)
class _Sight:
    """The view, and what it knows of cells: it grows with the search."""

    view: View
    names: dict[str, str]
    expected: dict[str, float]
    due: dict[str, float]

    def meet(self, probe: _Probe, name: str, expected_ns: float) -> None:
        """A visit that was not planned."""
        cell = probe.visit.cell
        self.names[cell], self.expected[cell] = name, expected_ns
        span = ""
        if probe.least_ns:
            self.due[cell] = probe.least_ns
            span = f", which take {units.span(probe.least_ns)} to come"
        self.view.further((probe.visit,))
        self.view.say(f"{name}: {counted(probe.requests + probe.warmup, 'request')}{span}")


class _Hunt:
    """A search that is under way."""

    def __init__(
        self, session: Session, begun: Begun, bench: Bench, sight: "_Sight", found: Searched
    ) -> None:
        self._session, self._begun, self._bench = session, begun, bench
        self._sight, self._found = sight, found
        self._made = begun.plan
        self._began = now()

    async def gauge(self, closed: Sequence[Visit]) -> None:
        """The closed cells that a run begins with."""
        cells = {cell.id: cell for cell in self._made.cells}
        for visit in closed:
            if self._over():
                return
            await self._visit(visit, gauge.requests(cells[visit.cell]), self._bench.terms.warmup)

    async def foretell(self) -> None:
        """What the cost model says of such loads."""
        if self._over():
            return
        self._sight.view.doing("simulating the users")
        record = await asyncio.to_thread(self._record)
        self._found.foretold = await asyncio.to_thread(sizing.foretell, record)
        for label, one in self._named(self._found.foretold):
            self._sight.view.say(f"{label}: {foreseen(one, sizing.by_of(self._begun.run.settings))}")

    async def search(self) -> None:
        """Load after load."""
        while not self._over():
            following = await asyncio.to_thread(self._next)
            if following is None:
                return
            probe = self._asked(following)
            if self._too_long(probe):
                self._found.spent = True
                return
            seen = await self._visit(probe.visit, probe.requests, probe.warmup)
            if seen is None or seen.problem is not None:
                self._found.failed = self._found.failed or (seen is not None and not self._over())
                return
            await self._tell(probe.visit.cell)

    # --- one visit -----------------------------------------------------------------------------------------------

    async def _visit(self, visit: Visit, count: int, warmup: int) -> Observation | None:
        terms = replace(
            self._bench.terms, requests=count, warmup=warmup, budget_ns=self._left(), give_up=True
        )
        going = Going(replace(self._bench, plan=self._made, terms=terms))
        last = None
        async for seen in _taken(going, visit):
            # Outside the event loop, and before the next begins: a kill loses the visit in hand at most.
            await asyncio.to_thread(self._session.store.append, self._begun.run.id, seen)
            self._found.tally.add(seen)
            last = seen
        self._found.spent = self._found.spent or (last is None and not self._bench.stop.is_set())
        return last

    def _left(self) -> int | None:
        budget = self._session.scenario.measure.budget_ns
        return None if budget is None else max(1, budget - (now() - self._began))

    def _too_long(self, probe: "_Probe") -> bool:
        """Whether the budget ends before that visit would: half a probe shows nothing."""
        left = self._left()
        if left is None or probe.least_ns <= left:
            return False
        needed = units.span(probe.least_ns)
        self._sight.view.say(
            f"the next load takes {needed}, longer than the budget leaves: the search ends here"
        )
        return True

    def _over(self) -> bool:
        return self._bench.stop.is_set() or self._found.spent

    # --- the search ----------------------------------------------------------------------------------------------

    def _record(self) -> Record:
        return self._session.store.record(self._begun.run.id)

    def _next(self) -> Next | None:
        for search in sizing.searches(self._record(), self._found.foretold):
            if isinstance(search.next, Ask):
                return Next(search, search.loads[search.next.place], search.next.again)
        return None

    def _asked(self, one: Next) -> "_Probe":
        """The visit that takes it, kept in the run's plan before it begins."""
        wanted = self._session.scenario
        cell = loaded(wanted, one.search.cell, one.search.by, one.load)
        taken = sum(visit.cell == cell.id for visit in self._made.visits)
        self._made, visit = gauge.probe(self._made, cell, taken)
        self._session.store.extend(self._begun.run.id, self._made)
        requests = one.again * _requests(wanted)
        warmup = max(wanted.measure.warmup, math.ceil(SETTLE * requests))
        measure = replace(wanted.measure, requests=requests, warmup=warmup)
        times = estimate.time(
            Plan((cell,), (visit,), 0, ()), replace(wanted, measure=measure), self._begun.cards
        )
        least = times.due.get(cell.id, 0)
        probe = _Probe(visit=visit, requests=requests, warmup=warmup, least_ns=least)
        self._sight.meet(probe, one.words, times.cells[cell.id])
        return probe

    async def _tell(self, cell: str) -> None:
        """How that load was served, in a line."""
        for search in await asyncio.to_thread(sizing.searches, self._record(), self._found.foretold):
            for step in search.steps:
                if step.cell == cell:
                    self._sight.view.say(f"{search.label}: {served(search.by, step)}")

    def _named(self, foretold: Mapping[str, Predicted]) -> list[tuple[str, Predicted]]:
        names = {cell.id: label for cell, label in sizing.bare(self._record())}
        return [(names[cell], one) for cell, one in foretold.items()]


async def _taken(going: Going, visit: Visit) -> AsyncIterator[Observation]:
    seen = await going.take(visit)
    if seen is None:
        return
    yield seen
    again = await going.retake(seen)
    if again is not None:
        yield again


def loaded(wanted: Scenario, cell: Cell, by: By, load: float) -> Cell:
    """The cell under so much load."""
    if by == "concurrency":
        return plan.at_streams(cell, round(load))
    if by == "users" and wanted.persona is not None:
        return plan.at_load(cell, wanted.persona.load(round(load)))
    return plan.at_load(cell, replace(wanted.load or Load(pattern="poisson"), rate=load))


def _requests(wanted: Scenario) -> int:
    return wanted.measure.requests if wanted.size is None else wanted.size.requests


# --- in words -----------------------------------------------------------------------------------------------------


def foreseen(one: Predicted, by: By) -> str:
    """A prediction in a line."""
    found = one.capacity
    if found.value is None:
        return f"nothing can be predicted: {one.reason or found.reason}"
    low, high = found.low, found.high
    within = "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"
    return f"predicted to carry {said(by, found.value)}{within}"


def served(by: By, step: Step) -> str:
    """How a load was served, in a line."""
    service = step.service
    if service.invalid:
        return f"{said(by, step.load)} cannot be judged: {service.invalid}"
    parts = [f"{one.term.key} {units.words(one.met / one.of, 'share')}" for one in service.terms if one.of]
    words = {"kept": "kept", "broken": "not kept", "unclear": "not clear yet"}[service.verdict]
    return f"{said(by, step.load)}: {words} ({', '.join(parts)} of {counted(service.requests, 'request')})"
