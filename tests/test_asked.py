"""What a request asks of the embedded engine, and what is refused in Ollama's way."""

import json
from typing import Any

import pytest

from olbench.engines.asked import Asked, Load, RefusalError, chat, generate, span_ns

SECOND = 1_000_000_000


def asked(**fields: Any) -> Asked:
    return generate(json.dumps({"model": "m", "prompt": "hi", **fields}).encode())


def said(**fields: Any) -> Asked:
    turns = [{"role": "user", "content": "hi"}]
    return chat(json.dumps({"model": "m", "messages": turns, **fields}).encode())


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "stream": ({"stream": "yes"}, 400, "json: field stream is of type string; it must be boolean"),
    "prompt": ({"prompt": 5}, 400, "json: field prompt is of type number; it must be string"),
    "options": ({"options": [1]}, 400, "json: field options is of type array; it must be object"),
    "top_logprobs": ({"top_logprobs": True}, 400, "json: field top_logprobs is of type boolean"),
    "keep_alive without a unit": ({"keep_alive": "300"}, 400, "time: invalid duration '300'"),
    "keep_alive of a list": ({"keep_alive": []}, 400, "keep_alive is of type array"),
    "an int as text": ({"options": {"num_ctx": "4096"}}, 500, 'option "num_ctx" must be of type integer'),
    "an int as bool": ({"options": {"seed": True}}, 500, 'option "seed" must be of type integer'),
    "a float as text": (
        {"options": {"temperature": "0"}},
        500,
        'option "temperature" must be of type float32',
    ),
    "a bool as int": ({"options": {"use_mmap": 1}}, 500, 'option "use_mmap" must be of type boolean'),
    "stop as text": ({"options": {"stop": "x"}}, 500, 'option "stop" must be of an array of strings'),
    "stop of numbers": ({"options": {"stop": [1]}}, 500, 'option "stop" must be of an array of strings'),
    "format": ({"format": "xml"}, 500, "invalid format: 'xml'"),
    "think true": ({"think": True}, 400, '"m" does not support thinking'),
    "think high": ({"think": "high"}, 400, '"m" does not support thinking'),
    "think much": ({"think": "much"}, 400, "invalid think value: 'much'"),
    "think 1": ({"think": 1}, 400, "invalid think value: 1"),
    "raw with system": ({"raw": True, "system": "s"}, 400, "raw mode does not support template, system"),
    "suffix": ({"suffix": "s"}, 400, "the embedded engine does not support 'suffix'"),
    "context": ({"context": [1]}, 400, "the embedded engine does not support 'context'"),
    "images": ({"images": ["AA=="]}, 400, "the embedded engine does not support 'images'"),
    "logprobs": ({"logprobs": True}, 400, "the embedded engine does not support 'logprobs'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_ollama_refuses_is_refused_with_the_same_status(case: str) -> None:
    fields, status, words = REFUSED[case]
    with pytest.raises(RefusalError) as refusal:
        asked(**fields)
    assert refusal.value.status == status
    assert str(refusal.value).startswith(words)


BODIES = {
    b"": "missing request body",
    b"  ": "missing request body",
    b"{": "the body is not JSON",
    b"[]": "json: the body is array; it must be an object",
    b'{"options": {"seed": NaN}}': "the body is not JSON: NaN is no JSON",
    b"\xff": "the body is not JSON",
    b"[" * 100_000: "the body is not JSON",
}


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_that_is_no_object_is_a_400(body: bytes) -> None:
    with pytest.raises(RefusalError) as refusal:
        generate(body)
    assert refusal.value.status == 400
    assert str(refusal.value).startswith(BODIES[body])


MESSAGES = {
    "a text": ("hello", "json: a message is of type string"),
    "no role": ({"content": "x"}, "invalid role None"),
    "another role": ({"role": "robot", "content": "x"}, "invalid role 'robot'"),
    "content of numbers": ({"role": "user", "content": [1]}, "json: field messages.content is of type array"),
    "an image": (
        {"role": "user", "content": "x", "images": ["AA=="]},
        "the embedded engine does not support",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_a_message_that_is_none_is_a_400(case: str) -> None:
    message, words = MESSAGES[case]
    with pytest.raises(RefusalError) as refusal:
        said(messages=[message])
    assert refusal.value.status == 400
    assert str(refusal.value).startswith(words)


def test_unknown_names_and_nulls_are_as_good_as_absent() -> None:
    plain = asked()
    assert asked(colour="red", options={"max_tokens": 5, "num_ctx": None}) == plain
    assert asked(stream=None, keep_alive=None, format=None, think=None, system=None, context=[]) == plain


def test_system_and_prompt_become_the_turns_of_the_template() -> None:
    turns = ({"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"})
    assert asked(system="be brief").turns == turns
    assert asked(raw=True).turns == ()
    assert asked(raw=True).raw == "hi"
    assert asked().raw is None


def test_nothing_to_say_is_a_load() -> None:
    assert asked(prompt="").empty
    assert asked(prompt="", system="be brief").empty
    assert said(messages=[]).empty
    assert not said().empty


SPANS = {
    300: 300 * SECOND,
    0.5: SECOND // 2,
    0: 0,
    -1: -1,
    -0.5: -1,
    1e300: 2**63 - 1,
    float("inf"): 2**63 - 1,
    "10m": 600 * SECOND,
    "1h30m": 5400 * SECOND,
    "-1m": -1,
    "+5s": 5 * SECOND,
    "0": 0,
}


@pytest.mark.parametrize("value", SPANS)
def test_keep_alive_is_seconds_or_gos_notation(value: object) -> None:
    assert span_ns(value) == SPANS[value]


LOADS: dict[str, tuple[dict[str, Any], Load]] = {
    "nothing said": ({}, Load(4096, 512, 3, True)),
    "clamped to the training": ({"num_ctx": 100_000}, Load(8192, 512, 3, True)),
    "never below four": ({"num_ctx": 1}, Load(4, 512, 3, True)),
    "zero is automatic": ({"num_ctx": 0, "num_batch": 0, "num_thread": 0}, Load(4096, 512, 3, True)),
    "all said": ({"num_ctx": 512, "num_batch": 64, "num_thread": 2}, Load(512, 64, 2, True)),
    "floats are cut": ({"num_ctx": 512.9}, Load(512, 512, 3, True)),
    "no matter on a CPU": ({"num_gpu": 5, "use_mmap": False, "main_gpu": 1}, Load(4096, 512, 3, True)),
}


@pytest.mark.parametrize("case", LOADS)
def test_what_a_runner_is_loaded_with(case: str) -> None:
    options, load = LOADS[case]
    assert asked(options=options).load(trained=8192, threads=3) == load


def test_shift_is_part_of_the_load() -> None:
    assert asked(shift=False).load(trained=None, threads=1) == Load(4096, 512, 1, False)


def test_sampling_has_ollamas_defaults_under_llama_cpps_names() -> None:
    body = asked().completion("PROMPT", 1000)
    assert body["temperature"] == 0.8
    assert (body["top_k"], body["top_p"], body["min_p"], body["typical_p"]) == (40, 0.9, 0.0, 1.0)
    assert (body["repeat_last_n"], body["repeat_penalty"], body["n_keep"], body["seed"]) == (64, 1.0, 4, -1)
    assert (body["prompt"], body["stream"], body["cache_prompt"]) == ("PROMPT", True, True)
    assert "json_schema" not in body


def test_options_of_the_request_win() -> None:
    given = {"temperature": 0, "seed": 7, "stop": ["\n"], "num_predict": 16, "top_k": 1}
    body = asked(options=given).completion("", 1000)
    assert (body["temperature"], body["seed"], body["stop"]) == (0.0, 7, ["\n"])
    assert (body["n_predict"], body["top_k"]) == (16, 1)


@pytest.mark.parametrize(("given", "sent"), [(-1, 10_000), (0, 10_000), (99_999, 10_000), (1, 1)])
def test_num_predict_is_held_to_ten_contexts(given: int, sent: int) -> None:
    assert asked(options={"num_predict": given}).completion("", 1000)["n_predict"] == sent


def test_a_format_is_a_schema() -> None:
    assert asked(format="json").schema == {"type": "object"}
    assert asked(format={"type": "boolean"}).schema == {"type": "boolean"}
    assert asked(format="").schema is None
    assert asked(format="json").completion("", 10)["json_schema"] == {"type": "object"}
