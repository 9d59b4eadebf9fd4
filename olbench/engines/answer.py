"""/api/generate and /api/chat: from a request to a runner, and its words back line by line."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from olbench.clock import now
from olbench.engines import asked
from olbench.engines.asked import Asked, RefusalError
from olbench.engines.runner import Runner
from olbench.engines.runners import Runners
from olbench.engines.shelf import Model, Shelf
from olbench.engines.wall import created_at

NDJSON = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class House:
    """What all requests share."""

    shelf: Shelf
    runners: Runners
    parallel: int
    threads: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What tells the two endpoints apart: how a body is read, and what stands around a piece of text."""

    parse: Callable[[bytes], Asked]
    before: str
    after: str


GENERATE = Endpoint(asked.generate, '"response":', "")
CHAT = Endpoint(asked.chat, '"message":{"role":"assistant","content":', "}")


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of one response. Built from text, as the same 90 % of it goes out once a token."""

    head: str
    before: str
    after: str

    def piece(self, text: str) -> bytes:
        said = json.dumps(text, ensure_ascii=False)
        return f'{self.head}{created_at()}",{self.before}{said}{self.after},"done":false}}\n'.encode()

    def last(self, text: str, rest: Mapping[str, object]) -> bytes:
        said = json.dumps(text, ensure_ascii=False)
        tail = json.dumps({"done": True, **rest}, separators=(",", ":"))[1:]
        return f'{self.head}{created_at()}",{self.before}{said}{self.after},{tail}\n'.encode()


async def respond(request: web.Request, endpoint: Endpoint, house: House) -> web.StreamResponse:
    """Answer one request. RefusalError as long as nothing of the answer is out."""
    entered = now()
    wanted = endpoint.parse(await request.read())
    model = found(house.shelf, wanted.model)
    head = f'{{"model":{json.dumps(wanted.model)},"created_at":"'
    lines = _Lines(head, endpoint.before, endpoint.after)
    if wanted.empty and wanted.keep_alive_ns == 0:
        house.runners.expire(model)
        return _json(lines.last("", {"done_reason": "unload"}))
    load = wanted.load(trained=model.header.context_length, threads=house.threads)
    async with house.runners.lent(model, load, wanted.keep_alive_ns) as runner:
        lent = now()
        if wanted.empty:
            return _json(lines.last("", {"done_reason": "load"}))

        def final(event: Mapping[str, Any]) -> dict[str, object]:
            spans = {"total_duration": now() - entered, "load_duration": lent - entered}
            return {"done_reason": _reason(event), **spans, **_counts(event["timings"])}

        async with aclosing(_events(wanted, runner)) as events:
            if wanted.streamed:
                return await _streamed(request, events, lines, final)
            return await _whole(events, lines, final)


def found(shelf: Shelf, name: str) -> Model:
    """The model of that name; RefusalError when there is none or its file is no model."""
    try:
        model = shelf.find(name)
    except (OSError, ValueError) as fault:
        raise RefusalError(500, f"unable to load model: {fault}") from fault
    if model is None:
        raise RefusalError(404, f"model '{name}' not found")
    return model


Events = AsyncGenerator[Mapping[str, Any], None]
Final = Callable[[Mapping[str, Any]], Mapping[str, object]]


async def _events(wanted: Asked, runner: Runner) -> Events:
    """Events of the runner up to the one with `stop`; waiting for a slot comes first."""
    prompt = await runner.templated(wanted.turns) if wanted.raw is None else wanted.raw
    body = wanted.completion(prompt, runner.load.num_ctx)
    async with runner.slots, aclosing(runner.pieces(body)) as events:
        async for event in events:
            yield event
            if event["stop"]:
                return
    raise RefusalError(500, "llama runner ended the answer without its end")


async def _streamed(request: web.Request, events: Events, lines: _Lines, final: Final) -> web.StreamResponse:
    response = web.StreamResponse(headers=NDJSON)
    try:
        async for event in events:
            if not event["content"] and not event["stop"]:
                continue  # half a character, or the progress of the prompt
            # No head before the first piece: what goes wrong until then has a status of its own.
            if not response.prepared:
                await response.prepare(request)
            text = event["content"]
            await response.write(lines.last(text, final(event)) if event["stop"] else lines.piece(text))
    except RefusalError as fault:
        if not response.prepared:
            raise
        await response.write(json.dumps({"error": str(fault)}).encode() + b"\n")
    await response.write_eof()
    return response


async def _whole(events: Events, lines: _Lines, final: Final) -> web.Response:
    text = ""
    last: Mapping[str, Any] = {}
    async for event in events:
        text += event["content"]
        last = event
    return _json(lines.last(text, final(last)))


def _counts(timings: Mapping[str, Any]) -> dict[str, object]:
    """llama.cpp's timings under Ollama's names; milliseconds become nanoseconds."""
    return {
        "prompt_eval_count": timings["cache_n"] + timings["prompt_n"],
        "prompt_eval_cached_count": timings["cache_n"],
        "prompt_eval_duration": round(timings["prompt_ms"] * 1e6),
        "eval_count": timings["predicted_n"],
        "eval_duration": round(timings["predicted_ms"] * 1e6),
    }


def _reason(event: Mapping[str, Any]) -> str:
    return "length" if event["stop_type"] == "limit" else "stop"


def _json(line: bytes) -> web.Response:
    return web.Response(body=line, content_type="application/json")
