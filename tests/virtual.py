"""An event loop that jumps: when all wait for time to pass, it passes at once."""

import asyncio
import gc
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from olbench import clock

P = ParamSpec("P")
T = TypeVar("T")

START_NS = 1_000_000_000_000  # some moment long after the machine was started


class Jumping(selectors.DefaultSelector):
    """Waits for files as ever, but for time never."""

    ns = START_NS

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout is None:
            return ready or super().select(timeout)  # only a file can end this
        # Rounded, not up: the loop takes a timer as due that is less than a nanosecond away, so stamps stay exact.
        self.ns += max(0, round(timeout * 1e9))
        return super().select(0)


class AtOnce(ThreadPoolExecutor):
    """Runs in the thread that asks: no time passes while another thread works."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as fault:  # noqa: BLE001 - whoever awaits the future gets it
            done.set_exception(fault)
        return done


def run(story: Coroutine[Any, Any, T]) -> T:
    """The story's result, as `asyncio.run` gives it, in no time at all."""
    jumping = Jumping()

    def made() -> asyncio.AbstractEventLoop:
        loop = asyncio.SelectorEventLoop(jumping)
        loop.time = lambda: jumping.ns / 1e9  # type: ignore[method-assign]  # the documented way to give a loop a clock
        loop.set_default_executor(AtOnce())
        return loop

    gc.freeze()  # a collection within the story need not go through all that was there before
    try:
        with clock.told_by(lambda: jumping.ns), asyncio.Runner(loop_factory=made) as runner:
            return runner.run(story)
    finally:
        gc.unfreeze()
