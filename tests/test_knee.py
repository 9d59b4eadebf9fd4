"""Where goodput stops growing."""

import pytest

from olbench.stats.knee import knee


def test_the_knee_is_where_goodput_stops_growing() -> None:
    assert knee((1, 2, 3, 4, 5, 6), (1, 2, 3, 3.5, 3.5, 3.5)) == pytest.approx(3.5)
    assert knee((6, 1, 5, 2, 4, 3), (0.5, 1, 1.5, 2, 2.5, 3)) == pytest.approx(3.25)  # any order; it falls


def test_a_knee_lies_among_the_loads_whatever_lies_beyond_it() -> None:
    # The last two alone grow again: lines through both sides of their gap meet far below all loads.
    assert knee((10, 12, 15, 18, 22, 27), (76, 86, 99, 109, 60, 75)) == pytest.approx(15.96, abs=0.01)


def test_a_line_has_no_knee_and_neither_have_three_loads() -> None:
    assert knee((1, 2, 3, 4), (1, 2, 4, 8)) is None
    assert knee((1, 2, 3, 4), (1, 2, 3, 4)) is None
    assert knee((1, 2, 3, 4), (2, 2, 2, 2)) is None
    assert knee((1, 2, 3), (1, 2, 2)) is None
