"""`olbench size` and `olbench capacity`: how much load a machine carries, searched and told."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from olbench import analysis, gauge, machines, plan, size_keys, sizing
from olbench.errors import UsageError
from olbench.findings import Findings
from olbench.machines import Machine as Kind
from olbench.model import Fact, Plan
from olbench.report import capacity_text
from olbench.scenario import Scenario
from olbench.sized import Sizing
from olbench.store import Store
from olbench.verbs import files, run
from olbench.verbs.machine import Machine
from olbench.verbs.prompts import own_prompts
from olbench.verbs.searching import Searched, take
from olbench.verbs.server import reached
from olbench.verbs.taking import Begun, Session

INTERRUPTED = 130
NOT_MEASURED = 4
NOT_CARRIED = 1
CANNOT_TELL = 3
_SLOTS = 2  # streams up to which decoding is measured together where the server's slots are not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    scenario: Path | None
    resume: str | None
    pull: bool
    overrides: tuple[str, ...]
    db: Path
    html: Path | None
    machines: Path | None
    hz: float
    no_selftest: bool


def main(**given: Any) -> int:
    """The exit code: 0 it carries the target, 1 it does not, 3 cannot tell, 4 not measured, 130 interrupted."""
    asked = Asked(**given)
    if asked.scenario is None and asked.resume is None:
        raise UsageError("no scenario was given; `olbench size scenarios/size-for-team.toml` would do")
    if asked.resume is not None and asked.overrides:
        raise UsageError("--set cannot change a run that has begun; a new run would do")
    kinds = known(asked.machines)
    store = Store(asked.db)
    try:
        begun, found = asyncio.run(_size(asked, store))
        return _tell(asked, store, begun.run.id, found, kinds)
    finally:
        store.close()


async def _size(asked: Asked, store: Store) -> tuple[Begun, Searched]:
    run_id = None if asked.resume is None else store.find(asked.resume)
    wanted = run.asked_scenario(asked.scenario, asked.overrides, store, run_id)
    _refuse(wanted, store, run_id)
    async with reached(wanted) as server:
        with Machine(server, hz=asked.hz) as machine:
            session = Session(
                scenario=wanted,
                prompts=own_prompts(wanted, asked.scenario),
                server=server,
                machine=machine,
                store=store,
            )
            if run_id is not None:
                begun = await run.resumed(session, run_id)
            else:
                marks: dict[str, Fact] = {size_keys.SEARCHED: True}
                begun = await run.begin(
                    session,
                    pull=asked.pull,
                    selftest=not asked.no_selftest,
                    shape=lambda made: gauged(wanted, made),
                    marks=marks,
                )
            return begun, await take(session, begun)


def _refuse(wanted: Scenario, store: Store, run_id: str | None) -> None:
    if run_id is not None and not store.record(run_id).run.settings.get(size_keys.SEARCHED):
        raise UsageError(f"run {run_id} is no search; `olbench run --resume {run_id}` goes on with it")
    if wanted.size is None or not wanted.slo:
        raise UsageError(
            f"{wanted.path}: a search needs a service level and a table [size]; for example [slo] with"
            ' ttft_p95 = "1s", and [size] with most = 64'
        )


def gauged(wanted: Scenario, made: Plan) -> Plan:
    """The plan of a search: what the cost model of a persona is learned from, and the cells to be loaded."""
    bases = tuple(dict.fromkeys(plan.without_load(cell) for cell in made.cells))
    if wanted.persona is None:
        return replace(made, cells=bases, visits=(), excluded=0)
    found = gauge.planned(bases, wanted.persona, wanted.server.parallel or _SLOTS, wanted.measure)
    others = tuple(cell for cell in bases if cell not in found.cells)
    return replace(found, cells=(*found.cells, *others), notes=made.notes)


# --- telling ------------------------------------------------------------------------------------------------------


def known(path: Path | None) -> tuple[Kind, ...]:
    """The machines of the user's own table, or of ours. UsageError for a table that cannot be used."""
    return machines.shipped() if path is None else machines.read(files.read(path), str(path))


def _tell(asked: Asked, store: Store, run_id: str, found: Searched, kinds: Sequence[Kind]) -> int:
    if not found.tally.visits and asked.resume is None:
        click.echo(f"run {run_id}: no visit was finished, there is nothing to report", err=True)
        return INTERRUPTED if found.stopped else NOT_MEASURED
    record = store.record(run_id)
    sized = sizing.of(record, kinds, found.foretold or None)
    path = asked.html or asked.db.parent / f"{run_id}.html"
    findings = analysis.analyse(record)
    write(sized, findings, kinds, path)  # first: whoever reads the figures may stop reading
    click.echo(capacity_text.text(sized, findings, colour=sys.stdout.isatty()), nl=False)
    click.echo(f"\nrun {run_id}\npage {path}")
    return INTERRUPTED if found.stopped else code(sized, failed=found.failed)


def code(sized: Sizing, *, failed: bool = False) -> int:
    """What the search came to, for a script."""
    answers = [one.answer for one in sized.capacities]
    if failed or not answers:
        return NOT_MEASURED
    if sized.target is not None:
        if all(answer is not None and answer >= sized.target for answer in answers):
            return 0
        if any(one.over is not None and one.over <= sized.target for one in sized.capacities):
            return NOT_CARRIED
        return CANNOT_TELL
    return 0 if all(answer is not None for answer in answers) else NOT_CARRIED


def write(sized: Sizing, findings: Findings, kinds: Sequence[Kind], path: Path) -> None:
    """The capacity page on the disk."""
    from olbench.report import capacity_html  # noqa: PLC0415 - matplotlib takes half a second

    files.write(path, capacity_html.page(sized, findings, kinds))
