"""How a value reads on a page, in a terminal and on an axis: one unit a column, as many digits as the interval bears."""

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from olbench.findings import Estimate, Summary
from olbench.units import scaled

NOTHING = "–"
# What a terminal or a browser would act on instead of showing: controls, surrogates, direction marks, line separators.
_UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Joiners and the variation selectors' companions are part of how some scripts and emoji are written.
_KEPT = {"\u200c", "\u200d"}


@dataclass(frozen=True, slots=True)
class Scale:
    """The unit in which a column or an axis is shown: shown = value * factor."""

    factor: float
    unit: str

    def __call__(self, value: float) -> float:
        """The number to show for a value in the base unit."""
        return value * self.factor


def scale(values: Iterable[float], unit: str) -> Scale:
    """One unit for all of `values`, chosen so that the middle one reads well; the base unit when there are none."""
    if unit == "share":
        return Scale(100.0, "%")
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    if not sizes:
        return Scale(1.0, unit)
    middle = median(sizes)
    number, name = scaled(middle, unit)
    return Scale(number / middle, name)


def plain(text: str) -> str:
    """`text` on one line with every character that acts instead of showing replaced by U+FFFD."""
    return text if text.isprintable() else "".join(map(_shown, text))


def plain_lines(text: str) -> str:
    """Like `plain`, but line breaks and tabs stay."""
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join(plain(line) for line in lines)


def _shown(char: str) -> str:
    if char in "\n\t":
        return " "
    if char in _KEPT or unicodedata.category(char) not in _UNSHOWN:
        return char
    return "\ufffd"


def number(value: float, scale_: Scale) -> str:
    """The bare number in the unit of the column, to three significant figures at least."""
    shown = scale_(value)
    return _fixed(shown, _places(shown, 3))


def spread(estimate: Estimate, scale_: Scale) -> tuple[str, str]:
    """A figure and its interval as they stand in a table: ("51.7", "± 1.2"); ("50.0", "48.0–55.0") when it is lopsided.

    The interval is "" where there is none; both are dashes or empty where there is no value.
    """
    if estimate.value is None:
        return NOTHING, ""
    value = scale_(estimate.value)
    if estimate.low is None or estimate.high is None:
        return _fixed(value, _places(value, 3)), ""
    below, above = value - scale_(estimate.low), scale_(estimate.high) - value
    half = max(below, above)
    least, most = _places(value, 3), _places(value, 4)
    # A fourth figure is shown only where the interval is wide enough to be seen in it.
    places = least if half < 0.5 * 10.0**-most else min(max(_places(half, 2), least), most)
    # Of a half-width two figures are shown: ends that differ by less than a tenth of it read alike.
    if abs(above - below) <= 0.1 * half:
        return _fixed(value, places), f"± {_least(half, places)}"
    ends = (scale_(estimate.low), scale_(estimate.high))
    dash = " to " if ends[0] < 0 else "–"
    return _fixed(value, places), f"{_fixed(ends[0], places)}{dash}{_fixed(ends[1], places)}"


def figure(summary: Summary, estimate: Estimate, scale_: Scale) -> tuple[str, str]:
    """Like `spread`, of one of a metric's figures; below the error of the clock there is only that to show."""
    if summary.error is not None and summary.below(estimate):
        return f"< {number(summary.error, scale_)}", ""
    return spread(estimate, scale_)


def _places(value: float, digits: int) -> int:
    """Decimal places that show `digits` significant figures of the value."""
    if value == 0 or not math.isfinite(value):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def _fixed(value: float, places: int) -> str:
    text = f"{value:,.{places}f}"
    # -0.0 says nothing that 0.0 does not.
    return text.removeprefix("-") if not text.strip("-0.,") else text


def _least(half: float, places: int) -> str:
    """A half-width, or that it is below what the places can show: "± 0" would claim too much."""
    text = _fixed(half, places)
    return text if text.strip("0.,") else f"<{10.0**-places:.{places}f}"
