"""RAM and CPU of a server, over processes with hand-made numbers."""

from collections.abc import Callable
from typing import cast

import pytest

from olbench.probes import for_server
from olbench.probes.accounts import Account, Memory, Private, Space, Ticks
from olbench.probes.host import PRESSURE_EVERY, RATE_EVERY, UNSHARED_COST, UNSHARED_EVERY, Host
from olbench.probes.processes import Tree
from olbench.probes.runner import Runner
from olbench.probes.sums import Totals, rates, resident, unshared

MS = 1_000_000
SERVER, RUNNER = 10, 11


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


class Family:
    """A tree of processes; `look` finds what `next` holds by then."""

    def __init__(self, *pids: int, reason: str = "", elsewhere: bool = False) -> None:
        self.now, self.next = pids, pids
        self.reason, self.elsewhere, self.root, self.looks = reason, elsewhere, None, 0

    def pids(self) -> tuple[int, ...]:
        return self.now

    def runners(self) -> tuple[Runner, ...]:
        return tuple(Runner(pid, "m", {}, "") for pid in self.now[1:])

    def look(self) -> None:
        self.now = self.next
        self.looks += 1


class Person:
    """A process with made numbers; `memory` None: it has ended."""

    def __init__(self, memory: Memory | None, private: Private | None = None) -> None:
        self.held, self.own, self.seconds, self.closed = memory, private, 0.0, False
        self.looked: Callable[[], None] = lambda: None

    def memory(self) -> Memory | None:
        return self.held

    def cpu(self) -> float | None:
        return self.seconds

    def private(self) -> Private | None:
        self.looked()
        return self.own

    def close(self) -> None:
        self.closed = True


class Whole:
    """A machine with made numbers."""

    def __init__(self) -> None:
        self.busy = 0.0
        self.stood_still: float | None = 0.0

    def ticks(self) -> Ticks:
        return Ticks(self.busy, None, None, None)

    def space(self) -> Space:
        return Space(8e9, None)

    def waited(self) -> float | None:
        return self.stood_still

    def close(self) -> None:
        pass


class Scene:
    """A Host over made processes."""

    def __init__(self, family: Family, people: dict[int, Person]) -> None:
        self.family, self.people, self.clock, self.whole, self.client = family, people, Clock(), Whole(), 0.0
        self.host = Host(
            cast("Tree", family),
            now=self.clock,
            client=lambda: self.client,
            whole=lambda: self.whole,
            single=lambda pid: cast("Account | None", people.get(pid)),
        )

    def read(self) -> dict[str, float]:
        return {name: value for name, (value, _) in self.host.read().items()}


@pytest.fixture
def scene() -> Scene:
    people = {
        SERVER: Person(Memory(100.0, 60.0, 40.0), Private(50.0, 70.0)),
        RUNNER: Person(Memory(1000.0, 200.0, 800.0), Private(900.0, 950.0)),
    }
    return Scene(Family(SERVER, RUNNER), people)


# --- sums and rates -------------------------------------------------------------------------------------------


def test_memory_is_the_sum_over_the_tree_and_the_runners_part_stands_apart() -> None:
    parts = [Memory(100.0, 60.0, 40.0), Memory(1000.0, 200.0, 800.0)]
    assert resident(parts, parts[1:]) == {
        "server.rss": (1100.0, "B"),
        "server.anon": (260.0, "B"),
        "server.file": (840.0, "B"),
        "runner.rss": (1000.0, "B"),
    }


def test_a_part_that_is_unknown_makes_the_sum_unknown() -> None:
    assert resident([Memory(1.0, 1.0, 0.0), Memory(2.0, None, None)], []) == {"server.rss": (3.0, "B")}
    assert unshared([Private(5.0, None)]) == {"server.uss": (5.0, "B")}
    assert resident([], []) == {}


def _totals(seconds: float, server: dict[int, float], client: float, busy: float) -> Totals:
    return Totals(round(seconds * 1e9), server, client, Ticks(busy, 0.0, 4096.0, 0.0))


def test_rates_are_seconds_of_cpu_for_each_second() -> None:
    before = _totals(1.0, {1: 10.0, 2: 20.0}, 3.0, 100.0)
    after = Totals(1_500_000_000, {1: 10.1, 2: 20.9}, 3.05, Ticks(101.5, 0.25, 12288.0, 0.0))
    found = rates(before, after, elsewhere=False)
    assert {name: unit for name, (_, unit) in found.items()} == {
        "server.cpu": "cores",
        "client.cpu": "cores",
        "host.cpu": "cores",
        "host.other_cpu": "cores",
        "host.steal": "cores",
        "host.swap_in": "B/s",
        "host.swap_out": "B/s",
    }
    # (0.1 + 0.9) s in 0.5 s; 0.05 s; 1.5 s; what is left: 1.5 - 1.0 - 0.05 = 0.45 s; 0.25 s; 8192 B in 0.5 s
    values = [found[name][0] for name in found]
    assert values == pytest.approx([2.0, 0.1, 3.0, 0.9, 0.5, 16384.0, 0.0])


@pytest.mark.parametrize(
    ("server", "elsewhere", "other"),
    [
        ({1: 4.0}, False, 0.0),  # ticks of two clocks may disagree: never below nothing
        ({2: 1.0}, False, None),  # a process came: its part of the span is unknown
        ({}, False, None),  # not seen
        ({}, True, 1.5),  # on another machine: no part at all
    ],
)
def test_what_others_use_is_what_server_and_client_leave(
    server: dict[int, float], *, elsewhere: bool, other: float | None
) -> None:
    first = {} if not server else {1: 1.0}
    found = rates(_totals(0, first, 0.0, 0.0), _totals(1, server, 0.5, 2.0), elsewhere=elsewhere)
    assert found.get("host.other_cpu", (None, ""))[0] == other


