"""A cost line at a place: its prediction interval, and how much wider that is where nobody measured.

Beyond the span the interval also holds what the line would give with a bend in the direction in which it is left: the term
of the next power is fitted beside the others, and the interval that it gives joined to the straight one's. So it widens with
the distance, the more the less the measurements can tell of a bend. Where there are too few places to fit one, the growth
beyond the span is taken to be half to twice the line's. Where the run has but one number of streams, a step of more streams
takes at least as long as one of so many, and at most as if they were computed one after the other. Where nothing is known
of the growth, there is no figure.
"""

import math
from collections.abc import Mapping

import numpy as np

from olbench.cost_terms import AMOUNTS, Place, beyond, row
from olbench.findings import Estimate
from olbench.sized import Line
from olbench.stats import linear
from olbench.stats.visits import student

# What is left -> the slope that speaks of it, and the bend that it may hide.
_SLOPES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("decode", "streams"): ("streams", "streams^2"),
    ("decode", "depth"): ("streams*depth", "streams*depth^2"),
    ("prefill", "tokens"): ("1", "tokens^3"),  # a line through one length has no constant
    ("prefill", "depth"): ("tokens^2", "tokens^3"),
    ("load", "bytes"): ("bytes", "bytes^2"),
}
_LEAST, _MOST = 0.5, 2.0  # times the line's growth, where no bend can be fitted


def straight(line: Line, place: Place) -> Estimate:
    """What one visit would give by the line, with the interval that holds 95 % of such visits."""
    terms = np.array(row(line.terms, line.what, place))
    value = max(0.0, float(terms @ np.array([one.value or 0.0 for one in line.coefficients])))
    if not line.freedom:
        return Estimate(value, None, None, line.reason)
    spread = math.sqrt((line.scatter * value) ** 2 + float(terms @ np.array(line.covariance) @ terms))
    half = student(line.freedom) * spread
    return Estimate(value, max(0.0, value - half), value + half)


def widened(line: Line, place: Place, why: str) -> Estimate:
    """The same beyond what was measured; `why` says what that is."""
    names = beyond(line, place)
    unknown = [name for name in names if _SLOPES[line.what, name][0] not in line.terms]
    if unknown == ["streams"]:
        return _sharing(line, place, why)
    if unknown:
        return Estimate(None, None, None, f"{why}, and nothing measured says how it grows")
    found = straight(line, place)
    if found.low is None or found.high is None:
        return Estimate(found.value, None, None, f"{why}; {found.reason}")
    bends = [_bent(line, place, _SLOPES[line.what, name][1]) or _grown(line, place, found) for name in names]
    ends = [(found.low, found.high), *bends]
    return Estimate(found.value, min(low for low, _ in ends), max(high for _, high in ends), why)


def _bent(line: Line, place: Place, bend: str) -> tuple[float, float] | None:
    """The interval by a line with a bend; None where the points do not determine one."""
    terms = (*line.terms, bend)
    rows = np.array([row(terms, line.what, point.at) for point in line.points])
    keys = [tuple(round(value) for value in point.at.values()) for point in line.points]
    numbers = {key: number for number, key in enumerate(keys)}
    if len(numbers) < len(terms) or not linear.determined(rows):
        return None
    of = np.array([numbers[key] for key in keys])
    fit = linear.fit(rows, np.array([point.seen for point in line.points]), of)
    if not fit.freedom:
        return None
    there = np.array(row(terms, line.what, place))
    value = float(there @ fit.coefficients)
    half = student(fit.freedom) * math.sqrt(
        (fit.scatter * value) ** 2 + float(there @ fit.covariance @ there)
    )
    return max(0.0, value - half), max(0.0, value + half)


def _edge(line: Line, place: Place) -> dict[str, float]:
    """The nearest place within the span."""
    edge = {**place}
    for name in place:
        low, high = line.span.get(name, (place[name], place[name]))
        edge[name] = min(max(place[name], low), high)
    if line.what == "prefill":  # the span of depths is of a prompt's last token
        edge["depth"] = max(0.0, min(place.get("depth", 0.0), line.span["depth"][1] - edge["tokens"]))
    return edge


def _grown(line: Line, place: Place, found: Estimate) -> tuple[float, float]:
    near = straight(line, _edge(line, place))
    if near.low is None or near.high is None or near.value is None or found.value is None:
        return 0.0, math.inf
    growth = found.value - near.value
    ends = (
        near.low + _LEAST * growth,
        near.low + _MOST * growth,
        near.high + _LEAST * growth,
        near.high + _MOST * growth,
    )
    return max(0.0, min(ends)), max(ends)


def _sharing(line: Line, place: Place, why: str) -> Estimate:
    """A step of more (or fewer) streams than the one number that was measured."""
    amount = AMOUNTS[line.what]
    measured, asked = line.span[amount][1], place[amount]
    near = straight(line, {**place, amount: measured})
    if near.low is None or near.high is None:
        return Estimate(near.value, None, None, f"{why}; {near.reason}")
    ratio = asked / measured
    low, high = near.low * min(1.0, ratio), near.high * max(1.0, ratio)
    return Estimate(math.sqrt(low * high), low, high, why)
