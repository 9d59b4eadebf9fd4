"""One block after the other: the first verdict is the last, and looking often does not make it wrong more often."""

import math

import numpy as np
import pytest
from calibration import compared
from calibration.compared import CANNOT, DOWN, SAME, UP

from olbench.stats import sequential
from olbench.stats.ratios import ALIKE, LEVEL, differences

TRIALS = 20_000
WORDS = {"up": UP, "down": DOWN, "equivalent": SAME, "cannot tell": CANNOT}


def drawn(blocks: int, change: float, *, spread: float = 0.04, drift: float = 0.10) -> compared.Numbers:
    dice = np.random.default_rng((67, blocks))
    base, new = compared.session(dice, TRIALS, blocks, spread, change, drift=drift)
    return new - base


# --- looks ------------------------------------------------------------------------------------------------------


def test_one_looks_after_each_block_from_the_fourth_on_to_the_last() -> None:
    assert list(sequential.looks(7)) == [4, 5, 6, 7]
    assert list(sequential.looks(3)) == [3]
    assert list(sequential.looks(1)) == [1]
    many = sequential.looks(200)
    assert (many[0], many[-1], many.step) == (4, 200, 4)


def test_all_looks_together_spend_what_is_to_be_spent() -> None:
    """As a plain random walk sees it, of which the bounds are; t of few values spends the rest."""
    levels = sequential.levels(10, 0.10)
    walk = np.random.default_rng(3).standard_normal((100_000, 10)).cumsum(axis=1) / np.sqrt(np.arange(1, 11))
    outside = np.zeros(len(walk), dtype=bool)
    for blocks, level in levels.items():
        outside |= 2 * compared.special.ndtr(-np.abs(walk[:, blocks - 1])) < level
    assert outside.mean() == pytest.approx(0.10 * sequential.SPENT, abs=0.003)
    assert sorted(levels.values()) == list(levels.values())


def test_the_bounds_are_the_published_ones() -> None:
    """Five even looks that spend 5 % two-sided as O'Brien and Fleming: Lan and DeMets's table, 4.877 to 2.031."""
    shares = np.arange(1, 6) / 5
    spent = 4 * compared.special.ndtr(compared.special.ndtri(0.0125) / np.sqrt(shares))
    assert sequential.boundaries(shares, spent) == pytest.approx(
        [4.877, 3.357, 2.680, 2.290, 2.031], abs=0.003
    )


def test_a_single_look_is_the_plain_test() -> None:
    assert sequential.levels(4, 0.01) == {4: pytest.approx(0.01)}
    logs = [-0.05, -0.03, -0.06, -0.04, -0.05, -0.02, -0.05, -0.06]
    once, plain = sequential.look(logs, 0.02, 4), differences(logs, 0.02)
    assert (once.verdict, once.ratio.value) == (plain.verdict, plain.ratio.value)
    assert once.ratio.low == pytest.approx(plain.ratio.low)
    assert once.blocks == 4


# --- one series -------------------------------------------------------------------------------------------------


def test_before_the_first_look_nothing_is_said() -> None:
    found = sequential.look([-0.05, -0.05] * 3, 0.05, 10)
    assert (found.verdict, found.p, found.blocks) == ("cannot tell", None, None)
    assert found.ratio.value == pytest.approx(math.exp(-0.05))
    assert found.reason == "3 of at most 10 blocks; the first look is after 4"
    assert sequential.look([], 0.05, 10).reason == "0 of at most 10 blocks; the first look is after 4"


def test_a_verdict_stays_whatever_comes_after_it() -> None:
    clear = [-0.10, -0.11, -0.09, -0.10, -0.12, -0.10, -0.11, -0.10]
    first = sequential.look(clear, 0.05, 10)
    assert (first.verdict, first.blocks) == ("down", 4)
    assert sequential.look([*clear, 0.3, 0.4, 0.2, 0.5], 0.05, 10) == first


def test_half_a_block_waits_for_its_other_half() -> None:
    logs = [0.01, -0.02, 0.03, 0.0, -0.01, 0.02, 0.0, 0.01]
    assert sequential.look([*logs, 5.0], 0.001, 10) == sequential.look(logs, 0.001, 10)


def test_what_agrees_is_equivalent_early() -> None:
    found = sequential.look([0.001, -0.002, 0.001, 0.0, 0.002, -0.001, 0.0, 0.001], 0.05, 10)
    assert (found.verdict, found.blocks) == ("equivalent", 4)


def test_figures_side_by_side_share_the_chance() -> None:
    logs = [-0.02, -0.06, -0.03, -0.09, -0.05, -0.01, -0.08, -0.05, -0.02, -0.06]
    alone, one_of_many = sequential.look(logs, 0.0, 5), sequential.look(logs, 0.0, 5, figures=50)
    assert (alone.verdict, one_of_many.verdict) == ("down", "cannot tell")
    assert alone.p is not None
    assert alone.p < 0.01
    assert one_of_many.p is not None
    assert one_of_many.p > 0.01 / 50


def test_thousands_at_once_get_the_verdicts_of_one_by_one() -> None:
    logs = drawn(8, -0.04)[:80]
    changed, alike = sequential.levels(8, 1 - LEVEL), sequential.levels(8, 1 - ALIKE)
    found, _ = compared.one_by_one(
        logs,
        0.05,
        lambda blocks, t: t > compared.half(2 * blocks - 1, 1 - changed[blocks]),
        lambda blocks: alike[blocks],
    )
    assert [WORDS[sequential.look(list(row), 0.05, 8).verdict] for row in logs] == list(found)


# --- error rates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [5, 10, 20])
def test_nothing_changed_is_called_changed_at_most_once_in_a_hundred(most: int) -> None:
    found = compared.ours(drawn(most, 0.0), margin=0.0)
    assert found.up <= 0.0055
    assert found.down <= 0.0055
    assert found.up + found.down <= 0.0105


def test_ten_blocks_see_a_drop_of_5_percent_through_a_drift_of_10() -> None:
    found = compared.ours(drawn(10, -0.05))
    assert found.down >= 0.80
    assert found.up == 0.0
    assert found.blocks < 8.5


def test_a_large_drop_ends_it_at_the_first_look_or_soon_after() -> None:
    found = compared.ours(drawn(10, -0.15))
    assert found.down > 0.999
    assert found.blocks < 4.3


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("most", "spread"), [(6, 0.02), (10, 0.04), (20, 0.04)])
def test_a_change_as_large_as_the_margin_is_called_equivalent_at_most_once_in_twenty(
    most: int, spread: float, sign: int
) -> None:
    change = math.expm1(sign * math.log1p(0.05))
    assert compared.ours(drawn(most, change, spread=spread)).equivalent <= 0.053


def test_looking_as_if_each_look_were_the_only_one_errs_more_than_twice_as_often() -> None:
    logs = drawn(10, 0.0)
    plain, rule = compared.every_look_alone(logs, 0.0), compared.ours(logs, 0.0)
    assert plain.up + plain.down > 2 * (rule.up + rule.down)


def test_a_test_that_is_valid_at_any_time_sees_less() -> None:
    logs = drawn(10, -0.05)
    assert compared.any_time(logs).down < compared.ours(logs).down - 0.2
