"""Load patterns against hand calculations, and against what their definitions say of many draws."""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from olbench import arrival
from olbench.arrival import Arrival, Load, Persona, Talk

S = 10**9
PEOPLE = Persona(
    users=50,
    questions_per_hour=60,
    prompt_tokens=100,
    output_tokens=50,
    turns=4,
    think_ns=30 * S,
)


def load(pattern: arrival.Pattern, **rest: float | str) -> Load:
    return replace(Load(pattern=pattern), **rest)  # type: ignore[arg-type]  # a table's row


def asked(talks: Sequence[Talk], answer_ns: int = 0) -> Iterator[tuple[int, int]]:
    """When each question falls due where an answer takes so long, and whose it is; a user does one thing at a time."""
    free: dict[int, int] = {}
    for talk in talks:
        due = max(talk.start_ns, free.get(talk.user, 0))
        for think in (*talk.thinks_ns, None):
            yield due, talk.user
            due += answer_ns + (think or 0)
        free[talk.user] = due


# --- patterns whose times are exact --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "count", "dues"),
    [
        (load("steady", rate=4.0), 5, (0.0, 0.25, 0.5, 0.75, 1.0)),
        (load("steady", rate=0.5), 3, (0.0, 2.0, 4.0)),
        # 7 in threes, 3 every 1.5 s: 2 a second.
        (load("burst", rate=2.0, burst=3), 7, (0.0, 0.0, 0.0, 1.5, 1.5, 1.5, 3.0)),
        # Span 2 x 4 / 2 = 4 s; the rate t / 2 has added up to t^2 / 4 = i: t = 2 sqrt(i).
        (load("ramp", start_rate=0.0, rate=2.0), 4, (0.0, 2.0, 2.828427125, 3.464101615)),
        # Span 2 x 8 / 4 = 4 s; t + t^2 / 4 = i: t = 2 (sqrt(1 + i) - 1), so that 3 is due at 2 and 8 at 4.
        (
            load("ramp", start_rate=1.0, rate=3.0),
            8,
            (0.0, 0.828427125, 1.464101615, 2.0, 2.472135955, 2.898979486, 3.291502622, 3.656854249),
        ),
        (load("ramp", start_rate=2.0, rate=2.0), 3, (0.0, 0.5, 1.0)),
        (load("steady", rate=1.0), 0, ()),
    ],
)
def test_dues_are_those_of_the_hand_calculation(pattern: Load, count: int, dues: tuple[float, ...]) -> None:
    assert arrival.dues(pattern, count, 1) == tuple(round(due * S) for due in dues)
    assert arrival.dues(pattern, count, 2) == arrival.dues(pattern, count, 1)


def test_a_steady_rate_does_not_drift_over_a_million_requests() -> None:
    dues = arrival.dues(load("steady", rate=300.0), 1_000_001, 1)
    assert dues[-1] == round(1_000_000 / 300 * S)


TRACE = tuple(Arrival(due_ns=due * S, prompt_tokens=10, output_tokens=5) for due in (0, 1, 1, 4))


