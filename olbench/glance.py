"""One metric of a run at a glance: its figures by cell, and the facts that may explain why it is not what it was."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from olbench import accuracy, analysis
from olbench.findings import Summary
from olbench.gist import Told, is_cold
from olbench.kept import sift
from olbench.metrics import METRICS
from olbench.model import Cell, Facts, Record, SelfTest
from olbench.steady.view import OF_SAMPLES

VERSION, OLBENCH, DIGEST = "server.version", "olbench", "digest of "
SETTINGS = "server.env"  # their number, where they could be read; each is a fact "server.env.NAME"
# Facts that may explain a change, and what a sentence calls them.
EXPLAINS: Mapping[str, str] = {
    VERSION: "the server's version",
    "server.program": "the server's program",
    "server.url": "the server's address",
    "engine.name": "the engine",
    "engine.version": "the engine's version",
    "cpu.model": "the processor",
    "cpu.governor": "the processor's governor",
    "power.source": "the power source",
    "gpu0.name": "the GPU",
    "gpu0.driver": "the GPU's driver",
    "os.kernel": "the kernel",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The metric in one cell."""

    summary: Summary
    taken: int  # visits that gave a sample
    marked: int  # of them: something disturbed them, and they are left out where a sound one is there

    @property
    def judged(self) -> bool:
        """Whether any visit was fit to be judged by."""
        return self.taken > self.marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What is kept of a run: of hundreds of them, this is all that is in memory."""

    run: str  # id
    at: str  # UTC, ISO 8601
    status: str
    facts: Facts  # those of EXPLAINS, settings of the server, digests of the models, olbench's version
    figures: Mapping[str, Figure]  # cell id -> figure


def glance(record: Record, metric: str, cells: Collection[Cell]) -> Glance:
    """One metric of a run in those of the `cells` that it has. Reads its observations once and keeps none."""
    asked = {one.id for one in cells} & {one.id for one in record.plan.cells}
    keys = dict.fromkeys((metric, *OF_SAMPLES))  # by these two it is found what of a visit is its start-up
    told = analysis.told(record, keys) if asked else []
    return Glance(
        run=record.run.id,
        at=record.run.started_at,
        status=record.run.status,
        facts=dict(_facts(record)),
        figures={one.cell.id: _figure(one, metric, record.selftest) for one in told if one.cell.id in asked},
    )


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    # The server's address is a setting: a server elsewhere is asked for, not found.
    for name, value in {**record.run.settings, **record.facts}.items():
        if value is not None and (name in EXPLAINS or f"{name}.".startswith(f"{SETTINGS}.")):
            yield name, str(value)
    yield OLBENCH, record.run.olbench
    for card in record.cards:
        if card.digest is not None:
            yield f"{DIGEST}{card.name}", card.digest.removeprefix("sha256:")[:12]


def _figure(told: Told, metric: str, test: SelfTest | None) -> Figure:
    sifted = sift(told)
    row = METRICS[metric]
    nothing = analysis.NO_COLD if is_cold(row) else analysis.nothing_of(told)
    found = analysis.summary(row, sifted.told.column(metric), nothing)
    held = None if test is None else accuracy.of(test, told.streams)
    return Figure(
        summary=found if held is None else replace(found, error=accuracy.errors(held).get(metric)),
        taken=sum(1 for one in told.gists if one.prompts),
        marked=len(sifted.marked),
    )
