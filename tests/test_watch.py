"""The watch: its beats in made-up time, its columns, and what it does with probes that fail."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import pytest

from olbench.clock import now
from olbench.ports import Probe
from olbench.readings import Readings
from olbench.watch import STUCK, Beat, Watch, beats

Values = Mapping[str, tuple[float, str]]
SECOND = 10**9


class Clock:
    """Time that passes when somebody waits, or when it is told to."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns

    def wait(self, ns: int) -> bool:
        self.ns += ns
        return self.ns >= 10 * SECOND


class Scripted:
    """A probe that gives what it was told to give; a script entry that is an exception is raised."""

    def __init__(self, *script: Values | Exception, absent: Mapping[str, str] | None = None) -> None:
        self._script = iter(script)
        self._absent = absent or {}

    def absent(self) -> Mapping[str, str]:
        return self._absent

    def read(self) -> Values:
        values = next(self._script)
        if isinstance(values, Exception):
            raise values
        return values

    def facts(self) -> Mapping[str, None]:
        return {}

    def close(self) -> None:
        pass


def _rows(readings: Readings, name: str) -> list[tuple[int, float]]:
    series = readings.get(name)
    return [] if series is None else list(zip(series.t_ns, series.values, strict=True))


# --- beats ----------------------------------------------------------------------------------------------------


def _taken(costs: Mapping[int, int]) -> Iterator[tuple[int, Beat]]:
    """Every beat of ten seconds at 1 Hz and the moment of its reading, which takes `costs[number]`, else nothing."""
    clock = Clock()
    for number, beat in enumerate(beats(SECOND, clock, clock.wait)):
        yield clock.ns, beat
        clock.ns += costs.get(number, 0)


