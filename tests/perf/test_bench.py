"""The benchmark's own arithmetic, by hand-made numbers; no client runs here."""

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict

import machine
import pytest
from figures import Figure, Figures, Pair, errors, figures, medians, pairs
from job import COALESCED, Heard, Job, Said, job_of, said_of
from loads import LOADS, shortened
from rows import ROWS, Of, Row, at_most, judged, needs, unmet
from table import WIDTH, bounds, number, table
from truths import Truth, by_prompt, of_dump, of_json

MS = 1_000_000


def heard(arrived_ms: Sequence[float], flags: Sequence[int] | None = None, *, prompt: int = 1) -> Heard:
    """Wanted at 0, sent at 1 ms."""
    return Heard(
        wanted_ns=0,
        fresh=True,
        sent_ns=MS,
        prompt_eval_count=prompt,
        arrived_ns=[round(one * MS) for one in arrived_ms],
        flags=list(flags or [0] * len(arrived_ms)),
    )


def truth(sends_ms: Sequence[float], *, prompt: int = 1, read_ms: float = 2.0) -> Truth:
    return Truth(prompt, round(read_ms * MS), [round(one * MS) for one in sends_ms])


def pair(of: Heard, true: Truth) -> Pair:
    assert of.sent_ns is not None
    return Pair(of, true, of.sent_ns)


def rounded(taken: Figures) -> dict[str, tuple[float, int]]:
    return {name: (round(one.value, 3), one.n) for name, one in taken.items()}


# --- truths -------------------------------------------------------------------------------------------------------


def record(prompt: int, read: int, sends: Sequence[int]) -> bytes:
    fields = [0] * 16
    fields[6], fields[14], fields[15] = read, prompt, len(sends)
    return struct.pack(f"={16 + len(sends)}Q", *fields, *sends)


def test_a_dump_holds_one_record_after_another_with_as_many_sends_as_it_says() -> None:
    raw = record(7, 100, [200, 300, 400]) + record(8, 110, []) + record(9, 120, [500])
    assert of_dump(raw) == [
        Truth(7, 100, (200, 300, 400)),
        Truth(8, 110, ()),
        Truth(9, 120, (500,)),
    ]
    assert of_dump(b"") == []


def test_a_dump_that_breaks_off_is_not_taken_for_a_short_one() -> None:
    whole = record(7, 100, [200, 300])
    for cut in (1, 127, 128, 130, len(whole) - 1):
        with pytest.raises(ValueError, match="breaks off in record 0"):
            of_dump(whole[:cut])


def test_the_scripted_engine_tells_the_same_as_json() -> None:
    row = {"prompt_tokens": 7, "read_ns": 100, "stamps": "kernel", "sends_ns": [200, 300]}
    assert of_json(json.dumps({"requests": [row]}).encode()) == [Truth(7, 100, [200, 300])]


def test_two_requests_that_cannot_be_told_apart_are_an_error() -> None:
    with pytest.raises(ValueError, match="7 prompt tokens"):
        by_prompt([Truth(7, 1, ()), Truth(7, 2, ())])


# --- figures ------------------------------------------------------------------------------------------------------


def test_the_error_of_ttft_is_the_clients_less_the_servers() -> None:
    # The client: 53.5 - 1 = 52.5 ms; the server: 52 - 2 = 50 ms.
    assert pair(heard([53.5]), truth([52])).ttft_ns() == 2.5 * MS


def test_a_gap_counts_only_between_two_exact_stamps() -> None:
    seen = heard([50, 70.1, 90, 110.3, 130], [0, 0, COALESCED, 0, 0])
    assert pair(seen, truth([50, 70, 90, 110, 130])).gaps_ns() == [0.1 * MS, -0.3 * MS]


@pytest.mark.parametrize(
    ("flags", "receives"),
    [
        ([0, 0, 0, 0], (4, 0)),
        ([4, 0, 0, 0], (3, 1)),  # two tokens in one
        ([4, 4, 0, 0], (2, 1)),  # three in one
        ([4, 0, 4, 0], (2, 2)),
        ([0, 0, 0, 4], (4, 0)),  # the last one came with the closing line: no token came with it
        ([4, 4, 4, 4], (1, 1)),
    ],
)
def test_a_receive_is_flagged_when_it_brought_several_tokens(
    flags: list[int], receives: tuple[int, int]
) -> None:
    assert pair(heard([1, 2, 3, 4], flags), truth([1, 2, 3, 4])).receives() == receives


