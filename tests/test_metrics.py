"""The table of metrics: every formula against numbers worked out by hand."""

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from records import cell, ns, observation, placement, readings, sample, series, several

from olbench.arrival import Load
from olbench.column import Column
from olbench.findings import Value
from olbench.gist import Gist, gist
from olbench.metrics import METRICS, Each, Many, Whole
from olbench.model import (
    GOOD,
    Counts,
    Observation,
    Sample,
)
from olbench.readings import NO_READINGS
from olbench.sample_columns import columns
from olbench.visit_metrics import Visited

UNITS = {"s", "tok/s", "1/s", "B", "share", "cores", "W", "J/tok", "tok"}


def of_sample(key: str, seen: Sample) -> Value:
    of = METRICS[key].of
    assert isinstance(of, Each)
    return only(of.of(columns([seen])))


def only(column: Column) -> Value:
    """What a column of one sample says of it."""
    (reason,) = column.reasons
    return Value(None, reason) if reason else Value(*column.numbers.tolist())


def of_visit(key: str, seen: Observation) -> Value:
    of = METRICS[key].of
    assert isinstance(of, Whole)
    good = [one for one in seen.samples if one.phase == "measured" and one.outcome in GOOD]
    return of.of(Visited(seen, columns(good)))


def gaps_of(seen: Sample) -> Any:
    of = METRICS["gap"].of
    assert isinstance(of, Many)
    column = of.of(columns([seen]))
    return only(column) if any(column.reasons) else column.numbers


def counts(**changes: Any) -> Counts:
    whole = sample().counts
    assert whole is not None
    return replace(whole, **changes)


def test_every_row_has_a_name_a_formula_and_a_unit_of_the_house() -> None:
    for key, row in METRICS.items():
        assert row.key == key
        assert row.name
        assert row.formula
        assert row.unit in UNITS, key
    assert len({row.name for row in METRICS.values()}) == len(METRICS)


# --- one sample -----------------------------------------------------------------------------------------------

# By default: sent at 1.000, first line at 1.100, seven gaps of 20 ms, end at 1.240; n = 8.
BY_HAND = [
    ("ttft", {}, 0.1),
    ("ttft", {"thoughts": 3}, 0.1),
    ("ttft_answer", {"thoughts": 3}, 0.16),
    ("ttft_answer", {}, 0.1),
    ("server_ttft", {}, 0.09),
    ("server_ttft", {"network_s": 0.5}, 0.09),
    ("tpot", {}, 0.02),
    ("e2e", {}, 0.24),
    ("dispatch", {"late_s": 0.003}, 0.003),
    ("dispatch", {"late_s": 0.003, "connect_ns": 2_000_000}, 0.001),
    ("connect", {"late_s": 0.003, "connect_ns": 2_000_000}, 0.002),
    ("decode", {}, 8 / 0.14),
    ("steps", {}, 7 / 0.14),
    ("prefill", {}, 64 / 0.08),
    ("prefill", {"cached": 24}, 40 / 0.08),
    ("prefill_cold", {"phase": "cold", "cached": None}, 64 / 0.08),
    ("prefill_cold", {"phase": "cold", "cached": 4}, 60 / 0.08),
    ("prompt_tokens", {}, 64.0),
    ("cached_tokens", {"cached": 7}, 7.0),
    ("output_tokens", {}, 8.0),
    ("warm_load", {}, 0.01),
    ("load", {"phase": "cold", "load_s": 1.25}, 1.25),
    ("prefill_time", {}, 0.08),
    ("decode_time", {}, 0.14),
    ("queue", {"queue_s": 0.3}, 0.3),
    ("network", {}, 0.01),
    ("network", {"network_s": -0.05}, -0.05),
    ("unexplained", {}, 0.0),
    ("held", {}, 0.0),
    ("coalesced", {"coalesced": 3}, 3 / 9),
]


@pytest.mark.parametrize(("key", "changes", "expected"), BY_HAND)
def test_a_metric_of_a_sample_is_what_the_hand_says(key: str, changes: Any, expected: float) -> None:
    assert of_sample(key, sample(**changes)).number == pytest.approx(expected, abs=1e-8)


