"""A load held against a service level: what was met, goodput, backlog, lateness, and when nothing is said."""

from collections.abc import Sequence
from typing import Any

import pytest
from builders import a_run, cell, ns, observation, readings, record, sample, series, visits

from olbench import service
from olbench.analysis import analyse, told
from olbench.arrival import Load
from olbench.findings import Service
from olbench.model import Cell, Observation, Sample
from olbench.slo import Term, terms

STEADY = Load(pattern="steady", rate=1.0)
TTFT = Term(key="ttft_p95", aspect="ttft", share=0.95, bound=1.0)
TPOT = Term(key="tpot_p95", aspect="tpot", share=0.95, bound=0.05)
E2E = Term(key="e2e_p99", aspect="e2e", share=0.99, bound=4.0)
RATE = Term(key="answer_rate", aspect="answer_rate", share=0.95, bound=25.0)
SUCCESS = Term(key="success", aspect="success", share=0.99, bound=None)


def loaded(**changes: Any) -> Cell:
    return cell(**{"load": STEADY, **changes})


def one_a_second(count: int, **changes: Any) -> list[Sample]:
    """TTFT 100 ms, e2e 240 ms, 20 ms a token, due at 1 s, 2 s, ..."""
    return [sample(index=place, sent_s=1.0 + place, **changes) for place in range(count)]


def served(samples: Sequence[Sample], *of: Term, asked: Cell | None = None, **changes: Any) -> Service:
    asked = loaded() if asked is None else asked
    return of_visits([observation(asked, samples, **changes)], *of, asked=asked)


def of_visits(seen: Sequence[Observation], *of: Term, asked: Cell | None = None) -> Service:
    (found,) = told(record([loaded() if asked is None else asked], seen))
    return service.of(found, of)


def test_a_load_that_meets_every_line_is_kept_and_all_of_it_is_goodput() -> None:
    found = served(one_a_second(100), TTFT, TPOT)
    assert (found.requests, found.verdict, found.invalid) == (100, "kept", "")
    assert [(one.met, one.of, one.verdict) for one in found.terms] == [(100, 100, "kept")] * 2
    assert found.offered == pytest.approx(1.0)
    assert found.goodput.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "term", "met"),
    [
        ({}, TTFT, 30),
        ({"queue_s": 0.9}, TTFT, 30),  # 1.0 s: the bound itself is kept
        ({"queue_s": 0.91}, TTFT, 0),
        ({"gap_s": 0.05, "n": 8}, TPOT, 30),
        ({"gap_s": 0.06}, TPOT, 0),
        ({"n": 1}, TPOT, 0),  # one token has no time per token
        ({"gap_s": 0.04}, RATE, 30),  # 25 tok/s
        ({"gap_s": 0.041}, RATE, 0),
        ({"queue_s": 3.7}, E2E, 30),
        ({"queue_s": 3.8}, E2E, 0),
        ({"streamed": False}, TTFT, 0),  # no figure, nothing kept
        ({"outcome": "short"}, SUCCESS, 30),
        ({"outcome": "stalled"}, SUCCESS, 0),
        ({"outcome": "cancelled", "sent_ns": None}, SUCCESS, 0),
        ({"outcome": "cut_off", "sent_ns": None}, SUCCESS, 0),
        ({"outcome": "http_error"}, TTFT, 0),
    ],
)
def test_each_request_meets_a_line_or_does_not(changes: dict[str, Any], term: Term, met: int) -> None:
    (found,) = served(one_a_second(30, **changes), term).terms
    assert (found.met, found.of) == (met, 30)


def test_ttft_and_e2e_count_from_the_due_time() -> None:
    late = served(one_a_second(30, late_s=0.95), TTFT)
    assert late.terms[0].met == 0  # 0.95 s late, 0.1 s to the first token
    closed = served(one_a_second(30, late_s=0.95), TTFT, asked=cell())
    assert closed.terms[0].met == 30


def test_goodput_is_what_was_offered_times_what_met_every_line() -> None:
    bad = [
        *one_a_second(90),
        *[sample(index=90 + place, sent_s=91.0 + place, queue_s=2.0) for place in range(10)],
    ]
    found = served(bad, TTFT, TPOT)
    assert found.goodput.value == pytest.approx(0.9)
    assert found.goodput.low is not None
    assert found.goodput.low < 0.9


