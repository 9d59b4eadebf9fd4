"""Charts of rows: a column of names on the left, one row a name, the first one on top."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from olbench.findings import CellFinding
from olbench.report.charts import canvas
from olbench.report.palette import tint

MOST_ROWS = 40
LABEL_SIZE = 11


def left_out(cells: Sequence[CellFinding]) -> tuple[str, ...]:
    """The sentence that says how many cells a chart of rows does not show; () when it shows all."""
    rest = len(cells) - MOST_ROWS
    return (f"{rest} more cells stand in the table only.",) if rest > 0 else ()


def rows(figure: Figure, names: Sequence[str], *, top: float, bottom: float, most: float) -> Axes:
    """Axes with one row a name, at heights 0, 1, 2 … from the top; names take at most `most` pixels."""
    shown = [canvas.fitted(name, most, LABEL_SIZE) for name in names]
    left = max((canvas.text_width(name, LABEL_SIZE) for name in shown), default=0) + 12
    ax = canvas.axes(figure, min(left, most + 12), top, 18, bottom)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.yaxis.set_major_locator(FixedLocator([]))
    ax.spines["left"].set_visible(False)
    for row, name in enumerate(shown):
        ax.annotate(
            name, (0, row), (-8, 0), ("axes fraction", "data"), textcoords="offset points",
            ha="right", va="center_baseline", fontsize=LABEL_SIZE, color=tint("ink"),
        )  # fmt: skip
    return ax
