"""What a scripted server does behind the client's back: the faults that an answer does not tell by itself."""

from dataclasses import dataclass
from math import exp
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Lies:
    """What it does, by measuring request (from 0, in the order of arrival). Times in nanoseconds.

    Other lies need no word of their own: a Script with `vram_share` below 1 spills to the CPU, one with a small
    `context_length` clamps the context, and one with fewer `slots` than its owner believes makes requests queue.
    """

    cached_from: int | None = None  # prompts come from the cache although nobody has sent them before
    reload_at: int | None = None  # the model is loaded once more before this request
    digest_from: int | None = None  # its lists show another digest
    version_from: int | None = None  # it calls itself by another version
    queue_from: int | None = None  # a request waits for `queue_ns` before its slot, as behind somebody else's
    queue_ns: int = 0
    drift: float = 0.0  # the gaps of each request are longer than those of the one before by this share
    step_from: int | None = None  # gaps are longer by the share `step`
    step: float = 0.0
    stall_at: int | None = None  # nothing comes for `stall_ns` in the middle of this answer
    stall_ns: int = 0
    freeze_at: int | None = (
        None  # when this request comes the whole server stops: what it was doing comes later by
    )
    freeze_ns: int = 0  # so much, what comes meanwhile waits for the end (loads alone go on)
    overstated: float = 0.0  # eval_duration is told longer by this share


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How one request is served."""

    pace: float  # factor on all its times: the noise of an honest machine
    slower: float  # factor on its gaps
    cached: bool
    reload: bool
    queue_ns: int
    pause_ns: int  # in the middle of the answer
    freeze_ns: int  # of the whole server, when it comes
    told_eval: float  # factor on the eval_duration that is told


def manner(lies: Lies, noise: float, seed: int, number: int) -> Manner:
    """The manner of a measuring request; `noise` is the spread of its pace on the log scale."""
    slower = (1 + lies.drift) ** number * (1 + lies.step if _since(lies.step_from, number) else 1)
    return Manner(
        pace=exp(Random(f"{seed} {number}").gauss(0, noise)) if noise else 1.0,
        slower=slower,
        cached=_since(lies.cached_from, number),
        reload=lies.reload_at == number,
        queue_ns=lies.queue_ns if _since(lies.queue_from, number) else 0,
        pause_ns=lies.stall_ns if lies.stall_at == number else 0,
        freeze_ns=lies.freeze_ns if lies.freeze_at == number else 0,
        told_eval=1 + lies.overstated,
    )


def _since(begin: int | None, number: int) -> bool:
    return begin is not None and number >= begin
