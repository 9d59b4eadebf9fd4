"""Whether a cell stayed the same: hand calculations, and seeded draws that ask how often the checks cry wolf."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from records import cell, ns, observation, sample, several, visits
from scipy import stats

from olbench.column import Column
from olbench.findings import Flag
from olbench.gist import Gist, Told, gist
from olbench.model import Cell, Observation, Sample
from olbench.steady import (
    Drift,
    Step,
    drift,
    outliers,
    startup,
    startup_cut,
    step,
    steps_of_requests,
    told,
    unjudged,
)
from olbench.steady.requests import ranks_p, stalls
from olbench.steady.trend import kendall, order_p
from olbench.thresholds import limits

BARS = limits({})
DRIFT, STEP, START = BARS["drift"], BARS["step"], BARS["startup"]


def numbers(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


def fires(found: Drift | Step | None) -> bool:
    return found is not None and found.fires


# --- drift ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "s"),
    [
        ((1, 2, 3, 4, 5), 10),
        ((5, 4, 3, 2, 1), -10),
        ((1, 3, 2, 5, 4), 6),  # 8 pairs rise, 2 fall
        ((2, 2, 2), 0),
        ((1, 1, 2, 3), 5),  # 6 pairs, one of them alike
    ],
)
def test_s_is_how_many_pairs_rise_less_how_many_fall(values: tuple[float, ...], s: int) -> None:
    assert kendall(numbers(*values)) == s


@pytest.mark.parametrize(
    ("s", "ties", "p"),
    [
        (6, (1,) * 4, 2 / 24),  # the one rising and the one falling order of four
        (10, (1,) * 5, 2 / 120),
        (-8, (1,) * 5, 10 / 120),  # one exchange of neighbours: 4 orders on each side, and the two above
        (0, (1,) * 5, 1.0),
        (5, (1, 1, 2), 2 / 12),  # a a b c has 12 orders; the first and the last of them
        (0, (3,), 1.0),
    ],
)
def test_the_chance_of_an_order_of_few_visits_is_counted(s: int, ties: tuple[int, ...], p: float) -> None:
    assert order_p(s, ties) == pytest.approx(p)


def test_the_chance_of_an_order_is_scipys() -> None:
    draw = np.random.default_rng(4)
    for count in (5, 7, 10):
        values = draw.standard_normal(count)
        known = stats.kendalltau(np.arange(count), values, method="exact").pvalue
        assert order_p(kendall(values), (1,) * count) == pytest.approx(known)


def test_the_chance_of_an_order_of_many_visits_is_normal_and_corrected_for_what_is_alike() -> None:
    # Twelve values, three alike: variance (12 * 11 * 29 - 3 * 2 * 11) / 18 = 209.
    assert order_p(24, (1,) * 9 + (3,)) == pytest.approx(2 * stats.norm.sf(23 / np.sqrt(209)))


def test_theil_and_sens_slope_by_hand() -> None:
    # Ten slopes of 100, 96, 95, 88, 86 at minutes 0, 1, 2, 3, 4, ascending:
    # -7, -4.5, -4, -4, -4, -3.5, -10/3, -2.5, -2, -1. The median is (-4 - 3.5) / 2 = -3.75.
    # With it the values at the first visit are 100, 99.75, 102.5, 99.25, 101: the median is 100.
    found = drift((100, 96, 95, 88, 86), (0, 60, 120, 180, 240), DRIFT)
    assert found is not None
    assert found.change == pytest.approx(-0.15)
    assert (found.low, found.high) == pytest.approx(
        (-0.28, -0.04)
    )  # all ten slopes, for |S| = 10 alone is rare
    assert found.p == pytest.approx(2 / 120)
    assert (found.span_s, found.visits) == (240, 5)


def test_the_interval_over_many_visits_is_scipys() -> None:
    draw = np.random.default_rng(8)
    values, times = 100 + draw.standard_normal(24), np.cumsum(draw.random(24))
    found, known = drift(values, times, DRIFT), stats.theilslopes(values, times)
    first = float(np.median(values - known.slope * (times - times[0])))
    scale = (times[-1] - times[0]) / first
    assert found is not None
    assert (found.change, found.low, found.high) == pytest.approx(
        (known.slope * scale, known.low_slope * scale, known.high_slope * scale)
    )


def test_a_clear_fall_fires_and_a_small_or_a_wild_one_does_not() -> None:
    times = np.arange(6) * 60.0
    fall = numbers(100, 97.2, 93.8, 91.1, 88.1, 84.9)
    fired = [
        drift(values, times, DRIFT)
        for values in (fall, fall[::-1], 100 + (fall - 100) / 5, fall[[1, 0, 3, 2, 5, 4]])
    ]
    assert [fires(one) for one in fired] == [True, True, False, False]


def test_fewer_than_five_visits_cannot_drift_and_say_so() -> None:
    assert drift((100, 90, 80, 70), (0, 1, 2, 3), DRIFT) is None
    assert drift((100, float("nan"), 80, 70, 60), (0, 1, 2, 3, 4), DRIFT) is None
    assert unjudged(4) == "4 visits: a drift can be told from 5 on"
    assert unjudged(5) == ""


def test_visits_are_judged_in_the_order_of_their_times() -> None:
    there = drift((100, 85, 97, 94, 91, 88), (0, 500, 100, 200, 300, 400), DRIFT)
    alike = drift((100, 97, 94, 91, 88, 85), (7, 7, 7, 7, 7, 7), DRIFT)  # unknown times: places
    assert there is not None
    assert alike is not None
    assert there.fires == alike.fires is True
    assert there.change == alike.change == pytest.approx(-0.15)
    assert (there.span_s, alike.span_s) == (500, 5)


@pytest.mark.parametrize(
    "values", [(5.0,) * 7, (0.0,) * 7, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0), (-1.0, -2, -3, -4, -5)]
)
def test_values_that_say_nothing_fire_nothing(values: tuple[float, ...]) -> None:
    times = np.arange(len(values))
    assert not fires(drift(values, times, DRIFT))
    assert not fires(step(values[:-1], times[:-1], STEP))


# --- step -----------------------------------------------------------------------------------------------------


def test_a_step_between_visits_has_its_place_and_its_size() -> None:
    found = step((100, 101, 99, 80, 81, 79), np.arange(6), STEP)
    assert found is not None
    assert (found.visit, found.request, found.before, found.after, found.fires) == (3, None, 100, 80, True)
    assert found.size == pytest.approx(-0.2)
    # t = 20 / sqrt(1 * (1/3 + 1/3)) = 24.495 with 4 degrees of freedom; five places were tried.
    assert found.p == pytest.approx(5 * 2 * stats.t.sf(24.4949, 4), rel=1e-4)


def test_a_ramp_is_a_drift_and_no_step_and_a_step_is_told_as_a_step() -> None:
    times = np.arange(10) * 30.0
    shake = 0.4 * np.array([1, -1, 0, 1, 1, -1, -1, 0, 1, -1])
    ramp, jump = 100 - 1.6 * np.arange(10) + shake, np.repeat((100.0, 82.0), 5) + shake
    assert fires(drift(ramp, times, DRIFT))
    assert not fires(step(ramp, times, STEP))
    assert fires(step(jump, times, STEP))


def test_a_step_in_the_middle_of_a_visit_is_found_among_its_requests() -> None:
    calm, broken = numbers(99, 101, 100, 100, 99, 101, 100, 100), numbers(100, 101, 99, 100, 78, 79, 80, 79)
    (found,) = steps_of_requests([calm, broken], STEP)
    assert (found.visit, found.request, found.before, found.after) == (1, 4, 100, 79)
    # Two on one side are no level, and a place counts as sent: the second request failed here.
    assert steps_of_requests([numbers(100, 101, 99, 100, 101, 99, 80, 79)], STEP) == ()
    (late,) = steps_of_requests([np.insert(broken, 1, np.nan)], STEP)
    assert late.request == 5


def test_a_step_between_few_visits_must_be_twice_as_large() -> None:
    def three(level: float) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
        shape = numbers(-1, 1, 0, 0)
        return [100 + shape, 100.5 + shape, level + shape]

    assert steps_of_requests(three(86.0), STEP) == ()
    (found,) = steps_of_requests(three(80.0), STEP)
    assert (found.visit, found.request) == (2, None)
    assert (
        steps_of_requests([one + numbers(-9, 9, 5, -5) for one in three(80.0)], STEP) == ()
    )  # requests vary as much


@pytest.mark.parametrize(
    "rows", [[], [[]], [[1.0]], [[1.0] * 8], [[1.0] * 8] * 2, [[np.nan] * 8, [2.0]], [[0.0] * 9] * 3]
)
def test_requests_that_are_few_or_alike_have_no_step(rows: Sequence[Sequence[float]]) -> None:
    given = [numbers(*one) for one in rows]
    assert steps_of_requests(given, STEP) == ()
    assert startup(given, START) == 0
    assert not any(outliers(one, 0.5).any() for one in given)


# --- start-up -------------------------------------------------------------------------------------------------


def test_the_first_requests_of_all_visits_are_cut_where_they_are_worse() -> None:
    visit = [numbers(130, 112, 100, 101, 99, 100, 101, 99, 100) + shift for shift in (0, 1, -2)]
    assert startup(visit, START) == 2
    assert startup(visit, START, "higher") == 0
    assert startup([-1 * one + 300 for one in visit], START, "higher") == 2
    assert startup([one[:4] for one in visit], START) == 1  # a quarter of four
    assert startup([one[:3] for one in visit], START) == 0
    assert startup(visit[:2], START) == 0
    assert startup([*visit[:2], visit[2][2:]], START) == 0  # one visit begins lower: two of three are no rule


def test_nearly_all_of_many_visits_are_enough() -> None:
    usual = numbers(120, 100, 101, 99, 100, 98)
    assert startup([usual] * 7 + [usual[::-1]], START) == 1
    assert startup([usual] * 4 + [usual[::-1]] * 4, START) == 0


def test_the_chance_of_ranks_is_counted() -> None:
    assert ranks_p(9, (3, 3, 3)) == pytest.approx(1 / 64)  # the largest of four in three visits
    assert ranks_p(8, (3, 3, 3)) == pytest.approx(4 / 64)
    assert ranks_p(0, (3, 5)) == pytest.approx(1.0)


# --- far out, and stalled --------------------------------------------------------------------------------


def test_a_value_far_out_is_marked_if_it_is_many_spreads_and_a_large_share_away() -> None:
    usual = [1.0, 1.02, 0.98, 1.01, 0.99, 1.0]
    assert outliers(numbers(*usual, 1.7), 0.5).tolist() == [False] * 6 + [True]
    assert outliers(numbers(*usual, 0.6), 0.5).tolist() == [False] * 6 + [True]
    assert not outliers(numbers(*usual, 1.4), 0.5).any()
    assert not outliers(numbers(0.3, 0.6, 1.0, 1.5, 2.2, 3.0, 4.0), 0.5).any()
    assert outliers(numbers(0, 0, 0, 0, 0, 0, np.nan, 1), 0.5).tolist() == [False] * 7 + [True]


def test_a_stall_is_a_gap_of_seconds_and_of_many_usual_gaps() -> None:
    gaps = Column(numbers(0.1, 0.1, 3.0, 0.1, 2.5, 2.6), np.array([2, 0, 1, 3]), ("", "none", "", ""))
    rows, longest = stalls(gaps, 0.1, 2.0)
    assert (rows.tolist(), longest.tolist()) == ([2, 3], [3.0, 2.6])
    assert stalls(gaps, 0.5, 2.0)[0].tolist() == []


# --- a whole cell ---------------------------------------------------------------------------------------------


def a_told(of: Cell, seen: Sequence[Observation]) -> Told:
    return Told(of, len(seen), tuple(gist(one) for one in seen))


def timed(seen: Sequence[Observation], every_s: float = 60.0) -> tuple[Gist, ...]:
    return tuple(gist(replace(one, started_ns=ns(place * every_s))) for place, one in enumerate(seen))


def found(of: Cell, gists: Sequence[Gist]) -> dict[str, Flag]:
    return {one.check: one for one in told(Told(of, len(gists), tuple(gists)))}


def requests(*ttfts: float, gap_s: float = 0.02) -> list[Sample]:
    return [
        sample(index=place, sent_s=1.0 + 9 * place, prefill_s=ttft - 0.02, gap_s=gap_s)
        for place, ttft in enumerate(ttfts)
    ]


def test_a_drift_is_told_with_its_numbers_and_an_action() -> None:
    of = cell()
    flag = found(of, timed(visits(of, (100, 97.2, 93.8, 91.1, 88.1, 84.9))))["drift"]
    assert (
        flag.sentence
        == "decode rate fell by 15 % (14 to 16 %) from the first visit to the last, over 5 min 00 s"
    )
    assert flag.action.startswith("let the machine cool")
    rising = found(of, tuple(gist(one) for one in visits(of, (84.9, 88.1, 91.1, 93.8, 97.2, 100))))["drift"]
    assert rising.sentence.endswith("over 6 visits")
    assert "warming up" in rising.action


def test_a_step_is_told_with_its_place_and_is_no_drift_besides() -> None:
    of = cell()
    flags = found(of, timed(visits(of, (100, 101, 99, 100, 80, 81, 79, 80))))
    assert flags.keys() == {"step"}
    assert (
        flags["step"].sentence
        == "decode rate fell by 20 % at once from visit 5 on: 100 tok/s before, 80.0 tok/s after"
    )
    assert flags["step"].visits == (4, 5, 6, 7)


def test_a_step_within_a_visit_names_its_request() -> None:
    of = cell()
    calm = [0.1, 0.101, 0.099, 0.1, 0.101, 0.099, 0.1, 0.1]
    flags = found(of, timed([observation(of, requests(*calm[:4], 0.13, 0.131, 0.13, 0.129))]))
    assert flags["step"].sentence == (
        "time to first token rose by 30 % at once within visit 1, from its request 5 on: 100 ms before, 130 ms after"
    )
    assert flags["step"].visits == (0,)


def test_a_start_up_is_cut_and_told() -> None:
    of = cell()
    seen = [observation(of, requests(0.16, 0.1, 0.101, 0.099, 0.1), repeat=repeat) for repeat in range(3)]
    cell_told = Told(of, 3, timed(seen))
    assert startup_cut(cell_told) == 1
    flags = {one.check: one for one in told(cell_told)}
    assert flags.keys() == {"start-up"}
    assert "time to first token 160 ms instead of 100 ms" in flags["start-up"].sentence


def test_an_outlier_is_told_with_what_the_readings_say() -> None:
    of = cell()
    seen = timed([observation(of, requests(0.1, 0.101, 0.099, 0.1, 0.9, 0.1, 0.1, 0.1), repeat=2)])
    why = {2: [None] * 4 + ["other programs took 1.8 cores meanwhile"] + [None] * 3}
    (flag,) = told(Told(of, 1, seen), why)
    assert flag.sentence == (
        "1 of 8 requests far from the usual time to first token of 100 ms: 900 ms in request 5 of visit 3 "
        "(other programs took 1.8 cores meanwhile)"
    )
    assert (flag.check, flag.visits) == ("outliers", (2,))


def test_a_stall_in_an_answer_and_one_before_it_are_told() -> None:
    of = cell()
    still = requests(0.1, 0.101, 0.099, 0.1, 0.1, 0.1)
    late = found(of, timed([observation(of, [*still, *requests(4.1)])]))["stall"]
    assert late.sentence == "no first token came for 4.1 s in request 7 of visit 1, where 100 ms is usual"
    slow = sample(index=9, sent_s=99.0, gap_s=3.0)
    stopped = found(of, timed([observation(of, [*still, slow])]))["stall"]
    assert stopped.sentence == (
        "nothing came in the middle of an answer for 3.0 s in request 7 of visit 1, where 20 ms is usual"
    )


def test_different_prompts_are_no_outliers_and_no_start_up() -> None:
    of = cell(prompt_tokens=None)
    seen = [
        observation(
            of,
            [
                sample(index=place, sent_s=1.0 + place, prompt=name, prefill_s=took)
                for place, (name, took) in enumerate([("long", 0.9), *[(name, 0.08) for name in "abcdefg"]])
            ],
            repeat=repeat,
        )
        for repeat in range(3)
    ]
    assert told(a_told(of, seen)) == ()


def test_streams_that_begin_and_end_together_are_no_step() -> None:
    # Four streams on one slot: the first four wait 0, 1, 2, 3 answers, all later ones 3.
    of = cell(concurrency=4)
    waits = [0.0, 0.3, 0.6] + [0.9] * 21
    seen = [
        sample(index=place, stream=place % 4, sent_s=1.0 + 0.3 * place, queue_s=wait)
        for place, wait in enumerate(waits)
    ]
    assert told(a_told(of, [observation(of, seen)])) == ()


def test_cells_with_little_or_nothing_to_say_break_nothing() -> None:
    of = cell()
    failed = observation(of, [sample(outcome="stalled", words="no end")])
    single = sample(n=1)
    for seen in (
        [],
        [observation(of)],
        [failed],
        [observation(of, [single])] * 6,
        [observation(of, several(1))] * 2,
    ):
        assert told(a_told(of, seen)) == ()
        assert told(a_told(cell(concurrency=4), seen)) == ()
    twice = observation(of, several(8))
    assert told(a_told(of, [twice, twice])) == ()


# --- how often they cry wolf, and how much they see -----------------------------------------------------------


def alarms(runs: int, count: int, requests: int, *, visit: float, request: float, seed: int) -> int:
    """Honest cells in which any check of visits or requests fires."""
    draw = np.random.default_rng(seed)
    noise = visit * draw.standard_normal((runs, count, 1)) + request * draw.standard_normal(
        (runs, count, requests)
    )
    cried = 0
    for run in 100 * (1 + noise):
        middles, times = np.median(run, axis=1), np.arange(count) * 60.0
        slow, sudden = drift(middles, times, DRIFT), step(middles, times, STEP)
        cried += (
            fires(slow)
            or fires(sudden)
            or bool(steps_of_requests(list(run), STEP))
            or startup(list(run), START) > 0
            or bool(outliers(run.ravel(), BARS["outlier"]).any())
        )
    return cried


@pytest.mark.parametrize(
    ("runs", "count", "requests"), [(1000, 1, 16), (1000, 3, 4), (400, 5, 8), (200, 10, 8)]
)
def test_an_honest_cell_with_noise_of_2_percent_raises_no_alarm(runs: int, count: int, requests: int) -> None:
    assert alarms(runs, count, requests, visit=0.0, request=0.02, seed=count) == 0


@pytest.mark.parametrize(
    ("runs", "count", "requests"), [(500, 2, 8), (500, 3, 4), (1000, 5, 8), (500, 10, 8)]
)
def test_visits_that_differ_by_3_percent_raise_fewer_alarms_than_1_in_100(
    runs: int, count: int, requests: int
) -> None:
    assert alarms(runs, count, requests, visit=0.03, request=0.02, seed=count) < runs / 100


@pytest.mark.parametrize(
    ("count", "noise", "drifts", "steps"),
    [
        (10, 0.02, 0.95, 0.95),  # ten visits whose middles are off by 2 %
        (5, 0.009, 0.8, 0.9),  # five, of eight requests that are off by 2 %
        (5, 0.02, 0.15, 0.30),  # five whose middles are off by 2 %: mostly unseen
    ],
)
def test_how_many_drifts_of_15_and_steps_of_20_percent_are_seen(
    count: int, noise: float, drifts: float, steps: float
) -> None:
    draw, runs = np.random.default_rng(count), 400
    shake, times = 1 + noise * draw.standard_normal((runs, count)), np.arange(count) * 60.0
    ramp, jump = 1 - 0.15 * np.linspace(0, 1, count), np.where(np.arange(count) < count // 2, 1.0, 0.8)
    slow = [drift(run, times, DRIFT) for run in 100 * shake * ramp]
    sudden = [step(run, times, STEP) for run in 100 * shake * jump]
    assert sum(map(fires, slow)) / runs >= drifts
    assert sum(map(fires, sudden)) / runs >= steps
