"""A run, told: every cell is there, with its figures, its reasons and its doubts."""

import math
from collections.abc import Iterator
from dataclasses import replace
from statistics import stdev
from typing import Any, cast

import pytest
from records import MODELS, a_record, cell, ns, observation, placement, record, sample, several, visits

from olbench.analysis import analyse
from olbench.findings import Estimate, Failure
from olbench.metrics import METRICS, Whole
from olbench.model import Observation, Sample

ONE = cell()


def test_a_cell_has_every_metric_and_each_that_is_unknown_a_reason() -> None:
    for found in analyse(a_record()).cells:
        assert found.summaries.keys() == METRICS.keys()
        for key, summary in found.summaries.items():
            assert summary.metric == key
            for estimate in (summary.typical, summary.p50, summary.p90, summary.p95, summary.p99):
                assert (estimate.low is not None and estimate.value is not None) or estimate.reason, key


def test_typical_values_are_geometric_means_over_visits_of_their_medians() -> None:
    (found,) = analyse(record([ONE], visits(ONE, (94, 96, 98)))).cells
    decode = found.summaries["decode"]
    logarithms = [math.log(one) for one in (94, 96, 98)]
    middle, half = sum(logarithms) / 3, 4.302652729911275 * stdev(logarithms) / 3**0.5
    assert decode.typical.value == pytest.approx(math.exp(middle))
    assert decode.typical.low == pytest.approx(math.exp(middle - half))
    assert decode.per_visit == pytest.approx((94.0, 96.0, 98.0))
    assert (decode.samples, decode.visits) == (9, 3)
    assert decode.p90.reason == "9 samples; p90 needs 10"
    assert (found.visits_planned, found.visits_taken, found.outcomes) == (3, 3, {"ok": 9})


def test_gaps_are_pooled_and_get_no_interval() -> None:
    (found,) = analyse(record([ONE], visits(ONE, (94, 96, 98)))).cells
    gap = found.summaries["gap"]
    assert (gap.samples, gap.visits) == (63, 3)
    assert gap.p50.value is not None
    assert gap.p50.reason == "gaps of one answer are not independent of each other: no interval"
    assert gap.typical.low is not None


def test_percentiles_of_a_visits_own_figures_count_visits() -> None:
    (found,) = analyse(record([ONE], visits(ONE, (94, 96, 98)))).cells
    assert found.summaries["throughput"].p90.reason == "3 visits; p90 needs 10"


def test_cold_figures_come_from_cold_requests_alone() -> None:
    seen = [
        observation(ONE, [sample(phase="cold", load_s=1.0 + turn, sent_s=0.0), sample()], repeat=turn)
        for turn in range(3)
    ]
    (found,) = analyse(record([ONE], seen)).cells
    assert found.summaries["load"].per_visit == (1.0, 2.0, 3.0)
    assert found.summaries["ttft_cold"].typical.value == pytest.approx((1.09 * 2.09 * 3.09) ** (1 / 3))
    assert found.summaries["ttft"].typical.value == pytest.approx(0.1)
    assert found.summaries["warm_load"].typical.value == pytest.approx(0.01)


def test_without_cold_requests_their_figures_say_so() -> None:
    (found,) = analyse(record([ONE], visits(ONE, (94, 96, 98)))).cells
    for key in ("load", "ttft_cold", "prefill_cold"):
        assert found.summaries[key].typical == Estimate(None, None, None, "no cold request was taken")


def test_failed_samples_are_counted_and_never_averaged() -> None:
    lost = sample(outcome="stalled", words="no end within 5 s", end_ns=ns(500))
    seen = [observation(ONE, [sample(), lost, lost], repeat=turn) for turn in (0, 2)]
    found = analyse(record([ONE], seen))
    assert found.failures == (
        Failure(cell=ONE.id, outcome="stalled", words="no end within 5 s", count=4, visits=(0, 2)),
    )
    assert found.cells[0].summaries["e2e"].most == pytest.approx(0.24)
    assert found.cells[0].outcomes == {"ok": 2, "stalled": 4}
    assert "4 of 6 samples failed (4 stalled); they enter no figure" in found.cells[0].doubts


def test_a_cell_that_could_not_be_measured_is_there_with_the_reason() -> None:
    other = cell(num_ctx=8192)
    third = cell(num_ctx=16384)
    seen = [
        *visits(ONE, (94, 96, 98)),
        observation(other, problem="model requires more system memory", placement=None),
    ]
    found = analyse(record([ONE, other, third], seen, repeats=3))
    assert [one.label for one in found.cells] == ["ctx 2048", "ctx 8192", "ctx 16384"]
    assert [one.visits_taken for one in found.cells] == [3, 0, 0]
    failed, never = found.cells[1], found.cells[2]
    assert failed.summaries["decode"].typical.reason == "model requires more system memory"
    assert failed.split.decode.reason == "model requires more system memory"
    assert never.summaries["decode"].typical.reason == "no visit was taken"
    assert never.doubts == ("0 of 3 planned visits gave samples",)


