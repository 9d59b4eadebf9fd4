"""The typical value: what visits say together, and when they have said enough.

Samples of one visit share a load, a placement, a warm cache and a moment of the machine, so they are not independent;
visits are, because each is prepared anew and their order is shuffled. So each visit gives one number, its median, and
Student's t holds over these (Student, "The probable error of a mean", Biometrika 6, 1908). It does so on their
logarithms: what makes visits differ multiplies (a clock, a placement), latencies have a long right side, and the
middle of logarithms is the logarithm of the median request, which the mean of medians is not.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from scipy import special

from olbench.findings import Estimate, Summary
from olbench.prose import counted
from olbench.stats.order import Numbers

LEVEL = 0.95
VISITS_NEEDED = 3
# Beyond that many times the least, the least is as good as zero, and logarithms would speak of nothing else.
FOLD = 1000.0
# When to stop (the table in docs/statistics.md): a lucky few visits agree by chance, and who stops at the first look
# at which they do, stops on luck. Few must therefore agree better than was asked.
FIRST_LOOK, CALM, CAUTION = 5, 8, 2.0


def typical(visits: Sequence[Numbers]) -> Estimate:
    """The geometric mean of the visits' medians with a Student-t interval over their logarithms, from three visits on.

    Each visit's numbers are in ascending order. Where one median is not above zero, or the largest is more than FOLD times the
    least: their mean, and the interval over the medians as they are.
    """
    count = len(visits)
    if count == 0:
        return Estimate(None, None, None, "no visit gave a value")
    middles = [(float(one[(len(one) - 1) // 2]), float(one[len(one) // 2])) for one in visits]
    least, most = min(low for low, _ in middles), max(high for _, high in middles)
    multiplies = 0 < least < most <= FOLD * least
    back: Callable[[float], float] = math.exp if multiplies else float
    # The middle of two is taken on the same scale: of two requests, their mean is no median of skewed ones.
    scale: Callable[[float], float] = math.log if multiplies else float
    centre, half = _student([(scale(low) + scale(high)) / 2 for low, high in middles])
    if count < VISITS_NEEDED:
        why = f"{counted(count, 'visit')}; an interval needs {VISITS_NEEDED}"
        return Estimate(back(centre), None, None, why)
    return Estimate(back(centre), back(centre - half), back(centre + half))


def enough(summary: Summary, within: float) -> bool:
    """Whether visits may end: half the typical value's interval is at most `within` of the value.

    From 8 visits on as it stands, with 5 to 7 only where it is twice as narrow, before never. So the interval at which one
    stops holds 93 % and more, whatever was asked (the first look at which a narrow interval shows is a biased one:
    Anscombe, "Large-sample theory of sequential estimation", Proc. Cambridge Phil. Soc. 48, 1952; Chow and
    Robbins, Annals of Mathematical Statistics 36, 1965).
    """
    found = summary.typical
    if found.value is None or found.low is None or found.high is None or summary.visits < FIRST_LOOK:
        return False
    caution = CAUTION if summary.visits < CALM else 1.0
    return caution * (found.high - found.low) / 2 <= within * abs(found.value)


def _student(numbers: Sequence[float]) -> tuple[float, float]:
    """The mean and half the width of its interval (infinite for one number)."""
    count = len(numbers)
    mean = math.fsum(numbers) / count
    if count == 1:
        return mean, math.inf
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in numbers) / (count - 1))
    return mean, student(count - 1) * deviation / math.sqrt(count)


@lru_cache(maxsize=256)
def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t."""
    return float(special.stdtrit(freedom, 1 - (1 - LEVEL) / 2))
