"""A self-test told: figures worked out by hand, and what the verdict calls good."""

from typing import Any

import pytest
from selftests import MS, US, ints, level, selftest

from olbench import accuracy
from olbench.accuracy import BOUNDS, KERNEL, USER, Figures, Spread
from olbench.findings import Stamps


def stamps(**sources: int) -> Stamps:
    named = {name.replace("_", "-"): count for name, count in sources.items()}
    return Stamps(sources=named, lines=0, coalesced=0, unstamped=0)


# --- figures --------------------------------------------------------------------------------------------------


def test_the_middle_of_ttft_keeps_its_sign_and_its_tail_is_of_the_size() -> None:
    # 51 values: -100 us to -50 us in steps of 1 us; the middle is the 26th. Fewer than 100: the largest size.
    seen = accuracy.figures(level(ttft_ns=ints(range(-100 * US, -49 * US, US))))
    assert seen.ttft == Spread(pytest.approx(-75e-6), pytest.approx(100e-6), 51)
    assert seen.ttft.name == "largest of 51"


def test_a_p99_is_one_from_a_hundred_values_on() -> None:
    # 101 values 0 to 100 us: type 7 puts p99 on the 100th of them, 99 us.
    seen = accuracy.figures(level(ttft_ns=ints(range(0, 101 * US, US))))
    assert seen.ttft == Spread(pytest.approx(50e-6), pytest.approx(99e-6), 101)
    assert seen.ttft.name == "p99"


def test_gaps_count_by_their_size() -> None:
    seen = accuracy.figures(level(gap_ns=ints([-3 * US, 1 * US, 2 * US])))
    assert seen.gap == Spread(pytest.approx(2e-6), pytest.approx(3e-6), 3)


def test_shares_and_cpu_are_of_the_chunks() -> None:
    seen = accuracy.figures(level(coalesced=3, unstamped=2))
    assert (seen.coalesced, seen.unstamped) == (pytest.approx(0.0025), 2)
    assert seen.cpu == pytest.approx(0.05)  # 60 ms for 1,200 chunks
    nothing = accuracy.figures(
        level(chunks=0, ttft_ns=ints([]), gap_ns=ints([]), dispatch_ns=ints([]), failed=4)
    )
    assert (nothing.coalesced, nothing.cpu, nothing.requests) == (None, None, 0)
    assert nothing.ttft == Spread(None, None, 0)


@pytest.mark.parametrize(
    ("concurrency", "streams", "doubt"),
    [
        (1, 1, ""),
        (2, 16, ""),
        (16, 16, ""),
        (17, 16, "the self-test went up to 16 streams"),
    ],
)
def test_the_nearest_level_at_or_above_speaks_for_a_cell(concurrency: int, streams: int, doubt: str) -> None:
    held = accuracy.of(selftest(level(16), level(1), level(66, rate=200.0)), concurrency)
    assert held is not None
    assert (held.streams, held.rate, held.doubt) == (streams, None, doubt)


def test_without_a_closed_loop_nothing_speaks_for_a_cell() -> None:
    assert accuracy.of(selftest(level(66, rate=200.0)), 1) is None


def test_errors_are_those_of_metrics_of_our_clock() -> None:
    known = accuracy.errors(accuracy.figures(level()))
    assert known == {
        **dict.fromkeys(("ttft", "ttft_answer", "ttft_cold", "e2e", "network"), pytest.approx(40e-6)),
        **dict.fromkeys(("gap", "tpot"), pytest.approx(3e-6)),
    }
    assert "gap" not in accuracy.errors(accuracy.figures(level(gap_ns=ints([]))))


# --- doubts ---------------------------------------------------------------------------------------------------


def test_stamps_of_another_kind_than_the_self_tests_are_a_doubt() -> None:
    assert accuracy.doubts(selftest(level()), stamps(kernel=8, none=1)) == ()
    assert accuracy.doubts(None, stamps(user_space=8)) == ()
    assert accuracy.doubts(selftest(level(stamps=USER)), stamps(user_space=8)) == ()
    assert accuracy.doubts(selftest(level()), stamps(kernel=6, user_space=2, stepped=1)) == (
        "3 of 9 responses carry no stamps of the kernel, which the self-test had: the clock may err more in them",
    )


# --- the verdict ----------------------------------------------------------------------------------------------


