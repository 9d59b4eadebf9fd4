"""Requests that are put into bytes shortly before they are due."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator

from olbench.clock import COARSE_NS, now
from olbench.ports import Wire

AHEAD_BYTES = 8 * 2**20


class Ahead(Iterator[Wire]):
    """Wires that are made as they are needed: some seconds' worth before anything is sent, then in the pauses.

    So a trace of ten thousand requests needs no memory for ten thousand prompts, and none waits to be made.
    """

    def __init__(self, made: Iterable[Wire]) -> None:
        """Make the first ones."""
        self._more = iter(made)
        self._ready: deque[Wire] = deque()
        self._bytes = 0
        self._cost_ns = 0  # of making one, at most of late
        while self._bytes < AHEAD_BYTES and self._make():
            pass

    def __next__(self) -> Wire:
        """The next one."""
        if not self._ready:
            self._make()
        if not self._ready:
            raise StopIteration
        wire = self._ready.popleft()
        self._bytes -= len(wire.body)
        return wire

    async def fill(self, until_ns: int) -> None:
        """Make more, as long as that does not make anybody late whose moment is `until_ns`."""
        while self._bytes < AHEAD_BYTES and now() + COARSE_NS + 2 * self._cost_ns < until_ns:
            if not self._make():
                break
            await asyncio.sleep(0)  # who was answered meanwhile goes on

    def _make(self) -> bool:
        began = now()
        wire = next(self._more, None)
        if wire is None:
            return False
        self._cost_ns = max(now() - began, self._cost_ns * 7 // 8)
        self._ready.append(wire)
        self._bytes += len(wire.body)
        return True
