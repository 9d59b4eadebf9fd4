"""Whole visits in virtual time, when it goes wrong: stops, servers that die, memory that runs out."""

import asyncio

import pytest
import virtual
from benches import bench, seconds, stopped_after, taken, terms, visits
from pretend import DOWN, Fault, Habits, Pretend
from records import cell

from olbench import plan
from olbench.clock import now
from olbench.model import Cell, Observation, Plan

# A visit loads from 0.3 s to 2.3 s, warms up to 2.44 s, then measures: 0.14 s an answer.
QUICK = Habits(token_ns=0)
TEN = terms(requests=10)


def story(
    habits: Habits, *cells: Cell, repeats: int = 1, stop_s: float | None = None, **changes: object
) -> tuple[Pretend, list[Observation], float]:
    """The server, what was kept, and when it was over."""

    async def run() -> tuple[Pretend, list[Observation], float]:
        api = Pretend(habits)
        made = bench(api, cells, repeats, **changes)
        seen = await (taken(made) if stop_s is None else stopped_after(stop_s, made))
        ended = seconds(now())[0] or 0.0
        await asyncio.sleep(60)  # whatever was left behind would show
        return api, seen, ended

    return virtual.run(run())


def outcomes(seen: Observation) -> list[tuple[str, str]]:
    return [(one.phase, one.outcome) for one in seen.samples]


# --- stopping -------------------------------------------------------------------------------------------------


def test_a_stop_in_the_middle_of_a_cell_keeps_what_there_is() -> None:
    api, (seen,), ended = story(QUICK, cell(concurrency=2), repeats=3, stop_s=2.65, terms=TEN)
    assert outcomes(seen) == [
        ("warmup", "ok"),
        ("measured", "ok"),
        ("measured", "ok"),
        ("measured", "cancelled"),
        ("measured", "cancelled"),
    ]
    assert (seen.problem, ended) == ("interrupted", 2.65)
    assert seconds(seen.measured_ns, *(one.end_ns for one in seen.samples[-2:])) == [2.44, 2.65, 2.65]
    assert (len(api.asked("send")), api.flying) == (5, 0)


def test_a_stop_during_a_load_ends_within_a_second_and_leaves_nothing() -> None:
    api, seen, ended = story(QUICK, cell(), repeats=3, stop_s=0.5)
    assert (seen, ended) == ([], 1.5)
    assert [what for _, what in api.log] == ["preload smollm2:135m 2048"]


def test_a_load_that_ends_within_that_second_is_not_measured_any_more() -> None:
    api, (seen,), ended = story(QUICK, cell(), repeats=3, stop_s=1.5)
    assert (seen.problem, seen.samples, seen.measured_ns, ended) == ("interrupted", (), None, 2.3)
    assert api.asked("send") == []


def test_a_stop_while_it_warms_up_measures_nothing() -> None:
    _, (seen,), ended = story(QUICK, cell(), stop_s=2.4)
    assert (outcomes(seen), seen.problem) == ([("warmup", "cancelled")], "interrupted")
    assert (seen.measured_ns, ended) == (None, 2.4)


def test_a_stop_during_a_cold_start_keeps_the_request_that_was_cancelled() -> None:
    _, (seen,), ended = story(QUICK, cell(), stop_s=1.0, terms=terms(cold_load=True))
    assert (outcomes(seen), seen.problem) == ([("cold", "cancelled")], "interrupted")
    assert (seen.placement, ended) == (None, 1.0)


def test_a_stop_before_a_cold_start_sends_nothing() -> None:
    api, (seen,), ended = story(QUICK, cell(), stop_s=0.2, terms=terms(cold_load=True))
    assert (seen.samples, seen.problem, ended) == ((), "interrupted", 0.3)
    assert api.log == []


def test_a_stop_while_the_prompts_length_is_found_leaves_nothing() -> None:
    slow = Habits(token_ns=100_000_000)
    _, seen, ended = story(slow, cell(prompt_tokens=512), stop_s=2.5, own_prompts=None)
    assert (seen, ended) == ([], 3.5)


def test_a_stop_while_the_server_is_waited_for_leaves_nothing() -> None:
    _, seen, ended = story(Habits(outages=((0, 99),)), cell(), repeats=2, stop_s=3.0)
    assert (seen, ended) == ([], 4.0)


