"""A cell's figure run by run: values with intervals, levels as lines, and where the server's version changed."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from olbench.history import History, Line, Point
from olbench.metrics import Metric
from olbench.prose import counted
from olbench.report.charts import canvas
from olbench.report.charts.canvas import WIDE, Key
from olbench.report.charts.frame import Frame, told, value_axis
from olbench.report.history_words import changed, when
from olbench.report.palette import tint
from olbench.report.wording import number, scale

MOST = 24  # cells that have a chart
NOTE = (
    "One mark a run, evenly spaced in the order of time; bars are 95 % intervals, cut where they would flatten the rest. "
    "The axis of values need not begin at 0. Above stands the server's version; it changed at dashed lines."
)
_HEIGHT, _LEFT, _RIGHT, _BOTTOM = 236, 62.0, 16.0, 30.0
_ROWS, _ROW = 2, 15.0  # of versions above the drawing, of sizes of steps at its foot
_LEAST = 0.1  # of the middle value: so much the axis shows at least, for noise is no news
_WIDE_RANGE = 25  # from here on a linear axis hides the small values
_SMALL, _DENSE = 10, 90  # size of type; runs from which on marks are small

# What a run's mark says: the legend's name, marker, whether it is hollow.
_KINDS = {
    "sound": ("a run", "o", False),
    "bare": ("a run without an interval", "o", True),
    "open": ("a run that was not completed", "D", False),
    "disturbed": ("a run of which every visit was disturbed: in no level", "X", False),
}


def drawings(history: History, key: str) -> dict[int, str]:
    """Number of a cell -> its drawing, of as many cells as have one. `key` opens the ids."""
    with canvas.drawing():
        return {
            line.number: _drawing(history.metric, line, f"{key}-{line.number}") for line in _drawn(history)
        }


def note(history: History) -> str:
    """What holds for all drawings; "" where there are none."""
    rest = sum(1 for line in history.lines if _values(line)) - MOST
    more = f" {rest} more cells stand in the tables only." if rest > 0 else ""
    return f"{NOTE}{more}" if _drawn(history) else ""


def keys(history: History) -> tuple[Key, ...]:
    """The legend of all drawings."""
    seen = {_kind(point) for line in _drawn(history) for point in line.points}
    marks = [
        Key(name, _tint(kind), marker, hollow=hollow)
        for kind, (name, marker, hollow) in _KINDS.items()
        if kind in seen
    ]
    return (*marks, Key("middle of a level", "s2", None)) if marks else ()


def _drawn(history: History) -> list[Line]:
    return [line for line in history.lines if _values(line)][:MOST]


def _kind(point: Point) -> str:
    one = point.typical
    if one.value is None:
        return ""
    if not point.judged:
        return "disturbed"
    if one.low is None or one.high is None:
        return "bare"
    return "open" if point.unfinished else "sound"


def _tint(kind: str) -> str:
    return "muted" if kind == "disturbed" else "s1"


def _drawing(metric: Metric, line: Line, key: str) -> str:
    one = _frame(metric, line)
    names = _names(line)
    top = 12 + _ROW * (1 + max(name.row for name in names))
    figure = canvas.sheet(WIDE, int(_HEIGHT + top))
    ax = canvas.axes(figure, _LEFT, top, _RIGHT, _BOTTOM)
    ax.set_xlim(*_ends(line))
    value_axis(ax, one, "y")
    canvas.corner(figure, one.unit)
    _days(ax, line)
    _versions(ax, line, names)
    _levels(ax, one, line)
    for kind in _KINDS:
        _marks(ax, one, line, kind)
    return canvas.finish(figure, key, f"{metric.name} over time", _described(one, line))


def _ends(line: Line) -> tuple[float, float]:
    return -0.8, len(line.points) - 0.2


# --- the axis of values ---------------------------------------------------------------------------------------


def _values(line: Line) -> list[float]:
    return [one.typical.value for one in line.points if one.typical.value is not None]


def _frame(metric: Metric, line: Line) -> Frame:
    """An axis around the values, with room below for what a step is called; intervals count as far as they fit."""
    values = _values(line)
    least, most = min(values), max(values)
    if least > 0 and most / least >= _WIDE_RANGE:
        return Frame(metric, scale(values, metric.unit), least / 1.8, most * 1.4, log=True)
    room = max(most - least, _LEAST * abs(most + least) / 2) or 1.0
    lows = [one.typical.low for one in line.points if one.typical.low is not None]
    highs = [one.typical.high for one in line.points if one.typical.high is not None]
    low = min(least, max(min(lows, default=least), least - room / 2), (least + most - room) / 2)
    high = max(most, min(max(highs, default=most), most + room / 2), (least + most + room) / 2)
    low, high = low - 0.16 * (high - low), high + 0.05 * (high - low)
    return Frame(metric, scale(values, metric.unit), max(low, 0.0) if least >= 0 else low, high, log=False)


# --- the axis of runs -----------------------------------------------------------------------------------------


def _room(line: Line) -> float:
    """Pixels from one run to the next."""
    low, high = _ends(line)
    return (WIDE - _LEFT - _RIGHT) / (high - low)


def _days(ax: Axes, line: Line) -> None:
    """As many runs as find room are named: by the day, or by the hour where the one before has the same day."""
    every = math.ceil((canvas.text_width("2026-10-06", _SMALL) + 14) / _room(line))
    places = range(0, len(line.points), every)
    stamps = [when(line.points[place].at) for place in places]
    days = ["", *(stamp[:10] for stamp in stamps)]
    names = [
        stamp[11:] if stamp[:10] == before else stamp[:10]
        for before, stamp in zip(days, stamps, strict=False)
    ]
    ax.xaxis.set_major_locator(FixedLocator([float(place) for place in places]))
    ax.xaxis.set_major_formatter(FixedFormatter(names))
    ax.tick_params(axis="x", labelsize=_SMALL)


@dataclass(frozen=True, slots=True)
class Placed:
    """Words that found room: where they begin on the axis of runs, and in which row."""

    at: float
    words: str
    row: int


def _placed(line: Line, wanted: Iterable[tuple[float, str]], size: float) -> list[Placed]:
    """Words at places of the axis, in as many rows as there are; those that find room in none are left out."""
    low, high = _ends(line)
    free = [low] * _ROWS
    found = []
    for at, words in wanted:
        width = (canvas.text_width(words, size) + 6) / _room(line)
        begin = max(low, min(at, high - width))
        row = next((row for row in range(_ROWS) if free[row] <= begin), None)
        if row is not None:
            found.append(Placed(begin, words, row))
            free[row] = begin + width
    return found


def _names(line: Line) -> list[Placed]:
    """The server's versions, each from where it first ran."""
    places = [(float(place - 0.5 if place else _ends(line)[0]), place) for place in (0, *line.turns)]
    versions = [(at, line.points[place].version or "version unknown") for at, place in places]
    return _placed(line, [(at, canvas.fitted(name, 200, _SMALL)) for at, name in versions], _SMALL)


