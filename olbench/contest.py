"""The cells that an answer compares with each other: equal in all but who they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.findings import CellFinding, Summary
from olbench.labels import WHO, AxisValue, cell_name, said, value
from olbench.metrics import METRICS
from olbench.prose import figure
from olbench.units import words

# What a ranking goes by, and how it is said: the first of which there is a value anywhere.
HEADLINES: Mapping[str, str] = {
    "decode": "decodes at",
    "ttft": "gives its first token after",
    "e2e": "answers in",
}


@dataclass(frozen=True, slots=True)
class Contest:
    """One point of the other axes; `ranking` has at least one cell, the best by `key` first."""

    axes: tuple[str, ...]
    key: str
    ranking: tuple[CellFinding, ...]
    disturbed: tuple[CellFinding, ...]  # that have figures, and no visit fit to be judged by
    unmeasured: tuple[CellFinding, ...]

    def name(self, one: CellFinding) -> str:
        """A cell's name beside the best one's: the quantization alone where the model is the same."""
        best = self.ranking[0].cell
        if "quantization" in self.axes and one.cell.base == best.base and one.cell != best:
            return said("quantization", one.cell.quantization)
        return cell_name(one.cell, self.axes)

    def has(self, one: CellFinding) -> Summary:
        """A cell's figure."""
        return one.summaries[self.key]


def contest(cells: Sequence[CellFinding], axes: tuple[str, ...]) -> Contest | None:
    """The point where most can be compared; of several the one with the fewest streams. None: nothing can be judged."""
    key = next((key for key in HEADLINES if any(has(one, key) for one in cells)), None)
    if key is None:
        return None
    points: dict[tuple[AxisValue, ...], list[CellFinding]] = {}
    for one in cells:
        points.setdefault(point(one, axes), []).append(one)
    there = max(
        points.values(),
        key=lambda many: (
            sum(has(one, key) for one in many),
            many[0].cell.load is None,
            -many[0].cell.concurrency,
        ),
    )
    sign = -1 if METRICS[key].better == "higher" else 1
    measured = [one for one in there if has(one, key)]
    measured.sort(key=lambda one: sign * (one.summaries[key].typical.value or 0.0))
    left = [one for one in there if not has(one, key)]
    return Contest(
        axes,
        key,
        tuple(measured),
        disturbed=tuple(filter(disturbed, left)),
        unmeasured=tuple(one for one in left if not disturbed(one)),
    )


def point(one: CellFinding, axes: Sequence[str], *, but: str = "") -> tuple[AxisValue, ...]:
    """Where a cell stands on the axes that do not say who it is."""
    return tuple(value(one.cell, axis) for axis in axes if axis not in WHO and axis != but)


def has(one: CellFinding, key: str) -> bool:
    """Whether a cell has a figure that it may be judged by."""
    return one.judged and one.summaries[key].typical.value is not None


def disturbed(one: CellFinding) -> bool:
    """Whether a cell was measured, but in no visit that it may be judged by."""
    return bool(one.marked) and not one.judged


def apart(one: Summary, other: Summary) -> bool:
    """Whether two figures may be called different: their intervals do not overlap, and our clock can tell them apart."""
    here, there = one.typical, other.typical
    if here.low is None or here.high is None or there.low is None or there.high is None:
        return False
    return (here.low > there.high or there.low > here.high) and not blurred(one, other)


def blurred(one: Summary, other: Summary) -> bool:
    """Whether two figures lie closer together than the error of the clock that took them."""
    error = max(one.error or 0.0, other.error or 0.0)
    return error > 0 and abs((one.typical.value or 0.0) - (other.typical.value or 0.0)) <= error


def noun(key: str) -> str:
    """A metric's name in the middle of a sentence."""
    name = METRICS[key].name
    return name[0].lower() + name[1:]


def streams(count: AxisValue) -> str:
    """A concurrency in words: "one stream", "4 streams"."""
    return "one stream" if count == 1 else f"{count} streams"


def figure_of(summary: Summary, *, brackets: str = "95 % interval ") -> str:
    """A metric's figure with its interval; below our clock's error there is only that error to tell."""
    if summary.below(summary.typical):
        return f"{bare(summary)} (the error of our own clock)"
    return figure(summary.typical, METRICS[summary.metric].unit, brackets=brackets)


def bare(summary: Summary) -> str:
    """A metric's figure without its interval."""
    unit = METRICS[summary.metric].unit
    if summary.below(summary.typical):
        return f"less than {words(summary.error, unit)}"
    return words(summary.typical.value, unit)


def capital(sentence: str) -> str:
    """A sentence that begins with a word of ours, not with a model's name."""
    return sentence[:1].upper() + sentence[1:]
