"""Two runs that were taken in blocks, compared block by block, so that what drifted falls on both alike. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from olbench import ab_keys, analysis, setup, sides
from olbench import compare as of_compare
from olbench import margins as of_margins
from olbench.differences import Comparison, Difference, Pair, SideCell, Unlike
from olbench.findings import Estimate
from olbench.gist import Told
from olbench.kept import Kept, sift
from olbench.labels import FIELDS, labels, value
from olbench.metrics import METRICS
from olbench.model import Cell, Fact, Record
from olbench.prose import counted, listed
from olbench.stats import sequential
from olbench.stats.ratios import Judged

_SHOWN = 3  # reasons of blocks left out that a note names


@dataclass(frozen=True, slots=True)
class Left:
    """A block that counts for nothing."""

    number: int  # from 0
    why: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """One metric of one pair of cells, block by block."""

    place: int  # of the pair in both plans
    label: str
    metric: str
    logs: tuple[
        float, ...
    ]  # of each pair of neighbours in blocks that count, in their order: log of b less log of a
    each: int  # pairs of a block
    left: tuple[Left, ...]

    @property
    def whole(self) -> int:
        """Blocks that count."""
        return len(self.logs) // self.each

    @property
    def taken(self) -> int:
        """Blocks, those left out included."""
        return self.whole + len(self.left)


@dataclass(frozen=True, slots=True)
class Look:
    """What can be said of it."""

    blocked: Blocked
    judged: Judged


def looks(
    a: Record, b: Record, metrics: Sequence[str], margins: Mapping[str, float], most: int
) -> tuple[Look, ...]:
    """All that is looked at after as many blocks as there have been, of `most` that may be."""
    found = blocked(a, b, metrics)
    return tuple(
        Look(
            one,
            sequential.look(one.logs, margins.get(one.metric, 0.0), most, pairs=one.each, figures=len(found)),
        )
        for one in found
    )


def compare(
    a: Record, b: Record, metrics: Sequence[str], margins: Mapping[str, float], most: int
) -> Comparison:
    """What differs between the two, and the verdict of each metric in each pair of cells. They may be of unlike work."""
    base, new = (sides.of_findings(analysis.analyse(record)) for record in (a, b))
    found = looks(a, b, metrics, margins, most)
    axes = apart(list(zip(a.plan.cells, b.plan.cells, strict=True)))
    return Comparison(
        base=base,
        new=new,
        unlike=(
            *(
                Unlike(axis, _told(pairs[0][0]), _told(pairs[0][1]), content=True)
                for axis, pairs in axes.items()
            ),
            *setup.unlike(base, new),
        ),
        pairs=tuple(
            Pair(
                label=_label(one, other),
                base=one,
                new=other,
                differences=tuple(
                    _difference(look, one, other, margins) for look in found if look.blocked.place == place
                ),
            )
            for place, (one, other) in enumerate(zip(base.cells, new.cells, strict=True))
        ),
        alone=(),
        geomeans={metric: mean for metric in metrics if (mean := _mean_of(metric, found)) is not None},
        correction=_correction(len(found), most),
        across=listed(list(axes)) or None,
        notes=tuple(_notes(found)),
    )


def apart(cells: Sequence[tuple[Cell, Cell]]) -> Mapping[str, Sequence[tuple[Fact, Fact]]]:
    """Axis -> the values of both cells of each pair that differs in it, once each, as people write them."""
    options = sorted({name for pair in cells for cell in pair for name, _ in cell.options})
    found = {
        axis: dict.fromkeys(
            (_value(a, axis), _value(b, axis)) for a, b in cells if value(a, axis) != value(b, axis)
        )
        for axis in (*FIELDS, *options)
    }
    return {axis: list(pairs) for axis, pairs in found.items() if pairs}


def _value(cell: Cell, axis: str) -> Fact:
    found = value(cell, axis)
    return " ".join(found) if isinstance(found, tuple) else found


def _told(found: Fact) -> str:
    if found is None:
        return setup.UNSET
    return str(found).lower() if isinstance(found, bool) else str(found)


def twins(a: Record, b: Record) -> bool:
    """Whether these are the two sides of one measurement in turn."""
    of = a.run.settings.get(ab_keys.OF)
    return of is not None and of == b.run.settings.get(ab_keys.OF) and a.run.id != b.run.id


def again(a: Record, b: Record) -> Comparison:
    """Twins as they were compared when they ended; those that never came to their end, by their decode rate."""
    said = {**a.run.settings, **b.run.settings}
    metrics, most = said.get(ab_keys.METRICS), said.get(ab_keys.MOST)
    asked = metrics.split(",") if isinstance(metrics, str) else ["decode"]
    if not isinstance(most, int):
        most = max((one.taken for one in blocked(a, b, asked)), default=1)
    return compare(a, b, asked, of_margins.margins(said), most)


def _label(base: SideCell, new: SideCell) -> str:
    return base.label if base.label == new.label else f"{base.label} and {new.label}"


def _difference(look: Look, base: SideCell, new: SideCell, margins: Mapping[str, float]) -> Difference:
    metric, judged = look.blocked.metric, look.judged
    before, after = (of_compare.typical(one.visits.get(metric, ())) for one in (base, new))
    return Difference(
        metric=metric,
        base=before,
        new=after,
        ratio=judged.ratio,
        verdict=of_compare.verdict(metric, judged),
        margin=margins.get(metric, 0.0),
        detectable=judged.detectable,
        paired=True,
        reason=judged.reason,
    )


def _mean_of(metric: str, found: Sequence[Look]) -> Estimate | None:
    """The geometric mean of a metric's ratios over the pairs of cells that have one; None of a single pair."""
    ratios = [one.judged.ratio.value for one in found if one.blocked.metric == metric]
    known = [math.log(one) for one in ratios if one is not None]
    if len(known) < 2:
        return None
    why = "no interval: each pair of cells ended when its own verdict was earned"
    return Estimate(math.exp(math.fsum(known) / len(known)), None, None, why)


