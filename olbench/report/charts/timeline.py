"""Memory, processors and GPU over the run, with the visits to cells marked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from olbench.findings import Findings
from olbench.model import Observation, Visit
from olbench.prose import counted
from olbench.readings import Series
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.frame import marked_keys
from olbench.report.palette import tint
from olbench.report.wording import scale
from olbench.units import span

Numbers = NDArray[np.float64]
Piece = tuple[Numbers, Numbers]  # seconds and values of one visit

MOST_POINTS = 1500  # a track; a screen shows no more
_TRACK, _FOOT = 104, 46
_LONGEST_PAUSE, _PAUSE = 300.0, 5.0  # seconds between visits: above the first, the second is drawn


@dataclass(frozen=True, slots=True)
class Track:
    """One strip of the timeline: the sum of the series whose names fit a pattern."""

    name: str
    pattern: str
    unit: str
    tint: str


# One row a strip; the names are those that the probes give.
_TRACKS = (
    Track("RAM of the server", r"server\.rss", "B", "s1"),
    Track("GPU memory in use", r"gpu\d+\.used", "B", "s2"),
    Track("CPU of the server", r"server\.cpu", "cores", "s1"),
    Track("CPU of other programs", r"host\.other_cpu", "cores", "s4"),
    Track("GPU utilisation", r"gpu\d+\.util", "share", "s2"),
    Track("Power", r"(gpu\d+|cpu\d*|soc)\.power", "W", "s4"),
)


@dataclass(frozen=True, slots=True)
class Span:
    """One visit on the axis of time, in seconds since the run's first one."""

    start: float
    end: float
    cell: int  # the cell's number in the table
    hollow: bool = False  # marked, or taken again: it enters no figure


@dataclass(frozen=True, slots=True)
class Trace:
    """What one track shows: seconds since the first visit, NaN values between visits."""

    track: Track
    seconds: Numbers
    values: Numbers


@dataclass(frozen=True, slots=True)
class Clock:
    """Puts stamps on the axis: seconds are stamp - origin. `end` is the last second in use."""

    origin: int
    end: float
    left_out: int  # pauses that are not drawn

    def after(self, seen: Observation) -> "Clock":
        """The clock for the next visit: a run that was resumed pauses for hours, or comes back with another clock."""
        start = (seen.started_ns - self.origin) / 1e9
        if self.end <= start <= self.end + _LONGEST_PAUSE:
            return Clock(self.origin, (seen.ended_ns - self.origin) / 1e9, self.left_out)
        origin = seen.started_ns - int((self.end + _PAUSE) * 1e9)
        return Clock(origin, (seen.ended_ns - origin) / 1e9, self.left_out + 1)


def charts(findings: Findings, key: str) -> tuple[Chart, ...]:
    """One wide chart; none when no probe saw anything."""
    spans, traces, left_out = _seen(findings)
    if not traces:
        return ()
    words = (
        "Shaded: a visit; the number is the cell's in the table. Lines keep the extremes of what was sampled. A process "
        "that the server has just started counts among other programs for up to a second."
    )
    if left_out:
        words += f" {counted(left_out, 'long pause')} between visits not drawn."
    keys = marked_keys(findings.cells, None)
    if not keys and any(visit.hollow for visit in spans):
        keys = (Key("a visit that was taken again: it enters no figure", "muted", None, hollow=True),)
    return (Chart("", words, keys, (_panel(spans, traces, key),), least=canvas.WIDE),)


def _seen(findings: Findings) -> tuple[list[Span], list[Trace], int]:
    """One pass over the observations, which are read from the store one by one."""
    places = {found.cell.id: place for place, found in enumerate(findings.cells, 1)}
    spans: list[Span] = []
    latest: dict[Visit, int] = {}  # visit -> its place in `spans`
    marked = {found.cell.id: found.marked for found in findings.cells}
    pieces: dict[Track, list[Piece]] = {}
    clock: Clock | None = None
    for seen in findings.record.observations:
        clock = Clock(seen.started_ns, 0.0, 0).after(seen) if clock is None else clock.after(seen)
        if seen.problem is None and seen.visit in latest:  # a visit that failed a gate, or was cut short
            spans[latest[seen.visit]] = replace(spans[latest[seen.visit]], hollow=True)
        latest[seen.visit] = len(spans)
        hollow = seen.visit.repeat in marked.get(seen.visit.cell, {})
        start = (seen.started_ns - clock.origin) / 1e9
        spans.append(Span(start, clock.end, places.get(seen.visit.cell, 0), hollow))
        for track in _TRACKS:
            piece = _piece(seen, track, clock.origin)
            if piece is not None:
                pieces.setdefault(track, []).append(piece)
    tracks = [track for track in _TRACKS if track in pieces]
    return spans, [_joined(track, pieces[track]) for track in tracks], clock.left_out if clock else 0


def _piece(seen: Observation, track: Track, origin: int) -> Piece | None:
    found = [one for one in seen.readings.series if re.fullmatch(track.pattern, one.name) and len(one.t_ns)]
    if not found:
        return None
    beats = np.frombuffer(found[0].t_ns, dtype=np.int64)
    values = np.sum([_at(one, beats) for one in found], axis=0)
    mean = values / len(found) if track.unit == "share" else values
    return (beats - origin) / 1e9, mean


