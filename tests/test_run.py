"""Whole visits in virtual time, when all goes well: what is asked of the server, when, and what is kept."""

import asyncio

import pytest
import virtual
from benches import OWN, Ear, bench, seconds, span, taken, terms
from pretend import CARD, MS, SECOND, Habits, Pretend
from records import cell

from olbench.bench import Bench
from olbench.model import Cell, Observation
from olbench.probes.runner import Runner
from olbench.run import execute

# An answer of eight tokens takes 7 x 20 ms, and the prompt nothing.
QUICK = Habits(token_ns=0)


def story(
    habits: Habits, *cells: Cell, repeats: int = 1, **changes: object
) -> tuple[Pretend, Bench, list[Observation]]:
    async def run() -> tuple[Pretend, Bench, list[Observation]]:
        api = Pretend(habits)
        made = bench(api, cells, repeats, **changes)
        return api, made, await taken(made)

    return virtual.run(run())


def hows(seen: list[Observation]) -> list[str | None]:
    return [one.placement.how if one.placement else None for one in seen]


# --- one visit ------------------------------------------------------------------------------------------------


def test_a_visit_loads_warms_up_and_measures() -> None:
    api, made, (seen,) = story(QUICK, cell(num_ctx=2048, concurrency=2))
    # 0.3 s of idle machine, 2 s of load, one answer to warm up, then two streams of two answers.
    assert api.log == [
        (0.3, "preload smollm2:135m 2048"),
        (2.3, "send warmup 0"),
        (2.44, "send measured 1"),
        (2.44, "send measured 2"),
        (2.58, "send measured 3"),
        (2.58, "send measured 4"),
    ]
    assert seconds(seen.started_ns, seen.measured_ns, seen.ended_ns) == [0, 2.44, 2.72]
    assert [(one.phase, one.index, one.stream, one.outcome) for one in seen.samples] == [
        ("warmup", 0, 0, "ok"),
        ("measured", 1, 0, "ok"),
        ("measured", 2, 1, "ok"),
        ("measured", 3, 0, "ok"),
        ("measured", 4, 1, "ok"),
    ]
    assert (seen.problem, seen.notes) == (None, ())
    assert isinstance(made.audience, Ear)
    assert made.audience.heard == [
        "visit 0 2048",
        "unloading",
        "loading",
        "warming up",
        "measuring",
        "observed 0",
    ]


def test_a_placement_is_verified_after_the_load() -> None:
    _, _, (seen,) = story(
        Habits(vram=7), cell(), runner=lambda _: Runner(4711, "m", {"runner.parallel": 4}, "")
    )
    placed = seen.placement
    assert placed is not None
    assert (placed.how, placed.preload_ns, placed.size_vram) == ("preloaded", 2 * SECOND, 7)
    assert (placed.runner_pid, placed.parallel, placed.doubts) == (4711, 4, ())


def test_the_runner_is_looked_for_by_the_models_card() -> None:
    asked = []

    def runner(card: object) -> Runner:
        asked.append(card)
        return Runner(None, None, {}, "")

    story(QUICK, cell(), runner=runner)
    assert asked == [CARD] * len(asked) != []


def test_warm_samples_carry_no_load() -> None:
    _, _, (seen,) = story(QUICK, cell())
    assert [one.counts.load_ns for one in seen.samples if one.counts] == [0, 0, 0, 0, 0]


def test_the_idle_machine_is_read_before_the_load_and_the_visit_from_the_load_to_its_end() -> None:
    _, _, (seen,) = story(QUICK, cell())
    assert span(seen.baseline) == [0, 0.3]
    assert span(seen.readings) == [0.3, 3.0]


def test_what_is_read_between_two_visits_belongs_to_none() -> None:
    _, _, (first, second) = story(QUICK, cell(num_ctx=2048), cell(num_ctx=4096))
    # The first visit's model is listed for 0.2 s more, the second baseline begins when it is gone.
    assert span(first.readings)[1] == 3.0
    assert span(second.baseline) == [3.2, 3.5]


def test_the_time_that_it_takes_to_keep_a_visit_belongs_to_none() -> None:
    async def run() -> list[list[float | None]]:
        made, spans = bench(Pretend(QUICK), [cell()], 2), []
        async for seen in execute(made, made.plan.visits):
            spans.append(span(seen.readings))
            await asyncio.sleep(5)
        return spans

    # The model stays, so the second visit begins with its warm-up.
    assert virtual.run(run()) == [[0.3, 3.0], [8.0, 8.7]]


def test_no_warm_up_is_none() -> None:
    api, _, (seen,) = story(QUICK, cell(), terms=terms(warmup=0))
    assert [one.phase for one in seen.samples] == ["measured"] * 4
    assert api.log[1] == (2.3, "send measured 0")


