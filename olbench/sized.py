"""What sizing says, as frozen data: service at a load, cost and memory models, capacity, other machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from olbench.findings import Attained, Estimate, Kept, Service
from olbench.slo import Term

__all__ = [
    "Attained",
    "Binds",
    "By",
    "Capacity",
    "CostModel",
    "Elsewhere",
    "Footprint",
    "Forecast",
    "Held",
    "Kept",
    "Line",
    "Point",
    "Predicted",
    "Service",
    "Sizing",
    "Step",
]

By = Literal["users", "rate", "concurrency"]  # what a search turns up
Binds = Literal["slots", "prefill", "decode", "memory", "reloads"]


# --- the cost model -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One figure that a line was fitted to: what a visit gave at one place."""

    at: Mapping[str, float]  # "streams", "depth", "tokens", "bytes"
    seen: float  # s
    fitted: float  # s


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A linear model of a duration, with what it takes to say how far it can be trusted."""

    what: Literal["decode", "prefill", "load"]
    terms: tuple[str, ...]  # "1", "streams", "streams*depth", "tokens", "tokens^2", "bytes"
    coefficients: tuple[Estimate, ...]  # s per unit of each term, with 95 % intervals
    covariance: tuple[tuple[float, ...], ...]  # of the coefficients
    scatter: float  # share by which single visits lie off the line (standard deviation)
    freedom: int  # degrees of freedom that are left
    lack: float | None  # p-value of the lack-of-fit test; None: no place was visited twice
    reason: str  # why there is no test, or what it says against the line; ""
    span: Mapping[str, tuple[float, float]]  # what it was fitted on, by the names of Point.at
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """What a model in a quantization costs on this machine. A line is None where `missing` says why."""

    model: str
    label: str
    decode: Line | None  # s of one step of all streams, against streams and streams*depth
    prefill: Line | None  # s of reading a prompt, against its uncached tokens (linear and quadratic)
    load: Line | None  # s of a load, against the bytes of the model; over all models of the run
    slots: int | None
    missing: Mapping[str, str]  # "decode", "prefill", "load", "slots" -> why there is none


# --- memory -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Memory that one load was seen to take, or is predicted to."""

    num_ctx: int
    slots: int
    ram: Estimate  # bytes of the server's processes
    vram: Estimate
    predicted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """How a model's memory grows with its context."""

    model: str
    label: str
    weights: float | None  # bytes
    per_token: Estimate  # bytes a token of context and slot, as measured
    formula: float | None  # bytes a token by the model's metadata, for the KV type in use
    overhead: Estimate  # bytes beside weights and context
    loads: tuple[Held, ...]  # that it was learned from, and predictions
    most: Mapping[int, int | None]  # slots -> the largest num_ctx that fits; None: not even the least
    budget: int | None  # bytes that there are for it
    trained: int | None  # tokens of context that the model was made for
    remarks: tuple[str, ...]  # formula and measurement disagree, ...; () if all is well
    per_slot: float = 0.0  # bytes that each slot takes whatever its context, by the metadata


# --- capacity -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One load of a search, with its place on the grid of loads."""

    place: int
    load: float  # users, requests a second, or streams
    cell: str  # id
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the cost model says of a load that it has not seen, by simulating the queue."""

    load: float
    shares: Mapping[str, Estimate]  # key of a term -> share of requests that would meet it
    waiting: float  # share of requests that wait for a slot
    busy: Mapping[str, float]  # "prefill", "decode": share of the time that the engine spends on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Capacity by simulation, before anything was run at such a load."""

    capacity: Estimate  # the largest load that would be kept; the interval carries the cost model's own doubt
    binds: Binds | None
    why: str  # in a sentence: what binds, and by what figure one knows
    forecasts: tuple[Forecast, ...]  # ascending loads around it
    reason: str = ""  # why nothing could be predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much of a load a cell carries within its service level."""

    label: str  # of the cell without its load
    by: By
    answer: float | None  # the largest load that was shown to be kept; None: not even the smallest was
    over: float | None  # the smallest load above it that was shown to be broken; None: none was
    resolved: bool  # the next step above the answer was shown to be broken
    reason: str  # why it is not resolved; ""
    steps: tuple[Step, ...]  # in the order of the search
    predicted: Predicted | None  # None: no persona
    binds: Binds | None  # as measured, else as predicted


# --- other machines -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What another machine would do, scaled by its memory's speed and its compute: an estimate, never a measurement."""

    machine: str
    label: str  # of the model
    fits: bool | None  # None: its memory need is unknown
    memory: float | None  # bytes that it would need
    decode: tuple[float, float] | None  # tok/s of one stream
    prefill: tuple[float, float] | None  # tok/s
    users: tuple[float, float] | None  # persons within the service level
    meets: bool | None  # the target; None: it may or may not
    reason: str  # why something is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """All that sizing says of a run."""

    answer: tuple[str, ...]  # the answer in one sentence or two, for somebody who knows no queueing theory
    target: float | None  # users that there are to be
    terms: tuple[Term, ...]
    costs: tuple[CostModel, ...]
    footprints: tuple[Footprint, ...]
    capacities: tuple[Capacity, ...]
    elsewhere: tuple[Elsewhere, ...]