def test_what_did_not_go_through_on_both_sides_is_left_out_and_counted() -> None:
    known = {1: truth([50, 70]), 2: truth([50, 70], prompt=2), 3: truth([50], prompt=3)}
    all_heard = [
        heard([51, 71]),
        heard([51], prompt=2),  # a token is missing on our side
        heard([51, 71], prompt=3),  # and on the server's
        heard([51, 71], prompt=4),  # the server knows nothing of it
        Heard(0, fresh=True),
    ]
    assert [one.truth.prompt_tokens for one in pairs(all_heard, known, 2)] == [1]
    taken = figures(Said(all_heard, 0, 100 * MS, None), known, 2, paced=False)
    assert taken["failed"] == Figure(4, 5)


def test_all_figures_of_a_run_by_hand() -> None:
    # Request 1: TTFT 51 - 1 - (50 - 2) = 2 ms; request 2: 50.2 - 1 - 48 = 1.2 ms. Gaps: 0 and -0.1 ms.
    known = by_prompt([truth([50, 70]), truth([50, 70], prompt=2)])
    second = heard([50.2, 70.1], [COALESCED, 0], prompt=2)
    said = Said([heard([51, 71]), second], 8 * MS, 101 * MS, 40_000_000)
    taken = figures(said, known, 2, paced=False)
    assert rounded(taken) == {
        "ttft_p50": (1.6, 2),
        "ttft_p99": (1.992, 2),
        "unflagged_p50": (2.0, 1),
        "unflagged_p99": (2.0, 1),
        "dispatch_p50": (1.0, 2),
        "dispatch_p99": (1.0, 2),
        "reached_p50": (2.0, 2),
        "reached_p99": (2.0, 2),
        "gap_p50": (0.0, 1),
        "gap_p99": (0.0, 1),
        "flagged": (33.333, 3),
        "kernel": (0.0, 2),
        "user_space": (100.0, 2),
        "cpu": (2000.0, 4),  # 8 ms for four chunks
        "rate": (40.0, 4),  # in 100 ms
        "server_rate": (58.824, 4),  # in 68 ms
        "rss": (40.0, 1),
        "failed": (0.0, 2),
    }  # and no warm_*: both were the first of their streams


def test_a_closed_load_is_wanted_when_it_begins_a_paced_one_when_it_is_due() -> None:
    known = by_prompt([truth([50]), truth([50], prompt=2)])
    late = heard([51], prompt=2)
    late.wanted_ns = MS // 2
    said = Said([heard([51]), late], 0, 100 * MS, None)
    assert figures(said, known, 1, paced=False)["dispatch_p50"].value == 1.0
    assert figures(said, known, 1, paced=True)["dispatch_p50"].value == pytest.approx(0.75)


def test_an_error_to_either_side_is_an_error() -> None:
    assert rounded(errors("gap", [-3 * MS, MS, 2 * MS])) == {"gap_p50": (2.0, 3), "gap_p99": (2.98, 3)}
    assert errors("gap", []) == {}


def test_the_median_is_over_the_repeats_that_gave_the_figure() -> None:
    repeats = [
        {"cpu": Figure(3.0, 10)},
        {"cpu": Figure(1.0, 9), "rss": Figure(40.0, 1)},
        {"cpu": Figure(2.0, 10)},
    ]
    assert medians(repeats) == {"cpu": Figure(2.0, 9), "rss": Figure(40.0, 1)}


# --- rows ---------------------------------------------------------------------------------------------------------


def test_all_loads_of_the_rows_are_there_and_each_is_taken_once() -> None:
    wanted = needs(ROWS)
    assert len(wanted) == len(set(wanted))
    assert {load for _, load in wanted} == {*LOADS, "selftest", "shell"}
    assert ("olbench", "c256") in wanted
    assert ("epoll", "paced") not in wanted
    assert [client for client, load in wanted if load == "hog"] == ["olbench", "aiohttp"]


def test_prompts_of_a_load_are_told_apart_by_their_number_of_words() -> None:
    job = Job("olbench", "http://127.0.0.1:1", 1, 3, 4, None, kernel=True, core=None)
    assert [len(job.prompt(index).split()) for index in range(3)] == [1, 2, 3]
    assert [json.loads(body)["prompt"] for body in job.bodies()] == [job.prompt(index) for index in range(3)]
    assert job_of(json.dumps(asdict(job))) == job


def test_what_a_client_says_survives_the_pipe() -> None:
    said = Said([heard([51, 71])], 5, 6, None)
    assert said_of(said.to_json()) == said


def test_a_quick_load_is_smaller_but_still_has_all_its_streams() -> None:
    for load in LOADS.values():
        short = shortened(load)
        assert short.streams == load.streams
        assert short.requests >= min(load.requests, load.streams)
        assert short.seconds() <= load.seconds()


