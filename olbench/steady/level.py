"""A sudden change of a cell's level: between two of its visits, or in the middle of one.

A step is two levels with one place between them, found by least squares. Over five visits and more the difference is
held against the scatter about the two levels by Student's t, and its p multiplied by the number of places that were
tried (Bonferroni), for the place was chosen because it differs most. Note: no test by exchanging visits can serve; of
ten visits in halves the surest order comes about by chance once in a hundred times.

Requests of one visit follow each other and are not independent, so no test of theirs is to be trusted alone: the change
must also be SPREADS times the scatter about its two levels, which wandering values do not reach. Where there are few
visits, a change between two of them may be how visits differ: it must be twice as large.

A ramp is not a step: where a straight line says as much with one parameter less, nothing fires (Schwarz, "Estimating the
dimension of a model", Annals of Statistics 6, 1978).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from olbench.column import Numbers
from olbench.steady.trend import CHANCE, NEEDED, median, ordered

SIDE = 3  # requests on each side of a step within a visit
SPREADS = 4.0  # standard deviations about the levels
BETWEEN_FEW = 2.0  # how many times `least` a change between few visits must be
FREE = 3  # what a scatter must rest on beside the levels


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level, as a share of the level before."""

    visit: int  # place among the values (or visits) given: where the new level is first seen
    request: int | None  # place within that visit; None: between it and the visit before
    before: float
    after: float
    p: float  # 1 where no test was made and size alone decides
    fires: bool

    @property
    def size(self) -> float:
        """After less before, as a share of before."""
        return self.after / self.before - 1


@dataclass(frozen=True, slots=True)
class _Split:
    """The two levels that leave the least squares. What costs time is computed where it is asked for."""

    values: Numbers
    times: Numbers
    place: int
    tried: int  # places
    whole: float  # sum of squares about one level
    left: float  # about the two

    @property
    def before(self) -> float:
        return median(self.values[: self.place])  # one far value moves no median

    @property
    def after(self) -> float:
        return median(self.values[self.place :])

    @property
    def free(self) -> int:
        return len(self.values) - 2

    @property
    def p(self) -> float:
        """Student's t for the best of all places tried."""
        if self.free == 0 or self.left == 0:
            return 1.0
        t = math.sqrt(max(self.whole - self.left, 0.0) / (self.left / self.free))
        return min(1.0, self.tried * 2 * float(special.stdtr(self.free, -t)))

    @property
    def spread(self) -> float:
        """Standard deviation about the two levels; NaN where nothing is left to judge it by."""
        return math.sqrt(self.left / self.free) if self.free else math.nan

    def is_large(self, least: float) -> bool:
        return self.before > 0 and abs(self.after / self.before - 1) > least

    def stands_out(self, spread: float) -> bool:
        """Whether the change is many times this spread; where there is none to judge by, it does."""
        return math.isnan(spread) or abs(self.after - self.before) > SPREADS * spread

    def beats_line(self) -> bool:
        """Whether two levels and a place say more than a straight line, which has a parameter less."""
        if self.free == 0:
            return True
        count, since = len(self.values), self.times - self.times.mean()
        slope = float(since @ self.values) / float(since @ since)
        line = max(self.whole - slope * slope * float(since @ since), _rounding(self.values))
        return self.left > 0 and count * math.log(self.left / line) + math.log(count) < 0


def step(values: ArrayLike, times_s: ArrayLike, least: float) -> Step | None:
    """The step between visits; None where there are too few to judge by, see `trend.unjudged`. `Step.visit` counts finite
    values in the order of their times.
    """
    seen, times = ordered(values, times_s)
    if len(seen) < NEEDED:
        return None
    found = _split(seen, times, 1)
    if found.before <= 0:
        return None
    fires = found.p <= CHANCE and found.is_large(least) and found.beats_line()
    return Step(found.place, None, found.before, found.after, found.p, fires)


def steps_of_requests(visits: Sequence[Numbers], least: float) -> tuple[Step, ...]:
    """The steps that fire among all requests, one array a visit in the order of sending, visits in theirs.

    Places count as given: a visit without values is passed over, and so is a request without one.
    """
    within = tuple(_within(visits, least))
    between = _between(visits, least)
    return within if between is None else (between, *within)


def _within(visits: Sequence[Numbers], least: float) -> Iterator[Step]:
    """Steps in the middle of visits."""
    rows = [np.flatnonzero(np.isfinite(one)) for one in visits]
    tried = sum(max(0, len(one) - 2 * SIDE + 1) for one in rows)
    for place, (visit, there) in enumerate(zip(visits, rows, strict=True)):
        if len(there) < 2 * SIDE:
            continue
        found = _split(visit[there], np.arange(len(there), dtype=np.float64), SIDE)
        p = min(1.0, found.p * tried / (len(there) - 2 * SIDE + 1))
        sure = p <= CHANCE and found.stands_out(found.spread) and found.beats_line()
        if sure and found.is_large(least):
            yield Step(place, int(there[found.place]), found.before, found.after, p, fires=True)


def _between(visits: Sequence[Numbers], least: float) -> Step | None:
    """The step between two visits that is too large for how visits differ."""
    filled = [(place, one[np.isfinite(one)]) for place, one in enumerate(visits) if np.isfinite(one).any()]
    free = sum(len(one) - 1 for _, one in filled)
    if len(filled) < 2 or free < FREE:
        return None
    medians = np.array([median(one) for _, one in filled])
    found = _split(medians, np.arange(len(medians), dtype=np.float64), 1)
    apart = sum(float(((one - one.mean()) ** 2).sum()) for _, one in filled)
    alone = found.stands_out(math.sqrt(apart / free)) and found.stands_out(found.spread)
    if found.is_large(BETWEEN_FEW * least) and alone and found.beats_line():
        return Step(filled[found.place][0], None, found.before, found.after, 1.0, fires=True)
    return None


def _split(values: Numbers, times: Numbers, side: int) -> _Split:
    """The split with at least `side` values on each side."""
    count, centred = len(values), values - values.mean()
    places = np.arange(side, count - side + 1)
    gains = np.cumsum(centred)[places - 1] ** 2 * count / (places * (count - places))
    best, whole = int(gains.argmax()), float(centred @ centred)
    left = max(whole - float(gains[best]), _rounding(values))
    return _Split(values, times, int(places[best]), len(places), whole, left)


def _rounding(values: Numbers) -> float:
    """What squares leave of values that lie wholly on their levels."""
    return len(values) * (1e-9 * float(np.abs(values).mean())) ** 2
