"""What makes a visit unfit: each gate at its bar, and none where nothing can be looked at."""

from random import Random
from time import perf_counter
from typing import Any

import pytest
from records import cell, observation, placement, readings, sample, series

from olbench.gates import BEATS, GATES, SLOWED, tripped, window
from olbench.gist import Told, gist
from olbench.model import Facts, Observation
from olbench.readings import Series
from olbench.thresholds import limits
from olbench.validity import CHECKS

FINE = cell()
GIB = 2.0**30
# Measured from 1 to 3.24 s.
SAMPLES = (sample(), sample(index=1, sent_s=3.0))


def seen(*found: Series, **changes: Any) -> Observation:
    return observation(FINE, SAMPLES, **({"readings": readings(*found)} | changes))


def trips(of: Observation, facts: Facts | None = None, **bars: float) -> list[tuple[str, str]]:
    return [(one.gate, one.sentence) for one in tripped(of, {**limits({}), **bars}, facts or {})]


def beats(name: str, *values: float) -> Series:
    """One beat a second from 0 s on: four lie in the measured time."""
    return series(name, values)


def test_a_visit_of_which_nothing_is_known_passes_all_gates() -> None:
    assert trips(seen()) == []
    assert trips(observation(FINE, placement=None, measured_ns=None, problem="refused")) == []


# --- readings -------------------------------------------------------------------------------------------------

READ = [
    ("other load", [beats("host.other_cpu", 1.25, 1.25)], {}, "other programs kept 1.25 cores busy"),
    ("other load", [beats("host.other_cpu", 0.5, 0.5)], {}, None),
    # Before and after the measured time anything may have run.
    ("other load", [beats("host.other_cpu", 8.0, 0.0, 0.0, 0.0, 0.0, 8.0)], {}, None),
    # By trapezoids: half of the time at 0.6 and half at 1.2. The mean of the beats would have been 0.8.
    (
        "other load",
        [series("host.other_cpu", [0.0, 1.2, 1.2], start_s=1.0, every_s=1.12)],
        {},
        "other programs kept 0.90 cores busy",
    ),
    (
        "withheld CPU",
        [beats("host.steal", 0.3, 0.3)],
        {"cpu.threads": 2},
        "the host of this virtual machine withheld 0.30 of 2 cores",
    ),
    (
        "withheld CPU",
        [beats("host.steal", 0.3, 0.3)],
        {},
        "the host of this virtual machine withheld 0.30 cores",
    ),
    # Both bars must be passed: a tenth of a core, and a twentieth of all.
    ("withheld CPU", [beats("host.steal", 0.3, 0.3)], {"cpu.threads": 8}, None),
    ("withheld CPU", [beats("host.steal", 0.1, 0.1)], {"cpu.threads": 1}, None),
    ("swap", [beats("host.swap_used", 0.0, 2.0**27)], {}, "swap grew by 128 MiB"),
    ("swap", [beats("host.swap_used", 2.0**27, 0.0)], {}, None),
    (
        "memory pressure",
        [beats("host.memory_pressure", 0.12, 0.12)],
        {},
        "programs stood still for want of memory for 12 % of the time",
    ),
    ("memory pressure", [beats("host.memory_pressure", 0.05, 0.05)], {}, None),
    # What lacks memory is this machine, not the server's.
    ("memory pressure", [beats("host.memory_pressure", 0.5, 0.5)], {"server.local": False}, None),
    (
        "foreign GPU programs",
        [beats("gpu1.foreign", 3 * GIB, 3 * GIB), beats("gpu1.server", GIB, GIB)],
        {},
        "other programs held 3.00 GiB of the memory of GPU 1",
    ),
    ("foreign GPU programs", [beats("gpu0.foreign", GIB, GIB), beats("gpu0.server", GIB, GIB)], {}, None),
    # The server computes elsewhere: on the CPU, or on another GPU.
    (
        "foreign GPU programs",
        [beats("gpu0.foreign", 3 * GIB, 3 * GIB), beats("gpu0.server", 0.0, 0.0)],
        {},
        None,
    ),
    (
        "GPU held back",
        [beats("gpu0.throttle", 0.0, 0x20, 0x24, 0x4)],
        {},
        "heat or the power supply held GPU 0 back for 67 % of the time",
    ),
    ("GPU held back", [beats("gpu0.throttle", 4.0, 4.0, 4.0, 4.0)], {}, None),
    ("battery", [], {}, None),
]