def test_a_replay_keeps_the_gaps_of_its_trace_divided_by_its_speed() -> None:
    assert arrival.dues(load("replay", speed=1.0), 3, 1, TRACE) == (0, S, S)
    assert arrival.dues(load("replay", speed=2.0), 9, 1, TRACE) == (0, S // 2, S // 2, 2 * S)


@pytest.mark.parametrize(
    ("pattern", "count", "seconds"),
    [
        (load("steady", rate=4.0), 10, 2.5),
        (load("poisson", rate=4.0), 10, 2.5),
        (load("burst", rate=4.0, burst=5), 10, 2.5),
        (load("ramp", start_rate=1.0, rate=3.0), 8, 4.0),
        (load("replay", speed=2.0), 2, 0.5),
        (load("replay", speed=2.0), 99, 2.0),
        (PEOPLE.load(50), 200, 240.0),  # 50 people of 60 questions an hour: 5 in 6 s
    ],
)
def test_a_load_takes_as_long_as_its_rate_says(pattern: Load, count: int, seconds: float) -> None:
    assert arrival.span_ns(pattern, count, TRACE) == round(seconds * S)


def test_questions_of_sessions_have_no_dues_of_their_own() -> None:
    with pytest.raises(ValueError, match="see talks"):
        arrival.dues(PEOPLE.load(1), 1, 1)


def test_a_load_that_lacks_what_its_pattern_needs_is_no_load() -> None:
    with pytest.raises(ValueError, match="lacks"):
        arrival.dues(load("steady"), 1, 1)


# --- draws ---------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_and_another_gives_another() -> None:
    poisson, people = load("poisson", rate=3.0), PEOPLE.load(5)
    for draw in (
        lambda seed: arrival.dues(poisson, 50, seed),
        lambda seed: arrival.parts((1.0, 2.0), 50, seed),
        lambda seed: arrival.talks(people, 3600 * S, (1.0, 2.0), seed),
    ):
        assert draw(7) == draw(7)
        assert draw(7) != draw(8)
        assert draw("7/0") != draw("7/1")


def test_drawn_times_are_the_same_everywhere_and_for_ever() -> None:
    assert arrival.dues(load("poisson", rate=2.0), 4, 1) == (30498015, 203471409, 736248525, 1672279901)


def test_gaps_of_a_poisson_load_are_exponential() -> None:
    dues = [0, *arrival.dues(load("poisson", rate=5.0), 20_000, 3)]
    gaps = [(after - before) / S for before, after in pairwise(dues)]
    # Mean and standard deviation are 1 / rate; of 20,000 the mean's own deviation is 0.7 %, the other's 1 %.
    assert statistics.fmean(gaps) == pytest.approx(0.2, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.2, rel=0.04)
    assert sum(gap > 0.2 for gap in gaps) / len(gaps) == pytest.approx(0.3679, abs=0.015)  # e^-1
    # Memoryless: after a long gap the next is no longer than others.
    after_long = [after for before, after in pairwise(gaps) if before > 0.4]
    assert statistics.fmean(after_long) == pytest.approx(0.2, rel=0.08)


def test_parts_come_by_their_weights() -> None:
    drawn = Counter(arrival.parts((1, 3, 0), 20_000, 5))
    assert drawn[0] == pytest.approx(5_000, abs=250)
    assert set(drawn) == {0, 1}
    assert arrival.parts((), 3, 5) == arrival.parts((2.0,), 3, 5) == (0, 0, 0)


def test_more_users_or_a_longer_time_add_conversations_and_change_none() -> None:
    few = set(arrival.talks(PEOPLE.load(5), 600 * S, (), 1))
    more = set(arrival.talks(PEOPLE.load(9), 600 * S, (), 1))
    longer = set(arrival.talks(PEOPLE.load(5), 1200 * S, (), 1))
    assert few < more
    assert few < longer
    assert {talk for talk in more if talk.user < 5} == few
    assert {talk for talk in longer if talk.start_ns < 600 * S} == few


def test_conversations_stand_by_their_start_within_the_span() -> None:
    talks = arrival.talks(PEOPLE.load(20), 900 * S, (), 4)
    starts = [talk.start_ns for talk in talks]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert starts[-1] < 900 * S
    assert {talk.user for talk in talks} == set(range(20))
    assert max(len(talk.thinks_ns) for talk in talks) == 3
    assert {talk.part for talk in talks} == {0}


def test_conversations_begin_at_exponential_intervals_and_pauses_are_exponential() -> None:
    # One user for 3000 h: 60 questions an hour in conversations of 4 are one every 240 s.
    talks = arrival.talks(PEOPLE.load(1), 3000 * 3600 * S, (1, 3), 2)
    gaps = [(after.start_ns - before.start_ns) / S for before, after in pairwise(talks)]
    pauses = [think / S for talk in talks for think in talk.thinks_ns]
    assert len(talks) == pytest.approx(45_000, rel=0.02)
    assert statistics.fmean(gaps) == pytest.approx(240, rel=0.02)
    assert statistics.stdev(gaps) == pytest.approx(240, rel=0.03)
    assert statistics.fmean(pauses) == pytest.approx(30, rel=0.02)
    assert statistics.stdev(pauses) == pytest.approx(30, rel=0.03)
    assert sum(talk.part for talk in talks) / len(talks) == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(
    ("turns", "think_s", "per_hour"), [(4, 30, 60), (1, 30, 60), (8, 60, 20), (3, 6, 120)]
)
def test_questions_come_at_one_rate_from_the_first_moment_to_the_last(
    turns: int, think_s: int, per_hour: int
) -> None:
    people = replace(PEOPLE, turns=turns, think_ns=think_s * S, questions_per_hour=per_hour).load(40)
    span = arrival.sessions_span_ns(people, 300)
    tenths, trials = [0] * 10, 60
    for seed in range(trials):
        for due, _ in asked(arrival.talks(people, span, (), seed)):
            if due < span:
                tenths[due * 10 // span] += 1
    # 30 are expected in each tenth; questions come in clusters of `turns`, so that of 60 trials a mean of 30 has a
    # standard deviation of at most sqrt(30 turns / 60).
    sure = 4 * (30 * turns / trials) ** 0.5
    assert [tenth / trials for tenth in tenths] == pytest.approx([30.0] * 10, abs=sure)
    assert sum(tenths) / trials == pytest.approx(300, abs=4 * (300 * turns / trials) ** 0.5)


def test_a_conversation_that_was_under_way_has_only_its_remaining_questions() -> None:
    every = [arrival.talks(PEOPLE.load(30), 240 * S, (), seed) for seed in range(100)]
    cut = [talk for talks in every for talk in talks if len(talk.thinks_ns) < 3]
    # Of 30 users a conversation begins every 8 s; its questions 2, 3 and 4 come 30, 60 and 90 s later in the mean, so
    # 30 / 8 of them have 3 questions left, as many 2, and as many 1.
    left = Counter(len(talk.thinks_ns) + 1 for talk in cut)
    assert [left[size] / 100 for size in (1, 2, 3)] == pytest.approx([3.75] * 3, abs=0.8)


def test_one_question_has_no_pauses_and_a_thoughtless_user_none_that_last() -> None:
    single = arrival.talks(replace(PEOPLE, turns=1).load(5), 600 * S, (), 1)
    assert {talk.thinks_ns for talk in single} == {()}
    hasty = arrival.talks(replace(PEOPLE, think_ns=0).load(5), 600 * S, (), 1)
    assert {talk.thinks_ns for talk in hasty} == {(0, 0, 0)}
