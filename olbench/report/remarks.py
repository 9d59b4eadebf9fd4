"""Sentences below the table of cells that belong to no single figure."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from olbench.arrival import Load
from olbench.findings import CellFinding, Findings, Slots
from olbench.labels import come
from olbench.prose import counted, listed, ranked
from olbench.report.amounts import merged
from olbench.report.quantities import COLUMNS, Quantity, first
from olbench.report.reasons import ranked_reasons
from olbench.report.tables import which
from olbench.report.wording import plain
from olbench.units import words

Alike = TypeVar("Alike", bound=Hashable)


def remarks(findings: Findings, shown: Sequence[Quantity]) -> tuple[str, ...]:
    """All of them, in the order of the page."""
    cells = findings.cells
    return (
        *_named(findings),
        *_loads(cells, findings.axes),
        *_marked(cells),
        *_slots(cells),
        *_cut(cells),
        *_contaminated(cells),
        *_absent(cells),
        *_uncertain(cells, shown),
    )


def _named(findings: Findings) -> list[str]:
    """What the labels leave unsaid."""
    if "concurrency" not in findings.axes or all(found.cell.load for found in findings.cells):
        return []
    most = max(found.cell.concurrency for found in findings.cells)
    return [f"×{most}: {most} requests at a time, each on a stream of its own."]


def _loads(cells: Sequence[CellFinding], axes: Sequence[str]) -> list[str]:
    """How requests come where no stream waits for its answer to send the next."""
    found = _alike(cells, lambda one: _load(one.cell.load, axes) if one.cell.load else None)
    many = len(found) > 1 or any(len(places) < len(cells) for places in found.values())
    return [
        f"{said}{f' ({which(places, len(cells))})' if many else ''}; latency counts from the moment when a request fell due."
        for said, places in found.items()
    ]


def _load(one: Load, axes: Sequence[str]) -> str:
    """A load in words, without what the labels of cells say of it."""
    if one.pattern == "sessions":
        think = words(None if one.think_ns is None else one.think_ns / 1e9, "s", 2)
        people = "" if one.users is None or "users" in axes else f"{come('users', one.users)}, each with "
        hourly = f"{one.questions_per_hour:g} questions an hour" if one.questions_per_hour else "questions"
        return f"Load: {people}{hourly} in conversations of {one.turns}, {think} of thought between them on average"
    rate = "" if one.rate is None or "rate" in axes else f", {come('rate', one.rate)}"
    return f"Load: {one.pattern}{rate}"


def _marked(cells: Sequence[CellFinding]) -> list[str]:
    """What becomes of visits that are not sound."""
    if not any(found.marked for found in cells):
        return []
    none = [place for place, found in enumerate(cells, 1) if found.marked and not found.judged]
    stand = (
        f"; of {which(none, len(cells))} no visit is sound, so the figures stand and no verdict does"
        if none
        else ""
    )
    return [f"Visits that did not pass a check are marked and left out of the figures{stand}."]


def slots_of(slots: Slots) -> tuple[str, str]:
    """The number of slots, and how it is known or why it is not: ("at least 9", "a probe of 9 requests at once")."""
    if slots.count is None:
        return "unknown", plain(slots.reason) or "no reason was given"
    return f"{'at least ' if slots.at_least else ''}{slots.count:,}", plain(slots.how)


def _slots(cells: Sequence[CellFinding]) -> list[str]:
    """How many requests the server computes at the same time, where more than one was asked of it."""
    if all(found.cell.concurrency == 1 and found.cell.load is None for found in cells):
        return []
    found = _alike(cells, lambda one: slots_of(one.slots) if one.slots and one.visits_taken else None)
    parts = [
        f"{count} ({how}){'' if len(found) == 1 else f' in {which(places, len(cells))}'}"
        for (count, how), places in found.items()
    ]
    return [f"Slots of the server: {'; '.join(parts)}."] if parts else []


def _cut(cells: Sequence[CellFinding]) -> list[str]:
    return [
        f"Left out as start-up: the first {counted(count, 'request') if count > 1 else 'request'} of each visit in "
        f"{which(places, len(cells))}."
        for count, places in _alike(cells, lambda one: one.cut or None).items()
    ]


def _contaminated(cells: Sequence[CellFinding]) -> list[str]:
    found = _alike(cells, lambda one: one.contaminated or None)
    parts = [
        f"{counted(count, 'request')} in {'each of ' if len(places) > 1 else ''}{which(places, len(cells))}"
        for count, places in found.items()
    ]
    return [f"Left out because the cache was not as it was meant: {listed(parts)}."] if parts else []


def _alike(
    cells: Sequence[CellFinding], said: Callable[[CellFinding], Alike | None]
) -> dict[Alike, list[int]]:
    """What is said of cells -> the numbers of the cells of which it is."""
    found: dict[Alike, list[int]] = {}
    for place, one in enumerate(cells, 1):
        own = said(one)
        if own is not None:
            found.setdefault(own, []).append(place)
    return found


def _absent(cells: Sequence[CellFinding]) -> list[str]:
    """Why the first choice of a column is not in the table, one sentence a reason."""
    missing = [
        column[0] for column in COLUMNS if column[0].known(cells) and first(column, cells) is not column[0]
    ]
    names: dict[str, list[str]] = {}
    for one in missing:
        why = ranked_reasons(one.of(found) for found in cells) or "it is 0 everywhere"
        names.setdefault(why, []).append(one.name)
    return [f"No {listed(own)}: {why}." for why, own in names.items()]


def _uncertain(cells: Sequence[CellFinding], shown: Sequence[Quantity]) -> list[str]:
    """Why figures that are there have no interval, the commonest reason first."""
    estimates = [one.of(found) for found in cells for one in shown]
    bare = Counter(plain(one.reason) for one in estimates if one.value is not None and one.low is None)
    told = merged(bare)
    words = "; ".join(list(dict.fromkeys(told[reason] for reason, _ in ranked(bare)))[:3])
    return [f"Figures without an interval: {words}."] if words else []
