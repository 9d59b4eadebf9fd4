"""The intervals of high percentiles: from one order statistic to another, as far apart as visits that differ demand.

How many of n samples lie below the true p-quantile decides which order statistics hold it. For independent samples
that number is binomial (Hahn and Meeker, "Statistical Intervals", chapter 5). Samples of one visit rise and fall together,
so their number below varies more, and how much more is hardly seen in the few samples of the tail. It is seen in
all of them: ranks turn into normal scores, so that no shape of a distribution is assumed, and the ratio F of their variance
between visits to that within says what part of the variance is the visits' (Searle, Casella and McCulloch,
"Variance Components", 1992). A visit's count is then binomial with a chance of its own, Phi((z - sqrt(rho) a) / sqrt(1 - rho))
with a normal (Vasicek, "The distribution of loan portfolio value", Risk 15, 2002), and the count of all visits their
convolution.

F of a few visits says little of rho, so no single rho is taken: counts are averaged over all that F allows, with even odds for
visits that do not differ beforehand, and all others equally likely. Ranks are interpolated so that each tail gets 2.5 %, no less
(Nyblom, "Note on interpolated order statistics", Statistics & Probability Letters 14, 1992; Hutson, "Calculating
nonparametric confidence intervals for quantiles using fractional order statistics", J. Applied Statistics 26, 1999).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from olbench.stats.order import Numbers

TAIL = 0.025
# An interval needs its largest sample beyond the quantile. Where visits differ as much as requests do, it may lie below
# with this chance at most: at 2.5 % only lucky runs get an interval, and it holds 91 %; at 1.5 % it holds 93 % and more.
SPARE = 0.015
# Fewer visits say too little of how much they differ: the median's interval holds 92 % with 4, that of p90 89 % with 5 of 30, that of
# p95 92 % with 7 of 100.
MIDDLE_VISITS, TAIL_VISITS = 5, 8
ALIKE = 0.5  # that visits do not differ at all, before F is seen
CELLS = 24  # strengths of visits that are looked at, beside none
EXACT = 32  # samples a visit up to which each number has its own table; above, two digits of it are enough
BINS = 256  # a visit's count is kept in at most so many steps
FEWEST = 1e-9

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class Layout:
    """How samples lie in visits: as so many visits of so many samples each, as good as it comes in whole numbers."""

    visits: int
    each: int
    samples: int
    scale: float  # samples a visit for the ratio of variances

    @property
    def freedom(self) -> int:
        """Degrees of freedom within visits."""
        return self.samples - self.visits


def layout(sizes: Sequence[int]) -> Layout:
    """The layout of visits of these sizes; one visit that has nearly all samples counts as nearly the only one."""
    samples, squares = sum(sizes), sum(size * size for size in sizes)
    visits = round(samples * samples / squares)
    scale = (samples - squares / samples) / (len(sizes) - 1) if len(sizes) > 1 else float(samples)
    return Layout(visits, max(round(squares / samples), 1), samples, scale)


def visits_needed(p: float, each: int) -> int:
    """Visits of so many samples from which the p-quantile may have an interval."""
    if each == 1:
        return math.ceil(math.log(TAIL) / math.log(p))
    if p == 0.5:
        return MIDDLE_VISITS
    return max(math.ceil(math.log(SPARE) / math.log(_all_below(p, each))), TAIL_VISITS)


@lru_cache(maxsize=1024)
def _all_below(p: float, each: int) -> float:
    """The chance that a whole visit lies below the quantile where visits differ as much as requests do."""
    return float(_WEIGHTS @ _chances(np.array([1.0]), p)[0] ** each)


def interval(ratio: float, of: Layout, p: float) -> tuple[float, float] | int:
    """Ranks of the interval's ends; where visits differ too much for one, from about how many on it may have one."""
    seen = np.array([ratio])
    low, high = ranks(seen, of, p)
    if math.isnan(low[0]) or math.isnan(high[0]):
        return _enough(posterior(seen, of)[0], of, p)
    return float(low[0]), float(high[0])


def ratio(visits: Sequence[Numbers], ordered: Numbers) -> float:
    """F of the samples' normal scores: their variance between visits over that within; equal numbers share a rank."""
    count, groups = len(ordered), len(visits)
    if count == groups or ordered[0] == ordered[-1]:
        return 1.0
    sums, squares, between = 0.0, 0.0, 0.0
    for one in visits:
        middle = ordered.searchsorted(one, "left") + ordered.searchsorted(one, "right")
        scores = special.ndtri(middle / (2 * count))
        total = float(scores.sum())
        sums, squares, between = sums + total, squares + float(scores @ scores), between + total**2 / len(one)
    within = (squares - between) / (count - groups)
    return (between - sums**2 / count) / (groups - 1) / max(within, FEWEST)


