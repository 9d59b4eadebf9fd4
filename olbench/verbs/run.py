"""`olbench run`: a scenario taken from beginning to end, kept visit by visit, and told."""

import asyncio
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from olbench import __version__, estimate, labels, plan, scenario, units
from olbench.bench import Bench, State, Terms
from olbench.clock import today
from olbench.errors import OlbenchError, UsageError
from olbench.live import View
from olbench.model import GOOD, Facts, ModelCard, Observation, Plan, Run, Visit
from olbench.ports import Engine, Prompts
from olbench.run import execute
from olbench.scenario import Scenario
from olbench.store import Store
from olbench.verbs import files, pulling, selftest, warnings
from olbench.verbs.machine import Machine
from olbench.verbs.prompts import own_prompts
from olbench.verbs.server import Reached, catalog, reached

INTERRUPTED = 130
SOME_FAILED = 1
NOT_MEASURED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    scenario: Path | None
    resume: str | None
    pull: bool
    overrides: tuple[str, ...]
    db: Path
    report: Path | None
    hz: float
    no_selftest: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is in the store, and the visits that it still needs."""

    run: Run
    plan: Plan
    cards: tuple[ModelCard, ...]
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all parts of one execution share."""

    scenario: Scenario
    prompts: Prompts | None  # None: synthetic text
    server: Reached
    machine: Machine
    store: Store


@dataclass(slots=True)
class Tally:
    """How the visits ended."""

    visits: int = 0
    good: int = 0  # visits with at least one measured sample that went through
    failed: int = 0  # samples

    def add(self, seen: Observation) -> None:
        """Count one visit."""
        self.visits += 1
        self.good += any(one.phase == "measured" and one.outcome in GOOD for one in seen.samples)
        self.failed += sum(one.outcome not in GOOD for one in seen.samples)


def main(**given: Any) -> int:
    """The exit code; 130 when it was interrupted, what was measured then being kept all the same."""
    asked = Asked(**given)
    if asked.scenario is None and asked.resume is None:
        raise UsageError("no scenario was given; `olbench run scenarios/quickstart.toml` would do")
    if asked.resume is not None and asked.overrides:
        raise UsageError("--set cannot change a run that has begun; a new run would do")
    store = Store(asked.db)
    try:
        return asyncio.run(_run(asked, store))
    finally:
        store.close()


async def _run(asked: Asked, store: Store) -> int:
    begun_id = None if asked.resume is None else _unfinished(store, asked.resume)
    wanted = _scenario(asked, store, begun_id)
    prompts = own_prompts(wanted, asked.scenario)
    async with reached(wanted) as server:
        with Machine(server, hz=asked.hz) as machine:
            session = Session(scenario=wanted, prompts=prompts, server=server, machine=machine, store=store)
            begun = await (_begin(session, asked) if begun_id is None else _resumed(session, begun_id))
            tally, stopped = await _take(session, begun)
    _tell(asked, store, begun.run.id, tally)
    return _code(begun, tally, stopped=stopped)


def _unfinished(store: Store, asked: str) -> str:
    run_id = store.find(asked)
    if not plan.resume(store.record(run_id).plan, store.done(run_id)):
        raise UsageError(f"run {run_id} is complete: nothing is left to resume")
    return run_id


def _scenario(asked: Asked, store: Store, begun: str | None) -> Scenario:
    if begun is not None:
        text, overrides = scenario.reread(store.record(begun).run.scenario_text)
        path = f"the scenario of {begun}"
    else:
        source = asked.scenario or Path()
        text, overrides, path = files.read(source), asked.overrides, str(source)
    return scenario.parse(text, path=path, overrides=overrides, environ=os.environ)


# --- the beginning ------------------------------------------------------------------------------------------------


async def _begin(session: Session, asked: Asked) -> Begun:
    wanted, api = session.scenario, session.server.api
    missing = plan.missing(wanted, await api.catalog())
    if missing and asked.pull:
        await pulling.pull(api, missing)
    cards = await catalog(api, wanted)
    made = plan.expand(wanted, cards, 0 if session.prompts is None else len(session.prompts.names()))
    used = _used(made, cards)
    facts = session.machine.facts()
    doubts = warnings.before(
        made, wanted, used, resident=await api.resident(), facts=facts, last=session.machine.last()
    )
    for sentence in (*made.notes, *doubts):
        click.echo(f"note: {sentence}", err=True)
    # While nothing is loaded yet: it is the client that is tested, not what a model leaves of the machine.
    concurrencies = [cell.concurrency for cell in made.cells]
    held = None if asked.no_selftest else await selftest.preceding(session.store, concurrencies)
    run = Run(
        id=f"{_digits(today())}-{_slug(wanted.name)}-{secrets.token_hex(2)}",
        name=wanted.name,
        question=wanted.question,
        status="running",
        started_at=today(),
        ended_at=None,
        olbench=__version__,
        scenario_text=wanted.text,
        settings=scenario.settings(wanted),
    )
    session.store.begin(run, made, facts, used, held)
    return Begun(run, made, used, made.visits)


