"""The limits of many exchanges under one timer: a timer for each would cost more than sending does."""

import asyncio
from typing import Protocol

from olbench.clock import now

NEVER_NS = 1 << 62


class Limited(Protocol):
    """Something that has a limit."""

    def look(self, at_ns: int) -> int:
        """Give up if a limit has passed at that moment; when to look again, NEVER_NS if not."""
        ...


class Patience:
    """Looks after all that is watched when the first limit of any may have passed."""

    __slots__ = ("_due", "_timer", "_watched")

    def __init__(self) -> None:
        """Nothing is watched."""
        self._watched: set[Limited] = set()
        self._due = NEVER_NS
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, one: Limited, due_ns: int) -> None:
        """Look at `one` when `now()` says `due_ns`, and on from there until it is forgotten."""
        self._watched.add(one)
        if due_ns < self._due:
            self._set(due_ns)

    def forget(self, one: Limited) -> None:
        """Look at it no more."""
        self._watched.discard(one)

    def end(self) -> None:
        """Look at nothing any more."""
        self._watched.clear()
        self._set(NEVER_NS)

    def _set(self, due_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._due = None, due_ns
        if due_ns < NEVER_NS:
            wait = max(0, due_ns - now()) / 1e9
            self._timer = asyncio.get_running_loop().call_later(wait, self._look)

    def _look(self) -> None:
        at = now()
        self._due = NEVER_NS  # what is watched anew meanwhile sets its own
        soonest = min([one.look(at) for one in tuple(self._watched)], default=NEVER_NS)
        if soonest < self._due:
            self._set(soonest)
