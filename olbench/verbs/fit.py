"""`olbench fit`: a few small loads of each model, what larger contexts would take, and one load that confirms it."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from olbench import address, analysis, footprint, options, plan, prepare, scenario
from olbench.errors import OlbenchError, UsageError
from olbench.footprint_loads import FREE_RAM, FREE_VRAM, LEARNED
from olbench.model import Cell, Fact, ModelCard, Plan, Record, Visit
from olbench.report.fitting import show
from olbench.report.wording import plain
from olbench.scenario import Scenario
from olbench.sized import Footprint
from olbench.store import Store
from olbench.thresholds import limits
from olbench.verbs import fit_plan, pulling
from olbench.verbs.fit_plan import Room, Wish
from olbench.verbs.machine import Machine
from olbench.verbs.run import INTERRUPTED, NOT_MEASURED, SOME_FAILED, begin
from olbench.verbs.server import catalog, reached
from olbench.verbs.taking import Begun, Session, Tally, take

_HZ = 10.0
_BEATS_S = 0.5  # until the probes have told what is free


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    wish: Wish
    pull: bool
    confirm: bool
    db: Path
    report: Path | None


@dataclass(frozen=True, slots=True)
class Done:
    """How it ended."""

    run_id: str
    code: int


def main(
    *,
    pull: bool,
    no_confirm: bool,
    db: Path,
    report: Path | None,
    contexts: str | None,
    quantizations: str | None,
    **given: Any,
) -> int:
    """The exit code, as of `olbench run`."""
    wish = Wish(
        **{**given, "url": _url(given["url"], given["engine"])},
        contexts=_contexts(contexts),
        quantizations=_listed(quantizations),
    )
    asked = Asked(wish=wish, pull=pull, confirm=not no_confirm, db=db, report=report)
    store = Store(db)
    try:
        done = asyncio.run(_fit(asked, store))
        _tell(asked, store, done)
    finally:
        store.close()
    return done.code


# --- the command line ---------------------------------------------------------------------------------------------


def _listed(words: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (one.strip() for one in (words or "").split(",")))))


def _contexts(words: str | None) -> tuple[int, ...]:
    found = [_whole(one) for one in _listed(words)]
    return tuple(sorted(set(found)))


def _whole(word: str) -> int:
    if not word.isdecimal() or not fit_plan.LEAST <= int(word) <= options.INT_MOST:
        raise UsageError(
            f"--num-ctx {word}: it is no number of tokens of {fit_plan.LEAST} or more; 8192,32768 would do"
        )
    return int(word)


def _url(url: str | None, engine: str | None) -> str | None:
    if url is not None and engine is not None:
        raise UsageError("--url names a server and --engine starts one; one of the two would do")
    if engine is not None:
        return None
    try:
        return (
            address.parse(os.environ.get("OLLAMA_HOST", "")) if url is None else address.parse_strictly(url)
        )
    except ValueError as fault:
        raise UsageError(f"{'OLLAMA_HOST' if url is None else '--url'}: {fault}") from fault


def _parsed(wish: Wish, contexts: Sequence[int], prompt: int) -> Scenario:
    return scenario.parse(fit_plan.text(wish, contexts, prompt), path="olbench fit", environ=os.environ)


# --- taking -------------------------------------------------------------------------------------------------------


async def _fit(asked: Asked, store: Store) -> Done:
    first = _parsed(asked.wish, (fit_plan.LEAST,), fit_plan.LEAST // 2)
    async with reached(first) as server:
        if asked.pull:
            await _pulled(first, server.api)
        cards = await catalog(server.api, first)
        named = [card for card in cards if card.name in plan.used(first, cards)]
        ladders = [fit_plan.ladder(card, asked.wish.contexts) for card in named]
        contexts = sorted({one for each in ladders for one in each}) or [fit_plan.LEAST]
        wanted = _parsed(asked.wish, contexts, fit_plan.prompt(ladders))
        with Machine(server, hz=_HZ) as machine:
            session = Session(scenario=wanted, prompts=None, server=server, machine=machine, store=store)
            return await _taken(session, asked, cards)


async def _pulled(wanted: Scenario, api: Any) -> None:
    missing = plan.missing(wanted, await api.catalog())
    if missing:
        await pulling.pull(api, missing)


async def _taken(session: Session, asked: Asked, cards: Sequence[ModelCard]) -> Done:
    free = await _free(session)
    bars = limits(scenario.settings(session.scenario))
    room = _room(free, session, bars["ram_reserve"], bars["vram_reserve"])
    marks: dict[str, Fact] = {
        name: one for name, one in ((FREE_RAM, free.ram), (FREE_VRAM, free.vram)) if one is not None
    }
    refused: list[str] = []

    def shape(made: Plan) -> Plan:
        chosen, why = fit_plan.kept(made, cards, asked.wish, room)
        refused.extend(why)
        if not chosen.cells:
            raise OlbenchError("\n".join((*why, "nothing of it fits here")))
        marks[LEARNED] = " ".join(cell.id for cell in chosen.cells)
        return chosen

    begun = await begin(session, pull=False, selftest=False, shape=shape, marks=marks)
    for sentence in refused:
        click.echo(f"note: {sentence}", err=True)
    tally, stopped = await take(session, begun)
    if asked.confirm and not stopped:
        more = await asyncio.to_thread(_confirming, session, asked, begun, room)
        if more.visits:
            session.store.extend(begun.run.id, more.plan)
            further, stopped = await take(session, more)
            tally = Tally(
                tally.visits | further.visits, tally.good | further.good, tally.failed + further.failed
            )
            begun = replace(begun, visits=(*begun.visits, *more.visits))
    return Done(begun.run.id, _code(begun, tally, stopped=stopped))


async def _free(session: Session) -> Room:
    """What is free while no model is in memory."""
    unloaded = await prepare.cleared(session.server.api)
    if unloaded:
        click.echo(f"note: unloaded, to see what is free: {', '.join(map(plain, unloaded))}", err=True)
    await asyncio.sleep(_BEATS_S)
    facts, last = session.machine.facts(), session.machine.last()
    if facts.get("server.local") is False:
        return Room(None, None)
    totals = [(name.partition(".")[0], one) for name, one in facts.items() if name.endswith(".total")]
    cards = {name: one for name, one in totals if name.startswith("gpu") and isinstance(one, int | float)}
    vram = sum(one - last.get(f"{name}.used", 0.0) for name, one in cards.items()) if cards else None
    limit = facts.get("ram.limit")  # of a container: the machine may have more
    ends = [last.get("host.available"), limit if isinstance(limit, int | float) else None]
    return Room(min((one for one in ends if one is not None), default=None), vram)


def _room(free: Room, session: Session, ram: float, vram: float) -> Room:
    """What of it is for a model."""
    cards = sum(1 for name in session.machine.facts() if name.startswith("gpu") and name.endswith(".total"))
    return Room(
        None if free.ram is None else free.ram - ram,
        None if free.vram is None else free.vram - vram * max(1, cards),
    )


def _confirming(session: Session, asked: Asked, begun: Begun, room: Room) -> Begun:
    """The loads that confirm, added to the plan: one of each model and quantization."""
    cells = [
        cell
        for made in footprints(session.store.record(begun.run.id))
        for cell in _confirms(asked, begun, made, room)
    ]
    start = len(begun.plan.visits)
    visits = tuple(Visit(start + seq, cell.id, 0) for seq, cell in enumerate(cells))
    whole = replace(begun.plan, cells=(*begun.plan.cells, *cells), visits=(*begun.plan.visits, *visits))
    return replace(begun, plan=whole, visits=visits)


def _confirms(asked: Asked, begun: Begun, made: Footprint, room: Room) -> Sequence[Cell]:
    learned = footprint.learned(made)
    slots = learned[0].slots if learned else 1
    measured = sorted({one.num_ctx for one in learned})
    top = made.most.get(slots, max(asked.wish.contexts, default=2 * max(measured, default=0)))
    wanted = fit_plan.target(measured, top, asked.wish.contexts)
    like = [cell for cell in begun.plan.cells if cell.model == made.model]
    if wanted is None or not like:
        return ()
    held = footprint.whole(footprint.at(made, wanted, slots, beyond=True))
    cell = plan.at_context(like[0], wanted)
    why = fit_plan.refusal(cell, held.high if held.high is not None else held.value, room.all)
    if why:
        click.echo(f"note: {why}", err=True)
    return () if why else (cell,)


def footprints(record: Record) -> tuple[Footprint, ...]:
    """What the run's loads say."""
    return footprint.of(analysis.told(record))


# --- the end ------------------------------------------------------------------------------------------------------


def _code(begun: Begun, tally: Tally, *, stopped: bool) -> int:
    if stopped:
        return INTERRUPTED
    if tally.good < tally.visits:
        return NOT_MEASURED
    return SOME_FAILED if tally.failed or tally.through(begun.visits) < len(begun.visits) else 0


def _tell(asked: Asked, store: Store, done: Done) -> None:
    from olbench.verbs import told  # noqa: PLC0415 - matplotlib is loaded only when there is something to draw

    record = store.record(done.run_id)
    path = asked.report or asked.db.parent / f"{done.run_id}.html"
    try:
        told.write_page(analysis.analyse(record), path)  # first: whoever reads the figures may stop reading
    finally:
        click.echo(show(footprints(record), asked.wish.contexts, colour=sys.stdout.isatty()), nl=False)
    click.echo(f"run {done.run_id}\nreport {path}", err=True)
