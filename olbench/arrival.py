"""Load patterns as values: when requests fall due, where they do not come from `concurrency` closed streams.

Offsets are integer nanoseconds from the moment when measuring begins. Everything here is drawn from a seed: the same
arguments give the same load.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeVar, assert_never

Pattern = Literal["steady", "poisson", "ramp", "burst", "replay", "sessions"]
PATTERNS: tuple[Pattern, ...] = ("steady", "poisson", "ramp", "burst", "replay", "sessions")
_NS = 10**9
_PAST = 10  # mean lengths of a conversation that users have a past of
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How requests come. What does not belong to the pattern is None."""

    pattern: Pattern
    rate: float | None = None  # requests a second: of a ramp where it ends, of bursts on average
    start_rate: float | None = None  # requests a second where a ramp begins
    burst: int | None = None  # requests that come at once
    trace: str | None = None  # of a replay: twelve hex digits of the SHA-256 of the trace's bytes
    speed: float | None = None  # of a replay: how many times faster than it was recorded
    users: int | None = None  # sessions: people at once
    questions_per_hour: float | None = None  # sessions: of one user, on average
    turns: int | None = None  # sessions: questions of one conversation; each carries all that was said before
    think_ns: int | None = None  # sessions: mean of the exponential time from an answer to the next question


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One part of a mixed workload."""

    model: str  # the name that is sent
    base: str  # as the scenario named it
    quantization: str | None
    weight: float  # of the requests (of conversations, in sessions); weights need not add up to 1
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request of a trace."""

    due_ns: int  # from the trace's first request
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation of one user."""

    user: int
    start_ns: (
        int  # when its first question falls due, unless the user's conversation before is still going on
    )
    thinks_ns: tuple[int, ...]  # from each answer to the next question: one fewer than there are questions
    part: int  # of the mix; 0 where there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """People as a scenario describes them; each question waits for the answer before it."""

    users: int  # how many there are to be: the target
    questions_per_hour: float  # of one user
    prompt_tokens: int  # of one question, without what was said before
    output_tokens: int
    turns: int
    think_ns: int

    def load(self, users: int) -> Load:
        """So many of them at once."""
        return Load(
            pattern="sessions",
            users=users,
            questions_per_hour=self.questions_per_hour,
            turns=self.turns,
            think_ns=self.think_ns,
        )


def dues(load: Load, count: int, seed: int | str, trace: Sequence[Arrival] = ()) -> tuple[int, ...]:
    """When each of `count` requests falls due, ascending; a replay has as many as its trace, if that has fewer.

    Steady, ramp and burst are exact; of these patterns Poisson alone is drawn from the seed.
    """
    match load.pattern:
        case "steady":
            return _steady(_of(load.rate), count)
        case "poisson":
            return _poisson(_of(load.rate), count, seed)
        case "ramp":
            return _ramp(_of(load.start_rate), _of(load.rate), count)
        case "burst":
            return _burst(_of(load.rate), _of(load.burst), count)
        case "replay":
            return tuple(round(one.due_ns / _of(load.speed)) for one in trace[:count])
        case "sessions":
            raise ValueError("questions of sessions fall due by the answers before them; see talks")
        case unknown:
            assert_never(unknown)


def parts(weights: Sequence[float], count: int, seed: int | str) -> tuple[int, ...]:
    """The part of the mix that each of `count` requests belongs to; all 0 where there is no mix."""
    if len(weights) < 2:
        return (0,) * count
    return tuple(_draws(seed, "parts").choices(range(len(weights)), weights, k=count))


def sessions_span_ns(load: Load, count: int) -> int:
    """How long it takes until `count` questions are expected to have fallen due."""
    return round(count * _NS / (_of(load.users) * _of(load.questions_per_hour) / 3600))


def span_ns(load: Load, count: int, trace: Sequence[Arrival] = ()) -> int:
    """How long `count` requests are expected to take to fall due."""
    match load.pattern:
        case "steady" | "poisson" | "burst":
            return round(count * _NS / _of(load.rate))
        case "ramp":
            return round(2 * count * _NS / (_of(load.start_rate) + _of(load.rate)))
        case "replay":
            return max(dues(load, count, 0, trace), default=0)
        case "sessions":
            return sessions_span_ns(load, count)
        case unknown:
            assert_never(unknown)


def talks(load: Load, span_ns: int, weights: Sequence[float], seed: int | str) -> tuple[Talk, ...]:
    """All conversations that have questions in the span, by start.

    Each user begins conversations at exponential intervals, and the process is stationary from the first moment:
    users have done so for long. A conversation that was under way then has only its remaining questions, the first
    of them after what is left of a think time. Answers, whose length is not known here, take no time in that past.

    A user's draws are the user's own: with more users, or for longer, the same conversations come and others too.
    """
    users = range(_of(load.users))
    every = (talk for user in users for talk in _user_talks(load, span_ns, weights, user, seed))
    return tuple(sorted(every, key=lambda talk: (talk.start_ns, talk.user)))


def _steady(rate: float, count: int) -> tuple[int, ...]:
    return tuple(round(index * _NS / rate) for index in range(count))


def _poisson(rate: float, count: int, seed: int | str) -> tuple[int, ...]:
    # Note: the first gap is drawn too, as no moment is special to those who ask.
    draws = _draws(seed, "poisson")
    return tuple(round(due * _NS) for due in accumulate(draws.expovariate(rate) for _ in range(count)))


def _ramp(start: float, end: float, count: int) -> tuple[int, ...]:
    """Request i falls due when the rate has added up to i.

    The rate is start + (end - start) t / span, where span = 2 count / (start + end), so that `count` requests fill
    it. Its integral, start t + (end - start) t^2 / (2 span) = i, is solved for t in the form that does not cancel.

    Note: exact, not drawn. A ramp is read along its slope, which chance would blur.
    """
    span = 2 * count / (start + end)
    growth = (end - start) / span
    return tuple(
        round(2 * index / (start + math.sqrt(max(0.0, start * start + 2 * growth * index))) * _NS)
        if index
        else 0
        for index in range(count)
    )


def _burst(rate: float, burst: int, count: int) -> tuple[int, ...]:
    return tuple(round(index // burst * burst * _NS / rate) for index in range(count))


def _user_talks(
    load: Load, span_ns: int, weights: Sequence[float], user: int, seed: int | str
) -> Iterator[Talk]:
    draws = _draws(seed, f"user {user}")
    mean_gap_s = 3600 * _of(load.turns) / _of(load.questions_per_hour)
    mean_think_s = _of(load.think_ns) / _NS
    start_s = -_PAST * mean_think_s * (_of(load.turns) - 1)
    free_s = start_s  # when the user is done with the conversation before, if answers took no time
    while (start_s := start_s + draws.expovariate(1 / mean_gap_s)) * _NS < span_ns:
        thinks = tuple(_exponential(draws, mean_think_s) for _ in range(_of(load.turns) - 1))
        part = draws.choices(range(len(weights)), weights)[0] if len(weights) > 1 else 0
        begins_s = max(start_s, free_s)
        asked = tuple(accumulate(thinks, initial=begins_s))
        free_s = asked[-1]
        left = sum(due >= 0 for due in asked)
        if left:
            first_s = start_s if start_s >= 0 else asked[-left]
            rest = thinks[len(asked) - left :]
            yield Talk(user, round(first_s * _NS), tuple(round(think * _NS) for think in rest), part)


def _exponential(draws: random.Random, mean: float) -> float:
    return draws.expovariate(1 / mean) if mean > 0 else 0.0


def _draws(seed: int | str, what: str) -> random.Random:
    """Its own draws for each purpose, so that one does not shift another."""
    return random.Random(f"{seed}/{what}")


def _of(value: _T | None) -> _T:
    if value is None:
        raise ValueError("this load lacks what its pattern needs")
    return value
