"""The table of cells as words: its columns, its figures with their intervals, its footnotes. Every format prints it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.findings import CellFinding, Findings
from olbench.model import GOOD
from olbench.prose import distinct
from olbench.report.amounts import merged
from olbench.report.quantities import BELOW, COLUMNS, Quantity, first, scale_of
from olbench.report.remarks import remarks
from olbench.report.tables.flags import actions, once
from olbench.report.wording import NOTHING, Scale, plain

__all__ = ("ARROWS", "BELOW", "Figure", "Heading", "Overview", "Row", "failed", "overview")

ARROWS = {"lower": "↓", "higher": "↑", "neither": ""}


@dataclass(frozen=True, slots=True)
class Heading:
    """A column that is shown: its short name, its unit, which way is better, and what it is."""

    name: str
    unit: str
    arrow: str
    says: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One entry: value and interval in words, the bare number to sort by, numbers of footnotes."""

    value: str
    interval: str
    number: float | None
    notes: tuple[int, ...]

    @property
    def sort(self) -> str:
        """The bare number as text; "" where there is none."""
        return "" if self.number is None else repr(self.number)


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the run. `number` is its place in the plan, from 1."""

    number: int
    label: str
    notes: tuple[int, ...]
    figures: tuple[Figure, ...]
    sound: Figure  # visits that are not marked, of those that were taken: "3 of 5"
    good: int
    failed: int
    asked: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole table. `remarks` are sentences that stand below it without a number."""

    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # footnotes; number 1 is the first
    actions: tuple[str, ...]  # what to do about each footnote; "" where nothing can be done
    remarks: tuple[str, ...]
    marked: bool  # whether any visit is: `sound` is worth a column then


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row before its footnotes have numbers: the sentences of the row, of its visits, of each figure ("": none)."""

    found: CellFinding
    row: tuple[str, ...]
    sound: tuple[str, ...]
    figures: tuple[str, ...]


def overview(findings: Findings) -> Overview:
    """The table of a run's cells. A column without one value is left out, and a remark says why."""
    cells = findings.cells
    shown = [one for one in (first(column, cells) for column in COLUMNS) if one is not None]
    scales = [scale_of(one, cells) for one in shown]
    drafts = [_draft(found, shown) for found in cells]
    told = merged(note for one in drafts for note in (*one.row, *one.figures, *one.sound) if note)
    sentences = distinct(told.values())
    places = {note: place for place, note in enumerate(sentences, 1)}
    numbers = {note: places[told[note]] for note in told}
    due = actions((flag for found in cells for flag in found.flags), told)
    return Overview(
        headings=tuple(map(_heading, shown, scales)),
        rows=tuple(_row(place, one, shown, scales, numbers) for place, one in enumerate(drafts, 1)),
        notes=sentences,
        actions=once([due.get(note, "") for note in sentences]),
        remarks=remarks(findings, shown),
        marked=any(found.marked for found in cells),
    )


def failed(found: CellFinding) -> int:
    """How many measured samples of the cell did not go through."""
    return sum(count for outcome, count in found.outcomes.items() if outcome not in GOOD)


def _heading(one: Quantity, unit: Scale) -> Heading:
    return Heading(one.name, unit.unit, ARROWS[one.better], one.says)


def _draft(found: CellFinding, shown: Sequence[Quantity]) -> _Draft:
    """The footnotes of a row. Where no figure has a value, the reason stands once, at the row's name."""
    why = [plain(one.of(found).reason) if one.of(found).value is None else one.below(found) for one in shown]
    doubts = [plain(doubt) for doubt in found.doubts]
    marked = _marked(found, doubts)
    if shown and any(why) and all(one.of(found).value is None for one in shown):
        return _Draft(found, distinct([*doubts, *filter(None, why)]), marked, tuple("" for _ in shown))
    return _Draft(found, tuple(doubts), marked, tuple(why))


def _marked(found: CellFinding, doubts: Sequence[str]) -> tuple[str, ...]:
    """Why visits are left out of the figures, or would be if there were others: the flag that says so, if there is one."""
    reasons = distinct(plain(reason) for own in found.marked.values() for reason in own)
    flagged = ([doubt for doubt in doubts if reason in doubt] for reason in reasons)
    opening = "a visit is left out of the figures" if found.judged else "no verdict rests on these figures"
    pairs = zip(reasons, flagged, strict=True)
    return distinct(said for one, own in pairs for said in own[:1] or [f"{opening}, because {one}"])


def _row(
    place: int, draft: _Draft, shown: Sequence[Quantity], scales: Sequence[Scale], numbers: Mapping[str, int]
) -> Row:
    found = draft.found
    entries = zip(shown, scales, draft.figures, strict=True)
    return Row(
        number=place,
        label=plain(found.label),
        notes=tuple(sorted({numbers[note] for note in draft.row})),
        figures=tuple(_figure(one, found, unit, numbers.get(why)) for one, unit, why in entries),
        sound=_sound(found, tuple(sorted({numbers[note] for note in draft.sound}))),
        good=sum(found.outcomes.values()) - failed(found),
        failed=failed(found),
        asked=sum(found.outcomes.values()),
    )


def _sound(found: CellFinding, notes: tuple[int, ...]) -> Figure:
    if not found.visits_taken:
        return Figure(NOTHING, "", None, notes)
    sound = found.visits_taken - len(found.marked)
    return Figure(f"{sound} of {found.visits_taken}", "", sound, notes)


def _figure(one: Quantity, found: CellFinding, unit: Scale, note: int | None) -> Figure:
    value, interval = one.shown(found, unit)
    return Figure(value, interval, one.of(found).value, () if note is None else (note,))
