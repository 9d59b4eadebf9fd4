"""The lag of the run's own event loop, from a loop that answers when the test says so."""

import asyncio
from collections.abc import Callable

from olbench.probes.loop import LoopLag


class Held:
    """A loop that holds what it is asked until it is told to go on."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[int], object], int]] = []
        self.closed = False

    def call_soon_threadsafe(self, callback: Callable[[int], object], posted_ns: int, /) -> None:
        if self.closed:
            raise RuntimeError("Event loop is closed")
        self.waiting.append((callback, posted_ns))

    def go_on(self) -> None:
        for callback, posted_ns in self.waiting:
            callback(posted_ns)
        self.waiting.clear()


def test_there_is_no_row_until_the_first_answer_has_come() -> None:
    loop, clock = Held(), iter([1_000, 4_000, 5_000, 5_500, 9_000])
    probe = LoopLag(loop, now=lambda: next(clock))
    assert probe.read() == {}  # posts at 1,000
    assert probe.read() == {}
    assert len(loop.waiting) == 1  # a loop that stands still is asked once
    loop.go_on()  # at 4,000
    assert probe.read() == {"client.loop_lag": (3e-6, "s")}  # posts the next at 5,000
    assert probe.read() == {}
    loop.go_on()  # at 5,500
    assert probe.read() == {"client.loop_lag": (5e-7, "s")}


def test_a_loop_that_is_closed_gives_what_was_met_and_then_nothing() -> None:
    loop, clock = Held(), iter(range(0, 10_000, 1_000))
    probe = LoopLag(loop, now=lambda: next(clock))
    probe.read()
    loop.go_on()
    loop.closed = True
    assert probe.read() == {"client.loop_lag": (1e-6, "s")}
    assert probe.read() == {}
    assert (probe.absent(), probe.facts()) == ({}, {})
    probe.close()


def test_a_real_loop_that_is_busy_is_seen_to_be_late() -> None:
    async def story() -> float:
        probe = LoopLag(asyncio.get_running_loop())
        probe.read()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ((lag, unit),) = probe.read().values()
        assert unit == "s"
        return lag

    assert 0 < asyncio.run(story()) < 5
