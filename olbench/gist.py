"""What telling keeps of one observation: numbers, reasons and counts; no chunks and no text.

A record may be far larger than memory. Each observation is turned into its gist as it goes by, and then let go.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

import numpy as np

from olbench import causes, served, together
from olbench.arrival import Load
from olbench.column import Column, Numbers, Rows, joined, single
from olbench.findings import Slots, Stamps
from olbench.gates import Trip, tripped
from olbench.metrics import METRICS, Each, Many, Metric, Whole
from olbench.model import (
    COALESCED,
    GOOD,
    UNSTAMPED,
    Cell,
    Facts,
    ModelCard,
    Observation,
    Outcome,
    Phase,
    Placement,
    Sample,
    Visit,
)
from olbench.prefills import Prefills, of_samples
from olbench.sample_columns import Samples, columns
from olbench.slots import infer
from olbench.thresholds import limits
from olbench.visit_metrics import Visited


@dataclass(frozen=True, slots=True, kw_only=True)
class Gist:
    """One visit, told: `columns` holds every metric of METRICS."""

    visit: Visit
    problem: str | None
    notes: tuple[str, ...]
    placement: Placement | None
    outcomes: Mapping[Outcome, int]  # of the measured samples but those that we stopped with their load
    failures: Mapping[tuple[Outcome, str], int]  # of all samples but a probe's
    stamps: Stamps  # of the same
    prompts: tuple[str, ...]  # the prompt's name of each measured sample that went through
    columns: Mapping[str, Column]
    series: frozenset[str]  # names of the readings that have beats
    absent: tuple[tuple[str, str], ...]  # names of those that have none, with the reason
    trips: tuple[Trip, ...]  # gates that the visit did not pass
    version: str | None
    version_after: str | None
    after: Placement | None
    started_ns: int
    prefills: Prefills  # of the measured samples that went through
    together: together.Together  # of the same
    served: served.Served  # of all measured samples, failed ones too
    causes: tuple[
        str | None, ...
    ]  # what coincided with each measured sample that went through; None: nothing did
    probe: Slots | None  # what its probe shows of the slots; None: it had none

    def without(self, why: Sequence[str]) -> "Gist":
        """The gist with those measured samples left out of every figure that `why` gives a reason for."""
        if not any(why):
            return self
        own = {key for key, row in METRICS.items() if not isinstance(row.of, Whole) and not is_cold(row)}
        columns = {key: one.without(why) if key in own else one for key, one in self.columns.items()}
        return replace(self, columns=columns)


def is_cold(metric: Metric) -> bool:
    """Whether a metric is of cold requests, not of the measured ones."""
    return isinstance(metric.of, Each) and metric.of.phase == "cold"


@dataclass(frozen=True, slots=True)
class Told:
    """All that is told of one cell, in the order of repeats."""

    cell: Cell
    planned: int  # visits
    gists: tuple[Gist, ...]
    threads: int | None = None  # of the machine that olbench runs on; None: unknown
    limits: Mapping[str, float] = field(default_factory=lambda: limits({}))
    facts: Facts = field(default_factory=dict)  # of the machine, at the start
    settings: Facts = field(default_factory=dict)  # what the scenario came to
    card: ModelCard | None = None
    probes: tuple[Slots, ...] = ()  # of all visits to cells that run on the same load
    beside: tuple["Told", ...] = field(default=(), repr=False)  # the run's other cells of the same model

    @property
    def alone(self) -> bool:
        """Whether no two of its requests are ever under way at once."""
        return self.cell.load is None and self.cell.concurrency == 1

    @property
    def streams(self) -> int:
        """The most requests that are under way at once: as many as streams, or under a load as many as there were."""
        if self.cell.load is None:
            return self.cell.concurrency
        return max((gist.served.under_way() for gist in self.gists), default=1)

    def column(self, key: str) -> list[Column]:
        """One metric, visit by visit."""
        return [gist.columns[key] for gist in self.gists]

    def numbers(self, key: str) -> Numbers:
        """One metric's numbers over all visits."""
        return joined([column.numbers for column in self.column(key)])

    def aligned(self, key: str) -> Numbers:
        """One metric over the measured samples of all visits, NaN where a sample has none."""
        return joined([column.aligned() for column in self.column(key)])

    def missing(self, key: str) -> Counter[str]:
        """Reason -> how many samples (or visits) of the cell have no value of the metric for it."""
        return sum((column.missing() for column in self.column(key)), Counter())

    def outcomes(self) -> Counter[Outcome]:
        """How the measured samples of all visits ended."""
        return sum((Counter(gist.outcomes) for gist in self.gists), Counter())


