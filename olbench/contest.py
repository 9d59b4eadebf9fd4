"""The cells that an answer compares with each other: equal in all but who they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.findings import CellFinding, Estimate
from olbench.labels import WHO, AxisValue, cell_name, said, value
from olbench.metrics import METRICS
from olbench.prose import figure

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
    unmeasured: tuple[CellFinding, ...]

    def name(self, one: CellFinding) -> str:
        """A cell's name beside the best one's: the quantization alone where the model is the same."""
        best = self.ranking[0].cell
        if "quantization" in self.axes and one.cell.base == best.base and one.cell != best:
            return said("quantization", one.cell.quantization)
        return cell_name(one.cell, self.axes)

    def has(self, one: CellFinding) -> Estimate:
        """A cell's figure."""
        return one.summaries[self.key].typical


def contest(cells: Sequence[CellFinding], axes: tuple[str, ...]) -> Contest | None:
    """The point where most can be compared; of several the one with the fewest streams. None: nothing was measured."""
    key = next((key for key in HEADLINES if any(has(one, key) for one in cells)), None)
    if key is None:
        return None
    points: dict[tuple[AxisValue, ...], list[CellFinding]] = {}
    for one in cells:
        points.setdefault(point(one, axes), []).append(one)
    there = max(
        points.values(), key=lambda many: (sum(has(one, key) for one in many), -many[0].cell.concurrency)
    )
    sign = -1 if METRICS[key].better == "higher" else 1
    measured = [one for one in there if has(one, key)]
    measured.sort(key=lambda one: sign * (one.summaries[key].typical.value or 0.0))
    return Contest(axes, key, tuple(measured), tuple(one for one in there if not has(one, key)))


def point(one: CellFinding, axes: Sequence[str], *, but: str = "") -> tuple[AxisValue, ...]:
    """Where a cell stands on the axes that do not say who it is."""
    return tuple(value(one.cell, axis) for axis in axes if axis not in WHO and axis != but)


def has(one: CellFinding, key: str) -> bool:
    """Whether a cell has a figure."""
    return one.summaries[key].typical.value is not None


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether two figures may be called different: their intervals do not overlap."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or other.low > one.high


def noun(key: str) -> str:
    """A metric's name in the middle of a sentence."""
    name = METRICS[key].name
    return name[0].lower() + name[1:]


def streams(count: AxisValue) -> str:
    """A concurrency in words: "one stream", "4 streams"."""
    return "one stream" if count == 1 else f"{count} streams"


def figure_of(estimate: Estimate, key: str, *, brackets: str = "95 % interval ") -> str:
    """A figure with its interval in the metric's unit."""
    return figure(estimate, METRICS[key].unit, brackets=brackets)


def capital(sentence: str) -> str:
    """A sentence that begins with a word of ours, not with a model's name."""
    return sentence[:1].upper() + sentence[1:]
