"""Small pieces of English sentences: counts with their noun, lists, a figure with its interval."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from olbench.findings import Estimate
from olbench.units import figures, scaled, words

Kind = TypeVar("Kind", bound=str)


def counted(count: int, noun: str) -> str:
    """A count with its noun: (1, "sample") -> "1 sample", (2, "sample") -> "2 samples"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(parts: Sequence[str]) -> str:
    """Parts as people list them: "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def tallied(counts: Mapping[Kind, int]) -> str:
    """Kinds with their counts, the most frequent first: "2 stalled, 1 refused"."""
    return ", ".join(f"{count} {kind}" for kind, count in ranked(counts))


def ranked(counts: Mapping[Kind, int]) -> list[tuple[Kind, int]]:
    """Kinds with their counts, the most frequent first; among equals by name, so that no order of arrival shows."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def distinct(parts: Iterable[str]) -> tuple[str, ...]:
    """The parts without repetition, in the order of their first appearance."""
    return tuple(dict.fromkeys(parts))


def ranged(estimate: Estimate, unit: str) -> str | None:
    """An interval in the unit and with the places that its value reads in: "94.1–98.3".

    None where there is none, and where it is narrower than the places can show.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    shown = estimate.value * 100 if unit == "share" else scaled(estimate.value, unit)[0]
    factor = shown / estimate.value if estimate.value else 1.0
    places = len(figures(shown).partition(".")[2])
    low, high = (f"{end * factor:,.{places}f}" for end in (estimate.low, estimate.high))
    if low == high:
        return None
    return f"{low} to {high}" if estimate.low < 0 else f"{low}–{high}"


def figure(estimate: Estimate, unit: str, *, brackets: str = "95 % interval ") -> str:
    """A figure with its interval: "96 tok/s (95 % interval 94–98)"; the bare figure where none is to be shown."""
    interval = ranged(estimate, unit)
    bare = words(estimate.value, unit)
    return bare if interval is None else f"{bare} ({brackets}{interval})"
