"""The median's interval: every value that the visits' shares below it do not speak against.

If a value is the median, half of all requests lie below it; each visit has its own share of them, and Student's t over
visits says whether these shares are compatible with one half. The interval is the set of values for which
they are: Woodruff, "Confidence intervals for medians and other position measures", JASA 47, 1952, with the variance taken at
each value and not only at the sample's median (Francisco and Fuller, "Quantile estimation with a complex survey
design", Annals of Statistics 19, 1991). The variance of the share is that between visits, as of a ratio, so visits may differ in
size. A value that was seen counts itself half; between two of them t is interpolated, or
else the steps from one request to the next would make the interval wider than it says. Shares of few visits lie less like
a normal distribution than t assumes, so t is widened a little, by as much as simulation asks for.
"""

from collections.abc import Sequence

import numpy as np

from olbench.stats.order import Numbers
from olbench.stats.visits import student

WIDER = 0.3  # t is multiplied by 1 + WIDER / visits: without it 5 visits that vary as requests do hold 93.2 %, with it 94.1 %
STEPS = 512  # values looked at: of more samples every so many-th, a fifth of a percent of them apart


def interval(visits: Sequence[Numbers], ordered: Numbers, p: float) -> tuple[float, float]:
    """Ends of the interval of the p-quantile; each visit's numbers and all together in ascending order."""
    values = ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), STEPS)).round().astype(np.intp)]
    counts = np.array(
        [(one.searchsorted(values, "left") + one.searchsorted(values, "right")) / 2 for one in visits]
    )
    sizes = np.array([[len(one)] for one in visits], dtype=np.float64)
    low, high = ends(distance(counts, sizes, p)[None], values[None], most(len(visits)))
    return float(low[0]), float(high[0])


def most(visits: int) -> float:
    """Standard errors that the shares below the median may be off one half."""
    return student(visits - 1) * (1 + WIDER / visits)


def distance(counts: Numbers, sizes: Numbers, p: float) -> Numbers:
    """How many standard errors the share below each value is from p; visits on the last axis but one."""
    visits, whole = counts.shape[-2], sizes.sum(axis=-2)
    share = counts.sum(axis=-2) / whole
    off = counts - sizes * share[..., None, :]
    error = np.sqrt((off * off).sum(axis=-2) * visits / (visits - 1)) / whole
    # Visits that agree wholly: any difference from p is beyond doubt.
    beyond = np.copysign(np.inf, share - p)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Numbers = np.where(error > 0, (share - p) / error, np.where(share == p, 0.0, beyond))
    return found


def ends(distances: Numbers, values: Numbers, far: float) -> tuple[Numbers, Numbers]:
    """In each row, where distances come within `far` of zero and where they leave it for good."""
    row, last = np.arange(len(values)), values.shape[1] - 1
    first = (distances >= -far).argmax(axis=1)
    final = last - (distances <= far)[:, ::-1].argmax(axis=1)
    before, after = np.maximum(first - 1, 0), np.minimum(final + 1, last)
    low = _between(
        values[row, before], values[row, first], distances[row, before], distances[row, first], -far
    )
    high = _between(values[row, final], values[row, after], distances[row, final], distances[row, after], far)
    return low, high


def _between(low: Numbers, high: Numbers, below: Numbers, above: Numbers, level: float) -> Numbers:
    """The value at which the distance is `level`; the nearer to the middle where a distance is without bound."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (level - below) / (above - below)
    part = np.where(np.isfinite(part), np.clip(part, 0, 1), np.where(np.isfinite(below), 0.0, 1.0))
    found: Numbers = low + (high - low) * part
    return found
