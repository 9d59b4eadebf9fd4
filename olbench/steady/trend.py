"""A slow change of a cell over its visits: how large it is, and how sure.

The change is Theil and Sen's slope, the median of the slopes between all pairs of visits, with the interval of Sen,
"Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968. Its p is Mann and Kendall's: that of S,
how many pairs rise less how many fall (Mann, Econometrica 13, 1945; Kendall, "Rank Correlation Methods"). Up to ten
visits the null distribution is exact, ties and all: orders of a multiset by their inversions, whose generating function
is the q-multinomial coefficient. Beyond that it is normal, with the variance corrected for ties and for continuity.

Ranks alone cannot be sure of few visits: five stand in order by chance once in sixty times. So a drift fires only where
a straight line by least squares is surer still (LINE), for five visits in order that lie beside any line are noise.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from olbench.column import Mask, Numbers, Rows
from olbench.prose import counted
from olbench.stats import quantile

NEEDED = 5  # four visits in order have p = 2 / 24, so no test of order can fire on them
EXACT = 10  # visits up to which the distribution of S is exact
LEVEL = 0.95  # of the interval
ORDER = 0.02  # p of Mann-Kendall; five visits in order reach 2 / 120
# How often noise alone may look like a straight line. The change must be large as well, so that visits which differ by
# 3 % give a false alarm in one of 150 cells; half of this would miss three of four drifts of 10 % in five visits.
LINE = 0.005
CHANCE = 0.002  # how often noise alone may look like a step: it has every visit to begin at


@dataclass(frozen=True, slots=True)
class Drift:
    """A slow change from the first visit to the last, as a share of the first."""

    change: float
    low: float
    high: float
    p: float  # Mann-Kendall
    span_s: float  # from the first visit to the last; with visits that have no time of their own, their number less 1
    visits: int
    fires: bool


def drift(values: ArrayLike, times_s: ArrayLike, least: float) -> Drift | None:
    """The drift of values taken at these times; None where it cannot be judged, and `unjudged` says why.

    It fires where the change is larger than `least`, its interval excludes 0, and neither the order of the visits
    nor their lying on a line comes about by chance.
    """
    seen, times = ordered(values, times_s)
    if unjudged(len(seen)):
        return None
    slopes = _slopes(seen, times)
    slope, rise = quantile(slopes, 0.5), float(times[-1] - times[0])
    first = median(seen - slope * (times - times[0]))
    if first <= 0:
        return None
    ties = tuple(sorted(Counter(seen.tolist()).values()))
    p = order_p(kendall(seen), ties)
    low, high = (float(one) * rise / first for one in _interval(slopes, ties))
    change = slope * rise / first
    sure = p <= ORDER and line_p(seen, times) <= LINE
    fires = abs(change) > least and not low <= 0 <= high and sure
    return Drift(change, low, high, p, rise, len(seen), fires)


def unjudged(visits: int) -> str:
    """Why so many visits show no drift; "" where they would."""
    return f"{counted(visits, 'visit')}: a drift can be told from {NEEDED} on" if visits < NEEDED else ""


def ordered(values: ArrayLike, times_s: ArrayLike) -> tuple[Numbers, Numbers]:
    """The finite values in the order of their times; where times are unknown or alike, their places stand for them."""
    seen, times = np.asarray(values, dtype=np.float64), np.asarray(times_s, dtype=np.float64)
    there: Mask = np.isfinite(seen)
    seen, times = seen[there], times[there]
    if not np.isfinite(times).all() or len(np.unique(times)) < len(times):
        return seen, np.arange(len(seen), dtype=np.float64)
    place = np.argsort(times)
    return seen[place], times[place]


def median(values: Numbers) -> float:
    """The middle of finite values, of which there is one at least."""
    return quantile(np.sort(values), 0.5)


def kendall(values: Numbers) -> int:
    """S: pairs that rise less pairs that fall."""
    early, late = _pairs(len(values))
    return int(np.sign(values[late] - values[early]).sum())


def order_p(s: int, ties: tuple[int, ...]) -> float:
    """The chance of an S as far from 0 among values in random order; `ties`: how many are alike, 1 for a single one."""
    count = sum(ties)
    if count <= EXACT:
        chances = _chances(ties)
        falls = np.arange(len(chances))
        far = np.abs(len(chances) - 1 - 2 * falls) >= abs(s)
        return min(1.0, float(chances[far].sum()))
    spread = math.sqrt(_variance(ties))
    return 1.0 if spread == 0 or s == 0 else float(2 * special.ndtr(-(abs(s) - 1) / spread))


def line_p(values: Numbers, times: Numbers) -> float:
    """The chance of a least-squares slope as steep, by Student's t."""
    count = len(values)
    since = times - times.mean()
    across = float(since @ since)
    slope = float(since @ values) / across
    rest = values - values.mean() - slope * since
    error = math.sqrt(float(rest @ rest) / (count - 2) / across)
    # Of figures that all lie on the line only rounding is left, and of nothing at all there is no slope.
    error = max(error, 1e-12 * abs(float(values.mean())) / math.sqrt(across))
    return 1.0 if slope == 0 else float(2 * special.stdtr(count - 2, -abs(slope) / error))


