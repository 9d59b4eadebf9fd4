"""Which cells of two sides are compared: equal in all that is asked, or in all but the axis that is compared across."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from olbench import labels
from olbench.arrival import Load
from olbench.differences import Side, SideCell, Unlike
from olbench.errors import UsageError
from olbench.labels import AxisValue
from olbench.model import Cell
from olbench.prose import distinct, listed

# Names under which other work is compared on purpose -> the differences that they cover (see setup.unlike).
_MODEL = ("digest", "template", "quantization", "parameters", "system prompt")
COVERS: Mapping[str, tuple[str, ...]] = {
    "digest": _MODEL,
    "model": _MODEL,
    "quantization": _MODEL,
    "prompts": ("language", "own_prompts", "file"),
    "system": ("system",),
    "format": ("format",),
    "stream": ("stream",),
}
# How a cell came by its model, and by its draws, is not what is asked; the labels of quantizations are not the models.
_LENIENT = ("base", "quantization", "seed")
# Fields of a cell that are no values of their own.
_APART = ("id", "options", "load")
_NAMED_AT_MOST = 6


@dataclass(frozen=True, slots=True)
class Match:
    """Two cells that are compared."""

    label: str
    base: SideCell
    new: SideCell


def refused(unlike: Iterable[Unlike], across: str | None) -> tuple[str, ...]:
    """One sentence for each difference in content that nobody asked to compare across."""
    return tuple(
        f"{one.what}: {one.base} in the base, {one.new} on the new side; "
        f"`--across {_cover(one)}` compares them all the same"
        for one in unlike
        if one.content and _kind(one) not in COVERS.get(across or "", ())
    )


def matches(base: Side, new: Side, across: str | None) -> tuple[Match, ...]:
    """The pairs in the order of the base's cells. UsageError with one sentence a difference where there are none."""
    _known(base, new, across)
    axis = across if across is not None and _is_axis(base, new, across) else None
    drop = _dropped(base, new, axis)
    others: dict[object, list[SideCell]] = {}
    for one in new.cells:
        others.setdefault(_key(one.cell, drop), []).append(one)
    place = _places(base, new, axis)
    found = [
        (one, other)
        for one in base.cells
        for other in others.get(_key(one.cell, drop), ())
        if axis is None or place[labels.value(one.cell, axis)] < place[labels.value(other.cell, axis)]
    ]
    if not found:
        raise UsageError(_nothing(base, new, axis))
    return tuple(_labelled(found, axis))


def alone(base: Side, new: Side, found: Sequence[Match]) -> tuple[str, ...]:
    """The labels of cells that are in no pair, each with its side."""
    paired = {one.base.cell.id for one in found}, {one.new.cell.id for one in found}
    seen = (paired[0] | paired[1],) * 2 if base == new else paired
    return distinct(
        f"{one.label} ({side.name})"
        for side, ids in zip((base, new), seen, strict=True)
        for one in side.cells
        if one.cell.id not in ids
    )


# --- keys -----------------------------------------------------------------------------------------------------


def _fields(cell: Cell) -> dict[str, AxisValue]:
    named = {name: getattr(cell, name) for name in Cell.__dataclass_fields__ if name not in _APART}
    return named | _load(cell) | dict(cell.options)


def _load(cell: Cell) -> dict[str, AxisValue]:
    """What the load asks for, under the names of axes where it is one."""
    fields = (
        {} if cell.load is None else {name: getattr(cell.load, name) for name in Load.__dataclass_fields__}
    )
    return {name if name in labels.FIELDS else f"load.{name}": value for name, value in fields.items()}


def _key(cell: Cell, drop: frozenset[str]) -> frozenset[tuple[str, AxisValue]]:
    return frozenset((name, value) for name, value in _fields(cell).items() if name not in drop)


def _dropped(base: Side, new: Side, axis: str | None) -> frozenset[str]:
    """What two cells of a pair need not have alike."""
    varied = {*labels.axes(_cells(base)), *labels.axes(_cells(new))}
    drop = {*_LENIENT} - ({"seed"} & varied)  # where a run varies it, it is asked for
    if axis == "model":
        drop = drop - ({"quantization"} & varied) | ({"think"} - varied)
    if axis == "quantization":
        drop = drop - {"base"} | {"model"}
    return frozenset(drop | ({axis} if axis else set()))


