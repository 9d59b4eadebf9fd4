"""The runs of one scenario in the order of time: what a metric was in each, and where a new level began. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from olbench.findings import Estimate, Summary
from olbench.glance import DIGEST, EXPLAINS, OLBENCH, SETTINGS, VERSION, Glance
from olbench.labels import labels
from olbench.metrics import METRICS, Metric
from olbench.model import Cell, Facts
from olbench.prose import counted, listed
from olbench.stats.history import FEW, NEEDED, PENALTY, SHORTEST, steps
from olbench.units import words

RULE = (
    f"Steps: of all ways to cut the runs into levels of {SHORTEST} or more, the one that leaves the least: the sum of squared"
    " distances from the means of the levels, on logarithms and in units of the usual difference of neighbouring runs, and"
    f" {PENALTY:g} × ln n × (1 + {FEW:g} / n) for each step, n being the number of runs. A lone run that is off is no step;"
    f" with fewer than {NEEDED} runs none is looked for. A step is a suspicion: the command beside it compares the runs before and"
    " after it."
)
NAMED = 4  # changes of the set-up that a sentence names at most
# Whether a metric rose, and which way is better -> what that is.
_WORTH = {
    (True, "higher"): ", which is better",
    (False, "higher"): ", which is worse",
    (True, "lower"): ", which is worse",
    (False, "lower"): ", which is better",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run in the history of a cell."""

    run: str  # id
    at: str  # UTC, ISO 8601
    version: str | None  # of the server; None: unknown
    summary: Summary
    change: (
        float | None
    )  # relative to the point before that has a judged figure; None: none before, or none here
    marks: tuple[str, ...]  # "2 marked", "not judged", "interrupted", "no figure"
    unfinished: bool  # the run was interrupted, failed, or goes on
    judged: bool  # whether the figure is searched for steps: it is there, and a sound visit stands behind it

    @property
    def typical(self) -> Estimate:
        """The figure with its interval."""
        return self.summary.typical