def test_when_all_samples_of_a_cell_failed_the_reason_counts_them() -> None:
    seen = observation(ONE, [sample(outcome="stalled"), sample(outcome="stalled"), sample(outcome="refused")])
    (found,) = analyse(record([ONE], [seen])).cells
    reason = "no measured sample went through (2 stalled, 1 refused)"
    assert found.summaries["ttft"].typical.reason == reason


def test_a_visit_taken_again_after_a_resume_counts_once() -> None:
    before = observation(ONE, several(2, gap_s=0.5), problem="interrupted")
    (found,) = analyse(record([ONE], [before, *visits(ONE, (94, 96, 98))])).cells
    assert found.summaries["decode"].samples == 9
    assert found.doubts == ()


def test_observations_of_cells_that_the_plan_does_not_have_are_left_out() -> None:
    stray = cell(num_ctx=1)
    found = analyse(record([ONE], visits(stray, (94, 96, 98))))
    assert [one.visits_taken for one in found.cells] == [0]


def test_own_prompts_are_told_one_by_one_and_synthetic_text_is_not() -> None:
    own = cell(prompt_tokens=None)
    names = ("p.jsonl:1", "p.jsonl:2", "p.jsonl:1")
    seen = [
        observation(own, [sample(prompt=name, gap_s=0.02 * (turn + 1)) for name in names], repeat=turn)
        for turn in range(3)
    ]
    (found,) = analyse(record([own], seen)).cells
    assert list(found.by_prompt) == ["p.jsonl:1", "p.jsonl:2"]
    first = found.by_prompt["p.jsonl:1"]
    assert first["tpot"].samples == 6
    assert first["tpot"].per_visit == pytest.approx((0.02, 0.04, 0.06))
    assert first["gap"].samples == 42
    assert not any(isinstance(METRICS[key].of, Whole) for key in first)
    assert "load" not in first
    assert analyse(record([ONE], visits(ONE, (94, 96, 98)))).cells[0].by_prompt == {}


def test_placements_are_told_once_however_often_they_recur() -> None:
    placed = [placement(preload_ns=turn, runner_pid=turn) for turn in range(3)] + [placement(size_vram=100)]
    seen = [observation(ONE, [sample()], repeat=turn, placement=one) for turn, one in enumerate(placed)]
    (found,) = analyse(record([ONE], seen)).cells
    assert found.placements == (placed[0], placed[3])


def test_observations_are_read_once_and_in_their_order() -> None:
    class Once:
        """Observations as a store hands them out."""

        def __init__(self, seen: list[Observation]) -> None:
            self.seen = seen
            self.turns = 0

        def __iter__(self) -> Iterator[Observation]:
            self.turns += 1
            return iter(self.seen)

        def __len__(self) -> int:
            return len(self.seen)

    whole = record([ONE], visits(ONE, (94, 96, 98)))
    once = Once(list(whole.observations))
    found = analyse(replace(whole, observations=cast("Any", once)))
    assert once.turns == 1
    assert found.cells[0].visits_taken == 3


def test_thousands_of_samples_are_told_quickly_and_keep_no_chunks() -> None:
    # A record of 2,000 samples with 64 lines each: 24 figures a sample.
    samples: tuple[Sample, ...] = several(100, streams=4, n=64)
    wide = cell(concurrency=4, output_tokens=64)
    (found,) = analyse(record([wide], [observation(wide, samples, repeat=turn) for turn in range(20)])).cells
    assert found.summaries["gap"].samples == 2000 * 63
    assert found.summaries["ttft"].p99.low is not None


def test_the_run_of_the_tests_has_what_a_report_must_bear() -> None:
    found = analyse(a_record())
    assert found.axes == ("model", "quantization", "num_ctx", "concurrency")
    assert len({one.label for one in found.cells}) == 24
    assert found.cells[0].label == f"{MODELS[0]} q4_0 · ctx 2048 · ×1"
    assert {one.outcome for one in found.failures} == {"stalled", "out_of_memory"}
    assert [one.label for one in found.cells if one.visits_taken == 0] == [
        f"{MODELS[1]} q8_0 · ctx 8192 · ×4"
    ]
    assert any("other programs" in doubt for one in found.cells for doubt in one.doubts)
    assert found.doubts == ()
