"""How late the event loop of the run is: what it says is what any coroutine in it would have waited."""

from collections.abc import Callable, Mapping
from typing import Protocol

from olbench.clock import now
from olbench.model import Fact

LAG = "client.loop_lag"


class Loop(Protocol):
    """As much of an event loop as the probe needs."""

    def call_soon_threadsafe(self, callback: Callable[[int], object], posted_ns: int, /) -> object:
        """Call back as soon as the loop comes to it."""
        ...


class LoopLag:
    """The probe of the run's own event loop: each beat posts a question, and a later one reads how late it was met.

    There is one question at a time, so a loop that stands still is asked once, and answers with all of its delay.
    """

    def __init__(self, loop: Loop, *, now: Callable[[], int] = now) -> None:
        """Ask `loop`."""
        self._loop = loop
        self._now = now
        self._asked = False
        self._lag_ns: int | None = None  # the answer that nobody has read yet

    def absent(self) -> Mapping[str, str]:
        """Nothing: where there is a loop there is an answer."""
        return {}

    def read(self) -> Mapping[str, tuple[float, str]]:
        """The lag that the last question met; nothing while it is unanswered."""
        if self._asked:
            return {}
        lag_ns, self._lag_ns = self._lag_ns, None
        self._asked = True
        try:
            self._loop.call_soon_threadsafe(self._met, self._now())
        except RuntimeError:
            self._asked = False  # the loop is closed: the run is over
        return {} if lag_ns is None else {LAG: (lag_ns / 1e9, "s")}

    def facts(self) -> Mapping[str, Fact]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing is held."""

    def _met(self, posted_ns: int) -> None:
        self._lag_ns = self._now() - posted_ns
        self._asked = False
