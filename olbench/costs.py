"""The second sentence of an answer: what a step along the other axes changes, or what the best cell takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.contest import Contest, apart, bare, blurred, figure_of, has, noun, point, streams
from olbench.findings import CellFinding, Summary
from olbench.labels import HOW, WHO, AxisValue, phrase, value
from olbench.metrics import METRICS
from olbench.prose import distinct, listed, ranged

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


@dataclass(frozen=True, slots=True)
class Step:
    """One step along an axis: what changes, and what may or may not."""

    instead: str  # "4 streams instead of one"
    known: tuple[str, ...]  # "peak RAM of the server rises from 286 MiB to 332 MiB"
    open: tuple[str, ...]  # "decode rate (84.1 and 82.8 tok/s)"
    reasons: tuple[str, ...]  # why there is no interval


def effects(found: Contest, cells: Sequence[CellFinding]) -> str:
    """What a step along the other axes does to the best cell; "" when none was swept or none can be told."""
    best = found.ranking[0]
    order = sorted((axis for axis in found.axes if axis not in WHO), key=_importance)
    steps = [
        _step(best, other, axis)
        for axis in order
        if (other := _farthest(best, axis, found.axes, cells)) is not None
    ]
    told = [step for step in steps if step.known or step.open][:AXES_AT_MOST]
    if not told:
        return ""
    reasons = distinct(reason for step in told for reason in step.reasons)
    whose = f"for {found.name(best)}, " if any(axis in WHO for axis in found.axes) else ""
    end = f" (no interval: {reasons[0]})" if reasons else ""
    return f"{whose}{_sentence(told)}{end}."


def _sentence(steps: Sequence[Step]) -> str:
    """What is known first, then what cannot be told, in one clause."""
    # A step of which only a part is known stands last, so that the rest of it follows without a new opening.
    known = sorted((step for step in steps if step.known), key=lambda step: bool(step.open))
    text = "; ".join(f"with {step.instead}, {listed(step.known)}" for step in known)
    still = [step for step in (*known[::-1], *(step for step in steps if not step.known)) if step.open]
    if not still:
        return text
    first, *rest = still
    joint = f"{text}, while " if first.known else f"{text}; with {first.instead}, ".removeprefix("; ")
    more = [f" or, with {step.instead}, in {listed(step.open)}" for step in rest]
    return f"{joint}the intervals are too wide to tell a change in {listed(first.open)}{''.join(more)}"


def _importance(axis: str) -> tuple[int, str]:
    known = list(EFFECTS)
    return known.index(axis) if axis in known else len(known), axis


def _farthest(
    best: CellFinding, axis: str, axes: Sequence[str], cells: Sequence[CellFinding]
) -> CellFinding | None:
    """The cell that differs from the best one in this axis alone, and there the most."""
    here = value(best.cell, axis)
    if here is None and axis in HOW:  # from a load to streams is no step
        return None
    others = [
        one
        for one in cells
        if (one.cell.base, one.cell.quantization) == (best.cell.base, best.cell.quantization)
        and point(one, axes, but=axis) == point(best, axes, but=axis)
        and value(one.cell, axis) not in _unlike(axis, here)
        and has(one, "e2e")
    ]
    return max(others, key=lambda one: _distance(here, value(one.cell, axis)), default=None)


def _unlike(axis: str, here: AxisValue) -> tuple[AxisValue, ...]:
    """What is no step from here: the same, and streams against a load."""
    return (here, None) if axis in HOW else (here,)


def _distance(here: AxisValue, there: AxisValue) -> float:
    if isinstance(here, int | float) and isinstance(there, int | float):
        return float(abs(there - here))
    return 0.0


def _step(best: CellFinding, other: CellFinding, axis: str) -> Step:
    keys = [
        next((key for key in group if _tells(best, key) and _tells(other, key)), None)
        for group in EFFECTS.get(axis, ANY_EFFECT)
    ]
    pairs = [(best.summaries[key], other.summaries[key]) for key in keys if key]
    return Step(
        instead=_instead(axis, value(other.cell, axis), value(best.cell, axis)),
        known=tuple(_change(*pair) for pair in pairs if not _is_open(*pair)),
        open=tuple(_both(*pair) for pair in pairs if _is_open(*pair)),
        reasons=tuple(old.typical.reason or new.typical.reason for old, new in pairs if _lacking(old, new)),
    )


def _tells(one: CellFinding, key: str) -> bool:
    """Whether there is a figure that says something: no GPU memory at all is not worth a word."""
    return bool(one.summaries[key].typical.value)


def _instead(axis: str, new: AxisValue, old: AxisValue) -> str:
    if axis == "concurrency":
        return f"{streams(new)} instead of {'one' if old == 1 else old}"
    return f"{phrase(axis, new)} instead of {phrase(axis, old)}"


def _lacking(old: Summary, new: Summary) -> bool:
    return old.typical.low is None or new.typical.low is None


def _is_open(old: Summary, new: Summary) -> bool:
    return not (_lacking(old, new) or apart(old, new) or _same(old, new))


def _same(old: Summary, new: Summary) -> bool:
    """Two figures that read alike, with intervals too narrow to be shown."""
    narrow = all(
        one.below(one.typical) or ranged(one.typical, METRICS[one.metric].unit) is None for one in (old, new)
    )
    return narrow and bare(old) == bare(new)


def _both(old: Summary, new: Summary) -> str:
    before, after = bare(old), bare(new)
    number, _, unit = before.rpartition(" ")
    # "84.1 and 82.8 tok/s": the unit once, where it is the same.
    start = number if after.endswith(f" {unit}") else before
    alike = f"{before} in both" if before == after else f"{start} and {after}"
    return f"{noun(old.metric)} ({alike}{', closer than our clock can tell' if blurred(old, new) else ''})"


def _change(old: Summary, new: Summary) -> str:
    before, after, what = bare(old), bare(new), noun(old.metric)
    if _lacking(old, new):
        return f"{what} reads {after} after {before}"
    if before == after:
        return f"{what} stays at {before}"
    verb = "rises" if (new.typical.value or 0.0) > (old.typical.value or 0.0) else "falls"
    return f"{what} {verb} from {before} to {after}"


def prompts(found: Contest) -> str:
    """Which of the best cell's own prompts takes the longest; "" where there are not two."""
    best = found.ranking[0]
    own = [(name, one["e2e"]) for name, one in best.by_prompt.items()]
    known = (pair for pair in own if pair[1].typical.value is not None)
    timed = sorted(known, key=lambda pair: pair[1].typical.value or 0.0)
    if len(timed) < 2:
        return ""
    (quick, least), (slow, most) = timed[0], timed[-1]
    whose = "" if len(found.ranking) == 1 else f"for {found.name(best)}, "
    of = f"{whose}of {len(timed)} prompts, {slow} takes the longest, {figure_of(most, brackets='')}, and {quick} "
    if not apart(least, most):
        why = least.typical.reason or most.typical.reason or "the intervals overlap"
        return (
            f"{of}the least, {figure_of(least, brackets='')}, but whether they differ cannot be told ({why})."
        )
    return f"{of}the least, {figure_of(least, brackets='')}."


def costs(found: Contest) -> str:
    """What the best cell takes beside what the first sentence says of it; "" when nothing is known."""
    best = found.ranking[0]
    alone = len(found.ranking) == 1
    parts = [
        f"{says} {figure_of(best.summaries[key], brackets='')}"
        for key, says in _costing(best)
        if not (key == "ttft" and (alone or found.key == "ttft"))
    ]
    whose = "" if alone else f"for {found.name(best)}, "
    return f"{whose}{listed(parts)}." if parts else ""


def _costing(best: CellFinding) -> list[tuple[str, str]]:
    firsts = (next(((key, says) for key, says in one.items() if _tells(best, key)), None) for one in COSTS)
    return [first for first in firsts if first is not None]