def test_answers_that_end_early_are_good_visits() -> None:
    _, _, (seen,) = story(Habits(stops_after=3), cell())
    assert {one.outcome for one in seen.samples} == {"short"}
    assert seen.problem is None


# --- several visits -------------------------------------------------------------------------------------------


def test_each_visit_gives_one_observation_in_the_order_of_the_plan() -> None:
    _, made, seen = story(QUICK, cell(num_ctx=2048), cell(num_ctx=4096), repeats=3)
    assert [one.visit for one in seen] == list(made.plan.visits)
    assert [one.visit.seq for one in seen] == [0, 1, 2, 3, 4, 5]


def test_a_model_stays_in_memory_for_cells_that_need_the_same_load() -> None:
    api, _, seen = story(QUICK, cell(concurrency=1), cell(concurrency=2), cell(output_tokens=4))
    assert hows(seen) == ["preloaded", "resident", "resident"]
    assert [one.placement.preload_ns for one in seen if one.placement] == [2 * SECOND, None, None]
    assert len(api.asked("preload")) == 1
    assert api.asked("unload") == []


def test_another_context_is_another_load() -> None:
    api, _, seen = story(QUICK, cell(num_ctx=2048), cell(num_ctx=4096))
    assert hows(seen) == ["preloaded", "preloaded"]
    assert [what for _, what in api.log if not what.startswith("send")] == [
        "preload smollm2:135m 2048",
        "unload smollm2:135m",
        "preload smollm2:135m 4096",
    ]


def test_a_num_gpu_that_is_dropped_again_is_another_load_though_no_server_would_miss_it() -> None:
    with_gpu = cell(options=(("num_gpu", 10), ("temperature", 0.0)))
    api, _, seen = story(QUICK, with_gpu, cell(options=(("temperature", 0.0),)))
    assert hows(seen) == ["preloaded", "preloaded"]
    assert api.asked("preload") == ["preload smollm2:135m 2048 num_gpu=10", "preload smollm2:135m 2048"]


def test_an_option_of_a_request_alone_is_no_other_load() -> None:
    _, _, seen = story(QUICK, cell(options=(("temperature", 0.0),)), cell(options=(("temperature", 0.9),)))
    assert hows(seen) == ["preloaded", "resident"]


def test_what_was_in_memory_before_the_run_is_never_reused() -> None:
    async def run() -> tuple[Pretend, list[Observation]]:
        api = Pretend(QUICK)
        api.put(CARD.name)  # by whom, and with which options, nobody knows
        return api, await taken(bench(api, [cell(num_ctx=4096)]))

    api, seen = virtual.run(run())
    assert hows(seen) == ["preloaded"]
    assert api.log[0] == (0.0, "unload smollm2:135m")


def test_the_models_of_others_leave_before_the_load() -> None:
    async def run() -> tuple[Pretend, list[Observation]]:
        api = Pretend(QUICK)
        api.put("other:7b", vram=5 * 10**9)
        return api, await taken(bench(api, [cell()]))

    api, (seen,) = virtual.run(run())
    # Listed for 0.2 s more, 1.5 s for the GPU's memory to come back, 0.3 s of idle machine.
    assert api.log[:2] == [(0.0, "unload other:7b"), (2.0, "preload smollm2:135m 2048")]
    assert seen.placement is not None
    assert seen.placement.doubts == ()


@pytest.mark.parametrize(
    ("habits", "doubt"),
    [
        (Habits(clamp=1024), "asked for num_ctx 2048, the server gave 1024"),
        (Habits(digest="f" * 64), "smollm2:135m changed during the run: its digest is now ffffffffffff"),
        (Habits(intruder="other:7b"), "also in memory: other:7b"),
    ],
)
def test_a_placement_that_is_not_as_asked_is_measured_with_its_doubt(habits: Habits, doubt: str) -> None:
    _, _, (seen,) = story(habits, cell(num_ctx=2048), terms=terms(retake=False))
    assert seen.placement is not None
    assert seen.placement.doubts == (doubt,)
    assert (seen.problem, len(seen.samples)) == (None, 5)


# --- cold visits ----------------------------------------------------------------------------------------------


def test_the_first_request_of_a_cold_visit_carries_the_load_and_is_verified_after_it() -> None:
    api, _, (seen,) = story(QUICK, cell(), terms=terms(cold_load=True))
    assert api.asked("preload") == []
    assert [one.phase for one in seen.samples] == ["cold", "warmup"] + ["measured"] * 4
    loads = [one.counts.load_ns for one in seen.samples if one.counts]
    assert loads == [2 * SECOND, 0, 0, 0, 0, 0]
    first = seen.samples[0]
    assert seconds(first.wanted_ns, first.head_ns, first.end_ns) == [0.3, 2.3, 2.44]
    assert seen.placement is not None
    assert (seen.placement.how, seen.placement.preload_ns) == ("cold", None)
    assert seen.placement.doubts == ()
    assert span(seen.baseline) == [0, 0.3]


