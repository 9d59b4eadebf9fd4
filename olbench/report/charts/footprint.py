"""Memory against the context: what loads were seen to take, the line through them, the formula, and what there is."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from olbench import footprint, kv
from olbench.prose import counted
from olbench.report.charts import canvas, plot
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.plot import Axis, Dot, Look, Sign
from olbench.report.palette import tint
from olbench.report.tables.sizing import base
from olbench.report.wording import Scale, plain, scale
from olbench.sized import Footprint, Held, Sizing
from olbench.units import words

_LOOKS = (
    Look("s1", "o"),
    Look("s2", "s"),
    Look("s3", "^"),
    Look("s4", "D"),
    Look("s5", "v"),
    Look("s6", "P"),
)
_FARTHEST = 2.5  # what there is lies on the axis as long as it is not so many times all that was seen
_STEPS = 12  # of a line
_BEYOND = (
    8  # what fits lies on the axis as long as it is not so many times the largest context that was loaded
)
_NOTE = (
    "RAM and GPU memory together. Filled marks were measured, hollow ones are predicted; bars and bands are 95 % "
    "intervals. Solid lines are learned from what was measured, dotted ones are weights, overhead and the formula's bytes "
    "of each token of context and slot."
)


def charts(sizing: Sizing, key: str) -> tuple[Chart, ...]:
    """One chart with a panel a model that has anything to draw."""
    shown = [one for one in sizing.footprints if drawable(one)]
    if not shown:
        return ()
    slots = sorted({count for one in shown for count in _slots(one)})
    looks = {count: _LOOKS[place % len(_LOOKS)] for place, count in enumerate(slots)}
    with canvas.drawing():
        panels = tuple(_panel(one, looks, f"{key}-{place}") for place, one in enumerate(shown))
    formula = any(one.formula is not None and base(one) is not None for one in shown)
    keys = (
        *(Key(counted(count, "slot"), look.tint, look.marker) for count, look in looks.items()),
        *([Key("by the formula (dotted)", "muted", None)] if formula else []),
    )
    return (Chart("", _NOTE, keys, panels, least=340),)


def drawable(one: Footprint) -> bool:
    """Whether there is a load with its memory."""
    return any(footprint.whole(load).value is not None for load in one.loads)


def _slots(one: Footprint) -> set[int]:
    """Slots that have a line: those that were loaded, and those by which the limit shows."""
    return {load.slots for load in one.loads} | set(one.most)


def _reach(one: Footprint) -> float:
    """The largest context on the axis."""
    loads = [load.num_ctx for load in one.loads]
    fitting = [ctx for ctx in one.most.values() if ctx and (not loads or ctx <= max(loads) * _BEYOND)]
    return float(max((*loads, *fitting), default=one.trained or 8192))


def _panel(one: Footprint, looks: dict[int, Look], key: str) -> Panel:
    reach = _reach(one)
    lines = {count: _along(one, reach, count) for count in sorted(_slots(one))}
    sizes = [seen for load in one.loads if (seen := footprint.whole(load).value) is not None]
    sizes += [dot.value for made in lines.values() for dot in made]
    if one.budget is not None and one.budget <= max(sizes) * _FARTHEST:
        sizes.append(float(one.budget))
    shown = scale([max(sizes)], "B")
    up = Axis(*plot.stretch([shown(size) for size in sizes], floor=0.0, room=0.1), "")
    figure, ax = plot.panel(
        Axis(0.0, reach * 1.06, "num_ctx, tokens of context of one slot", whole=True), up, shown.unit
    )
    for count, made in lines.items():
        _draw(ax, made, looks[count], shown)
        _told_by_formula(ax, one, count, shown)
    for load in one.loads:
        _mark(ax, load, looks[load.slots], shown)
    if one.budget is not None:
        plot.level(ax, shown(one.budget), "limit")
    plot.signs(ax, _fits(one, looks))
    limit = "" if one.budget is None else f" (limit: {words(one.budget, 'B')})"
    return Panel(
        f"{plain(one.label)}{limit}",
        canvas.finish(figure, key, f"Memory of {plain(one.label)} against num_ctx", _told(one)),
    )


def _along(one: Footprint, reach: float, slots: int) -> list[Dot]:
    """The line for so many slots, with what single loads would take."""
    places = sorted({_whole(reach * place / _STEPS) for place in range(_STEPS + 1)})
    told = [(at, footprint.whole(footprint.at(one, at, slots, beyond=True))) for at in places]
    return [Dot(float(at), seen.value, seen.low, seen.high) for at, seen in told if seen.value is not None]


def _whole(num_ctx: float) -> int:
    """A context as servers round it: between them lines would have steps."""
    return kv.cells(max(0, round(num_ctx)), 1)


def _draw(ax: Axes, made: Sequence[Dot], look: Look, shown: Scale) -> None:
    """What was learned, as a line with its band."""
    ends = [[None if end is None else shown(end) for end in (dot.low, dot.high)] for dot in made]
    plot.band(
        ax, [Dot(dot.at, shown(dot.value), *two) for dot, two in zip(made, ends, strict=True)], look.tint
    )


def _told_by_formula(ax: Axes, one: Footprint, slots: int, shown: Scale) -> None:
    start, reach = base(one), _reach(one)
    if start is not None and one.formula is not None:
        told = [shown(start + one.formula * kv.cells(round(at), slots)) for at in (0.0, reach)]
        ax.plot([0.0, reach], told, color=tint("muted"), lw=1.6, ls=plot.DOTTED, zorder=1.6)


def _mark(ax: Axes, load: Held, look: Look, shown: Scale) -> None:
    seen = footprint.whole(load)
    if seen.value is not None:
        ends = (None if end is None else shown(end) for end in (seen.low, seen.high))
        dot = Dot(float(load.num_ctx), shown(seen.value), *ends)
        plot.dots(ax, [dot], Look(look.tint, look.marker, hollow=load.predicted))


def _fits(one: Footprint, looks: dict[int, Look]) -> list[Sign]:
    """The largest context that fits, for the slots; those with the same one share a line."""
    made: dict[int, list[int]] = {}
    for count, ctx in sorted(one.most.items()):
        if ctx:
            made.setdefault(ctx, []).append(count)
    return [
        Sign(float(ctx), f"fits: {ctx:,}{f' ×{counts[-1]}' if len(one.most) > 1 else ''}", looks[counts[-1]].tint, plot.DASHED)
        for ctx, counts in made.items()
    ]  # fmt: skip


def _told(one: Footprint) -> str:
    """What the panel shows, for those who cannot see it."""
    loads = [
        f"{load.num_ctx:,} × {counted(load.slots, 'slot')}: {words(footprint.whole(load).value, 'B')}{' (predicted)' * load.predicted}"
        for load in one.loads
    ]
    most = [
        f"{counted(slots, 'slot')}: {'none fits' if ctx is None else f'{ctx:,}'}"
        for slots, ctx in one.most.items()
    ]
    there = "" if one.budget is None else f" There is {words(one.budget, 'B')}."
    largest = f" Largest num_ctx that fits, {'; '.join(most)}." if most else ""
    return f"{'; '.join(loads) or 'No load'}.{there}{largest}"
