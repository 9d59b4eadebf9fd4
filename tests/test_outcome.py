"""What becomes of a request: bytes and faults into samples with an outcome and the server's own words."""

import json
from array import array
from typing import Any

import pytest
from records import cell

from olbench.apis import decode, outcome
from olbench.model import COALESCED, FINAL, TEXT, THINKING, Chunks, Counts, Message, Prompt, Request, Sample
from olbench.ports import Reply, Wire

WIRE = Wire(Request(3, "measured", Prompt("p", (Message("user", "hello"),))), "/api/chat", b"", streamed=True)
OUT = "cudaMalloc failed: out of memory"


def reply(*lines: dict[str, Any] | str, together: bool = False, **changes: Any) -> Reply:
    """Each line in a receive of its own, 10 ns after the one before it, or all `together` in one at 10 ns."""
    raw = [
        one.encode() if isinstance(one, str) else json.dumps(one, ensure_ascii=False).encode() + b"\n"
        for one in lines
    ]
    body, marks = b"", array("q")
    for number, one in enumerate(raw, 1):
        body += one
        marks.extend((10 * number, len(body)))
    if together:
        marks = array("q", (10, len(body)))
    fields: dict[str, Any] = {
        "wanted_ns": 1,
        "sent_ns": 2,
        "head_ns": 5,
        "end_ns": 99,
        "status": 200,
        "content_type": "application/x-ndjson",
        "body": body,
        "marks": marks,
        "stamps": "kernel",
        "fault": None,
        "words": "",
    }
    return Reply(**(fields | changes))


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text, **more}, "done": False}


def end(**more: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "length", **more}


def sample(*lines: dict[str, Any] | str, asked: int = 2, **changes: Any) -> Sample:
    return decode.sample(cell(output_tokens=asked), WIRE, reply(*lines, **changes), 1)


def told(seen: Sample) -> tuple[str, str]:
    return seen.outcome, seen.words


# --- below the lines ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (404, b'{"error":"model \'x:1b\' not found"}', ("not_found", "model 'x:1b' not found")),
        (503, b'{"error":"server busy"}', ("queue_full", "server busy")),
        (503, OUT.encode(), ("out_of_memory", OUT)),
        (500, b'{"error":"' + OUT.encode() + b'"}', ("out_of_memory", OUT)),
        (
            500,
            b'{"error":"llama runner process has terminated"}',
            ("http_error", "llama runner process has terminated"),
        ),
        (500, b"", ("http_error", "status 500 and no word more")),
        (502, b"<html>\n<b>Bad Gateway</b>", ("http_error", "<html> <b>Bad Gateway</b>")),
        (400, b'{"error":{"code":400,"message":"no"}}', ("http_error", "no")),
        (302, b"moved", ("http_error", "status 302: moved")),
        (200, b"", None),
    ],
)
def test_a_status_has_its_outcome_and_the_servers_words(
    status: int, body: bytes, found: tuple[str, str] | None
) -> None:
    assert outcome.of_fault(reply(status=status, body=body)) == found


@pytest.mark.parametrize("fault", ["refused", "cut_off", "stalled", "cancelled", "http_error"])
@pytest.mark.parametrize("status", [None, 200])
def test_a_fault_of_the_exchange_is_the_outcome(fault: str, status: int | None) -> None:
    assert outcome.of_fault(reply(status=status, fault=fault, words="why")) == (fault, "why")


def test_a_fault_that_nobody_knows_is_an_http_error() -> None:
    assert outcome.of_fault(reply(fault="odd", words="why")) == ("http_error", "why")


def test_a_status_that_tells_more_goes_before_the_fault() -> None:
    cut = reply(status=404, body=b'{"error":"not found"}', fault="cut_off", words="the connection broke")
    assert outcome.of_fault(cut) == ("not_found", "not found")


@pytest.mark.parametrize(
    "words",
    [
        OUT,
        "CUDA error: out of memory",
        "ROCm error: Out of Memory",
        "model requires more system memory (9.1 GiB) than is available (3.0 GiB)",
        "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 1073741824",
        "unable to allocate CUDA0 buffer",
        "vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
        "Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
        "mmap failed: Cannot allocate memory",
        "graph_reserve: alloc failed",
    ],
)
def test_words_of_memory_are_known_in_many_tongues(words: str) -> None:
    assert outcome.of_words(words, "http_error") == "out_of_memory"


@pytest.mark.parametrize(
    "words", ["model 'memory:7b' not found", "signal: killed", "the context is full", ""]
)
def test_other_words_are_what_they_would_be_otherwise(words: str) -> None:
    assert outcome.of_words(words, "stream_error") == "stream_error"


