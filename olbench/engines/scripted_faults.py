"""What a broken server does instead of an answer, by name."""

import json
from collections.abc import Awaitable, Callable

from olbench.engines.scripted_client import Client
from olbench.engines.scripted_http import END, answer, whole
from olbench.engines.scripted_talk import Talk

Fault = Callable[[Client, Talk], Awaitable[object]]


def _error(status: int, said: str) -> Fault:
    return lambda client, talk: client.send(answer(talk.error(said), status=status))


async def _tokens(client: Client, talk: Talk, count: int) -> None:
    for number in range(count):
        await client.send(talk.token(number))


async def _half_line(client: Client, talk: Talk) -> None:
    await _tokens(client, talk, 2)
    token = talk.token(2)
    await client.send(token[: len(token) // 2])
    client.drop()


async def _error_line(client: Client, talk: Talk) -> None:
    await _tokens(client, talk, 2)
    said = talk.error("llama runner process has terminated: signal: killed")
    await client.send(talk.line(json.dumps(said).encode()) + END)


async def _no_done(client: Client, talk: Talk) -> None:
    await _tokens(client, talk, 3)
    await client.send(END)


async def _stall(client: Client, talk: Talk) -> None:
    await _tokens(client, talk, 1)
    await client.gone()


async def _drop(client: Client, talk: Talk) -> None:
    await _tokens(client, talk, 2)
    client.drop()


async def _garbage(client: Client, _: Talk) -> None:
    await client.send(b"\x00\xff\x13 this is not HTTP\r\n\r\n")
    client.drop()


async def _html(client: Client, _: Talk) -> None:
    await client.send(whole(b"<html><body>Welcome to <b>nginx</b></body></html>", "text/html"))


async def _bad_json(client: Client, talk: Talk) -> None:
    await client.send(talk.head + talk.line(b"\xff\xfe not json") + END)


FAULTS: dict[str, Fault] = {
    "404": _error(404, "model 'gone:1b' not found"),
    "500": _error(500, "unexpected server status: llm server error"),
    "503": _error(503, "server busy, please try again. maximum pending requests exceeded"),
    "memory": _error(500, json.dumps({"error": {"message": "cudaMalloc failed: out of memory"}})),
    "html": _html,
    "garbage": _garbage,
    "bad_json": _bad_json,
    "half_line": _half_line,
    "error_line": _error_line,
    "no_done": _no_done,
    "stall": _stall,
    "drop": _drop,
}
