"""The axis of a metric's values, shared by the panels of a chart, and the mark of one value with its interval."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from olbench.findings import CellFinding, Estimate
from olbench.metrics import METRICS, Metric
from olbench.report.charts.canvas import Key
from olbench.report.palette import tint
from olbench.report.wording import Scale, scale, spread

_WIDE_RANGE = 25  # from here on a linear axis hides the small values
_CARETS = {"x": 5, "y": 6}  # matplotlib's CARETRIGHT and CARETUP
MARKED = "a marked visit: left out of the figures"
ALL_MARKED = ", except of a cell of which every visit is marked"


@dataclass(frozen=True, slots=True)
class Frame:
    """What all panels of one metric share, so that they can be compared by eye. `low` and `high` in the base unit."""

    metric: Metric
    scale: Scale
    low: float
    high: float
    log: bool

    @property
    def unit(self) -> str:
        """The unit as it stands at the axis."""
        return self.scale.unit + (", log scale" if self.log else "")


def frame(key: str, cells: Iterable[CellFinding]) -> Frame | None:
    """The axis of a metric over `cells`; None when none of them has a value."""
    shown = [found.summaries[key] for found in cells]
    hollow = [value for one in shown for _, value in one.marked]
    return framed(METRICS[key], [one.typical for one in shown], hollow)


def framed(row: Metric, estimates: Sequence[Estimate], hollow: Sequence[float] = ()) -> Frame | None:
    """An axis that holds `estimates`: from 0, or logarithmic where the values span a wide range.

    It makes room for the `hollow` marks of marked visits as it does for wide intervals: not without end.
    """
    values = [one.value for one in estimates if one.value is not None]
    if not values:
        return None
    least, most = min(values), max(values)
    highs = [*(one.high for one in estimates if one.high is not None), *hollow]
    # An interval from two visits can be ten times its value; it is cut rather than that it flattens all else.
    high = max(most * 1.12, min(max(highs, default=most) * 1.04, most * 1.6)) or 1.0
    if least > 0 and most / least >= _WIDE_RANGE:
        return Frame(row, scale(values, row.unit), least / 1.6, most * 1.6, log=True)
    return Frame(row, scale(values, row.unit), 0.0, high, log=False)


def value_axis(ax: Axes, one: Frame, side: str) -> None:
    """Set the axis of the values, "x" or "y": its scale, limits, ticks and a quiet grid."""
    limits = (one.scale(one.low), one.scale(one.high))
    kind = "log" if one.log else "linear"
    axis = ax.xaxis if side == "x" else ax.yaxis
    ax.set(**{f"{side}scale": kind, f"{side}lim": limits})
    axis.set_major_locator(
        FixedLocator(log_ticks(*limits)) if one.log else MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1e4 else f"{value:,g}")
    )
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="x" if side == "x" else "y")


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of each decade between the ends; only the decades where there are more than three."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if high / low > 1e3 else (1, 2, 5)
    ticks = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]


def mark(ax: Axes, one: Frame, estimate: Estimate, at: float, *, look: tuple[str, str], side: str) -> None:
    """Draw a value with its interval; hollow without one, with a caret where the interval leaves the panel.

    `side` is the axis of the values, `at` the place on the other one, `look` colour and marker.
    """
    if estimate.value is None:
        return
    colour, marker = look

    def put(values: list[float], **style: object) -> None:
        shown, places = [one.scale(value) for value in values], [at] * len(values)
        ax.plot(*((shown, places) if side == "x" else (places, shown)), color=colour, **style)  # type: ignore[arg-type]  # the stubs know no **style

    certain = estimate.low is not None and estimate.high is not None
    if estimate.low is not None and estimate.high is not None:
        low, high = max(estimate.low, one.low), min(estimate.high, one.high)
        put([low, high], lw=1.5, solid_capstyle="butt")
        ends = [end for end, seen in ((low, estimate.low), (high, estimate.high)) if end == seen]
        put(ends, ls="", marker="|" if side == "x" else "_", ms=7, mew=1.5)
        if high < estimate.high:
            put([high], ls="", marker=_CARETS[side], ms=6, clip_on=False)
    put([estimate.value], ls="", marker=marker, ms=6, mfc=colour if certain else tint("paper"), mew=1.4)


def ring(ax: Axes, one: Frame, value: float, at: float, *, colour: str, side: str) -> None:
    """Draw a marked visit: a small hollow mark, at the edge of the panel as a caret where it lies beyond."""
    inside = one.low <= value <= one.high
    shown = one.scale(min(max(value, one.low), one.high))
    ax.plot(
        *((shown, at) if side == "x" else (at, shown)), color=colour, ls="", marker="o" if inside else _CARETS[side],
        ms=4.6, mfc=tint("paper"), mew=1.1, clip_on=inside,
    )  # fmt: skip


def marked_keys(cells: Iterable[CellFinding], shape: str | None = "ring") -> tuple[Key, ...]:
    """The entry of a legend for marked visits; () where there are none."""
    found = [one for one in cells if one.marked]
    if not found:
        return ()
    return (Key(MARKED + ALL_MARKED * any(not one.judged for one in found), "muted", shape, hollow=True),)


def told(one: Frame, estimate: Estimate) -> str:
    """The value in words, as a description needs it: "51.7 ± 1.2 ms"."""
    figure, interval = spread(estimate, one.scale)
    return " ".join(part for part in (figure, interval, one.scale.unit) if part)
