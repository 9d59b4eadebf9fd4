"""Thresholds in words: all of them with their reasons, and those that a scenario moves."""

from collections.abc import Iterator, Mapping

from olbench.report.columns import WIDTH, painted, paragraph
from olbench.thresholds import THRESHOLDS
from olbench.units import scaled

_HEADS = ("name", "default", "unit")
_TOLD = {"share": "share", "s": "s", "B": "B", "B/s": "B"}  # units that a written value shows by itself


def table(*, colour: bool = False, width: int = WIDTH) -> str:
    """Every threshold: its name, default and unit, what is held against it, and below that the reason."""
    rows = [(name, written(one.value, one.unit), one.unit) for name, one in THRESHOLDS.items()]
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    inset = sum(widths) + 2 * len(widths)
    lines = [
        painted(_opening(_HEADS, widths) + "what is held against it, and why there", "dim", colour=colour)
    ]
    for row, one in zip(rows, THRESHOLDS.values(), strict=True):
        lines += paragraph(one.what, width, _opening(row, widths))
        lines += [painted(line, "dim", colour=colour) for line in paragraph(one.why, width, " " * inset)]
    return "\n".join(lines) + "\n"


def moved(bars: Mapping[str, float]) -> Iterator[str]:
    """A sentence for each threshold that is not where the table has it."""
    for name, bar in bars.items():
        one = THRESHOLDS[name]
        if bar != one.value:
            unit = f" {one.unit}" if one.unit not in _TOLD else ""
            now, usual = written(bar, one.unit), written(one.value, one.unit)
            yield f"threshold {name}: {now}{unit} instead of {usual}{unit} ({one.what})"


def written(value: float, unit: str) -> str:
    """A value as a scenario takes it: 2%, 200ms, 32MiB, 0.5."""
    if unit == "share":
        return f"{value * 100:g}%"
    number, name = scaled(value, _TOLD.get(unit, ""))
    return f"{number:g}{name}"


def _opening(row: tuple[str, ...], widths: list[int]) -> str:
    return "".join(f"{field:<{width}}  " for field, width in zip(row, widths, strict=True))
