"""Traces in the formats in which people have them, and what is said of lines that will not do."""

import json
import random
import time
import tracemalloc

import pytest

from olbench import trace
from olbench.arrival import Arrival
from olbench.errors import UsageError

MOONCAKE = (
    '{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 48]}\n'
    '{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46, 47]}\n'
    '{"timestamp": 30535.5, "input_length": 1, "output_length": 1, "hash_ids": []}\n'
)
CSV = "time,prompt_tokens,output_tokens\n0,100,20\n1.5,200,30\n"
MS = 10**6


def rows(text: str) -> list[tuple[int, int, int]]:
    return [(one.due_ns, one.prompt_tokens, one.output_tokens) for one in trace.read(text, "t")]


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        trace.read(text, "t.jsonl")
    return caught.value.faults


# --- formats -------------------------------------------------------------------------------------------------


def test_mooncake_has_milliseconds_and_lengths() -> None:
    assert rows(MOONCAKE) == [(0, 6955, 52), (3053 * MS, 6472, 26), (3053_500_000, 1, 1)]


def test_csv_has_seconds_and_its_columns_in_any_order() -> None:
    expected = [(0, 100, 20), (1_500_000_000, 200, 30)]
    assert rows(CSV) == expected
    assert rows('Output_Tokens, Time ,model,prompt_tokens\n20,7,"a, b",100\n30,8.5,x,200\n') == expected
    assert rows("\ufeff" + CSV.replace("\n", "\r\n")) == expected
    assert rows(CSV.replace("1.5", "2026-01-31T00:00:01.5Z").replace("0,100", "2026-01-31,100")) == expected


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "x", "created": %d, "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}}',
        '{"timestamp": %d.0, "model": "m", "usage": {"prompt_tokens": 12, "completion_tokens": 7}}',
        '{"ts": %d000, "prompt_tokens": 12, "completion_tokens": 7, "status": 200}',
        '{"startTime": %d, "endTime": 1, "prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}',
        '{"created_at": %d, "usage": {"input_tokens": 12, "output_tokens": 7}}',
        '{"response": {"body": {"created": %d, "usage": {"prompt_tokens": 12, "completion_tokens": 7}}}, "error": null}',
        '{"timestamp": %d, "created": 5, "response": {"usage": {"prompt_tokens": 12, "completion_tokens": 7}}}',
        '{"time": %d000000000, "usage": {"prompt_tokens": 12.0, "completion_tokens": 7}}',
    ],
)
def test_logs_of_requests_name_time_and_usage_in_many_ways(line: str) -> None:
    text = "\n".join(line % moment for moment in (1_767_225_600, 1_767_225_603))
    assert rows(text) == [(0, 12, 7), (3 * 10**9, 12, 7)]


@pytest.mark.parametrize(
    ("moment", "later"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:02.25Z"),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T01:00:02.250000+01:00"),
        ("2026-01-01 00:00:00", "2026-01-01 00:00:02.250"),
        ("2025-12-31T19:00:00-05:00", "2026-01-01T00:00:02.250000000Z"),
    ],
)
def test_a_time_in_iso_8601_keeps_its_zone(moment: str, later: str) -> None:
    text = "\n".join(
        json.dumps({"timestamp": one, "usage": {"prompt_tokens": 9, "completion_tokens": 4}})
        for one in (moment, later)
    )
    assert rows(text) == [(0, 9, 4), (2250 * MS, 9, 4)]


def test_requests_are_sorted_by_time_as_logs_are_written_when_answers_end() -> None:
    assert rows("time,prompt_tokens,output_tokens\n9,1,1\n4,2,2\n9,3,3\n5,4,4\n") == [
        *((0, 2, 2), (10**9, 4, 4)),
        *((5 * 10**9, 1, 1), (5 * 10**9, 3, 3)),
    ]


def test_blank_lines_and_a_missing_end_of_line_do_not_count() -> None:
    assert rows("\n\n" + CSV.replace("\n", "\n\n").rstrip()) == rows(CSV)


def test_a_trace_is_told_from_others_by_its_digest() -> None:
    one = trace.of(CSV, "t")
    assert (len(one.digest), one.arrivals) == (12, trace.read(CSV, "t"))
    assert one.digest == trace.of(CSV, "other").digest != trace.of(CSV + "2,1,1\n", "t").digest


# --- faults --------------------------------------------------------------------------------------------------