UNKNOWN = [
    ("ttft", {"streamed": False}, "the response was not streamed"),
    ("ttft_answer", {"streamed": False}, "the response was not streamed"),
    ("tpot", {"streamed": False}, "the response was not streamed"),
    ("server_ttft", {"streamed": False}, "the response was not streamed"),
    ("coalesced", {"streamed": False}, "the response was not streamed"),
    ("ttft", {"n": 0}, "no line carried text"),
    ("ttft_answer", {"thoughts": 8}, "no line carried answer text"),
    ("ttft", {"sent_ns": None}, "the request was never sent"),
    ("e2e", {"sent_ns": None}, "the request was never sent"),
    ("decode", {"n": 1}, "a rate of steps needs 2 tokens"),
    ("steps", {"n": 1}, "a rate of steps needs 2 tokens"),
    ("tpot", {"n": 1}, "a rate of steps needs 2 tokens"),
    ("decode", {"counts": None}, "the server sent no counts"),
    ("decode", {"counts": counts(eval_ns=0)}, "the server gave a duration of 0"),
    ("prefill", {"cached": None}, "the server does not say how many prompt tokens came from its cache"),
    ("prefill", {"cached": 64}, "the whole prompt came from the cache"),
    ("prefill", {"counts": counts(prompt_eval_ns=0)}, "the server gave a duration of 0"),
    ("cached_tokens", {"cached": None}, "the server sent no prompt_eval_cached_count"),
    ("prompt_tokens", {"counts": counts(prompt_eval_count=None)}, "the server sent no prompt_eval_count"),
    ("queue", {"counts": counts(load_ns=None)}, "the server left out one of its durations"),
    ("network", {"counts": counts(total_ns=None)}, "the server left out one of its durations"),
]


@pytest.mark.parametrize(("key", "changes", "reason"), UNKNOWN)
def test_what_is_unknown_is_none_with_the_reason(key: str, changes: Any, reason: str) -> None:
    assert of_sample(key, sample(**changes)) == Value(None, reason)


def test_all_text_in_one_chunk_gives_no_time_per_token() -> None:
    whole = sample()
    one = replace(whole, chunks=replace(whole.chunks, kind=b"\x01" + b"\x00" * 7 + b"\x08"))
    assert of_sample("tpot", one).reason == "all text came in one chunk"
    assert gaps_of(one) == Value(None, "all text came in one chunk")
    assert of_sample("ttft", one).number == pytest.approx(0.1)


def test_lines_without_created_at_give_no_time_by_the_servers_clock() -> None:
    whole = sample()
    bare = replace(whole, chunks=replace(whole.chunks, created_ns=array("q", [0] * 9)))
    assert of_sample("server_ttft", bare).reason == "the server's lines carry no created_at"


def test_gaps_lie_between_lines_with_text_and_leave_out_the_final_line() -> None:
    assert gaps_of(sample(n=4, gap_s=0.03)).tolist() == pytest.approx([0.03] * 3)
    assert gaps_of(sample(thoughts=3)).tolist() == pytest.approx([0.02] * 7)
    assert gaps_of(sample(streamed=False)) == Value(None, "the response was not streamed")
    assert gaps_of(sample(n=0)) == Value(None, "no line carried text")


def test_an_empty_line_before_the_text_is_not_the_first_token() -> None:
    whole = sample()
    late = replace(whole, chunks=replace(whole.chunks, kind=b"\x00" + whole.chunks.kind[1:]))
    assert of_sample("ttft", late).number == pytest.approx(0.12)
    assert of_sample("server_ttft", late).number == pytest.approx(0.11)


# --- one visit ------------------------------------------------------------------------------------------------


def visit(samples: Sequence[Sample], **changes: Any) -> Observation:
    return observation(cell(), samples, **changes)


def test_throughput_of_few_samples_is_all_tokens_over_the_whole_time() -> None:
    two = several(2, streams=2)
    assert of_visit("throughput", visit(two)).number == pytest.approx(16 / 0.24)
    assert of_visit("requests_per_s", visit(two)).number == pytest.approx(2 / 0.24)


def test_throughput_of_one_stream_needs_no_ramp_left_out() -> None:
    # Sent at 1, 2, ... 6; the last ends at 6.24.
    assert of_visit("throughput", visit(several(6))).number == pytest.approx(48 / 5.24)


def test_throughput_counts_between_the_last_begin_and_the_first_end_where_samples_are_enough() -> None:
    # Stream 0 sends at 1, 2, 3 and ends at 3.24. Stream 1 sends at 1.12, 2.12, 3.12 and ends at 3.36.
    # The window is 1.12 to 3.24. Of stream 0's lines those at 1.10 and 1.12 come too early: 24 - 2 tokens.
    # Stream 1's third answer comes from 3.22 on, so that the lines at 3.22 and 3.24 are in: 8 + 8 + 2 tokens.
    first = [sample(stream=0, sent_s=at) for at in (1.0, 2.0, 3.0)]
    other = [sample(stream=1, sent_s=at) for at in (1.12, 2.12, 3.12)]
    seen = of_visit("throughput", visit([*first, *other]))
    assert seen.number == pytest.approx((22 + 18) / 2.12)


