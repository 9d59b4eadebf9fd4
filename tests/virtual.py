"""An event loop that jumps: when all wait for time to pass, it passes at once."""

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any

from olbench import clock


class Jumping(selectors.DefaultSelector):
    """Waits for files as ever, but for time never."""

    ns = 1_000_000_000_000  # some moment long after the machine was started

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout is None:
            return ready or super().select(timeout)  # only a file or another thread can end this
        self.ns += max(0, math.ceil(timeout * 1e9))
        return super().select(0)


def run(story: Coroutine[Any, Any, Any]) -> Any:
    """The story's result, as `asyncio.run` gives it, in no time at all."""
    jumping = Jumping()
    loop = asyncio.SelectorEventLoop(jumping)
    loop.time = lambda: jumping.ns / 1e9  # type: ignore[method-assign]  # the documented way to give a loop a clock
    try:
        with clock.told_by(lambda: jumping.ns):
            return loop.run_until_complete(story)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
