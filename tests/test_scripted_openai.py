"""The scripted server's other API: OpenAI's events, to the byte."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import virtual
from phone import Phone, asked, body, hang_up, told
from virtual import START_NS

from olbench.engines.scripted import Script, Scripted
from olbench.engines.scripted_faults import FAULTS

MS = 1_000_000
SCRIPT = Script(load_ns=0, ttft_ns=10 * MS, itl_ns=20 * MS, tells_cached=False)


def play(story: Callable[[Scripted], Coroutine[Any, Any, Any]], script: Script = SCRIPT) -> Any:
    async def run() -> Any:
        server = Scripted(script, kernel=False)
        try:
            return await story(server)
        finally:
            await server.stop()
            hang_up()

    return virtual.run(run())


def said(path: str, script: Script = SCRIPT, **fields: Any) -> bytes:
    """The whole answer to two words."""
    fields = {"model": "scripted:1b", "max_tokens": 2, "stream": True} | fields
    ask = (
        {"messages": [{"role": "user", "content": "two words"}]}
        if "chat" in path
        else {"prompt": "two words"}
    )

    async def story(server: Scripted) -> bytes:
        phone = Phone(server)
        await phone.post(path, **ask, **fields)
        return await phone.answer()

    return bytes(play(story, script))


def undated(text: bytes) -> str:
    return re.sub(r'"created": ?\d{10},', '"created":0,', body(text).decode())


CHAT = '{"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"scripted:1b","choices":'
TEXT = '{"id":"cmpl-0","object":"text_completion","created":0,"model":"scripted:1b","choices":'


def test_a_chat_is_events_that_end_with_a_word() -> None:
    answer = said("/v1/chat/completions")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    assert undated(answer) == (
        f'data: {CHAT}[{{"index":0,"delta":{{"role":"assistant","content":"tok "}},"finish_reason":null}}]}}\n\n'
        f'data: {CHAT}[{{"index":0,"delta":{{"content":"tok "}},"finish_reason":null}}]}}\n\n'
        f'data: {CHAT}[{{"index":0,"delta":{{}},"finish_reason":"length"}}]}}\n\n'
        "data: [DONE]\n\n"
    )


def test_a_completion_with_usage_counts_before_the_last_word() -> None:
    answer = said("/v1/completions", stream_options={"include_usage": True})
    assert undated(answer) == (
        f'data: {TEXT}[{{"index":0,"text":"tok ","finish_reason":null}}],"usage":null}}\n\n'
        f'data: {TEXT}[{{"index":0,"text":"tok ","finish_reason":null}}],"usage":null}}\n\n'
        f'data: {TEXT}[{{"index":0,"text":"","finish_reason":"length"}}],"usage":null}}\n\n'
        f'data: {TEXT}[],"usage":{{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}}}\n\n'
        "data: [DONE]\n\n"
    )


def test_an_answer_in_one_piece_has_text_and_usage() -> None:
    chat = told(said("/v1/chat/completions", stream=False))
    assert chat["object"] == "chat.completion"
    assert chat["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "tok tok "}, "finish_reason": "length"}
    ]
    assert chat["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    text = told(said("/v1/completions", stream=False))
    assert (text["object"], text["choices"][0]["text"]) == ("text_completion", "tok tok ")


def test_a_cache_hit_is_told_with_the_usage() -> None:
    script = Script(load_ns=0, ttft_ns=0, itl_ns=0)
    found = told(said("/v1/completions", script, stream=False))
    assert found["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}


def test_the_rhythm_and_the_truth_are_those_of_the_other_api() -> None:
    async def story(server: Scripted) -> None:
        phone = Phone(server)
        await phone.post("/v1/completions", model="scripted:1b", prompt="a b c", max_tokens=3, stream=True)
        await phone.answer()
        (truth,) = (await asked(server, "/truth"))["requests"]
        assert truth["prompt_tokens"] == 8
        assert [one - START_NS for one in truth["sends_ns"]] == [10 * MS, 30 * MS, 50 * MS]
        assert [moment for moment, _ in phone.heard][:3] == truth["sends_ns"]

    play(story)


def test_the_models_are_listed() -> None:
    found = play(lambda server: asked(server, "/v1/models"), Script(models=("a:1b", "b:2b")))
    assert found["object"] == "list"
    assert [one["id"] for one in found["data"]] == ["a:1b", "b:2b"]


def test_a_model_that_is_not_there_is_an_error_of_openais_shape() -> None:
    answer = said("/v1/completions", model="no")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert told(answer)["error"]["message"] == "model 'no' not found"


FAULTY = {
    "404": (b"HTTP/1.1 404 ", b'{"error": {"message": "model \'gone:1b\' not found"'),
    "500": (b"HTTP/1.1 500 ", b"llm server error"),
    "503": (b"HTTP/1.1 503 ", b"maximum pending requests exceeded"),
    "memory": (b"HTTP/1.1 500 ", b"out of memory"),
    "html": (b"HTTP/1.1 200 OK\r\nContent-Type: text/html", b"</html>"),
    "garbage": (b"\x00\xff\x13", b"not HTTP"),
    "bad_json": (b"HTTP/1.1 200 ", b"data: \xff\xfe not json\n\n\r\n0\r\n\r\n"),
    "half_line": (b"HTTP/1.1 200 ", b'"model":'),
    "error_line": (b"HTTP/1.1 200 ", b'data: {"error": {"message": "llama runner process has terminated'),
    "no_done": (b"HTTP/1.1 200 ", b"}]}\n\n\r\n0\r\n\r\n"),
    "stall": (b"HTTP/1.1 200 ", b"}]}\n\n\r\n"),
    "drop": (b"HTTP/1.1 200 ", b"}]}\n\n\r\n"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_said_in_this_language_too(fault: str) -> None:
    begins, holds = FAULTY[fault]

    async def story(server: Scripted) -> bytes:
        phone = Phone(server)
        await phone.post("/v1/completions", model="scripted:1b", prompt="x", stream=True)
        while holds not in phone.all():
            assert await phone.hear()
        if fault in ("garbage", "half_line", "drop"):
            await phone.to_end()
        return phone.all()

    answer = play(story, Script(load_ns=0, faults={0: fault}))
    assert answer.startswith(begins)
    assert b"[DONE]" not in answer
    assert answer.endswith(b"0\r\n\r\n") == (fault in ("bad_json", "error_line", "no_done"))


def test_events_hold_json_alone() -> None:
    events = body(said("/v1/chat/completions")).decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(one.removeprefix("data: "))["model"] == "scripted:1b" for one in events[:-2])
