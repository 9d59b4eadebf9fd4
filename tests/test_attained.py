"""A share with its interval: by hand where requests are independent, and held against queues where they are not."""

import math

import numpy as np
import pytest
from queues import EVEN, UNEVEN, Queue

from olbench.findings import Estimate
from olbench.stats.attained import LEAST, attained, independent, together, wilson

Z2 = 1.959963984540054**2


def marks(*met: bool) -> list[bool]:
    return list(met)


# --- by hand --------------------------------------------------------------------------------------------------


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    # Newcombe, Statistics in Medicine 17, 1998: 81 of 263, and 15 of 148.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_all_met_and_none_met_have_an_interval_too() -> None:
    assert attained([marks(*[True] * 200)], 0.95) == (
        Estimate(1.0, pytest.approx(200 / (200 + Z2)), 1.0),
        "kept",
    )
    assert attained([marks(*[False] * 200)], 0.95) == (
        Estimate(0.0, 0.0, pytest.approx(Z2 / (200 + Z2))),
        "broken",
    )


def test_the_verdict_is_that_of_the_whole_interval() -> None:
    dice = np.random.default_rng(1)
    for share, verdict in ((0.90, "kept"), (0.955, "unclear"), (0.99, "broken")):
        met = dice.permutation(np.arange(1000) < 950).tolist()
        assert attained([met], share)[1] == verdict


@pytest.mark.parametrize(
    ("met", "value", "reason"),
    [
        ([], None, "no request fell due"),
        ([[]], None, "no request fell due"),
        ([[True]], 1.0, "1 request; an interval needs 20"),
        ([[True] * 10, [False] * (LEAST - 11)], 10 / 19, "19 requests; an interval needs 20"),
    ],
)
def test_too_few_requests_have_no_interval_and_no_verdict(
    met: list[list[bool]], value: float | None, reason: str
) -> None:
    assert attained(met, 0.5) == (Estimate(value, None, None, reason), "unclear")


def test_requests_that_have_nothing_to_do_with_each_other_count_as_many() -> None:
    dice = np.random.default_rng(2)
    assert together([dice.random(20_000)]) == pytest.approx(1.0, abs=0.1)


def test_requests_that_go_together_count_as_the_blocks_that_they_come_in() -> None:
    # Blocks of ten alike: the mean varies as that of a tenth as many.
    blocks = np.repeat(np.random.default_rng(3).random(4000), 10)
    assert together([blocks]) == pytest.approx(10, rel=0.1)
    assert together([blocks[:20_000], blocks[20_000:]]) == pytest.approx(10, rel=0.1)


def test_visits_that_differ_as_wholes_count_as_few() -> None:
    kept, broken = [True] * 300, [False] * 300
    found, verdict = attained([kept, broken], 0.95)
    assert found.value == 0.5
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.5
    assert verdict != "kept"


def test_a_queue_shows_in_the_figures_before_a_bound_breaks() -> None:
    # Waits that rise and fall over 100 requests, all within the bound: two independent ones, not 200.
    waits = [1 + math.sin(number / 16) for number in range(200)]
    met = [True] * 200
    assert attained([met], 0.95)[1] == "kept"
    found, verdict = attained([met], 0.95, [waits])
    assert verdict == "unclear"
    assert found.low is not None
    assert found.low < 0.8
    assert independent([met]) == 200
    assert 2 <= independent([met], [waits]) < 10


def test_one_timeout_does_not_drown_what_queued() -> None:
    waits = [1 + math.sin(number / 16) for number in range(200)]
    met = [number != 70 for number in range(200)]
    for worst in (1e6, math.inf, math.nan):
        figures = [worst if number == 70 else wait for number, wait in enumerate(waits)]
        assert attained([met], 0.95, [figures])[1] == "unclear"


def test_figures_that_are_none_at_all_do_no_harm() -> None:
    assert attained([[False] * 50], 0.95, [[math.nan] * 50])[1] == "broken"
    assert attained([[False] * 50], 0.95, [[math.inf] * 50])[1] == "broken"


def test_what_grows_all_the_time_is_broken_all_the_same() -> None:
    waits = [0.1 * number for number in range(200)]
    assert attained([[wait <= 1 for wait in waits]], 0.95, [waits])[1] == "broken"


# --- in queues --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", [*EVEN, UNEVEN[0]], ids=lambda queue: queue.name)
@pytest.mark.parametrize("requests", [200, 1600])
def test_the_interval_holds_the_share_of_a_queue_near_its_capacity(queue: Queue, requests: int) -> None:
    figures = queue.served(np.random.default_rng(4), queue.capacity, 300 * requests + 10_000)[10_000:]
    found = [attained([one <= queue.bound], 0.95, [one])[0] for one in figures.reshape(300, requests)]
    lows, highs = np.array([one.low for one in found]), np.array([one.high for one in found])
    assert np.mean((lows <= 0.95) & (highs >= 0.95)) >= 0.90
    # Without the figures it would be up to a third of the windows of 200, for few of these see the queue at its worst.
    assert np.mean(lows > 0.95) <= 0.07
