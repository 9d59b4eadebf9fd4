"""The visits of `olbench run`: taken, kept, and told of while they are."""

import asyncio
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from olbench import estimate, labels, plan, slo, units
from olbench.arrival import Arrival
from olbench.bench import Audience, Bench, Rounds, State, Terms
from olbench.clock import today
from olbench.errors import OlbenchError
from olbench.live import View
from olbench.model import GOOD, Facts, ModelCard, Observation, Plan, Run, Visit
from olbench.ports import Engine, Prompts
from olbench.run import execute
from olbench.scenario import Measure, Scenario
from olbench.store import Store
from olbench.thresholds import limits
from olbench.trace import Trace
from olbench.verbs.machine import Machine
from olbench.verbs.server import Reached

if TYPE_CHECKING:
    from olbench.verbs.narrow import Narrow


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is in the store, and the visits that it still needs."""

    run: Run
    plan: Plan
    cards: tuple[ModelCard, ...]
    facts: Facts  # at its start
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all parts of one execution share."""

    scenario: Scenario
    prompts: Prompts | None  # None: synthetic text
    server: Reached
    machine: Machine
    store: Store
    trace: Trace | None = None  # that the scenario replays

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """The trace's requests; () where nothing is replayed."""
        return () if self.trace is None else self.trace.arrivals


@dataclass(slots=True)
class Tally:
    """How the visits ended; one that was taken again counts once."""

    visits: set[tuple[str, int]] = field(default_factory=set)
    good: set[tuple[str, int]] = field(default_factory=set)  # with a measured sample that went through
    failed: int = 0  # samples

    def add(self, seen: Observation) -> None:
        """Count one visit."""
        place = (seen.visit.cell, seen.visit.repeat)
        self.visits.add(place)
        if any(one.phase == "measured" and one.outcome in GOOD for one in seen.samples):
            self.good.add(place)
        self.failed += sum(one.outcome not in GOOD and one.phase != "probe" for one in seen.samples)

    def through(self, visits: Sequence[Visit]) -> int:
        """How many of these visits were taken."""
        return sum((visit.cell, visit.repeat) in self.visits for visit in visits)


async def take(session: Session, begun: Begun) -> tuple[Tally, bool]:
    """All visits that the run still needs; how they ended, and whether the user stopped them."""
    tally, stop, store = Tally(), asyncio.Event(), session.store
    asked = asked_of(store, begun.run.id, session.scenario)
    times = estimate.time(begun.plan, session.scenario, begun.cards, trace=session.arrivals)
    names = dict(zip((cell.id for cell in begun.plan.cells), labels.labels(begun.plan.cells), strict=True))
    view = View(
        *(begun.visits, names, times.cells, session.machine.watch),
        due=times.due,
        within=asked.words() if asked else "",
    )
    with view, stopping(stop, view.say):
        async for seen in execute(bench_of(session, begun, view, stop, asked), begun.visits):
            # Outside the event loop, and before the next cell begins: a kill loses the visit in hand at most.
            await asyncio.to_thread(store.append, begun.run.id, seen)
            tally.add(seen)
    status = _status(session, begun, tally, asked, stopped=stop.is_set())
    store.end(replace(begun.run, status=status, ended_at=today()), await facts_end(session))
    if not stop.is_set():
        for sentence in _short(session, begun, tally, asked):
            click.echo(f"note: {sentence}", err=True)
    return tally, stop.is_set()


def asked_of(store: Store, run_id: str, scenario: Scenario) -> "Narrow | None":
    """What `measure.until` asks of a run; None where it is not there."""
    if scenario.measure.until is None:
        return None
    from olbench.verbs import narrow  # noqa: PLC0415 - most runs do no statistics before they have ended

    return narrow.of(store, run_id, scenario)


def _status(
    session: Session, begun: Begun, tally: Tally, asked: "Narrow | None", *, stopped: bool
) -> Literal["complete", "failed", "interrupted"]:
    early = stopped or tally.through(begun.visits) < len(begun.visits)
    if plan.resume(begun.plan, session.store.done(begun.run.id)):
        return "interrupted" if early else "failed"
    return "interrupted" if stopped and asked is not None and asked.wanting() else "complete"


def _short(session: Session, begun: Begun, tally: Tally, asked: "Narrow | None") -> Sequence[str]:
    """What a run that was not stopped did not come to."""
    budget_ns, taken = session.scenario.measure.budget_ns, tally.through(begun.visits)
    if taken == len(begun.visits):
        return () if asked is None else asked.notes(budget_ns)
    ended = f"the budget of {units.span(budget_ns or 0)} ended the run after {taken} of {len(begun.visits)} visits"
    return (f"{ended}; `olbench run --resume {begun.run.id}` goes on",)


def bench_of(
    session: Session, begun: Begun, view: Audience, stop: asyncio.Event, asked: "Narrow | None" = None
) -> Bench:
    """What the visits of this run need; `asked`: what `measure.until` asks of it."""
    measure, work = session.scenario.measure, session.scenario.workload
    return Bench(
        api=session.server.api,
        plan=begun.plan,
        cards=begun.cards,
        facts=begun.facts,
        terms=Terms(
            seed=measure.seed,
            requests=measure.requests,
            warmup=measure.warmup,
            timeout_ns=measure.timeout_ns,
            cold_load=measure.cold_load,
            budget_ns=measure.budget_ns,
            nonce=secrets.token_hex(8),
            language=work.language,
            system=work.system,
            parallel=session.scenario.server.parallel,
            limits=limits(begun.run.settings),
            retake=measure.retake,
            slo=slo.terms(begun.run.settings),
        ),
        rounds=None if asked is None else _rounds(asked, measure),
        own_prompts=session.prompts,
        state=State(),
        watch=session.machine.watch,
        runner=session.machine.runner,
        machine_facts=session.machine.changing,
        revive=_reviving(session.server.engine),
        audience=view,
        stop=stop,
        trace=session.arrivals,
    )


def _rounds(asked: "Narrow", measure: Measure) -> Rounds:
    return Rounds(
        more=asked.more, taken=asked.taken(), at_most=asked.at_most, order=partial(plan.in_turn, measure)
    )


def _reviving(engine: Engine | None) -> Callable[[], Awaitable[None]] | None:
    if engine is None:
        return None

    async def revive() -> None:
        with suppress(OlbenchError):  # the next word is the server's: it answers, or the visit says why not
            await engine.start()

    return revive


@contextmanager
def stopping(stop: asyncio.Event, say: Callable[[str], None]) -> Iterator[None]:
    """^C asks the run to end and to keep what it has; a second one ends it at once."""
    loop = asyncio.get_running_loop()

    def asked(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(stop.set)
        say("stopping: what was measured is kept (^C again: at once)")

    before = {one: signal.signal(one, asked) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


async def facts_end(session: Session) -> Facts | None:
    """The machine's facts at the end; None when the server is gone, so that they are not known."""
    try:
        version = await session.server.api.version()
    except OlbenchError:
        return None
    return session.machine.facts() | {"server.version": version}
