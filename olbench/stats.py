"""What a handful of numbers supports: typical values, percentiles, and 95 % intervals, or the reason for none.

Typical value. Samples of one visit share a load, a placement, a warm cache and a moment of the machine, so they are
not independent; visits are, because each is prepared anew and their order is shuffled. The typical value is
the mean over visits of the visit's median, its interval Student's t over those medians: mean +- t(0.975, v - 1) s / sqrt(v)
(Student, "The probable error of a mean", Biometrika 6, 1908). Two visits would allow one by the letter, 12.7 standard
errors wide; three are asked for.

Percentiles are pooled over all samples and interpolated linearly between order statistics: type 7 of Hyndman and Fan,
"Sample quantiles in statistical packages", The American Statistician 50, 1996 (the default of numpy, R and Excel). Their
intervals run from one order statistic to another and assume no distribution (Hahn and Meeker, "Statistical
Intervals", chapter 5): [x(l), x(u)] holds the p-quantile with probability P(l <= B < u), B binomial with n and p. Each tail
gets at most 2.5 % where n allows it; below that u is n, and l takes what is left of the 5 %. These intervals treat
requests as independent; where visits differ more than their samples do, they are too narrow, and the typical value's
interval is the one to trust.

A percentile p is given from 1 / (1 - p) samples on: below that it would be the maximum by another name.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from olbench.findings import Estimate, Summary
from olbench.prose import counted, ranked

LEVEL = 0.95
VISITS_NEEDED = 3
# percentile -> (samples for the figure, samples for its interval: the least n with 1 - p^n - (1 - p)^n >= 0.95)
NEEDED = {50: (2, 6), 90: (10, 29), 95: (20, 59), 99: (100, 299)}

Numbers = NDArray[np.float64]


def summary(
    metric: str,
    visits: Sequence[Numbers],
    missing: Mapping[str, int],
    *,
    noun: str = "sample",
    nothing: str = "nothing was measured",
    related: str = "",
) -> Summary:
    """The summary of one metric; `visits` holds each visit's numbers in the order of repeats.

    `noun` is what the numbers are one of; `nothing` is the reason when there are no numbers and none is missing;
    `related`, unless empty, is why they are not independent: then percentiles get no interval.
    """
    filled = [numbers for numbers in visits if len(numbers)]
    medians = tuple(quantile(np.sort(numbers), 0.5) for numbers in filled)
    pooled = np.concatenate(filled) if filled else np.empty(0)
    pooled.sort()  # in place: of gaps there may be millions
    why = ranked(missing)[0][0] if missing else nothing
    of = {
        p: percentile(pooled, p, noun=noun, related=related) if filled else Estimate(None, None, None, why)
        for p in NEEDED
    }
    return Summary(
        metric=metric,
        samples=len(pooled),
        visits=len(filled),
        typical=typical(medians) if filled else Estimate(None, None, None, why),
        p50=of[50],
        p90=of[90],
        p95=of[95],
        p99=of[99],
        least=float(pooled[0]) if filled else None,
        most=float(pooled[-1]) if filled else None,
        per_visit=medians,
        missing=tuple(ranked(missing)),
    )


def typical(medians: Sequence[float]) -> Estimate:
    """The mean of the visits' medians with a Student-t interval, from three visits on."""
    count = len(medians)
    if count == 0:
        return Estimate(None, None, None, "no visit gave a value")
    mean = math.fsum(medians) / count
    if count < VISITS_NEEDED:
        return Estimate(mean, None, None, f"{counted(count, 'visit')}; an interval needs {VISITS_NEEDED}")
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in medians) / (count - 1))
    half = _student(count - 1) * deviation / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half)


def percentile(ordered: Numbers, p: int, *, noun: str = "sample", related: str = "") -> Estimate:
    """The p-th percentile of numbers in ascending order, with the interval that order statistics give."""
    count = len(ordered)
    for_figure, for_interval = NEEDED[p]
    if count < for_figure:
        return Estimate(None, None, None, f"{counted(count, noun)}; p{p} needs {for_figure}")
    value = quantile(ordered, p / 100)
    if related:
        return Estimate(value, None, None, related)
    if count < for_interval:
        return Estimate(
            value, None, None, f"{counted(count, noun)}; an interval of p{p} needs {for_interval}"
        )
    low, high = ranks(count, p / 100)
    return Estimate(value, float(ordered[low - 1]), float(ordered[high - 1]))


def quantile(ordered: Numbers, p: float) -> float:
    """Type 7: linear between the order statistics around 1 + (n - 1) p."""
    place = (len(ordered) - 1) * p
    below = math.floor(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return low + (high - low) * (place - below)


@lru_cache(maxsize=4096)
def ranks(count: int, p: float) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics that hold the p-quantile, p >= 0.5, with 95 % or more."""

    def below(rank: int) -> float:
        """P(fewer than `rank` of the numbers lie below the quantile), i.e. P(B < rank)."""
        return float(special.bdtr(rank - 1, count, p)) if rank > 0 else 0.0

    tail = (1 - LEVEL) / 2
    upper = bisect_left(range(count + 1), 1 - tail, key=below)
    upper = min(upper, count)
    spent = 1 - below(upper)
    lower = bisect_left(range(1, upper), min(tail, 1 - LEVEL - spent), key=below)
    return max(lower, 1), upper


@lru_cache(maxsize=256)
def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t."""
    return float(special.stdtrit(freedom, 1 - (1 - LEVEL) / 2))
