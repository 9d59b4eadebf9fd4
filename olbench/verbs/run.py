"""`olbench run`: a scenario taken from beginning to end, kept visit by visit, and told."""

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from olbench import __version__, ab_keys, plan, scenario, size_keys
from olbench.clock import today
from olbench.errors import UsageError
from olbench.model import Fact, ModelCard, Plan, Record, Run
from olbench.scenario import Scenario
from olbench.store import Store
from olbench.verbs import bandwidth, files, pulling, warnings
from olbench.verbs.machine import Machine
from olbench.verbs.prompts import own_prompts
from olbench.verbs.selftest import preceding
from olbench.verbs.server import catalog, reached
from olbench.verbs.taking import Begun, Session, Tally, asked_of, take
from olbench.verbs.traces import refuse_another, replayed

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
class Done:
    """A run that has ended, one way or another."""

    run_id: str
    visits: int  # that were taken
    failed: int  # requests
    code: int


def main(**given: Any) -> int:
    """The exit code; 130 when it was interrupted, what was measured then being kept all the same."""
    asked = Asked(**given)
    if asked.scenario is None and asked.resume is None:
        raise UsageError("no scenario was given; `olbench run scenarios/quickstart.toml` would do")
    if asked.resume is not None and asked.overrides:
        raise UsageError("--set cannot change a run that has begun; a new run would do")
    store = Store(asked.db)
    try:
        done = measured(asked, store)
        _tell(asked, store, done)
    finally:
        store.close()
    return done.code


def measured(asked: Asked, store: Store, accept: Callable[[Record], None] = lambda _: None) -> Done:
    """Take the run and keep it. `accept` sees it as it is planned, and raises where it need not begin."""
    return asyncio.run(_run(asked, store, accept))


async def _run(asked: Asked, store: Store, accept: Callable[[Record], None]) -> Done:
    begun_id = None if asked.resume is None else store.find(asked.resume)
    wanted = asked_scenario(asked.scenario, asked.overrides, store, begun_id)
    if begun_id is not None:
        _refuse_complete(store, begun_id, wanted)
    prompts, trace = own_prompts(wanted, asked.scenario), replayed(wanted, asked.scenario)
    async with reached(wanted) as server:
        with Machine(server, hz=asked.hz) as machine:
            session = Session(
                scenario=wanted, prompts=prompts, server=server, machine=machine, store=store, trace=trace
            )
            begun = await (
                begin(session, pull=asked.pull, selftest=not asked.no_selftest, accept=accept)
                if begun_id is None
                else resumed(session, begun_id)
            )
            tally, stopped = await take(session, begun)
    return Done(begun.run.id, len(tally.visits), tally.failed, _code(begun, tally, stopped=stopped))


def _refuse_complete(store: Store, run_id: str, wanted: Scenario) -> None:
    settings = store.record(run_id).run.settings
    if settings.get(size_keys.SEARCHED):
        raise UsageError(f"run {run_id} is a search; `olbench size --resume {run_id}` goes on with it")
    if ab_keys.OF in settings:
        raise UsageError(
            f"run {run_id} was taken in turn with another, which cannot go on; a new `olbench ab` would do"
        )
    further = asked_of(store, run_id, wanted)
    left = plan.resume(store.record(run_id).plan, store.done(run_id))
    if not left and (further is None or not further.wanting()):
        raise UsageError(f"run {run_id} is complete: nothing is left to resume")


def asked_scenario(
    source: Path | None, overrides: tuple[str, ...], store: Store, begun: str | None
) -> Scenario:
    """The scenario of a file, or of the run that has begun."""
    if begun is not None:
        text, overrides = scenario.reread(store.record(begun).run.scenario_text)
        path = f"the scenario of {begun}"
    else:
        source = source or Path()
        text, path = files.read(source), str(source)
    return scenario.parse(text, path=path, overrides=overrides, environ=os.environ)


# --- the beginning ------------------------------------------------------------------------------------------------


