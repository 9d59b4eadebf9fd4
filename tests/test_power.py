"""Plans: how many visits and blocks see a change, and whether as many do."""

import math

import numpy as np
import pytest
from calibration import compared
from calibration.compared import counted

from olbench.stats import power

TRIALS = 10_000


def dice(*seed: int) -> np.random.Generator:
    return np.random.default_rng((43, *seed))


def lognormal(spread: float) -> float:
    """The standard deviation of logarithms of what the simulation calls a spread."""
    return math.sqrt(math.log1p(spread**2))


@pytest.mark.parametrize(
    ("spread", "change", "blocks"), [(0.04, -0.05, 12), (0.04, 0.03, 33), (0.01, 0.03, 4)]
)
def test_blocks_for_a_change(spread: float, change: float, blocks: int) -> None:
    assert power.blocks(spread, change) == blocks


@pytest.mark.parametrize(("spread", "change"), [(0.04, -0.05), (0.02, 0.02), (0.06, 0.10)])
def test_as_many_blocks_as_planned_see_the_change_nine_times_in_ten(spread: float, change: float) -> None:
    needed = power.blocks(lognormal(spread), change)
    assert needed is not None
    shares = []
    for count in (needed, needed - 3):
        base, new = compared.session(dice(count), TRIALS, count, spread, change, drift=0.0)
        found = compared.ours(new - base, 0.0)
        shares.append(found.up + found.down)
    assert 0.89 <= shares[0] <= 0.97
    assert shares[1] < 0.90 or needed <= 7


@pytest.mark.parametrize(("base", "new"), [(3, 3), (5, 5), (3, 10), (20, 5)])
@pytest.mark.parametrize("change", [-0.15, 0.08])
def test_the_power_of_two_runs_is_what_simulation_finds(base: int, new: int, change: float) -> None:
    sides = compared.visits(dice(1), TRIALS, base, 0.04), compared.visits(dice(2), TRIALS, new, 0.04, change)
    found = counted(compared.unpaired(*sides, 0.0))
    assert power.unpaired(lognormal(0.04), change, base, new) == pytest.approx(
        found.up if change > 0 else found.down, abs=0.02
    )


def test_visits_for_a_change_are_the_least_that_do() -> None:
    needed = power.visits(0.04, 0.05)
    assert needed == 22
    assert (
        power.unpaired(0.04, 0.05, needed, needed) >= 0.9 > power.unpaired(0.04, 0.05, needed - 1, needed - 1)
    )


def test_a_baseline_of_few_visits_is_not_made_up_for() -> None:
    assert power.visits(0.04, 0.15, base=5) == 5
    assert power.visits(0.04, 0.05, base=5) is None


def test_what_takes_too_many_blocks_has_no_plan() -> None:
    assert power.blocks(0.5, 0.001) is None


def test_what_does_not_vary_needs_the_least() -> None:
    assert power.blocks(0.0, 0.01) == 4
    assert power.visits(0.0, 0.01) == 3


def test_the_spread_of_visits_is_pooled_within_sides() -> None:
    sides = [[0.0, 0.1, 0.2], [5.0, 5.3]]
    # Variances 0.01 with 2 degrees of freedom, 0.045 with 1.
    assert power.spread(sides) == pytest.approx(math.sqrt((2 * 0.01 + 0.045) / 3))
    assert power.spread([[1.0], [2.0]]) is None
    assert power.spread([]) is None
