"""Numbers into words and back."""

import math

import pytest

from olbench import units

S = 10**9


@pytest.mark.parametrize(
    ("value", "unit", "number", "name"),
    [
        (0.0517, "s", 51.7, "ms"),
        (2.5, "s", 2.5, "s"),
        (1.0, "s", 1.0, "s"),
        (0.00042, "s", 420.0, "us"),
        (3e-9, "s", 3.0, "ns"),
        (4e-10, "s", 0.4, "ns"),
        (-0.25, "s", -250.0, "ms"),
        (3 * 2**30, "B", 3.0, "GiB"),
        (2**40, "B", 1.0, "TiB"),
        (1536, "B", 1.5, "KiB"),
        (512, "B", 512.0, "B"),
        (0.5, "B", 0.5, "B"),
        (1.98e9, "Hz", 1.98, "GHz"),
        (60, "Hz", 60.0, "Hz"),
        (31.5, "tok/s", 31.5, "tok/s"),
        (0, "s", 0.0, "s"),
    ],
)
def test_a_value_is_scaled_to_a_size_that_people_read(
    value: float, unit: str, number: float, name: str
) -> None:
    found, called = units.scaled(value, unit)
    assert found == pytest.approx(number)
    assert called == name


def test_what_is_not_finite_is_not_scaled() -> None:
    assert units.scaled(math.inf, "s") == (math.inf, "s")
    found, name = units.scaled(math.nan, "B")
    assert math.isnan(found)
    assert name == "B"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234.5, 3, "1,234"),
        (123.45, 3, "123"),
        (51.72, 3, "51.7"),
        (9.996, 3, "10.0"),
        (9.994, 3, "9.99"),
        (0.09996, 3, "0.100"),
        (99.96, 3, "100"),
        (0.000123456, 3, "0.000123"),
        (-2.5, 2, "-2.5"),
        (-9.96, 2, "-10"),
        (7, 1, "7"),
        (0, 3, "0"),
        (1e9, 3, "1,000,000,000"),
        (math.inf, 3, "inf"),
        (math.nan, 3, "nan"),
    ],
)
def test_figures_are_significant_and_never_scientific(value: float, digits: int, text: str) -> None:
    assert units.figures(value, digits) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0517, "s", "51.7 ms"),
        (0.873, "share", "87.3 %"),
        (1.0, "share", "100 %"),
        (3.5 * 2**30, "B", "3.50 GiB"),
        (31.46, "tok/s", "31.5 tok/s"),
        (12, "", "12.0"),
        (0, "s", "0 s"),
        (None, "s", "–"),
    ],
)
def test_words_are_figures_with_a_unit_and_a_dash_for_what_is_unknown(
    value: float | None, unit: str, text: str
) -> None:
    assert units.words(value, unit) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 s"),
        (250_000, "250 us"),
        (4.2 * S, "4.2 s"),
        (42.4 * S, "42 s"),
        (95 * S, "1 min 35 s"),
        (61 * S, "1 min 01 s"),
        (3599.6 * S, "1 h 00 min"),
        (7260 * S, "2 h 01 min"),
    ],
)
def test_a_span_of_time_reads_as_people_say_it(nanoseconds: float, text: str) -> None:
    assert units.span(nanoseconds) == text


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("90s", 90 * S),
        ("5m", 300 * S),
        ("1.5m", 90 * S),
        ("1h30m", 5400 * S),
        ("300ms", 300_000_000),
        ("2us", 2_000),
        ("7ns", 7),
        ("0s", 0),
    ],
)
def test_a_span_is_read_as_go_writes_it(text: str, nanoseconds: int) -> None:
    assert units.parse_span(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "10", "5 m", "-5m", "1d", "m", "1h30", "5min", "x5m"])
def test_what_is_no_span_is_refused_with_what_would_do(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time such as 90s, 5m or 1h30m"):
        units.parse_span(text)
