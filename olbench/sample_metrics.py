"""Single figures of one sample, in base units: what our stamps say, and what the server's own counts say."""

from collections.abc import Callable
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from olbench.findings import Value
from olbench.model import COALESCED, FINAL, TEXT, THINKING, Sample

STEPPED = Value(None, "the wall clock was set during the response, which spoils the kernel's stamps")
NOT_STREAMED = Value(None, "the response was not streamed")
UNSENT = Value(None, "the request was never sent")
NO_TEXT = Value(None, "no line carried text")
NO_ANSWER = Value(None, "no line carried answer text")
NO_COUNTS = Value(None, "the server sent no counts")
NO_DURATION = Value(None, "the server left out one of its durations")
NO_CREATED = Value(None, "the server's lines carry no created_at")
ONE_TOKEN = Value(None, "a rate of steps needs 2 tokens")
NO_TIME = Value(None, "the server gave a duration of 0")
ONE_CHUNK = Value(None, "all text came in one chunk")
CACHE_UNKNOWN = Value(None, "the server does not say how many prompt tokens came from its cache")
ALL_CACHED = Value(None, "the whole prompt came from the cache")


def _having(bits: int) -> bytes:
    """A translation of line kinds into 1 (the line has one of the bits) or 0."""
    return bytes(1 if kind & bits else 0 for kind in range(256))


_SAYS = _having(TEXT | THINKING)
_ANSWERS = _having(TEXT)
_BLURRED = _having(COALESCED)
_ENDS = _having(FINAL)

# --- by our stamps --------------------------------------------------------------------------------------------


def ttft(sample: Sample) -> Value:
    """Seconds from the send to the first line with text or thinking."""
    return _until(sample, _SAYS, NO_TEXT)


def ttft_answer(sample: Sample) -> Value:
    """Seconds from the send to the first line with answer text; differs from TTFT only where a model thinks."""
    return _until(sample, _ANSWERS, NO_ANSWER)


def _unstamped(sample: Sample) -> Value | None:
    """Why the stamps of the sample's lines tell nothing; None where they do."""
    if not sample.streamed:
        return NOT_STREAMED
    return STEPPED if sample.stamps == "stepped" else None


def _until(sample: Sample, bits: bytes, never: Value) -> Value:
    if (unstamped := _unstamped(sample)) is not None:
        return unstamped
    if sample.sent_ns is None:
        return UNSENT
    first = sample.chunks.kind.translate(bits).find(1)
    return never if first < 0 else Value((sample.chunks.arrived_ns[first] - sample.sent_ns) / 1e9)


def e2e(sample: Sample) -> Value:
    """Seconds from the send to the last byte."""
    if sample.stamps == "stepped":
        return STEPPED
    return UNSENT if sample.sent_ns is None else Value((sample.end_ns - sample.sent_ns) / 1e9)


def dispatch(sample: Sample) -> Value:
    """Seconds that the request left later than it was wanted to: our own fault, not the server's."""
    return UNSENT if sample.sent_ns is None else Value((sample.sent_ns - sample.wanted_ns) / 1e9)


def tpot(sample: Sample) -> Value:
    """Seconds a token after the first chunk."""
    if (unstamped := _unstamped(sample)) is not None:
        return unstamped
    if sample.counts is None or sample.counts.eval_count is None:
        return NO_COUNTS
    if sample.counts.eval_count < 2:
        return ONE_TOKEN
    says = sample.chunks.kind.translate(_SAYS)
    first, last = says.find(1), says.rfind(1)
    if first < 0:
        return NO_TEXT
    if first == last:
        return ONE_CHUNK
    stamps = sample.chunks.arrived_ns
    return Value((stamps[last] - stamps[first]) / 1e9 / (sample.counts.eval_count - 1))


def gaps(sample: Sample) -> NDArray[np.float64] | Value:
    """Seconds between neighbouring lines with text or thinking; a Value with the reason where there are none."""
    if (unstamped := _unstamped(sample)) is not None:
        return unstamped
    if len(sample.chunks) == 0:
        return NO_TEXT
    says = np.frombuffer(sample.chunks.kind.translate(_SAYS), dtype=np.bool_)
    stamps = np.frombuffer(sample.chunks.arrived_ns, dtype=np.int64)[says]
    if len(stamps) < 2:
        return ONE_CHUNK if len(stamps) else NO_TEXT
    return (stamps[1:] - stamps[:-1]) / 1e9


