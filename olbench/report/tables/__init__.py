"""The plain tables of the page, in finished words."""

from collections.abc import Iterable
from dataclasses import dataclass

from olbench.findings import CellFinding
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
