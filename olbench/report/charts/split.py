"""Where the time of a request went: stacked rows, one a cell."""

from collections import Counter
from collections.abc import Sequence

from olbench.findings import CellFinding, Findings, Split, Value
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.rows import MOST_ROWS, left_out, rows
from olbench.report.palette import tint
from olbench.report.wording import Scale, number, scale

_PARTS = (("queue", "s5"), ("load", "s4"), ("prefill", "s1"), ("decode", "s2"), ("network", "s8"))
_ROW = 24
_NOTE = (
    "Mean seconds of the good requests of a cell. Queue is what the server's own durations leave: waiting for a slot, or "
    "for another request's share of a batch."
)


def charts(findings: Findings, key: str) -> tuple[Chart, ...]:
    """One wide chart; none when no part of any request is known."""
    cells = [found for found in findings.cells if _known(found.split)][:MOST_ROWS]
    if not cells:
        return ()
    panel = _panel(cells, key)
    keys = tuple(Key(name, colour, None) for name, colour in _PARTS if any(_part(one, name) for one in cells))
    note = (_NOTE, *_unknown(cells), *left_out(findings.cells))
    return (Chart("", " ".join(note), keys, (panel,), least=canvas.WIDE),)


def _value(found: CellFinding, name: str) -> Value:
    value: Value = getattr(found.split, name)
    return value


def _part(found: CellFinding, name: str) -> float:
    # A part below zero is the difference of two clocks; it has no length to draw, and the table shows it.
    return max(0.0, _value(found, name).number or 0.0)


def _known(split: Split) -> bool:
    return any(getattr(split, name).number is not None for name, _ in _PARTS)


def _total(found: CellFinding) -> float:
    return sum(_part(found, name) for name, _ in _PARTS)


def _unknown(cells: Sequence[CellFinding]) -> list[str]:
    found = Counter(
        (name, _value(one, name).reason)
        for one in cells
        for name, _ in _PARTS
        if _value(one, name).number is None
    )
    return [f"{name}: unknown in {count} cells ({reason})." for (name, reason), count in found.items()]


def _panel(cells: Sequence[CellFinding], key: str) -> Panel:
    figure = canvas.sheet(canvas.WIDE, 10 + 46 + _ROW * len(cells))
    ax = rows(figure, [found.label for found in cells], top=10, bottom=46, most=340)
    totals = [_total(found) for found in cells]
    one = scale(totals, "s")
    ax.set_xlim(0, one(max(totals)) * 1.08 or 1)
    starts = [0.0] * len(cells)
    for name, colour in _PARTS:
        widths = [one(_part(found, name)) for found in cells]
        ax.barh(range(len(cells)), widths, left=starts, height=0.62, color=tint(colour), lw=0)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    for row, total in enumerate(totals):
        canvas.beside(ax, one(total), row, number(total, one))
    ax.set_xlabel(one.unit)
    ax.grid(visible=True, axis="x")
    title = "Where the time of a request went"
    return Panel("", canvas.finish(figure, key, title, "; ".join(_told(found, one) for found in cells) + "."))


def _told(found: CellFinding, one: Scale) -> str:
    parts = [f"{name} {number(_part(found, name), one)}" for name, _ in _PARTS if _part(found, name)]
    return f"{found.label}: {', '.join(parts)} {one.unit}"
