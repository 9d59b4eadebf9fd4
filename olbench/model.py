"""The words of the house as frozen data. Nothing here computes, reads a clock or knows a library.

Stamps (`*_ns`) are integer nanoseconds of our monotonic clock unless the name says otherwise; durations that the
server reports are nanoseconds of its own clock. None means unknown, and a sentence beside it says why.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from olbench.arrival import Load, Share
from olbench.readings import Ints, Readings

Endpoint = Literal["generate", "chat"]
CacheState = Literal["cold", "warm"]
Phase = Literal["cold", "warmup", "probe", "measured"]  # probe: finds the slots, enters no figure
How = Literal["cold", "preloaded", "resident"]
Outcome = Literal[
    "ok",  # done, with the output that was asked for
    "short",  # done, but the model stopped before output_tokens
    "refused",  # no connection
    "not_found",  # 404: no such model
    "queue_full",  # 503
    "out_of_memory",  # the server says that memory ran out
    "http_error",  # any other status, or an answer that is not HTTP
    "stream_error",  # 200, then an error line or something that is not the protocol
    "cut_off",  # 200, then the end without done:true
    "stalled",  # not done within the timeout
    "cancelled",  # we stopped it
]
GOOD: tuple[Outcome, ...] = ("ok", "short")
OptionValue = bool | int | float | str | tuple[str, ...]
Options = tuple[tuple[str, OptionValue], ...]  # sorted by name
Fact = str | int | float | bool | None
Facts = dict[str, Fact]  # flat: "server.version", "cpu.model", "gpu0.driver"; None: looked for, not to be had


# --- asked ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one request says. `name` tells it apart in tables ("synthetic", "prompts.jsonl:3")."""

    name: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the grid: all that is asked of the server, and nothing of how often."""

    id: str  # twelve hex digits of the SHA-256 of all other fields: same cell, same id, in every run
    model: str  # the name that is sent
    base: str  # the model as the scenario named it, before the quantization chose a tag
    quantization: str | None  # the label of the axis, or what the server says of the model; None: unknown
    api: Endpoint
    num_ctx: int
    concurrency: int
    prompt_tokens: int | None  # None: own prompts, of whatever length they have
    output_tokens: int  # sent as num_predict
    think: bool | str | None  # None: the model cannot think, nothing is sent
    cache: CacheState
    options: Options  # all other Ollama options, seed and temperature among them
    load: Load | None = None  # None: `concurrency` closed streams; else concurrency is 1 and means nothing
    mix: tuple[Share, ...] = ()  # of several models or shapes; (): all requests are alike


@dataclass(frozen=True, slots=True)
class Visit:
    """One entry of the order: go to `cell` for the `repeat`-th time (from 0)."""

    seq: int
    cell: str
    repeat: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The cells in the scenario's order and the visits in the order of taking."""

    cells: tuple[Cell, ...]
    visits: tuple[Visit, ...]
    excluded: int  # grid points that `exclude` rules took out
    notes: tuple[str, ...]  # what a reader must know: axes that win over a model's own parameters, ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a visit, before it is put into bytes."""

    index: int
    phase: Phase
    prompt: Prompt
    part: int = 0  # of the mix
    turn: int = 0  # of the conversation, from 0


