"""Own prompts from files: every shape that is read, every fault in its own words."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olbench import batch
from olbench.errors import UsageError
from olbench.model import Message, Prompt

JSONL = Path("own/p.jsonl")
TXT = Path("own/p.txt")
SHAPES = 'a string, an object with "prompt" or "messages", or a list of messages'


def user(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def faults(path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        batch.read(path, text)
    return caught.value.faults


def test_a_text_file_has_one_prompt_a_line() -> None:
    assert batch.read(TXT, "Hi\n\n  How are you?  \r\n你好\n") == (
        Prompt("p.txt:1", user("Hi")),
        Prompt("p.txt:3", user("How are you?")),
        Prompt("p.txt:4", user("你好")),
    )


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ('"Hi"', Prompt("p.jsonl:1", user("Hi"))),
        ('{"prompt": "Hi"}', Prompt("p.jsonl:1", user("Hi"))),
        ('{"prompt": "Hi", "name": "greeting"}', Prompt("greeting", user("Hi"))),
        ('{"prompt": "Hi", "id": 7}', Prompt("7", user("Hi"))),
        ('{"prompt": "Hi", "name": "a", "id": 7}', Prompt("a", user("Hi"))),
        ('{"prompt": "Hi", "name": null}', Prompt("p.jsonl:1", user("Hi"))),
        ('{"prompt": "Hi", "name": " "}', Prompt("p.jsonl:1", user("Hi"))),
        ('{"prompt": "Hi", "name": "two\\n lines"}', Prompt("two lines", user("Hi"))),
        ('{"prompt": "Hi", "category": "chat"}', Prompt("p.jsonl:1", user("Hi"))),
        ('{"messages": [{"role": "user", "content": "Hi"}]}', Prompt("p.jsonl:1", user("Hi"))),
        ('[{"role": "user", "content": "Hi"}]', Prompt("p.jsonl:1", user("Hi"))),
        (
            '[{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}]',
            Prompt(
                "p.jsonl:1",
                (Message("system", "S"), Message("user", "U"), Message("assistant", "A")),
            ),
        ),
        ('"  kept as it is\\n"', Prompt("p.jsonl:1", user("  kept as it is\n"))),
        ('"line\u2028separator"', Prompt("p.jsonl:1", user("line\u2028separator"))),
        ('"\\ud83d\\ude00"', Prompt("p.jsonl:1", user("😀"))),
    ],
)
def test_a_line_of_json_is_read_in_every_shape(line: str, prompt: Prompt) -> None:
    assert batch.read(JSONL, line + "\n") == (prompt,)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Hi", f"not JSON (Expecting value, column 1); write {SHAPES}"),
        ('{"prompt": "Hi"', f"not JSON (Expecting ',' delimiter, column 16); write {SHAPES}"),
        ("7", f"a number found; write {SHAPES}"),
        ("null", f"null found; write {SHAPES}"),
        ("true", f"true found; write {SHAPES}"),
        ("{}", 'an object with no key found; it must have "prompt" or "messages"'),
        ('{"text": "Hi"}', 'an object with "text" found; it must have "prompt" or "messages"'),
        ('{"prompt": "a", "messages": []}', '"prompt" and "messages" found; keep one of them'),
        ('{"prompt": 5}', '"prompt" is a number; it must be a string'),
        ('{"prompt": ""}', '"prompt" is empty; write what is to be said, or take it out'),
        ('" "', "the prompt is empty; write what is to be said, or take it out"),
        ('{"prompt": "a", "name": ["x"]}', '"name" is a list; a name is a string'),
        ('{"prompt": "a", "id": true}', '"id" is true; a name is a string'),
        ('{"messages": "Hi"}', '"messages" is a string; it must be a list of {"role": ..., "content": ...}'),
        (
            '{"messages": []}',
            '"messages" is an empty list; it must be a list of {"role": ..., "content": ...}',
        ),
        ('["Hi"]', 'message 1 is a string; it must be an object with "role" and "content"'),
        ('[{"content": "Hi"}]', "message 1 has no role; a role is system, user or assistant"),
        (
            '[{"role": "usr", "content": "Hi"}]',
            'message 1 has the role "usr"; a role is system, user or assistant',
        ),
        ('[{"role": "user"}]', "the content of message 1 is null; it must be a string"),
        (
            '[{"role": "user", "content": [{"type": "text"}]}]',
            "the content of message 1 is a list; it must be a string",
        ),
        ('[{"role": "system", "content": "S"}]', "only a system message found; add a message of the user"),
        (
            '[{"role": "user", "content": "U"}, {"role": "system", "content": "S"}]',
            "a system message after the first message; it can only be the first",
        ),
        ('"a\\u0000b"', "the prompt holds a NUL character; take it out"),
        ('"\\ud800"', "the prompt holds half of a surrogate pair; write the character itself"),
        (
            '{"prompt": "a", "name": "\\ud800"}',
            '"name" holds half of a surrogate pair; write the character itself',
        ),
    ],
)
def test_a_wrong_line_says_what_was_found_and_what_would_do(line: str, fault: str) -> None:
    assert faults(JSONL, f'"fine"\n{line}\n') == (f"own/p.jsonl:2: {fault}",)


def test_nesting_without_end_is_a_fault_and_not_a_crash() -> None:
    (fault,) = faults(JSONL, "[" * 100_000)
    assert fault.startswith("own/p.jsonl:1: not JSON that can be read")


def test_all_faults_are_told_at_once() -> None:
    assert faults(JSONL, '"a"\n7\n"b"\n{}\n') == (
        f"own/p.jsonl:2: a number found; write {SHAPES}",
        'own/p.jsonl:4: an object with no key found; it must have "prompt" or "messages"',
    )


def test_a_file_that_is_wrong_throughout_is_told_in_twenty_lines() -> None:
    found = faults(JSONL, "7\n" * 50)
    assert len(found) == 21
    assert found[-1] == "... and 30 faults more"


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_an_empty_file_is_a_fault(text: str) -> None:
    assert faults(TXT, text) == ("own/p.txt: no prompt in it; write one a line",)


@pytest.mark.parametrize(("name", "found"), [("p.csv", ".csv"), ("prompts", "no ending")])
def test_another_kind_of_file_is_refused(name: str, found: str) -> None:
    assert faults(Path(name), "Hi") == (
        f"{name}: {found} found; a batch is a .txt file with one prompt a line or a .jsonl file with one JSON value a line",
    )


def test_names_that_come_twice_are_numbered() -> None:
    lines = [{"prompt": "x", "name": name} for name in ("a", "a", "b", "a", "a (2)")]
    prompts = batch.read(JSONL, "\n".join(map(json.dumps, lines)))
    assert [prompt.name for prompt in prompts] == ["a", "a (2)", "b", "a (3)", "a (2) (2)"]


def test_a_byte_order_mark_is_no_part_of_the_first_prompt() -> None:
    assert batch.decode(TXT, b"\xef\xbb\xbfHi") == "Hi"
    assert batch.read(TXT, "\ufeffHi") == (Prompt("p.txt:1", user("Hi")),)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"a\nb\xff\n", "own/p.txt:2: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("你好".encode("gb18030"), "own/p.txt:1: byte 0xc4 is not UTF-8; save the file as UTF-8"),
        ("a\nb".encode("utf-16"), "own/p.txt:1: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"a\nb\x00c", "own/p.txt:2: a NUL character; a batch is a text file, in UTF-8"),
    ],
)
def test_what_is_no_utf_8_text_is_told_with_its_line(raw: bytes, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        batch.decode(TXT, raw)
    assert caught.value.faults == (fault,)


def test_inline_prompts_are_numbered() -> None:
    assert batch.inline(["Hi", "两行\n字"]) == (
        Prompt("prompt 1", user("Hi")),
        Prompt("prompt 2", user("两行\n字")),
    )


def test_empty_inline_prompts_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        batch.inline(["", "Hi", " \n"])
    assert caught.value.faults == (
        "prompt 1 is empty; write what is to be said, or take it out",
        "prompt 3 is empty; write what is to be said, or take it out",
    )


@given(st.binary(max_size=60))
def test_no_bytes_bring_anything_but_prompts_or_faults(raw: bytes) -> None:
    for path in (TXT, JSONL):
        try:
            prompts = batch.read(path, batch.decode(path, raw))
        except UsageError as error:
            assert error.faults  # noqa: PT017 - either end is right
        else:
            assert prompts


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["prompt", "messages", "role", "content", "name", "id"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_brings_anything_but_prompts_or_faults(value: object) -> None:
    try:
        prompts = batch.read(JSONL, json.dumps(value))
    except UsageError as error:
        assert error.faults  # noqa: PT017 - either end is right
    else:
        assert all(message.content.encode() for prompt in prompts for message in prompt.messages)
