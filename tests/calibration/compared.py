"""Verdicts of comparing, for thousands of trials at once: the same steps as olbench.stats, over one more axis, and what lost."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from calibration.cases import Dice, Numbers
from scipy import special

from olbench.stats import ratios, sequential
from olbench.stats.history import steps
from olbench.stats.ratios import ALIKE, LEVEL

Codes = np.ndarray[tuple[int], np.dtype[np.int8]]
Way = Literal["wider", "welch", "pooled"]
CANNOT, UP, DOWN, SAME = 0, 1, -1, 2
MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Counted:
    """Shares of verdicts, and how many blocks they took on average."""

    up: float
    down: float
    equivalent: float
    blocks: float = 0.0

    @property
    def told(self) -> str:
        """As a table has it: in percent, down, up, equivalent."""
        return f"{100 * self.down:.2f} / {100 * self.up:.2f} / {100 * self.equivalent:.1f}"


def counted(codes: Codes, blocks: float = 0.0) -> Counted:
    """Shares of all trials."""
    up, down, same = (float(np.mean(codes == one)) for one in (UP, DOWN, SAME))
    return Counted(up, down, same, blocks)


def codes(mean: Numbers, wide: Numbers, narrow: Numbers, margin: float) -> Codes:
    """As olbench.stats.ratios.told, from half the intervals' widths."""
    inside = np.abs(mean) + narrow <= math.log1p(margin)
    found: Codes = np.where(inside, SAME, np.where(np.abs(mean) > wide, np.sign(mean), CANNOT)).astype(
        np.int8
    )
    return found


def unpaired(base: Numbers, new: Numbers, margin: float = MARGIN, *, way: Way = "wider") -> Codes:
    """As olbench.stats.ratios.unpaired, of logarithms: trials x visits. The other ways are rivals."""
    mean = new.mean(axis=1) - base.mean(axis=1)
    sizes = np.array([base.shape[1], new.shape[1]])
    spreads = np.array([base.var(axis=1, ddof=1), new.var(axis=1, ddof=1)])
    parts = spreads / sizes[:, None]
    freedom = parts.sum(axis=0) ** 2 / (parts**2 / (sizes - 1)[:, None]).sum(axis=0)
    free = int(sizes.sum()) - 2
    pooled = np.sqrt((spreads * (sizes - 1)[:, None]).sum(axis=0) / free * (1 / sizes).sum())
    welch = np.sqrt(parts.sum(axis=0))
    if way != "wider":
        pooled = pooled if way == "pooled" else 0 * pooled
        welch = welch if way == "welch" else 0 * welch
    first = half(freedom, LEVEL) * welch > float(half(free, LEVEL)) * pooled
    error, freedom = np.where(first, welch, pooled), np.where(first, freedom, free)
    return codes(mean, half(freedom, LEVEL) * error, half(freedom, ALIKE) * error, margin)


def beyond_a_threshold(base: Numbers, new: Numbers, margin: float) -> Codes:
    """A rival, as inference-doctor 0.4 decides: Welch's 90 % interval on one side of the threshold, or across it."""
    parts = np.array([one.var(axis=1, ddof=1) / one.shape[1] for one in (base, new)])
    free = np.array([[base.shape[1] - 1], [new.shape[1] - 1]])
    wide = half(parts.sum(axis=0) ** 2 / (parts**2 / free).sum(axis=0), ALIKE) * np.sqrt(parts.sum(axis=0))
    mean, bar = new.mean(axis=1) - base.mean(axis=1), math.log1p(-margin)
    found: Codes = np.where(mean - wide > bar, SAME, np.where(mean + wide < bar, DOWN, CANNOT)).astype(
        np.int8
    )
    return found


def half(freedom: Numbers | int, level: float) -> Numbers:
    """Half an interval's width in standard errors."""
    found: Numbers = special.stdtrit(freedom, (1 + level) / 2)
    return found


def paired(logs: Numbers, margin: float = MARGIN) -> Codes:
    """As olbench.stats.ratios.differences: trials x pairs."""
    count = logs.shape[1]
    error = logs.std(axis=1, ddof=1) / math.sqrt(count)
    free = count - 1
    return codes(logs.mean(axis=1), half(free, LEVEL) * error, half(free, ALIKE) * error, margin)


def one_by_one(
    logs: Numbers, margin: float, wide: Callable[[int, Numbers], Numbers], narrow: Callable[[int], float]
) -> tuple[Codes, float]:
    """The first verdict over all looks, two pairs a block, and the blocks that it took on average.

    `wide`: from the number of blocks and t to whether it is a change; `narrow`: from the blocks to the level of "equivalent".
    """
    most = logs.shape[1] // sequential.PAIRS
    found: Codes = np.zeros(len(logs), dtype=np.int8)
    taken = np.full(len(logs), most)
    sums, squares = logs.cumsum(axis=1), (logs**2).cumsum(axis=1)
    for blocks in sequential.looks(most):
        count = blocks * sequential.PAIRS
        mean = sums[:, count - 1] / count
        error = np.sqrt((squares[:, count - 1] - count * mean**2) / (count - 1) / count)
        inside = np.abs(mean) + half(count - 1, 1 - narrow(blocks)) * error <= math.log1p(margin)
        changed = wide(blocks, np.abs(mean) / error)
        seen = np.where(inside, SAME, np.where(changed, np.sign(mean), CANNOT)).astype(np.int8)
        new = (found == CANNOT) & (seen != CANNOT)
        found[new], taken[new] = seen[new], blocks
    return found, float(taken.mean())


