"""Arithmetic on readings: a quantity over time, its sum with others, its mean and its integral."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olbench.readings import Readings, Series


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity over time; at least one beat, stamps ascending."""

    t_ns: NDArray[np.int64]
    values: NDArray[np.float64]


def line(readings: Readings, name: str) -> Line | None:
    """The series of that name; None when no beat of it was taken."""
    series = readings.get(name)
    return None if series is None or len(series.t_ns) == 0 else _seen(series)


def total(readings: Readings, pattern: str) -> Line | None:
    """The sum of all series whose whole name fits the pattern, at the first one's beats; None when there is none."""
    fits = lines(readings, pattern)
    return _summed(fits) if fits else None


def lines(readings: Readings, pattern: str) -> list[Line]:
    """All series whose whole name fits the pattern and that have a beat."""
    return [
        _seen(one) for one in readings.series if len(one.t_ns) and re.fullmatch(pattern, one.name) is not None
    ]


def _seen(series: Series) -> Line:
    return Line(np.frombuffer(series.t_ns, dtype=np.int64), np.frombuffer(series.values, dtype=np.float64))


def _summed(lines: Sequence[Line]) -> Line:
    beats = lines[0].t_ns
    values = [np.interp(beats, one.t_ns, one.values) for one in lines]
    return Line(beats, np.sum(values, axis=0))


def less(line_: Line, amount: float) -> Line:
    """The line lowered by a constant."""
    return Line(line_.t_ns, line_.values - amount)


def share_with_bits(line_: Line, bits: int, start_ns: int, end_ns: int) -> float | None:
    """Share of the beats from start to end whose value, taken as a set of bits, has one of `bits`; None without beats."""
    inside = line_.values[(line_.t_ns >= start_ns) & (line_.t_ns <= end_ns)].astype(np.int64)
    return float(np.mean(inside & bits != 0)) if len(inside) else None


def peak(line_: Line) -> float:
    """The highest value."""
    return float(line_.values.max())


def growth(line_: Line) -> float:
    """The last value less the first."""
    return float(line_.values[-1] - line_.values[0])


def average(line_: Line) -> float:
    """The mean over the line's own time, by trapezoids; of a single beat its value."""
    first, last = int(line_.t_ns[0]), int(line_.t_ns[-1])
    return float(line_.values[0]) if first == last else integral(line_, first, last) / ((last - first) / 1e9)


def covers(line_: Line, start_ns: int, end_ns: int) -> bool:
    """True when the line has a beat at or before the end and one at or after the start."""
    return int(line_.t_ns[0]) <= end_ns and int(line_.t_ns[-1]) >= start_ns


def integral(line_: Line, start_ns: int, end_ns: int) -> float:
    """Value times seconds from start to end, by trapezoids; before the first and after the last beat the value holds."""
    inside = (line_.t_ns > start_ns) & (line_.t_ns < end_ns)
    stamps = np.concatenate(([start_ns], line_.t_ns[inside], [end_ns]))
    # Stamps become floats only as differences: nanoseconds since boot may need more than 53 bits.
    since = (stamps - start_ns) / 1e9
    values = np.interp(since, (line_.t_ns - start_ns) / 1e9, line_.values)
    return float(np.sum((values[1:] + values[:-1]) / 2 * np.diff(since)))