def test_every_cold_visit_unloads_first() -> None:
    api, _, seen = story(QUICK, cell(), repeats=2, terms=terms(cold_load=True))
    assert hows(seen) == ["cold", "cold"]
    assert [one.samples[0].counts.load_ns for one in seen if one.samples[0].counts] == [2 * SECOND] * 2
    assert api.asked("unload") == ["unload smollm2:135m"]


# --- prompts --------------------------------------------------------------------------------------------------


def synthetic(
    habits: Habits, *cells: Cell, repeats: int = 1, **changes: object
) -> tuple[Pretend, list[Observation]]:
    api, _, seen = story(habits, *cells, repeats=repeats, own_prompts=None, **changes)
    return api, seen


def tries(api: Pretend, seen: list[Observation]) -> int:
    return len(api.asked("send")) - sum(len(one.samples) for one in seen)


def test_synthetic_prompts_have_the_length_that_was_asked_for() -> None:
    _, (seen,) = synthetic(Habits(), cell(prompt_tokens=256))
    counts = [one.counts.prompt_eval_count for one in seen.samples if one.counts]
    assert len(counts) == 5
    assert all(count is not None and abs(count - 256) <= 5 for count in counts)


def test_the_length_is_found_once_for_all_contexts_and_concurrencies() -> None:
    one = cell(prompt_tokens=256, num_ctx=2048)
    api, seen = synthetic(Habits(), one)
    alone = tries(api, seen)
    assert alone >= 2
    others = [cell(prompt_tokens=256, num_ctx=4096), cell(prompt_tokens=256, concurrency=4)]
    api, seen = synthetic(Habits(), one, *others, repeats=2)
    assert tries(api, seen) == alone


@pytest.mark.parametrize("changes", [{"prompt_tokens": 512}, {"api": "generate"}, {"think": True}])
def test_the_length_is_found_anew_where_the_server_would_count_otherwise(changes: dict[str, object]) -> None:
    one, other = cell(prompt_tokens=256), cell(**({"prompt_tokens": 256} | changes))
    alone, other_alone = (tries(*synthetic(Habits(), each)) for each in (one, other))
    assert tries(*synthetic(Habits(), one, other)) == alone + other_alone


def test_a_visit_that_finds_the_length_keeps_the_time_of_its_load() -> None:
    api, seen = synthetic(Habits(), cell(prompt_tokens=256), repeats=2)
    assert hows(seen) == ["preloaded", "resident"]
    assert seen[0].placement is not None
    assert seen[0].placement.preload_ns == 2 * SECOND
    assert len(api.asked("preload")) == 1


def test_a_cold_visit_that_finds_the_length_unloads_again_before_it_measures() -> None:
    api, (seen,) = synthetic(Habits(), cell(prompt_tokens=256), terms=terms(cold_load=True))
    asked = [what for _, what in api.log if not what.startswith("send warmup")]
    assert asked[:3] == ["preload smollm2:135m 2048", "unload smollm2:135m", "send cold 0"]
    assert hows([seen]) == ["cold"]
    assert seen.samples[0].counts is not None
    assert seen.samples[0].counts.load_ns == 2 * SECOND


def test_prompts_of_a_cold_cell_are_never_cached_and_those_of_a_warm_one_are() -> None:
    # A warm prompt is four words and the template's five tokens; the last of the nine is always computed.
    cold, warm = (
        story(Habits(token_ns=1 * MS), cell(cache=cache))[2][0].samples for cache in ("cold", "warm")
    )
    assert [one.counts.cached_count for one in cold if one.counts] == [0, 0, 0, 0, 0]
    assert [one.counts.cached_count for one in warm if one.counts] == [0, 8, 8, 8, 8]
    assert OWN.prompts[0].messages[0].content == "one two three four"


# --- budget ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("budget_s", "visits"), [(0.1, 1), (5.99, 1), (6, 2), (6.69, 2), (6.7, 3), (60, 3)])
def test_a_run_ends_before_a_visit_that_would_go_beyond_the_budget(budget_s: float, visits: int) -> None:
    # The first visit ends at 3.0 s and the second, whose model is there, at 3.7 s; as long as 3 s may each next one take.
    budget = terms(budget_ns=round(budget_s * SECOND))
    _, _, seen = story(QUICK, cell(), repeats=3, terms=budget)
    assert len(seen) == visits
