"""The service level against the load: what share of requests met each line, what had been predicted, and the goodput."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from olbench.findings import Estimate
from olbench.report.capacity_words import UNITS, amount, asked_of, load, percent, wish
from olbench.report.charts import canvas, plot
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.plot import Axis, Dot, Look, Sign
from olbench.report.palette import tint
from olbench.report.tables.capacity import latest, lines, percents
from olbench.report.wording import plain
from olbench.sized import Capacity, Kept, Sizing, Step
from olbench.slo import Term
from olbench.stats.knee import knee
from olbench.units import figures, words

# A verdict has a shape beside its colour.
LOOKS: Mapping[Kept, Look] = {
    "kept": Look("fine", "o"),
    "broken": Look("warn", "X"),
    "unclear": Look("ink", "D", hollow=True),
}
_NAMES: Mapping[Kept, str] = {"kept": "kept", "broken": "broken", "unclear": "cannot tell"}
_NOTE = (
    "Each mark is a load that was tried; bars are 95 % intervals. The dashed line is the share of requests that must meet "
    "the line. The shade begins at the smallest load that was shown to be too much."
)
_WIDE_RANGE = 8  # from here on a linear axis crowds the small loads
_FARTHEST = 2.5  # a target lies on the axis as long as it is not so many times the greatest load


@dataclass(frozen=True, slots=True)
class _Seen:
    """What all panels of a capacity share."""

    found: Capacity
    steps: tuple[Step, ...]  # those that count
    across: Axis
    target: float | None


def charts(sizing: Sizing, key: str) -> tuple[Chart, ...]:
    """One chart a capacity that has any load with something to draw."""
    with canvas.drawing():
        made = (_chart(one, sizing, f"{key}-{place}") for place, one in enumerate(sizing.capacities))
        return tuple(chart for chart in made if chart is not None)


def across(found: Capacity, target: float | None) -> Axis:
    """The axis of loads: those that were tried or predicted, and the target where it is not far off."""
    told = () if found.predicted is None else found.predicted.forecasts
    loads = [*(step.load for step in found.steps), *(one.load for one in told)]
    most = max(loads, default=1.0)
    if target is not None and found.by == "users" and target <= most * _FARTHEST:
        loads.append(target)
    least, most = min(loads, default=0.0), max(loads, default=1.0)
    name, whole = UNITS[found.by][1], found.by != "rate"
    if least > 0 and most / least >= _WIDE_RANGE:
        return Axis(least / 1.15, most * 1.15, name, log=True)
    low, high = plot.stretch(loads)
    return Axis(max(low, 0.0), high, name, whole=whole)


def _chart(found: Capacity, sizing: Sizing, key: str) -> Chart | None:
    steps = tuple(step for step in latest(found) if not step.service.invalid)
    if not steps and (found.predicted is None or not found.predicted.forecasts):
        return None
    target = sizing.target if found.by == "users" else None
    seen = _Seen(found, steps, across(found, sizing.target), target)
    terms = [term for term in lines(found, sizing.terms) if _drawable(seen, term)]
    panels = [_panel(seen, term, f"{key}-{place}") for place, term in enumerate(terms)]
    if any(step.service.goodput.value is not None for step in steps):
        panels.append(_goodput(seen, f"{key}-good"))
    title = plain(found.label) if len(sizing.capacities) > 1 else ""
    return (
        Chart(title, _noted(seen, first=found is sizing.capacities[0]), _keys(seen), tuple(panels), least=340)
        if panels
        else None
    )


def _drawable(seen: _Seen, term: Term) -> bool:
    return bool(_measured(seen, term) or _predicted(seen, term))


def _noted(seen: _Seen, *, first: bool) -> str:
    parts = [_NOTE] * first
    if seen.target is not None and seen.target > seen.across.high:
        parts.append(f"The {load(seen.target, 'users')} that there are to be lie beyond the drawing.")
    void = sum(bool(step.service.invalid) for step in latest(seen.found))
    if void:
        parts.append("Loads that do not count are not drawn.")
    return " ".join(parts)


def _keys(seen: _Seen) -> tuple[Key, ...]:
    verdicts = {held.verdict for step in seen.steps for held in step.service.terms}
    made = [Key(f"measured: {_NAMES[one]}", look.tint, look.marker, look.hollow)
            for one, look in LOOKS.items() if one in verdicts]  # fmt: skip
    told = seen.found.predicted is not None and bool(seen.found.predicted.forecasts)
    return (*made, *([Key("predicted before, with its 95 % band", "s1", None)] if told else []))


def _measured(seen: _Seen, term: Term) -> list[tuple[float, Estimate, Kept]]:
    return [
        (step.load, held.share, held.verdict)
        for step in seen.steps
        for held in step.service.terms
        if held.term.key == term.key and held.share.value is not None
    ]


def _predicted(seen: _Seen, term: Term) -> list[Dot]:
    told = () if seen.found.predicted is None else seen.found.predicted.forecasts
    shares = [(one.load, one.shares[term.key]) for one in told if term.key in one.shares]
    return [found for at, share in sorted(shares, key=lambda one: one[0]) if (found := _dot(at, share))]


def _dot(at: float, share: Estimate, factor: float = 100.0) -> Dot | None:
    if share.value is None:
        return None
    low, high = (None if end is None else end * factor for end in (share.low, share.high))
    return Dot(at, share.value * factor, low, high)


def _panel(seen: _Seen, term: Term, key: str) -> Panel:
    measured, told = _measured(seen, term), _predicted(seen, term)
    values = [100 * share.value for _, share, _ in measured if share.value is not None]
    lowest = min([*values, *(one.value for one in told), 100 * term.share])
    floor = max(0.0, math.floor((lowest - 4) / 10) * 10)
    figure, ax = plot.panel(
        seen.across, Axis(floor, 100 + (100 - floor) * 0.03, ""), "% of requests", named=True
    )
    _marks(ax, seen)
    if told:
        plot.band(ax, told, "s1", line=plot.DOTTED if len(told) > 1 else "-", width=1.8)
    plot.level(ax, 100 * term.share, percent(term.share))
    for verdict, look in LOOKS.items():
        found = [_dot(at, share) for at, share, held in measured if held == verdict]
        plot.dots(ax, [one for one in found if one is not None], look)
    title = f"{wish(term)}: share of requests against the load"
    said = canvas.finish(figure, key, title, _told(seen, term, measured))
    return Panel(f"{wish(term)}, for {asked_of(term)}", said)


def _marks(ax: Axes, seen: _Seen, *further: Sign) -> None:
    """The answer, the target, and from where on loads were too much."""
    found = seen.found
    if found.over is not None and found.over <= seen.across.high:
        ax.axvspan(found.over, seen.across.high, facecolor=tint("band"), edgecolor="none", zorder=0)
    named = list(further)
    if found.answer is not None:
        named.append(Sign(found.answer, f"answer: {amount(found.answer)}", "accent"))
    if seen.target is not None:
        named.append(Sign(seen.target, f"wanted: {amount(seen.target)}", "ink", plot.DASHED))
    plot.signs(ax, named)


def _told(seen: _Seen, term: Term, measured: Sequence[tuple[float, Estimate, Kept]]) -> str:
    """What the panel shows, for those who cannot see it."""
    points = "; ".join(
        f"{load(at, seen.found.by)}: {percents(share)}, {_NAMES[held]}" for at, share, held in measured
    )
    return f"{percent(term.share)} of requests must. {points or 'No load was measured'}."  # fmt: skip


def _goodput(seen: _Seen, key: str) -> Panel:
    known = [(step.load, step.service) for step in seen.steps if step.service.goodput.value is not None]
    offered = [(at, one.offered) for at, one in known if one.offered is not None]
    values = [one.goodput.value for _, one in known if one.goodput.value is not None]
    factor, unit = (60.0, "requests/min") if max(values, default=1.0) < 2 else (1.0, "requests/s")
    made = [dot for at, one in known if (dot := _dot(at, one.goodput, factor)) is not None]
    high = plot.stretch([*(one.value for one in made), *(rate * factor for _, rate in offered)], floor=0.0)[1]
    figure, ax = plot.panel(seen.across, Axis(0.0, high, ""), unit, named=True)
    bend = knee([one.at for one in made], [one.value for one in made])
    _marks(ax, seen, *([] if bend is None else [Sign(bend, f"knee: {figures(bend, 2)}", "s3", plot.DASHED)]))
    if offered:
        ax.plot([at for at, _ in offered], [rate * factor for _, rate in offered], color=tint("muted"), lw=1.4, ls=plot.DASHED)  # fmt: skip
    ax.plot([one.at for one in made], [one.value for one in made], color=tint("s3"), lw=1.6)
    plot.dots(ax, made, Look("s3", "s"))
    said = "; ".join(f"{load(at, seen.found.by)}: {words(one.goodput.value, '1/s')}"
                     + ("" if one.offered is None else f" of {words(one.offered, '1/s')} asked") for at, one in known)  # fmt: skip
    caption = "Requests that met every line; dashed: all that came"
    return Panel(caption, canvas.finish(figure, key, "Goodput against the load", f"{said}."))