def ours(logs: Numbers, margin: float = MARGIN) -> Counted:
    """As olbench.stats.sequential.look."""
    most = logs.shape[1] // sequential.PAIRS
    changed, alike = sequential.levels(most, 1 - LEVEL), sequential.levels(most, 1 - ALIKE)
    found, blocks = one_by_one(
        logs,
        margin,
        lambda blocks, t: t > half(blocks * sequential.PAIRS - 1, 1 - changed[blocks]),
        lambda blocks: alike[blocks],
    )
    return counted(found, blocks)


def every_look_alone(logs: Numbers, margin: float = MARGIN) -> Counted:
    """A rival: each look at its full level, as if it were the only one."""
    found, blocks = one_by_one(
        logs, margin, lambda blocks, t: t > half(blocks * sequential.PAIRS - 1, LEVEL), lambda _: 1 - ALIKE
    )
    return counted(found, blocks)


def any_time(logs: Numbers, margin: float = MARGIN) -> Counted:
    """A rival: changes by a t test that is valid at any time, a mixture of likelihoods over normal effects.

    Lai, "On confidence sequences", Annals of Statistics 4, 1976; Wang and Ramdas, "Anytime-valid t-tests", 2023. Effects
    of one standard deviation of a pair are expected; "equivalent" spends as ours does.
    """
    most = logs.shape[1] // sequential.PAIRS
    alike = sequential.levels(most, 1 - ALIKE)

    def sure(blocks: int, t: Numbers) -> Numbers:
        count = blocks * sequential.PAIRS
        free, more = count - 1, 1 + count
        odds = -math.log(more) / 2 + count / 2 * (np.log1p(t**2 / free) - np.log1p(t**2 / free / more))
        found: Numbers = odds >= -math.log(1 - LEVEL)
        return found

    found, blocks = one_by_one(logs, margin, sure, lambda blocks: alike[blocks])
    return counted(found, blocks)


SEQUENTIAL = {
    "olbench": ours,
    "each look as if it were the only one": every_look_alone,
    "valid at any time": any_time,
}


def visits(dice: Dice, trials: int, count: int, spread: float, change: float = 0.0) -> Numbers:
    """Logarithms of one side's visits."""
    return math.log1p(change) + math.sqrt(math.log1p(spread**2)) * dice.standard_normal((trials, count))


def disturbed(dice: Dice, trials: int, count: int, spread: float) -> Numbers:
    """The same where one visit in ten takes longer, by five spreads and more or less."""
    late = (dice.random((trials, count)) < 0.1) * dice.exponential(5 * spread, (trials, count))
    return visits(dice, trials, count, spread) + late


def session(
    dice: Dice, trials: int, blocks: int, spread: float, change: float, *, drift: float
) -> tuple[Numbers, Numbers]:
    """Both sides of blocks A B B A and B A A B in turn, in the order of taking, while everything drifts evenly."""
    taken = 4 * blocks
    logs = visits(dice, trials, taken, spread) + math.log1p(drift) * np.arange(taken) / (taken - 1)
    first = np.array([[0, 3], [1, 2]])  # where A and B stand in a block A B B A
    of_a = np.concatenate([4 * block + first[block % 2] for block in range(blocks)])
    of_b = np.concatenate([4 * block + first[1 - block % 2] for block in range(blocks)])
    return logs[:, of_a], logs[:, of_b] + math.log1p(change)


def alarms(dice: Dice, runs: int, *, figures: int, related: float, corrected: bool) -> float:
    """How many in so many checks of nothing raise any alarm, 5 visits a side; figures of a visit rise and fall together."""
    shared = dice.standard_normal((runs, 2, 5, 1))
    own = dice.standard_normal((runs, 2, 5, figures))
    logs = 0.04 * (math.sqrt(related) * shared + math.sqrt(1 - related) * own)
    logs[..., 1::2] *= -1  # rates fall where times rise
    alarmed = 0
    for run in np.exp(logs):
        judged = [ratios.unpaired(list(run[0, :, at]), list(run[1, :, at]), MARGIN) for at in range(figures)]
        told = ratios.corrected(judged) if corrected else judged
        alarmed += any(one.verdict in {"up", "down"} for one in told)
    return alarmed / runs


@dataclass(frozen=True, slots=True)
class Found:
    """Shares of histories in which a step is seen, and in which it is the one that is there."""

    some: float
    right: float


def searched(dice: Dice, trials: int, runs: int, step: float, at: int) -> Found:
    """Histories of runs with noise of one and a step of so many noises."""
    noises = dice.standard_normal((trials, runs))
    noises[:, at:] -= step
    seen = [steps(list(np.exp(0.02 * one))) for one in noises]
    return Found(sum(map(bool, seen)) / trials, sum(one == (at,) for one in seen) / trials)
