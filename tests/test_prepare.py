"""Before a visit, in virtual time: models out, the right one in, and what the server then says of it."""

from dataclasses import replace
from typing import Any

import pytest
import virtual
from benches import no_runner, seconds
from pretend import CARD, DOWN, SECOND, Habits, Pretend
from records import card, cell

from olbench import prepare
from olbench.clock import now
from olbench.errors import ServerError
from olbench.model import Cell, ModelCard, Placement, Resident
from olbench.probes.runner import Runner

# --- reaching -------------------------------------------------------------------------------------------------


def reached(patience_s: float, *outages: tuple[float, float]) -> tuple[str, float | None]:
    """What the server said, or what it failed with, and when."""

    async def story() -> tuple[str, float | None]:
        try:
            said = await prepare.reachable(Pretend(Habits(outages=outages)), round(patience_s * SECOND))
        except ServerError as fault:
            said = str(fault)
        return said, seconds(now())[0]

    return virtual.run(story())


def test_a_server_that_answers_is_not_waited_for() -> None:
    assert reached(10) == ("0.34.0-pretend", 0.0)


def test_a_server_that_restarts_is_asked_every_quarter_of_a_second() -> None:
    assert reached(10, (0, 0.9)) == ("0.34.0-pretend", 1.0)


def test_a_server_that_stays_away_is_given_up_at_the_end_of_patience() -> None:
    assert reached(1.1, (0, 99)) == (DOWN, 1.1)


def test_without_patience_it_is_asked_once() -> None:
    assert reached(0, (0, 99)) == (DOWN, 0.0)


# --- clearing -------------------------------------------------------------------------------------------------


def cleared(
    habits: Habits, *others: str, vram: int | None = 0
) -> tuple[Pretend, tuple[str, ...] | str, float]:
    async def story() -> tuple[Pretend, tuple[str, ...] | str, float]:
        api = Pretend(habits)
        for name in others:
            api.put(name, vram=vram)
        try:
            found: tuple[str, ...] | str = await prepare.cleared(api)
        except ServerError as fault:
            found = str(fault)
        return api, found, seconds(now())[0] or 0.0

    return virtual.run(story())


def test_all_models_are_asked_to_leave_and_waited_for() -> None:
    # Each is listed for 0.12 s more; the list is read every 50 ms.
    api, found, ended = cleared(Habits(unload_ns=120 * 10**6), "a:1b", "b:7b")
    assert (found, ended) == (("a:1b", "b:7b"), 0.15)
    assert api.log == [(0.0, "unload a:1b"), (0.0, "unload b:7b")]


def test_an_empty_server_is_left_alone_and_costs_no_time() -> None:
    api, found, ended = cleared(Habits())
    assert (api.log, found, ended) == ([], (), 0.0)


def test_gpu_memory_is_given_time_to_come_back() -> None:
    assert cleared(Habits(unload_ns=0), "a:1b", vram=5 * 10**8)[2] == 1.5


@pytest.mark.parametrize("vram", [0, None])
def test_there_is_no_pause_where_no_gpu_memory_was_used(vram: int | None) -> None:
    assert cleared(Habits(unload_ns=0), "a:1b", vram=vram)[2] == 0.0


def test_models_that_do_not_leave_are_given_up_after_a_minute_by_name() -> None:
    _, found, ended = cleared(Habits(stays=frozenset({"b:7b", "c:3b"})), "a:1b", "b:7b", "c:3b")
    assert (found, ended) == ("b:7b, c:3b did not leave memory within 60 s of the unload", 60.0)


def test_a_model_that_was_deleted_while_in_memory_is_not_waited_for() -> None:
    api, found, ended = cleared(Habits(deleted=frozenset({"b:7b"})), "a:1b", "b:7b")
    assert api.asked("unload") == ["unload a:1b", "unload b:7b"]
    assert found == ("a:1b", "b:7b")
    assert ended < 1


# --- holding --------------------------------------------------------------------------------------------------


def row(name: str = CARD.name, **changes: Any) -> Resident:
    fields: dict[str, Any] = {"digest": CARD.digest, "size": 1, "size_vram": 0, "context_length": 2048}
    return Resident(name=name, **(fields | changes))


