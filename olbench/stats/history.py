"""Steps in a history of runs: where the level of a figure changed for good, found by a penalised search over all places at once.

The levels that explain the history best, each step costing a penalty: least squares of logarithms by dynamic programming
(Jackson and others, "An algorithm for optimal partitioning of data on an interval", IEEE Signal Processing Letters 12, 2005),
in units of the noise between neighbouring runs, which steps do not touch (their median absolute difference: Hampel, "The
influence curve and its role in robust estimation", JASA 69, 1974). The penalty grows with the logarithm of the number of
runs (Yao, "Estimating the number of change-points via Schwarz' criterion", Statistics & Probability Letters 6, 1988) and
is larger for few, whose noise is hardly known. A lone run that is off is no step.
"""

import math
from collections.abc import Sequence

import numpy as np

from olbench.stats.order import Numbers

PENALTY = 4.0  # a step must explain this many times log n of squares, in units of the noise's variance
FEW = 8.0  # and this many times more, over the number of runs: their noise is a guess
SHORTEST = 2  # runs of a level
NEEDED = 5  # runs of a history
QUIET = 1e-3  # noise of runs is taken for a tenth of a percent at least
SPIKE = 2.0  # a run counts as at most so much noise beyond both its neighbours


def steps(values: Sequence[float], penalty: float = PENALTY) -> tuple[int, ...]:
    """The places in a history, in the order of time, at which a new level begins; () where there is no step.

    On logarithms, but where a value is not above zero on the values as they are, in parts of the largest.
    """
    if len(values) < NEEDED:
        return ()
    logs = scaled(values)
    sigma = noise(logs)
    price = penalty * math.log(len(logs)) * (1 + FEW / len(logs))
    return _cheapest(_without_spikes(logs, sigma) / sigma, price)


def scaled(values: Sequence[float]) -> Numbers:
    """Logarithms, where there are any."""
    plain = np.array(values, dtype=np.float64)
    if (plain > 0).all():
        found: Numbers = np.log(plain)
    else:
        found = plain / max(float(np.abs(plain).max()), 1e-300)
    return found


def noise(logs: Numbers) -> float:
    """The standard deviation of a run around its level, from differences of neighbours."""
    return max(float(np.median(np.abs(np.diff(logs)))) / 0.6745 / math.sqrt(2), QUIET)


def _without_spikes(logs: Numbers, sigma: float) -> Numbers:
    """Each value at most SPIKE noises beyond its neighbours."""
    padded = np.concatenate((logs[1:2], logs, logs[-2:-1]))
    low, high = np.minimum(padded[:-2], padded[2:]), np.maximum(padded[:-2], padded[2:])
    found: Numbers = np.clip(logs, low - SPIKE * sigma, high + SPIKE * sigma)
    return found


def _cheapest(values: Numbers, price: float) -> tuple[int, ...]:
    """Where levels begin, so that squares around their means and the price of all steps are least together."""
    count = len(values)
    sums = np.concatenate(([0.0], values.cumsum()))
    squares = np.concatenate(([0.0], (values * values).cumsum()))
    cost = np.full(count + 1, math.inf)
    cost[0], begins = -price, np.zeros(count + 1, dtype=np.intp)
    for end in range(SHORTEST, count + 1):
        first = np.arange(end - SHORTEST + 1)
        around = squares[end] - squares[first] - (sums[end] - sums[first]) ** 2 / (end - first)
        whole = cost[first] + around + price
        begins[end] = int(whole.argmin())
        cost[end] = whole[begins[end]]
    found = [count]
    while found[-1]:
        found.append(int(begins[found[-1]]))
    return tuple(found[-2:0:-1])