def test_throughput_spreads_the_servers_count_over_the_lines() -> None:
    # 16 tokens in 8 lines an answer: the same window holds twice as many.
    double = counts(eval_count=16)
    first = [sample(stream=0, sent_s=at, counts=double) for at in (1.0, 2.0, 3.0)]
    other = [sample(stream=1, sent_s=at, counts=double) for at in (1.12, 2.12, 3.12)]
    assert of_visit("throughput", visit([*first, *other])).number == pytest.approx(80 / 2.12)


def test_throughput_without_a_count_of_every_sample_is_unknown() -> None:
    seen = visit([sample(), sample(index=1, counts=counts(eval_count=None))])
    assert of_visit("throughput", seen) == Value(None, "the server sent no eval_count")


def test_failed_warm_up_and_cold_samples_enter_no_figure_of_the_visit() -> None:
    others = [
        sample(phase="warmup", sent_s=0.2),
        sample(phase="cold", sent_s=0.1),
        sample(outcome="stalled", sent_s=0.5, end_ns=ns(60)),
    ]
    assert of_visit("throughput", visit([*others, sample()])).number == pytest.approx(8 / 0.24)
    assert of_visit("throughput", visit(others)) == Value(None, "no measured sample went through")
    assert of_visit("requests_per_s", visit(others)) == Value(None, "no measured sample went through")


# A measured time from 1.0 to 3.24 s; readings once a second from 0 s on.
LONG = (sample(sent_s=1.0), sample(index=1, sent_s=3.0))


def seen_with(*found: Any, **changes: Any) -> Observation:
    return visit(LONG, readings=readings(*found), **changes)


def test_ram_peaks_over_the_whole_visit_and_has_its_mean_over_the_measured_time() -> None:
    seen = seen_with(series("server.rss", [900.0, 100.0, 200.0, 200.0, 200.0]))
    assert of_visit("ram_peak", seen).number == 900.0
    # 1 to 2 s: 150 on average; 2 to 3.24 s: 200.
    assert of_visit("ram_mean", seen).number == pytest.approx((150 + 1.24 * 200) / 2.24)


def test_between_beats_a_reading_is_a_straight_line_and_beyond_them_it_holds() -> None:
    slow = seen_with(series("server.cpu", [0.0, 4.0], "cores", every_s=4.0))
    assert of_visit("cpu_server", slow).number == pytest.approx((1.0 + 3.24) / 2)
    early = seen_with(series("server.cpu", [2.0, 2.0, 2.0], "cores"))
    assert of_visit("cpu_server", early).number == pytest.approx(2.0)


def test_readings_outside_the_measured_time_give_no_mean() -> None:
    late = seen_with(series("server.rss", [1.0, 2.0], start_s=10.0))
    assert of_visit("ram_mean", late) == Value(None, "no beat of the probe fell into the measured time")
    assert of_visit("ram_peak", late).number == 2.0


def test_a_reading_that_could_not_be_had_is_none_with_the_probes_own_reason() -> None:
    why = "the server is on another machine"
    remote = visit(LONG, readings=readings(absent={"server.rss": why, "gpu0.used": "no NVIDIA driver"}))
    assert of_visit("ram_peak", remote) == Value(None, why)
    assert of_visit("gpu_peak", remote) == Value(None, "no NVIDIA driver")
    assert of_visit("runner_ram_peak", remote) == Value(None, "no probe gave runner.rss")
    assert of_visit("gpu_util", remote) == Value(None, "no probe gave gpuN.util")
    assert of_visit("power_mean", remote) == Value(None, "no probe gave power")


def test_gpu_memory_is_the_servers_own_where_that_can_be_read() -> None:
    seen = seen_with(
        series("gpu0.server", [1.0, 5.0, 5.0, 5.0, 5.0]),
        series("gpu1.server", [2.0, 3.0, 3.0, 3.0, 3.0]),
        series("gpu0.used", [100.0, 100.0, 100.0, 100.0, 100.0]),
    )
    assert of_visit("gpu_peak", seen).number == 8.0
    assert of_visit("gpu_mean", seen).number == pytest.approx(8.0)


def test_gpu_memory_is_else_what_the_cards_have_in_use_less_the_idle_baseline() -> None:
    used = series("gpu0.used", [40.0, 90.0, 90.0, 90.0, 90.0])
    idle = readings(series("gpu0.used", [30.0, 30.0]))
    assert of_visit("gpu_peak", seen_with(used, baseline=idle)).number == pytest.approx(60.0)
    assert of_visit("gpu_peak", seen_with(used)) == Value(None, "no idle baseline was taken before the load")


