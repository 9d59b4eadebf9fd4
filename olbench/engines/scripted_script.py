"""What a scripted server is told to do, and the truth of what it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from olbench.engines.scripted_lies import Lies

TEMPLATE_TOKENS = 5  # a prompt has as many tokens as words, and these
VERSION = "0.34.0-scripted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the server does. Times in nanoseconds."""

    models: tuple[str, ...] = ("scripted:1b",)
    context_length: int = 8192  # num_ctx is clamped to it
    size: int = 1_000_000_000
    vram_share: float = 1.0
    capabilities: tuple[str, ...] = ("completion",)
    prefill_ns_per_token: int = 100_000
    ttft_ns: int | None = None  # from a slot to the first token; None: what the uncached prompt tokens take
    itl_ns: int = 2_000_000  # from token to token; 0: as fast as the socket takes them
    final_ns: int = 0  # from the last token to the line that ends the answer
    tokens: int | None = None  # the most that an answer has; None: as many as were asked for
    load_ns: int = 20_000_000
    # A gap between two tokens lasts itl_ns * (1 + sharing * (n - 1)), n answers being decoded (their first token is due
    # and their last is not sent) when it begins, its own among them: 0 is a machine for each slot, 1 one for all.
    sharing: float = 0.0
    # One engine for all: prompts are read one after the other, and no token of an answer comes meanwhile. Else a slot
    # reads its prompt at its own pace, whatever the others do.
    one_engine: bool = False
    slots: int = 2  # of each model; requests wait for one in the order in which they came
    # What was said in a conversation (prompt and answer) is not read again when it goes on, in whatever slot. Else
    # only a prompt that is the same as one before comes from the cache. A load forgets.
    conversations: bool = False
    max_loaded: int | None = (
        None  # models in memory; for one more, the one unused for longest leaves when it is idle
    )
    tells_cached: bool = True  # whether final lines carry prompt_eval_cached_count
    parameters: str = ""  # the text that /api/show gives
    token: str | None = None  # requests without it are refused; None: it asks for none
    faults: Mapping[int, str] = field(default_factory=dict)  # measuring request (from 0) -> name in FAULTS
    lies: Lies = field(default_factory=Lies)
    noise: float = 0.0  # spread of each request's pace on the log scale: 0.02 is about 2 %
    seed: int = 0  # of the noise


@dataclass(slots=True)
class Truth:
    """When the server did what, for one measuring request; stamps of the same monotonic clock as the client's."""

    prompt_tokens: int
    read_ns: int  # the request's last byte arrived
    stamps: str  # who says so: "kernel", or "user-space" for the moment right after the read
    sends_ns: list[int] = field(default_factory=list)  # just before each token, or a whole answer, was sent
