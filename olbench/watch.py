"""The watch: a thread that reads all probes beat by beat, beside whatever is being measured."""

import threading
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from olbench import clock
from olbench.ports import Probe
from olbench.readings import Readings, Series

STUCK = 10_000_000_000  # ns after which a probe that does not answer is given up
COST = "watch.cost"
LATE = "watch.late"

Values = Mapping[str, tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Beat:
    """A moment to read. `missed` beats before it were left out, because the reading before them took too long."""

    due_ns: int
    missed: int


def beats(period_ns: int, now: Callable[[], int], wait: Callable[[int], bool]) -> Iterator[Beat]:
    """The moments of an absolute schedule, until `wait(ns)`, which sleeps so long, says that it is over.

    A beat that comes late is still read, but never two for one moment: what is past by a whole period is missed.
    """
    due, missed = now(), 0
    while not wait(max(0, due - now())):
        yield Beat(due, missed)
        due += period_ns
        missed = max(0, now() - due) // period_ns
        due += missed * period_ns


class Columns:
    """Readings as they come in: one thread adds, any thread asks."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._series: dict[str, Series] = {}
        self._latest: dict[str, tuple[float, str]] = {}

    def add(self, t_ns: int, values: Values) -> None:
        """One row for each of `values`."""
        with self._lock:
            self._latest.update(values)
            for name, (value, unit) in values.items():
                series = self._series.get(name)
                if series is None:
                    series = self._series[name] = Series(name, unit, array("q"), array("d"))
                series.t_ns.append(t_ns)
                series.values.append(value)

    def cut(self) -> tuple[Series, ...]:
        """What came in since the last cut, by name."""
        with self._lock:
            taken, self._series = self._series, {}
        return tuple(taken[name] for name in sorted(taken))

    def latest(self) -> dict[str, tuple[float, str]]:
        """The last value and the unit of each series that ever came in."""
        with self._lock:
            return dict(self._latest)


@dataclass(slots=True)
class _Round:
    """The probes of one thread, and which of them is being read since when."""

    probes: Sequence[Probe]
    over: threading.Event = field(default_factory=threading.Event)
    given_up: bool = False  # another thread reads by now: what it still brings comes too late
    reading: tuple[Probe, int] | None = None


class Watch:
    """Reads `probes` about `hz` times a second between `start` and `stop`. The probes stay their owner's to close.

    Beside the probes' series there are "watch.cost", the CPU seconds that a beat took, and "watch.late", the number
    of beats left out before this one, with a row only where there were any.
    """

    def __init__(
        self,
        probes: Sequence[Probe],
        hz: float = 10.0,
        *,
        now: Callable[[], int] = clock.now,
        cost: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        """Take note; nothing is read before `start`."""
        self._probes = tuple(probes)
        self._period = round(1e9 / hz)
        self._now = now
        self._cost = cost
        self._columns = Columns()
        self._names: dict[int, set[str]] = {id(one): set() for one in self._probes}
        self._reasons: dict[str, str] = {}
        self._given_up: dict[str, str] = {}
        self._round: _Round | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Begin to read; when it runs already, nothing changes."""
        if self._round is None:
            self._begin(self._probes)

    def stop(self) -> Readings:
        """End the thread; what came in since the last cut. May be called twice."""
        self._give_up_stuck()
        running, self._round = self._round, None
        if running is not None and self._thread is not None:
            running.over.set()
            self._thread.join(STUCK / 1e9)
        return self.cut()

    def cut(self) -> Readings:
        """What came in since the last cut, without an end to the reading; reasons for what gave no row."""
        self._give_up_stuck()
        series = self._columns.cut()
        seen = {one.name for one in series}
        reasons = {**self._reasons, **self._given_up}
        return Readings(series, tuple(sorted(pair for pair in reasons.items() if pair[0] not in seen)))

    def latest(self) -> Mapping[str, tuple[float, str]]:
        """The last value and the unit of each series, for a view that is live."""
        self._give_up_stuck()
        return self._columns.latest()

    def read(self, missed: int = 0) -> None:
        """One beat in the thread that calls, for when nothing else reads."""
        self._beat(_Round(self._probes), missed)

    def _begin(self, probes: Sequence[Probe]) -> None:
        fresh = _Round(probes)
        self._round = fresh
        self._thread = threading.Thread(target=self._run, args=(fresh,), name="olbench-watch", daemon=True)
        self._thread.start()

    def _run(self, running: _Round) -> None:
        for beat in beats(self._period, self._now, lambda ns: running.over.wait(ns / 1e9)):
            self._beat(running, beat.missed)

    def _beat(self, running: _Round, missed: int) -> None:
        began, before = self._now(), self._cost()
        reasons: dict[str, str] = {}
        for probe in running.probes:
            reasons |= self._read(running, probe)
            if running.given_up:
                return
        self._reasons = reasons
        late = {LATE: (float(missed), "count")} if missed else {}
        self._columns.add(began, {COST: ((self._cost() - before) / 1e9, "s"), **late})

    def _read(self, running: _Round, probe: Probe) -> Mapping[str, str]:
        """One probe's rows into the columns; its reasons."""
        began = self._now()
        running.reading = (probe, began)
        try:
            values, reasons = probe.read(), probe.absent()
        except Exception as exc:  # noqa: BLE001 - a fault in one probe must not end the others' readings
            return self._of(probe, f"the probe {type(probe).__name__} failed: {exc!r}")
        finally:
            running.reading = None
        if not running.given_up:
            self._names[id(probe)].update(values)
            self._columns.add(began, values)
        return reasons

    def _of(self, probe: Probe, reason: str) -> dict[str, str]:
        """`reason` for each series that the probe ever gave, or for the probe itself when it gave none."""
        return dict.fromkeys(self._names[id(probe)] or {type(probe).__name__}, reason)

    def _give_up_stuck(self) -> None:
        """When a probe does not answer, leave its thread to itself and read the others in a new one."""
        running = self._round
        reading = None if running is None else running.reading
        if running is None or reading is None or self._now() - reading[1] < STUCK:
            return
        probe = reading[0]
        running.given_up = True
        running.over.set()
        self._given_up |= self._of(probe, f"the probe {type(probe).__name__} did not answer and was given up")
        self._begin([one for one in running.probes if one is not probe])
