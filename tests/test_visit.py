"""What a visit sees beside its samples, in virtual time: the server's version, the placement and the machine, twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import virtual
from benches import bench, seconds, stopped_after, taken, terms
from pretend import DOWN, Habits, Pretend, at
from records import cell

from olbench.errors import ServerError
from olbench.gates import tripped
from olbench.model import Facts, ModelCard, Observation, Placement, Resident
from olbench.probes.runner import Runner
from olbench.thresholds import limits

# 0.3 s of idle machine, 2 s of load, one answer of 0.14 s to warm up and four to measure: from 2.44 to 3 s.
QUICK = Habits(token_ns=0)
MIDDLE_S, END_S = 2.7, 3.0


def story(api: Callable[[], Pretend], **changes: Any) -> Observation:
    async def run() -> Observation:
        (seen,) = await taken(bench(api(), [cell()], **({"terms": terms(retake=False)} | changes)))
        return seen

    return virtual.run(run())


def gates(seen: Observation) -> list[str]:
    return [one.gate for one in tripped(seen, limits({}), {})]


def then(first: Facts, second: Facts) -> Callable[[], Facts]:
    """Facts of a machine that changes while it is measured."""
    return lambda: first if at() < MIDDLE_S else second


def test_a_quiet_visit_ends_as_it_began() -> None:
    seen = story(lambda: Pretend(QUICK), machine_facts=lambda: {"power.source": "mains", "server.pid": 7})
    assert (seen.version, seen.version_after) == ("0.34.0-pretend", "0.34.0-pretend")
    assert seen.after == seen.placement
    assert seen.after is not None
    assert seen.facts == {"power.source": "mains", "server.pid": 7}
    assert seconds(seen.measured_ns, seen.ended_ns) == [2.44, END_S]
    assert gates(seen) == []


def test_a_cold_visit_looks_again_in_the_same_way() -> None:
    seen = story(lambda: Pretend(QUICK), terms=terms(cold_load=True, retake=False))
    assert seen.after is not None
    assert (seen.after.how, seen.after.preload_ns, seen.after) == ("cold", None, seen.placement)


def test_all_is_looked_at_again_only_after_the_last_byte() -> None:
    asked: list[tuple[str, float]] = []

    class Noted(Pretend):
        async def version(self) -> str:
            asked.append(("version", at()))
            return await super().version()

        async def resident(self) -> tuple[Resident, ...]:
            asked.append(("resident", at()))
            return await super().resident()

    def facts() -> Facts:
        asked.append(("facts", at()))
        return {}

    story(lambda: Noted(QUICK), machine_facts=facts)
    assert [one for one in asked if one[1] > 2.3] == [
        ("version", END_S),
        ("resident", END_S),
        ("facts", END_S),
    ]
    assert ("facts", 2.3) in asked


def test_a_server_that_is_upgraded_in_mid_visit_is_seen() -> None:
    class Upgraded(Pretend):
        async def version(self) -> str:
            return "0.34.0" if at() < MIDDLE_S else "0.34.1"

    seen = story(lambda: Upgraded(QUICK))
    assert (seen.version, seen.version_after) == ("0.34.0", "0.34.1")
    assert gates(seen) == ["server"]


def test_a_model_that_is_replaced_in_mid_visit_is_seen() -> None:
    class Replaced(Pretend):
        async def resident(self) -> tuple[Resident, ...]:
            rows = await super().resident()
            return rows if at() < MIDDLE_S else tuple(replace(one, digest="f" * 64) for one in rows)

    seen = story(lambda: Replaced(QUICK))
    assert seen.after is not None
    assert seen.after.digest == "f" * 64
    assert gates(seen) == ["model"]


def test_a_model_that_somebody_else_loads_in_mid_visit_is_seen() -> None:
    class Shared(Pretend):
        async def resident(self) -> tuple[Resident, ...]:
            rows = await super().resident()
            return rows if at() < MIDDLE_S else (*rows, replace(rows[0], name="b:7b", digest="of b:7b"))

    seen = story(lambda: Shared(QUICK))
    assert isinstance(seen.placement, Placement)
    assert isinstance(seen.after, Placement)
    assert (seen.placement.others, seen.after.others) == ((), ("b:7b",))
    assert gates(seen) == ["other models"]


def test_a_runner_that_is_another_one_at_the_end_is_seen() -> None:
    def runner(_: ModelCard | None) -> Runner:
        return Runner(4711 if at() < MIDDLE_S else 4712, "m", {"runner.parallel": 1, "runner.batch": 512}, "")

    seen = story(lambda: Pretend(QUICK), runner=runner)
    assert seen.after is not None
    assert (seen.after.runner_pid, seen.after.batch) == (4712, 512)
    assert gates(seen) == ["runner"]


@pytest.mark.parametrize(
    ("first", "second", "facts", "gate"),
    [
        (
            {"power.source": "mains"},
            {"power.source": "battery"},
            {"power.source": "battery", "power.source.before": "mains"},
            ["battery"],
        ),
        (
            {"server.pid": 7, "server.started": 1.0},
            {"server.pid": 9, "server.started": 2.0},
            {"server.pid": 9, "server.pid.before": 7, "server.started": 2.0, "server.started.before": 1.0},
            ["server"],
        ),
        ({"server.pid": 7}, {}, {}, []),
        ({}, {"server.pid": 7}, {"server.pid": 7}, []),
    ],
)
def test_a_fact_that_changes_keeps_what_it_was_before(
    first: Facts, second: Facts, facts: Facts, gate: list[str]
) -> None:
    seen = story(lambda: Pretend(QUICK), machine_facts=then(first, second))
    assert seen.facts == facts
    assert gates(seen) == gate


# --- when it cannot be seen -----------------------------------------------------------------------------------


def test_a_server_that_is_gone_at_the_end_costs_only_what_it_would_have_said() -> None:
    seen = story(
        lambda: Pretend(Habits(token_ns=0, outages=((END_S, 99.0),))), machine_facts=lambda: {"a": 1}
    )
    assert (seen.problem, len(seen.samples)) == (None, 5)
    assert (seen.version, seen.version_after, seen.after) == ("0.34.0-pretend", None, None)
    assert seen.facts == {"a": 1}
    assert gates(seen) == []


class Silent(Pretend):
    """A server that says nothing more when all has been measured."""

    async def version(self) -> str:
        if at() >= END_S:
            await asyncio.Event().wait()
        return await super().version()


def test_a_server_that_hangs_at_the_end_is_not_waited_for_long() -> None:
    seen = story(lambda: Silent(QUICK))
    assert (seen.problem, len(seen.samples)) == (None, 5)
    assert (seen.version_after, seen.after, seen.facts) == (None, None, {})
    assert seconds(seen.ended_ns) == [END_S + 5]


def test_a_run_that_is_stopped_meanwhile_keeps_what_was_measured_at_once() -> None:
    async def run() -> list[Observation]:
        return await stopped_after(END_S + 1, bench(Silent(QUICK), [cell()]))

    (seen,) = virtual.run(run())
    assert [one.outcome for one in seen.samples] == ["ok"] * 5
    assert seconds(seen.ended_ns) == [END_S + 1]


def test_nothing_is_looked_at_again_when_the_run_was_stopped() -> None:
    async def run() -> list[Observation]:
        return await stopped_after(MIDDLE_S, bench(Pretend(QUICK), [cell()]))

    (seen,) = virtual.run(run())
    assert (seen.problem, seen.version_after, seen.after) == ("interrupted", None, None)


def test_a_visit_that_could_not_be_prepared_knows_the_version_alone() -> None:
    class Full(Pretend):
        async def resident(self) -> tuple[Resident, ...]:
            raise ServerError(DOWN)

    seen = story(lambda: Full(QUICK))
    assert (seen.problem, seen.version, seen.version_after) == (DOWN, "0.34.0-pretend", None)
    assert (seen.placement, seen.after, seen.facts) == (None, None, {})
