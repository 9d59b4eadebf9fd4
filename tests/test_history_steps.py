"""Steps in a history: where they are, where none is, and how often either is found."""

import math

import numpy as np
import pytest
from calibration import compared

from olbench.stats.history import noise, scaled, steps


def dice(*seed: int) -> np.random.Generator:
    return np.random.default_rng((53, *seed))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((), ()),
        ((50.0, 40.0, 40.0, 40.0), ()),  # four runs are no history
        ((50.0,) * 8, ()),
        ((50.1, 49.9, 50.0, 50.1, 46.0, 46.1, 45.9, 46.0), (4,)),
        ((50.1, 49.9, 50.0, 50.1, 50.0, 50.1, 46.0, 46.1), (6,)),  # two runs are a level
        ((50.1, 49.9, 50.0, 50.1, 50.0, 50.1, 50.0, 46.1), ()),  # one is not
        ((50.1, 49.9, 50.0, 30.0, 50.0, 50.1, 49.9, 50.0), ()),  # a lone run that is off
        ((50.1, 49.9, 50.0, 46.0, 46.1, 45.9, 50.0, 50.1, 49.9, 50.0), (3, 6)),
        ((4e9,) * 4 + (5e9,) * 4, (4,)),  # figures that never vary
        ((0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5), (4,)),  # shares have no logarithm at zero
        ((0.0,) * 8, ()),
    ],
)
def test_where_a_new_level_begins(values: tuple[float, ...], found: tuple[int, ...]) -> None:
    assert steps(values) == found


def test_a_step_in_the_other_direction_or_another_unit_is_the_same_step() -> None:
    values = [50.1, 49.9, 50.0, 50.1, 46.0, 46.1, 45.9, 46.0, 46.1]
    assert steps([1000 * one for one in values]) == steps([1 / one for one in values]) == (4,)
    assert steps(values[::-1]) == (5,)


def test_a_higher_price_finds_fewer() -> None:
    values = [50.4, 49.6, 50.2, 49.8, 50.3, 48.9, 49.2, 48.7, 49.0, 48.8]
    assert steps(values, penalty=0.2)
    assert steps(values, penalty=1000.0) == ()


def test_the_noise_is_that_between_neighbours_and_steps_do_not_touch_it() -> None:
    logs = 0.02 * dice(1).standard_normal(2000)
    stepped = logs + 0.5 * (np.arange(2000) // 200)
    assert noise(logs) == pytest.approx(0.02, rel=0.06)
    assert noise(stepped) == pytest.approx(noise(logs), rel=0.02)
    assert noise(np.zeros(9)) == 0.001


def test_values_without_logarithms_are_parts_of_the_largest() -> None:
    assert list(scaled([0.0, -1.0, 2.0])) == [0.0, -0.5, 1.0]
    assert list(scaled([1.0, math.e])) == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize(("runs", "most"), [(6, 0.05), (12, 0.05), (30, 0.03)])
def test_a_step_is_seldom_found_where_there_is_none(runs: int, most: float) -> None:
    assert compared.searched(dice(2, runs), 600, runs, 0.0, 0).some <= most


@pytest.mark.parametrize(
    ("runs", "at", "least"), [(8, 4, 0.70), (12, 6, 0.90), (30, 15, 0.95), (30, 28, 0.80)]
)
def test_a_step_of_five_noises_is_found_in_its_place(runs: int, at: int, least: float) -> None:
    assert compared.searched(dice(3, runs), 300, runs, 5.0, at).right >= least