def test_a_run_that_is_stopped_before_it_begins_takes_nothing() -> None:
    async def run() -> list[Observation]:
        made = bench(Pretend(QUICK), [cell()])
        made.stop.set()
        return await taken(made)

    assert virtual.run(run()) == []


@pytest.mark.parametrize("stopping", [False, True])
def test_a_cancel_from_outside_is_passed_on_whether_or_not_a_stop_was_asked_for(*, stopping: bool) -> None:
    async def run() -> float | None:
        made = bench(Pretend(QUICK), [cell()])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await (stopped_after(1.0, made) if stopping else taken(made))
        return seconds(now())[0]

    assert virtual.run(run()) == 1.5


def test_a_bug_ends_the_run() -> None:
    with pytest.raises(ValueError, match="a bug"):
        story(Habits(faults={2: "bug"}), cell())


# --- requests that fail ---------------------------------------------------------------------------------------


def test_some_requests_that_fail_are_samples_of_a_good_visit() -> None:
    _, (seen,), _ = story(Habits(faults={1: "busy", 3: "memory"}), cell())
    assert [one.outcome for one in seen.samples] == ["ok", "queue_full", "ok", "out_of_memory", "ok"]
    assert seen.problem is None


def test_a_warm_up_that_fails_does_not_keep_from_measuring() -> None:
    _, (seen,), _ = story(Habits(faults={0: "busy"}), cell())
    assert [one.outcome for one in seen.samples] == ["queue_full", "ok", "ok", "ok", "ok"]
    assert seen.problem is None


def test_a_visit_without_a_good_request_has_a_problem_and_is_taken_again_by_a_resume() -> None:
    faults: dict[int, Fault] = {1: "busy", 2: "memory", 3: "busy", 4: "busy"}
    of = cell()
    _, seen, _ = story(Habits(faults=faults), of, repeats=2)
    first, second = seen
    assert first.problem == (
        "none of 4 requests succeeded; the first ended as queue_full: server busy, please try again"
    )
    assert len(first.samples) == 5
    assert second.problem is None
    done = {(one.visit.cell, one.visit.repeat) for one in seen if one.problem is None}
    assert plan.resume(Plan((of,), visits((of,), 2), 0, ()), done) == (first.visit,)


# --- loads that fail ------------------------------------------------------------------------------------------


def test_a_load_that_fails_costs_the_visit_and_the_others_go_on() -> None:
    big, small = cell(num_ctx=8192), cell(num_ctx=2048)
    api, seen, _ = story(Habits(room=4096), big, small)
    assert [one.problem for one in seen] == [
        "POST /api/chat: status 500: cudaMalloc failed: out of memory",
        None,
    ]
    assert (seen[0].samples, seen[0].placement, seen[0].measured_ns) == ((), None, None)
    assert len(api.asked("send")) == 5


COLD_PROBLEM = (
    "the first request, which was to load the model, ended as out_of_memory: cudaMalloc failed: out of memory"
)


def test_a_cold_start_that_fails_says_why_and_nothing_is_measured() -> None:
    _, (seen,), _ = story(Habits(room=1024), cell(), terms=terms(cold_load=True))
    assert (seen.problem, outcomes(seen)) == (COLD_PROBLEM, [("cold", "out_of_memory")])
    assert (seen.placement, seen.measured_ns) == (None, None)


def test_a_cold_start_that_fails_after_the_length_was_found_is_no_better() -> None:
    asked = cell(prompt_tokens=256)
    cold = terms(cold_load=True)
    api, _, _ = story(Habits(), asked, own_prompts=None, terms=cold)
    tries = len(api.asked("send")) - 6
    _, (seen,), _ = story(Habits(faults={tries: "memory"}), asked, own_prompts=None, terms=cold)
    assert (seen.problem, outcomes(seen)) == (COLD_PROBLEM, [("cold", "out_of_memory")])
    assert seen.placement is None


def test_a_model_that_does_not_leave_is_the_visits_problem() -> None:
    async def run() -> tuple[list[Observation], float | None]:
        api = Pretend(Habits(stays=frozenset({"other:7b"})))
        api.put("other:7b")
        return await taken(bench(api, [cell()])), seconds(now())[0]

    (seen,), ended = virtual.run(run())
    assert seen.problem == "other:7b did not leave memory within 60 s of the unload"
    assert (seen.samples, ended) == ((), 60.0)