@pytest.mark.parametrize(("gate", "found", "facts", "sentence"), READ)
def test_a_reading_above_its_bar_trips_its_gate_alone(
    gate: str, found: list[Series], facts: Facts, sentence: str | None
) -> None:
    assert trips(seen(*found), facts) == ([] if sentence is None else [(gate, sentence)])


def test_a_scenario_may_move_a_bar() -> None:
    of = seen(beats("host.other_cpu", 1.25, 1.25))
    assert trips(of, other_cores=1.2) == [("other load", "other programs kept 1.25 cores busy")]
    assert trips(of, other_cores=1.3) == []


# --- clocks ---------------------------------------------------------------------------------------------------


def clock(name: str, *values: float) -> Series:
    """A beat every 0.4 s from 1 s on: all six lie in the measured time."""
    return series(name, [one * 1e9 for one in values], "Hz", start_s=1.0, every_s=0.4)


BUSY_CPU, IDLE_CPU = beats("server.cpu", 2.0, 2.0, 2.0, 2.0), beats("server.cpu", 0.3, 0.3, 0.3, 0.3)
BUSY_GPU, IDLE_GPU = beats("gpu0.util", 0.9, 0.9, 0.9, 0.9), beats("gpu0.util", 0.1, 0.1, 0.1, 0.1)
CLOCKS = [
    (
        "processor clock",
        [clock("cpu.clock", 4.2, 4.0, 3.6, 3.4, 3.1, 3.1), BUSY_CPU],
        "the processor's clock fell from 4.10 GHz to 3.10 GHz",
    ),
    ("processor clock", [clock("cpu.clock", 4.0, 4.0, 3.6, 3.6, 3.41, 3.41), BUSY_CPU], None),
    ("processor clock", [clock("cpu.clock", 3.0, 3.0, 3.6, 3.6, 4.2, 4.2), BUSY_CPU], None),
    # Nobody computes on it, or nobody knows.
    ("processor clock", [clock("cpu.clock", 4.0, 4.0, 3.6, 3.4, 1.0, 1.0), IDLE_CPU], None),
    ("processor clock", [clock("cpu.clock", 4.0, 4.0, 3.6, 3.4, 1.0, 1.0)], None),
    # Five beats: a third is one, and one beat is no clock.
    ("processor clock", [clock("cpu.clock", 4.0, 4.0, 3.4, 1.0, 1.0), BUSY_CPU], None),
    (
        "GPU clock",
        [clock("gpu0.sm_clock", 1.98, 1.98, 1.9, 1.7, 1.41, 1.41), BUSY_GPU],
        "the clock of GPU 0 fell from 1.98 GHz to 1.41 GHz",
    ),
    (
        "GPU clock",
        [clock("gpu0.mem_clock", 10.5, 10.5, 9.5, 9.5, 5.0, 5.0), BUSY_GPU],
        "the memory clock of GPU 0 fell from 10.5 GHz to 5.00 GHz",
    ),
    ("GPU clock", [clock("gpu0.sm_clock", 1.98, 1.98, 1.9, 1.7, 0.2, 0.2), IDLE_GPU], None),
    # Busy for somebody else.
    (
        "GPU clock",
        [clock("gpu0.sm_clock", 1.98, 1.98, 1.9, 1.7, 0.2, 0.2), BUSY_GPU, beats("gpu0.server", 0.0, 0.0)],
        None,
    ),
]


@pytest.mark.parametrize(("gate", "found", "sentence"), CLOCKS)
def test_a_clock_that_falls_under_load_trips_its_gate(
    gate: str, found: list[Series], sentence: str | None
) -> None:
    assert BEATS == 2
    assert trips(seen(*found), {"cpu.threads": 4}) == ([] if sentence is None else [(gate, sentence)])


# --- power ----------------------------------------------------------------------------------------------------

