"""Where the time went: means of the parts, and parts that cannot be."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from records import cell, observation, sample

from olbench.findings import Value
from olbench.gist import Told, gist
from olbench.model import Sample
from olbench.phases import doubts, split


def told(samples: Sequence[Sample], **changes: Any) -> Told:
    seen = observation(cell(), samples, **changes)
    return Told(cell(), 1, (gist(seen),))


def test_a_split_is_the_mean_of_each_part_over_good_measured_samples() -> None:
    parts = split(
        told(
            [
                sample(queue_s=0.1),
                sample(queue_s=0.3, load_s=0.03),
                sample(phase="cold", load_s=9.0),
                sample(outcome="stalled"),
            ]
        ),
        "nothing",
    )
    assert parts.queue.number == pytest.approx(0.2)
    assert parts.load.number == pytest.approx(0.02)
    assert parts.prefill.number == pytest.approx(0.08)
    assert parts.decode.number == pytest.approx(0.14)
    assert parts.network.number == pytest.approx(0.01)


def test_the_parts_add_up_to_the_end_to_end_time() -> None:
    parts = split(told([sample(queue_s=0.05)]), "nothing")
    each = (parts.queue, parts.load, parts.prefill, parts.decode, parts.network)
    assert sum(part.number or 0.0 for part in each) == pytest.approx(0.29)


def test_without_counts_every_part_is_unknown_with_the_reason() -> None:
    parts = split(told([sample(counts=None)]), "nothing")
    assert parts.decode == Value(None, "the server sent no counts")
    assert parts.queue == Value(None, "the server sent no counts")
    assert parts.network == Value(None, "the server left out one of its durations")


def test_without_samples_the_reason_is_the_cells() -> None:
    assert split(told([]), "no visit was taken").prefill == Value(None, "no visit was taken")


def test_a_part_below_zero_by_the_grain_of_the_clocks_is_zero() -> None:
    seen = told([sample(queue_s=-0.0004)])
    assert split(seen, "nothing").queue == Value(0.0)
    assert list(doubts(seen)) == []


def test_a_network_part_clearly_below_zero_is_none_and_a_doubt() -> None:
    seen = told([sample(network_s=-0.05), sample(network_s=-0.03), sample()])
    assert split(seen, "nothing").network == Value(
        None, "the server's total_duration is longer than our end-to-end time by 23.3 ms on average"
    )
    ((sentence, rows),) = doubts(seen)
    assert sentence.startswith(
        "in 2 of 3 samples the server's total_duration is longer than our end-to-end time"
    )
    assert sentence.endswith("by up to 50.0 ms: the parts are not to be trusted")
    assert rows.tolist() == [True, True, False]


def test_parts_of_the_server_that_exceed_its_total_are_a_doubt() -> None:
    seen = told([sample(queue_s=-0.02)])
    assert split(seen, "nothing").queue.number is None
    assert [sentence.partition(",")[0] for sentence, _ in doubts(seen)] == [
        "in 1 of 1 sample the server's parts add up to more than its total_duration"
    ]


def test_what_comes_before_the_send_is_a_part_with_its_connection() -> None:
    parts = split(told([sample(late_s=0.003, connect_ns=2_000_000), sample(late_s=0.001)]), "nothing")
    assert parts.connect.number == pytest.approx(0.002)


def test_an_end_that_came_before_the_servers_own_is_a_network_part_below_zero() -> None:
    late = sample()
    parts = split(told([replace(late, end_ns=late.end_ns - 50_000_000)]), "nothing")
    assert parts.network == Value(
        None, "the server's total_duration is longer than our end-to-end time by 40.0 ms on average"
    )


def off(seconds: float) -> Sample:
    """A request whose last byte came so many seconds after the moment that its parts account for."""
    one = sample(network_s=0.010_002)  # not in whole milliseconds: such a created_at would place nothing
    return replace(one, end_ns=one.end_ns + round(seconds * 1e9))


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (0.0019, None),  # below 2 ms, the larger of the two bars
        (
            0.05,
            "in 2 of 3 samples the server's durations leave time unexplained, by up to 50.0 ms",
        ),
        (
            -0.05,
            "in 2 of 3 samples the server's total_duration is longer than our end-to-end time, by up to 40.0 ms",
        ),
    ],
)
def test_parts_that_miss_the_whole_in_most_samples_are_a_doubt(seconds: float, sentence: str | None) -> None:
    found = [said for said, _ in doubts(told([off(seconds), off(seconds), sample()]))]
    assert found == ([] if sentence is None else [f"{sentence}: the parts are not to be trusted"])


def test_one_sample_of_many_that_misses_the_whole_was_read_late_and_is_none() -> None:
    assert list(doubts(told([off(0.05), sample(), sample(), sample()]))) == []


def test_waiting_inside_a_server_that_has_one_request_is_a_doubt() -> None:
    # 150 of 390 ms are more than a fifth; 90 ms are below a tenth of a second.
    ((sentence, rows),) = doubts(told([sample(queue_s=0.15), sample(queue_s=0.09)]))
    assert sentence == (
        "in 1 of 2 samples the server spent up to 150 ms on nothing that its durations name, though no other request of "
        "ours was under way"
    )
    assert rows.tolist() == [True, False]