def test_a_server_that_does_not_count_prompt_tokens_is_a_clear_problem() -> None:
    _, (seen,), _ = story(Habits(counts=False), cell(prompt_tokens=256), own_prompts=None)
    assert seen.problem == (
        "the server does not count prompt tokens, so their number cannot be steered; own prompts would do"
    )
    assert seen.samples == ()


def test_prompts_that_cannot_be_made_are_a_problem_of_each_of_their_visits() -> None:
    _, seen, _ = story(Habits(), cell(prompt_tokens=8), repeats=2, own_prompts=None)
    assert [str(one.problem)[:50] for one in seen] == [
        "prompts of 8 tokens cannot be made for smollm2:135"
    ] * 2


# --- servers that die -----------------------------------------------------------------------------------------


def test_a_server_that_dies_in_the_middle_of_a_cell_costs_that_visit_and_is_waited_for() -> None:
    # It dies during the first measured request and is back 2.5 s later.
    api, seen, _ = story(Habits(token_ns=0, outages=((2.5, 5.0),)), cell(), repeats=2)
    first, second = seen
    assert outcomes(first) == [("warmup", "ok"), ("measured", "cut_off")] + [("measured", "refused")] * 3
    assert first.problem == "none of 4 requests succeeded; the first ended as cut_off: the connection broke"
    assert seconds(first.ended_ns) == [2.5]
    # What was in memory is gone with it, so it is loaded again, though the load would be the same.
    assert [at for at, what in api.log if what.startswith("preload")] == [0.3, 5.3]
    assert (second.problem, len(second.samples), second.notes) == (None, 5, ())
    assert second.placement is not None
    assert second.placement.how == "preloaded"


def test_what_was_measured_before_the_server_died_is_kept() -> None:
    _, (first, _), _ = story(Habits(token_ns=0, outages=((2.8, 5.0),)), cell(), repeats=2)
    assert [one.outcome for one in first.samples] == ["ok", "ok", "ok", "cut_off", "refused"]
    assert first.problem is None


def test_a_server_that_stays_away_is_waited_for_ten_seconds_and_then_for_two() -> None:
    _, seen, _ = story(Habits(token_ns=0, outages=((2.5, 999),)), cell(), repeats=3)
    assert [one.problem for one in seen[1:]] == [DOWN, DOWN]
    assert [seconds(one.started_ns, one.ended_ns) for one in seen] == [[0, 2.5], [2.5, 12.5], [12.5, 14.5]]
    assert seen[1].placement is None


def test_an_engine_of_ours_that_died_is_started_again() -> None:
    async def run() -> tuple[Pretend, list[Observation]]:
        api = Pretend(Habits(token_ns=0, outages=((2.5, 999),)))
        return api, await taken(bench(api, [cell()], 3, revive=api.revive))

    api, seen = virtual.run(run())
    assert [at for at, what in api.log if what in ("revive", "preload smollm2:135m 2048")] == [0.3, 2.5, 2.8]
    assert [one.problem is None for one in seen] == [False, True, True]
    assert [one.notes for one in seen] == [(), ("the engine had died and was started again",), ()]


def test_an_engine_that_cannot_be_started_again_is_a_problem_with_words() -> None:
    async def in_vain() -> None:
        pass

    _, seen, _ = story(Habits(token_ns=0, outages=((2.5, 999),)), cell(), repeats=2, revive=in_vain)
    assert seen[1].problem == DOWN
    assert seconds(seen[1].ended_ns) == [12.5]


def test_a_server_that_dies_during_a_load_is_told_in_its_words() -> None:
    _, seen, _ = story(Habits(outages=((1.0, 2.0),)), cell(), repeats=2)
    assert [one.problem for one in seen] == ["POST /api/chat: the connection broke", None]


def test_a_request_that_stalls_is_given_up_at_its_timeout() -> None:
    _, (seen,), _ = story(Habits(token_ns=0, faults={1: "stall"}), cell(), terms=terms(timeout_ns=5 * 10**9))
    stalled = seen.samples[1]
    assert (stalled.outcome, stalled.words) == ("stalled", "not done within 5 s")
    assert seconds(stalled.wanted_ns, stalled.end_ns) == [2.44, 7.44]
    assert seen.problem is None


def test_a_server_that_comes_back_after_the_wait_was_in_vain_is_measured_again() -> None:
    _, seen, _ = story(Habits(token_ns=0, outages=((2.5, 13.5),)), cell(), repeats=4)
    assert [one.problem for one in seen[1:]] == [DOWN, None, None]
