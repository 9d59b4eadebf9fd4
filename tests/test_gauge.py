"""The cells from which a persona's cost model is learned."""

from dataclasses import replace

from builders import cell

from olbench import gauge, plan
from olbench.arrival import Load, Persona
from olbench.model import Plan, Visit
from olbench.scenario import parse

PERSONA = Persona(
    users=10, questions_per_hour=12, prompt_tokens=100, output_tokens=50, turns=3, think_ns=30 * 10**9
)
BASE = plan.at_streams(plan.at_prompt(cell(), 100, 50), 1)


def test_prompts_reach_from_a_question_to_the_end_of_a_conversation() -> None:
    made = gauge.cells(BASE, PERSONA, slots=1)
    assert [one.prompt_tokens for one in made] == [100, 200, 300, 400]  # 3 * 100 + 2 * 50 at the deepest
    assert {one.output_tokens for one in made} == {50}
    assert {one.concurrency for one in made} == {1}


def test_questions_that_stand_alone_are_measured_up_to_twice_their_length() -> None:
    made = gauge.cells(BASE, replace(PERSONA, turns=1), slots=1)
    assert [one.prompt_tokens for one in made] == [100, 133, 167, 200]


def test_no_prompt_is_longer_than_the_context_holds() -> None:
    made = gauge.cells(replace(BASE, num_ctx=200), replace(PERSONA, turns=1), slots=1)
    assert [one.prompt_tokens for one in made] == [100, 117, 133, 150]


def test_as_many_streams_as_there_are_slots_are_measured_at_both_ends() -> None:
    made = gauge.cells(BASE, PERSONA, slots=4)
    assert [(one.concurrency, one.prompt_tokens) for one in made if one.concurrency > 1] == [
        (2, 100),
        (2, 400),
        (4, 100),
        (4, 400),
    ]


def test_the_question_itself_is_among_them_with_the_id_that_it_has_everywhere() -> None:
    assert BASE.id in {one.id for one in gauge.cells(BASE, PERSONA, slots=2)}


def test_visits_come_in_rounds_and_are_numbered_through() -> None:
    measure = parse(
        'question = "q?"\n[sweep]\nmodel = "m"\n[measure]\nrepeats = 3', path="x", environ={}
    ).measure
    made = gauge.planned([BASE], PERSONA, 2, measure)
    assert [visit.seq for visit in made.visits] == list(range(len(made.visits)))
    small, *others = made.cells
    assert all({visit.repeat for visit in made.visits if visit.cell == one.id} == {0, 1, 2} for one in others)
    assert made.visits[0] == Visit(0, small.id, 0)
    assert sum(visit.cell == small.id for visit in made.visits) == 1


def test_one_cell_has_half_the_context_and_is_none_that_is_searched() -> None:
    (small,) = gauge.smaller(BASE, PERSONA)
    assert (small.num_ctx, small.prompt_tokens) == (BASE.num_ctx // 2, 133)
    assert gauge.smaller(replace(BASE, num_ctx=600), PERSONA) == ()  # 300 hold 133 and 50 not twice


def test_a_probe_adds_its_cell_once_and_a_visit_each_time() -> None:
    under_load = plan.at_load(BASE, Load(pattern="poisson", rate=2.0))
    empty = Plan(cells=(BASE,), visits=(Visit(0, BASE.id, 0),), excluded=0, notes=())
    once, first = gauge.probe(empty, under_load, 0)
    twice, second = gauge.probe(once, under_load, 1)
    assert [one.id for one in twice.cells] == [BASE.id, under_load.id]
    assert (first, second) == (Visit(1, under_load.id, 0), Visit(2, under_load.id, 1))
    assert twice.visits == (*empty.visits, first, second)