async def _resumed(session: Session, run_id: str) -> Begun:
    record = session.store.record(run_id)
    there = {card.name: card for card in await catalog(session.server.api, session.scenario)}
    for card in record.cards:
        if card.name not in there:
            raise UsageError(f"{card.name}, which run {run_id} measures, is no longer installed")
        if there[card.name].digest != card.digest:
            raise UsageError(f"{card.name} has changed since run {run_id} began: a new run would do")
    version, found = record.facts.get("server.version"), session.server.version
    if version != found:
        raise UsageError(
            f"run {run_id} was begun on server version {version}, now it is {found}: a new run would do"
        )
    visits = plan.resume(record.plan, session.store.done(run_id))
    return Begun(replace(record.run, status="running", ended_at=None), record.plan, record.cards, visits)


def _digits(date: str) -> str:
    return date.translate({ord(sign): None for sign in "-:Z"}).replace("T", "-")


def _used(made: Plan, cards: Sequence[ModelCard]) -> tuple[ModelCard, ...]:
    names = {cell.model for cell in made.cells}
    return tuple(card for card in cards if card.name in names)


def _slug(name: str) -> str:
    # The id is part of file names, the name is the user's: only letters and digits that every system takes.
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name.lower())
    return "-".join(part for part in kept.split("-") if part)[:40] or "run"


# --- the visits ---------------------------------------------------------------------------------------------------


async def _take(session: Session, begun: Begun) -> tuple[Tally, bool]:
    tally, stop, store = Tally(), asyncio.Event(), session.store
    expected = estimate.time(begun.plan, session.scenario, begun.cards).cells
    names = dict(zip((cell.id for cell in begun.plan.cells), labels.labels(begun.plan.cells), strict=True))
    view = View(begun.visits, names, expected, session.machine.watch)
    with view, _stopping(stop, view.say):
        async for seen in execute(_bench(session, begun, view, stop), begun.visits):
            # Outside the event loop, and before the next cell begins: a kill loses the visit in hand at most.
            await asyncio.to_thread(store.append, begun.run.id, seen)
            tally.add(seen)
    left = plan.resume(begun.plan, store.done(begun.run.id))
    ended: Literal["complete", "failed", "interrupted"] = "complete"
    if left:
        early = stop.is_set() or tally.visits < len(begun.visits)
        ended = "interrupted" if early else "failed"
    if tally.visits < len(begun.visits) and not stop.is_set():
        click.echo(
            f"note: the budget of {units.span(session.scenario.measure.budget_ns or 0)} ended the run after"
            f" {tally.visits} of {len(begun.visits)} visits; `olbench run --resume {begun.run.id}` goes on",
            err=True,
        )
    store.end(replace(begun.run, status=ended, ended_at=today()), await _facts_end(session))
    return tally, stop.is_set()


def _bench(session: Session, begun: Begun, view: View, stop: asyncio.Event) -> Bench:
    measure, work = session.scenario.measure, session.scenario.workload
    return Bench(
        api=session.server.api,
        plan=begun.plan,
        cards=begun.cards,
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
        ),
        own_prompts=session.prompts,
        state=State(),
        watch=session.machine.watch,
        runner=session.machine.runner,
        revive=_reviving(session.server.engine),
        audience=view,
        stop=stop,
    )


def _reviving(engine: Engine | None) -> Callable[[], Awaitable[None]] | None:
    if engine is None:
        return None

    async def revive() -> None:
        with suppress(OlbenchError):  # the next word is the server's: it answers, or the visit says why not
            await engine.start()

    return revive


@contextmanager
def _stopping(stop: asyncio.Event, say: Callable[[str], None]) -> Iterator[None]:
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


async def _facts_end(session: Session) -> Facts | None:
    try:
        version = await session.server.api.version()
    except OlbenchError:
        return None  # it is gone: what it was at the end is not known
    return session.machine.facts() | {"server.version": version}


# --- the end ------------------------------------------------------------------------------------------------------


def _code(begun: Begun, tally: Tally, *, stopped: bool) -> int:
    if stopped:
        return INTERRUPTED
    if tally.good < tally.visits:
        return NOT_MEASURED
    return SOME_FAILED if tally.failed or tally.visits < len(begun.visits) else 0


def _tell(asked: Asked, store: Store, run_id: str, tally: Tally) -> None:
    from olbench.verbs import told  # noqa: PLC0415 - matplotlib is loaded only when there is something to draw

    if not tally.visits:
        click.echo(f"run {run_id}: no visit was finished, there is nothing to report", err=True)
        return
    path = asked.report or asked.db.parent / f"{run_id}.html"
    told.finished(store, run_id, path)
