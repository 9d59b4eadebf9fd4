"""When tokens are due: one scheduler for all streams, and an event loop that wakes in time for it."""

import asyncio
import select
import selectors
import sys
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from pathlib import Path

from olbench.clock import now, sleep_until
from olbench.engines.scripted_client import Client

Tick = Callable[[], int | None]  # does what is due; the moment of the next time, None: there is none
_TICKS_A_TURN = 64  # so many in one turn of the loop: requests arrive while tokens go


class Rhythm:
    """Calls ticks at their absolute moments, the earliest first."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._dues: list[tuple[int, int, Tick]] = []
        self._order = count()  # of two that are due at once, the one that waited longer goes first
        self._handle: asyncio.Handle | None = None
        self.held = 0  # ns for which it was held so far

    def hold(self, span: int) -> None:
        """Put off all that is due by `span`, as when the machine stands still. Not from a tick."""
        self._tick_all(len(self._dues))  # what is due at this very moment still goes
        self.held += span
        self._dues = [
            (due + span, order, tick) for due, order, tick in self._dues
        ]  # in the same order: a heap still
        self._set()

    async def passing(self, span: int) -> None:
        """Until so much time has passed, that for which it is held left out."""
        held, due = self.held, now() + span
        while due + self.held - held > now():
            await sleep_until(due + self.held - held)

    def at(self, due: int, tick: Tick) -> None:
        """Call `tick` when `now()` says `due`, and then at each moment that it names itself. Not from a tick."""
        heappush(self._dues, (due, next(self._order), tick))
        if self._dues[0][0] == due:
            self._set()

    def _set(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        if not self._dues:
            return
        loop = asyncio.get_running_loop()
        wait = self._dues[0][0] - now()
        if wait > 0:
            self._handle = loop.call_at(loop.time() + wait / 1e9, self._run)
        else:
            self._handle = loop.call_soon(self._run)

    def _run(self) -> None:
        self._tick_all(_TICKS_A_TURN)
        self._set()

    def _tick_all(self, most: int) -> None:
        dues = self._dues
        for _ in range(most):
            if not dues or dues[0][0] > now():
                break
            tick = heappop(dues)[2]
            following = tick()
            if following is not None:
                heappush(dues, (following, next(self._order), tick))


class Crowd:
    """The answers of a server that are being decoded."""

    def __init__(self, sharing: float) -> None:
        """A step takes longer by the share `sharing` for each answer beside its own."""
        self._sharing = sharing
        self.speeches: set[Speech] = set()

    def gap(self, gap: int) -> int:
        """What a step takes now that takes `gap` alone."""
        if not self._sharing:
            return gap
        streams = sum(one.decoding() for one in self.speeches)
        return round(gap * (1 + self._sharing * max(0, streams - 1)))


class Speech:
    """The tokens of one answer, one send each, with the moment of each send."""

    def __init__(
        self,
        client: Client,
        token: Callable[[int], bytes],
        tokens: int,
        *,
        first: int,
        gap: int,
        sends: list[int],
        crowd: Crowd,
        pause: int = 0,
    ) -> None:
        """`token` gives the bytes of each number; the first is due at `first`; the moments go into `sends`.

        The second half of the answer comes later by `pause`.
        """
        self._client = client
        self._token = token
        self._left = tokens
        self._due = self._first = first
        self._gap = gap
        self._sends = sends
        self._crowd = crowd
        self._pause, self._half = pause, tokens // 2
        self._said = asyncio.get_running_loop().create_future()

    async def in_rhythm(self, rhythm: Rhythm) -> int:
        """Until the last token was sent; when the first one was due."""
        self._rhythm, self._held = rhythm, rhythm.held
        if not self._left:
            await rhythm.passing(self._due - now())
            return self._first
        self._crowd.speeches.add(self)
        rhythm.at(self._due, self._tick)
        try:
            await self._said
        finally:
            self._left = 0
            self._crowd.speeches.discard(self)
        return self._first

    def decoding(self) -> bool:
        """Whether its first token is due, and its last was not sent."""
        return self._left > 0 and (bool(self._sends) or self._catch_up() <= now())

    def _tick(self) -> int | None:
        if not self._left:
            return None  # whoever waited for it has gone
        stamp = self._client.hand(self._token(len(self._sends)))
        if stamp is None:
            self._client.when_room(self._go_on)
            return None
        if not self._sends:
            self._first = self._catch_up()
        # Absolute, so that lateness does not add up; without a gap the streams take turns.
        gap = self._crowd.gap(self._gap)
        self._due = self._catch_up() + gap if gap else stamp
        self._sends.append(stamp)
        self._left -= 1
        if not self._left:
            self._said.set_result(None)
            return None
        if len(self._sends) == self._half:
            self._due += self._pause
        return self._due

    def _catch_up(self) -> int:
        """When its next token is due, the time for which all was held included."""
        self._due += self._rhythm.held - self._held
        self._held = self._rhythm.held
        return self._due

    def _go_on(self) -> None:
        self._rhythm.at(now(), self._tick)


def exact_loop() -> asyncio.AbstractEventLoop:
    """An event loop for a process of its own, in which a timer fires when it is due and not at the next millisecond."""
    if sys.platform != "linux":
        return asyncio.SelectorEventLoop()  # kqueue and select take microseconds
    with suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text(
            "1", encoding="ascii"
        )  # Linux may else wake us 50 us late
    return asyncio.SelectorEventLoop(_Exact())


if sys.platform == "linux":

    class _Exact(selectors.EpollSelector):
        """epoll counts in milliseconds, select in microseconds; and an epoll descriptor can be selected."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None or timeout <= 0:
                return super().select(timeout)
            select.select([self.fileno()], [], [], timeout)
            return super().select(0)
