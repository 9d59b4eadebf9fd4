"""Self-tests made by hand for tests: levels with round numbers."""

from array import array
from collections.abc import Sequence
from typing import Any

from olbench.model import Level, SelfTest

US, MS = 1_000, 1_000_000


def level(streams: int = 16, **changes: Any) -> Level:
    """A level of 100 requests that are 40 us late, and 1,100 gaps that are 3 us off."""
    fields: dict[str, Any] = {
        "streams": streams,
        "rate": None,
        "stamps": "kernel",
        "ttft_ns": array("q", [40 * US] * 100),
        "gap_ns": array("q", [3 * US, -3 * US] * 550),
        "dispatch_ns": array("q", [200 * US] * 100),
        "chunks": 1200,
        "coalesced": 0,
        "unstamped": 0,
        "failed": 0,
        "cpu_ns": 60 * MS,
    }
    return Level(**(fields | changes))


def selftest(*levels: Level) -> SelfTest:
    return SelfTest(at="2026-11-22T22:00:00Z", olbench="0.1.0", machine="0123456789ab", levels=levels)


def ints(values: Sequence[int]) -> Any:
    return array("q", values)
