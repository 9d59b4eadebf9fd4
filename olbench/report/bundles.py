"""How the cells of a run lie on its axes: which of them make a curve, and which curves share a chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from olbench import labels
from olbench.findings import CellFinding
from olbench.model import Cell
from olbench.report.wording import plain

MOST_SERIES = 8  # more colours than this cannot be told apart
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_FIRST = ("concurrency", "users", "rate", "num_ctx", "prompt_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Curve:
    """The cells of one model in one quantization, in the plan's order, with the look that it has in a chart."""

    name: str
    tint: str
    marker: str
    cells: tuple[CellFinding, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """At most MOST_SERIES curves that share a chart; `title` is "" when there is only one bundle."""

    title: str
    curves: tuple[Curve, ...]


def placed(cell: Cell, axes: Sequence[str]) -> tuple[str, ...]:
    """The cell's positions in words: ("num_ctx 4096", "cold cache")."""
    return tuple(plain(_placed(cell, axis)) for axis in axes)


def _placed(cell: Cell, axis: str) -> str:
    # A label has no room for "concurrency 4" and says "×4"; a caption has.
    at = number_at(cell, axis)
    return (
        labels.said(axis, labels.value(cell, axis))
        if math.isnan(at)
        else f"{axis} {labels.value(cell, axis)}"
    )


def identity(cells: Sequence[CellFinding]) -> dict[str, str]:
    """Model as sent -> the shortest name that tells it from the run's other models."""
    varying = labels.axes([found.cell for found in cells])
    who = [axis for axis in labels.WHO if axis in varying]
    names = {found.cell.model: plain(labels.label(found.cell, who)) for found in cells}
    return names if len(set(names.values())) == len(names) else {model: plain(model) for model in names}


def others(axes: Sequence[str]) -> tuple[str, ...]:
    """The axes that vary beside the model and its quantization, the well-known ones first."""
    found = [axis for axis in axes if axis not in labels.WHO]
    return tuple(sorted(found, key=lambda axis: _FIRST.index(axis) if axis in _FIRST else len(_FIRST)))


def steps(cells: Sequence[CellFinding], axis: str) -> tuple[float, ...]:
    """The values of an axis in ascending order; () when one of them is no number or they are all the same."""
    values = {number_at(found.cell, axis) for found in cells}
    return tuple(sorted(values)) if len(values) > 1 and not any(map(math.isnan, values)) else ()


def number_at(cell: Cell, axis: str) -> float:
    """The cell's position on an axis of numbers; NaN when it is none there."""
    value = labels.value(cell, axis)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def bundles(cells: Sequence[CellFinding]) -> tuple[Bundle, ...]:
    """All curves of the run, in as many bundles as it takes to keep each legible."""
    names = identity(cells)
    if len(names) <= MOST_SERIES:
        return (_bundle("", cells, names),)
    by_base: dict[str, dict[str, str]] = {}
    for found in cells:
        own = plain(labels.said("quantization", found.cell.quantization))
        by_base.setdefault(found.cell.base, {})[found.cell.model] = own
    if all(1 < len(own) <= MOST_SERIES for own in by_base.values()):
        return tuple(_bundle(plain(base), cells, own) for base, own in by_base.items())
    return _parts(cells, list(names.items()))


def _parts(cells: Sequence[CellFinding], names: Sequence[tuple[str, str]]) -> tuple[Bundle, ...]:
    """Bundles of about the same number of curves, in the plan's order."""
    count = -(-len(names) // MOST_SERIES)
    size = -(-len(names) // count)
    starts = range(0, len(names), size)
    return tuple(
        _bundle(f"part {place} of {len(starts)}", cells, dict(names[start : start + size]))
        for place, start in enumerate(starts, 1)
    )


def _bundle(title: str, cells: Sequence[CellFinding], names: dict[str, str]) -> Bundle:
    curves = (
        Curve(name, f"s{place + 1}", MARKERS[place], tuple(one for one in cells if one.cell.model == model))
        for place, (model, name) in enumerate(names.items())
    )
    return Bundle(title, tuple(curves))