def ranks(ratios: Numbers, of: Layout, p: float) -> tuple[Numbers, Numbers]:
    """For each F the ranks, from 1 and with fractions, that hold the p-quantile; NaN where it may lie beyond all samples."""
    counts = posterior(ratios, of) @ _below(of.visits, _rounded(of.each), p)
    stretch = (of.samples + 1) / (counts.shape[1] + 1)
    low, high = _crossing(counts, TAIL), _crossing(counts, 1 - TAIL)
    return np.clip(low * stretch, 1, of.samples), np.clip(high * stretch, 1, of.samples)


def posterior(ratios: Numbers, of: Layout) -> Numbers:
    """For each F how likely each strength of visits is."""
    strengths = _strengths(_rounded(of.each))
    if len(strengths) == 1:
        return np.ones((len(ratios), 1))
    between, within = of.visits - 1, of.freedom
    stretch = 1 + of.scale * strengths
    seen = np.maximum(ratios[:, None], FEWEST) / stretch
    likely = (between / 2 - 1) * np.log(seen) - np.log(stretch)
    likely -= (between + within) / 2 * np.log1p(between * seen / within)
    weights = _prior(strengths) * np.exp(likely - likely.max(axis=1, keepdims=True))
    found: Numbers = weights / weights.sum(axis=1, keepdims=True)
    return found


def _enough(weights: Numbers, of: Layout, p: float) -> int:
    """About how many visits would reach beyond the quantile, if they differ as these do."""
    alone = _WEIGHTS @ _chances(_strengths(_rounded(of.each)), p).T ** of.each
    more = of.visits * np.geomspace(1, 1000, 200)
    missed = (alone ** more[:, None]) @ weights
    first = int((missed <= TAIL).argmax()) if missed[-1] <= TAIL else len(more) - 1
    return max(math.ceil(float(more[first])), of.visits + 1)


@lru_cache(maxsize=128)
def _below(visits: int, each: int, p: float) -> Numbers:
    """P(the quantile lies below the r-th of all samples), r from 1, in a row for each strength."""
    alone = _counts(each, p)
    last = (alone.shape[1] - 1) * visits
    length = 1 << last.bit_length()
    every = np.fft.irfft(np.fft.rfft(alone, length, axis=1) ** visits, length, axis=1)
    found: Numbers = np.cumsum(np.maximum(every[:, :last], 0), axis=1)
    return found


@lru_cache(maxsize=128)
def _counts(each: int, p: float) -> Numbers:
    """How likely each number of one visit's samples lies below the quantile, in a row for each strength."""
    chances = _chances(_strengths(each), p)[:, :, None]
    if each <= BINS:
        count = np.arange(each + 1.0)
        ways = special.gammaln(each + 1) - special.gammaln(count + 1) - special.gammaln(each - count + 1)
        likely = np.exp(ways + special.xlogy(count, chances) + special.xlog1py(each - count, -chances))
        exact: Numbers = np.einsum("sak,a->sk", likely, _WEIGHTS)
        return exact
    # Of more samples, each of BINS steps has the counts that are nearest to it.
    edges = np.floor(each * (np.arange(BINS) + 0.5) / BINS)
    upto = np.einsum("sak,a->sk", special.bdtr(edges, each, chances), _WEIGHTS)
    found: Numbers = np.diff(upto, axis=1, prepend=0.0, append=1.0)
    return found


def _chances(strengths: Numbers, p: float) -> Numbers:
    """A visit's own chance that a sample of it lies below the quantile: strengths x nodes of the normal distribution."""
    share = (strengths / (1 + strengths))[:, None]
    found: Numbers = special.ndtr((special.ndtri(p) - np.sqrt(share) * _NODES) / np.sqrt(1 - share))
    return found


@lru_cache(maxsize=256)
def _strengths(each: int) -> Numbers:
    """Variances between visits, as multiples of that within; none where a visit has one sample."""
    return np.zeros(1) if each == 1 else np.concatenate(([0.0], np.geomspace(0.1 / each, 30, CELLS)))


def _prior(strengths: Numbers) -> Numbers:
    """ALIKE for none; the rest evenly over the visits' share of the variance."""
    middles = (strengths[1:] + strengths[:-1]) / 2
    cells = np.diff(middles / (1 + middles), prepend=0.0, append=1.0) * (1 - ALIKE)
    cells[0] += ALIKE
    return cells


def _crossing(rows: Numbers, level: float) -> Numbers:
    """The rank at which each row, which ascends, passes `level`; NaN where it begins above or ends below."""
    row, last = np.arange(len(rows)), rows.shape[1] - 1
    count = (rows < level).sum(axis=1)
    before, after = rows[row, np.maximum(count - 1, 0)], rows[row, np.minimum(count, last)]
    found = count + (level - before) / np.maximum(after - before, FEWEST**2)
    return np.where((count == 0) | (count > last), np.nan, found)


def _rounded(each: int) -> int:
    """Two digits of a large number, so that few tables do for many cells."""
    step = 10 ** max(len(str(each)) - 2, 0)
    return each if each <= EXACT else round(each / step) * step