NAME = "gpu0.power_limit"
LIMITS = [
    ([350.0, 350.0], {NAME: 350.0}, {NAME: 350.0, "gpu0.power_default": 350.0}, []),
    ([350.0, 350.0], {}, {}, []),
    (
        [250.0, 250.0],
        {NAME: 250.0},
        {NAME: 250.0, "gpu0.power_default": 350.0},
        ["GPU 0 might take 250 W, its usual limit is 350 W"],
    ),
    # A little below is a maker's rounding.
    ([340.0, 340.0], {}, {NAME: 340.0, "gpu0.power_default": 350.0}, []),
    ([350.0, 350.0], {}, {NAME: 450.0}, ["the power limit of GPU 0 went from 450 W to 350 W"]),
    ([350.0, 300.0], {}, {}, ["the power limit of GPU 0 went from 350 W to 300 W"]),
    ([350.0, 350.0], {NAME: 300.0}, {NAME: 350.0}, ["the power limit of GPU 0 went from 350 W to 300 W"]),
    ([], {NAME: 300.0}, {NAME: 350.0}, ["the power limit of GPU 0 went from 350 W to 300 W"]),
    ([], {NAME: None}, {NAME: 350.0}, []),
]


@pytest.mark.parametrize(("read", "at_end", "at_start", "sentences"), LIMITS)
def test_a_power_limit_that_is_low_or_was_moved_trips_the_gate(
    read: list[float], at_end: Facts, at_start: Facts, sentences: list[str]
) -> None:
    of = seen(BUSY_GPU, series(NAME, read, "W"), facts=at_end)
    assert trips(of, at_start) == [("GPU power limit", one) for one in sentences]
    assert trips(seen(IDLE_GPU, series(NAME, read, "W"), facts=at_end), at_start) == []


POWER = [
    ({"power.source": "battery"}, {}, [("battery", "the machine ran on battery")]),
    ({"power.source": "mains"}, {}, []),
    (
        {"power.source": "mains", "power.source.before": "battery"},
        {},
        [("battery", "the machine ran on battery")],
    ),
    ({"power.source": "battery"}, {"server.local": False}, []),
    (
        {"cpu.governor": "powersave", "cpu.governor.before": "performance"},
        {"cpu.governor": "performance"},
        [("power settings", "the processor's governor went from performance to powersave")],
    ),
    (
        {"power.profile": "low-power"},
        {"power.profile": "balanced"},
        [("power settings", "the power profile went from balanced to low-power")],
    ),
    ({"power.profile": "balanced", "cpu.governor": None}, {"power.profile": "balanced"}, []),
]


@pytest.mark.parametrize(("at_end", "at_start", "expected"), POWER)
def test_how_the_machine_is_fed_is_a_gate(
    at_end: Facts, at_start: Facts, expected: list[tuple[str, str]]
) -> None:
    assert trips(seen(facts=at_end), at_start) == expected


# --- what was replaced ----------------------------------------------------------------------------------------

REPLACED = [
    ({"version": "0.34.0", "version_after": "0.34.0"}, []),
    ({"version": "0.34.0", "version_after": None}, []),
    (
        {"version": "0.34.0", "version_after": "0.34.1"},
        [("server", "the server went from version 0.34.0 to 0.34.1")],
    ),
    (
        {
            "facts": {
                "server.pid": 9,
                "server.pid.before": 7,
                "server.started": 2.0,
                "server.started.before": 1.0,
            }
        },
        [("server", "the server was started again")],
    ),
    # In a container the new one may have the old one's number.
    (
        {"facts": {"server.pid": 7, "server.started": 2.0, "server.started.before": 1.0}},
        [("server", "the server was started again")],
    ),
    ({"after": placement()}, []),
    ({"after": placement(runner_pid=None, digest=None, context_length=None, size_vram=None)}, []),
    (
        {"after": placement(runner_pid=4712)},
        [("runner", "the model was loaded again (process 4711, then 4712)")],
    ),
    (
        {"after": placement(digest="f" * 64)},
        [("model", "the model was replaced (0123456789ab became ffffffffffff)")],
    ),
    (
        {"after": placement(context_length=1024)},
        [("model", "the context went from 2048 to 1024 tokens")],
    ),
    (
        {"placement": placement(size=100, size_vram=100), "after": placement(size=100, size_vram=63)},
        [("model", "the share of the model in GPU memory went from 100 % to 63 %")],
    ),
    (
        {"placement": placement(others=("a:1b",)), "after": placement(others=("a:1b", "b:7b"))},
        [("other models", "other models were in memory: a:1b, b:7b")],
    ),
    ({"after": placement(others=("b:7b",))}, [("other models", "other models were in memory: b:7b")]),
]