# --- answers --------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_line_by_line_with_the_servers_counts() -> None:
    counts = {
        "total_duration": 90,
        "load_duration": 2,
        "prompt_eval_count": 9,
        "prompt_eval_duration": 30,
        "prompt_eval_cached_count": 0,
        "eval_count": 2,
        "eval_duration": 11,
    }
    seen = sample(said("你"), said("好"), end(**counts))
    assert told(seen) == ("ok", "")
    assert seen.text == "你好"
    assert seen.chunks == Chunks(array("q", [10, 20, 30]), array("q", [0, 0, 0]), bytes([TEXT, TEXT, FINAL]))
    assert seen.counts == Counts(90, 2, 9, 30, 0, 2, 11, "length")
    assert (seen.index, seen.phase, seen.stream, seen.prompt) == (3, "measured", 1, "p")
    assert (seen.wanted_ns, seen.sent_ns, seen.head_ns, seen.end_ns, seen.stamps) == (1, 2, 5, 99, "kernel")


def test_generate_says_it_in_another_field() -> None:
    seen = sample({"response": "a", "done": False}, {"response": "", "done": True, "eval_count": 2})
    assert (seen.text, seen.chunks.kind) == ("a", bytes([TEXT, FINAL]))


def test_thinking_is_told_apart() -> None:
    seen = sample(said("", thinking="hm"), said("a", thinking="so"), said("b"), end(eval_count=3))
    assert (seen.text, seen.thinking) == ("ab", "hmso")
    assert seen.chunks.kind == bytes([THINKING, TEXT | THINKING, TEXT, FINAL])


def test_lines_of_one_receive_share_its_stamp_and_say_so() -> None:
    seen = sample(said("a"), said("b"), end(eval_count=2), together=True)
    assert list(seen.chunks.arrived_ns) == [10, 10, 10]
    assert seen.chunks.kind == bytes([TEXT | COALESCED, TEXT | COALESCED, FINAL])


def test_an_answer_in_one_piece_is_one_line() -> None:
    seen = sample({"response": "a b", "done": True, "eval_count": 2})
    assert seen.chunks.kind == bytes([TEXT | FINAL])


def test_the_servers_clock_is_kept() -> None:
    seen = sample(said("a") | {"created_at": "1970-01-01T00:00:01.5Z"}, end(eval_count=2))
    assert list(seen.chunks.created_ns) == [1_500_000_000, 0]


def test_what_the_server_leaves_out_is_unknown() -> None:
    assert sample(said("a"), {"done": True}).counts == Counts(None, None, None, None, None, None, None, None)


@pytest.mark.parametrize(("made", "found"), [(1, "short"), (2, "ok"), (3, "ok"), (0, "short")])
def test_an_answer_below_the_tokens_asked_for_is_short(made: int, found: str) -> None:
    assert told(sample(said("a"), end(eval_count=made))) == (found, "")


def test_a_count_that_is_left_out_is_none_at_all_only_where_nothing_was_said() -> None:
    assert sample(end()).outcome == "short"
    assert sample(said("a"), end()).outcome == "ok"


# --- answers that fail ----------------------------------------------------------------------------------------

HALF = '{"message":{"content":"b'


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], ("cut_off", "the answer was empty")),
        (["\n\n"], ("cut_off", "the answer was empty")),
        ([said("a")], ("cut_off", "the stream ended without done:true")),
        ([said("a"), HALF], ("cut_off", "the stream ended in the middle of a line")),
        ([end() | {"done_reason": "load"}], ("stream_error", "the server took the request for a mere load")),
        ([said("a"), {"error": "signal: killed"}], ("stream_error", "signal: killed")),
        ([said("a"), {"error": OUT}], ("out_of_memory", OUT)),
        ([{"error": {"message": "deep"}}], ("stream_error", "deep")),
    ],
)
def test_a_stream_that_fails_has_its_outcome(
    lines: list[dict[str, Any] | str], found: tuple[str, str]
) -> None:
    assert told(sample(*lines)) == found


@pytest.mark.parametrize("line", ["<html>\n", "[1, 2]\n", '{"done": "yes"}\n'])
def test_a_line_that_is_not_the_protocol_is_shown_with_its_number(line: str) -> None:
    kind, words = told(sample(said("a"), line, said("b")))
    assert kind == "stream_error"
    assert words.startswith("line 2 is not what the API sends: ")
    assert words.endswith(line.strip())


def test_what_came_before_the_failure_is_kept() -> None:
    seen = sample(said("a"), {"error": "no"})
    assert (seen.text, len(seen.chunks), seen.counts) == ("a", 1, None)


@pytest.mark.parametrize("fault", ["cut_off", "stalled", "cancelled"])
def test_a_line_that_broke_with_the_exchange_is_no_garbage(fault: str) -> None:
    seen = sample(said("a"), HALF, fault=fault, words="why")
    assert (told(seen), seen.text) == ((fault, "why"), "a")


def test_an_error_line_is_the_cause_and_the_broken_stream_its_consequence() -> None:
    assert told(sample({"error": OUT}, fault="cut_off", words="why")) == ("out_of_memory", OUT)


def test_a_refused_request_has_neither_lines_nor_counts() -> None:
    seen = sample(status=None, head_ns=None, sent_ns=None, fault="refused", words="no connection")
    assert (told(seen), seen.status, len(seen.chunks), seen.counts) == (
        ("refused", "no connection"),
        None,
        0,
        None,
    )
