"""Queues whose capacity is known: exact recursions, the formulas that check them, and searches in them.

Times are in seconds, of which one is a mean answer. A request waits for one of the slots, first come, first served.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush, heapreplace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from olbench import seek
from olbench.stats.attained import attained

Numbers = NDArray[np.float64]
Dice = np.random.Generator

SHARE = 0.95  # of requests that must keep the bound
STEP = 0.1
SPREAD = 0.8  # of the logarithms of lengths: the longest in a hundred are six times the median
TOKENS = 8  # of an answer that shares the engine with others
SETTLE = 0.2  # of the requests of a probe, so many go before them, until the queue is what it will be
REQUESTS = 200  # of a probe


# --- recursions -----------------------------------------------------------------------------------------------


def waits(dues: Numbers, answers: Numbers, slots: int) -> Numbers:
    """How long each request waits (Kiefer and Wolfowitz, "On the theory of queues with many servers", 1955)."""
    if slots == 1:
        return _alone(dues, answers)
    found = np.empty(len(dues))
    if (answers == answers[0]).all():  # the slots take turns: each is a queue of its own
        for first in range(slots):
            found[first::slots] = _alone(dues[first::slots], answers[first::slots])
        return found
    free = [0.0] * slots
    for number, (due, answer) in enumerate(zip(dues.tolist(), answers.tolist(), strict=True)):
        start = max(due, free[0])
        found[number] = start - due
        heapreplace(free, start + answer)
    return found


def _alone(dues: Numbers, answers: Numbers) -> Numbers:
    """One slot: Lindley's recursion, as running sums less their lowest so far."""
    sums = np.concatenate([[0.0], np.cumsum(answers[:-1] - np.diff(dues))])
    found: Numbers = sums - np.minimum.accumulate(sums)
    return found


def shared(
    dues: Numbers, tokens: NDArray[np.int64], slots: int, sharing: float, gap: float
) -> tuple[Numbers, Numbers]:
    """The moments of each answer's first and last token, where a step is longer by `sharing` for each other answer.

    As Script has it: a step is as long as the answers that are being decoded when it begins make it; a slot's first
    token comes at once.
    """
    if slots == 1:  # nobody to share with
        first = dues + waits(dues, gap * (tokens - 1.0), 1)
        return first, first + gap * (tokens - 1.0)
    first, last, left = np.empty(len(dues)), np.empty(len(dues)), tokens.tolist()
    events = [(due, number, False) for number, due in enumerate(dues.tolist())]  # True: it has a slot
    heapify(events)
    waiting: list[int] = []
    head, busy = 0, 0
    while events:
        moment, number, has = heappop(events)
        if not has:
            if busy == slots:
                waiting.append(number)
                continue
            busy += 1
        if left[number] == tokens[number]:
            first[number] = moment
        left[number] -= 1
        if left[number]:
            heappush(events, (moment + gap * (1 + sharing * (busy - 1)), number, True))
            continue
        last[number] = moment
        if head < len(waiting):  # its slot goes on at once
            heappush(events, (moment, waiting[head], True))
            head += 1
        else:
            busy -= 1
    return first, last


# --- formulas -------------------------------------------------------------------------------------------------


def kept_by_random_answers(rate: float, slots: int, bound: float) -> float:
    """M/M/c: the share of requests that wait at most so long (Erlang C)."""
    term, terms = 1.0, 1.0
    for busy in range(1, slots):
        term *= rate / busy
        terms += term
    all_busy = term * rate / slots / (1 - rate / slots)
    return 1 - all_busy / (terms + all_busy) * math.exp(-(slots - rate) * bound)


def kept_by_even_answers(rate: float, bound: float) -> float:
    """M/D/1: the same (Erlang, "The theory of probabilities and telephone conversations", 1909)."""
    parts = [
        (-1) ** done
        * (rate * (bound - done)) ** done
        / math.factorial(done)
        * math.exp(rate * (bound - done))
        for done in range(math.floor(bound) + 1)
    ]
    return (1 - rate) * math.fsum(parts)


# --- queues ---------------------------------------------------------------------------------------------------


def even(_: Dice, count: int) -> Numbers:
    """All answers take a second."""
    return np.ones(count)


def uneven(dice: Dice, count: int) -> Numbers:
    """Lognormal answers of a second on average."""
    found: Numbers = np.exp(SPREAD * dice.standard_normal(count) - SPREAD * SPREAD / 2)
    return found


