"""The second sentence of an answer: what a step along the other axes changes, or what the best cell takes."""

from collections.abc import Mapping, Sequence

from olbench.contest import Contest, apart, figure_of, has, noun, point, streams
from olbench.findings import CellFinding, Estimate
from olbench.labels import WHO, AxisValue, phrase, value
from olbench.metrics import METRICS
from olbench.prose import distinct, listed
from olbench.units import words

# Of each group the first metric that both cells have is told.
EFFECTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "concurrency": (("throughput", "requests_per_s"), ("ttft", "e2e")),
    "num_ctx": (("gpu_peak", "ram_peak", "model_size"), ("decode", "e2e")),
    "prompt_tokens": (("ttft", "e2e"), ("decode",)),
    "output_tokens": (("e2e",), ("decode",)),
    "cache": (("ttft", "e2e"),),
}
ANY_EFFECT = (("decode", "e2e"), ("ttft",))
AXES_AT_MOST = 2
COSTS: tuple[Mapping[str, str], ...] = (
    {"ttft": "the first token comes after"},
    {"load": "loading takes", "preload": "loading takes"},
    {"gpu_peak": "GPU memory peaks at", "ram_peak": "the server's RAM peaks at"},
)


def effects(found: Contest, cells: Sequence[CellFinding]) -> str:
    """What a step along the other axes does to the best cell; "" when none was swept or none can be told."""
    best = found.ranking[0]
    order = sorted((axis for axis in found.axes if axis not in WHO), key=_importance)
    steps = [
        _step(best, other, axis)
        for axis in order
        if (other := _farthest(best, axis, found.axes, cells)) is not None
    ]
    told = [(text, reason) for text, reason in steps if text][:AXES_AT_MOST]
    if not told:
        return ""
    reasons = distinct(reason for _, reason in told if reason)
    whose = f"for {found.name(best)}, " if any(axis in WHO for axis in found.axes) else ""
    end = f" (no interval: {reasons[0]})" if reasons else ""
    return f"{whose}{'; '.join(text for text, _ in told)}{end}."


def _importance(axis: str) -> tuple[int, str]:
    known = list(EFFECTS)
    return known.index(axis) if axis in known else len(known), axis


def _farthest(
    best: CellFinding, axis: str, axes: Sequence[str], cells: Sequence[CellFinding]
) -> CellFinding | None:
    """The cell that differs from the best one in this axis alone, and there the most."""
    here = value(best.cell, axis)
    others = [
        one
        for one in cells
        if (one.cell.base, one.cell.quantization) == (best.cell.base, best.cell.quantization)
        and point(one, axes, but=axis) == point(best, axes, but=axis)
        and value(one.cell, axis) != here
        and has(one, "e2e")
    ]
    return max(others, key=lambda one: _distance(here, value(one.cell, axis)), default=None)


def _distance(here: AxisValue, there: AxisValue) -> float:
    if isinstance(here, int | float) and isinstance(there, int | float):
        return float(abs(there - here))
    return 0.0


def _step(best: CellFinding, other: CellFinding, axis: str) -> tuple[str, str]:
    """("with 4 streams instead of one, ...", why there is no interval); ("", "") when nothing can be told."""
    keys = [
        next((key for key in group if _tells(best, key) and _tells(other, key)), None)
        for group in EFFECTS.get(axis, ANY_EFFECT)
    ]
    changes = [_change(best.summaries[key].typical, other.summaries[key].typical, key) for key in keys if key]
    if not changes:
        return "", ""
    instead = _instead(axis, value(other.cell, axis), value(best.cell, axis))
    reasons = [reason for _, reason in changes if reason]
    return f"with {instead}, {listed([text for text, _ in changes])}", reasons[0] if reasons else ""


def _tells(one: CellFinding, key: str) -> bool:
    """Whether there is a figure that says something: no GPU memory at all is not worth a word."""
    return bool(one.summaries[key].typical.value)


def _instead(axis: str, new: AxisValue, old: AxisValue) -> str:
    if axis == "concurrency":
        return f"{streams(new)} instead of {'one' if old == 1 else old}"
    return f"{phrase(axis, new)} instead of {phrase(axis, old)}"


def _change(old: Estimate, new: Estimate, key: str) -> tuple[str, str]:
    before, after = words(old.value, METRICS[key].unit), words(new.value, METRICS[key].unit)
    if old.low is None or new.low is None:
        return f"{noun(key)} reads {after} after {before}", old.reason or new.reason
    if not apart(old, new):
        both = f"{before} in both" if before == after else f"{before} and {after}"
        return f"{noun(key)} does not differ beyond its error ({both})", ""
    if before == after:
        return f"{noun(key)} stays at {before}", ""
    verb = "rises" if (new.value or 0.0) > (old.value or 0.0) else "falls"
    return f"{noun(key)} {verb} from {before} to {after}", ""


def costs(found: Contest) -> str:
    """What the best cell takes beside what the first sentence says of it; "" when nothing is known."""
    best = found.ranking[0]
    alone = len(found.ranking) == 1
    parts = [
        f"{says} {figure_of(best.summaries[key].typical, key, brackets='')}"
        for key, says in _costing(best)
        if not (key == "ttft" and (alone or found.key == "ttft"))
    ]
    whose = "" if alone else f"for {found.name(best)}, "
    return f"{whose}{listed(parts)}." if parts else ""


def _costing(best: CellFinding) -> list[tuple[str, str]]:
    firsts = (next(((key, says) for key, says in one.items() if _tells(best, key)), None) for one in COSTS)
    return [first for first in firsts if first is not None]
