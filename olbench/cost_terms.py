"""The terms of a cost line: what each is at a place, and whether a place lies within what a line was fitted on."""

from collections.abc import Callable, Mapping
from typing import Literal

from olbench.sized import Line
from olbench.units import words

Place = Mapping[str, float]
What = Literal["decode", "prefill", "load"]

# A token looks back on all before it: `amount` tokens behind `depth` others look back on amount * (depth + amount / 2).
# What a token's look back costs is half of what "tokens^2" does, so a prompt may be read in parts.
TERMS: Mapping[str, Callable[[float, float], float]] = {
    "1": lambda *_: 1.0,
    "streams": lambda amount, _: amount,
    "streams*depth": lambda amount, depth: amount * depth,
    "tokens": lambda amount, _: amount,
    "tokens^2": lambda amount, depth: amount * (amount + 2 * depth),
    "bytes": lambda amount, _: amount,
    # Bends, which only `beyond` tries.
    "streams^2": lambda amount, _: amount**2,
    "streams*depth^2": lambda amount, depth: amount * depth**2,
    "tokens^3": lambda amount, depth: (amount + depth) ** 3 - depth**3,
    "bytes^2": lambda amount, _: amount**2,
}
AMOUNTS: Mapping[What, str] = {"decode": "streams", "prefill": "tokens", "load": "bytes"}
_UNITS = {"streams": "streams", "depth": "tokens of context", "tokens": "tokens"}
_GRACE = 0.02  # of its ends, by which a place may lie outside of a span: lengths of prompts are not exact


def pair(what: What, place: Place) -> tuple[float, float]:
    """A place as (amount, depth)."""
    return place[AMOUNTS[what]], place.get("depth", 0.0)


def row(terms: tuple[str, ...], what: What, place: Place) -> list[float]:
    """What each term is at a place."""
    amount, depth = pair(what, place)
    return [TERMS[term](amount, depth) for term in terms]


def beyond(line: Line, place: Place) -> tuple[str, ...]:
    """The names by which a place lies outside of what the line was fitted on."""
    amount, depth = pair(line.what, place)
    reach = {AMOUNTS[line.what]: amount}
    if "depth" in line.span:  # of a prompt, what its last token looks back on
        reach["depth"] = depth + amount if line.what == "prefill" else depth
    return tuple(name for name, value in reach.items() if not _within(value, line.span[name]))


def outside(line: Line, place: Place) -> str:
    """Why a line does not answer for a place, in a sentence; "" where it does."""
    found = beyond(line, place)
    if not found:
        return ""
    name, (low, high) = found[0], line.span[found[0]]
    if name == "bytes":
        return f"loads were measured from {words(low, 'B')} to {words(high, 'B')}"
    measured = f"{low:,.0f}" if high <= low * (1 + _GRACE) else f"{low:,.0f} to {high:,.0f}"
    return f"it was measured with {measured} {_UNITS[name]}; beyond that the line is a guess"


def _within(value: float, span: tuple[float, float]) -> bool:
    return span[0] * (1 - _GRACE) <= value <= span[1] * (1 + _GRACE)
