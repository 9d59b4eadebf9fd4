"""How the visits of a run are counted when it has ended."""

from records import cell, observation, sample

from olbench.model import Visit
from olbench.verbs.taking import Tally

ONE, TWO = cell(num_ctx=2048), cell(num_ctx=4096)


def test_a_visit_that_was_taken_again_counts_once() -> None:
    tally = Tally()
    for seen in (
        observation(ONE, [sample()]),
        observation(ONE, [sample(), sample(index=1, outcome="stalled")]),
    ):
        tally.add(seen)
    assert (len(tally.visits), len(tally.good), tally.failed) == (1, 1, 1)


def test_a_visit_whose_second_take_broke_was_measured_all_the_same() -> None:
    tally = Tally()
    tally.add(observation(ONE, [sample()]))
    tally.add(observation(ONE, problem="nobody answers"))
    tally.add(observation(TWO, problem="nobody answers"))
    assert (len(tally.visits), len(tally.good)) == (2, 1)


def test_visits_beyond_the_plan_are_not_taken_for_planned_ones() -> None:
    tally = Tally()
    tally.add(observation(ONE, [sample()], repeat=7))
    assert tally.through([Visit(0, ONE.id, 0), Visit(1, ONE.id, 7)]) == 1


def test_requests_that_only_look_for_the_slots_fail_nothing() -> None:
    tally = Tally()
    tally.add(observation(ONE, [sample(phase="probe", outcome="stalled"), sample(index=1)]))
    assert (len(tally.good), tally.failed) == (1, 0)
