"""A metric by cell where no axis of numbers varies: one row a cell, 95 % intervals as error bars."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from olbench.findings import CellFinding, Findings, Summary
from olbench.metrics import METRICS
from olbench.report.bundles import bundles
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Panel
from olbench.report.charts.frame import Frame, frame, mark, marked_keys, ring, told, value_axis
from olbench.report.charts.lines import NOTE, SHOWN
from olbench.report.charts.rows import MOST_ROWS, left_out, rows
from olbench.report.palette import tint
from olbench.report.reasons import reasons

_WIDTH, _ROW = 420, 28
_VISITS = 0.3  # of a row: so far below the mark of a cell lie those of its visits


def charts(findings: Findings, key: str) -> tuple[Chart, ...]:
    """One chart with a panel a metric; none when not one cell has a value."""
    cells = findings.cells[:MOST_ROWS]
    frames = [frame(name, findings.cells) for name in SHOWN]
    panels = [_panel(one, cells, f"{key}-{place}") for place, one in enumerate(frames) if one is not None]
    if not panels:
        return ()
    missing = [name for name, one in zip(SHOWN, frames, strict=True) if one is None]
    words = [
        f"{NOTE} Dots below a mark: the middle values of single visits.",
        *(f"No chart of {METRICS[name].name}: {reasons(name, findings.cells)}." for name in missing),
    ]
    note = " ".join((*words, *left_out(findings.cells)))
    return (Chart("By cell", note, marked_keys(cells), tuple(panels), least=340),)


def _panel(one: Frame, cells: Sequence[CellFinding], key: str) -> Panel:
    height = 26 + 34 + _ROW * len(cells)
    figure = canvas.sheet(_WIDTH, height)
    ax = rows(figure, [found.label for found in cells], top=10, bottom=46, most=190)
    value_axis(ax, one, "x")
    ax.set_xlabel(one.unit)
    looks = {
        curve_cell.cell.id: (tint(curve.tint), curve.marker)
        for bundle in bundles(cells)
        for curve in bundle.curves
        for curve_cell in curve.cells
    }
    for row, found in enumerate(cells):
        _visits(ax, one, found.summaries[one.metric.key], row, looks[found.cell.id][0])
        mark(ax, one, found.summaries[one.metric.key].typical, row, look=looks[found.cell.id], side="x")
    values = [f"{found.label}: {told(one, found.summaries[one.metric.key].typical)}" for found in cells]
    title = f"{one.metric.name} by cell"
    return Panel(one.metric.name, canvas.finish(figure, key, title, "; ".join(values) + "."))


def _visits(ax: Axes, one: Frame, summary: Summary, row: int, colour: str) -> None:
    """The visits of a cell as small dots below its mark, hollow where they are marked."""
    hollow = [value for _, value in summary.marked]
    sound = [] if len(summary.per_visit) < 2 else [one.scale(value) for value in summary.per_visit]
    if any(value not in hollow for value in summary.per_visit):
        ax.plot(sound, [row + _VISITS] * len(sound), ls="", marker="o", ms=2.6, mew=0, color=colour)
    for value in hollow:
        ring(ax, one, value, row + _VISITS, colour=colour, side="x")
