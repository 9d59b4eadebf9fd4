"""The parts of one request's time: where stamps and durations place them, and how their sum fails."""

from array import array
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from records import sample

from olbench.model import Sample
from olbench.parts import PARTS, parts
from olbench.sample_columns import columns


def told(seen: Sample) -> dict[str, float]:
    found = parts(columns([seen]))
    return {name: float(getattr(found, name)[0]) for name in (*PARTS, "held", "whole")}


def with_counts(seen: Sample, **changes: Any) -> Sample:
    assert seen.counts is not None
    return replace(seen, counts=replace(seen.counts, **changes))


def dated(seen: Sample, *, by_ns: int = 0, first_by_ns: int = 0, grain_ns: int = 1) -> Sample:
    """The sample with its created_at moved, and told in whole grains."""
    stamps = [
        one + by_ns + (first_by_ns if place == 0 else 0) for place, one in enumerate(seen.chunks.created_ns)
    ]
    moved = array("q", [one // grain_ns * grain_ns for one in stamps])
    return replace(seen, chunks=replace(seen.chunks, created_ns=moved))


# 2 ms late, 10 ms of network, 10 of load, 50 of queue, 80 of prefill, seven gaps of 20 ms: 290 ms from send to end.
WHOLE = {"connect": 2, "load": 10, "queue": 50, "prefill": 80, "decode": 140, "network": 10, "unexplained": 0}


def one(**changes: Any) -> Sample:
    # created_at beside whole milliseconds, as a server's clock has it
    return dated(sample(**({"queue_s": 0.05, "late_s": 0.002} | changes)), by_ns=123_456)


def late(seen: Sample, by_ns: int) -> "array[int]":
    first, *others = seen.chunks.arrived_ns
    return array("q", [first + by_ns, *others])


CASES = {
    "as it is": (one(), {}),
    "a server whose clock is an hour off": (dated(one(), by_ns=3600 * 10**9), {}),
    "created_at in whole seconds, so that our own stamps place the text": (dated(one(), grain_ns=10**9), {}),
    "no created_at": (dated(one(), grain_ns=2 * 10**18), {}),
    "the connection is part of what comes before the send": (one(connect_ns=1_500_000), {}),
    "text held back by a parser is no queue": (
        dated(replace(one(), chunks=replace(one().chunks, kind=b"\x00\x00" + one().chunks.kind[2:]))),
        {"held": 40},
    ),
    "a first line that came late, with the next one": (
        replace(one(), chunks=replace(one().chunks, arrived_ns=late(one(), 15_000_000))),
        {"held": 15},
    ),
    "decode half as long as it was": (
        with_counts(one(), eval_ns=70_000_000),
        {"decode": 70, "unexplained": 70},
    ),
    "a tail of 30 ms after the last token": (
        with_counts(one(), eval_ns=110_000_000),
        {"decode": 110, "unexplained": 30},
    ),
    "decode longer than it was: below zero in the queue": (
        with_counts(one(), eval_ns=240_000_000),
        {"decode": 240, "queue": -50, "held": 100},
    ),
    "prefill longer than it was: below zero in the queue": (
        with_counts(one(), prompt_eval_ns=180_000_000),
        {"prefill": 180, "queue": -50},
    ),
    "a total that is too long: below zero in the network": (
        with_counts(one(), total_ns=480_000_000),
        {"queue": 250, "network": -190},
    ),
    "a total that is too short": (with_counts(one(), total_ns=230_000_000), {"queue": 0, "network": 60}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_parts_are_where_the_hand_says(case: str) -> None:
    seen, changes = CASES[case]
    found = told(seen)
    expected = WHOLE | {"held": 0, "whole": 292} | changes
    assert found == pytest.approx({key: ms / 1e3 for key, ms in expected.items()}, abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_with_what_is_unexplained_they_are_the_whole_and_up_to_the_text_they_are_ttft(case: str) -> None:
    seen, _ = CASES[case]
    found = told(seen)
    assert sum(found[name] for name in PARTS) == pytest.approx(found["whole"], abs=1e-9)
    says = next(place for place, kind in enumerate(seen.chunks.kind) if kind)
    to_text = (seen.chunks.arrived_ns[says] - seen.wanted_ns) / 1e9
    before = sum(found[name] for name in ("connect", "load", "queue", "prefill", "network", "held"))
    assert before == pytest.approx(to_text, abs=1e-9)


def test_without_a_stream_queue_and_network_are_remainders_and_nothing_is_left_to_explain() -> None:
    found = told(one(streamed=False))
    assert (found["queue"], found["network"]) == pytest.approx((0.05, 0.01), abs=1e-6)
    assert np.isnan(found["unexplained"])
    assert np.isnan(found["held"])


def test_a_clock_that_was_set_leaves_what_the_server_says_of_itself() -> None:
    found = told(one(stamps="stepped"))
    assert found["queue"] == pytest.approx(0.05, abs=1e-6)
    assert np.isnan([found["network"], found["unexplained"], found["whole"]]).all()
