"""/api/pull: a process that fetches and requantizes, and its lines handed on in Ollama's words.

A process of its own, so that the memory that this takes does not count as the engine's, nor its time as a model's.
"""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from aiohttp import web

from olbench.engines import ladder, lifeline
from olbench.engines.answer import NDJSON
from olbench.engines.asked import RefusalError, checked
from olbench.engines.shelf import Shelf

_FIELDS: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "name": (str,),
    "stream": (bool,),
    "insecure": (bool,),
}


async def respond(request: web.Request, shelf: Shelf, cache: Path) -> web.StreamResponse:
    """Fetch a model. An error comes as a line of a 200, as the first word was already said, but for `stream: false`."""
    fields = checked(await request.read(), _FIELDS)
    async with aclosing(_lines(fields.get("model") or fields.get("name", ""), shelf, cache)) as lines:
        if not fields.get("stream", True):
            return await _at_once(lines)
        response = web.StreamResponse(headers=NDJSON)
        await response.prepare(request)
        async for line in lines:
            await response.write(json.dumps(line).encode() + b"\n")
        await response.write_eof()
    return response


async def _at_once(lines: AsyncGenerator[Mapping[str, Any], None]) -> web.Response:
    last: Mapping[str, Any] = {}
    async for last in lines:
        if "error" in last:
            raise RefusalError(500, str(last["error"]))
    return web.json_response(last)


async def _lines(model: str, shelf: Shelf, cache: Path) -> AsyncGenerator[Mapping[str, Any], None]:
    yield {"status": "pulling manifest"}
    if model in ladder.RUNGS:
        async with aclosing(_fetched(model, cache)) as lines:
            async for line in lines:
                yield line
                if "error" in line:
                    return
    elif shelf.find(model) is None:
        known = ", ".join(ladder.RUNGS)
        yield {"error": f"pull model manifest: file does not exist (the embedded engine can fetch {known})"}
        return
    yield {"status": "success"}


async def _fetched(model: str, cache: Path) -> AsyncGenerator[Mapping[str, Any], None]:
    process = await asyncio.create_subprocess_exec(
        *lifeline.command("olbench.engines.fetch", model, "--cache", str(cache)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=lifeline.environment(),
    )
    try:
        said: Mapping[str, Any] = {}
        assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        async for line in process.stdout:
            said = json.loads(line)
            yield said
        if await process.wait() != 0 and "error" not in said:
            yield {"error": f"fetching {model} broke off: exit status {process.returncode}"}
    finally:
        # Not killed: once its standard input ends, it takes what it started along.
        if process.stdin is not None:
            process.stdin.close()
