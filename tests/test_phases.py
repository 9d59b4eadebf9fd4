"""Where the time went: means of the parts, and parts that cannot be."""

from collections.abc import Sequence
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
    (sentence,) = doubts(seen)
    assert sentence.startswith(
        "in 2 of 3 samples the server's total_duration is longer than our end-to-end time"
    )
    assert sentence.endswith("by up to 50.0 ms: the parts are not to be trusted")


def test_parts_of_the_server_that_exceed_its_total_are_a_doubt() -> None:
    seen = told([sample(queue_s=-0.02)])
    assert split(seen, "nothing").queue.number is None
    assert [one.partition(",")[0] for one in doubts(seen)] == [
        "in 1 of 1 sample the server's parts add up to more than its total_duration"
    ]
