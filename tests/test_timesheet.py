"""What is odd about single requests, and the state of those that nobody meant to be cold or warm."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import records
from records import cell, observation, sample

from olbench.cachestate import NAMES
from olbench.model import Sample, Visit
from olbench.timesheet import Sheet, sheets


def sheet(samples: Sequence[Sample], settings: dict[str, Any] | None = None, **changes: Any) -> Sheet:
    of = cell(**changes)
    record = records.record([of], [observation(of, samples)])
    run = replace(record.run, settings=record.run.settings | (settings or {}))
    ((_, found),) = sheets(replace(record, run=run))
    return found


def first_line(bits: int) -> Sample:
    whole = sample()
    kind = bytes([whole.chunks.kind[0] | bits]) + whole.chunks.kind[1:]
    return replace(whole, chunks=replace(whole.chunks, kind=kind))


FLAGGED = [
    (sample(), ""),
    (sample(connect_ns=0), ""),
    (sample(connect_ns=1), "o"),
    (sample(load_s=1.5), "r"),
    (sample(load_s=1.5, phase="cold"), ""),
    (sample(cached=63), "c"),
    (first_line(4), "b"),
    (first_line(16), "b"),
    (sample(streamed=False), ""),
    (sample(queue_s=-0.05), "n"),
    (sample(outcome="stalled"), ""),
    (sample(counts=None), ""),
]


@pytest.mark.parametrize(("seen", "letters"), FLAGGED)
def test_what_is_odd_has_its_letter(seen: Sample, letters: str) -> None:
    assert sheet([seen]).flags == (letters,)


def test_the_bars_are_those_of_the_run() -> None:
    assert sheet([sample(load_s=1.5)], {"threshold.reload": 2.0}).flags == ("",)


def test_only_measured_requests_are_meant_to_be_cold_or_warm() -> None:
    seen = [
        sample(phase="cold", cached=None),
        sample(phase="warmup", cached=63),
        sample(phase="warmup", cached=None),
        sample(outcome="stalled"),
        sample(cached=63),
        sample(cached=0),
    ]
    found = sheet(seen)
    assert [NAMES[code] for code in found.states.codes.tolist()] == [
        *("cold", "warm", "unknown", "unknown", "contaminated", "cold")
    ]


def test_visits_to_a_cell_that_the_plan_lost_are_told_too() -> None:
    one, lost = cell(), cell(num_ctx=4096)
    seen = [observation(one, [sample()]), observation(lost, [sample()], visit=Visit(1, lost.id, 0))]
    record = records.record([one], seen)
    assert [of.visit.cell for of, _ in sheets(record)] == [one.id, lost.id]
    assert [of.visit.cell for of, _ in sheets(record, {one.id})] == [one.id]
