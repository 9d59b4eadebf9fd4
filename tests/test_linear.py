"""Lines through places that are visited more than once: hand-made ones, and seeded draws."""

import math

import numpy as np
import pytest

from olbench.stats import linear
from olbench.stats.order import Numbers
from olbench.stats.visits import student

X = np.array([64.0, 128.0, 256.0, 512.0, 1024.0])


def rows(x: Numbers, repeats: int) -> tuple[linear.Matrix, linear.Rows]:
    """A constant and a slope for each visit, and which place it is of."""
    return np.repeat(np.stack([np.ones(len(x)), x], axis=1), repeats, axis=0), np.repeat(
        np.arange(len(x)), repeats
    )


def test_a_hand_calculation_of_one_term() -> None:
    """Errors in proportion to y = b x: b is the mean of y / x, and its variance that of a mean."""
    x, y = np.array([1.0, 1.0, 2.0, 2.0]), np.array([1.0, 1.2, 2.4, 2.2])
    found = linear.fit(x[:, None], y, np.array([0, 0, 1, 1]))
    assert found.coefficients == pytest.approx([1.125])  # of 1.0, 1.2, 1.2, 1.1
    # Residuals as shares of the line: -1/9, 1/15, 1/15, -1/45. Within places: 2 x (4/45)^2 + 2 x (2/45)^2 = 40/2025 over
    # 2; between: 2 x (1/45)^2 + 2 x (1/45)^2 = 4/2025 over 1. Less between than within: all over 3.
    assert found.lack == pytest.approx(1 - math.sqrt(0.2 / 2.2))  # F = 4 / 20 on 1 and 2, t = sqrt(F)
    assert found.scatter == pytest.approx(math.sqrt(44 / 2025 / 3))
    assert found.freedom == 3
    assert found.covariance[0, 0] == pytest.approx(44 / 2025 / 3 * 1.125**2 / 4)
    assert found.half() == pytest.approx([3.1824 * math.sqrt(44 / 2025 / 3) * 1.125 / 2], rel=1e-4)


def test_points_on_a_line_give_the_line() -> None:
    terms, places = rows(X, 2)
    found = linear.fit(terms, terms @ [0.02, 0.001], places)
    assert found.coefficients == pytest.approx([0.02, 0.001])
    assert found.scatter == pytest.approx(0.0, abs=1e-9)


def test_as_many_places_as_terms_leave_nothing_to_test_the_line_with() -> None:
    terms, places = rows(X[:2], 3)
    found = linear.fit(terms, (terms @ [1.0, 0.01]) * [1.0, 1.1, 0.9, 1.0, 1.1, 0.9], places)
    assert (found.lack, found.freedom) == (None, 4)


def test_single_visits_have_no_test_but_a_scatter() -> None:
    terms, places = rows(X, 1)
    found = linear.fit(terms, (terms @ [1.0, 0.01]) * [1.0, 1.1, 0.9, 1.1, 0.9], places)
    assert (found.lack, found.freedom) == (None, 3)
    assert found.scatter > 0.05


def test_no_more_visits_than_terms_leave_no_freedom() -> None:
    terms, places = rows(X[:2], 1)
    found = linear.fit(terms, terms @ [1.0, 0.01], places)
    assert found.freedom == 0
    assert np.isnan(found.half()).all()


def test_one_visit_that_was_far_too_quick_does_not_draw_the_line_to_it() -> None:
    terms, places = rows(X, 4)
    off = np.ones(len(places))
    off[4] = 0.05
    found = linear.fit(terms, (terms @ [0.02, 0.001]) * off, places)
    assert found.fitted == pytest.approx(terms @ [0.02, 0.001], rel=0.25)


@pytest.mark.parametrize(
    ("terms", "known"),
    [
        (np.ones((3, 1)), True),
        (np.array([[1.0, 5.0], [1.0, 5.0]]), False),
        (np.array([[1.0, 5e9], [1.0, 6e9]]), True),
        (np.array([[1.0, 1.0, 2.0], [1.0, 2.0, 4.0]]), False),
    ],
)
def test_coefficients_need_as_many_different_places(terms: linear.Matrix, *, known: bool) -> None:
    assert linear.determined(terms) is known


# --- seeded draws ----------------------------------------------------------------------------------------------

TRIALS = 200


def held(places: float, visits: float, repeats: int, bend: float = 0.0) -> tuple[float, float]:
    """How often the interval holds a visit to a new place, and how often the test doubts the line."""
    dice = np.random.default_rng((6, round(1000 * places), round(1000 * visits), repeats))
    terms, which = rows(X, repeats)
    true = terms @ [1.0, 0.01] + bend * terms[:, 1] ** 2
    inside = doubted = 0
    for _ in range(TRIALS):
        off = 1 + places * dice.standard_normal(len(X))[which] + visits * dice.standard_normal(len(which))
        found = linear.fit(terms, true * off, which)
        x = dice.uniform(X[0], X[-1])
        new = (1.0 + 0.01 * x + bend * x**2) * (1 + math.hypot(places, visits) * dice.standard_normal())
        there = np.array([1.0, x])
        value = float(there @ found.coefficients)
        spread = math.hypot(found.scatter * value, math.sqrt(there @ found.covariance @ there))
        inside += abs(new - value) <= student(found.freedom) * spread
        doubted += found.lack is not None and found.lack < 0.05
    return inside / TRIALS, doubted / TRIALS


# Scatter of places and of visits -> how often the line is doubted.
DRAWS = [
    (0.0, 0.05, 4, (0.01, 0.10)),
    (0.0, 0.20, 4, (0.01, 0.10)),
    (0.02, 0.05, 4, (0.08, 0.30)),
    (0.05, 0.02, 4, (0.8, 1.0)),
    (0.0, 0.05, 1, (0.0, 0.0)),
]


@pytest.mark.parametrize(("places", "visits", "repeats", "doubted"), DRAWS)
def test_a_new_visit_lies_within_the_interval_95_times_of_100(
    places: float, visits: float, repeats: int, doubted: tuple[float, float]
) -> None:
    inside, seen = held(places, visits, repeats)
    assert 0.91 <= inside <= 0.99
    assert doubted[0] <= seen <= doubted[1]


def test_a_bend_is_seen_and_widens_the_interval() -> None:
    inside, seen = held(0.0, 0.05, 4, bend=1e-5)  # at 1,024 tokens as much again as the slope gives
    assert seen > 0.95
    assert inside > 0.95
