"""Single requests that are unlike the others: the first of each visit, those far out, and those that stood still.

Start-up. The k-th request of a visit is held against those of its own visit that can be no start-up, the last three
quarters. Its rank among them is evenly spread where it is one of them, whatever the distribution; so the sum of its
ranks over the visits has an exact chance. That, the size of the middle excess, and that it stands out of the usual
spread decide; the next request is looked at only where this one is cut.

Far out. Beyond the median by five times what the median absolute deviation makes of a normal spread (Hampel, "The
influence curve and its role in robust estimation", JASA 69, 1974), as ratios, for latencies and rates are positive and
lopsided. Such requests are told and kept.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from olbench.column import Column, Mask, Numbers, Rows
from olbench.findings import Better
from olbench.steady.trend import median

VISITS, REQUESTS = 3, 4  # fewer tell a start-up from nothing
CUT = 4  # at most one of so many requests is cut
STARTS = 0.02  # chance of the ranks; three visits of four requests reach 1 / 64
STARTS_SPREADS = 2.5  # and the excess in standard deviations of the other requests
DEVIATIONS = 5 * 1.4826  # in median absolute deviations: five standard deviations of a normal spread
SOME = 6  # values from which on one of them can be far out
USUAL_GAPS = 20  # how many usual gaps a stall is


def startup(visits: Sequence[Numbers], least: float, better: Better = "lower") -> int:
    """How many requests to cut at the beginning of each visit: 0 to a quarter of them.

    `visits` holds the values of each visit in the order of sending, NaN where a request has none.
    """
    filled = [one for one in visits if np.isfinite(one).sum() >= REQUESTS]
    if len(filled) < VISITS:
        return 0
    most = min(len(one) for one in filled) // CUT
    sign = -1.0 if better == "higher" else 1.0
    cut = 0
    while cut < most and _starts([sign * one for one in filled], cut, most, least):
        cut += 1
    return cut


def _starts(visits: Sequence[Numbers], place: int, most: int, least: float) -> bool:
    """Whether the requests at this place are worse than the later ones of their visits."""
    pairs = [(one[place], one[most:][np.isfinite(one[most:])]) for one in visits]
    pairs = [(own, rest) for own, rest in pairs if np.isfinite(own) and len(rest) >= REQUESTS - 1]
    if len(pairs) < VISITS:
        return False
    middles = np.array([median(rest) for _, rest in pairs])
    excess = np.array([own for own, _ in pairs]) - middles
    usual = median(np.abs(middles))
    spread = median(np.array([rest.std(ddof=1) for _, rest in pairs]))
    middle = median(excess)
    if middle <= max(least * usual, STARTS_SPREADS * spread):
        return False
    ranks = sum(int((rest < own).sum()) for own, rest in pairs)
    return ranks_p(ranks, tuple(len(rest) for _, rest in pairs)) <= STARTS


def ranks_p(ranks: int, others: Sequence[int]) -> float:
    """The chance that ranks, each evenly among 0 and that many others, sum up to so much or more."""
    even = (np.full(count + 1, 1 / (count + 1)) for count in others)
    return float(reduce(np.convolve, even)[ranks:].sum())


def outliers(values: Numbers, least: float) -> Mask:
    """Which values lie far out: by many times the usual spread, and by more than `least` as a share."""
    far: Mask = np.zeros(len(values), dtype=np.bool_)
    there = np.flatnonzero(np.isfinite(values))
    if len(there) < SOME:
        return far
    seen = values[there]
    usual = median(seen)
    if (seen > 0).all():
        away, bar = np.abs(np.log(seen / usual)), float(np.log1p(least))
    else:
        away, bar = np.abs(seen - usual), least * abs(usual)
    far[there] = (away > DEVIATIONS * median(away)) & (away > bar)
    return far


def stalls(gaps: Column, usual: float, least_s: float) -> tuple[Rows, Numbers]:
    """The samples with a gap that is a stall, and the longest of each; `usual` is the cell's usual gap."""
    samples = np.repeat(np.arange(len(gaps.lengths)), gaps.lengths)
    long = (gaps.numbers > least_s) & (gaps.numbers > USUAL_GAPS * usual)
    longest = np.zeros(len(gaps.lengths))
    np.maximum.at(longest, samples[long], gaps.numbers[long])
    rows = np.flatnonzero(longest)
    return rows, longest[rows]


def late_starts(ttft: Numbers, usual_gap: float, least_s: float, least: float) -> Mask:
    """Which first tokens came later than the usual one by a stall, and lie far out besides."""
    there = ttft[np.isfinite(ttft)]
    if not len(there):
        return np.zeros(len(ttft), dtype=np.bool_)
    later = ttft - median(there)
    late: Mask = outliers(ttft, least) & (later > least_s) & (later > USUAL_GAPS * usual_gap)
    return late
