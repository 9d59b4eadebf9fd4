"""What numbers support: hand calculations, and seeded draws that ask whether a 95 % interval holds 95 %."""

import math

import numpy as np
import pytest

from olbench.findings import Estimate
from olbench.stats import NEEDED, percentile, quantile, ranks, summary, typical


def numbers(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


# --- typical --------------------------------------------------------------------------------------------------


def test_typical_is_the_mean_of_the_visits_medians_with_students_interval() -> None:
    # Mean 11, deviation 1, t(0.975, 2) = 4.3027: 11 +- 4.3027 / sqrt(3).
    found = typical((10.0, 11.0, 12.0))
    half = 4.302652729911275 / math.sqrt(3)
    assert found.value == 11.0
    assert found.low == pytest.approx(11 - half)
    assert found.high == pytest.approx(11 + half)
    assert found.reason == ""


@pytest.mark.parametrize(
    ("medians", "reason"),
    [((5.0,), "1 visit; an interval needs 3"), ((5.0, 7.0), "2 visits; an interval needs 3")],
)
def test_too_few_visits_give_a_value_but_no_interval(medians: tuple[float, ...], reason: str) -> None:
    assert typical(medians) == Estimate(sum(medians) / len(medians), None, None, reason)


def test_visits_that_agree_wholly_have_an_interval_of_no_width() -> None:
    assert typical((64.0, 64.0, 64.0)) == Estimate(64.0, 64.0, 64.0)


def test_a_large_visit_weighs_no_more_than_a_small_one() -> None:
    found = summary("ttft", [numbers(*[1.0] * 100), numbers(2.0), numbers(3.0)], {})
    assert found.typical.value == 2.0
    assert found.per_visit == (1.0, 2.0, 3.0)


# --- percentiles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
def test_percentiles_are_those_of_type_7(p: float) -> None:
    values = np.sort(np.random.default_rng(7).exponential(size=137))
    assert quantile(values, p) == pytest.approx(float(np.quantile(values, p, method="linear")))


def test_a_quantile_by_hand() -> None:
    # 1 + 3 * 0.9 = 3.7th of four numbers.
    assert quantile(numbers(1, 2, 3, 5), 0.9) == pytest.approx(3 + 0.7 * 2)
    assert quantile(numbers(4), 0.99) == 4.0


@pytest.mark.parametrize(
    ("count", "p", "reason"),
    [
        (1, 50, "1 sample; p50 needs 2"),
        (7, 90, "7 samples; p90 needs 10"),
        (19, 95, "19 samples; p95 needs 20"),
        (99, 99, "99 samples; p99 needs 100"),
    ],
)
def test_a_percentile_of_too_few_samples_is_none_with_the_reason(count: int, p: int, reason: str) -> None:
    assert percentile(np.arange(count, dtype=float), p) == Estimate(None, None, None, reason)


@pytest.mark.parametrize(("p", "least"), [(50, 6), (90, 29), (95, 59), (99, 299)])
def test_an_interval_of_a_percentile_begins_where_the_samples_carry_it(p: int, least: int) -> None:
    assert NEEDED[p][1] == least
    below = percentile(np.arange(least - 1, dtype=float), p)
    noun = "samples" if least - 1 > 1 else "sample"
    if below.value is not None:
        assert (below.low, below.high) == (None, None)
        assert below.reason == f"{least - 1} {noun}; an interval of p{p} needs {least}"
    enough = percentile(np.arange(least, dtype=float), p)
    assert enough.low is not None
    assert enough.high == least - 1


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
def test_the_ranks_hold_95_percent_by_the_binomial_and_no_shorter_need(p: float) -> None:
    for count in (*range(NEEDED[round(p * 100)][1], 420, 7), 5000):
        low, high = ranks(count, p)
        holds = sum(
            math.exp(
                math.lgamma(count + 1)
                - math.lgamma(k + 1)
                - math.lgamma(count - k + 1)
                + k * math.log(p)
                + (count - k) * math.log1p(-p)
            )
            for k in range(low, high)
        )
        assert 1 <= low < high <= count
        assert holds >= 0.95 - 1e-9


def test_the_median_of_ten_lies_between_the_second_and_the_ninth() -> None:
    # P(2 <= B < 9), B binomial with 10 and 1/2: 1 - 2 (1 + 10) / 1024 = 0.979 (Hahn and Meeker, table of the median).
    assert ranks(10, 0.5) == (2, 9)


def test_ninety_of_twenty_nine_reaches_to_the_largest() -> None:
    assert ranks(29, 0.9)[1] == 29


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
    found = summary("gap", [np.arange(400.0)], {}, noun="gap", related="gaps are related")
    assert found.p99.value == pytest.approx(395.01)
    assert (found.p99.low, found.p99.reason) == (None, "gaps are related")
    few = summary("gap", [np.arange(4.0)], {}, noun="gap", related="gaps are related")
    assert few.p90.reason == "4 gaps; p90 needs 10"


# --- do they hold what they promise? --------------------------------------------------------------------------


def test_the_interval_over_visits_holds_95_percent_where_visits_differ() -> None:
    # Visits differ by 5 %, requests of one visit by 2 %; 2,000 runs of 4 visits with 15 requests.
    draw = np.random.default_rng(20261122)
    runs = 2000
    values = 100 + 5 * draw.standard_normal((runs, 4, 1)) + 2 * draw.standard_normal((runs, 4, 15))
    held = 0
    for run in np.median(values, axis=2):
        found = typical(run.tolist())
        held += found.low is not None and found.high is not None and found.low <= 100 <= found.high
    # Three standard errors of a share of 0.95 among 2,000 are 0.015.
    assert abs(held / runs - 0.95) < 0.015


def test_pooling_requests_instead_of_visits_would_not_hold_it() -> None:
    """The road not taken: t over all requests as if they were independent."""
    draw = np.random.default_rng(20261122)
    runs = 500
    values = 100 + 5 * draw.standard_normal((runs, 4, 1)) + 2 * draw.standard_normal((runs, 4, 15))
    held = 0
    for run in values.reshape(runs, 60):
        found = typical(run.tolist())
        held += found.low is not None and found.high is not None and found.low <= 100 <= found.high
    assert held / runs < 0.6


@pytest.mark.parametrize(
    ("p", "count"), [(50, 9), (50, 40), (90, 29), (90, 33), (90, 60), (95, 59), (95, 120)]
)
def test_intervals_of_percentiles_hold_at_least_95_percent(p: int, count: int) -> None:
    draw = np.random.default_rng(count * 100 + p)
    runs = 2000
    truth = -math.log(1 - p / 100)  # of the exponential distribution: as lopsided as latencies are
    held = 0
    for run in np.sort(draw.exponential(size=(runs, count)), axis=1):
        found = percentile(run, p)
        held += found.low is not None and found.high is not None and found.low <= truth <= found.high
    assert held / runs > 0.95 - 0.015
