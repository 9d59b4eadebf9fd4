"""A metric against an axis of numbers: one curve a model and quantization, 95 % intervals as error bars."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from olbench.findings import CellFinding, Estimate, Findings
from olbench.metrics import METRICS
from olbench.model import Cell
from olbench.report.bundles import Bundle, Curve, bundles, number_at, others, placed, steps
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.frame import Frame, frame, mark, marked_keys, ring, told, value_axis
from olbench.report.charts.queue import queue
from olbench.report.palette import tint
from olbench.report.reasons import reasons

SHOWN = ("ttft", "decode", "throughput")
MOST_FACETS = 6  # of a chart
MOST_PANELS = 48  # of all charts, as far as each can have one facet
NOTE = "Bars are 95 % intervals; a large hollow mark has none; a caret says that the interval goes on."
_SIZE = (420, 270)
_MARGIN = {"left": 52.0, "top": 26.0, "right": 14.0, "bottom": 42.0}

Points = list[tuple[float, Estimate]]
Shown = TypeVar("Shown", Estimate, float)


@dataclass(frozen=True, slots=True)
class Facet:
    """What all cells of a panel have in common: their positions, in words, on the axes that it does not show."""

    axes: tuple[str, ...]
    words: tuple[str, ...]

    def holds(self, cell: Cell) -> bool:
        """True when the cell belongs into the panel."""
        return placed(cell, self.axes) == self.words


def charts(findings: Findings, key: str) -> tuple[Chart, ...]:
    """For each axis of numbers that varies, one chart a bundle. `key` opens the ids of its drawings."""
    pairs = [(axis, bundle) for axis in numeric(findings) for bundle in bundles(findings.cells)]
    most = _most_facets(len(pairs))
    made = (
        _chart(findings, axis, bundle, most, f"{key}{place}") for place, (axis, bundle) in enumerate(pairs)
    )
    return tuple(chart for chart in made if chart.panels)


def _most_facets(charts_: int) -> int:
    return min(MOST_FACETS, max(1, MOST_PANELS // (len(SHOWN) * max(1, charts_))))


def numeric(findings: Findings) -> tuple[str, ...]:
    """The axes of numbers that vary in the run."""
    return tuple(axis for axis in others(findings.axes) if steps(findings.cells, axis))


def _chart(findings: Findings, axis: str, bundle: Bundle, most: int, key: str) -> Chart:
    frames = [frame(name, findings.cells) for name in SHOWN]
    facets = _facets(findings, axis)
    panels = [
        _panel(one, axis, bundle, facet, f"{key}-{row}-{column}")
        for row, facet in enumerate(facets[:most])
        for column, one in enumerate(frames)
        if one is not None and _measured(one.metric.key, bundle, facet)
    ]
    return Chart(
        title=f"Against {axis}" + (f": {bundle.title}" if bundle.title else ""),
        note=_note(findings.cells, frames, len(facets) - most),
        keys=(
            *(Key(curve.name, curve.tint, curve.marker) for curve in bundle.curves),
            *marked_keys(found for curve in bundle.curves for found in curve.cells),
        ),
        panels=tuple(panels),
        least=340,
    )


def _note(cells: Sequence[CellFinding], frames: Sequence[Frame | None], rest: int) -> str:
    missing = [name for name, one in zip(SHOWN, frames, strict=True) if one is None]
    words = [NOTE, *(f"No chart of {METRICS[name].name}: {reasons(name, cells)}." for name in missing)]
    if rest > 0:
        words.append(f"{rest} more combinations stand in the table only.")
    return " ".join(words)


def _facets(findings: Findings, axis: str) -> tuple[Facet, ...]:
    """The distinct positions on all other axes, in the plan's order."""
    rest = tuple(other for other in others(findings.axes) if other != axis)
    found = dict.fromkeys(placed(found.cell, rest) for found in findings.cells)
    return tuple(Facet(rest, words) for words in found)


def _measured(name: str, bundle: Bundle, facet: Facet) -> bool:
    cells = [found for curve in bundle.curves for found in curve.cells if facet.holds(found.cell)]
    return any(found.summaries[name].typical.value is not None for found in cells)