def _versions(ax: Axes, line: Line, names: Sequence[Placed]) -> None:
    """A dashed line where the server's version changed, its name above."""
    for place in line.turns:
        ax.axvline(place - 0.5, color=tint("muted"), lw=1, ls=(0, (4, 3)), zorder=0.6)
    for one in names:
        ax.annotate(
            one.words, (one.at, 1), (2, 5 + _ROW * one.row), ("data", "axes fraction"),
            textcoords="offset points", fontsize=_SMALL, color=tint("muted"),
        )  # fmt: skip


# --- what is drawn --------------------------------------------------------------------------------------------


def _levels(ax: Axes, one: Frame, line: Line) -> None:
    """Each level as a line at its middle, risers where they meet, and the size of the step at the foot."""
    colour = tint("s2")
    for level in line.levels:
        height = one.scale(level.value)
        ax.plot([level.first - 0.5, level.last + 0.5], [height, height], color=colour, lw=2, zorder=1.5)
    for old, new in pairwise(line.levels):
        at = new.first - 0.5
        ax.plot([at, at], [one.scale(old.value), one.scale(new.value)], color=colour, lw=2, zorder=1.5)
    for size in _placed(line, [(step.at - 0.5, changed(step.change)) for step in line.steps], 11):
        ax.annotate(
            size.words, (size.at, 0), (5, 5 + _ROW * size.row), ("data", "axes fraction"),
            textcoords="offset points", fontsize=11, color=colour,
        )  # fmt: skip


def _marks(ax: Axes, one: Frame, line: Line, kind: str) -> None:
    """All runs of one kind at once: there may be thousands."""
    _, marker, hollow = _KINDS[kind]
    places = [place for place, point in enumerate(line.points) if _kind(point) == kind]
    found = [line.points[place].typical for place in places]
    colour, size = tint(_tint(kind)), 5.0 if len(line.points) < _DENSE else 3.0
    known = [
        (place, max(seen.low, one.low), min(seen.high, one.high))
        for place, seen in zip(places, found, strict=True)
        if seen.low is not None and seen.high is not None
    ]
    if known and kind != "disturbed":
        at, lows, highs = zip(*known, strict=True)
        ax.vlines(
            at, [one.scale(low) for low in lows], [one.scale(high) for high in highs], colors=colour, lw=1.3
        )
    values = [one.scale(min(max(seen.value, one.low), one.high)) for seen in found if seen.value is not None]
    ax.plot(
        places, values, ls="", color=colour, marker=marker, ms=size, mew=1.1,
        mfc=tint("paper") if hollow else colour,
    )  # fmt: skip


def _described(one: Frame, line: Line) -> str:
    """What the panel shows, for those who cannot see it."""
    ends = [point for point in line.points if point.typical.value is not None]
    first, last = (f"{told(one, point.typical)} on {when(point.at)[:10]}" for point in (ends[0], ends[-1]))
    levels = ", ".join(f"{number(level.value, one.scale)} {one.scale.unit}" for level in line.levels)
    steps = f"; levels in turn: {levels}" if line.steps else "; no step was found"
    return f"{line.label}: {counted(len(line.points), 'run')}, from {first} to {last}{steps}."
