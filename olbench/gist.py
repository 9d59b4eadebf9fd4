"""What telling keeps of one observation: numbers, reasons and counts; no chunks and no text.

A record may be far larger than memory. Each observation is turned into its gist as it goes by, and then let go.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from olbench.findings import Value
from olbench.metrics import METRICS, Each, Many, Whole
from olbench.model import GOOD, Cell, Observation, Outcome, Phase, Placement, Sample, Visit

Numbers = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Column:
    """One metric over the samples (or the one visit) of an observation."""

    numbers: Numbers  # without gaps: only what has a value
    lengths: Rows  # how many numbers each sample gave; 0: none
    reasons: tuple[str, ...]  # why a sample gave none; "" where it gave some

    def missing(self) -> Counter[str]:
        """Reason -> how many samples gave none for it."""
        return Counter(reason for reason in self.reasons if reason)

    def aligned(self) -> Numbers:
        """One number a sample, NaN where there is none; only for metrics that give one."""
        whole = np.full(len(self.lengths), np.nan)
        whole[self.lengths > 0] = self.numbers
        return whole

    def at(self, rows: Rows) -> "Column":
        """The column of these samples alone."""
        reasons = tuple([self.reasons[row] for row in rows])
        if len(self.numbers) == len(self.lengths) and not any(self.reasons):
            return Column(self.numbers[rows], self.lengths[rows], reasons)
        ends = np.cumsum(self.lengths)
        runs = [self.numbers[ends[row] - self.lengths[row] : ends[row]] for row in rows]
        return Column(_joined(runs), self.lengths[rows], reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gist:
    """One visit, told: `columns` holds every metric of METRICS."""

    visit: Visit
    problem: str | None
    notes: tuple[str, ...]
    placement: Placement | None
    outcomes: Mapping[Outcome, int]  # of the measured samples
    failures: Mapping[tuple[Outcome, str], int]  # of all samples
    prompts: tuple[str, ...]  # the prompt's name of each measured sample that went through
    columns: Mapping[str, Column]
    series: frozenset[str]  # names of the readings that have beats
    absent: tuple[tuple[str, str], ...]  # names of those that have none, with the reason


@dataclass(frozen=True, slots=True)
class Told:
    """All that is told of one cell, in the order of repeats."""

    cell: Cell
    planned: int  # visits
    gists: tuple[Gist, ...]
    threads: int | None = None  # of the machine that olbench runs on; None: unknown

    def column(self, key: str) -> list[Column]:
        """One metric, visit by visit."""
        return [gist.columns[key] for gist in self.gists]

    def numbers(self, key: str) -> Numbers:
        """One metric's numbers over all visits."""
        return _joined([column.numbers for column in self.column(key)])

    def aligned(self, key: str) -> Numbers:
        """One metric over the measured samples of all visits, NaN where a sample has none."""
        return _joined([column.aligned() for column in self.column(key)])

    def missing(self, key: str) -> Counter[str]:
        """Reason -> how many samples (or visits) of the cell have no value of the metric for it."""
        return sum((column.missing() for column in self.column(key)), Counter())

    def outcomes(self) -> Counter[Outcome]:
        """How the measured samples of all visits ended."""
        return sum((Counter(gist.outcomes) for gist in self.gists), Counter())


def gist(observation: Observation) -> Gist:
    """All that is told of one visit."""
    samples = observation.samples
    good: dict[Phase, list[Sample]] = {
        "cold": _good(samples, "cold"),
        "measured": _good(samples, "measured"),
    }
    readings = observation.readings
    return Gist(
        visit=observation.visit,
        problem=observation.problem,
        notes=observation.notes,
        placement=observation.placement,
        outcomes=Counter(one.outcome for one in samples if one.phase == "measured"),
        failures=Counter((one.outcome, one.words) for one in samples if one.outcome not in GOOD),
        prompts=tuple(one.prompt for one in good["measured"]),
        columns={key: _column(row.of, observation, good) for key, row in METRICS.items()},
        series=frozenset(one.name for one in readings.series if len(one.t_ns)),
        absent=readings.absent,
    )


def _good(samples: Iterable[Sample], phase: Phase) -> list[Sample]:
    return [one for one in samples if one.phase == phase and one.outcome in GOOD]


def _column(
    of: Each | Many | Whole, observation: Observation, good: Mapping[Phase, Sequence[Sample]]
) -> Column:
    match of:
        case Each():
            return _singles([of.of(one) for one in good[of.phase]])
        case Many():
            return _several([of.of(one) for one in good["measured"]])
        case Whole():
            return _singles([of.of(observation)])
        case _:
            assert_never(of)


def _singles(values: Sequence[Value]) -> Column:
    numbers = [value.number for value in values if value.number is not None]
    if len(numbers) == len(values):  # nearly always, and records are large
        return _full(np.array(numbers, dtype=np.float64))
    return Column(
        np.array(numbers, dtype=np.float64),
        np.array([value.number is not None for value in values], dtype=np.int64),
        tuple(value.reason if value.number is None else "" for value in values),
    )


def _full(numbers: Numbers) -> Column:
    return Column(numbers, np.ones(len(numbers), dtype=np.int64), ("",) * len(numbers))


def _several(values: Sequence[Numbers | Value]) -> Column:
    runs = [value for value in values if not isinstance(value, Value)]
    lengths = [0 if isinstance(value, Value) else len(value) for value in values]
    reasons = tuple(value.reason if isinstance(value, Value) else "" for value in values)
    return Column(_joined(runs), np.array(lengths, dtype=np.int64), reasons)


def _joined(runs: Sequence[Numbers]) -> Numbers:
    return np.concatenate(runs) if runs else np.empty(0)


def chosen(gists: Iterable[Gist]) -> dict[str, list[Gist]]:
    """The gists that count, by cell and in the order of repeats: of several at one visit the last that went through."""
    kept: dict[tuple[str, int], Gist] = {}
    for one in gists:
        place = (one.visit.cell, one.visit.repeat)
        before = kept.get(place)
        if before is None or _worth(one) >= _worth(before):
            kept[place] = one
    cells: dict[str, list[Gist]] = {}
    for (cell, _), one in sorted(kept.items(), key=_place):
        cells.setdefault(cell, []).append(one)
    return cells


def _worth(one: Gist) -> tuple[bool, bool]:
    return one.problem is None, bool(one.prompts)


def _place(entry: tuple[tuple[str, int], Gist]) -> tuple[str, int]:
    return entry[0]


def rows_by_prompt(one: Gist) -> dict[str, Rows]:
    """Prompt name -> the rows of its samples in the measured columns of a visit."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(one.prompts):
        rows.setdefault(name, []).append(row)
    return {name: np.array(found, dtype=np.int64) for name, found in rows.items()}
