"""Where the time of a request went: stacked rows, one a cell."""

from collections import Counter
from collections.abc import Sequence

from olbench.findings import CellFinding, Findings, Split, Value
from olbench.prose import counted
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.rows import MOST_ROWS, left_out, rows
from olbench.report.palette import tint
from olbench.report.wording import Scale, number, scale

# In the order of time, so that what stands before decode is the time to the first token.
_PARTS = (
    ("connect", "s6"),
    ("network", "s8"),
    ("load", "s4"),
    ("queue", "s5"),
    ("prefill", "s1"),
    ("decode", "s2"),
    ("unexplained", "s7"),
)
_TO_TEXT = ("connect", "network", "load", "queue", "prefill", "held")
_ROW = 24
_GRAIN_S = 1e-9  # stamps are nanoseconds: what is less is the grain of floats
_NOTE = (
    "Mean times of the good requests of a cell, from the moment when each was wanted to its last byte; the line across a "
    "bar is its first token. Connect is a new connection and olbench's own lateness; queue is waiting inside the server: for "
    "a slot, or for templates; unexplained is what our stamps and the server's durations leave."
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
    seconds = _value(found, name).number or 0.0
    return seconds if seconds >= _GRAIN_S else 0.0


def _known(split: Split) -> bool:
    # Connect is our own: it is known of requests of which the server said nothing.
    return any(getattr(split, name).number is not None for name, _ in _PARTS if name != "connect")


def _total(found: CellFinding) -> float:
    return sum(_part(found, name) for name, _ in _PARTS)


def _first(found: CellFinding) -> float | None:
    """Seconds to the first token; None where a part of them is unknown."""
    parts = [_value(found, name).number for name in _TO_TEXT]
    known = [one for one in parts if one is not None]
    return sum(known) if len(known) == len(parts) else None


def _unknown(cells: Sequence[CellFinding]) -> list[str]:
    found = Counter(
        (name, _value(one, name).reason)
        for one in cells
        for name, _ in _PARTS
        if _value(one, name).number is None
    )
    return [
        f"{name.capitalize()}: unknown in {counted(count, 'cell')} ({reason})."
        for (name, reason), count in found.items()
    ]


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
    for row, found in enumerate(cells):
        if (first := _first(found)) is not None:
            ax.plot([one(first)] * 2, [row - 0.42, row + 0.42], color=tint("ink"), lw=1.6)
    for row, total in enumerate(totals):
        canvas.beside(ax, one(total), row, number(total, one))
    ax.set_xlabel(one.unit)
    ax.grid(visible=True, axis="x")
    title = "Where the time of a request went"
    return Panel("", canvas.finish(figure, key, title, "; ".join(_told(found, one) for found in cells) + "."))


def _told(found: CellFinding, one: Scale) -> str:
    parts = [f"{name} {number(_part(found, name), one)}" for name, _ in _PARTS if _part(found, name)]
    first = _first(found)
    ends = "" if first is None else f", first token at {number(first, one)}"
    return f"{found.label}: {', '.join(parts)}{ends} {one.unit}"