def test_a_good_verdict_says_how_exact() -> None:
    said = accuracy.verdict(selftest(level(1), level(64, ttft_ns=ints([90 * US] * 100))), ["a busy machine"])
    assert said.good
    assert said.sentences == (
        (
            "This client's TTFT is exact to 0.090 ms (p99) up to 64 streams, a gap between chunks to 3.0 us"
            " (p99 at 1 stream); kernel stamps."
        ),
    )


def test_a_p99_of_few_values_is_called_by_its_name() -> None:
    (said,) = accuracy.verdict(selftest(level(1, ttft_ns=ints([50 * US] * 11)), level(16))).sentences
    assert "exact to 0.050 ms (largest of 11 at 1 stream) up to 16 streams" in said


def test_user_space_stamps_have_bounds_of_their_own_and_are_named() -> None:
    late = {"ttft_ns": ints([450 * US] * 100), "gap_ns": ints([300 * US] * 100)}
    assert not accuracy.verdict(selftest(level(**late))).good
    said = accuracy.verdict(selftest(level(stamps=USER, **late)))
    assert said.good
    assert said.sentences[1] == (
        "Stamps are taken in user space, where other work on the machine delays them."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ttft_ns": [110 * US] * 100}, "TTFT is off by 0.11 ms (p50) at 16 streams, where 0.10 ms would do"),
        ({"ttft_ns": [0] * 90 + [2 * MS] * 10}, "TTFT is off by 2.0 ms (p99) at 16 streams, where 0.30 ms"),
        ({"ttft_ns": [-2 * MS] * 9}, "TTFT is off by 2.0 ms (p50) at 16 streams"),
        ({"gap_ns": [160 * US] * 9}, "a gap between chunks is off by 160 us (largest of 9) at 16 streams"),
        ({"coalesced": 12}, "the share of blurred stamps is 1.0 % at 16 streams, where 0.50 % would do"),
        ({"dispatch_ns": [4 * MS] * 100}, "requests leave late by 4.0 ms (p99) at 16 streams, where 3.0 ms"),
        ({"failed": 2}, "2 of 102 requests gave no figure"),
        (
            {"rate": 200.0, "streams": 66, "dispatch_ns": [1 * MS] * 100},
            "paced requests leave late by 1.0 ms (p99) at 200 sends a second, where 0.50 ms",
        ),
    ],
)
def test_a_bad_verdict_names_the_bound_and_what_would_explain_it(changes: dict[str, Any], words: str) -> None:
    made = {key: ints(one) if isinstance(one, list) else one for key, one in changes.items()}
    said = accuracy.verdict(selftest(level(**made)), ["only one core", "a busy machine"])
    assert not said.good
    assert said.sentences[0].startswith("This client is not exact here: ")
    assert words in said.sentences[0]
    assert said.sentences[1] == "Only one core; a busy machine."


def test_a_bad_verdict_names_the_two_worst_bounds_each_at_its_worst_level() -> None:
    bad = {"dispatch_ns": ints([30 * MS] * 100), "gap_ns": ints([MS] * 100), "coalesced": 120}
    said = accuracy.verdict(selftest(level(1, **bad), level(16, **(bad | {"coalesced": 240})))).sentences
    assert len(said) == 1
    assert "the share of blurred stamps is 20 % at 16 streams" in said[0]
    assert "a gap between chunks is off by 1,000 us (p99) at 1 stream" in said[0]
    assert said[0].endswith("; and 1 more.")


def test_nothing_measured_is_not_good() -> None:
    nothing = {"ttft_ns": ints([]), "gap_ns": ints([]), "dispatch_ns": ints([]), "chunks": 0}
    assert accuracy.verdict(selftest(level(failed=16, **nothing))).sentences == (
        "This client is not exact here: 16 of 16 requests gave no figure.",
    )
    assert not accuracy.verdict(selftest()).good


def test_more_streams_have_wider_bounds() -> None:
    many = {"ttft_ns": ints([50 * US] * 90 + [900 * US] * 10), "dispatch_ns": ints([10 * MS] * 100)}
    assert accuracy.verdict(selftest(level(256, **many))).good
    assert not accuracy.verdict(selftest(level(64, **many))).good


def test_every_bound_has_its_reason_and_reaches_to_any_number_of_streams() -> None:
    for one in BOUNDS:
        assert one.why
        assert [streams for streams, _ in one.limits] == sorted(streams for streams, _ in one.limits)
        assert one.limits[-1][0] == float("inf")
        assert set(one.stamps) <= {KERNEL, USER}
    rows: list[Figures] = [accuracy.figures(level(stamps=kind)) for kind in (KERNEL, USER)]
    assert all(any(one.limit(row) is not None for one in BOUNDS) for row in rows)