ROW = at_most(1, "TTFT error", Of("c1", "ttft_p99"), 0.3)
RATIO = at_most(4, "CPU", Of("c64", "cpu"), 0.7, over=Of("c64", "cpu", "aiohttp"))
RATE = Row(line=4, what="blast", of=Of("blast", "rate"), sense=">=", limit=120_000.0)


def test_a_bound_holds_up_to_itself() -> None:
    assert judged(ROW, {("olbench", "c1"): {"ttft_p99": Figure(0.3, 5)}}).met is True
    assert judged(ROW, {("olbench", "c1"): {"ttft_p99": Figure(0.31, 5)}}).met is False


def test_a_ratio_needs_both_of_its_figures() -> None:
    ours = {"cpu": Figure(30.0, 8)}
    assert judged(RATIO, {("olbench", "c64"): ours}).figure is None
    both = judged(RATIO, {("olbench", "c64"): ours, ("aiohttp", "c64"): {"cpu": Figure(60.0, 8)}})
    assert (both.figure, both.met) == (Figure(0.5, 8), True)


def test_a_distance_needs_both_of_its_figures_and_has_no_sign() -> None:
    row = Row(line=6, what="apart", of=Of("a", "p99"), sense="<=", limit=0.1, less=Of("b", "p99"))
    ours = {"p99": Figure(0.05, 100)}
    assert judged(row, {("olbench", "a"): ours}).met is None
    verdict = judged(row, {("olbench", "a"): ours, ("olbench", "b"): {"p99": Figure(0.25, 32)}})
    assert (verdict.met, verdict.figure) == (False, Figure(0.2, 32))


def test_requests_that_failed_break_the_bound() -> None:
    taken = {("olbench", "c1"): {"ttft_p99": Figure(0.1, 5), "failed": Figure(2, 7)}}
    assert (judged(ROW, taken).met, judged(ROW, taken).why) == (False, "2 requests failed")


@pytest.mark.parametrize(
    ("rate", "server", "met"), [(121e3, 130e3, True), (90e3, 143e3, None), (90e3, 145e3, False)]
)
def test_a_server_slower_than_the_bound_says_nothing_of_the_client(
    rate: float, server: float, *, met: bool | None
) -> None:
    taken = {("olbench", "blast"): {"rate": Figure(rate, 9), "server_rate": Figure(server, 9)}}
    assert judged(RATE, taken).met is met


def test_what_was_not_measured_does_not_pass_but_what_has_no_bound_does() -> None:
    unbound = Row(line=2, what="until at the server", of=Of("c64", "reached_p99"), sense="<=", limit=None)
    assert [one.row for one in unmet([judged(ROW, {}), judged(unbound, {})])] == [ROW]


# --- the table ----------------------------------------------------------------------------------------------------


def test_the_table_keeps_its_width_and_says_of_how_many_a_p99_is() -> None:
    taken = {
        ("olbench", "c1"): {"ttft_p99": Figure(0.0412, 5)},
        ("httpx", "c1"): {"ttft_p99": Figure(123456.7, 5)},
    }
    text = table([judged(row, taken) for row in ROWS])
    assert max(map(len, text.splitlines())) <= WIDTH
    (line,) = [one for one in text.splitlines() if "1 stream, p99" in one]
    assert " ".join(line.split()) == "1 TTFT error, 1 stream, p99 ms 0.041 (5) <= 0.3 yes - 123,457 -"


def test_a_bound_that_does_not_hold_is_a_sentence() -> None:
    verdict = judged(ROW, {("olbench", "c1"): {"ttft_p99": Figure(4.5, 200)}})
    assert bounds("against mock", [verdict]) == ["against mock: TTFT error: 4.50, bound <= 0.3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04123, "0.041"), (4.123, "4.12"), (41.23, "41.2"), (412.3, "412"), (120000, "120,000")],
)
def test_numbers_have_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_busy_machine_is_doubted() -> None:
    before = machine.Reading(at_s=0, used_s=10, stolen_s=1, own_s=5)
    after = machine.Reading(at_s=10, used_s=16, stolen_s=2, own_s=9)
    assert machine.others(before, after) == pytest.approx(0.3)  # 6 + 1 - 4 s in 10 s
    assert machine.others(None, after) is None
    assert machine.doubts(0.1, [0.01, 0.02]) == []
    assert [one.split(":")[0] for one in machine.doubts(0.9, [0.01, 0.3])] == [
        "the machine was busy before the start",
        "others computed in 1 of 2 runs, at most on 0.30 cores",
    ]