async def begin(
    session: Session,
    *,
    pull: bool,
    selftest: bool,
    accept: Callable[[Record], None] = lambda _: None,
    shape: Callable[[Plan], Plan] = lambda made: made,
    marks: Mapping[str, Fact] | None = None,
) -> Begun:
    """A run that is in the store. `accept` may refuse it, `shape` changes its plan, `marks` are further settings of it."""
    wanted, api = session.scenario, session.server.api
    missing = plan.missing(wanted, await api.catalog())
    if missing and pull:
        await pulling.pull(api, missing)
    cards = await catalog(api, wanted)
    count = 0 if session.prompts is None else len(session.prompts.names())
    made = shape(plan.expand(wanted, cards, count, session.trace))
    used = _used(made, cards)
    facts = session.machine.facts()
    run = opened(wanted, marks or {})
    accept(Record(run=run, plan=made, facts=facts, facts_end=None, cards=used, observations=()))
    doubts = warnings.before(
        made, wanted, used, resident=await api.resident(), facts=facts, last=session.machine.last()
    )
    for sentence in (*made.notes, *doubts):
        click.echo(f"note: {sentence}", err=True)
    # While nothing is loaded yet: it is the client that is tested, not what a model leaves of the machine.
    concurrencies = [cell.concurrency for cell in made.cells]
    held = await preceding(session.store, concurrencies) if selftest else None
    if facts.get("server.local") is True:
        facts |= await asyncio.to_thread(
            bandwidth.known, session.store, facts.get("cpu.model"), anew=selftest
        )
    # What went before took seconds: the run begins now.
    run = replace(run, started_at=today())
    session.store.begin(run, made, facts, used, held)
    return Begun(run, made, used, facts, made.visits)


def opened(wanted: Scenario, marks: Mapping[str, Fact] | None = None) -> Run:
    """A run that begins now."""
    return Run(
        id=f"{_digits(today())}-{_slug(wanted.name)}-{secrets.token_hex(2)}",
        name=wanted.name,
        question=wanted.question,
        status="running",
        started_at=today(),
        ended_at=None,
        olbench=__version__,
        scenario_text=wanted.text,
        settings={**scenario.settings(wanted), **(marks or {})},
    )


async def resumed(session: Session, run_id: str) -> Begun:
    """A run that goes on. UsageError where server or models are not what they were."""
    record = session.store.record(run_id)
    refuse_another(record.plan, session.trace)
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
    run = replace(record.run, status="running", ended_at=None)
    return Begun(run, record.plan, record.cards, record.facts, visits)


def _digits(date: str) -> str:
    return date.translate({ord(sign): None for sign in "-:Z"}).replace("T", "-")


def _used(made: Plan, cards: Sequence[ModelCard]) -> tuple[ModelCard, ...]:
    names = {cell.model for cell in made.cells}
    return tuple(card for card in cards if card.name in names)


def _slug(name: str) -> str:
    # The id is part of file names, the name is the user's: only letters and digits that every system takes.
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name.lower())
    return "-".join(part for part in kept.split("-") if part)[:40] or "run"


# --- the end ------------------------------------------------------------------------------------------------------


def _code(begun: Begun, tally: Tally, *, stopped: bool) -> int:
    if stopped:
        return INTERRUPTED
    if tally.good < tally.visits:
        return NOT_MEASURED
    return SOME_FAILED if tally.failed or tally.through(begun.visits) < len(begun.visits) else 0


def page(asked: Asked, done: Done) -> Path:
    """Where the run's page goes."""
    return asked.report or asked.db.parent / f"{done.run_id}.html"


def _tell(asked: Asked, store: Store, done: Done) -> None:
    from olbench.verbs import told  # noqa: PLC0415 - matplotlib is loaded only when there is something to draw

    if not done.visits:
        click.echo(f"run {done.run_id}: no visit was finished, there is nothing to report", err=True)
        return
    told.finished(store, done.run_id, page(asked, done))