def test_gpu_utilisation_is_the_mean_of_the_cards() -> None:
    seen = seen_with(series("gpu0.util", [1.0] * 5, "share"), series("gpu1.util", [0.5] * 5, "share"))
    assert of_visit("gpu_util", seen).number == pytest.approx(0.75)


def test_energy_per_token_is_told_gross_and_above_idle() -> None:
    # 50 W over 2.24 s for 16 tokens; 20 W of them flow when idle.
    power = series("gpu0.power", [50.0] * 5, "W")
    seen = seen_with(power, baseline=readings(series("gpu0.power", [20.0, 20.0], "W")))
    assert of_visit("power_mean", seen).number == pytest.approx(50.0)
    assert of_visit("energy_per_token_gross", seen).number == pytest.approx(50 * 2.24 / 16)
    assert of_visit("energy_per_token", seen).number == pytest.approx(30 * 2.24 / 16)
    without = seen_with(power)
    assert of_visit("energy_per_token_gross", without).number == pytest.approx(50 * 2.24 / 16)
    assert of_visit("energy_per_token", without) == Value(None, "no idle baseline was taken before the load")


def test_swap_growth_is_the_last_beat_less_the_first() -> None:
    seen = seen_with(series("host.swap_used", [5.0, 9.0, 7.0]))
    assert of_visit("swap_growth", seen).number == 2.0


def test_size_and_load_come_from_the_placement() -> None:
    seen = visit(LONG, placement=placement(preload_ns=ns(0.7), size=100, size_vram=60))
    assert of_visit("preload", seen).number == pytest.approx(0.7)
    assert of_visit("model_size", seen).number == 100.0
    assert of_visit("model_vram", seen).number == 60.0
    cold = visit(LONG, placement=placement(preload_ns=None, size_vram=None))
    assert of_visit("preload", cold) == Value(None, "this visit preloaded nothing")
    assert of_visit("model_vram", cold) == Value(None, "the server reported no size_vram")
    unseen = visit(LONG, placement=None)
    for key in ("preload", "model_size", "model_vram"):
        assert of_visit(key, unseen).reason == "it was not seen where the server put the model"


def test_a_visit_without_readings_has_a_reason_for_each_of_them() -> None:
    bare = visit(LONG, readings=NO_READINGS)
    for key, row in METRICS.items():
        if isinstance(row.of, Whole) and of_visit(key, bare).number is None:
            assert of_visit(key, bare).reason, key


def test_a_clock_that_was_set_in_mid_response_spoils_its_stamps_and_not_the_servers_own_figures() -> None:
    seen = sample(stamps="stepped")
    for key in ("ttft", "ttft_answer", "tpot", "e2e", "network"):
        found = of_sample(key, seen)
        assert (found.number, "wall clock was set" in found.reason) == (None, True), key
    assert of_sample("decode", seen).number is not None
    for key in ("throughput", "requests_per_s"):
        assert "wall clock was set" in of_visit(key, observation(cell(), samples=(seen,))).reason


# --- under a load ---------------------------------------------------------------------------------------------


def under_load(*samples: Sample) -> Gist:
    of = cell(load=Load(pattern="steady", rate=1.0))
    return gist(observation(of, samples), load=of.load)


def test_under_a_load_ttft_and_e2e_count_from_the_due_time() -> None:
    found = under_load(sample(sent_s=2.0, late_s=0.5))
    assert found.columns["ttft"].numbers == pytest.approx([0.6])
    assert found.columns["e2e"].numbers == pytest.approx([0.74])
    assert found.columns["tpot"].numbers == pytest.approx([0.02])
    assert found.columns["dispatch"].numbers == pytest.approx([0.5])


def test_under_a_load_throughput_is_what_came_while_requests_fell_due() -> None:
    # Due at 1, 2, 3 and 4 s, 8 tokens each in 240 ms. The last one's tokens come after the last due time; those of a
    # request of the warm-up that was still under way come within it.
    measured = [sample(index=place, sent_s=1.0 + place) for place in range(4)]
    early = sample(phase="warmup", sent_s=0.95)
    assert under_load(*measured).columns["throughput"].numbers == pytest.approx([24 / 3])
    assert under_load(*measured).columns["requests_per_s"].numbers == pytest.approx([3 / 3])
    # The warm-up's first text comes 1.05 s, within the time; so do all of its tokens.
    assert under_load(early, *measured).columns["throughput"].numbers == pytest.approx([32 / 3])
    assert under_load(early, *measured).columns["requests_per_s"].numbers == pytest.approx([4 / 3])


def test_a_load_that_came_at_once_has_its_throughput_over_the_whole_time() -> None:
    assert under_load(sample()).columns["throughput"].numbers == pytest.approx([8 / 0.24])