@pytest.mark.parametrize(("changes", "expected"), REPLACED)
def test_what_is_replaced_in_mid_visit_trips_its_gate(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert trips(seen(**({"placement": placement()} | changes))) == expected


# --- gates and checks -----------------------------------------------------------------------------------------

BARS = {"host.other_cpu": 0.5, "host.steal": 0.1, "host.swap_used": 2.0**25, "gpu0.throttle": 0.1}


def _random(random: Random) -> Observation:
    """A visit with uneven beats whose figures lie around their bars, and some samples that failed."""
    samples = [
        sample(
            index=index,
            sent_s=random.uniform(1, 6),
            late_s=0.3,
            gap_s=random.uniform(0.001, 0.1),
            outcome=random.choice(("ok", "ok", "short", "stalled")),
            phase=random.choice(("measured", "measured", "warmup")),
        )
        for index in range(4)
    ]
    found = []
    for name, bar in BARS.items():
        values = [random.expovariate(1 / bar) for _ in range(random.randint(1, 40))]
        if name == "gpu0.throttle":
            values = [float(random.choice((0, 0, 0, 4, SLOWED & random.getrandbits(8)))) for _ in values]
        found.append(series(name, values, start_s=random.uniform(0, 9), every_s=random.uniform(0.01, 0.5)))
    return observation(FINE, samples, readings=readings(*found))


def test_gates_and_the_checks_of_a_cell_say_the_same_of_a_visit() -> None:
    random = Random(4)
    facts: Facts = {"cpu.threads": 2}
    said = {name: {True: 0, False: 0} for name in ("other load", "withheld CPU", "swap", "GPU held back")}
    for _ in range(400):
        told = Told(FINE, 1, (gist(_random(random), facts=facts),), threads=2, facts=facts)
        gates = {trip.gate for trip in told.gists[0].trips}
        for name, counts in said.items():
            flagged = bool(CHECKS[name].flags(told))
            assert (name in gates) == flagged, name
            counts[flagged] += 1
    assert all(min(counts.values()) > 40 for counts in said.values()), said


def test_gates_look_at_the_time_that_figures_are_of() -> None:
    random = Random(5)
    for _ in range(50):
        of = _random(random)
        mean = gist(of).columns["cpu_other"].numbers
        found = trips(of, other_cores=-1.0)
        expected = [f"other programs kept {one:.2f} cores busy" for one in mean]
        assert [sentence for gate, sentence in found if gate == "other load"] == expected
        assert len(mean) == 0 or window(of) is not None


def test_every_gate_of_the_table_is_tried_here() -> None:
    tried = {
        *(gate for gate, *_ in READ),
        *(gate for gate, *_ in CLOCKS),
        *(gate for _, _, expected in POWER for gate, _ in expected),
        *(gate for _, expected in REPLACED for gate, _ in expected),
        "GPU power limit",
    }
    assert tried == set(GATES)


def test_gates_are_quick_for_a_long_visit_on_a_large_machine() -> None:
    samples = [sample(index=index, sent_s=1.0 + index) for index in range(100)]
    host = ("other_cpu", "steal", "swap_used", "memory_pressure")
    gpu = ("foreign", "server", "util", "throttle", "sm_clock", "mem_clock", "power_limit")
    names = [*(f"host.{one}" for one in host), *(f"gpu{card}.{one}" for card in range(8) for one in gpu)]
    of = observation(
        FINE, samples, readings=readings(*(series(name, [0.3] * 1000, every_s=0.1) for name in names))
    )
    bars, least = limits({}), 1.0
    for _ in range(5):
        began = perf_counter()
        tripped(of, bars, {"cpu.threads": 64})
        least = min(least, perf_counter() - began)
    assert least < 0.02  # four times what is meant, for a machine that does other things
