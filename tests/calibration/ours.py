"""The intervals of olbench.stats for thousands of balanced trials at once: the same steps, over one more axis."""

from collections.abc import Callable, Mapping

import numpy as np
from calibration.cases import Numbers
from scipy import special

from olbench.stats import shares, tails, visits_needed
from olbench.stats.visits import FOLD, VISITS_NEEDED, student

Ends = tuple[Numbers, Numbers, Numbers]  # value, low, high; NaN where there is no interval
CHUNK = 400  # trials at once, so that memory stays small


def typical(values: Numbers) -> Ends:
    """As olbench.stats.typical."""
    each = values.shape[2]
    ordered = np.sort(values, axis=2)
    low, high = ordered[:, :, (each - 1) // 2], ordered[:, :, each // 2]
    least, most = low.min(axis=1, keepdims=True), high.max(axis=1, keepdims=True)
    multiplies = (least > 0) & (least < most) & (most <= FOLD * least)
    ends = [np.where(multiplies, np.log(np.where(multiplies, end, 1)), end) for end in (low, high)]
    scaled = (ends[0] + ends[1]) / 2
    count = scaled.shape[1]
    middle = scaled.mean(axis=1)
    half = student(count - 1) * scaled.std(axis=1, ddof=1) / np.sqrt(count)
    back = [np.where(multiplies[:, 0], np.exp(end), end) for end in (middle, middle - half, middle + half)]
    return _barred(back[0]) if count < VISITS_NEEDED else (back[0], back[1], back[2])


def percentile(p: float) -> Callable[[Numbers], Ends]:
    """As one of olbench.stats.percentiles."""
    return lambda values: _percentile(values, p)


FIGURES: Mapping[str, tuple[float, Callable[[Numbers], Ends]]] = {
    "typical": (0.5, typical),
    "p50": (0.5, percentile(0.5)),
    "p90": (0.9, percentile(0.9)),
    "p95": (0.95, percentile(0.95)),
    "p99": (0.99, percentile(0.99)),
}


def _percentile(values: Numbers, p: float) -> Ends:
    trials, visits, each = values.shape
    ordered = np.sort(values.reshape(trials, -1), axis=1)
    value = np.quantile(ordered, p, axis=1)
    if visits < visits_needed(p, each):
        return _barred(value)
    if p == 0.5 and each > 1:
        parts = [_median(values[at : at + CHUNK]) for at in range(0, trials, CHUNK)]
        low, high = (np.concatenate(end) for end in zip(*parts, strict=True))
    else:
        of = tails.layout([each] * visits)
        ends = tails.ranks(ratio(values), of, p)
        low, high = (_at(ordered, rank) for rank in ends)
        none = np.isnan(low) | np.isnan(high)
        low, high = np.where(none, np.nan, low), np.where(none, np.nan, high)
    return value, np.minimum(low, value), np.maximum(high, value)


def _median(values: Numbers) -> tuple[Numbers, Numbers]:
    trials, visits, each = values.shape
    flat = values.reshape(trials, -1)
    order = np.argsort(flat, axis=1)
    mine = (order // each)[:, None, :] == np.arange(visits)[None, :, None]
    counts = np.cumsum(mine, axis=2, dtype=np.float64) - 0.5 * mine
    far = shares.distance(counts, np.full((visits, 1), float(each)), 0.5)
    return shares.ends(far, np.take_along_axis(flat, order, axis=1), shares.most(visits))


def ratio(values: Numbers) -> Numbers:
    """As olbench.stats.tails.ratio, of numbers without ties."""
    trials, visits, each = values.shape
    if each == 1:
        return np.ones(trials)
    place = np.empty((trials, visits * each))
    order = np.argsort(values.reshape(trials, -1), axis=1)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(visits * each) + 0.5, place.shape), axis=1)
    scores = special.ndtri(place / (visits * each)).reshape(values.shape)
    means = scores.mean(axis=2, keepdims=True)
    between = each * ((means - scores.mean(axis=(1, 2), keepdims=True)) ** 2).sum(axis=(1, 2)) / (visits - 1)
    within = ((scores - means) ** 2).sum(axis=(1, 2)) / (visits * (each - 1))
    found: Numbers = between / within
    return found


def _at(ordered: Numbers, ranks: Numbers) -> Numbers:
    known = np.where(np.isnan(ranks), 1, ranks)
    below = np.clip(np.floor(known).astype(int), 1, ordered.shape[1] - 1)
    row = np.arange(len(ordered))
    low, high = ordered[row, below - 1], ordered[row, below]
    return np.where(np.isnan(ranks), np.nan, low + (high - low) * (known - below))


def _barred(value: Numbers) -> Ends:
    none = np.full_like(value, np.nan)
    return value, none, none