def _is_axis(base: Side, new: Side, across: str) -> bool:
    return across in labels.FIELDS or any(across in dict(one.options) for one in _cells(base, new))


def _cells(*sides: Side) -> list[Cell]:
    return [one.cell for side in sides for one in side.cells]


def _places(base: Side, new: Side, axis: str | None) -> Mapping[AxisValue, int]:
    """The values of the axis in order of appearance, the base's first: each is compared with those behind it."""
    if axis is None:
        return {}
    values = dict.fromkeys(labels.value(one, axis) for one in _cells(base, new))
    return {value: place for place, value in enumerate(values)}


# --- words ----------------------------------------------------------------------------------------------------


def _labelled(found: Sequence[tuple[SideCell, SideCell]], axis: str | None) -> Iterator[Match]:
    if axis is None:
        names = labels.labels([one.cell for one, _ in found])
        return (Match(name, one, other) for name, (one, other) in zip(names, found, strict=True))
    varied = [labels.axes([one.cell for one in cells]) for cells in zip(*found, strict=True)]
    names = tuple(name for name in dict.fromkeys((*varied[0], *varied[1])) if name != axis)
    return (Match(_across(one.cell, other.cell, axis, names), one, other) for one, other in found)


def _across(base: Cell, new: Cell, axis: str, names: Sequence[str]) -> str:
    change = " → ".join(labels.said(axis, labels.value(one, axis)) for one in (base, new))
    if axis == "model":
        return f"{change} · {labels.label(base, names)}" if names else change
    who = labels.label(base, names) if names else base.base if axis in labels.WHO else base.model
    return f"{who}: {change}"


def _kind(one: Unlike) -> str:
    return one.what.partition(" of ")[0]


def _cover(one: Unlike) -> str:
    return next(name for name, kinds in COVERS.items() if _kind(one) in kinds)


def _known(base: Side, new: Side, across: str | None) -> None:
    for name, side in (("the base", base), ("the new side", new)):
        if not side.cells:
            raise UsageError(f"{name} ({side.name}) has no cells: there is nothing to compare")
    if across is None or across in COVERS or _is_axis(base, new, across):
        return
    options = sorted({name for one in _cells(base, new) for name, _ in one.options})
    would = ", ".join(distinct([*labels.FIELDS, *options, *COVERS]))
    raise UsageError(f"--across {across}: there is no such axis; {would} would do")


def _nothing(base: Side, new: Side, axis: str | None) -> tuple[str, ...]:
    """Why no cell of one side is like one of the other: a sentence for each axis on which they have nothing in common."""
    apart = [
        name for name in _axes(base, new) if name != axis and not _values(base, name) & _values(new, name)
    ]
    if "model" in apart:
        apart = [name for name in apart if name not in ("quantization", "think")]
    sentences = [
        f"{name}: {_has(base, name)} in the base, {_has(new, name)} on the new side" for name in apart
    ]
    if axis is not None:
        both = _values(base, axis) | _values(new, axis)
        if len(both) == 1:
            return (
                f"--across {axis}: both sides have {_has(base, axis)} alone; two values would do",
                *sentences,
            )
    elif len(sentences) == 1:
        return (f"{sentences[0]}; `--across {apart[0]}` compares them",)
    if sentences:
        return tuple(f"{one}: cells that differ in one axis alone can be compared" for one in sentences)
    has = f"the base has {_listed(base)}, the new side {_listed(new)}"
    return (f"no cell of the base is one of the new side: {has}; runs of one scenario would do",)


def _axes(base: Side, new: Side) -> tuple[str, ...]:
    options = sorted({name for one in _cells(base, new) for name, _ in one.options} - {"seed"})
    return (*labels.FIELDS, *options)


def _values(side: Side, axis: str) -> set[AxisValue]:
    return {labels.value(one, axis) for one in _cells(side)}


def _has(side: Side, axis: str) -> str:
    return _few(labels.said(axis, labels.value(one, axis)) for one in _cells(side))


def _listed(side: Side) -> str:
    return _few(f"“{one.label}”" for one in side.cells)


def _few(parts: Iterable[str]) -> str:
    found = distinct(parts)
    more = len(found) - _NAMED_AT_MOST
    return listed(found if more <= 0 else [*found[:_NAMED_AT_MOST], f"{more} more"])