@lru_cache(maxsize=64)
def _pairs(count: int) -> tuple[Rows, Rows]:
    """The earlier and the later one of all pairs."""
    early, late = np.triu_indices(count, 1)
    return early, late


def _slopes(values: Numbers, times: Numbers) -> Numbers:
    """The slopes between all pairs, in ascending order."""
    early, late = _pairs(len(values))
    slopes: Numbers = np.sort((values[late] - values[early]) / (times[late] - times[early]))
    return slopes


def _interval(slopes: Numbers, ties: tuple[int, ...]) -> tuple[float, float]:
    """Sen's: the slopes that leave as many outside on either side as S rarely differs from 0."""
    pairs, reach = len(slopes), _reach(ties)
    low = max(round((pairs - reach) / 2) - 1, 0)
    high = min(round((pairs + reach) / 2), pairs - 1)
    return float(slopes[low]), float(slopes[high])


@lru_cache(maxsize=256)
def _reach(ties: tuple[int, ...]) -> float:
    """The least c that S passes on either side with no more than 1 - LEVEL."""
    if sum(ties) > EXACT:
        return float(special.ndtri((1 + LEVEL) / 2)) * math.sqrt(_variance(ties))
    most = len(_chances(ties)) - 1  # pairs that are not alike
    steps = range(most % 2, most + 1, 2)
    return float(next(c for c in steps if c == most or order_p(c + 2, ties) <= 1 - LEVEL + 1e-12))


@lru_cache(maxsize=256)
def _chances(ties: tuple[int, ...]) -> Numbers:
    """The chance of 0, 1, 2, ... falling pairs among values in random order: S is all unlike pairs less twice those."""
    found = np.ones(1)
    for place in range(1, sum(ties) + 1):
        found = np.convolve(found, np.ones(place))
    for alike in ties:
        for place in range(2, alike + 1):
            found = _divided(found, place)
    shares: Numbers = found / found.sum()
    return shares


def _divided(whole: Numbers, place: int) -> Numbers:
    """The polynomial whose product with 1 + q + ... + q^(place - 1) is the whole; exact, for all are whole numbers."""
    found = np.zeros(len(whole) - place + 1)
    for power in range(len(found)):
        found[power] = whole[power] - found[max(0, power - place + 1) : power].sum()
    return found


def _variance(ties: Sequence[int]) -> float:
    """Of S among values in random order."""
    count = sum(ties)
    alike = sum(one * (one - 1) * (2 * one + 5) for one in ties)
    return (count * (count - 1) * (2 * count + 5) - alike) / 18