@dataclass(frozen=True, slots=True)
class Level:
    """Neighbouring points that lie on one level, both ends included; `value` is the middle of their judged figures."""

    first: int
    last: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a new level begins."""

    at: int  # the first point of the new level
    old: str  # the last run of the old level, id
    new: str  # the first run of the new one
    change: float | None  # relative, from level to level; None where that cannot be divided
    sentence: str
    command: str  # that tests it


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The history of one cell."""

    cell: Cell
    number: int  # in the list of the scenario's cells
    label: str
    points: tuple[Point, ...]  # oldest first
    levels: tuple[Level, ...]  # () where nothing could be searched
    steps: tuple[Step, ...]

    @property
    def searched(self) -> bool:
        """Whether there are enough judged runs to look for steps."""
        return sum(one.judged for one in self.points) >= NEEDED

    @property
    def turns(self) -> tuple[int, ...]:
        """Points at which the server's version is another than it was before."""
        known = [(place, one.version) for place, one in enumerate(self.points) if one.version is not None]
        return tuple(after for (_, old), (after, new) in pairwise(known) if old != new)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The history of a scenario in one metric."""

    scenario: str  # its name
    metric: Metric
    runs: int
    first: str  # when the first and the last run began: UTC, ISO 8601
    last: str
    lines: tuple[Line, ...]  # one a cell

    @property
    def steps(self) -> tuple[tuple[Line, Step], ...]:
        """All steps with their lines."""
        return tuple((line, step) for line in self.lines for step in line.steps)


def numbered(cells: Sequence[Cell]) -> dict[str, tuple[int, str]]:
    """Cell id -> its number and its label among all cells that the scenario ever had."""
    return {
        cell.id: (number, label)
        for number, (cell, label) in enumerate(zip(cells, labels(cells), strict=True), 1)
    }


def history(
    scenario: str,
    metric: str,
    cells: Sequence[Cell],
    seen: Sequence[Glance],
    *,
    chosen: Sequence[Cell] | None = None,
    options: str = "",
) -> History:
    """The history of the `chosen` ones (None: of all) of a scenario's `cells` in its runs, oldest first.

    `options` follows the commands that are told: " --db other.db".
    """
    names = numbered(cells)
    made = (
        _line(cell, names[cell.id], METRICS[metric], seen, options)
        for cell in (cells if chosen is None else chosen)
    )
    return History(
        scenario=scenario,
        metric=METRICS[metric],
        runs=len(seen),
        first=seen[0].at,
        last=seen[-1].at,
        lines=tuple(made),
    )


def _line(cell: Cell, name: tuple[int, str], metric: Metric, seen: Sequence[Glance], options: str) -> Line:
    own = [one for one in seen if cell.id in one.figures]
    points = tuple(_points(cell, own))
    bare = Line(cell=cell, number=name[0], label=name[1], points=points, levels=_levels(points), steps=())
    return replace(bare, steps=tuple(_steps(metric, bare, own, options)))


def _points(cell: Cell, own: Sequence[Glance]) -> Iterator[Point]:
    before: float | None = None
    for one in own:
        figure = one.figures[cell.id]
        value = figure.summary.typical.value
        judged = figure.judged and value is not None
        yield Point(
            run=one.run,
            at=one.at,
            version=_version(one.facts),
            summary=figure.summary,
            change=_change(before, value) if judged else None,
            marks=tuple(_marks(one, cell)),
            unfinished=one.status != "complete",
            judged=judged,
        )
        before = value if judged else before


def _version(facts: Facts) -> str | None:
    found = facts.get(VERSION) or facts.get("engine.version")
    return None if found is None else str(found)


def _marks(one: Glance, cell: Cell) -> Iterator[str]:
    figure = one.figures[cell.id]
    if figure.summary.typical.value is None:
        yield "no figure"
    elif not figure.judged:
        yield "not judged"
    elif figure.marked:
        yield f"{figure.marked} marked"
    if one.status != "complete":
        yield one.status


def _change(before: float | None, value: float | None) -> float | None:
    if before is None or value is None or before <= 0 or value <= 0:
        return None
    return value / before - 1


# --- levels and steps -----------------------------------------------------------------------------------------


def _levels(points: Sequence[Point]) -> tuple[Level, ...]:
    values = [
        (place, one.typical.value)
        for place, one in enumerate(points)
        if one.judged and one.typical.value is not None
    ]
    if not values:
        return ()
    cuts = [0, *steps([value for _, value in values]), len(values)]
    parts = [values[begin:end] for begin, end in pairwise(cuts)]
    return tuple(Level(part[0][0], part[-1][0], median([value for _, value in part])) for part in parts)


def _steps(metric: Metric, line: Line, own: Sequence[Glance], options: str) -> Iterator[Step]:
    for old, new in pairwise(line.levels):
        before, after = own[old.last], own[new.first]
        runs = sum(1 for one in line.points[new.first : new.last + 1] if one.judged)
        changed = _changed(before.facts, after.facts, line.cell)
        yield Step(
            at=new.first,
            old=before.run,
            new=after.run,
            change=_change(old.value, new.value),
            sentence=_sentence(metric, (old, new), f"{day(after.at)} ({counted(runs, 'run')})", changed),
            command=f"olbench compare {before.run} {after.run}{options}",
        )


def _sentence(metric: Metric, levels: tuple[Level, Level], since: str, changed: Mapping[str, str]) -> str:
    """What happened, by how much, since when, and what else is not as it was; the server's version comes first."""
    old, new = levels
    rose, size = new.value > old.value, _change(old.value, new.value)
    by = "" if size is None else f" by {words(abs(size), 'share', 2)}"
    worth = _WORTH.get((rose, metric.better), "")
    name = metric.name[0].lower() + metric.name[1:] if metric.name[1:2].islower() else metric.name
    what = (
        f"the {name} {'rose' if rose else 'fell'}{by}{worth}: {_from_to(levels, metric.unit)} since {since}"
    )
    rest = [said for key, said in changed.items() if key != VERSION]
    named = [*rest[:NAMED], *([f"{len(rest) - NAMED} more"] if len(rest) > NAMED else [])]
    if VERSION in changed:
        also = f"; also changed: {listed(named)}" if named else ""
        return f"{changed[VERSION][0].upper()}{changed[VERSION][1:]}, and {what}{also}"
    also = f"changed at the same time: {listed(named)}" if named else "no change of the set-up is known"
    return f"{what[0].upper()}{what[1:]}; {also}"


def _from_to(levels: tuple[Level, Level], unit: str) -> str:
    """Both levels, "from 50.1 to 46.0 tok/s", the unit once where both are in the same."""
    old, new = (words(level.value, unit, 4) for level in levels)
    number, _, same = old.partition(" ")
    return f"from {number if new.endswith(f' {same}') else old} to {new}"


def _changed(before: Facts, after: Facts, cell: Cell) -> dict[str, str]:
    """Fact -> how it differs, of those that may explain a step; what is not known of one side does not."""
    digest = f"{DIGEST}{cell.model}"
    called = {**EXPLAINS, digest: "the model's digest", OLBENCH: "olbench"}
    found = {
        name: f"{what} went from {before[name]} to {after[name]}"
        for name, what in called.items()
        if name in before and name in after and before[name] != after[name]
    }
    if SETTINGS in before and SETTINGS in after:
        found |= _settings(before, after)
    return found


def _settings(before: Facts, after: Facts) -> dict[str, str]:
    """The same of the settings that the server's environment gives."""
    names = sorted(name for name in {*before, *after} if name.startswith(f"{SETTINGS}."))
    return {
        name: f"{name.removeprefix(f'{SETTINGS}.')} went from {before.get(name, 'unset')} to {after.get(name, 'unset')}"
        for name in names
        if before.get(name) != after.get(name)
    }


def day(at: str) -> str:
    """The day of a stamp."""
    return at[:10]
