"""Bytes into lines with stamps, lines into words."""

from array import array

import pytest

from olbench.apis.wire import StampedLine, error_words, excerpt, line, lines, unix_ns

BODY = b'{"a":1}\n{"b":22}\r\n\n{"c":3}'


def marks_at(*cuts: int) -> "array[int]":
    """A receive for each cut; the stamp of the receive that ends at byte n is 1000 + n."""
    flat: array[int] = array("q")
    for cut in cuts:
        flat.extend((1000 + cut, cut))
    return flat


def test_a_line_arrived_with_the_receive_that_reached_its_newline() -> None:
    whole = list(lines(BODY, marks_at(8, 18, len(BODY))))
    assert whole == [
        StampedLine(b'{"a":1}', 1008, coalesced=False),
        StampedLine(b'{"b":22}', 1018, coalesced=False),
        StampedLine(b'{"c":3}', 1026, coalesced=False),
    ]


def test_a_stream_cut_at_every_byte_gives_the_same_lines_with_the_stamp_of_their_last_byte() -> None:
    for cut in range(1, len(BODY)):
        found = list(lines(BODY, marks_at(cut, len(BODY))))
        assert [one.text for one in found] == [b'{"a":1}', b'{"b":22}', b'{"c":3}']
        ends = (8, 18, 26)
        assert [one.stamp_ns for one in found] == [1000 + (cut if end <= cut else 26) for end in ends]


def test_one_byte_receives_stamp_each_line_with_its_newline() -> None:
    found = list(lines(BODY, marks_at(*range(1, len(BODY) + 1))))
    assert [one.stamp_ns for one in found] == [1008, 1018, 1026]
    assert not any(one.coalesced for one in found)


def test_a_receive_that_went_on_beyond_a_line_marks_it_as_coalesced() -> None:
    found = list(lines(BODY, marks_at(len(BODY))))
    assert [one.coalesced for one in found] == [True, True, False]


def test_bytes_that_no_receive_covers_are_not_invented() -> None:
    assert list(lines(BODY, marks_at(8))) == [StampedLine(b'{"a":1}', 1008, coalesced=False)]


def test_text_and_thinking_come_from_either_endpoint() -> None:
    generate = line(b'{"response":"Hi","thinking":"hm"}')
    chat = line(b'{"message":{"role":"assistant","content":"Hi","thinking":"hm"},"later":[1]}')
    for one in (generate, chat):
        assert (one.answer(), one.thought(), one.done) == ("Hi", "hm", False)


@pytest.mark.parametrize("text", [b"<html>", b"[1]", b'{"eval_count":"4"}', b'{"response":"\xff"}', b"{"])
def test_a_line_that_the_api_does_not_send_is_a_value_error_with_its_first_words(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+: .+"):
        line(text)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"error":"model not found"}', "model not found"),
        (b'{"error":{"code":500,"message":"out of memory"}}', "out of memory"),
        (b'{"error":"{\\"error\\":{\\"message\\":\\"too long\\"}}"}', "too long"),
        (b'{"message":"unauthorized"}', "unauthorized"),
        (b"<html>502</html>", "<html>502</html>"),
        (b'{"error":null}', '{"error":null}'),
        (b"\xff\x00bad", "\ufffd bad"),
    ],
)
def test_the_words_of_an_error_are_found_however_deep_they_are_wrapped(raw: bytes, words: str) -> None:
    assert error_words(raw) == words


def test_an_excerpt_is_one_printable_line_of_bounded_length() -> None:
    assert excerpt("a\x1b[31m\nb\t\u202ec") == "a [31m b c"
    assert len(excerpt("x" * 1000)) == 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456_789),
        ("1970-01-01T01:00:00.1+01:00", 100_000_000),
        ("1969-12-31T23:30:00.000000001-00:30", 1),
        ("yesterday", 0),
        (None, 0),
    ],
)
def test_the_servers_time_stamps_become_unix_nanoseconds(text: str | None, expected: int) -> None:
    assert unix_ns(text) == expected
