"""How many visits or blocks it takes to see a change: planned before measuring, from how much visits vary.

By the noncentral t. `spread` is the standard deviation of the logarithms of one side's visits: for a few percent, the
coefficient of variation.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from olbench.stats.ratios import LEVEL, NEEDED, student
from olbench.stats.sequential import FIRST, MANY, PAIRS, levels

POWER = 0.9
MOST = 2000  # visits or blocks; whoever needs more, measures the wrong thing
SHARES = 64  # points of the integral over how the two sides share what they vary


def spread(visits: Sequence[Sequence[float]]) -> float | None:
    """The spread of visits within one side or several, pooled, from their logarithms; None from single visits alone."""
    free = sum(len(one) - 1 for one in visits if one)
    if free < 1:
        return None
    squares = sum((len(one) - 1) * len(one) * student(one).error ** 2 for one in visits if len(one) > 1)
    return math.sqrt(squares / free)


def paired(spread: float, change: float, pairs: int, level: float = LEVEL) -> float:
    """The chance that so many pairs show a relative change; two visits that vary by `spread` make a pair's difference."""
    far = float(special.stdtrit(pairs - 1, (1 + level) / 2))
    return _beyond(pairs - 1, _distance(spread, change, math.sqrt(pairs / 2)), far)


def unpaired(spread: float, change: float, base: int, new: int, level: float = LEVEL) -> float:
    """The same of two runs with so many visits, exactly as ratios.apart decides it."""
    whole = math.sqrt(1 / base + 1 / new)
    free = base + new - 2
    shares = special.betaincinv((base - 1) / 2, (new - 1) / 2, (np.arange(SHARES) + 0.5) / SHARES)
    parts = shares / base / (base - 1), (1 - shares) / new / (new - 1)
    freedom = (parts[0] + parts[1]) ** 2 / (parts[0] ** 2 / (base - 1) + parts[1] ** 2 / (new - 1))
    welch = special.stdtrit(freedom, (1 + level) / 2) * np.sqrt(parts[0] + parts[1])
    pooled = float(special.stdtrit(free, (1 + level) / 2)) * whole / math.sqrt(free)
    fars = np.maximum(welch, pooled) * math.sqrt(free) / whole
    distance = _distance(spread, change, 1 / whole)
    return float(np.mean([_beyond(free, distance, float(far)) for far in fars]))


def blocks(
    spread: float, change: float, power: float = POWER, *, pairs: int = PAIRS, level: float = LEVEL
) -> int | None:
    """Blocks to plan at most, so that a change of this size is seen by the last look; None beyond MOST.

    Under the sequential rule: most changes of this size are seen before, and larger ones well before.
    """

    # The last look has a little less than the whole chance left. Of more blocks the part hardly changes.
    def enough(count: int) -> bool:
        last = levels(min(count, MANY), 1 - level)[min(count, MANY)]
        return paired(spread, change, count * pairs, 1 - last) >= power

    return _least(enough, FIRST)


def visits(
    spread: float, change: float, power: float = POWER, *, base: int | None = None, level: float = LEVEL
) -> int | None:
    """Visits of each side to see a change of this size; of the new side alone where the base has its visits already.

    None beyond MOST: where the base has too few visits, no number of new ones makes up for them.
    """

    def enough(count: int) -> bool:
        return unpaired(spread, change, count if base is None else base, count, level) >= power

    return _least(enough, NEEDED)


def _least(enough: Callable[[int], bool], least: int) -> int | None:
    """The first number that is enough, where all larger ones are."""
    high = least
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = max(high // 2, least - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _distance(spread: float, change: float, root: float) -> float:
    """The change in standard errors."""
    return abs(math.log1p(change)) / spread * root if spread > 0 else math.inf


def _beyond(freedom: float, distance: float, far: float) -> float:
    """The chance of t beyond `far`, on the change's side."""
    return 1.0 if math.isinf(distance) else 1 - float(special.nctdtr(freedom, distance, far))
