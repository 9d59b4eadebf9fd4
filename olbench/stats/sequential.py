"""When blocks come one by one: a look after each, a verdict as soon as it is earned, and error rates that hold under all looks.

Who tests after every block and stops at the first success, finds something in a third of the cases in which nothing is.
So the chance of a false verdict is spent in small parts, up to a largest number of blocks that is set beforehand
(Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983), along the curve of Hwang, Shih and
DeCani ("Group sequential designs using a family of type I error probability spending functions", Statistics in Medicine 9, 1990),
little at first. The bounds are those of a normal mean; their levels are taken for Student's t, which nearly holds for
few values too (Jennison and Turnbull, "Group Sequential Methods", 2000, section 4.4). "equivalent" spends its 5 % the same way.
Tests that are valid at any time need no largest number, and more blocks: docs/statistics.md has both.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import special

from olbench.findings import Estimate
from olbench.stats.order import Numbers
from olbench.stats.ratios import ALIKE, LEVEL, Judged, differences, student, told, untold

FIRST = 4  # blocks before the first look
PAIRS = 2  # of a block: A B B A is two pairs of neighbours, and each gives a difference
CURVE = 4.0  # how late the chance of a false verdict is spent: 0 evenly, the more the later
SPENT = 0.85  # of the chance: t of few values, at levels of a normal mean, errs 1.1 % where 1 % was meant
MANY = 64  # planned blocks up to which each has a look
GRID = 401  # points on which the density of what has not stopped is kept; odd, for Simpson's rule
FAR = 9.0  # standard deviations beyond which no density is left


def look(
    logs: Sequence[float],
    margin: float,
    most: int,
    *,
    pairs: int = PAIRS,
    level: float = LEVEL,
    figures: int = 1,
) -> Judged:
    """The verdict after these differences of logarithms (new less base, one a pair, in the order of taking).

    `most` blocks are planned: this number must stand before the first look and stay. `figures` is how many numbers are
    looked at side by side; each then gets its part of the chance of a false change. A verdict, once earned, stays: it is
    that of the first look that had one, and `Judged.blocks` says which. p counts all looks.
    """
    whole = min(len(logs) // pairs, most)
    if whole < looks(most)[0]:
        return _early(logs, whole, most)
    changed, alike = (levels(most, chance) for chance in ((1 - level) / figures, 1 - ALIKE))
    p, found = 1.0, untold("no look yet")
    for blocks in looks(most):
        if blocks > whole:
            break
        shift, (nominal, narrow) = student(logs[: blocks * pairs]), (changed[blocks], alike[blocks])
        p = min(p, shift.p() * (1 - level) / figures / nominal)
        found = replace(told(shift, margin, 1 - nominal, 1 - narrow), p=p)
        if found.verdict != "cannot tell":
            return replace(found, blocks=blocks)
    return found


def looks(most: int) -> range:
    """The blocks after which one looks: all from the fourth on, of more than MANY planned ones every second, and so on."""
    step = -(-most // MANY)
    return range(most - (most - min(FIRST, most)) // step * step, most + 1, step)


@lru_cache(maxsize=256)
def levels(most: int, chance: float) -> dict[int, float]:
    """The two-sided level of each look, by its number of blocks, so that all looks together err with this chance."""
    shares = np.array([blocks / most for blocks in looks(most)])
    part = chance * SPENT if len(shares) > 1 else chance  # a single look is Student's own
    spent = part * np.expm1(CURVE * shares) / math.expm1(CURVE)
    bounds = boundaries(shares, spent)
    return {blocks: 2 * float(special.ndtr(-far)) for blocks, far in zip(looks(most), bounds, strict=True)}


def boundaries(shares: Numbers, spent: Numbers) -> list[float]:
    """Where a standard normal sum, seen at these shares of its whole, leaves its bounds with the chances spent so far.

    Armitage, McPherson and Rowe, "Repeated significance tests on accumulating data", J. Royal Statistical Society A 132,
    1969: the density of those that stay inside is carried from look to look on a grid.
    """
    found = [float(-special.ndtri(spent[0] / 2))]
    points, mass = _grid(found[0] * math.sqrt(shares[0]))
    mass = mass * np.exp(-points * points / 2 / shares[0]) / math.sqrt(2 * math.pi * shares[0])
    for before, share, part in zip(shares, shares[1:], np.diff(spent), strict=False):
        step, root = math.sqrt(share - before), math.sqrt(share)
        found.append(_crossing(points / root, mass, step / root, part))
        after, weights = _grid(found[-1] * root)
        spread = np.exp(-(((after[:, None] - points[None]) / step) ** 2) / 2) / (
            step * math.sqrt(2 * math.pi)
        )
        points, mass = after, weights * (spread @ mass)
    return found


def _crossing(points: Numbers, mass: Numbers, step: float, part: float) -> float:
    """How far out a bound lies beyond which this part of what is left comes with one step."""
    low, high = 0.0, FAR
    for _ in range(40):
        far = (low + high) / 2
        leaves = mass @ (special.ndtr((points - far) / step) + special.ndtr((-far - points) / step))
        low, high = (far, high) if leaves > part else (low, far)
    return high


def _grid(end: float) -> tuple[Numbers, Numbers]:
    """Points from -end to end, and the weights of Simpson's rule."""
    points = np.linspace(-end, end, GRID)
    weights = np.where(np.arange(GRID) % 2, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    return points, weights * (points[1] - points[0]) / 3


def _early(logs: Sequence[float], whole: int, most: int) -> Judged:
    """Before the first look."""
    found = differences(logs, 0.0)
    centre = found.ratio.value
    why = f"{whole} of at most {most} blocks; the first look is after {looks(most)[0]}"
    return Judged(
        ratio=Estimate(centre, None, None, why), verdict="cannot tell", p=None, detectable=None, reason=why
    )
