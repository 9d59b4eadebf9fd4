"""Which cells are known well enough for `[measure] until`, asked of what is kept of the run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from olbench import analysis, stats, units
from olbench.findings import Summary
from olbench.labels import labels
from olbench.metrics import METRICS
from olbench.model import Plan, Record
from olbench.prose import counted, listed
from olbench.scenario import Scenario, Until
from olbench.store import Store

NAMED = 5  # cells that a note names


@dataclass(frozen=True, slots=True)
class Narrow:
    """What `until` asks of one run."""

    store: Store
    run_id: str
    until: Until
    at_most: int

    def more(self, cell: str) -> bool:
        """Whether the cell needs another visit. One that gave no figure so far would give none again."""
        found = self.summary(cell)
        return found.typical.value is not None and not stats.enough(found, self.until.within)

    def summary(self, cell: str) -> Summary:
        """The metric in this cell, from its own visits alone."""
        record = _of_one(self.store.record(self.run_id, cell), cell)
        (found,) = analysis.analyse(record).cells
        return found.summaries[self.until.metric]

    def taken(self) -> dict[str, int]:
        """Cell -> visits that there have been, or that the plan has: the number of its next one, from 0."""
        made = self.store.record(self.run_id).plan
        places = {(visit.cell, visit.repeat) for visit in made.visits} | self.store.done(self.run_id)
        return {cell.id: 1 + max(repeat for of, repeat in places if of == cell.id) for cell in made.cells}

    def wanting(self) -> tuple[str, ...]:
        """The cells that need another visit and may have one."""
        return tuple(cell for cell, count in self.taken().items() if count < self.at_most and self.more(cell))

    def words(self) -> str:
        """How well, for people: 3 %."""
        return f"{self.until.within * 100:g} %"

    def notes(self, budget_ns: int | None) -> tuple[str, ...]:
        """What a run that has ended did not come to know well enough, and why."""
        found = self._found()
        empty = [one for one in found if one.summary.typical.value is None]
        wide = [one for one in found if one not in empty and not stats.enough(one.summary, self.until.within)]
        full = [one for one in wide if one.taken >= self.at_most]
        short = [one for one in wide if one not in full]
        name = METRICS[self.until.metric].name
        what = f"{name} is not known within {self.words()} in"
        budget = "" if budget_ns is None else f"; the budget of {units.span(budget_ns)} ended the run"
        said = (
            (short, f"{what} {_named(short)}{budget}; `olbench run --resume {self.run_id}` goes on"),
            (full, f"{what} {_named(full)}; measure.at_most allows {self.at_most} visits to a cell"),
            (empty, f"{name} has no figure in {_named(empty)}; more visits would give none"),
        )
        return tuple(sentence for cells, sentence in said if cells)

    def _found(self) -> list["_Found"]:
        cells = self.store.record(self.run_id).plan.cells
        taken = self.taken()
        return [
            _Found(label, taken[cell.id], self.summary(cell.id))
            for cell, label in zip(cells, labels(cells), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Found:
    label: str
    taken: int
    summary: Summary

    @property
    def width(self) -> str:
        """How well the figure is known."""
        one = self.summary.typical
        if one.value is None or one.low is None or one.high is None:
            return one.reason or "no interval"
        half = (one.high - one.low) / 2
        within = f"within {units.words(half / abs(one.value), 'share', 2)}" if one.value else "around 0"
        return f"{within} in {counted(self.summary.visits, 'visit')}"


def _named(found: Sequence[_Found]) -> str:
    shown = [f"{one.label} ({one.width})" for one in found[:NAMED]]
    rest = [f"{len(found) - NAMED} more"] if len(found) > NAMED else []
    return f"{counted(len(found), 'cell')}: {listed([*shown, *rest])}"


def _of_one(record: Record, cell: str) -> Record:
    cells = tuple(one for one in record.plan.cells if one.id == cell)
    visits = tuple(visit for visit in record.plan.visits if visit.cell == cell)
    return replace(record, plan=Plan(cells, visits, 0, ()))


def of(store: Store, run_id: str, scenario: Scenario) -> Narrow | None:
    """What the scenario asks of its run; None where it asks for the planned visits alone."""
    measure = scenario.measure
    return None if measure.until is None else Narrow(store, run_id, measure.until, measure.at_most)