@pytest.mark.parametrize(
    ("resident", "held"),
    [
        ((row(),), True),
        ((), False),
        ((row("other:7b", digest="of another"),), False),
        ((row(), row("other:7b", digest="of another")), False),
        ((row(context_length=4096),), False),
        ((row(context_length=None),), True),  # an old server does not say
        ((row("SmolLM2:135M"),), True),
        ((row("copy:latest"),), True),  # another name of the same weights, which share one runner
    ],
)
def test_a_model_is_held_when_it_alone_is_there_with_its_context(
    resident: tuple[Resident, ...], *, held: bool
) -> None:
    assert prepare.holds(resident, cell(num_ctx=2048), CARD) is held


def test_a_name_without_a_tag_is_the_latest() -> None:
    assert prepare.holds((row("tiny:latest", digest=None),), cell(model="tiny"), None)


def test_a_context_beyond_what_the_model_was_trained_for_is_held_as_the_server_clamps_it() -> None:
    short = replace(CARD, context_length=2048)
    assert prepare.holds((row(context_length=2048),), cell(num_ctx=32_768), short)
    assert not prepare.holds((row(context_length=2048),), cell(num_ctx=32_768), None)


# --- verifying ------------------------------------------------------------------------------------------------


def placed(
    habits: Habits,
    of: Cell,
    known: ModelCard | None = CARD,
    *,
    runner: Runner | None = None,
    load: bool = True,
) -> Placement:
    async def story() -> Placement:
        api = Pretend(habits)
        preload_ns = await api.preload(of) if load else None
        return await prepare.verified(
            api, of, known, how="preloaded", preload_ns=preload_ns, runner=runner or no_runner(None)
        )

    return virtual.run(story())


def test_a_placement_says_what_the_server_did() -> None:
    found = placed(Habits(load_ns=3 * SECOND, vram=7), cell(num_ctx=2048))
    assert found == Placement(
        how="preloaded",
        preload_ns=3 * SECOND,
        digest=CARD.digest,
        size=10**9,
        size_vram=7,
        context_length=2048,
        runner_pid=None,
        parallel=None,
        doubts=(),
    )


def test_the_runner_says_how_many_slots_there_are() -> None:
    found = placed(Habits(), cell(), runner=Runner(4711, "m", {"runner.parallel": 4}, ""))
    assert (found.runner_pid, found.parallel) == (4711, 4)
    without = placed(Habits(), cell(), runner=Runner(4711, "m", {"runner.parallel": "auto"}, ""))
    assert (without.runner_pid, without.parallel) == (4711, None)


@pytest.mark.parametrize(
    ("habits", "doubt"),
    [
        (Habits(clamp=4096), "asked for num_ctx 8192, the server gave 4096"),
        (Habits(digest="f" * 64), "smollm2:135m changed during the run: its digest is now ffffffffffff"),
        (Habits(intruder="other:7b"), "also in memory: other:7b"),
    ],
)
def test_what_differs_from_what_was_asked_is_a_doubt(habits: Habits, doubt: str) -> None:
    assert placed(habits, cell(num_ctx=8192)).doubts == (doubt,)


def test_a_digest_that_nobody_tells_is_no_doubt() -> None:
    assert placed(Habits(digest=None), cell()).doubts == ()
    assert placed(Habits(digest="f" * 64), cell(), None).doubts == ()


def test_a_model_that_is_not_listed_after_its_load_is_a_doubt_and_nothing_is_known_of_it() -> None:
    found = placed(Habits(), cell(), load=False)
    assert (found.size, found.size_vram, found.context_length) == (None, None, None)
    assert found.doubts == ("the server does not list smollm2:135m as loaded after loading it",)


def test_cards_are_found_with_and_without_latest() -> None:
    named = prepare.cards_by_name((card("tiny:latest"), card("tiny:1b")))
    assert sorted(named) == ["tiny", "tiny:1b", "tiny:latest"]
    assert named["tiny"] is named["tiny:latest"]
