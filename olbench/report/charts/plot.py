"""A quantity against a quantity: points with their intervals, a line with its band, marks on the axis below."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from olbench.report.charts import canvas
from olbench.report.charts.frame import log_ticks
from olbench.report.palette import tint

SIZE = (420, 282)
_LEFT, _RIGHT, _BOTTOM = 52.0, 36.0, 42.0
_TOP = {True: 46.0, False: 28.0}  # with and without names above the panel
_SMALL = 10  # size of type
_CARETS = {True: 6, False: 7}  # matplotlib's CARETUP and CARETDOWN
DASHED = (0, (4, 3))
DOTTED = (0, (1, 2))


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a panel in the unit that it shows."""

    low: float
    high: float
    name: str  # "" on the upright one, whose unit stands in the corner
    log: bool = False
    whole: bool = False  # no ticks between whole numbers


@dataclass(frozen=True, slots=True)
class Dot:
    """A point with its interval, if it has one, in the units of the axes."""

    at: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Colour and marker of points."""

    tint: str
    marker: str
    hollow: bool = False


def panel(across: Axis, up: Axis, unit: str, *, named: bool = False) -> tuple[Figure, Axes]:
    """An empty panel with both axes; `named`: upright lines will have names above it."""
    figure = canvas.sheet(*SIZE)
    ax = canvas.axes(figure, _LEFT, _TOP[named], _RIGHT, _BOTTOM)
    _set(ax, across, "x")
    _set(ax, up, "y")
    ax.set_xlabel(across.name + (", log scale" if across.log else ""))
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="y")
    canvas.corner(figure, unit + (", log scale" if up.log else ""))
    return figure, ax


def _set(ax: Axes, one: Axis, side: str) -> None:
    axis = ax.xaxis if side == "x" else ax.yaxis
    ax.set(**{f"{side}scale": "log" if one.log else "linear", f"{side}lim": (one.low, one.high)})
    steps = [1, 2, 5, 10] if one.whole else [1, 2, 2.5, 5, 10]
    most = 6 if side == "x" else 5
    ticks = log_ticks(one.low, one.high) if one.log else []
    linear = MaxNLocator(most, steps=steps, integer=one.whole, min_n_ticks=1)
    axis.set_major_locator(FixedLocator(ticks) if one.log else linear)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def tick(value: float) -> str:
    """A number at an axis."""
    if value and abs(value) < 1e-3:
        return f"{value:.0e}"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,g}"


def stretch(
    values: Iterable[float], *, floor: float | None = None, room: float = 0.06
) -> tuple[float, float]:
    """Ends of an axis that holds all of `values` with some room; from `floor` on, where there is one."""
    known = [value for value in values if math.isfinite(value)]
    least, most = min(known, default=0.0), max(known, default=1.0)
    if floor is not None:
        least = min(least, floor)
    pad = (most - least) * room or abs(most) * room or 1.0
    return (least if floor is not None and least == floor else least - pad), most + pad


def dots(ax: Axes, found: Sequence[Dot], look: Look, *, size: float = 6.0) -> None:
    """Points with their intervals; what leaves the panel is cut with a caret."""
    low, high = ax.get_ylim()
    colour = tint(look.tint)
    for one in found:
        if one.low is not None and one.high is not None:
            ends = (max(one.low, low), min(one.high, high))
            ax.plot([one.at, one.at], ends, color=colour, lw=1.5, solid_capstyle="butt")
            kept = [end for end, seen in zip(ends, (one.low, one.high), strict=True) if end == seen]
            ax.plot([one.at] * len(kept), kept, ls="", marker="_", ms=7, mew=1.5, color=colour, clip_on=False)
            for end, beyond in ((ends[1], one.high > high), (ends[0], one.low < low)):
                if beyond:
                    ax.plot([one.at], [end], ls="", marker=_CARETS[end == ends[1]], ms=6, color=colour, clip_on=False)  # fmt: skip
    ax.plot(
        [one.at for one in found], [min(max(one.value, low), high) for one in found], ls="", color=colour,
        marker=look.marker, ms=size, mfc=tint("paper") if look.hollow else colour, mew=1.4, clip_on=False, zorder=3,
    )  # fmt: skip


def band(ax: Axes, found: Sequence[Dot], colour: str, *, line: object = "-", width: float = 1.6) -> None:
    """A line through the points, and the area of their intervals where all have one."""
    at = [one.at for one in found]
    lows = [one.value if one.low is None else one.low for one in found]
    highs = [one.value if one.high is None else one.high for one in found]
    if len(found) > 1 and any(low < high for low, high in zip(lows, highs, strict=True)):
        ax.fill_between(at, lows, highs, color=tint(colour), alpha=0.17, lw=0, zorder=0.7)
    ax.plot(at, [one.value for one in found], color=tint(colour), lw=width, ls=line, zorder=1.5)


@dataclass(frozen=True, slots=True)
class Sign:
    """An upright line with its name above the panel."""

    at: float
    name: str
    tint: str
    line: object = "-"


def signs(ax: Axes, found: Sequence[Sign]) -> None:
    """Upright lines; the names of those that lie close stand above each other."""
    low, high = ax.get_xlim()
    box = ax.get_window_extent()
    free = [-math.inf, -math.inf]  # pixels from which on a row is free
    for one in sorted((one for one in found if low <= one.at <= high), key=lambda one: one.at):
        ax.axvline(one.at, color=tint(one.tint), lw=1.4, ls=one.line, zorder=1.2)
        place, width = (
            float(ax.transData.transform((one.at, ax.get_ylim()[0]))[0]),
            canvas.text_width(one.name, _SMALL),
        )
        begin = min(max(box.x0 - 40, place - width / 2), box.x1 + 12 - width)
        row = next((row for row, end in enumerate(free) if end <= begin), None)
        if row is not None:
            free[row] = begin + width + 6
            ax.annotate(
                one.name, (place, 1), (begin - place, 5 + 14 * row), ("data", "axes fraction"),
                textcoords="offset points", fontsize=_SMALL, color=tint(one.tint),
            ).xy = (one.at, 1)  # fmt: skip


def level(ax: Axes, at: float, name: str, colour: str = "ink") -> None:
    """A flat line across the panel with its name behind its right end."""
    low, high = ax.get_ylim()
    if low <= at <= high:
        ax.axhline(at, color=tint(colour), lw=1.2, ls=DASHED, zorder=1)
        ax.annotate(
            name, (1, at), (5, 0), ("axes fraction", "data"), textcoords="offset points", va="center_baseline",
            fontsize=_SMALL, color=tint(colour),
        )  # fmt: skip
