"""The beginning of `olbench ab`: two set-ups of one scenario, their servers reached, their runs opened."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from olbench import ab_keys, blocks, plan
from olbench.blocks import Letter, Twin
from olbench.errors import UsageError
from olbench.model import Fact, Facts, ModelCard, Plan, Visit
from olbench.prose import counted
from olbench.scenario import Scenario
from olbench.store import Store
from olbench.verbs import ab_words, bandwidth, pulling, selftest, warnings
from olbench.verbs.ab_blocks import Sides
from olbench.verbs.ab_rule import PILOT, USUAL_MOST
from olbench.verbs.ab_words import NAMES
from olbench.verbs.machine import Machine
from olbench.verbs.prompts import own_prompts
from olbench.verbs.run import opened
from olbench.verbs.server import Reached, catalog, reached
from olbench.verbs.taking import Begun, Session
from olbench.verbs.traces import replayed

# Between two servers of one machine, what one holds of a GPU's memory is foreign to the other.
_FOREIGN = "threshold.foreign_gpu"
_ALL_MEMORY = 1e18


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    scenario: Path
    a: tuple[str, ...]
    b: tuple[str, ...]
    overrides: tuple[str, ...]
    metrics: tuple[str, ...]
    detect: float | None
    most: int | None
    pull: bool
    db: Path
    html: Path | None
    hz: float
    no_selftest: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """What one side is going to measure."""

    session: Session
    plan: Plan
    cards: tuple[ModelCard, ...]

    @property
    def scenario(self) -> Scenario:
        """Its own."""
        return self.session.scenario


@asynccontextmanager
async def begun(asked: Asked, wanted: Mapping[Letter, Scenario], store: Store) -> AsyncIterator[Sides]:
    """Both sides, ready to be visited in turn; their servers and probes are given back at the end."""
    one_server = ab_words.one_place(wanted["a"].server, wanted["b"].server)
    async with AsyncExitStack() as stack:
        servers = await _servers(stack, wanted, one_server=one_server)
        machines = _machines(stack, servers, hz=asked.hz, one_server=one_server)
        sessions = {
            side: Session(
                scenario=one,
                prompts=own_prompts(one, asked.scenario),
                trace=replayed(one, asked.scenario),
                server=servers[side],
                machine=machines[side],
                store=store,
            )
            for side, one in wanted.items()
        }
        planned = {side: await _planned(session, pull=asked.pull) for side, session in sessions.items()}
        twins = _twins(asked, planned)
        _say(asked, planned, twins, one_server=one_server)
        opened_ = await _opened(asked, planned, twins, one_server=one_server)
        yield Sides(sessions=sessions, begun=opened_, twins=twins, one_server=one_server)


async def _servers(
    stack: AsyncExitStack, wanted: Mapping[Letter, Scenario], *, one_server: bool
) -> dict[Letter, Reached]:
    a = await stack.enter_async_context(reached(wanted["a"]))
    of_b = wanted["b"]
    if one_server and a.engine is not None:
        # One engine for both: two of them would differ in more than was asked for.
        of_b = replace(of_b, server=replace(of_b.server, url=a.url, engine=None))
    b = await stack.enter_async_context(reached(of_b))
    return {"a": a, "b": replace(b, engine=a.engine) if one_server else b}


def _machines(
    stack: AsyncExitStack, servers: Mapping[Letter, Reached], *, hz: float, one_server: bool
) -> dict[Letter, Machine]:
    a = stack.enter_context(Machine(servers["a"], hz=hz))
    return {"a": a, "b": a if one_server else stack.enter_context(Machine(servers["b"], hz=hz))}


async def _planned(session: Session, *, pull: bool) -> Planned:
    wanted, api = session.scenario, session.server.api
    missing = plan.missing(wanted, await api.catalog())
    if missing and pull:
        await pulling.pull(api, missing)
    cards = await catalog(api, wanted)
    made = plan.expand(
        wanted, cards, 0 if session.prompts is None else len(session.prompts.names()), session.trace
    )
    names = {cell.model for cell in made.cells}
    return Planned(session, made, tuple(card for card in cards if card.name in names))


def _twins(asked: Asked, planned: Mapping[Letter, Planned]) -> tuple[Twin, ...]:
    a, b = (planned[side].plan.cells for side in NAMES)
    if len(a) != len(b):
        raise UsageError(
            f"{asked.scenario}: A has {counted(len(a), 'cell')} and B {len(b)}; cells are paired in their order, so as"
            " many on both sides would do, such as one"
        )
    return tuple(Twin(one, other) for one, other in zip(a, b, strict=True))


def _say(
    asked: Asked, planned: Mapping[Letter, Planned], twins: tuple[Twin, ...], *, one_server: bool
) -> None:
    """Say what is going to happen."""
    wanted = {side: one.scenario for side, one in planned.items()}
    turns = blocks.turns(wanted["a"].measure, twins, 0, range(len(twins)))
    click.echo(ab_words.apart(wanted, twins), err=True)
    pilot = asked.detect is not None
    said = ab_words.opening(
        turns,
        {side: one.plan for side, one in planned.items()},
        wanted,
        [card for one in planned.values() for card in one.cards],
        count=PILOT if pilot else asked.most or USUAL_MOST,
        pilot=pilot,
        one_server=one_server,
    )
    click.echo(said, err=True)
    if any(one.measure.until is not None for one in wanted.values()):
        _note(["measure.until says nothing to blocks: the verdict ends them, or --most does"])
    _note(sentence for one in planned.values() for sentence in one.plan.notes)


def _note(sentences: Iterable[str]) -> None:
    """What holds for both sides is said once."""
    for sentence in dict.fromkeys(sentences):
        click.echo(f"note: {sentence}", err=True)


async def _opened(
    asked: Asked, planned: Mapping[Letter, Planned], twins: tuple[Twin, ...], *, one_server: bool
) -> dict[Letter, Begun]:
    facts = {side: one.session.machine.facts() for side, one in planned.items()}
    for side, one in planned.items():
        _note(await _doubts(one, facts[side]))
    store = planned["a"].session.store
    streams = [cell.concurrency for one in planned.values() for cell in one.plan.cells]
    # While nothing is loaded yet: it is the client that is tested, not what a model leaves of the machine.
    held = None if asked.no_selftest else await selftest.preceding(store, streams)
    local = [one.get("server.local") is True for one in facts.values()]
    further: dict[str, Fact] = {_FOREIGN: _ALL_MEMORY} if all(local) and not one_server else {}
    found: dict[Letter, Begun] = {}
    for side, one in planned.items():
        known = facts[side]
        if known.get("server.local") is True:
            known |= bandwidth.known(store, known.get("cpu.model"), anew=not asked.no_selftest)
        run = opened(replace(one.scenario, name=f"{one.scenario.name} ({side})"))
        first = found["a"].run.id if found else run.id
        marks: dict[str, Fact] = {ab_keys.OF: first, ab_keys.SIDE: side, ab_keys.EACH: blocks.VISITS}
        run = replace(run, settings=run.settings | further | marks)
        visits = _visits(one.scenario, twins, side, min(asked.most or USUAL_MOST, PILOT))
        made = replace(one.plan, visits=visits)
        store.begin(run, made, known, one.cards, held)
        found[side] = Begun(run, made, one.cards, known, visits)
    return found


async def _doubts(one: Planned, facts: Facts) -> list[str]:
    return list(
        warnings.before(
            one.plan,
            one.scenario,
            one.cards,
            resident=await one.session.server.api.resident(),
            facts=facts,
            last=one.session.machine.last(),
        )
    )


def _visits(of: Scenario, twins: tuple[Twin, ...], side: Letter, count: int) -> tuple[Visit, ...]:
    """Those of the first blocks: what no rule takes away."""
    every = (blocks.turns(of.measure, twins, number, range(len(twins))) for number in range(count))
    return tuple(turn.visit for turns in every for turn in turns if turn.side == side)
