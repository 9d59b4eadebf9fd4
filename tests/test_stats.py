"""What numbers support: hand calculations. Whether a 95 % interval holds 95 % is asked in test_calibration.py."""

import math
import time

import numpy as np
import pytest

from olbench.findings import Estimate, Summary
from olbench.stats import NEEDED, enough, percentiles, quantile, summary, tails, typical, visits_needed
from olbench.stats.order import at
from olbench.stats.shares import distance, ends

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]
T_OF_2 = 4.302652729911275  # Student's t(0.975, 2)


def numbers(*values: float) -> Numbers:
    return np.array(values, dtype=np.float64)


def alone(*values: float) -> list[Numbers]:
    """Visits of one number each."""
    return [numbers(value) for value in values]


def drawn(visits: int, each: int, *, apart: float = 0.0, seed: int = 1) -> list[Numbers]:
    """Visits of lognormal requests; `apart` is how much visits differ."""
    dice = np.random.default_rng(seed)
    return [np.exp(0.5 * dice.standard_normal(each) + apart * dice.standard_normal()) for _ in range(visits)]


# --- typical --------------------------------------------------------------------------------------------------


def test_typical_is_the_geometric_mean_of_the_visits_medians_with_students_interval_of_their_logarithms() -> (
    None
):
    # Logarithms ln 10 - ln 2, ln 10, ln 10 + ln 2: mean ln 10, deviation ln 2.
    found = typical(alone(5.0, 10.0, 20.0))
    factor = 2 ** (T_OF_2 / math.sqrt(3))
    assert found.value == pytest.approx(10.0)
    assert (found.low, found.high) == (pytest.approx(10 / factor), pytest.approx(10 * factor))
    assert found.reason == ""


def test_typical_of_numbers_that_are_not_all_positive_is_their_mean_with_students_interval() -> None:
    # Mean 1, deviation 2, 1 +- 4.3027 x 2 / sqrt(3).
    found = typical(alone(-1.0, 1.0, 3.0))
    half = T_OF_2 * 2 / math.sqrt(3)
    assert found == Estimate(1.0, pytest.approx(1 - half), pytest.approx(1 + half))


def test_one_visit_that_is_as_good_as_zero_does_not_rule_the_typical_value() -> None:
    assert typical(alone(1e-9, 1.0, 2.0)).value == pytest.approx(1.0)


def test_the_middle_of_two_requests_is_taken_on_the_scale_of_the_visits() -> None:
    # Medians 2 = sqrt(1 x 4), 3 = sqrt(1 x 9), 6 = sqrt(4 x 9): geometric mean 36 ** (1 / 3).
    found = typical([numbers(1, 4), numbers(1, 9), numbers(4, 9)])
    assert found.value == pytest.approx(36 ** (1 / 3))


@pytest.mark.parametrize(
    ("medians", "value", "reason"),
    [((5.0,), 5.0, "1 visit; an interval needs 3"), ((4.0, 9.0), 6.0, "2 visits; an interval needs 3")],
)
def test_too_few_visits_give_a_value_but_no_interval(
    medians: tuple[float, ...], value: float, reason: str
) -> None:
    assert typical(alone(*medians)) == Estimate(pytest.approx(value), None, None, reason)


def test_visits_that_agree_wholly_have_an_interval_of_no_width() -> None:
    assert typical(alone(64.0, 64.0, 64.0)) == Estimate(64.0, 64.0, 64.0)
    same = summary("tokens", [np.full(8, 64.0)] * 20, {})
    assert same.p50 == same.p90 == same.p95 == Estimate(64.0, 64.0, 64.0)


def test_a_large_visit_weighs_no_more_than_a_small_one() -> None:
    found = summary("ttft", [numbers(*[1.0] * 100), numbers(2.0), numbers(4.0)], {})
    assert found.typical.value == pytest.approx(2.0)
    assert found.per_visit == (1.0, 2.0, 4.0)


# --- percentiles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
def test_percentiles_are_those_of_type_7(p: float) -> None:
    values = np.sort(np.random.default_rng(7).exponential(size=137))
    assert quantile(values, p) == pytest.approx(float(np.quantile(values, p, method="linear")))


def test_a_quantile_by_hand() -> None:
    # 1 + 3 * 0.9 = 3.7th of four numbers.
    assert quantile(numbers(1, 2, 3, 5), 0.9) == pytest.approx(3 + 0.7 * 2)
    assert quantile(numbers(4), 0.99) == 4.0
    assert [at(numbers(1, 2, 4), rank) for rank in (1, 1.5, 2.25, 3)] == [1, 1.5, 2.5, 4]


