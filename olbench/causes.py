"""What the readings say happened while a request ran."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from olbench import series
from olbench.column import Numbers, Rows
from olbench.gates import SLOWED
from olbench.readings import Readings
from olbench.series import Line
from olbench.units import words
from olbench.visit_metrics import GPU_THROTTLE, LOOP_LAG, OTHER_CPU, STEAL


@dataclass(frozen=True, slots=True)
class Cause:
    """Readings that explain a request when they rise above their usual value by the bar; the worst beat says how much."""

    pattern: str  # of the series' whole name
    bar: str  # key into THRESHOLDS; "": any value at all counts
    says: Callable[[float], str]
    read: Callable[[Line], Numbers] = lambda line: line.values


def _slowed(line: Line) -> Numbers:
    slowed: Numbers = np.where(line.values.astype(np.int64) & SLOWED, 1.0, 0.0)
    return slowed


# A row should look like a row; the first that holds is told.
# fmt: off
CAUSES: Sequence[Cause] = (
    Cause(OTHER_CPU, "other_cores", lambda most: f"other programs took {most:.1f} cores meanwhile"),
    Cause(STEAL, "stolen_cores", lambda most: f"the host of this virtual machine withheld {most:.1f} cores meanwhile"),
    Cause(r"host\.swap_(in|out)", "paging", lambda most: f"memory was swapped at {words(most, 'B/s', 2)} meanwhile"),
    Cause(GPU_THROTTLE, "", lambda _: "heat or the power supply held the GPU back meanwhile", _slowed),
    Cause(LOOP_LAG, "held_up", lambda most: f"olbench itself was held up for {words(most, 's', 2)} meanwhile"),
)
# fmt: on


def explained(sent_ns: int, end_ns: int, readings: Readings, limits: Mapping[str, float]) -> str | None:
    """What coincided with a request: "other programs took 1.8 cores meanwhile"; None where no reading stood out."""
    return reasons(np.array([sent_ns]), np.array([end_ns]), readings, limits)[0]


def reasons(
    sent_ns: Rows, end_ns: Rows, readings: Readings, limits: Mapping[str, float]
) -> tuple[str | None, ...]:
    """The same of many requests."""
    found: list[str | None] = [None] * len(sent_ns)
    for cause in CAUSES:
        bar = limits[cause.bar] if cause.bar else 0.0
        for line in series.lines(readings, cause.pattern):
            most, usual = _most(line, cause, sent_ns, end_ns)
            for row in np.flatnonzero(most - usual > bar).tolist():
                found[row] = found[row] or cause.says(float(most[row]))
    return tuple(found)


def _most(line: Line, cause: Cause, sent_ns: Rows, end_ns: Rows) -> tuple[Numbers, float]:
    """The highest value while each request ran, and the usual one; a beat tells of what passed since the one before."""
    values = cause.read(line)
    usual = float(np.median(values))
    first = np.searchsorted(line.t_ns, sent_ns, side="right")
    last = np.searchsorted(line.t_ns, end_ns, side="left")
    # The beat after the end still tells of the end, unless it came much later than beats do.
    beat = float(np.median(np.diff(line.t_ns))) if len(values) > 1 else 0.0
    after = np.append(line.t_ns, np.iinfo(np.int64).max)[last]
    last = np.where((last < len(values)) & (after - end_ns <= beat), last + 1, last)
    pairs = np.column_stack((first, last)).ravel()
    most = np.maximum.reduceat(np.append(values, -np.inf), pairs)[::2] if len(pairs) else np.empty(0)
    return np.where(last > first, most, usual), usual