def test_bursts_offer_as_many_as_they_bring_in_the_time_between_them() -> None:
    bursts = [sample(index=place, sent_s=1.0 + 4.0 * (place // 8)) for place in range(80)]
    assert served(bursts, SUCCESS).offered == pytest.approx(2.0)


def test_closed_streams_offer_nothing_and_their_goodput_is_by_the_whole_time() -> None:
    found = served(one_a_second(50), TTFT, asked=cell())
    assert found.offered is None
    assert found.backlog is None
    assert found.goodput.value == pytest.approx(50 / 49.24)  # from 1 s to 50.24 s


def test_a_queue_that_grows_shows_as_backlog() -> None:
    # Due every second, each takes a second and a half longer than the one before.
    growing = [sample(index=place, sent_s=1.0 + place, queue_s=0.5 * place) for place in range(60)]
    found = served(growing, TTFT)
    assert found.backlog == pytest.approx(
        1 / 3, abs=0.02
    )  # a request due at t ends at 1.5 t: two thirds are gone
    assert served(one_a_second(60), TTFT).backlog == pytest.approx(0.0, abs=0.01)


def test_requests_of_the_warm_up_are_under_way_and_meet_nothing() -> None:
    early = [sample(phase="warmup", index=place, sent_s=0.1 + place / 10, queue_s=30.0) for place in range(5)]
    found = served([*early, *one_a_second(30)], TTFT)
    assert (found.requests, found.terms[0].met) == (30, 30)
    (seen,) = told(record([loaded()], [observation(loaded(), [*early, *one_a_second(30)])]))
    assert seen.streams == 6


def test_the_line_with_the_least_room_is_the_tightest() -> None:
    mixed = [
        sample(index=place, sent_s=1.0 + place, queue_s=2.0 if place % 50 == 0 else 0.0)
        for place in range(100)
    ]
    assert served(mixed, TPOT, TTFT).tightest == "ttft_p95"
    # All shares are 1: the one whose figure comes nearest to its bound.
    assert served(one_a_second(100), TTFT, TPOT).tightest == "tpot_p95"


def test_a_client_that_comes_late_invalidates_the_load() -> None:
    found = served(one_a_second(100, late_s=0.15), TTFT)
    assert found.verdict == "unclear"
    assert found.late_p99 == pytest.approx(0.15)
    assert found.invalid == "olbench itself sent requests late: p99 is 150 ms, where 100 ms would do"
    assert served(one_a_second(100, late_s=0.05), TTFT).invalid == ""  # a twentieth of the bound
    assert served(one_a_second(100, late_s=0.05), SUCCESS).invalid.endswith("50.0 ms, where 10.0 ms would do")


def test_a_new_connection_is_not_our_lateness() -> None:
    assert served(one_a_second(30, late_s=0.5, connect_ns=500_000_000), SUCCESS).late_p99 == pytest.approx(
        0.0
    )


@pytest.mark.parametrize("samples", [[], one_a_second(3, outcome="cancelled", sent_ns=None)])
def test_where_nothing_was_sent_nothing_is_said(samples: list[Sample]) -> None:
    found = served(samples, TTFT)
    assert (found.verdict, found.invalid, found.late_p99) == ("unclear", "no measured request was sent", None)


def test_success_is_judged_by_what_was_seen() -> None:
    good = one_a_second(39)
    one_failed = [*good, sample(index=39, sent_s=40.0, outcome="stalled")]
    assert served(good, SUCCESS).verdict == "kept"  # to show 99 % would take 381
    assert served(one_failed, SUCCESS).verdict == "unclear"  # 97.5 %: it may be chance
    assert served(one_a_second(40, outcome="stalled"), SUCCESS).verdict == "broken"


def test_a_load_that_was_given_up_is_broken() -> None:
    found = served(one_a_second(30), TTFT, cut_short=True)
    assert (found.cut_short, found.verdict) == (True, "broken")


def test_what_was_stopped_with_a_load_is_no_failure_and_counts_where_it_was_too_late_already() -> None:
    # Bounds of 1 s and 4 s; stopped without a token after 5 s, after 1.5 s, and after 0.5 s, of which nobody knows.
    stopped = [
        sample(index=30 + place, sent_s=31.0 + place, outcome="cancelled", end_ns=ns(31.0 + place + waited))
        for place, waited in enumerate((5.0, 1.5, 0.5))
    ]
    found = served([*one_a_second(30), *stopped], TTFT, E2E, RATE, SUCCESS, cut_short=True)
    assert [(line.met, line.of) for line in found.terms] == [(30, 32), (30, 31), (30, 30), (30, 30)]
    assert found.requests == 32


def test_an_interrupted_visit_says_nothing_of_the_server() -> None:
    cut = [sample(index=place, sent_s=1.0 + place, outcome="cancelled") for place in range(30)]
    whole = observation(loaded(), one_a_second(100))
    seen = [observation(loaded(), cut, repeat=1, problem="interrupted"), whole]
    assert of_visits(seen, SUCCESS).requests == 100
    assert of_visits(seen[:1], SUCCESS).invalid == "no measured request was sent"


def test_a_load_that_could_not_be_sent_says_why() -> None:
    failed = observation(loaded(), (), problem="prompts of 64 tokens cannot be made")
    assert of_visits([failed], TTFT).invalid == "prompts of 64 tokens cannot be made"


def test_marked_visits_are_left_out_while_a_sound_one_is_left() -> None:
    swapped = observation(
        loaded(),
        one_a_second(40, queue_s=5.0),
        repeat=1,
        readings=readings(series("host.swap_used", [0.0, 1e9, 2e9])),
    )
    assert of_visits([observation(loaded(), one_a_second(40)), swapped], TTFT).requests == 40
    assert of_visits([swapped], TTFT).requests == 40


def test_findings_have_a_service_only_with_a_service_level() -> None:
    seen = [observation(loaded(), one_a_second(40))]
    (plain,) = analyse(record([loaded()], seen)).cells
    assert plain.service is None
    settings = {"slo.ttft_p95": 1.0, "slo.success": 0.99}
    (found,) = analyse(record([loaded()], seen, run=a_run(settings=settings))).cells
    assert found.service is not None
    assert [one.term for one in found.service.terms] == list(terms(settings))
    (closed,) = analyse(record([cell()], visits(cell(), [50.0]), run=a_run(settings=settings))).cells
    assert closed.service is not None
