"""Lines of memory against positions of context, through loads that were seen, and what they say of others."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from olbench import kv
from olbench.findings import Estimate
from olbench.sized import Held
from olbench.stats.visits import student

_NONE = Estimate(0.0, None, None)


@dataclass(frozen=True, slots=True)
class Straight:
    """A least-squares line of bytes against positions; `scatter` is NaN where no freedom is left."""

    base: float
    slope: float
    count: int
    middle: float
    spread: float  # sum of squares of the places around their middle
    scatter: float
    reason: str = ""  # why there is no interval


@dataclass(frozen=True, slots=True)
class Growth:
    """What the metadata say of it: bytes of a token, and of a slot whatever its context."""

    per_token: float | None
    per_slot: float


STILL = Growth(0.0, 0.0)


def ram(held: Held) -> float | None:
    return held.ram.value


def vram(held: Held) -> float | None:
    return held.vram.value


def both(held: Held) -> float | None:
    parts = [one.value for one in (held.ram, held.vram) if one.value is not None]
    return sum(parts) if parts else None


def line_of(
    loads: Sequence[Held], part: Callable[[Held], float | None], per_slot: float = 0.0
) -> Straight | str:
    """The line through the loads without what each slot takes whatever its context; or why there is none."""
    seen = [
        (float(kv.cells(one.num_ctx, one.slots)), value - per_slot * one.slots)
        for one in loads
        if (value := part(one)) is not None
    ]
    if not seen:
        return "its memory was not seen"
    count = len(seen)
    middle, mean = (math.fsum(one[side] for one in seen) / count for side in (0, 1))
    spread = math.fsum((place - middle) ** 2 for place, _ in seen)
    if not spread:
        return "all loads had the same context and slots; two that differ would tell"
    slope = math.fsum((place - middle) * (value - mean) for place, value in seen) / spread
    base = mean - slope * middle
    if count < 3:
        return Straight(base, slope, count, middle, spread, math.nan, "two loads; an interval needs three")
    rest = math.fsum((value - base - slope * place) ** 2 for place, value in seen)
    return Straight(base, slope, count, middle, spread, math.sqrt(rest / (count - 2)))


def _around(value: float, half: float, why: str) -> Estimate:
    return (
        Estimate(value, None, None, why) if math.isnan(half) else Estimate(value, value - half, value + half)
    )


def slope(line: Straight | str) -> Estimate:
    if isinstance(line, str):
        return Estimate(None, None, None, line)
    return _around(line.slope, _t(line) / math.sqrt(line.spread), line.reason)


def overhead(line: Straight | str, weights: float | None) -> Estimate:
    if isinstance(line, str) or weights is None:
        why = line if isinstance(line, str) else "the server does not say how large the weights are"
        return Estimate(None, None, None, why)
    half = _t(line) * math.sqrt(1 / line.count + line.middle**2 / line.spread)
    return _around(line.base - weights, half, line.reason)


def _t(line: Straight) -> float:
    return math.nan if math.isnan(line.scatter) else student(line.count - 2) * line.scatter


def foretold(
    loads: Sequence[Held], part: Callable[[Held], float | None], num_ctx: int, slots: int, growth: Growth
) -> Estimate:
    """What a load at that context would take of RAM, or of GPU memory."""
    values = [value for one in loads if (value := part(one)) is not None]
    if not values:
        return Estimate(None, None, None, "it was not seen")
    if not any(values):
        return _NONE
    line, place = line_of(loads, part, growth.per_slot), kv.cells(num_ctx, slots)
    if isinstance(line, Straight):
        half = _t(line) * math.sqrt(1 + 1 / line.count + (place - line.middle) ** 2 / line.spread)
        return _around(line.base + line.slope * place + growth.per_slot * slots, half, line.reason)
    if growth.per_token is None:
        return Estimate(None, None, None, line)
    more = growth.per_token * (place - kv.cells(loads[0].num_ctx, loads[0].slots))
    more += growth.per_slot * (slots - loads[0].slots)
    why = "one context was measured: the rest is by the model's metadata"
    return Estimate(math.fsum(values) / len(values) + more, None, None, why)