def _correction(figures: int, most: int) -> str:
    shared = "" if figures == 1 else f", shared among {figures} figures,"
    return (
        f"After each block there is a look; the chance of a false change is 1 % over all looks of {most} blocks{shared} by"
        " a spending function (Lan and DeMets 1983; Hwang, Shih and DeCani 1990)."
    )


def _notes(found: Sequence[Look]) -> Iterator[str]:
    """How many blocks each verdict took, and which were left out."""
    many = len({one.blocked.place for one in found}) > 1
    for one in found:
        of = f"{METRICS[one.blocked.metric].name}{f' of {one.blocked.label}' if many else ''}"
        yield f"{of}: {_ended(one)}."
    left: dict[tuple[str, str], list[int]] = {}
    for one in found:
        for gone in one.blocked.left:
            numbers = left.setdefault((one.blocked.label if many else "", gone.why), [])
            numbers += [gone.number + 1] * (gone.number + 1 not in numbers)
    if left:
        yield _left_out(left)


def _left_out(left: Mapping[tuple[str, str], Sequence[int]]) -> str:
    """Blocks left out, those for the same reason together."""
    count = sum(len(numbers) for numbers in left.values())
    said = [
        f"{'block' if len(numbers) == 1 else 'blocks'} {listed([str(one) for one in numbers])}"
        f"{f' of {label}' if label else ''}: {why}"
        for (label, why), numbers in left.items()
    ]
    more = [f"{len(said) - _SHOWN} more reasons"] if len(said) > _SHOWN else []
    was = "was" if count == 1 else "were"
    return f"{counted(count, 'block')} {was} left out ({'; '.join([*said[:_SHOWN], *more])})."


def _ended(one: Look) -> str:
    whole = counted(one.blocked.whole, "block")
    if one.judged.verdict == "cannot tell":
        return f"no verdict after {whole}"
    at = one.judged.blocks
    return f"the verdict was earned after {counted(at, 'block')}" if at else f"a verdict after {whole}"


def blocked(a: Record, b: Record, metrics: Sequence[str]) -> tuple[Blocked, ...]:
    """Each metric of each pair of cells; the cells of both plans belong together in their order."""
    each, names = _each(a), labels(a.plan.cells)
    sides = zip(analysis.told(a), analysis.told(b), strict=True)
    return tuple(
        _blocked(place, names[place], metric, [_Visits(one, sift(one), metric) for one in cells], each)
        for place, cells in enumerate(sides)
        for metric in metrics
    )


@dataclass(frozen=True, slots=True)
class _Visits:
    """What the visits of one side to one cell gave of a metric."""

    told: Told
    kept: Kept
    metric: str

    def taken(self) -> frozenset[int]:
        """Repeats."""
        return frozenset(one.visit.repeat for one in self.told.gists)

    def logs(self) -> Mapping[int, float]:
        """The logarithm of the median of each visit that went through and is fit to be judged by."""
        marked = self.kept.marked
        sound = (one for one in self.kept.told.gists if not one.problem and one.visit.repeat not in marked)
        found = ((one.visit.repeat, one.columns[self.metric].numbers.tolist()) for one in sound)
        middles = {repeat: median(numbers) for repeat, numbers in found if numbers}
        return {repeat: math.log(middle) for repeat, middle in middles.items() if 0 < middle < math.inf}

    def why(self, repeat: int) -> str:
        """Why a visit counts for nothing."""
        if repeat in self.kept.marked:
            return " and ".join(self.kept.marked[repeat])
        problems = [one.problem for one in self.told.gists if one.visit.repeat == repeat and one.problem]
        return problems[0] if problems else "a visit gave no figure above zero"


def _blocked(place: int, label: str, metric: str, sides: Sequence[_Visits], each: int) -> Blocked:
    numbers = sorted({repeat // each for side in sides for repeat in side.taken()})
    logs: list[float] = []
    left: list[Left] = []
    found = [(side, side.logs()) for side in sides]
    for number in numbers:
        repeats = range(number * each, (number + 1) * each)
        missing = list(_missing(found, repeats))
        if missing:
            left.append(Left(number, missing[0]))
        else:
            base, new = (of for _, of in found)
            logs += [new[repeat] - base[repeat] for repeat in repeats]
    return Blocked(place, label, metric, tuple(logs), each, tuple(left))


def _missing(found: Sequence[tuple[_Visits, Mapping[int, float]]], repeats: range) -> Iterator[str]:
    for side, logs in found:
        for repeat in repeats:
            if repeat not in side.taken():
                yield "it was not taken to its end"
            elif repeat not in logs:
                yield side.why(repeat)


def _each(record: Record) -> int:
    said = record.run.settings.get(ab_keys.EACH)
    return said if isinstance(said, int) and said > 0 else 1  # a visit of each side: one pair