@dataclass(frozen=True, slots=True)
class Queue:
    """One server, what is asked of it, and the highest rate at which it is kept."""

    name: str
    slots: int
    figures: Callable[[Dice, Numbers, int], Numbers]  # of requests that fall due then
    bound: float  # s, that the figures must not exceed
    capacity: float  # requests a second; from the formula, else from runs of three million (sharing: 150,000) requests

    def served(self, dice: Dice, rate: float, count: int) -> Numbers:
        """The figures of so many requests of a server that was idle before."""
        return self.figures(dice, np.cumsum(dice.exponential(1 / rate, count)), self.slots)


def _waits(answers: Callable[[Dice, int], Numbers], dice: Dice, dues: Numbers, slots: int) -> Numbers:
    return waits(dues, answers(dice, len(dues)), slots)


def _shared(aspect: Literal["e2e", "tpot"], sharing: float, dice: Dice, dues: Numbers, slots: int) -> Numbers:
    first, last = shared(dues, np.full(len(dues), TOKENS), slots, sharing, 1 / TOKENS)
    found: Numbers = last - dues if aspect == "e2e" else (last - first) / (TOKENS - 1)
    return found


EVEN = tuple(
    Queue(f"M/D/{slots}, TTFT", slots, partial(_waits, even), 1.0, capacity)
    for slots, capacity in ((1, 0.28705), (2, 1.062), (4, 2.898))
)
UNEVEN = tuple(
    Queue(f"M/G/{slots}, TTFT", slots, partial(_waits, uneven), 2.0, capacity)
    for slots, capacity in ((1, 0.2589), (2, 1.073), (4, 2.942))
)
SHARED = (
    Queue("shared, 1 slot, e2e", 1, partial(_shared, "e2e", 0.5), 3.0, 0.6287),
    Queue("shared, 2 slots, e2e", 2, partial(_shared, "e2e", 0.5), 3.0, 0.9328),
    Queue("shared, 4 slots, e2e", 4, partial(_shared, "e2e", 0.5), 3.0, 1.0917),
    Queue("shared, 4 slots, answer rate", 4, partial(_shared, "tpot", 0.5), 1.8 / TOKENS, 0.5211),
)
QUEUES = (*EVEN, *UNEVEN, *SHARED)


# --- searches -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """How one search ended."""

    off: int | None  # steps from the true capacity; None: nothing was found
    probes: int
    requests: int
    resolved: bool

    @property
    def right(self) -> bool:
        """The true capacity, or one step below."""
        return self.off in (0, -1)


def search(
    queue: Queue,
    seed: int,
    *,
    base: int = REQUESTS,
    again: Sequence[int] = seek.AGAIN,
    predicted: bool = False,
) -> Trial:
    """A search from the bottom, or from a prediction that is off by a fifth, on a grid that lies by chance."""
    dice = np.random.default_rng((seed, 41))
    least = queue.capacity / (1 + STEP) ** dice.uniform(10, 25)
    loads = seek.grid(least, least * (1 + STEP) ** 40, STEP, whole=False)
    start = (
        seek.place_of(queue.capacity * math.exp(0.2 * dice.standard_normal()), loads) if predicted else None
    )
    seen: dict[int, list[Numbers]] = {}
    verdicts: dict[int, seek.Seen] = {}
    while True:
        asked = seek.following(tuple(verdicts.values()), loads, start=start, requests=base, again=again)
        if isinstance(asked, seek.Found):
            break
        count, place = asked.again * base, asked.place
        before = math.ceil(SETTLE * count)
        seen.setdefault(place, []).append(queue.served(dice, loads[place], before + count)[before:])
        figures = seen[place]
        share, verdict = attained([one <= queue.bound for one in figures], SHARE, figures)
        verdicts[place] = seek.Seen(
            place, verdict, sum(map(len, figures)), len(figures), leans=(share.value or 0.0) >= SHARE
        )
    off = None if asked.place is None else asked.place - seek.place_of(queue.capacity, loads)
    spent = sum(one.requests for one in verdicts.values())
    return Trial(off, sum(one.probes for one in verdicts.values()), spent, asked.resolved)


def told(trials: Sequence[Trial]) -> str:
    """Where searches ended, in steps from the capacity: "-1: 60, 0: 40"."""
    ends = Counter(one.off for one in trials if one.off is not None)
    told = [f"{off:+d}: {count}" if off else f"0: {count}" for off, count in sorted(ends.items())]
    none = len(trials) - ends.total()
    return ", ".join([*told, *([f"none: {none}"] if none else [])])
