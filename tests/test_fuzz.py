"""Any bytes, cut anywhere, from any server: everything ends as an outcome, and what is right is read right."""

import gc
import json
import sys
import tracemalloc
from array import array
from contextlib import suppress
from pathlib import Path

import pytest
from fuzz import entries
from fuzz.mutants import SEEDS, tokens
from fuzz.responses import Built, Receive, receives, responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from olbench.apis import http1
from olbench.apis.http1 import NotHttpError, Response
from olbench.apis.stamps import Trace
from olbench.apis.wire import lines, unix_ns
from olbench.model import (
    COALESCED,
    FINAL,
    TEXT,
    UNSTAMPED,
)
from olbench.readings import Ints


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# --- what is right is read right ----------------------------------------------------------------------------------


def read(came: list[Receive], *, watched: bool) -> tuple[Response, Trace]:
    """Feed all; before the last receive of a response that has an end of its own, it is not done."""
    trace = Trace()
    response = Response(trace, watched=watched)
    for one in came:
        assert not response.done
        response.take(one.data, one.stamp, stamped=one.stamped)
    return response, trace


def owed(built: Built, came: list[Receive]) -> tuple[int, list[int], list[int]]:
    """By hand: the stamp of the head, the marks, and which of them are unstamped."""
    head_ns: int | None = None
    marks: list[int] = []
    unstamped: list[int] = []
    end = size = 0
    for one in came:
        end += len(one.data)
        if head_ns is None and end >= built.headed:
            head_ns = one.stamp
        if brought := sum(place < end for place in built.places) - size:
            size += brought
            if not one.stamped:
                unstamped.append(len(marks) // 2)
            marks += [one.stamp, size]
    assert head_ns is not None
    return head_ns, marks, unstamped


def hold(built: Built, came: list[Receive]) -> None:
    for watched in (False, True):
        response, trace = read(came, watched=watched)
        assert response.done is not built.to_the_end
        if built.to_the_end:
            assert response.ended()
        assert (trace.status, trace.body(), response.keep) == (built.status, built.body, built.keep)
        assert (trace.head_ns, list(trace.marks), trace.unstamped) == owed(built, came)


@examples(70)
@given(st.data())
def test_a_valid_response_is_read_exactly_however_it_is_cut(data: st.DataObject) -> None:
    built = data.draw(responses())
    hold(built, data.draw(receives(built.raw)))


@examples(8)
@given(responses())
def test_a_valid_response_cut_at_each_byte_is_the_same_one(built: Built) -> None:
    for cut in range(1, len(built.raw)):
        hold(built, [Receive(built.raw[:cut], 7, stamped=True), Receive(built.raw[cut:], 8, stamped=False)])


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_the_fuzzers_own_seeds_hold_when_cut_at_each_byte(seed: Path) -> None:
    data = seed.read_bytes()
    whole = entries.seen([data], watched=True)
    for cut in range(1, len(data)):
        for watched in (False, True):
            found = entries.seen([data[:cut], data[cut:]], watched=watched)
            assert (found.done, found.status, found.body) == (whole.done, whole.status, whole.body)
    single = [data[at : at + 1] for at in range(len(data))]
    assert entries.seen(single, watched=False) == entries.seen(single, watched=True)


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "done", "body"),
    [
        # What an interim head says of lengths is not said of the response behind it.
        ((b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", HEAD + b"Content-Length: 5\r\n\r\nhello"), True, b"hello"),
        ((b"HTTP/1.1 103 E\r\nContent-Length: 7\r\n\r\n", HEAD + b"\r\nhello"), True, b"hello"),
        # A coding that is not chunked ends with the connection.
        ((HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello",), True, b"hello"),
        # A trailer says nothing of the length any more.
        ((CHUNKED + b"2\r\nab\r\n0\r\nTransfer-Encoding: gzip\r\n",), False, b"ab"),
        # What is held behind the end belongs to nobody.
        ((CHUNKED, b"2\r\nab\r\n0\r\n\r\nXXXX", b"YYYYY"), True, b"ab"),
        # What a receive brought before the fault in it is marked.
        ((CHUNKED + b"2\r\nab\r\nzz\r\n",), False, b"ab"),
        # Two lengths smuggle one response within another.
        ((HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",), False, b""),
        ((HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",), False, b""),
    ],
)  # fmt: skip
def test_what_says_two_things_of_its_length_is_taken_at_the_right_one(
    pieces: tuple[bytes, ...],
    done: bool,  # noqa: FBT001 - a column of the table
    body: bytes,
) -> None:
    for watched in (False, True):
        found = entries.seen(pieces, watched=watched)
        assert (found.done, found.body, found.marks[-1:]) == (done, body, (len(body),) if body else ())


def test_a_whole_response_goes_without_the_garbage_collector() -> None:
    gc.disable()  # as while a cell runs
    try:
        for seed in SEEDS:
            trace = Trace()
            response = Response(trace)
            with suppress(NotHttpError):
                response.take(seed.read_bytes(), 1, stamped=True)
            if response.done:
                del response
                assert sys.getrefcount(trace) == 2, seed.name
    finally:
        gc.enable()


# --- any bytes ----------------------------------------------------------------------------------------------------


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    words = tokens()
    data = bytearray(
        draw(st.sampled_from(SEEDS)).read_bytes() if draw(st.booleans()) else draw(responses()).raw
    )
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.sampled_from((0, 1, 4, 60))))
        data[at:to] = draw(st.sampled_from(words) | st.binary(max_size=6) | st.just(bytes(data[at:to]) * 3))
    return bytes(data)


@examples(80)
@given(mutants() | st.binary(max_size=300))
def test_any_bytes_end_as_a_response_or_a_fault_however_they_are_cut(data: bytes) -> None:
    entries.response(data)


@examples(80)
@given(mutants() | st.binary(max_size=300))
def test_any_body_with_any_marks_becomes_a_sample(data: bytes) -> None:
    entries.body(data)


FLOODS: dict[str, tuple[bytes, bytes]] = {
    "one field": (HEAD + b"X: ", b"a"),
    "many fields": (HEAD, b"X: y\r\n"),
    "a reason": (b"HTTP/1.1 200 ", b"a"),
    "interim heads": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "empty lines": (b"", b"\r\n"),
    "one trailer": (CHUNKED + b"2\r\nab\r\n0\r\nX: ", b"a"),
    "many trailers": (CHUNKED + b"2\r\nab\r\n0\r\n", b"X: y\r\n"),
    "one extension": (CHUNKED + b"2;", b"a"),
    "zeros of a length": (CHUNKED, b"0"),
    "small chunks": (CHUNKED, b"1;abcdefghijklmnop\r\na\r\n"),
    "large chunks": (CHUNKED, b"400\r\n" + b"\r\n" * 512 + b"\r\n"),
    "a length": (HEAD + b"Content-Length: 999999999999\r\n\r\n", b"a"),
    "no length": (HEAD + b"\r\n", b"\n"),
}
WITH_BODY = ("small chunks", "large chunks", "a length", "no length")


@pytest.mark.parametrize("size", [1, 65536])
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_within_bounds_of_memory_and_work(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 1_024
    for bound, value in (("MOST_HEAD", most), ("MOST_HELD", most), ("MOST_BODY", 8 * most)):
        monkeypatch.setattr(http1, bound, value)
    begin, unit = FLOODS[name]
    flood = begin + unit * (1024 * 1024 // len(unit))
    trace = Trace()
    response = Response(trace)
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    at = 0
    ended = False
    tracemalloc.start()
    sys.setprofile(count)
    try:
        while at < len(flood) and not ended:
            try:
                response.take(flood[at : at + size], at, stamped=True)
            except NotHttpError:
                ended = True
            at += size
    finally:
        sys.setprofile(None)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # Empty lines before a response are skipped (RFC 9112, 2.2), but they count as its head. What holds no body ends
    # after as much as a head may have, and what was held till then.
    assert ended
    assert at <= (10 if name in WITH_BODY else 3) * most + 2 * size
    assert calls <= 30 * (at // size) + 4 * at
    assert peak <= 800 * most + 4 * size


# --- lines --------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@examples(60)
@given(st.data())
def test_a_stream_of_lines_cut_anywhere_gives_the_same_text_and_the_stamps_of_its_newlines(
    data: st.DataObject,
) -> None:
    said = data.draw(st.lists(texts, max_size=6))
    rows = [json.dumps({"response": one}, ensure_ascii=data.draw(st.booleans())) for one in said]
    body = "".join(f"{row}\n" for row in [*rows, '{"done":true,"eval_count":9}']).encode()
    came = data.draw(receives(body))
    marks: Ints = array("q")
    unstamped: list[int] = []
    owner: list[int] = []
    end = 0
    for number, one in enumerate(came):
        end += len(one.data)
        marks.extend((one.stamp, end))
        owner += [number] * len(one.data)
        if not one.stamped:
            unstamped.append(number)
    sample = entries.check(entries.reply(body, marks, unstamped, 200, None))
    newlines = [at for at, sign in enumerate(body) if sign == ord("\n")]
    assert (sample.outcome, sample.text) == ("ok", "".join(said))
    assert list(sample.chunks.arrived_ns) == [came[owner[at]].stamp for at in newlines]
    for at, bits, words in zip(newlines, sample.chunks.kind, [*said, None], strict=True):
        last = at + 1 == len(body) or owner[at + 1] != owner[at]
        assert bool(bits & COALESCED) is not last
        assert bool(bits & UNSTAMPED) is (owner[at] in unstamped)
        assert bits & (TEXT | FINAL) == (FINAL if words is None else TEXT if words else 0)


DEEP = b"[" * 100_000 + b"]" * 100_000
WIDE = b"9" * 5000


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b'{"x":' + DEEP + b"}", "stream_error"),
        (b'{"error":' + DEEP + b"}", "stream_error"),
        (b'{"error":' + json.dumps("{" + '"a":[' * 50_000).encode() + b"}", "stream_error"),
        (b'{"response":"' + b"x" * 5_000_000 + b'"}', "cut_off"),
        (b"x" * 5_000_000, "stream_error"),
        (b'{"done":true,"eval_count":9223372036854775807}', "ok"),
        (b'{"done":true,"eval_count":9223372036854775808}', "stream_error"),
        (b'{"done":true,"total_duration":-1' + b"0" * 30 + b"}", "stream_error"),
        (b'{"done":true,"eval_count":' + WIDE + b"}", "stream_error"),
        (b'{"error":' + WIDE + b"}", "stream_error"),
        (b'{"error":1' + b"0" * 40 + b"}", "stream_error"),
        (b'{"done":true,"eval_count":NaN}', "stream_error"),
        (b'{"done":true,"eval_count":1e400}', "stream_error"),
        (b'{"done":true,"eval_count":4.0}', "stream_error"),
        (b'{"done":true,"eval_count":1,"eval_count":4}', "ok"),
        (b'{"done":true,"message":null,"response":null}', "short"),
        (b'{"response":"\\ud800"}', "stream_error"),
        (b'{"response":"\xed\xa0\x80"}', "stream_error"),
        (b'{"response":"\\u0000","done":true,"eval_count":4}', "ok"),
    ],
)
def test_a_strange_line_has_its_outcome(line: bytes, outcome: str) -> None:
    assert entries.check(entries.reply(line, array("q", [1, len(line)]), (), 200, None)).outcome == outcome
    for status in (404, 500, 503):
        entries.check(entries.reply(line, array("q", [1, len(line)]), (), status, None))


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-11-22T22:02:56+99999999999999999:00",
        "2026-11-22T22:02:56.1+" + "9" * 5000 + ":0",
    ],
)
def test_a_date_that_64_bits_do_not_hold_is_none(text: str) -> None:
    assert unix_ns(text) == 0


@examples(100)
@given(
    st.text(max_size=40)
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\w{0,12})?(Z|[+-]\d{1,30}:\d{1,30})?", fullmatch=True)
)
def test_any_date_is_a_number_of_64_bits(text: str) -> None:
    array("q", [unix_ns(text)])


def test_a_body_of_which_no_receive_is_stamped_costs_no_more_than_one_of_which_all_are() -> None:
    count = 30_000
    body = b"{}\n" * count
    marks: Ints = array("q")
    for number in range(count):
        marks.extend((number, 3 * number + 3))
    seen: list[object] = []

    class Ours(list[int]):
        def __contains__(self, one: object) -> bool:
            seen.append(one)
            return super().__contains__(one)

    assert all(one.unstamped for one in lines(body, marks, Ours(range(count))))
    assert seen == []  # a list is searched from its beginning, once a line
