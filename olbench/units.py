"""Numbers and words: "51.7 ms" <-> 0.0517. One door in, one door out."""

import math
import re

_STEPS = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "B": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "B/s": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),  # as STREAM and vendors count
    "Hz": ((1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz")),
}
_SPANS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")


def scaled(value: float, unit: str) -> tuple[float, str]:
    """A value in its base unit -> (number, unit) of a size that people read: (0.0517, "s") -> (51.7, "ms")."""
    steps = _STEPS.get(unit)
    if steps is None or not math.isfinite(value):
        return value, unit
    if value == 0:
        return value, unit
    for factor, name in steps:
        if abs(value) >= factor:
            return value / factor, name
    factor, name = steps[-1]
    return value / factor, name


def figures(value: float, digits: int = 3) -> str:
    """A number to `digits` significant figures, never in scientific notation: 1234.5 -> "1,234"."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}"
    # 9.996 to three figures is 10.00 by the first count of places and 10.0 by the second.
    if places and abs(float(text.replace(",", ""))) >= 10 ** (digits - places):
        text = f"{value:,.{places - 1}f}"
    return text


def words(value: float | None, unit: str, digits: int = 3) -> str:
    """A value in its base unit as people read it: (0.0517, "s") -> "51.7 ms"; None -> "–"."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{figures(value * 100, digits)} %"
    number, name = scaled(value, unit)
    return f"{figures(number, digits)} {name}".rstrip()


def span(nanoseconds: float) -> str:
    """A span of time for people: 95e9 -> "1 min 35 s"; below a minute as `words` would say it."""
    seconds = nanoseconds / 1e9
    if seconds < 60:
        return words(seconds, "s", 2) if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def parse_span(text: str) -> int:
    """Nanoseconds of "300s", "1.5m", "1h30m" (Go's duration notation). ValueError when it is none."""
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a span of time such as 90s, 5m or 1h30m")
    return round(sum(float(number) * _SPANS[unit] for number, unit in parts))
