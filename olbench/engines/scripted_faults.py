"""What a broken server does instead of an answer, by name."""

import json
from collections.abc import Awaitable, Callable

from olbench.engines.scripted_http import Client, stamp


async def _error(client: Client, status: int, said: str) -> None:
    await client.json({"error": said}, status=status)


async def _lines_then(client: Client, count: int) -> None:
    await client.begin()
    for _ in range(count):
        await client.line({"model": "m", "created_at": stamp(), "response": "tok ", "done": False})


async def _half_line(client: Client) -> None:
    await _lines_then(client, 2)
    await client.chunk(b'{"model":"m","response":"to')
    client.drop()


async def _error_line(client: Client) -> None:
    await _lines_then(client, 2)
    await client.line({"error": "llama runner process has terminated: signal: killed"})
    await client.end()


async def _no_done(client: Client) -> None:
    await _lines_then(client, 3)
    await client.end()


async def _stall(client: Client) -> None:
    await _lines_then(client, 1)
    await client.gone()


async def _drop(client: Client) -> None:
    await _lines_then(client, 2)
    client.drop()


async def _garbage(client: Client) -> None:
    await client.raw(b"\x00\xff\x13 this is not HTTP\r\n\r\n")
    client.drop()


async def _html(client: Client) -> None:
    await client.text("<html><body>Welcome to <b>nginx</b></body></html>", "text/html")


async def _bad_json(client: Client) -> None:
    await client.begin()
    await client.chunk(b"\xff\xfe not json\n")
    await client.end()


FAULTS: dict[str, Callable[[Client], Awaitable[None]]] = {
    "404": lambda client: _error(client, 404, "model 'gone:1b' not found"),
    "500": lambda client: _error(client, 500, "unexpected server status: llm server error"),
    "503": lambda client: _error(
        client, 503, "server busy, please try again. maximum pending requests exceeded"
    ),
    "memory": lambda client: _error(
        client, 500, json.dumps({"error": {"message": "cudaMalloc failed: out of memory"}})
    ),
    "html": _html,
    "garbage": _garbage,
    "bad_json": _bad_json,
    "half_line": _half_line,
    "error_line": _error_line,
    "no_done": _no_done,
    "stall": _stall,
    "drop": _drop,
}
