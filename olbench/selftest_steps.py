"""The levels of a self-test, planned: how many streams, how many requests, in which rhythm. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

STREAMS = (1, 4, 16, 64)
SHORT_STREAMS = (1, 16)
MOST_STREAMS = 1024
LEAST_REQUESTS = 100  # a p99 of fewer would be the largest by another name
LEAST_ROUNDS = 4  # of which the first opens the connections
LEAST_SHORT_ROUNDS = 2
RATE = 200.0  # paced sends a second
PACED = 400
MS = 1_000_000
STARTING_NS = 500 * MS  # of the server's process
FINAL_NS = 2 * MS  # from the last token to the line that ends the answer, so that the two do not blur
SHORT_NS = 3_000 * MS  # for all levels of a short test together

# Up to so many streams: time to the first token, time between tokens, tokens. Few streams need many rounds for their
# requests, so these are quick; many streams get as much to do in each millisecond as a fast server would give them.
RHYTHMS = (
    (8, (20 * MS, 10 * MS, 12)),
    (32, (30 * MS, 20 * MS, 16)),
    (MOST_STREAMS, (50 * MS, 20 * MS, 16)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One level as it is planned."""

    streams: int
    rate: float | None  # paced sends a second; None: a closed loop
    requests: int
    ttft_ns: int
    itl_ns: int
    tokens: int

    @property
    def request_ns(self) -> int:
        """How long one request takes."""
        return self.ttft_ns + (self.tokens - 1) * self.itl_ns + FINAL_NS

    @property
    def expected_ns(self) -> int:
        """How long the level takes, its server's start included."""
        if self.rate is None:
            return STARTING_NS + math.ceil(self.requests / self.streams) * self.request_ns
        return STARTING_NS + round(self.requests / self.rate * 1e9) + self.request_ns


def steps(streams: Iterable[int]) -> tuple[Step, ...]:
    """A whole self-test: each number of streams in a closed loop, then paced sends."""
    closed = (
        _closed(count, max(LEAST_ROUNDS, math.ceil(LEAST_REQUESTS / count))) for count in sorted(set(streams))
    )
    ttft_ns, itl_ns, tokens = _rhythm(16)
    paced = Step(streams=PACED, rate=RATE, requests=PACED, ttft_ns=ttft_ns, itl_ns=itl_ns, tokens=tokens)
    flying = math.ceil(RATE * paced.request_ns / 1e9)
    return (*closed, replace(paced, streams=flying))


def short_steps(streams: Iterable[int]) -> tuple[Step, ...]:
    """What goes before a run: one stream, the most, and one between, which share a few seconds."""
    counts = sorted({1, *streams})
    counts = sorted({counts[0], counts[len(counts) // 2], counts[-1]})
    each = SHORT_NS // len(counts)
    return tuple(
        _closed(count, max(LEAST_SHORT_ROUNDS, each // _closed(count, 1).request_ns)) for count in counts
    )


def _closed(streams: int, rounds: int) -> Step:
    ttft_ns, itl_ns, tokens = _rhythm(streams)
    return Step(
        streams=streams, rate=None, requests=rounds * streams, ttft_ns=ttft_ns, itl_ns=itl_ns, tokens=tokens
    )


def _rhythm(streams: int) -> tuple[int, int, int]:
    return next(rhythm for most, rhythm in RHYTHMS if streams <= most)
