"""What analysis says, as frozen data: values with their doubt. The report and the exports read nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from olbench.model import Cell, Outcome, Placement, Record
from olbench.slo import Term

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True, slots=True)
class Value:
    """A number in its base unit, or None and the reason."""

    number: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval. `value` or the interval may be None; `reason` then says why."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One metric of one cell. All numbers are in the metric's base unit (s, tok/s, B, J, share, ...)."""

    metric: str  # key into metrics.METRICS
    samples: int  # values that went in
    visits: int  # visits that they come from
    typical: Estimate  # geometric mean over visits of the visit's median, Student's t over their logarithms
    p50: Estimate
    p90: Estimate
    p95: Estimate
    p99: Estimate
    least: float | None
    most: float | None
    per_visit: tuple[float, ...]  # each visit's median, in the order of repeats
    missing: tuple[tuple[str, int], ...]  # reason -> how many samples had no value for it
    error: float | None = None  # p99 of our clock's own error for it; None: unknown, or not of our clock
    marked: tuple[
        tuple[int, float], ...
    ] = ()  # (repeat, median) of marked visits, which are in nothing above

    def below(self, estimate: Estimate) -> bool:
        """Whether a figure of this metric is smaller than the error of the clock that took it."""
        return self.error is not None and estimate.value is not None and abs(estimate.value) < self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Mean seconds of one request's parts over a cell's good samples; None and the reason where unknown."""

    connect: Value  # from the moment when it was wanted to the send: a new connection, and our own lateness
    queue: Value
    load: Value
    prefill: Value
    decode: Value
    network: Value  # network and client
    unexplained: Value  # what stamps and durations leave of our own time
    held: Value  # of decode: before the first text; TTFT is connect, load, queue, prefill, network and this


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Samples that failed alike: same cell, same outcome, same words."""

    cell: str
    outcome: Outcome
    words: str
    count: int
    visits: tuple[int, ...]  # repeats in which it happened


State = Literal["green", "amber", "grey"]


@dataclass(frozen=True, slots=True)
class Flag:
    """What a check found wrong: evidence with its numbers, and what the reader can do about it."""

    check: str  # key into validity.CHECKS
    sentence: str
    action: str
    visits: tuple[int, ...] = ()  # repeats that it concerns; (): the cell, or the run, as a whole


@dataclass(frozen=True, slots=True)
class Trust:
    """One row of "Can I trust this?": a check over the whole run."""

    check: str
    name: str  # "Prompt cache"
    state: State  # grey: it could not be looked at, and the evidence says why
    evidence: str
    action: str  # "" where nothing has to be done
    cells: tuple[str, ...] = ()  # labels of the cells that it concerns; (): all, or the run as a whole


@dataclass(frozen=True, slots=True)
class Slots:
    """How many requests of a cell the server computes at the same time."""

    count: int | None  # None: unknown, `reason` says why
    at_least: bool  # there may be more: no request of the probe waited
    how: str  # "the runner's command line", "a probe of 8 requests at once"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """How near decoding comes to what memory bandwidth allows (Williams, Waterman and Patterson, CACM 52, 2009)."""

    share: Estimate  # 1: every byte that a token needs comes as fast as memory gives it
    bandwidth: float | None  # B/s
    by: str  # how the bandwidth is known: "measured: triad on 2 threads"
    per_token: float | None  # bytes that one token of one stream reads


Kept = Literal["kept", "broken", "unclear"]  # the service level at one load


@dataclass(frozen=True, slots=True, kw_only=True)
class Attained:
    """One line of a service level, held against the requests of one load."""

    term: Term
    met: int
    of: int  # requests that fell due in the measured time, failed and unanswered ones among them
    share: Estimate  # met / of, Wilson's interval on as many independent requests as these are worth
    verdict: Kept
    worth: float | None = None  # so many independent requests; None: without an interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A load, and how it was served."""

    requests: int  # measured ones, over all visits
    offered: (
        float | None
    )  # requests a second that fell due; None: closed streams, which send as they are answered
    goodput: Estimate  # requests a second that met every line
    terms: tuple[Attained, ...]
    verdict: Kept  # broken if any line is, kept if all are
    tightest: str  # key of the line with the least room; "" where there is none
    late_p99: float | None  # s by which requests left after they were due: the client's own lateness
    backlog: float | None  # requests a second by which those under way grew while they were measured
    cut_short: bool  # given up early, because it could no longer be kept
    invalid: str = ""  # why this load says nothing (the client came late, nothing was sent); "": it counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Some requests of a cell: one part of its mix, or one turn of its conversations."""

    place: int  # of the part in the mix, or of the turn, from 0
    requests: int  # measured ones
    failed: int
    summaries: Mapping[str, Summary]  # "ttft", "e2e": of those that went through
    reloads: int | None  # of them that waited for a load; None: the server does not say how long it loaded
    cached: Value  # share of their prompts that came from the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFinding:
    """All that can be said of one cell."""

    cell: Cell
    label: str  # short and unique in the run: only what varies between its cells
    visits_planned: int
    visits_taken: int  # visits that gave at least one measured good sample
    outcomes: Mapping[Outcome, int]  # measured samples only
    summaries: Mapping[str, Summary]  # metric key -> Summary; every metric of METRICS is there
    by_prompt: Mapping[str, Mapping[str, Summary]]  # prompt name -> the sample metrics; {} for synthetic text
    split: Split
    placements: tuple[Placement, ...]  # distinct, in order of appearance
    flags: tuple[Flag, ...]
    marked: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # repeat -> why the visit is left out
    contaminated: int = 0  # samples that were meant cold (or warm) and were not: left out
    cut: int = 0  # requests at the beginning of each visit that are left out as its start-up
    slots: Slots | None = None
    roof: Roof | None = None
    service: Service | None = None  # None: the run has no service level
    by_part: tuple[Portion, ...] = ()  # of a mix
    by_turn: tuple[Portion, ...] = ()  # of sessions

    @property
    def judged(self) -> bool:
        """Whether any visit is fit to be judged by; where none is, the figures stand and no verdict does."""
        return self.visits_taken > len(self.marked)

    @property
    def doubts(self) -> tuple[str, ...]:
        """The flags as sentences for the reader of this row."""
        return tuple(dict.fromkeys(flag.sentence for flag in self.flags))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """What the stamps of responses come from."""

    sources: Mapping[str, int]  # "kernel", "user-space", "stepped", "none" -> samples of all phases
    lines: int  # of their responses
    coalesced: int  # lines that came in one receive with a later line: their stamps are upper bounds
    unstamped: int  # lines whose receive the kernel left out: their stamps are from user space


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A whole run, told."""

    record: Record
    cells: tuple[CellFinding, ...]  # in the plan's order; also those that could not be measured
    axes: tuple[str, ...]  # names of the cell fields and options that vary in this run
    answer: tuple[str, ...]  # two sentences at most: the answer to the scenario's question
    failures: tuple[Failure, ...]
    stamps: Stamps
    flags: tuple[Flag, ...]  # that concern the whole run
    trust: tuple[Trust, ...] = ()  # every check, whether it found something or not

    @property
    def doubts(self) -> tuple[str, ...]:
        """The flags as sentences that concern the whole run."""
        return tuple(dict.fromkeys(flag.sentence for flag in self.flags))