# --- reading --------------------------------------------------------------------------------------------------


def test_the_first_reading_has_memory_and_no_rates(scene: Scene) -> None:
    assert scene.read() == {
        "server.rss": 1100.0,
        "server.anon": 260.0,
        "server.file": 840.0,
        "runner.rss": 1000.0,
        "server.uss": 950.0,
        "server.pss": 1020.0,
        "host.available": 8e9,
    }


def test_rates_wait_until_ticks_are_small_against_the_span(scene: Scene) -> None:
    scene.read()
    scene.clock.ns = RATE_EVERY - 1
    assert "server.cpu" not in scene.read()
    scene.clock.ns = 500 * MS
    scene.people[RUNNER].seconds, scene.client, scene.whole.busy = 0.75, 0.05, 1.0
    found = scene.read()
    assert (found["server.cpu"], found["host.cpu"], found["client.cpu"]) == (1.5, 2.0, 0.1)
    assert found["host.other_cpu"] == pytest.approx(0.4)


def test_waits_for_memory_are_a_share_of_the_time_over_spans_in_which_the_kernel_counts(scene: Scene) -> None:
    scene.read()
    scene.clock.ns, scene.whole.stood_still = PRESSURE_EVERY - 1, 0.4
    assert "host.memory_pressure" not in scene.read()
    scene.clock.ns = PRESSURE_EVERY  # 0.5 of 2 s
    scene.whole.stood_still = 0.5
    assert scene.read()["host.memory_pressure"] == 0.25
    scene.clock.ns, scene.whole.stood_still = 2 * PRESSURE_EVERY, 4.5  # two of the kernel's spans at once
    assert scene.read()["host.memory_pressure"] == 1.0
    assert "host.memory_pressure" not in scene.host.absent()


def test_a_system_that_does_not_count_waits_for_memory_says_so() -> None:
    whole = Whole()
    whole.stood_still = None
    family = cast("Tree", Family(SERVER))
    host = Host(family, now=Clock(), whole=lambda: whole, single=lambda _: None)
    assert host.absent()["host.memory_pressure"] == (
        "this system does not count how long programs wait for memory"
    )
    assert "host.memory_pressure" not in host.read()


def test_pages_are_looked_at_seldom_when_a_look_is_slow(scene: Scene) -> None:
    def slow() -> None:
        scene.clock.ns += 10 * MS

    scene.people[RUNNER].looked = slow
    assert "server.uss" in scene.read()
    due = 10 * MS + UNSHARED_COST * 10 * MS
    scene.clock.ns = due - 1
    assert "server.uss" not in scene.read()
    assert scene.host.absent()["server.pss"] == (
        "one look at the server's pages takes 10 ms, so there is one every 4 s at most"
    )
    scene.clock.ns = due
    assert "server.uss" in scene.read()


def test_pages_of_another_user_are_absent_with_the_reason(scene: Scene) -> None:
    scene.people[RUNNER].own = None
    assert not {"server.uss", "server.pss"} & scene.read().keys()
    assert scene.host.absent()["server.uss"].startswith("the server belongs to another user")
    scene.people[RUNNER].own = Private(1.0, 1.0)
    scene.clock.ns = UNSHARED_EVERY
    assert scene.read()["server.uss"] == 51.0
    assert "server.uss" not in scene.host.absent()


def test_the_successor_of_a_runner_that_is_gone_is_read_in_the_same_beat(scene: Scene) -> None:
    scene.read()
    gone, scene.people[12] = scene.people[RUNNER], Person(Memory(5.0, 5.0, 0.0))
    gone.held, scene.family.next = None, (SERVER, 12)
    assert scene.read()["runner.rss"] == 5.0
    assert gone.closed


def test_a_process_that_has_ended_but_is_still_listed_counts_nothing_and_costs_one_look(scene: Scene) -> None:
    scene.read()
    scene.people[RUNNER].held = None
    assert [scene.read()["server.rss"] for _ in range(3)] == [100.0, 100.0, 100.0]
    assert scene.family.looks == 1


def test_a_server_that_cannot_be_seen_has_reasons_and_the_machine_is_still_read() -> None:
    scene = Scene(Family(reason="it hides"), {})
    assert scene.read() == {"host.available": 8e9}
    absent = scene.host.absent()
    assert absent["server.rss"] == absent["runner.rss"] == "it hides"
    assert absent["host.other_cpu"] == "the server's own part cannot be seen: it hides"


def test_a_server_without_a_runner_says_so() -> None:
    scene = Scene(Family(SERVER), {SERVER: Person(Memory(1.0, 1.0, 0.0))})
    assert "runner.rss" not in scene.read()
    assert scene.host.absent()["runner.rss"] == "no runner process is seen below the server"


def test_closing_gives_every_process_back(scene: Scene) -> None:
    scene.read()
    scene.host.close()
    assert all(one.closed for one in scene.people.values())


def test_another_machine_has_reasons_for_its_ram_and_its_gpu() -> None:
    probes = for_server("http://192.0.2.7:11434")
    absent = {name: reason for probe in probes for name, reason in probe.absent().items()}
    assert absent["server.rss"] == "the server is on another machine: its RAM cannot be seen from here"
    assert absent["gpu0.used"] == "the server is on another machine: its GPU cannot be seen from here"
    assert absent["cpu.clock"] == "the server is on another machine: its processor cannot be seen from here"
    assert "host.other_cpu" not in absent
    facts = {name: fact for probe in probes for name, fact in probe.facts().items()}
    assert facts["server.local"] is False
    assert "host.available" in {name for probe in probes for name in probe.read()}
    for probe in probes:
        probe.close()