def _panel(one: Frame, axis: str, bundle: Bundle, facet: Facet, key: str) -> Panel:
    figure = canvas.sheet(*_SIZE)
    ax = canvas.axes(figure, **_MARGIN)
    curves = [(curve, _points(curve, axis, facet, one)) for curve in bundle.curves]
    value_axis(ax, one, "y")
    _step_axis(ax, axis, sorted({at for _, points in curves for at, _ in points}))
    canvas.corner(figure, one.unit)
    if axis == "concurrency":
        queue(ax, [found for curve in bundle.curves for found in curve.cells if facet.holds(found.cell)])
    for place, (curve, points) in enumerate(curves):
        aside = (place - (len(curves) - 1) / 2) * min(7.0, 34 / len(curves))
        _draw(ax, one, curve, _dodged(ax, points, aside))
        for at, value in _dodged(ax, _marked(curve, axis, facet, one), aside):
            ring(ax, one, value, at, colour=tint(curve.tint), side="y")
    caption = ", ".join((one.metric.name, *facet.words))
    title = f"{one.metric.name} against {axis}"
    return Panel(caption, canvas.finish(figure, key, title, f"{caption}. {_described(one, axis, curves)}"))


def _points(curve: Curve, axis: str, facet: Facet, one: Frame) -> Points:
    found = [
        (number_at(cell.cell, axis), cell.summaries[one.metric.key].typical)
        for cell in curve.cells
        if facet.holds(cell.cell)
    ]
    return sorted((point for point in found if point[1].value is not None), key=lambda point: point[0])


def _marked(curve: Curve, axis: str, facet: Facet, one: Frame) -> list[tuple[float, float]]:
    """The marked visits of the curve's cells."""
    return [
        (number_at(cell.cell, axis), value)
        for cell in curve.cells
        if facet.holds(cell.cell)
        for _, value in cell.summaries[one.metric.key].marked
    ]


def _step_axis(ax: Axes, name: str, places: Sequence[float]) -> None:
    """An axis that is logarithmic to the base 2 where the steps are, with a tick at each step."""
    if places[0] > 0 and all(after / before >= 1.5 for before, after in pairwise(places)):
        pad = max((places[-1] / places[0]) ** 0.08, 1.1)
        ax.set_xscale("log", base=2)
        ax.set_xlim(places[0] / pad, places[-1] * pad)
    else:
        room = (places[-1] - places[0]) * 0.08
        ax.set_xlim(places[0] - room, places[-1] + room)
    # Labels that would touch are left out evenly.
    room = _SIZE[0] - _MARGIN["left"] - _MARGIN["right"]
    every = math.ceil(sum(canvas.text_width(f"{place:g}") + 8 for place in places) / room)
    ax.xaxis.set_major_locator(FixedLocator(list(places[::every])))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _step(value)))
    ax.set_xlabel(name)


def _step(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:g}"


def _dodged(ax: Axes, points: Sequence[tuple[float, Shown]], pixels: float) -> list[tuple[float, Shown]]:
    """The points moved sideways, so that the intervals of several curves at one step lie side by side."""
    there, back = ax.transData, ax.transData.inverted()
    moved = (float(back.transform((there.transform((at, 1.0))[0] + pixels, 1.0))[0]) for at, _ in points)
    return [(at, shown) for at, (_, shown) in zip(moved, points, strict=True)]


def _draw(ax: Axes, one: Frame, curve: Curve, points: Points) -> None:
    colour = tint(curve.tint)
    values = [one.scale(estimate.value) for _, estimate in points if estimate.value is not None]
    ax.plot([at for at, _ in points], values, color=colour, lw=1.6)
    for at, estimate in points:
        mark(ax, one, estimate, at, look=(colour, curve.marker), side="y")


def _described(one: Frame, axis: str, curves: Sequence[tuple[Curve, Points]]) -> str:
    """What the panel shows, for those who cannot see it: both ends of each curve."""
    words = []
    for curve, points in curves:
        ends = points[:1] + points[1:][-1:]
        parts = [f"{told(one, estimate)} at {axis} {_step(at)}" for at, estimate in ends]
        words.append(f"{curve.name}: {', '.join(parts) or 'not measured'}")
    return "; ".join(words) + "."
