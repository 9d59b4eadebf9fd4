"""Where the server's slots end on an axis of streams: from there on, latency is that of the queue."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from olbench.findings import CellFinding
from olbench.prose import counted
from olbench.report.charts import canvas
from olbench.report.palette import tint

QUEUE = "measures the queue"
_SIZE = 10


def queue(ax: Axes, cells: Sequence[CellFinding]) -> None:
    """Draw the line at the slots, and a shade beyond it; nothing where cells differ in them or none is known."""
    counts = {one.slots.count for one in cells if one.slots is not None and not one.slots.at_least}
    count = next(iter(counts)) if len(counts) == 1 else None
    low, high = ax.get_xlim()
    if count is None or not low <= count <= high:
        return
    ax.axvline(count, color=tint("muted"), lw=1, ls=(0, (4, 3)), zorder=0.5)
    _label(ax, counted(count, "slot"), count, "center")
    if any(one.cell.concurrency > count for one in cells):
        ax.axvspan(count, high, color=tint("band"), lw=0, zorder=0)
        if _room(ax, count) > canvas.text_width(QUEUE, _SIZE) + 24:
            _label(ax, QUEUE, high, "right")


def _room(ax: Axes, at: float) -> float:
    """Pixels to the right of a place on the axis."""
    return float(ax.get_window_extent().x1 - ax.transData.transform((at, 0))[0])


def _label(ax: Axes, text: str, at: float, side: str) -> None:
    ax.annotate(
        text, (at, 1), (0, 5), ("data", "axes fraction"), textcoords="offset points",
        ha=side, fontsize=_SIZE, color=tint("muted"),
    )  # fmt: skip