def coalesced(sample: Sample) -> Value:
    """Share of the lines that came in one receive with a later line, so that their stamp is an upper bound."""
    if not sample.streamed:
        return NOT_STREAMED
    if len(sample.chunks) == 0:
        return NO_TEXT
    return Value(sample.chunks.kind.translate(_BLURRED).count(1) / len(sample.chunks))


# --- by the server's own clock and counts ---------------------------------------------------------------------


def server_ttft(sample: Sample) -> Value:
    """Seconds from the server's first sight of the request to its first text, both by its own clock."""
    if not sample.streamed:
        return NOT_STREAMED
    if sample.counts is None or sample.counts.total_ns is None:
        return NO_COUNTS
    kind, created = sample.chunks.kind, sample.chunks.created_ns
    first, final = kind.translate(_SAYS).find(1), kind.translate(_ENDS).find(1)
    if first < 0:
        return NO_TEXT
    if final < 0 or created[first] == 0 or created[final] == 0:
        return NO_CREATED
    return Value((created[first] - (created[final] - sample.counts.total_ns)) / 1e9)


def _counted(field: str, sent_as: str, scale: float) -> Callable[[Sample], Value]:
    """The metric that reads one field of the final line and divides it by `scale`."""
    read = attrgetter(field)
    absent = Value(None, f"the server sent no {sent_as}")

    def of(sample: Sample) -> Value:
        if sample.counts is None:
            return NO_COUNTS
        seen = read(sample.counts)
        return absent if seen is None else Value(seen / scale)

    return of


prompt_tokens = _counted("prompt_eval_count", "prompt_eval_count", 1)
cached_tokens = _counted("cached_count", "prompt_eval_cached_count", 1)
output_tokens = _counted("eval_count", "eval_count", 1)
load = _counted("load_ns", "load_duration", 1e9)
prefill_time = _counted("prompt_eval_ns", "prompt_eval_duration", 1e9)
decode_time = _counted("eval_ns", "eval_duration", 1e9)


def decode(sample: Sample) -> Value:
    """Tokens a second as the server counts them: n / eval_duration."""
    return _rate(sample, 0)


def steps(sample: Sample) -> Value:
    """Steps a second: (n - 1) / eval_duration, because the first token lies outside eval_duration on GGUF."""
    return _rate(sample, 1)


def _rate(sample: Sample, less: int) -> Value:
    if sample.counts is None or sample.counts.eval_count is None or sample.counts.eval_ns is None:
        return NO_COUNTS
    if sample.counts.eval_count < 2:
        return ONE_TOKEN
    if sample.counts.eval_ns <= 0:
        return NO_TIME
    return Value((sample.counts.eval_count - less) / (sample.counts.eval_ns / 1e9))


def prefill(sample: Sample) -> Value:
    """Prompt tokens a second, those from the cache left out; None where nobody knows how many those were."""
    counts = sample.counts
    if counts is None or counts.prompt_eval_count is None or counts.prompt_eval_ns is None:
        return NO_COUNTS
    cached = counts.cached_count
    if cached is None:
        # A model that has only just been loaded has an empty cache. A nonce in front of a prompt is no such proof:
        # what the template puts before it may still be reused.
        if sample.phase != "cold":
            return CACHE_UNKNOWN
        cached = 0
    if counts.prompt_eval_count <= cached:
        return ALL_CACHED
    if counts.prompt_eval_ns <= 0:
        return NO_TIME
    return Value((counts.prompt_eval_count - cached) / (counts.prompt_eval_ns / 1e9))


def queue(sample: Sample) -> Value:
    """Seconds that no field of the server covers: waiting for a slot, templates, transport inside the server."""
    counts = sample.counts
    if counts is None:
        return NO_COUNTS
    known = [part for part in (counts.load_ns, counts.prompt_eval_ns, counts.eval_ns) if part is not None]
    if counts.total_ns is None or len(known) < 3:
        return NO_DURATION
    return Value((counts.total_ns - sum(known)) / 1e9)


def network(sample: Sample) -> Value:
    """Seconds of our end-to-end time that the server did not see: network, and the client itself."""
    if sample.sent_ns is None:
        return UNSENT
    if sample.counts is None or sample.counts.total_ns is None:
        return NO_DURATION
    if sample.stamps == "stepped":
        return STEPPED
    return Value((sample.end_ns - sample.sent_ns - sample.counts.total_ns) / 1e9)