@pytest.mark.parametrize(
    ("count", "p", "reason"),
    [
        (1, 50, "1 sample; p50 needs 2"),
        (9, 90, "9 samples; p90 needs 10"),
        (19, 95, "19 samples; p95 needs 20"),
        (99, 99, "99 samples; p99 needs 100"),
    ],
)
def test_a_percentile_of_too_few_samples_is_none_with_the_reason(count: int, p: int, reason: str) -> None:
    values = np.arange(count, dtype=float)
    assert percentiles([values], values)[p] == Estimate(None, None, None, reason)
    assert NEEDED[p] == count + 1


@pytest.mark.parametrize(
    ("p", "needed"),
    [
        # of 1 request: the largest of n lies beyond with 97.5 %, n = ln 0.025 / ln p
        (0.5, {1: 6, 2: 5, 8: 5, 100: 5}),
        (0.9, {1: 36, 2: 23, 8: 10, 30: 8, 100: 8}),
        (0.95, {1: 72, 2: 46, 8: 17, 30: 9, 100: 8}),
        (0.99, {1: 368, 8: 72, 30: 30, 100: 16}),
    ],
)
def test_an_interval_of_a_percentile_needs_so_many_visits(p: float, needed: dict[int, int]) -> None:
    assert {each: visits_needed(p, each) for each in needed} == needed


@pytest.mark.parametrize(
    ("visits", "each", "noun", "p", "reason"),
    [
        (5, 8, "sample", "p90", "40 samples of 5 visits; an interval of p90 needs 10 visits of 8"),
        (10, 8, "sample", "p95", "80 samples of 10 visits; an interval of p95 needs 17 visits of 8"),
        (1, 200, "sample", "p50", "200 samples of 1 visit; an interval of p50 needs 5 visits of 200"),
        (20, 1, "sample", "p90", "20 samples of 20 visits; an interval of p90 needs 36 visits"),
        (20, 1, "visit", "p90", "20 visits; an interval of p90 needs 36"),
    ],
)
def test_too_few_visits_for_a_percentiles_interval_say_how_many_would_do(
    visits: int, each: int, noun: str, p: str, reason: str
) -> None:
    found: Estimate = getattr(summary("ttft", drawn(visits, each), {}, noun=noun), p)
    assert found.value is not None
    assert (found.low, found.high, found.reason) == (None, None, reason)


def test_visits_that_differ_more_than_their_requests_have_no_interval_of_a_high_percentile() -> None:
    found = summary("ttft", drawn(10, 8, apart=5.0), {}).p90
    assert (found.low, found.high) == (None, None)
    assert found.reason == "visits differ too much for an interval of p90: it takes 18 like these or more"


def test_one_visit_with_nearly_all_samples_is_one_visit() -> None:
    found = summary("ttft", [*drawn(1, 1000), *drawn(9, 1)], {})
    assert found.p50.reason == "1,009 samples of 10 visits; an interval of p50 needs 5 visits of 991"


def test_samples_of_visits_that_do_not_differ_give_nearly_the_binomials_ranks() -> None:
    # 36 single requests: P(B >= 36) = 0.9^36 = 0.0225, so the upper end is a little below the largest.
    of = tails.layout([1] * 36)
    low, high = tails.ranks(np.ones(1), of, 0.9)
    assert 35 < high[0] < 36
    # P(B <= 28) = 0.0235 and P(B <= 29) = 0.0628: the lower end is where they cross 0.025, a little past the 29th.
    assert low[0] == pytest.approx(29 + (0.025 - _binomial(36, 28)) / (_binomial(36, 29) - _binomial(36, 28)))


def _binomial(count: int, upto: int) -> float:
    return sum(math.comb(count, k) * 0.9**k * 0.1 ** (count - k) for k in range(upto + 1))


def test_the_more_visits_differ_the_wider_the_interval() -> None:
    of = tails.layout([8] * 20)
    low, high = tails.ranks(np.array([0.5, 1.0, 2.0, 4.0, 6.0]), of, 0.9)
    assert (np.diff(low) < 0).all()
    assert (np.diff(high) > 0).all()


def test_the_ratio_of_variances_by_hand() -> None:
    # Ranks 1, 2 | 3, 4: scores at 1/8, 3/8, 5/8, 7/8, i.e. -1.1503, -0.3186, 0.3186, 1.1503.
    # Between: 2 x 2 x 0.73448^2; within: 4 x 0.41585^2 over 2 degrees of freedom.
    visits = [numbers(1, 2), numbers(3, 4)]
    expected = (4 * 0.7344929) ** 2 / 4 / (4 * 0.4158565**2 / 2)
    assert tails.ratio(visits, numbers(1, 2, 3, 4)) == pytest.approx(expected, rel=1e-4)


def test_equal_numbers_do_not_make_visits_differ() -> None:
    visits = [numbers(1, 1, 1, 2), numbers(1, 1, 1, 2), numbers(1, 1, 1, 2)]
    assert tails.ratio(visits, np.sort(np.concatenate(visits))) == pytest.approx(0.0)


