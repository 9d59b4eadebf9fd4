"""Intervals that were tried and lost, for many trials at once: what is usual, and what looks better on paper."""

from collections.abc import Callable, Mapping

import numpy as np
from calibration.cases import Numbers
from scipy import special

from olbench.stats import tails
from olbench.stats.visits import student

Rival = Callable[[Numbers, float], tuple[Numbers, Numbers]]
DRAWS = 400  # of a bootstrap
CHUNK = 50


def requests_alone(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """Order statistics by the binomial, as if all requests were independent."""
    return _by_share(values, p, np.full(len(values), values[0].size, dtype=float))


def design_effect(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """The same with fewer effective samples (Korn and Graubard, Survey Methodology 24, 1998; Dean and Pagano, 2015)."""
    trials, visits, each = values.shape
    ordered = np.sort(values.reshape(trials, -1), axis=1)
    shares = (values <= np.quantile(ordered, p, axis=1)[:, None, None]).mean(axis=2)
    effect = np.maximum(shares.var(axis=1, ddof=1) / visits * visits * each / (p * (1 - p)), 1e-9)
    few = (student(visits * each - 1) / student(visits - 1)) ** 2
    return _by_share(values, p, np.minimum(visits * each / effect * few, visits * each))


def t_over_shares(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """The inverted t of the visits' shares below a value, as olbench takes it for the median."""
    trials, visits, each = values.shape
    flat = values.reshape(trials, -1)
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    counts = np.cumsum((order // each)[:, :, None] == np.arange(visits), axis=1) / each
    with np.errstate(divide="ignore", invalid="ignore"):
        far = (counts.mean(axis=2) - p) / (counts.std(axis=2, ddof=1) / np.sqrt(visits))
    inside = np.abs(far) <= student(visits - 1)
    row, last = np.arange(trials), flat.shape[1] - 1
    end = last - inside[:, ::-1].argmax(axis=1)
    reaches = inside.any(axis=1) & (end < last)
    low, high = ordered[row, inside.argmax(axis=1)], ordered[row, np.minimum(end + 1, last)]
    return np.where(reaches, low, np.nan), np.where(reaches, high, np.nan)


def t_over_medians(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """Student's t over the visits' own quantiles, not their logarithms."""
    own = np.quantile(values, p, axis=2)
    half = student(own.shape[1] - 1) * own.std(axis=1, ddof=1) / np.sqrt(own.shape[1])
    return own.mean(axis=1) - half, own.mean(axis=1) + half


def bootstrap(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """Visits drawn with replacement, percentile interval (Davison and Hinkley, "Bootstrap Methods", 1997)."""
    drawn = _redrawn(values, p)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    return low, high


def bca(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """The same, corrected for bias and acceleration (Efron, JASA 82, 1987)."""
    trials, visits, _ = values.shape
    drawn = np.sort(_redrawn(values, p), axis=1)
    value = np.quantile(values.reshape(trials, -1), p, axis=1)[:, None]
    lower = ((drawn < value).mean(axis=1) + (drawn <= value).mean(axis=1)) / 2
    bias = special.ndtri(np.clip(lower, 1 / DRAWS, 1 - 1 / DRAWS))
    without = [
        np.quantile(np.delete(values, one, axis=1).reshape(trials, -1), p, axis=1) for one in range(visits)
    ]
    off = np.mean(without, axis=0)[None] - np.array(without)
    squares = np.maximum((off**2).sum(axis=0), 1e-30)
    acceleration = (off**3).sum(axis=0) / (6 * squares**1.5)
    ends = []
    for z in (-1.959964, 1.959964):
        share = special.ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
        place = np.clip(np.rint(share * DRAWS), 0, DRAWS - 1).astype(int)
        ends.append(drawn[np.arange(trials), place])
    return ends[0], ends[1]


def studentized(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """Bootstrap of Student's t over the logarithms of the visits' own quantiles (Hall, Annals of Statistics 16, 1988)."""
    own = np.log(np.quantile(values, p, axis=2))
    trials, visits = own.shape
    dice = np.random.default_rng(visits)
    drawn = own[np.arange(trials)[:, None, None], dice.integers(visits, size=(trials, DRAWS, visits))]
    spread = np.maximum(drawn.std(axis=2, ddof=1), 1e-12)
    t = (drawn.mean(axis=2) - own.mean(axis=1)[:, None]) / spread
    least, most = np.quantile(t, [0.025, 0.975], axis=1)
    middle, scale = own.mean(axis=1), own.std(axis=1, ddof=1)
    return np.exp(middle - most * scale), np.exp(middle - least * scale)


def fitted(values: Numbers, p: float) -> tuple[Numbers, Numbers]:
    """A lognormal with normal visits, by generalized pivots (Krishnamoorthy and Mathew, "Statistical Tolerance Regions")."""
    logs = np.log(values)
    _, visits, each = logs.shape
    means = logs.mean(axis=2)
    between = each * ((means - means.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    within = ((logs - means[:, :, None]) ** 2).sum(axis=(1, 2))
    dice = np.random.default_rng(visits)
    over = between[:, None] / dice.chisquare(visits - 1, DRAWS)
    under = within[:, None] / dice.chisquare(visits * (each - 1), DRAWS)
    whole = np.sqrt(np.maximum(over - under, 0) / each + under)
    middle = means.mean(axis=1)[:, None] + dice.standard_normal(DRAWS) * np.sqrt(over / (visits * each))
    low, high = np.exp(np.quantile(middle + special.ndtri(p) * whole, [0.025, 0.975], axis=1))
    return low, high


RIVALS: Mapping[str, Rival] = {
    "order statistics, requests taken as independent": requests_alone,
    "the same with a design effect (Korn and Graubard)": design_effect,
    "t over visits' shares (Woodruff, inverted)": t_over_shares,
    "t over visits' own quantiles": t_over_medians,
    "bootstrap over visits, percentile": bootstrap,
    "bootstrap over visits, BCa": bca,
    "bootstrap over visits, studentized, logarithms of own quantiles": studentized,
    "lognormal fitted, generalized pivots": fitted,
}


def _by_share(values: Numbers, p: float, samples: Numbers) -> tuple[Numbers, Numbers]:
    """Between the order statistics at which a beta distribution of so many samples has its tails."""
    ordered = np.sort(values.reshape(len(values), -1), axis=1)
    count = ordered.shape[1]
    ends = []
    for tail in (tails.TAIL, 1 - tails.TAIL):
        rank = special.betaincinv(samples * p + 0.5, samples * (1 - p) + 0.5, tail) * (count + 1)
        below = np.clip(np.floor(rank).astype(int), 1, count - 1)
        row = np.arange(len(ordered))
        at = ordered[row, below - 1] + (ordered[row, below] - ordered[row, below - 1]) * (rank - below)
        ends.append(np.where((rank < 1) | (rank > count), np.nan, at))
    return ends[0], ends[1]


def _redrawn(values: Numbers, p: float) -> Numbers:
    """The pooled quantile of visits drawn with replacement: trials x draws."""
    trials, visits, _ = values.shape
    dice = np.random.default_rng(visits)
    found = []
    for at in range(0, trials, CHUNK):
        some = values[at : at + CHUNK]
        picked = dice.integers(visits, size=(len(some), DRAWS, visits))
        drawn = some[np.arange(len(some))[:, None, None], picked].reshape(len(some), DRAWS, -1)
        found.append(np.quantile(drawn, p, axis=2))
    return np.concatenate(found)
