"""What a key of a scenario can hold: its type, what would do, and how TOML's value becomes ours."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from olbench import units
from olbench.options import INT_MOST

REQUIRED: Any = object()  # the default of a key that has none
_LONGEST_NS = 365 * 24 * 3600 * 10**9
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(rf"(\d+(?:\.\d+)?) ?({'|'.join(_SIZES)})")
_WIDEST = 0.5  # of an interval that still says anything
SPAN = 'seconds or a span such as "90s", "5m" or "1h30m"'


class UnfitError(Exception):
    """A value has the type and still will not do. The sentence goes on from the key; "" when `wants` says it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section."""

    type: Any  # as msgspec understands it
    wants: str  # what would do
    default: Any
    choices: tuple[str, ...] = ()  # the texts that would do, for a did-you-mean
    then: Callable[[Any], Any] | None = None  # from what TOML holds to what olbench holds; raises UnfitError
    listed: bool = False  # a list whose items are each of `type`
    keys: Mapping[str, "Key"] | None = None  # of a table within the section


def whole(default: Any, low: int, high: int = INT_MOST) -> Key:
    """A key that holds a whole number."""
    wants = (
        f"a whole number of at least {low}" if high == INT_MOST else f"a whole number from {low} to {high}"
    )
    return Key(Annotated[int, Meta(ge=low, le=high)], wants, default)


def one_of(default: Any, *choices: str) -> Key:
    """A key that holds one of some words."""
    wants = " or ".join(f'"{choice}"' for choice in choices)
    return Key(Literal[choices], wants, default, choices)


def text(default: Any, wants: str, then: Callable[[str], str] | None = None) -> Key:
    """A key that holds a text, as a line unless `then` says otherwise."""
    return Key(Annotated[str, Meta(min_length=1)], wants, default, then=then or one_line)


def one_line(words: str) -> str:
    """A text that is one line, and not blank."""
    if not words.strip() or not words.isprintable():
        raise UnfitError
    return words


def sentence(words: str) -> str:
    """A text whose lines are made one."""
    return one_line(" ".join(words.split()))


def not_blank(words: str) -> str:
    """A text of any lines, one of which says something."""
    if not words.strip():
        raise UnfitError
    return words


def span(value: str | float) -> int:
    """Nanoseconds of seconds or a span in words."""
    try:
        nanoseconds = units.parse_span(value) if isinstance(value, str) else round(value * 1e9)
    except (ValueError, OverflowError) as exc:
        raise UnfitError from exc
    if not 0 < nanoseconds <= _LONGEST_NS:
        raise UnfitError
    return nanoseconds


def span_or_none(value: str | float) -> int | None:
    """The same; None for "none"."""
    return None if value == "none" else span(value)


def share(value: str | float) -> float:
    """A number, or a text such as "5%"."""
    if not isinstance(value, str):
        return above_0(value)
    number, mark, rest = value.partition("%")
    try:
        found = float(number) / 100
    except ValueError as exc:
        raise UnfitError from exc
    if not mark or rest:
        raise UnfitError
    return above_0(found)


def narrow(value: str | float) -> float:
    """A share of one half at most."""
    found = share(value)
    if found > _WIDEST:
        raise UnfitError
    return found


def above_0(value: float) -> float:
    """A number above 0."""
    if not (math.isfinite(value) and value > 0):
        raise UnfitError
    return float(value)


def seconds(value: str | float) -> float:
    """Seconds of seconds or a span in words."""
    return span(value) / 1e9


def size(value: str | float) -> float:
    """Bytes of a number or a text such as "64MiB"."""
    if not isinstance(value, str):
        return above_0(value)
    found = _SIZE.fullmatch(value)
    if found is None:
        raise UnfitError
    return above_0(float(found[1]) * _SIZES[found[2]])