KNOWN = (
    'JSON lines with timestamp, input_length and output_length (Mooncake), with a time such as "created" and "usage" '
    "(a log of requests), or CSV that begins with time,prompt_tokens,output_tokens would do"
)
OR = "would do, or a trace without this line"
TIMES = "start_time, startTime, timestamp, ts, time, created_at, created_time, created"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", f"t.jsonl: no request in it; {KNOWN}"),
        ("\n \n", f"t.jsonl: no request in it; {KNOWN}"),
        ("time,prompt_tokens,output_tokens\n", f"t.jsonl: no request in it; {KNOWN}"),
        ("hello\nworld\n", f't.jsonl:1: "hello" opens no trace; {KNOWN}'),
        ('\n[{"timestamp": 1}]', f't.jsonl:2: "[{{"timestamp": 1}}]" opens no trace; {KNOWN}'),
        ("time,prompt,output\n1,2,3\n", f't.jsonl:1: "time,prompt,output" opens no trace; {KNOWN}'),
        (MOONCAKE + "{", 't.jsonl:4: "{" is no JSON; one object a line would do'),
        (MOONCAKE + "7", 't.jsonl:4: "7" is no object; one object a line would do'),
        (
            MOONCAKE.replace("30535,", '"30535",'),
            't.jsonl:2: timestamp is "30535"; a number of milliseconds would do',
        ),
        (
            MOONCAKE.replace("27482", "-1"),
            "t.jsonl:1: timestamp is -1; a number of milliseconds would do",
        ),
        (
            MOONCAKE.replace('"output_length": 26', '"output": 26'),
            "t.jsonl:2: output_length is missing; a whole number of at least 1 would do",
        ),
        (
            MOONCAKE.replace("6472", "0"),
            "t.jsonl:2: input_length is 0; a whole number of at least 1 would do",
        ),
        (
            MOONCAKE.replace("6472", "true"),
            "t.jsonl:2: input_length is True; a whole number of at least 1 would do",
        ),
        (
            CSV.replace("200", "2.5"),
            "t.jsonl:3: prompt_tokens is 2.5; a whole number of at least 1 would do",
        ),
        (CSV.replace("1.5", "nan"), "t.jsonl:3: time is nan; seconds, a Unix time or ISO 8601 would do"),
        (
            CSV.replace("1.5", "soon"),
            't.jsonl:3: time is "soon"; seconds or ISO 8601 such as "2026-01-31T12:00:00Z" would do',
        ),
        (
            CSV + "9,9\n",
            't.jsonl:4: "9,9" has 2 columns; as many as the first line has would do',
        ),
        (
            '{"created": 5, "usage": null}',
            f"t.jsonl:1: no prompt tokens in it; one of prompt_tokens, input_tokens {OR}",
        ),
        (
            '{"usage": {"prompt_tokens": 1, "completion_tokens": 1}}',
            f"t.jsonl:1: no time in it; one of {TIMES} {OR}",
        ),
    ],
)
def test_a_line_that_will_not_do_is_one_sentence_with_its_number(text: str, fault: str) -> None:
    assert faults(text) == (fault,)


def test_a_file_full_of_faults_is_not_read_to_its_end() -> None:
    found = faults(CSV + "x\n" * 1000)
    assert len(found) == 21
    assert found[-1] == "t.jsonl: further lines were not looked at"


def damaged(text: str, draws: random.Random) -> str:
    """The text with a few characters lost, doubled, swapped or replaced, or cut short."""
    chars = list(text)
    for _ in range(draws.randint(1, 6)):
        at = draws.randrange(len(chars))
        match draws.randrange(4):
            case 0:
                del chars[at : at + draws.randint(1, 5)]
            case 1:
                chars[at:at] = draws.choices(
                    '{}[]",:\n\r\0\u2028\ud800\U0001f600-+e9.', k=draws.randint(1, 3)
                )
            case 2:
                chars[at] = draws.choice(["9" * 400, "1e999", "null", "NaN", "[" * 2000, "\t", "\\u0000"])
            case _:
                del chars[at:]
        if not chars:
            return ""
    return "".join(chars)


@pytest.mark.parametrize(
    "text", [MOONCAKE, CSV, '{"created": 1, "prompt_tokens": 2, "completion_tokens": 3}\n' * 2]
)
def test_damaged_traces_are_requests_or_sentences_and_never_a_crash(text: str) -> None:
    draws = random.Random(6)
    ends, said = set[int](), list[str]()
    for _ in range(1500):
        try:
            found = trace.read(damaged(text, draws), "t")
        except UsageError as exc:
            said += exc.faults
        else:
            ends.add(found[0].due_ns)
            assert all(one.prompt_tokens >= 1 and one.output_tokens >= 1 for one in found)
            assert [one.due_ns for one in found] == sorted(one.due_ns for one in found)
    assert ends == {0}
    assert said
    assert all(fault.startswith("t:") and fault.isprintable() for fault in said)


# --- size ----------------------------------------------------------------------------------------------------


def test_ten_thousand_requests_take_little_time_and_memory() -> None:
    line = '{"timestamp": %d, "input_length": 4096, "output_length": 200, "hash_ids": [%s]}'
    text = "\n".join(line % (at, ", ".join(["7"] * 16)) for at in range(10_000))
    tracemalloc.start()
    began = time.process_time()
    found = trace.read(text, "t")
    spent = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[-1] == Arrival(due_ns=9_999 * MS, prompt_tokens=4096, output_tokens=200)
    assert spent < 2  # a million lines take a hundred times as long; tracemalloc alone trebles it
    assert peak < 5 * 2**20