def gist(
    observation: Observation,
    bars: Mapping[str, float] | None = None,
    facts: Facts | None = None,
    keys: Iterable[str] = tuple(METRICS),
    load: Load | None = None,
) -> Gist:
    """All that is told of one visit to a machine with these facts; `bars` are the thresholds that hold.

    Who needs but some metrics names their `keys`: a history reads hundreds of runs. `load` is the cell's: latency then
    counts from when requests were due.
    """
    bars = limits({}) if bars is None else bars
    samples = [one for one in observation.samples if one.phase != "probe"]
    ended = [one for one in samples if not served.stopped(observation, one)]
    cold, measured = _good(samples, "cold"), _good(samples, "measured")
    good: dict[Phase, Samples] = {"cold": columns(cold, load), "measured": columns(measured, load)}
    visited = Visited(observation, good["measured"], _flow(samples, good["measured"], load))
    every = [one for one in samples if one.phase == "measured"]
    readings = observation.readings
    return Gist(
        visit=observation.visit,
        problem=observation.problem,
        notes=observation.notes,
        placement=observation.placement,
        outcomes=Counter(one.outcome for one in ended if one.phase == "measured"),
        failures=Counter((one.outcome, one.words) for one in ended if one.outcome not in GOOD),
        stamps=_stamps(samples),
        prompts=tuple(one.prompt for one in measured),
        columns={key: _column(METRICS[key].of, visited, good) for key in keys},
        series=frozenset(one.name for one in readings.series if len(one.t_ns)),
        absent=readings.absent,
        trips=tripped(observation, bars, facts or {}),
        version=observation.version,
        version_after=observation.version_after,
        after=observation.after,
        started_ns=observation.started_ns,
        prefills=of_samples(good["measured"], good["cold"]),
        together=together.of_samples(good["measured"]),
        served=served.of(
            observation,
            every,
            good["measured"] if len(every) == len(measured) else columns(every, load),
        ),
        causes=causes.reasons(good["measured"].sent_ns, good["measured"].end_ns, readings, bars),
        probe=infer(observation.samples),
    )


def _flow(samples: Sequence[Sample], measured: Samples, load: Load | None) -> Samples | None:
    """The measured samples of a load and those of its warm-up, which reach into the measured time."""
    if load is None or not any(one.phase == "warmup" for one in samples):
        return None if load is None else measured
    return columns([*_good(samples, "warmup"), *_good(samples, "measured")], load)


def _stamps(samples: Sequence[Sample]) -> Stamps:
    kinds = b"".join(one.chunks.kind for one in samples if one.streamed)
    bits = np.frombuffer(kinds, dtype=np.uint8)
    return Stamps(
        sources=dict(Counter(one.stamps for one in samples)),
        lines=len(kinds),
        coalesced=int(np.count_nonzero(bits & COALESCED)),
        unstamped=int(np.count_nonzero(bits & UNSTAMPED)),
    )


def all_stamps(gists: Iterable[Gist]) -> Stamps:
    """The stamps of several visits together."""
    parts = [one.stamps for one in gists]
    return Stamps(
        sources=dict(sum((Counter(one.sources) for one in parts), Counter())),
        lines=sum(one.lines for one in parts),
        coalesced=sum(one.coalesced for one in parts),
        unstamped=sum(one.unstamped for one in parts),
    )


def _good(samples: Iterable[Sample], phase: Phase) -> list[Sample]:
    return [one for one in samples if one.phase == phase and one.outcome in GOOD]


def _column(of: Each | Many | Whole, visited: Visited, good: Mapping[Phase, Samples]) -> Column:
    match of:
        case Each():
            return of.of(good[of.phase])
        case Many():
            return of.of(good["measured"])
        case Whole():
            return single(of.of(visited))
        case _:
            assert_never(of)


def chosen(gists: Iterable[Gist]) -> dict[str, list[Gist]]:
    """The gists that count, by cell and in the order of repeats: of several at one visit the last that went through."""
    kept: dict[tuple[str, int], Gist] = {}
    for one in gists:
        place = (one.visit.cell, one.visit.repeat)
        before = kept.get(place)
        if before is None or _worth(one) >= _worth(before):
            kept[place] = one if before is None else _with_probe(one, before)
        else:
            kept[place] = _with_probe(before, one)
    cells: dict[str, list[Gist]] = {}
    for (cell, _), one in sorted(kept.items(), key=_place):
        cells.setdefault(cell, []).append(one)
    return cells


def _worth(one: Gist) -> tuple[bool, bool, bool]:
    return one.problem is None, bool(one.prompts), not one.trips


def _with_probe(one: Gist, other: Gist) -> Gist:
    """The gist with what the other one's probe shows where its own shows nothing: slots are the load's, not the visit's."""
    own, too = one.probe, other.probe
    return one if too is None or (own is not None and own.count is not None) else replace(one, probe=too)


def _place(entry: tuple[tuple[str, int], Gist]) -> tuple[str, int]:
    return entry[0]


def rows_by_prompt(one: Gist) -> dict[str, Rows]:
    """Prompt name -> the rows of its samples in the measured columns of a visit."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(one.prompts):
        rows.setdefault(name, []).append(row)
    return {name: np.array(found, dtype=np.int64) for name, found in rows.items()}
