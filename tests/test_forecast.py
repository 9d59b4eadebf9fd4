"""Predicted capacity: what it is by hand, what binds, how wide its interval is, and when there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import pytest

from olbench import seek
from olbench.arrival import Persona
from olbench.bottleneck import highest
from olbench.crowd import Beside, Crowd, Effort, engine_of
from olbench.findings import Estimate
from olbench.forecast import predicted
from olbench.queueing import Engine
from olbench.sized import CostModel, Line, Predicted
from olbench.slo import Aspect, Term

LITTLE = Effort(requests=600, drawn=300, draws=6)
GUESS = "beyond that the line is a guess"
GRID = seek.grid(1, 60, 0.1, whole=True)
PEOPLE = Persona(
    users=20, questions_per_hour=60, prompt_tokens=400, output_tokens=100, turns=3, think_ns=10 * 10**9
)
SPANS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "decode": {"streams": (1, 4), "depth": (400, 1500)},
    "prefill": {"tokens": (400, 1500), "depth": (0, 1500)},
    "load": {},
}


def line(what: str, terms: Mapping[str, float], *, doubt: float = 0.02, scatter: float = 0.02) -> Line:
    """A line whose coefficients are known to so large a share."""
    numbers = tuple(terms.values())
    return Line(
        what="decode" if what == "decode" else "prefill",
        terms=tuple(terms),
        coefficients=tuple(Estimate(one, None, None) for one in numbers),
        covariance=tuple(
            tuple((doubt * one) ** 2 if row == place else 0.0 for place in range(len(numbers)))
            for row, one in enumerate(numbers)
        ),
        scatter=scatter,
        freedom=30,
        lack=None,
        reason="",
        span=SPANS[what],
        points=(),
    )


DECODE = line("decode", {"1": 0.02, "streams": 0.002, "streams*depth": 1e-7})
PREFILL = line("prefill", {"1": 0.01, "tokens": 0.0005, "tokens^2": 1e-8})
COST = CostModel(model="m", label="m", decode=DECODE, prefill=PREFILL, load=None, slots=2, missing={})


def term(aspect: Aspect, bound: float, share: float = 0.95) -> Term:
    return Term(key=f"{aspect}_p95", aspect=aspect, share=share, bound=bound)


def told(
    cost: CostModel = COST, terms: Sequence[Term] = (term("ttft", 1.5),), people: Persona = PEOPLE
) -> Predicted:
    return predicted(cost, people, terms, GRID, seed=1, effort=LITTLE)


@cache
def usual() -> Predicted:
    return told()


# --- the search -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [-3, 0, 4, 9, 20])
@pytest.mark.parametrize("last", [-1, 0, 3, 9])
def test_the_highest_place_is_found_from_anywhere_with_few_questions(last: int, start: int) -> None:
    asked: list[int] = []

    def kept(place: int) -> bool:
        asked.append(place)
        return place <= last

    assert highest(kept, 10, start) == last
    assert len(asked) == len(set(asked)) <= 7


# --- the answer -----------------------------------------------------------------------------------------------


def test_the_answer_is_the_last_load_of_the_grid_at_which_the_simulation_keeps_every_line() -> None:
    found = usual()
    crowd = Crowd(PEOPLE, (term("ttft", 1.5),), 1, Beside())
    answer = found.capacity.value
    assert answer in GRID
    over = GRID[GRID.index(answer) + 1]
    assert crowd.room(engine_of(COST, Beside()), round(answer), LITTLE.requests) >= 0
    assert crowd.room(engine_of(COST, Beside()), round(over), LITTLE.requests) < 0
    assert found.capacity.low is not None
    assert found.capacity.high is not None
    assert found.capacity.low <= answer <= found.capacity.high
    assert found.reason == found.capacity.reason == ""


def test_the_same_seed_gives_the_same_prediction() -> None:
    assert told() == usual()


def test_a_cost_model_that_is_known_less_gives_a_wider_interval() -> None:
    vague = replace(
        COST,
        decode=line("decode", {"1": 0.02, "streams": 0.002, "streams*depth": 1e-7}, doubt=0.2, scatter=0.1),
    )
    sure, unsure = usual().capacity, told(vague).capacity
    assert width(unsure) > width(sure)
    assert unsure.value == sure.value


def width(one: Estimate) -> float:
    assert one.low is not None
    assert one.high is not None
    return one.high - one.low


def test_forecasts_stand_around_the_answer_in_ascending_order_and_fall_with_the_load() -> None:
    found = usual()
    loads = [one.load for one in found.forecasts]
    answer = found.capacity.value
    assert answer is not None
    place = GRID.index(answer)
    assert loads == list(GRID[max(place - 2, 0) : place + 3])
    shares = [one.shares["ttft_p95"] for one in found.forecasts]
    values = [one.value or 0.0 for one in shares]
    assert values[0] > values[-1]
    assert all((one.low or 0) <= (one.value or 0) <= (one.high or 0) for one in shares)
    assert found.forecasts[0].waiting < found.forecasts[-1].waiting
    assert all(0 < one.busy["prefill"] + one.busy["decode"] <= 1 for one in found.forecasts)


def test_time_that_no_engine_is_taken_for_counts_in_what_people_wait() -> None:
    people = replace(PEOPLE, users=1)
    tight = (term("ttft", 0.75),)
    without = predicted(COST, people, tight, GRID, seed=1, effort=LITTLE)
    beside = predicted(COST, people, tight, GRID, seed=1, effort=LITTLE, beside=Beside(overhead=0.6))
    assert without.capacity.value is not None
    assert without.capacity.value > 0
    assert beside.capacity.value == 0.0
    assert "not even 1 user" in beside.capacity.reason


# --- what binds -----------------------------------------------------------------------------------------------


def test_slots_bind_where_answers_go_beside_each_other_at_no_cost() -> None:
    free = replace(COST, decode=line("decode", {"1": 0.03, "streams": 0.0, "streams*depth": 0.0}))
    found = told(free)
    assert found.binds == "slots"
    assert found.why.startswith("with 3 slots instead of 2 it would carry ")
    assert "% of requests find no slot free" in found.why


def test_reading_binds_where_long_prompts_are_read_for_short_answers() -> None:
    reading = replace(PEOPLE, output_tokens=4, prompt_tokens=600, turns=2)
    slow = replace(COST, prefill=line("prefill", {"1": 0.01, "tokens": 0.002}), slots=4)
    found = told(slow, (term("ttft", 4.0),), reading)
    assert found.binds == "prefill"
    assert found.why.startswith("with a fifth less time for reading prompts")


def test_decoding_binds_where_answers_slow_each_other_down() -> None:
    heavy = replace(COST, decode=line("decode", {"1": 0.001, "streams": 0.03, "streams*depth": 0.0}), slots=4)
    found = told(heavy, (term("answer_rate", 16.0),))
    assert found.binds == "decode"
    assert found.why.startswith("with a fifth less time for each token of the answers")


def test_a_service_level_that_everybody_keeps_binds_nothing_as_far_as_was_asked() -> None:
    found = predicted(COST, PEOPLE, (term("ttft", 1000.0),), (1.0, 2.0), seed=1, effort=LITTLE)
    assert found.capacity.value == 2.0
    assert found.capacity.reason == "2 users were the most that was asked about"
    assert (found.binds, found.why) == (None, "nothing binds up to 2 users")


# --- how far it goes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "people", "reason"),
    [
        (replace(COST, slots=None, missing={"slots": "nobody knows"}), PEOPLE, "nobody knows"),
        (replace(COST, decode=None, missing={"decode": "no answers"}), PEOPLE, "no answers"),
        (replace(COST, prefill=None), PEOPLE, "the cost model has no prefill"),
        (
            replace(COST, slots=9),
            PEOPLE,
            "decoding 9 answers at once at 1,450 tokens of context: it was measured with 1 to 4 streams; "
            + GUESS,
        ),
        (
            COST,
            replace(PEOPLE, turns=9),
            "decoding 2 answers at once at 4,450 tokens of context: "
            "it was measured with 400 to 1,500 tokens of context; " + GUESS,
        ),
    ],
)
def test_what_the_cost_model_cannot_say_is_refused_with_the_reason(
    cost: CostModel, people: Persona, reason: str
) -> None:
    found = told(cost, people=people)
    assert found.reason == found.capacity.reason == reason
    assert (found.capacity.value, found.binds, found.forecasts) == (None, None, ())


def test_a_little_beyond_what_was_measured_is_predicted_with_the_doubt() -> None:
    found = told(people=replace(PEOPLE, turns=4))
    assert found.reason == ""
    assert found.capacity.value
    assert found.capacity.reason.startswith(
        "decoding 2 answers at once at 1,950 tokens of context: it was measured"
    )


def test_no_service_level_has_no_capacity() -> None:
    assert told(terms=()).reason == "there is no service level to keep; a section [slo] says what it is"


def test_the_engine_has_the_lines_coefficients_and_no_step_that_shrinks() -> None:
    odd = replace(COST, decode=line("decode", {"1": 0.02, "streams": -0.001}))
    assert engine_of(odd, Beside(batch=2048, cache="all")) == Engine(
        slots=2,
        step=0.02,
        stream=0.0,
        depth=0.0,
        opening=0.01,
        token=0.0005,
        square=1e-8,
        batch=2048,
        cache="all",
    )