def test_shares_that_speak_against_a_median_by_hand() -> None:
    # Two visits of two requests, 1 3 and 2 4. Below 2, with itself by half: 1 and 0.5 of 2, a share of 0.375;
    # off by 0.25 and -0.25, so an error of sqrt(2 x 0.125) / 4 = 0.125: one standard error from one half.
    counts = numbers(1, 0.5)[:, None]
    assert distance(counts, np.full((2, 1), 2.0), 0.5) == pytest.approx(-1.0)


def test_the_ends_lie_where_the_distance_is_met_between_two_values() -> None:
    values, far = numbers(1, 2, 3, 4)[None], numbers(-3, -1, 1, 5)[None]
    low, high = ends(far, values, 2.0)
    assert (low[0], high[0]) == (1.5, 3.25)
    low, high = ends(numbers(-math.inf, -1, 1, math.inf)[None], values, 2.0)
    assert (low[0], high[0]) == (2.0, 3.0)


def test_an_interval_holds_its_value_however_uneven_the_visits_are() -> None:
    given = 0
    for seed in range(40):
        dice = np.random.default_rng(seed)
        visits = [
            np.exp(dice.standard_normal(dice.integers(4, 13))) for _ in range(int(dice.integers(1, 30)))
        ]
        found = summary("ttft", visits, {})
        for one in (found.p50, found.p90, found.p95):
            if one.low is None or one.high is None or one.value is None:
                assert one.reason
            else:
                assert one.low <= one.value <= one.high
                given += 1
    assert given > 60


def test_the_same_numbers_give_the_same_intervals_in_any_order_of_requests() -> None:
    visits = drawn(20, 8, apart=0.3)
    assert summary("ttft", visits, {}) == summary("ttft", [one[::-1] for one in visits], {})


# --- when to stop -----------------------------------------------------------------------------------------------


def at_hand(visits: int, value: float | None, low: float | None, high: float | None) -> Summary:
    found = summary("decode", drawn(visits, 8), {})
    return Summary(
        metric="decode",
        samples=found.samples,
        visits=visits,
        typical=Estimate(value, low, high),
        p50=found.p50,
        p90=found.p90,
        p95=found.p95,
        p99=found.p99,
        least=found.least,
        most=found.most,
        per_visit=found.per_visit,
        missing=(),
    )


@pytest.mark.parametrize(
    ("visits", "half", "stops"),
    [
        (4, 0.1, False),  # never before the fifth visit
        (5, 1.6, False),  # few visits must be twice as sure
        (5, 1.5, True),
        (7, 2.9, False),
        (8, 3.0, True),
        (8, 3.1, False),
    ],
)
def test_visits_end_when_the_interval_is_narrow_enough(visits: int, half: float, *, stops: bool) -> None:
    assert enough(at_hand(visits, 100.0, 100 - half, 100 + half), 0.03) is stops
    assert enough(at_hand(visits, -100.0, -100 - half, -100 + half), 0.03) is stops


def test_what_is_unknown_is_never_enough() -> None:
    assert not enough(at_hand(9, None, None, None), 0.5)
    assert not enough(at_hand(9, 5.0, None, None), 0.5)


# --- summaries ------------------------------------------------------------------------------------------------


def test_a_summary_counts_samples_visits_and_what_is_missing() -> None:
    found = summary("prefill", [numbers(3, 1, 2), numbers(), numbers(5)], {"no counts": 2, "cached": 5})
    assert (found.metric, found.samples, found.visits) == ("prefill", 4, 2)
    assert (found.least, found.most) == (1.0, 5.0)
    assert found.per_visit == (2.0, 5.0)
    assert found.missing == (("cached", 5), ("no counts", 2))


def test_a_summary_of_nothing_carries_the_most_frequent_reason() -> None:
    found = summary("prefill", [numbers()], {"no counts": 2, "cached": 5})
    assert found.typical == found.p50 == found.p99 == Estimate(None, None, None, "cached")
    assert (found.least, found.most, found.samples, found.visits) == (None, None, 0, 0)
    assert summary("prefill", [], {}, nothing="no visit was taken").typical.reason == "no visit was taken"


def test_numbers_that_hang_together_get_percentiles_without_an_interval() -> None:
    found = summary("gap", [np.arange(400.0)] * 20, {}, noun="gap", related="gaps are related")
    assert found.p99.value == pytest.approx(395.01)
    assert (found.p50.low, found.p99.low, found.p99.reason) == (None, None, "gaps are related")
    few = summary("gap", [np.arange(4.0)], {}, noun="gap", related="gaps are related")
    assert few.p90.reason == "4 gaps; p90 needs 10"


def test_a_summary_takes_no_more_than_milliseconds() -> None:
    visits, large = drawn(20, 8, apart=0.3), drawn(5, 1000, apart=0.3)
    for one, most in ((visits, 0.01), (large, 0.02)):
        summary("ttft", one, {})  # the tables of its layout
        began = time.process_time()
        for _ in range(20):
            summary("ttft", one, {})
        assert (time.process_time() - began) / 20 < most
