"""The one reader of time: a monotonic clock for durations, a wall clock for dates."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

COARSE_NS = 2_000_000
SLICE_NS = 50_000
_monotonic: Callable[[], int] = time.monotonic_ns


def now() -> int:
    """Nanoseconds of the monotonic clock (CLOCK_MONOTONIC on Linux); only differences mean anything."""
    return _monotonic()


def today() -> str:
    """The present moment in UTC as ISO 8601 with seconds: `2026-11-22T22:02:56Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def sleep_until(due: int) -> None:
    """Sleep until `now()` would say `due`. Absolute, so that lateness does not add up."""
    await asyncio.sleep(max(0, due - now()) / 1e9)


async def until(due: int) -> None:
    """Return within some tens of microseconds after `now()` says `due`; what the loop has to do meanwhile is done.

    An event loop's own timers are a millisecond coarse (epoll counts in milliseconds and rounds up), so the last of
    the wait goes in slices that are short against any figure of ours and long against what they cost.
    """
    await sleep_until(due - COARSE_NS)
    while (left := due - now()) > 0:
        if _monotonic is time.monotonic_ns:
            time.sleep(min(left, SLICE_NS) / 1e9)  # noqa: ASYNC251 - 50 us: that is the point
            await asyncio.sleep(0)
        else:  # a clock that jumps does so only when all sleep
            await asyncio.sleep(left / 1e9)


@contextmanager
def told_by(source: Callable[[], int]) -> Iterator[None]:
    """Let `source` tell the time inside: a clock that jumps, where a test must not wait."""
    global _monotonic  # noqa: PLW0603 - one process has one clock
    before, _monotonic = _monotonic, source
    try:
        yield
    finally:
        _monotonic = before
