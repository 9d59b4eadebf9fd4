"""The one reader of time: a monotonic clock for durations, a wall clock for dates."""

import asyncio
import time
from datetime import UTC, datetime


def now() -> int:
    """Nanoseconds of the monotonic clock (CLOCK_MONOTONIC on Linux); only differences mean anything."""
    return time.monotonic_ns()


def today() -> str:
    """The present moment in UTC as ISO 8601 with seconds: `2026-11-22T22:02:56Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def sleep_until(due: int) -> None:
    """Sleep until `now()` would say `due`. Absolute, so that lateness does not add up."""
    await asyncio.sleep(max(0, due - now()) / 1e9)
