"""The plain tables of the page, in finished words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from olbench.findings import CellFinding
from olbench.prose import listed
from olbench.report.wording import plain


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a table; `small` follows in a quieter voice."""

    text: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a column; numbers stand on the right."""

    text: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows, and a sentence below them."""

    headings: tuple[Heading, ...]
    rows: tuple[tuple[Entry, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Facts of one kind, each as its name, its value, and whether it changed during the run."""

    title: str
    rows: tuple[tuple[str, str, bool], ...]


def row(*texts: str) -> tuple[Entry, ...]:
    """A row without small print."""
    return tuple(Entry(text) for text in texts)


def numbered(cells: Iterable[CellFinding]) -> dict[str, str]:
    """Cell id -> its number in the table of cells, and its label."""
    return {found.cell.id: f"{place}. {plain(found.label)}" for place, found in enumerate(cells, 1)}


def which(places: Sequence[int], of: int) -> str:
    """Cells by their numbers in the table of `of` cells: "cell 3", "cells 1–4 and 7", "all 8 cells"."""
    if len(places) == of > 1:
        return f"all {of} cells"
    starts = [places[0], *(after for before, after in pairwise(places) if after > before + 1)]
    ends = [*(before for before, after in pairwise(places) if after > before + 1), places[-1]]
    runs = [part for ends in zip(starts, ends, strict=True) for part in _run(*ends)]
    return f"cell{'s' if len(places) > 1 else ''} {listed(runs)}"


def _run(start: int, end: int) -> tuple[str, ...]:
    return (f"{start}–{end}",) if end > start + 1 else tuple(map(str, range(start, end + 1)))
