"""What a model costs, from a run's cells: lines that hold, and that say where they do not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from records import card, cell, observation, sample

from olbench import cost_model
from olbench.arrival import Load
from olbench.gist import Told, gist
from olbench.model import Cell, ModelCard, Sample
from olbench.sized import CostModel, Line

# 10 ms for the weights, 2 ms for each stream, 1 us for each token of context behind it.
STEP = (10e-3, 2e-3, 1e-6)
# 20 ms, 1 ms a token, 0.1 us for each pair of tokens.
READ = (20e-3, 1e-3, 0.1e-6)


def step(streams: float, depth: float) -> float:
    return STEP[0] + STEP[1] * streams + STEP[2] * streams * depth


def read(tokens: float, depth: float = 0.0) -> float:
    return READ[0] + READ[1] * tokens + READ[2] * ((tokens + depth) ** 2 - depth**2)


def together(streams: int, prompt: int, n: int, factor: float, *, rounds: int = 3) -> list[Sample]:
    """Rounds of requests that begin and end at the same moment."""
    gap, spent = step(streams, prompt + n / 2) * factor, read(prompt) * factor
    return [
        sample(
            index=turn * streams + stream,
            stream=stream,
            sent_s=1 + turn * (spent + n * gap + 1),
            load_s=0.0,
            prefill_s=spent,
            gap_s=gap,
            n=n,
            prompt_tokens=prompt,
        )
        for turn in range(rounds)
        for stream in range(streams)
    ]


def told(of: Cell, visits: Sequence[Sequence[Sample]], model: ModelCard | None = None, **seen: Any) -> Told:
    taken = [observation(of, one, repeat=repeat, **seen) for repeat, one in enumerate(visits)]
    return Told(of, len(taken), tuple(map(gist, taken)), card=model or card(of.model))


def design(
    prompts: Sequence[int] = (64, 128, 256, 512, 1024),
    streams: Sequence[int] = (1, 2),
    factor: Callable[[], float] = lambda: 1.0,
    repeats: int = 3,
    n: int = 33,
) -> list[Told]:
    """Each prompt length with each number of streams, so often."""
    cells = [
        cell(prompt_tokens=prompt, concurrency=count, output_tokens=n, num_ctx=4096)
        for prompt in prompts
        for count in streams
    ]
    return [
        told(one, [together(one.concurrency, one.prompt_tokens or 0, n, factor()) for _ in range(repeats)])
        for one in cells
    ]


def only(cells: Sequence[Told]) -> CostModel:
    (found,) = cost_model.of(cells)
    return found


def decode(found: CostModel) -> Line:
    assert found.decode is not None
    return found.decode


def prefill(found: CostModel) -> Line:
    assert found.prefill is not None
    return found.prefill


def coefficients(line: Line) -> dict[str, float | None]:
    return {term: one.value for term, one in zip(line.terms, line.coefficients, strict=True)}


EXACT = only(design())


def test_coefficients_are_what_the_requests_were_made_of() -> None:
    assert coefficients(decode(EXACT)) == pytest.approx(
        {"1": STEP[0], "streams": STEP[1], "streams*depth": STEP[2]}, rel=1e-4
    )
    assert coefficients(prefill(EXACT)) == pytest.approx(
        {"1": READ[0], "tokens": READ[1], "tokens^2": READ[2]}, rel=1e-4
    )


def test_a_line_says_what_it_was_fitted_to_and_on_what() -> None:
    line = decode(EXACT)
    assert line.span == {"streams": (1.0, 2.0), "depth": (80.5, 1040.5)}
    assert len(line.points) == 5 * 2 * 3
    assert line.points[0].seen == pytest.approx(step(1, 80.5), rel=1e-6)
    assert (line.reason, line.scatter < 1e-6) == ("", True)
    assert EXACT.missing == {
        "load": "models of 1 size were loaded; how a load grows with its bytes takes 3 sizes"
    }


# --- what lies beside a request --------------------------------------------------------------------------------


def staggered() -> list[Sample]:
    """Two streams: the second one's prompt of 0.4 s falls into the first one's answer."""
    one = sample(stream=0, sent_s=1.0, load_s=0.0, prefill_s=0.4, gap_s=0.05, n=41)  # answers from 1.4 to 3.4
    two = sample(stream=1, sent_s=2.0, load_s=0.0, prefill_s=0.4, gap_s=0.02, n=51)  # 2.4 to 3.4
    return [one, two]


def test_prompts_of_others_are_taken_out_of_an_answers_time() -> None:
    beside = gist(observation(cell(concurrency=2), staggered())).together
    assert beside.others == pytest.approx([0.4, 0.0])
    # 2 s of answer: 0.6 s alone, 0.4 s interrupted, 1 s beside the other
    assert beside.streams == pytest.approx([(0.6 + 2 * 1.0) / 1.6, 2.0])


def test_a_steps_figure_is_of_what_is_left() -> None:
    (found,) = cost_model.of([told(cell(concurrency=2), [staggered()])])
    # The medians of 1.6 s / 40 and 1.0 s / 50.
    assert decode(found).points[0].seen == pytest.approx((0.04 + 0.02) / 2)


def test_loads_and_mixes_do_not_teach_what_they_are_to_be_predicted_by() -> None:
    open_ = told(cell(load=Load(pattern="steady", rate=1.0)), [together(1, 64, 8, 9.0)])
    (found,) = cost_model.of([*design(), open_])
    assert decode(found).points == decode(EXACT).points
    assert cost_model.of([open_]) == ()


def test_more_streams_than_slots_count_as_those_that_are_answered() -> None:
    # Two slots; the third and the fourth request wait.
    waves = [
        sample(stream=stream, sent_s=1.0, load_s=0.0, queue_s=wait, prefill_s=0.1, gap_s=0.1, n=11)
        for stream, wait in enumerate((0.0, 0.0, 1.1, 1.1))
    ]
    (found,) = cost_model.of([told(cell(concurrency=4), [waves])])
    assert decode(found).points[0].at["streams"] == 2.0


# --- which terms -----------------------------------------------------------------------------------------------

TERMS = [
    (((64, 512), (1, 2)), ("1", "streams", "streams*depth"), ("1", "tokens")),
    (((64, 512), (1,)), ("1", "streams*depth"), ("1", "tokens")),
    (((64,), (1, 2)), ("1", "streams"), ("tokens",)),
    (((64,), (1,)), ("1",), ("tokens",)),
    (((64, 128, 256), (2, 4)), ("1", "streams", "streams*depth"), None),
]


@pytest.mark.parametrize(("shape", "of_decode", "of_prefill"), TERMS)
def test_a_line_has_the_terms_that_its_places_can_tell(
    shape: tuple[tuple[int, ...], tuple[int, ...]],
    of_decode: tuple[str, ...],
    of_prefill: tuple[str, ...] | None,
) -> None:
    found = only(design(*shape))
    assert decode(found).terms == of_decode
    assert (found.prefill and found.prefill.terms) == of_prefill


GAINS = [
    (("1", "tokens", "tokens^2"), (0.1, 0.2, -0.3), ("1", "tokens")),
    (("1", "tokens", "tokens^2"), (0.1, -0.2, 0.3), ("1", "tokens")),
    (("1", "tokens", "tokens^2"), (-0.1, 0.2, 0.3), ("tokens", "tokens^2")),
    (("1", "streams", "streams*depth"), (0.1, -0.2, -0.3), ("1", "streams")),
    (("1", "streams", "streams*depth"), (0.1, 0.0, 0.3), ("1", "streams", "streams*depth")),
    (("1", "tokens"), (0.1, -0.2), ("tokens",)),
    (("tokens",), (-0.1,), ("tokens",)),
]


@pytest.mark.parametrize(("terms", "values", "left"), GAINS)
def test_no_work_costs_less_than_nothing(
    terms: tuple[str, ...], values: tuple[float, ...], left: tuple[str, ...]
) -> None:
    assert cost_model._without_gains(terms, values) == left


def test_chance_makes_no_negative_cost() -> None:
    lines = [one for seed in range(5) for one in (decode(only(design(factor=noisy(seed, 0.2), repeats=2))),)]
    assert all((one.value or 0) >= 0 for line in lines for one in line.coefficients)


def test_prompts_read_beside_others_tell_nothing_of_a_prompt_alone() -> None:
    found = only(design((64, 128), (2,)))
    assert found.missing["prefill"] == (
        "prompts were only read beside other requests; a cell with concurrency 1 tells what one costs"
    )


def test_tokens_from_the_cache_cost_nothing_but_are_looked_back_on() -> None:
    """A prompt of 1,000 tokens, 900 of them cached, is 100 tokens at a depth of 900."""
    warm = cell(prompt_tokens=1000, cache="warm")
    seen = [sample(prompt_tokens=1000, cached=900, prefill_s=0.15, load_s=0.0)] * 2
    (found,) = cost_model.of([told(warm, [seen])])
    assert prefill(found).points[0].at == {"tokens": 100.0, "depth": 900.0}
    assert prefill(found).span["depth"] == (0.0, 1000.0)


def test_where_the_cache_is_not_known_prompts_have_no_line() -> None:
    unknown = cell(prompt_tokens=64)
    seen = [sample(cached=None, prefill_s=0.02, gap_s=0.02)]
    (found,) = cost_model.of([told(unknown, [seen])])
    assert found.missing["prefill"] == (
        "it is not known how many tokens of the prompts came from the cache; a cell with cold prompts tells"
    )


def test_a_load_is_a_line_over_three_sizes_of_models() -> None:
    cells = [
        told(
            cell(model=name),
            [[sample(phase="cold", load_s=0.1 + size / 1e9), sample()] for _ in range(3)],
            card(name, size=size),
        )
        for name, size in (("a:1b", 500_000_000), ("b:1b", 1_000_000_000), ("c:1b", 2_000_000_000))
    ]
    found = cost_model.of(cells)
    assert [one.model for one in found] == ["a:1b", "b:1b", "c:1b"]
    line = found[0].load
    assert line is not None
    assert coefficients(line) == pytest.approx({"1": 0.1, "bytes": 1e-9})
    assert cost_model.at(line, {"bytes": 1.5e9}).value == pytest.approx(1.6)
    assert cost_model.of(cells[:2])[0].load is None


def test_requests_without_counts_have_no_line_and_say_so() -> None:
    (found,) = cost_model.of([told(cell(), [[sample(counts=None)]])])
    assert (found.decode, found.prefill) == (None, None)
    assert found.missing["decode"] == "no answer of two tokens or more has the server's counts"


# --- asked -----------------------------------------------------------------------------------------------------


def test_a_place_between_is_told_with_its_interval() -> None:
    found = cost_model.at(decode(EXACT), {"streams": 2.0, "depth": 700.0})
    assert found.value == pytest.approx(step(2, 700), rel=1e-4)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= step(2, 700) * 1.0001 <= found.high * 1.0002


REFUSED = [
    (
        "decode",
        {"streams": 4.0, "depth": 700.0},
        "it was measured with 1 to 2 streams; beyond that the line is a guess",
    ),
    (
        "decode",
        {"streams": 2.0, "depth": 24_000.0},
        "it was measured with 80 to 1,040 tokens of context; beyond that the line is a guess",
    ),
    ("prefill", {"tokens": 20.0}, "it was measured with 64 to 1,024 tokens; beyond that the line is a guess"),
    (
        "prefill",
        {"tokens": 300.0, "depth": 900.0},
        "it was measured with 0 to 1,024 tokens of context; beyond that the line is a guess",
    ),
]


@pytest.mark.parametrize(("what", "place", "reason"), REFUSED)
def test_a_place_beyond_is_refused(what: str, place: dict[str, float], reason: str) -> None:
    line = decode(EXACT) if what == "decode" else prefill(EXACT)
    assert cost_model.at(line, place).value is None
    assert cost_model.at(line, place).reason == reason
    asked = cost_model.at(line, place, beyond=True)
    assert asked.value is not None
    assert asked.reason == reason


def test_a_length_that_is_off_by_a_few_tokens_is_no_other_place() -> None:
    assert cost_model.at(prefill(EXACT), {"tokens": 1030.0}).value is not None


def test_part_of_a_prompt_costs_what_the_whole_does_less_what_was_there() -> None:
    mean = cost_model.seconds(prefill(EXACT))
    assert mean(100.0, 900.0) == pytest.approx(read(1000) - read(900) + READ[0], rel=1e-4)
    assert cost_model.seconds(decode(EXACT))(2.0, 700.0) == pytest.approx(step(2, 700), rel=1e-4)


def test_an_answer_is_in_tokens_a_second_and_seconds() -> None:
    model = replace(EXACT, slots=2)
    found = cost_model.answer(model, depth=500, streams=2, tokens=600)
    assert found.decode.value == pytest.approx(1 / step(2, 500), rel=1e-4)
    assert found.throughput.value == pytest.approx(2 / step(2, 500), rel=1e-4)
    assert found.ttft.value == pytest.approx(read(600), rel=1e-4)
    assert found.waiting == 0
    six = cost_model.answer(model, depth=500, streams=6, tokens=600)
    assert (six.decode, six.waiting) == (found.decode, 4)


def test_an_answer_that_nobody_can_give_says_why() -> None:
    found = cost_model.answer(only(design((64, 128), (2,))), depth=5000, streams=2, tokens=100)
    assert found.decode.value is None
    assert found.decode.reason.startswith("it was measured with 80 to 144 tokens of context")
    assert found.ttft.reason.startswith("prompts were only read beside other requests")


# --- beyond ----------------------------------------------------------------------------------------------------


def noisy(seed: int, scatter: float = 0.03) -> Callable[[], float]:
    dice = np.random.default_rng((6, seed))
    return lambda: 1 + scatter * float(dice.standard_normal())


def width(line: Line, place: dict[str, float]) -> float:
    found = cost_model.at(line, place, beyond=True)
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_the_farther_beyond_the_wider() -> None:
    line = decode(only(design(factor=noisy(1))))
    widths = [width(line, {"streams": 2.0, "depth": depth}) for depth in (1000.0, 1500.0, 3000.0, 6000.0)]
    assert widths == sorted(widths)
    assert widths[-1] > 4 * widths[0]


def test_of_one_number_of_streams_more_take_as_long_as_one_to_as_all_one_after_the_other() -> None:
    line = decode(only(design(streams=(1,))))
    found = cost_model.at(line, {"streams": 4.0, "depth": 500.0}, beyond=True)
    assert found.low == pytest.approx(step(1, 500), rel=1e-3)
    assert found.high == pytest.approx(4 * step(1, 500), rel=1e-3)


def test_where_nothing_says_how_it_grows_there_is_no_figure() -> None:
    line = decode(only(design((64,))))
    found = cost_model.at(line, {"streams": 2.0, "depth": 500.0}, beyond=True)
    assert found.value is None
    assert found.reason.endswith("beyond that the line is a guess, and nothing measured says how it grows")


def test_with_two_numbers_of_streams_growth_beyond_is_half_to_twice_the_lines() -> None:
    found = cost_model.at(decode(EXACT), {"streams": 4.0, "depth": 500.0}, beyond=True)
    growth = step(4, 500) - step(2, 500)
    assert found.low == pytest.approx(step(2, 500) + growth / 2, rel=1e-3)
    assert found.high == pytest.approx(step(2, 500) + growth * 2, rel=1e-3)


# --- drawn -----------------------------------------------------------------------------------------------------


def test_drawn_lines_scatter_as_the_prediction_interval_says() -> None:
    line = decode(only(design(factor=noisy(2), repeats=4)))
    place = {"streams": 2.0, "depth": 600.0}
    dice = np.random.default_rng(5)
    drawn = [cost_model.seconds(cost_model.drawn(line, dice))(2.0, 600.0) for _ in range(1000)]
    found = cost_model.at(line, place)
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx([found.low, found.high], rel=0.01)


def test_without_freedom_there_is_no_interval_and_nothing_to_draw() -> None:
    line = decode(only(design((64,), (1,), repeats=1)))
    assert (line.freedom, line.lack) == (0, None)
    found = cost_model.at(line, {"streams": 1.0, "depth": 80.5})
    assert found.value == pytest.approx(step(1, 80.5), rel=1e-4)
    assert (found.low, found.high) == (None, None)
    assert (
        found.reason
        == "as many visits as the line has terms; more visits would tell how far it can be trusted"
    )
    assert cost_model.drawn(line, np.random.default_rng(1)) is line
