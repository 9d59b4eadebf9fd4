"""Whether a number went up or down from one side to the other: the ratio, its interval, a verdict, or why there is none.

What makes visits differ multiplies, so everything happens on logarithms, and the ratio is of geometric means of the
visits' medians. Two runs are compared by Welch's t ("The generalization of Student's problem when several different
population variances are involved", Biometrika 34, 1947) or the pooled one, whichever is wider; neighbours in time by
Student's t over their differences.
A number has changed where the 99 % interval of the ratio excludes 1; it is equivalent where the 90 % interval lies inside
the margin (two one-sided tests at 5 %: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987).
What is sure but lies inside the margin is equivalent: a margin says what does not matter. Simulated in docs/statistics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy import special

from olbench.findings import Estimate
from olbench.prose import counted

# Of the number itself: whether up is faster or slower, the metric knows.
Code = Literal["up", "down", "equivalent", "cannot tell"]

LEVEL = (
    0.99  # of the interval that must exclude 1: without a change, 1 verdict in 200 says up and 1 says down
)
ALIKE = 0.90  # of the interval that must lie inside the margin
POWER = 0.8
NEEDED = 3  # visits a side, or pairs
ROUNDING = 1e-12  # what logarithms of equal numbers may be apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What can be said of one number: a ratio of 1.05 is 5 % more than the base."""

    ratio: Estimate  # new / base, with the interval that the verdict rests on: of LEVEL, where equivalent of ALIKE
    verdict: Code
    p: (
        float | None
    )  # how often chance alone makes as much of a difference, up or down; None without an interval
    detectable: float | None  # the least rise, relative, that would have been seen four times in five
    level: float = LEVEL  # of the ratio's interval
    blocks: int | None = None  # after which a verdict was earned, where blocks came one by one
    reason: str = ""  # why it cannot be told; "" where a verdict stands


