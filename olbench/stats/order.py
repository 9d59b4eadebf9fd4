"""Numbers in ascending order: quantiles, and what stands at a rank that falls between two of them."""

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def quantile(ordered: Numbers, p: float) -> float:
    """Type 7 of Hyndman and Fan: linear between the order statistics around 1 + (n - 1) p."""
    return at(ordered, 1 + (len(ordered) - 1) * p)


def at(ordered: Numbers, rank: float) -> float:
    """What stands at a rank from 1 to n, linear between its neighbours."""
    below = min(max(math.floor(rank), 1), len(ordered))
    low, high = float(ordered[below - 1]), float(ordered[min(below, len(ordered) - 1)])
    return low + (high - low) * (rank - below)
