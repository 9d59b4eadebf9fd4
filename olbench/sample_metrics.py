"""Figures of single samples, in base units: what our stamps say, and what the server's own counts say."""

from collections.abc import Callable
from operator import attrgetter

import numpy as np

from olbench.column import Column, Mask, Numbers, Unless, several, singles
from olbench.model import COALESCED, FINAL, TEXT, THINKING
from olbench.sample_columns import Samples

STEPPED = "the wall clock was set during the response, which spoils the kernel's stamps"
NOT_STREAMED = "the response was not streamed"
UNSENT = "the request was never sent"
NO_TEXT = "no line carried text"
NO_ANSWER = "no line carried answer text"
NO_COUNTS = "the server sent no counts"
NO_DURATION = "the server left out one of its durations"
NO_CREATED = "the server's lines carry no created_at"
ONE_TOKEN = "a rate of steps needs 2 tokens"  # noqa: S105 - a token of a model, not of a login
NO_TIME = "the server gave a duration of 0"
ONE_CHUNK = "all text came in one chunk"
CACHE_UNKNOWN = "the server does not say how many prompt tokens came from its cache"
ALL_CACHED = "the whole prompt came from the cache"

_SAYS = TEXT | THINKING
# What is divided by nothing here has no figure, and its reason stands in its place.
_dividing = np.errstate(divide="ignore", invalid="ignore")

# --- by our stamps --------------------------------------------------------------------------------------------


def ttft(seen: Samples) -> Column:
    """Seconds from when the request was due, or sent in a closed loop, to its first line with text or thinking."""
    return _until(seen, _SAYS, NO_TEXT)


def ttft_answer(seen: Samples) -> Column:
    """The same to the first line with answer text; differs from TTFT only where a model thinks."""
    return _until(seen, TEXT, NO_ANSWER)


def _unstamped(seen: Samples) -> tuple[Unless, Unless]:
    """Why the stamps of a response's lines tell nothing."""
    return (NOT_STREAMED, ~seen.streamed), (STEPPED, seen.stepped)


def _until(seen: Samples, bits: int, never: str) -> Column:
    lines = seen.having(bits)
    seconds = (lines.first(seen.arrived_ns) - seen.began_ns) / 1e9
    return singles(seconds, *_unstamped(seen), (UNSENT, seen.unsent), (never, lines.none))


def e2e(seen: Samples) -> Column:
    """Seconds from when the request was due, or sent in a closed loop, to the last byte."""
    return singles((seen.end_ns - seen.began_ns) / 1e9, (STEPPED, seen.stepped), (UNSENT, seen.unsent))


@_dividing
def tpot(seen: Samples) -> Column:
    """Seconds a token after the first chunk."""
    lines = seen.having(_SAYS)
    spans = lines.last(seen.arrived_ns) - lines.first(seen.arrived_ns)
    return singles(
        spans / 1e9 / (seen.eval_count - 1),
        *_unstamped(seen),
        (NO_COUNTS, np.isnan(seen.eval_count)),
        (ONE_TOKEN, seen.eval_count < 2),
        (NO_TEXT, lines.none),
        (ONE_CHUNK, lines.count == 1),
    )


def gaps(seen: Samples) -> Column:
    """Seconds between neighbouring lines with text or thinking."""
    lines = seen.having(_SAYS)
    between = np.diff(seen.arrived_ns[lines.places])
    within = np.ones(len(between), dtype=np.bool_)
    starts = lines.begin[(lines.begin > 0) & (lines.begin < len(lines.places))]
    within[starts - 1] = False  # from the end of one answer to the beginning of the next
    return several(
        between[within] / 1e9,
        np.maximum(lines.count - 1, 0),
        *_unstamped(seen),
        (NO_TEXT, lines.none),
        (ONE_CHUNK, lines.count == 1),
    )


@_dividing
def coalesced(seen: Samples) -> Column:
    """Share of the lines that came in one receive with a later line, so that their stamp is an upper bound."""
    blurred = seen.having(COALESCED).count
    return singles(blurred / seen.lines, (NOT_STREAMED, ~seen.streamed), (NO_TEXT, seen.lines == 0))


# --- by the server's own clock and counts ---------------------------------------------------------------------


def server_ttft(seen: Samples) -> Column:
    """Seconds from the server's first sight of the request to its first text, both by its own clock."""
    says, ends = seen.having(_SAYS), seen.having(FINAL)
    first, final = says.first(seen.created_ns), ends.first(seen.created_ns)
    return singles(
        ((first - final) + seen.total_ns) / 1e9,
        (NOT_STREAMED, ~seen.streamed),
        (NO_COUNTS, np.isnan(seen.total_ns)),
        (NO_TEXT, says.none),
        (NO_CREATED, (first == 0) | (final == 0)),
    )


def _counted(field: str, sent_as: str, scale: float) -> Callable[[Samples], Column]:
    """The metric that reads one field of the final line and divides it by `scale`."""
    read: Callable[[Samples], Numbers] = attrgetter(field)
    absent = f"the server sent no {sent_as}"

    def of(seen: Samples) -> Column:
        values = read(seen)
        return singles(values / scale, (NO_COUNTS, seen.uncounted), (absent, np.isnan(values)))

    return of


prompt_tokens = _counted("prompt_eval_count", "prompt_eval_count", 1)
cached_tokens = _counted("cached_count", "prompt_eval_cached_count", 1)
output_tokens = _counted("eval_count", "eval_count", 1)
load = _counted("load_ns", "load_duration", 1e9)
prefill_time = _counted("prompt_eval_ns", "prompt_eval_duration", 1e9)
decode_time = _counted("eval_ns", "eval_duration", 1e9)


def decode(seen: Samples) -> Column:
    """Tokens a second as the server counts them: n / eval_duration."""
    return _rate(seen, 0)


def steps(seen: Samples) -> Column:
    """Steps a second: (n - 1) / eval_duration, because the first token lies outside eval_duration on GGUF."""
    return _rate(seen, 1)


@_dividing
def _rate(seen: Samples, less: int) -> Column:
    return singles(
        (seen.eval_count - less) / (seen.eval_ns / 1e9),
        (NO_COUNTS, _any_nan(seen.eval_count, seen.eval_ns)),
        (ONE_TOKEN, seen.eval_count < 2),
        (NO_TIME, seen.eval_ns <= 0),
    )


@_dividing
def prefill(seen: Samples) -> Column:
    """Prompt tokens a second, those from the cache left out; none where nobody knows how many those were."""
    # A model that has only just been loaded has an empty cache. A nonce in front of a prompt is no such proof:
    # what the template puts before it may still be reused.
    cached = np.where(seen.cold & np.isnan(seen.cached_count), 0.0, seen.cached_count)
    return singles(
        (seen.prompt_eval_count - cached) / (seen.prompt_eval_ns / 1e9),
        (NO_COUNTS, _any_nan(seen.prompt_eval_count, seen.prompt_eval_ns)),
        (CACHE_UNKNOWN, np.isnan(cached)),
        (ALL_CACHED, seen.prompt_eval_count <= cached),
        (NO_TIME, seen.prompt_eval_ns <= 0),
    )


def _any_nan(*columns: Numbers) -> Mask:
    unknown: Mask = np.isnan(np.sum(columns, axis=0))
    return unknown