@dataclass(frozen=True, slots=True)
class Shift:
    """A mean difference of logarithms with its standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float

    def half(self, level: float) -> float:
        """Half the width of the interval."""
        return float(special.stdtrit(self.freedom, (1 + level) / 2)) * self.error

    def p(self) -> float:
        """Two-sided, of no difference at all."""
        if self.error < ROUNDING:
            return 0.0 if abs(self.mean) > ROUNDING else 1.0
        return 2 * float(special.stdtr(self.freedom, -abs(self.mean) / self.error))


def unpaired(
    base: Sequence[float | None], new: Sequence[float | None], margin: float, level: float = LEVEL
) -> Judged:
    """Two runs: each visit's median on either side, in any order and any number from three on.

    `margin` is relative: 0.05 calls ratios from 1/1.05 to 1.05 equivalent; 0 calls nothing equivalent.
    """
    sides = [logarithms(one, name) for one, name in ((base, "base"), (new, "new"))]
    for one in sides:
        if isinstance(one, str):
            return untold(one)
    logs = [one for one in sides if not isinstance(one, str)]
    for one, name in zip(logs, ("base", "new"), strict=True):
        if len(one) < NEEDED:
            centre = _mean(logs[1]) - _mean(logs[0])
            return untold(f"{counted(len(one), 'visit')} of {name}; a verdict needs {NEEDED} a side", centre)
    return told(apart(logs[0], logs[1], level), margin, level)


def paired(
    base: Sequence[float | None], new: Sequence[float | None], margin: float, level: float = LEVEL
) -> Judged:
    """Neighbours in time, so that drift cancels: base[i] and new[i] were taken side by side."""
    sides = [logarithms(one, name) for one, name in ((base, "base"), (new, "new"))]
    for one in sides:
        if isinstance(one, str):
            return untold(one)
    before, after = (one for one in sides if not isinstance(one, str))
    if len(before) != len(after):
        return untold(f"{len(before)} values of base and {len(after)} of new; pairs need as many of each")
    return differences([b - a for a, b in zip(before, after, strict=True)], margin, level)


def differences(logs: Sequence[float], margin: float, level: float = LEVEL) -> Judged:
    """The same for differences of logarithms, new less base."""
    if len(logs) < NEEDED:
        why = f"{counted(len(logs), 'pair')}; a verdict needs {NEEDED}"
        return untold(why, _mean(logs) if logs else None)
    return told(student(logs), margin, level)


def apart(base: Sequence[float], new: Sequence[float], level: float = LEVEL) -> Shift:
    """The difference of two means, each of two logarithms and more: by Welch's t or the pooled one, whichever is wider.

    Of three visits, Welch's t believes their spread too readily where the other side has many: without a
    change it then calls 2 in 100 changed, and the pooled one 12 in 100 where the few are the unsteady ones.
    """
    sizes = [len(one) for one in (base, new)]
    spreads = [_variance(one) for one in (base, new)]
    mean = _mean(new) - _mean(base)
    free = sum(sizes) - len(sizes)
    pooled = sum(spread * (size - 1) for spread, size in zip(spreads, sizes, strict=True)) / free
    parts = [spread / size for spread, size in zip(spreads, sizes, strict=True)]
    same = Shift(mean, math.sqrt(pooled * sum(1 / size for size in sizes)), free)
    if same.error < ROUNDING:
        return same
    whole = sum(parts)
    freedom = whole**2 / sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    return max(Shift(mean, math.sqrt(whole), freedom), same, key=lambda one: one.half(level))


def student(logs: Sequence[float]) -> Shift:
    """The mean of two differences and more."""
    return Shift(_mean(logs), math.sqrt(_variance(logs) / len(logs)), len(logs) - 1)


def told(shift: Shift, margin: float, level: float = LEVEL, alike: float = ALIKE) -> Judged:
    """The verdict that a shift earns."""
    p, wide, narrow = shift.p(), shift.half(level), shift.half(alike)
    inside = margin > 0 and abs(shift.mean) + narrow <= math.log1p(margin)
    seen: Code = "up" if shift.mean > 0 else "down"
    verdict: Code = "equivalent" if inside else seen if p < 1 - level else "cannot tell"
    return Judged(
        ratio=interval(shift.mean, narrow if inside else wide),
        verdict=verdict,
        p=p,
        detectable=detectable(shift.error, shift.freedom, level=level),
        level=alike if inside else level,
        reason="" if verdict != "cannot tell" else _why(margin, narrow),
    )


def untold(reason: str, centre: float | None = None) -> Judged:
    """No verdict; the ratio without an interval where there is one."""
    ratio = Estimate(None if centre is None else math.exp(centre), None, None, reason)
    return Judged(ratio=ratio, verdict="cannot tell", p=None, detectable=None, reason=reason)


def interval(mean: float, half: float) -> Estimate:
    """The ratio of a mean of logarithms with half the width of its interval."""
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def detectable(error: float, freedom: float, *, level: float = LEVEL, power: float = POWER) -> float:
    """The least relative rise that is called up with this power, if the true standard error is the one seen.

    By the noncentral t. A fall is seen from the reciprocal on: a rise of 25 % and a fall of 20 % are as far.
    """
    far = special.stdtrit(freedom, (1 + level) / 2)
    return math.expm1(float(special.nctdtrinc(freedom, 1 - power, far)) * error)


def corrected(judged: Sequence[Judged], level: float = LEVEL) -> tuple[Judged, ...]:
    """Many verdicts at once, in the same order: changes that are not sure among so many cannot be told.

    Benjamini and Hochberg, "Controlling the false discovery rate", J. Royal Statistical Society B 57, 1995. Where nothing has
    changed, the chance that any verdict says so is 1 - level at most, however many there are, as with Holm's
    procedure; where something has, one slow part shows in many metrics, and it is then not lost among them. What is equivalent
    stays so, and counts as no change: a false "equivalent" needs a true change in that very number, and the number of
    others that were looked at makes it no likelier that it is said of this one.
    """
    tested = [one.p for one in judged if one.p is not None and one.verdict != "equivalent"]
    many = sum(one.p is not None for one in judged)
    ordered = sorted(tested)
    passed = [p for place, p in enumerate(ordered, 1) if p * many < place * (1 - level)]
    bar = max(passed, default=-1.0)
    return tuple(_doubted(one, many) if _lost(one, bar) else one for one in judged)


def _lost(one: Judged, bar: float) -> bool:
    return one.verdict in {"up", "down"} and one.p is not None and one.p > bar


def _doubted(one: Judged, many: int) -> Judged:
    return replace(
        one,
        verdict="cannot tell",
        reason=f"sure enough on its own, not as one of {many:,} figures: among so many, chance alone makes some differ as much",
    )


def _why(margin: float, narrow: float) -> str:
    """What keeps a number from being told."""
    if margin <= 0:
        return "no change is still possible"
    if narrow > math.log1p(margin):
        return f"it varies too much for so few values to tell a change of {100 * margin:g} % from none"
    return f"no change is still possible, and so is one beyond the margin of {100 * margin:g} %"


def logarithms(values: Sequence[float | None], name: str) -> list[float] | str:
    """The logarithms, or why there are none."""
    missing = sum(one is None or math.isnan(one) for one in values)
    if missing or not values:
        return (
            f"{missing} of {counted(len(values), 'visit')} of {name} gave no value"
            if values
            else f"{name} has no value"
        )
    wrong = [one for one in values if one is not None and not 0 < one < math.inf]
    if wrong:
        return f"{name} has the value {wrong[0]:g}; ratios are of finite numbers above zero"
    return [math.log(one) for one in values if one is not None]


def _mean(logs: Sequence[float]) -> float:
    return math.fsum(logs) / len(logs)


def _variance(logs: Sequence[float]) -> float:
    mean = _mean(logs)
    return math.fsum((one - mean) ** 2 for one in logs) / (len(logs) - 1)
