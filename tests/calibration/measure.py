"""How often intervals hold the truth, how often there is none, how wide they are, and how often a drift is noticed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from calibration.cases import Case, Numbers
from calibration.ours import Ends
from scipy import special

from olbench.stats.visits import CALM, CAUTION, FIRST_LOOK, student
from olbench.steady import drift


@dataclass(frozen=True, slots=True)
class Held:
    """What many trials of one case came to."""

    coverage: float | None  # of the intervals that were given; None where none was
    none: float  # share of trials without an interval
    width: float | None  # in logarithms, against 2 x 1.96 standard deviations of the value over all trials


def held(case: Case, figure: tuple[float, Callable[[Numbers], Ends]], values: Numbers) -> Held:
    """One figure's intervals over trials of a case."""
    p, ends = figure
    value, low, high = ends(values)
    given = ~np.isnan(low) & ~np.isnan(high)
    if not given.any():
        return Held(None, 1.0, None)
    truth = case.truth(p)
    holds = (low <= truth) & (truth <= high)
    wide, ideal = np.log(high[given] / np.maximum(low[given], 1e-12)), 3.919928 * np.log(value).std()
    return Held(float(holds[given].mean()), float(1 - given.mean()), float(wide.mean() / ideal))


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of adding visits until an interval was narrow enough."""

    coverage: float
    visits: float  # on average


MOST = 60  # visits, then the budget is spent


def stopped(dice: np.random.Generator, trials: int, within: float, *, ours: bool) -> Stopped:
    """`within` as a multiple of the standard deviation of visits' medians; `ours`: olbench's rule, else the first look."""
    medians = dice.standard_normal((trials, MOST))
    count = np.arange(1, MOST + 1)
    mean = medians.cumsum(axis=1) / count
    squares = np.maximum((medians**2).cumsum(axis=1) - count * mean**2, 0)
    t = np.array([np.inf, *(student(one) for one in range(1, MOST))])
    spread = np.sqrt(squares[:, 1:] / (count[1:] - 1) / count[1:])
    half = np.concatenate((np.full((trials, 1), np.inf), t[1:] * spread), axis=1)
    caution = np.where(count < CALM, CAUTION, 1.0) if ours else np.ones(MOST)
    narrow = (half * caution <= within) & (count >= (FIRST_LOOK if ours else 3))
    narrow[:, -1] = True
    last = narrow.argmax(axis=1)
    row = np.arange(trials)
    holds = np.abs(mean[row, last]) <= half[row, last]
    return Stopped(float(holds.mean()), float((last + 1).mean()))


def noticed(dice: np.random.Generator, trials: int, visits: int, change: float, noise: float) -> float:
    """How often the drift gate fires on a cell whose medians change evenly by `change`, beside noise of visits' medians."""
    times = np.arange(visits) * 60.0
    fired = 0
    for _ in range(trials):
        medians = 100 * (1 + change * times / times[-1] + noise * special.ndtri(dice.random(visits)))
        seen = drift(medians, times, 0.05)
        fired += seen is not None and seen.fires
    return fired / trials