def _at(series: Series, beats: NDArray[np.int64]) -> NDArray[np.float64]:
    values = np.frombuffer(series.values, dtype=np.float64)
    return np.interp(beats, np.frombuffer(series.t_ns, dtype=np.int64), values)


def _joined(track: Track, pieces: Sequence[Piece]) -> Trace:
    """All visits as one line that breaks between them, thinned to about MOST_POINTS."""
    beats = sum(len(values) for _, values in pieces)
    thin = [
        thinned(seconds, values, max(4, MOST_POINTS * len(values) // beats)) for seconds, values in pieces
    ]
    seconds = [np.append(one, one[-1]) for one, _ in thin]
    values = [np.append(one, np.nan) for _, one in thin]
    return Trace(track, np.concatenate(seconds), np.concatenate(values))


def thinned(seconds: Numbers, values: Numbers, most: int) -> Piece:
    """At most about `most` points that keep the least and the greatest value of each stretch."""
    if len(values) <= most:
        return seconds, values
    kept: set[int] = {0, len(values) - 1}
    for part in np.array_split(np.arange(len(values)), max(1, most // 2)):
        kept |= {int(part[np.argmin(values[part])]), int(part[np.argmax(values[part])])}
    places = sorted(kept)
    return seconds[places], values[places]


def _panel(spans: Sequence[Span], traces: Sequence[Trace], key: str) -> Panel:
    height = 24 + _TRACK * len(traces) + _FOOT
    figure = canvas.sheet(canvas.WIDE, height)
    unit, step = _time_unit(_end(spans))
    for place, trace in enumerate(traces):
        top = 24 + place * _TRACK
        ax = canvas.axes(figure, 56, top + 22, 18, height - top - _TRACK + 6)
        _strip(ax, spans, trace, step)
        if place == 0:
            _numbers(ax, spans, step)
        if place == len(traces) - 1:
            ax.set_xlabel(f"{unit} since the first visit")
        else:
            ax.tick_params(labelbottom=False, bottom=False)
    names = ", ".join(trace.track.name for trace in traces)
    told = f"{names} over {span(_end(spans) * 1e9)} and {len(spans)} visits. " + _told(traces)
    return Panel("", canvas.finish(figure, key, "The run over time", told))


def _end(spans: Sequence[Span]) -> float:
    """The length of the axis: an axis of no length cannot be drawn."""
    return max(spans[-1].end, 0.001)


def _time_unit(seconds: float) -> tuple[str, float]:
    if seconds < 180:
        return "s", 1.0
    return ("min", 60.0) if seconds < 3 * 3600 else ("h", 3600.0)


def _strip(ax: Axes, spans: Sequence[Span], trace: Trace, step: float) -> None:
    values = trace.values[~np.isnan(trace.values)]
    one = scale([float(values.max())], trace.track.unit)
    for own, colour in ((spans[::2], "band"), (spans[1::2], "grid")):
        edges = [_edges(visit, step) for visit in own if not visit.hollow]
        ax.broken_barh(edges, (0, 1), transform=ax.get_xaxis_transform(), color=tint(colour), lw=0)
    for visit in spans:
        if visit.hollow:
            ax.broken_barh(
                [_edges(visit, step)], (0, 0.985), transform=ax.get_xaxis_transform(), facecolor="none",
                edgecolor=tint("muted"), lw=0.9, ls=(0, (3, 2)),
            )  # fmt: skip
    ax.plot(trace.seconds / step, trace.values * one.factor, color=tint(trace.track.tint), lw=1.1)
    ax.set_xlim(0, _end(spans) / step)
    ax.set_ylim(0, one(float(values.max())) * 1.15 or 1)
    ax.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(visible=True, axis="y")
    ax.spines["left"].set_visible(False)
    ax.annotate(
        f"{trace.track.name}, {one.unit}", (0, 1), (0, 6), "axes fraction", textcoords="offset points",
        color=tint("ink"),
    )  # fmt: skip


def _edges(visit: Span, step: float) -> tuple[float, float]:
    return visit.start / step, (visit.end - visit.start) / step


def _numbers(ax: Axes, spans: Sequence[Span], step: float) -> None:
    """The cells' numbers over the visits that are wide enough for them."""
    room = (canvas.WIDE - 74) / _end(spans)
    ax.annotate(
        "cell",
        (0, 1),
        (-8, 22),
        "axes fraction",
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=tint("muted"),
    )
    for visit in spans:
        if (visit.end - visit.start) * room >= canvas.text_width(str(visit.cell), 9) + 4:
            middle = (visit.start + visit.end) / 2 / step
            ax.annotate(
                str(visit.cell), (middle, 1), (0, 22), ("data", "axes fraction"), textcoords="offset points",
                ha="center", fontsize=9, color=tint("muted"),
            )  # fmt: skip


def _told(traces: Sequence[Trace]) -> str:
    words = []
    for trace in traces:
        values = trace.values[~np.isnan(trace.values)]
        one = scale([float(values.max())], trace.track.unit)
        words.append(f"{trace.track.name}: at most {one(float(values.max())):.3g} {one.unit}")
    return "; ".join(words) + "."