# --- seen -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What /api/tags and /api/show say of a model."""

    name: str
    digest: str | None
    size: int | None  # bytes on disk
    format: str | None  # gguf, safetensors
    family: str | None
    parameter_size: str | None  # rounded by the server: "134.52M"
    parameter_count: int | None
    quantization: str | None
    context_length: int | None  # what the model was trained for
    capabilities: tuple[str, ...] | None  # None: the server is too old to say
    parameters: tuple[tuple[str, str], ...]  # the model's own PARAMETER lines, sorted
    system: str | None  # the model's own system prompt
    template_sha256: str | None
    blob: str | None  # name of the weights' blob, "sha256-..." ; never a path
    kv_bytes_per_token: float | None  # f16 keys and values, from model_info; None where it cannot be told
    remote: str | None  # host of a cloud model
    touched: int | None = None  # bytes of weights that one token reads; None: the server does not say enough
    experts: tuple[int, int] | None = None  # of a mixture: used for one token, all
    kv_bytes_per_slot: float | None = None  # whatever the context: windows, recurrent state


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """One row of /api/ps."""

    name: str
    digest: str | None
    size: int | None
    size_vram: int | None
    context_length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the server did with the model for one visit, as verified after the load."""

    how: How  # cold: the first request carries the load
    preload_ns: int | None  # our clock, request to answer; None when this visit preloaded nothing
    digest: str | None
    size: int | None
    size_vram: int | None
    context_length: int | None
    runner_pid: int | None  # None: remote, or not readable
    parallel: int | None  # slots, from the runner's command line
    doubts: tuple[str, ...]  # "asked for num_ctx 8192, the server gave 4096"
    others: tuple[str, ...] = ()  # names of other models in memory
    batch: int | None = None  # num_batch, from the runner's command line


@dataclass(frozen=True, slots=True)
class Counts:
    """The final line of a response. None: the server did not send the field."""

    total_ns: int | None
    load_ns: int | None
    prompt_eval_count: int | None
    prompt_eval_ns: int | None
    cached_count: int | None  # prompt_eval_cached_count; 0 and absent differ
    eval_count: int | None
    eval_ns: int | None
    done_reason: str | None


# Bits of Chunks.kind.
TEXT = 1  # the line carried answer text
THINKING = 2  # the line carried thinking
COALESCED = 4  # the receive held this line and a later one: the stamp is an upper bound
FINAL = 8  # done:true
UNSTAMPED = 16  # the kernel left the stamp of its receive out: ours, from user space, stands there


@dataclass(frozen=True, slots=True)
class Chunks:
    """One row per line of the response, as columns."""

    arrived_ns: Ints  # 'q'; our monotonic clock
    created_ns: Ints  # 'q'; the server's created_at as Unix time; 0 where it sent none
    kind: bytes  # bits TEXT, THINKING, COALESCED, FINAL, UNSTAMPED

    def __len__(self) -> int:
        """The number of lines."""
        return len(self.kind)


NO_CHUNKS = Chunks(array("q"), array("q"), b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request as seen. Durations are derived from it, never stored in it."""

    index: int
    phase: Phase
    stream: int  # which of the cell's concurrent streams sent it
    prompt: str  # the prompt's name
    outcome: Outcome
    words: str  # the server's own words when it failed, "" otherwise
    status: int | None  # HTTP status; None when no head came
    wanted_ns: int  # when the dispatcher wanted it to go
    sent_ns: int | None  # just before the request's bytes were handed to the socket
    head_ns: int | None  # the response's head
    end_ns: int  # the last byte, or the moment of failure
    stamps: str  # "kernel", "user-space", "none"; "stepped": the wall clock was set, they are worthless
    streamed: bool
    chunks: Chunks
    counts: Counts | None  # None: no done:true line came
    text: str
    thinking: str
    connect_ns: int | None = None  # of wanted to sent, what went into a new connection; 0: one was there
    part: int = 0  # of the mix
    turn: int = 0  # of the conversation, from 0; in sessions `stream` is the user


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that one visit to a cell gave."""

    visit: Visit
    started_at: str  # UTC, ISO 8601
    started_ns: int
    measured_ns: int | None  # first measured request was wanted; None: it never came to that
    ended_ns: int
    placement: Placement | None
    problem: str | None  # why the visit could not be taken, or not to its end; None: it went through
    notes: tuple[str, ...]
    samples: Sequence[Sample]
    baseline: Readings  # idle, before the load
    readings: Readings  # from the load to the end
    version: str | None = None  # of the server, when the visit began
    version_after: str | None = None  # and when it had been measured
    after: Placement | None = None  # `placement`, seen again when all had been measured
    # Of the machine at its end, those that may change: "power.source", ...
    facts: Facts = field(default_factory=dict)
    cut_short: bool = False  # given up early: the load could no longer be kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a self-test: what the client said less what the server knows, in nanoseconds, one entry each."""

    streams: int
    rate: float | None  # paced sends a second; None: a closed loop
    stamps: str  # the weakest source of any sample
    ttft_ns: Ints  # per request: our TTFT less the server's
    gap_ns: (
        Ints  # per gap between two chunks that are neither coalesced nor unstamped: ours less the server's
    )
    dispatch_ns: Ints  # per request: wanted (or due) to sent
    chunks: int
    coalesced: int
    unstamped: int
    failed: int  # requests that gave no error figure
    cpu_ns: int  # CPU time of this process while the level ran


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """How exact this client was on this machine."""

    at: str  # UTC, ISO 8601
    olbench: str  # version
    machine: str  # twelve hex digits that tell machines and their set-up apart, and nothing of them
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """What this machine's memory gave, in bytes a second."""

    at: str  # UTC, ISO 8601
    olbench: str  # version
    machine: str  # as of SelfTest, but without what memory does not depend on
    threads: int  # with which the best was reached
    array: int  # bytes of each array
    add: float  # two arrays read, one written: STREAM's Add
    read: float  # one array read


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The frame of one execution of a plan."""

    id: str  # "20261122-220256-quickstart-3f9a": sorts by time, safe as a file name
    name: str
    question: str
    status: Literal["running", "complete", "interrupted", "failed"]
    started_at: str
    ended_at: str | None
    olbench: str  # version
    scenario_text: str  # TOML as read, overrides as comment lines at its end
    settings: dict[
        str, Fact
    ]  # what `[measure]` and `[workload]` came to: repeats, requests, seed, timeout_ns, ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run as read back from the store."""

    run: Run
    plan: Plan
    facts: Facts  # at the start
    facts_end: Facts | None  # at the end; None: it never came to that
    cards: tuple[ModelCard, ...]
    observations: Sequence[Observation]
    selftest: SelfTest | None = None  # the one that held when the run began
