"""A share of requests with Wilson's interval, on as many independent requests as requests that queued together are worth.

Who waits, waits behind others who wait: near its capacity a server keeps or breaks a bound for dozens of requests in a
row, and 200 requests may know as much as four. How many go together is the sum of their autocorrelations, up to where
two neighbouring ones no longer add up to more than zero (the initial monotone sequence of Geyer, "Practical Markov chain Monte
Carlo", Statistical Science 7, 1992). Of a bound that is seldom broken, too few breaches are seen to tell: without one in sight,
all would pass for independent. So the figures themselves are asked too, of which each request has one: who queued shows in
them long before a bound breaks. The larger of both holds.
"""

import math
from collections.abc import Sequence

import numpy as np

from olbench.findings import Estimate
from olbench.prose import counted
from olbench.sized import Kept
from olbench.stats.order import Numbers

NORMAL = 1.959963984540054  # the 97.5 % quantile
LEAST = 20  # requests below which no interval is given
# Correlations are taken from the sample's own mean, which moves along with them: a short sample shows too little.
SHORT = 4.0


def attained(
    met: Sequence[Sequence[bool]], share: float, figures: Sequence[Sequence[float]] = ()
) -> tuple[Estimate, Kept]:
    """The share of requests that met a bound, and whether it is `share` at least; each visit in the order of due times.

    "kept" if the whole interval is, "broken" if none of it is, else "unclear". `figures`: what was held against the
    bound, one a request like `met`, not a finite number where there was none. Leave them out only where requests do not queue
    for what is asked, such as not to fail.
    """
    marks = [np.asarray(one, dtype=np.float64) for one in met if len(one)]
    count = sum(map(len, marks))
    if not count:
        return Estimate(None, None, None, "no request fell due"), "unclear"
    value = float(sum(one.sum() for one in marks)) / count
    if count < LEAST:
        why = f"{counted(count, 'request')}; an interval needs {LEAST}"
        return Estimate(value, None, None, why), "unclear"
    low, high = wilson(value, independent(met, figures))
    return Estimate(value, low, high), "kept" if low >= share else "broken" if high < share else "unclear"


def independent(met: Sequence[Sequence[bool]], figures: Sequence[Sequence[float]] = ()) -> float:
    """How many independent requests say as much as these, of which there is at least one; arguments as above."""
    marks = [np.asarray(one, dtype=np.float64) for one in met if len(one)]
    alike = together(marks)
    if any(len(one) for one in figures):
        alike = max(alike, together(_within(marks, figures)))
    return sum(map(len, marks)) / alike


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's score interval: "Probable inference", JASA 22, 1927."""
    square = NORMAL * NORMAL / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    # At the ends it ends there, but for rounding.
    return 0.0 if share == 0 else max(0.0, middle - half), 1.0 if share == 1 else min(1.0, middle + half)


def together(visits: Sequence[Numbers]) -> float:
    """How many requests are worth one independent one: 1 at least, half of all at most."""
    count = sum(map(len, visits))
    mean = sum(float(one.sum()) for one in visits) / count
    products = _products([one - mean for one in visits])
    if products[0] <= 1e-12 * count * max(1.0, mean * mean):
        return 1.0  # all alike, but for rounding
    pairs = (products[0::2] + products[1::2]) / products[0]
    ends = np.flatnonzero(pairs <= 0)
    kept = pairs[: ends[0]] if len(ends) else pairs
    time = max(1.0, 2 * float(np.minimum.accumulate(kept).sum()) - 1)
    return min(time * (1 + SHORT * (time - 1) / count), count / 2)


def _products(centred: Sequence[Numbers]) -> Numbers:
    """Sums of products of requests of one visit, by how many places they are apart; an even number of sums."""
    longest = max(map(len, centred))
    size = 1 << (2 * longest).bit_length()
    power = np.zeros(size // 2 + 1)
    for one in centred:
        spectrum = np.fft.rfft(one, size)
        power += spectrum.real**2 + spectrum.imag**2
    found: Numbers = np.fft.irfft(power, size)[: longest + longest % 2]
    return found


def _within(marks: Sequence[Numbers], figures: Sequence[Sequence[float]]) -> list[Numbers]:
    """The figures, where the bound was broken no worse than at the bound: one timeout must not drown what queued."""
    visits = [np.asarray(one, dtype=np.float64) for one in figures if len(one)]
    seen, met = np.concatenate(visits), np.concatenate(marks) > 0
    known = np.isfinite(seen)
    if not (known & met).any():
        return [np.where(np.isfinite(one), one, 0.0) for one in visits]
    good = seen[known & met]
    low, high = float(good.min()), float(good.max())
    bad = seen[known & ~met]
    worst = low if len(bad) and np.median(bad) < low else high
    return [
        np.where(mark > 0, np.where(np.isfinite(one), one, worst), worst)
        for one, mark in zip(visits, marks, strict=True)
    ]