def test_beats_keep_an_absolute_schedule_however_long_a_reading_takes() -> None:
    taken = list(_taken(dict.fromkeys(range(10), SECOND // 3)))
    assert [moment for moment, _ in taken] == [number * SECOND for number in range(10)]
    assert all(beat == Beat(moment, 0) for moment, beat in taken)


@pytest.mark.parametrize(
    ("cost", "moments", "missed"),
    [
        # Beat 1 ends at 1.9 s: the next one is in time.
        (0.9, [0.0, 1.0, 2.0, 3.0], [0, 0, 0, 0]),
        # It ends at 2.4 s: the beat of 2 s is read late, the one of 3 s in time again.
        (1.4, [0.0, 1.0, 2.4, 3.0], [0, 0, 0, 0]),
        # It ends at 4.4 s: those of 2 s and 3 s are missed, the one of 4 s is read late.
        (3.4, [0.0, 1.0, 4.4, 5.0], [0, 0, 2, 0]),
    ],
)
def test_a_slow_reading_makes_beats_late_or_missed_but_never_doubled(
    cost: float, moments: list[float], missed: list[int]
) -> None:
    taken = list(_taken({1: round(cost * SECOND)}))[:4]
    assert [moment / SECOND for moment, _ in taken] == moments
    assert [beat.missed for _, beat in taken] == missed


# --- columns --------------------------------------------------------------------------------------------------


def _watch(*probes: Scripted, clock: Clock | None = None, cost: Callable[[], int] = lambda: 0) -> Watch:
    return Watch([cast("Probe", one) for one in probes], now=clock or Clock(), cost=cost)


def test_readings_are_columns_with_the_moment_of_each_probe() -> None:
    clock = Clock()
    watch = _watch(Scripted({"a": (1.0, "B")}, {"a": (2.0, "B"), "b": (0.5, "share")}), clock=clock)
    watch.read()
    clock.ns = 7
    watch.read()
    readings = watch.cut()
    assert _rows(readings, "a") == [(0, 1.0), (7, 2.0)]
    assert _rows(readings, "b") == [(7, 0.5)]
    assert [(one.name, one.unit) for one in readings.series] == [
        ("a", "B"),
        ("b", "share"),
        ("watch.cost", "s"),
    ]


def test_a_cut_takes_what_came_since_the_last_one() -> None:
    watch = _watch(Scripted({"a": (1.0, "B")}, {"a": (2.0, "B")}))
    watch.read()
    first = watch.cut()
    watch.read()
    second = watch.cut()
    assert [value for _, value in _rows(first, "a") + _rows(second, "a")] == [1.0, 2.0]
    assert watch.cut().series == ()


def test_the_latest_value_of_each_series_outlives_a_cut() -> None:
    watch = _watch(Scripted({"a": (1.0, "B"), "b": (3.0, "W")}, {"a": (2.0, "B")}))
    watch.read()
    watch.cut()
    watch.read()
    assert {name: watch.latest()[name] for name in "ab"} == {"a": (2.0, "B"), "b": (3.0, "W")}


def test_the_watch_tells_what_it_costs_and_what_it_missed() -> None:
    spent = iter([0, 2_000_000, 5_000_000, 5_500_000])
    watch = _watch(Scripted({}, {}), cost=lambda: next(spent))
    watch.read()
    watch.read(missed=3)
    readings = watch.cut()
    assert [value for _, value in _rows(readings, "watch.cost")] == pytest.approx([0.002, 0.0005])
    assert [value for _, value in _rows(readings, "watch.late")] == [3.0]


def test_a_reason_stands_only_where_no_row_does_and_the_later_probes_goes_first() -> None:
    one = Scripted({"a": (1.0, "B")}, absent={"a": "sometimes", "b": "no driver", "c": "no driver"})
    other = Scripted({}, absent={"c": "another driver does not say"})
    watch = _watch(one, other)
    watch.read()
    assert watch.cut().absent == (("b", "no driver"), ("c", "another driver does not say"))


# --- probes that fail -----------------------------------------------------------------------------------------


def test_a_probe_that_raises_becomes_a_reason_and_the_others_go_on() -> None:
    faulty = Scripted({"a": (1.0, "B")}, ValueError("odd file"), {"a": (3.0, "B")})
    watch = _watch(faulty, Scripted({"b": (1.0, "B")}, {"b": (2.0, "B")}, {"b": (3.0, "B")}))
    watch.read()
    watch.cut()
    watch.read()
    readings = watch.cut()
    assert readings.absent == (("a", "the probe Scripted failed: ValueError('odd file')"),)
    assert [value for _, value in _rows(readings, "b")] == [2.0]
    watch.read()
    assert watch.cut().absent == ()


def test_a_probe_that_never_gave_anything_is_told_by_its_name() -> None:
    watch = _watch(Scripted(OSError("gone")))
    watch.read()
    assert watch.cut().absent == (("Scripted", "the probe Scripted failed: OSError('gone')"),)


class Ticking:
    """A probe that lets one wait for its readings; its reading number `hangs` does not end before `go` is set."""

    def __init__(self, name: str, *, hangs: int = 0) -> None:
        self.name, self.hangs, self.go = name, hangs, threading.Event()
        self.begun = threading.Semaphore(0)
        self.count = 0

    def absent(self) -> Mapping[str, str]:
        return {}

    def read(self) -> Values:
        self.count += 1
        self.begun.release()
        if self.count == self.hangs:
            self.go.wait(20)
        return {self.name: (float(self.count), "count")}

    def facts(self) -> Mapping[str, None]:
        return {}

    def close(self) -> None:
        pass

    def beat(self, times: int = 1) -> None:
        """Wait for so many more readings."""
        for _ in range(times):
            assert self.begun.acquire(timeout=10)


def test_a_thread_reads_until_it_is_stopped() -> None:
    probe = Ticking("a")
    watch = Watch([probe], hz=200)
    watch.start()
    watch.start()
    probe.beat(3)
    readings = watch.stop()
    assert [value for _, value in _rows(readings, "a")] == [float(one) for one in range(1, probe.count + 1)]
    assert probe.count >= 3
    assert watch.stop().series == ()


def test_a_watch_that_is_left_ends_its_thread() -> None:
    probe = Ticking("a")
    with Watch([probe], hz=200):
        probe.beat()
    assert "olbench-watch" not in {one.name for one in threading.enumerate()}


def test_a_probe_that_hangs_is_given_up_and_the_others_are_read_on() -> None:
    later = [0]
    good, bad = Ticking("good"), Ticking("bad", hangs=2)
    watch = Watch([good, bad], hz=200, now=lambda: now() + later[0])
    watch.start()
    bad.beat(2)
    watch.cut()
    later[0] = STUCK
    watch.cut()
    good.beat(5)  # two before the other hung, three since
    readings = watch.stop()
    assert readings.absent == (("bad", "the probe Ticking did not answer and was given up"),)
    assert _rows(readings, "good")
    bad.go.set()
