"""What a handful of numbers supports: typical values, percentiles, and 95 % intervals, or the reason for none.

Requests of one visit resemble each other, visits are independent: every interval counts visits. Each speaks of a random
request of a random visit, and `make calibrate` shows how often it holds (docs/statistics.md). Percentiles are
pooled over all samples and interpolated linearly between order statistics: type 7 of Hyndman and Fan, "Sample quantiles in
statistical packages", The American Statistician 50, 1996 (the default of numpy, R and Excel). A percentile p is given from
1 / (1 - p) samples on: below that it would be the maximum by another name.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from olbench.findings import Estimate, Summary
from olbench.prose import counted, ranked
from olbench.stats import shares, tails
from olbench.stats.order import Numbers, at, quantile
from olbench.stats.tails import visits_needed
from olbench.stats.visits import VISITS_NEEDED, enough, typical

__all__ = [
    "NEEDED",
    "VISITS_NEEDED",
    "enough",
    "percentiles",
    "quantile",
    "summary",
    "typical",
    "visits_needed",
]

# percentile -> samples for the figure; for its interval see visits_needed
NEEDED = {50: 2, 90: 10, 95: 20, 99: 100}


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
    `related`, unless empty, is why they are not independent even of their neighbours: then percentiles get no interval.
    """
    filled = [np.sort(numbers) for numbers in visits if len(numbers)]
    medians = tuple(quantile(numbers, 0.5) for numbers in filled)
    pooled = np.concatenate(filled) if filled else np.empty(0)
    pooled.sort()  # in place: of gaps there may be millions
    why = ranked(missing)[0][0] if missing else nothing
    none = dict.fromkeys(NEEDED, Estimate(None, None, None, why))
    of = percentiles(filled, pooled, noun=noun, related=related) if filled else none
    return Summary(
        metric=metric,
        samples=len(pooled),
        visits=len(filled),
        typical=typical(filled) if filled else Estimate(None, None, None, why),
        p50=of[50],
        p90=of[90],
        p95=of[95],
        p99=of[99],
        least=float(pooled[0]) if filled else None,
        most=float(pooled[-1]) if filled else None,
        per_visit=medians,
        missing=tuple(ranked(missing)),
    )


def percentiles(
    visits: Sequence[Numbers], ordered: Numbers, *, noun: str = "sample", related: str = ""
) -> dict[int, Estimate]:
    """Each percentile with its interval; each visit's numbers, and all of them together, in ascending order."""
    of = tails.layout([len(one) for one in visits])
    barred = {p: related or _too_few(of, len(visits), p, noun) for p in NEEDED}
    far = any(p > 50 and not why for p, why in barred.items())
    ratio = tails.ratio(visits, ordered) if far else 1.0
    found: dict[int, Estimate] = {}
    for p, why in barred.items():
        if len(ordered) < NEEDED[p]:
            found[p] = Estimate(None, None, None, f"{counted(len(ordered), noun)}; p{p} needs {NEEDED[p]}")
        elif why:
            found[p] = Estimate(quantile(ordered, p / 100), None, None, why)
        elif p == 50 and of.each > 1:
            found[p] = _around(ordered, p, shares.interval(visits, ordered, p / 100))
        else:
            found[p] = _ranked(ordered, p, tails.interval(ratio, of, p / 100))
    return found


def _ranked(ordered: Numbers, p: int, ranks: tuple[float, float] | int) -> Estimate:
    """A percentile between two ranks, or that visits differ too much for that."""
    if isinstance(ranks, int):
        why = f"visits differ too much for an interval of p{p}: it takes {ranks:,} like these or more"
        return Estimate(quantile(ordered, p / 100), None, None, why)
    return _around(ordered, p, (at(ordered, ranks[0]), at(ordered, ranks[1])))


def _around(ordered: Numbers, p: int, ends: tuple[float, float]) -> Estimate:
    value = quantile(ordered, p / 100)
    return Estimate(value, min(ends[0], value), max(ends[1], value))


def _too_few(of: tails.Layout, visits: int, p: int, noun: str) -> str:
    """Why a percentile has no interval, and from how many visits it has; "" where it may have one."""
    needed = visits_needed(p / 100, of.each)
    if of.visits >= needed:
        return ""
    if noun == "visit":
        return f"{counted(of.samples, noun)}; an interval of p{p} needs {needed:,}"
    whole = f"{counted(of.samples, noun)} of {counted(visits, 'visit')}"
    each = f" of {of.each:,}" if of.each > 1 else ""
    return f"{whole}; an interval of p{p} needs {needed:,} visits{each}"
