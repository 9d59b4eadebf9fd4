"""What the readings say happened while a request ran."""

from array import array
from collections.abc import Sequence

import numpy as np
import pytest
from records import ns

from olbench.causes import explained, reasons
from olbench.readings import Readings, Series
from olbench.thresholds import limits

BARS = limits({})


def beats(name: str, unit: str, values: Sequence[float]) -> Series:
    """A beat each second, from 1 s on."""
    return Series(name, unit, array("q", [ns(1.0 + at) for at in range(len(values))]), array("d", values))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            ("host.other_cpu", "cores", (0.1, 0.1, 0.1, 1.9, 0.1, 0.1)),
            "other programs took 1.9 cores meanwhile",
        ),
        (("host.other_cpu", "cores", (1.9, 1.9, 1.9, 1.9, 1.9, 1.9)), None),  # as always
        (("host.other_cpu", "cores", (1.9, 0.1, 0.1, 0.1, 0.1, 1.9)), None),  # at another time
        (
            ("host.steal", "cores", (0, 0, 0, 0, 0.8, 0)),
            "the host of this virtual machine withheld 0.8 cores meanwhile",
        ),
        (("host.swap_in", "B/s", (0, 0, 0, 5e7, 0, 0)), "memory was swapped at 50 MB/s meanwhile"),
        (
            ("gpu1.throttle", "count", (0, 0, 0, 0x44, 0, 0)),
            "heat or the power supply held the GPU back meanwhile",
        ),
        (("gpu1.throttle", "count", (0, 0, 0, 0x04, 0, 0)), None),  # the plain power limit
        (
            ("client.loop_lag", "s", (0.001, 0.001, 0.001, 0.08, 0.001, 0)),
            "olbench itself was held up for 80 ms meanwhile",
        ),
        (("host.other_cpu", "cores", ()), None),
        (("host.other_cpu", "cores", (3.0,)), None),
    ],
)
def test_a_request_is_explained_by_the_reading_that_rose_beside_it(
    line: tuple[str, str, Sequence[float]], reason: str | None
) -> None:
    # A beat tells of the second before it: the request from 3.2 to 4.4 s met the beats at 4 and 5 s.
    assert explained(ns(3.2), ns(4.4), Readings((beats(*line),), ()), BARS) == reason


def test_many_requests_are_explained_at_once() -> None:
    lines = (
        beats("host.steal", "cores", (0, 0, 0, 0.8, 0, 0)),
        beats("host.other_cpu", "cores", (0, 0, 0, 2.0, 0, 0)),
    )
    sent, end = np.array([ns(0.1), ns(3.2), ns(5.5), ns(99)]), np.array([ns(0.2), ns(3.4), ns(5.6), ns(100)])
    found = reasons(sent, end, Readings(lines, ()), BARS)
    assert found == (None, "other programs took 2.0 cores meanwhile", None, None)
    assert reasons(sent[:0], end[:0], Readings(lines, ()), BARS) == ()
