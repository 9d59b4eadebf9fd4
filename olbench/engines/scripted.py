"""A pretend Ollama with a set rhythm and set faults: what tests and the self-test measure against.

It speaks NDJSON on a socket of its own and sleeps instead of computing, so what a client should see is known.
Prompt tokens are the words of the prompt plus TEMPLATE_TOKENS. Faults are given per measuring request, in the
order of arrival.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Self

from olbench.clock import now, sleep_until
from olbench.engines import lifeline
from olbench.engines.scripted_faults import FAULTS
from olbench.engines.scripted_http import Asked, Client, read_request, stamp

TEMPLATE_TOKENS = 5
VERSION = "0.34.0-scripted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the server does. Times in nanoseconds."""

    models: tuple[str, ...] = ("scripted:1b",)
    context_length: int = 8192  # num_ctx is clamped to it
    size: int = 1_000_000_000
    vram_share: float = 1.0
    capabilities: tuple[str, ...] = ("completion",)
    prefill_ns_per_token: int = 100_000
    itl_ns: int = 2_000_000
    load_ns: int = 20_000_000
    slots: int = 2
    tells_cached: bool = True  # whether final lines carry prompt_eval_cached_count
    parameters: str = ""  # the text that /api/show gives
    token: str | None = None  # requests without it are refused; None: it asks for none
    faults: Mapping[int, str] = field(default_factory=dict)  # measuring request (from 0) -> name in FAULTS


@dataclass(slots=True)
class Truth:
    """When the server did what, for one measuring request; stamps of the same monotonic clock as the client's."""

    read_ns: int
    sends_ns: list[int] = field(default_factory=list)


class Scripted:
    """A running scripted server. `async with Scripted(script) as server: server.url`."""

    def __init__(self, script: Script, *, port: int = 0) -> None:
        """Nothing listens before `start`."""
        self.script = script
        self.resident: dict[str, int] = {}  # model -> context
        self.truth: list[Truth] = []
        self.bodies: list[dict[str, Any]] = []  # measuring requests as they came
        self.url = ""
        self._port = port
        self._served = 0
        self._slots = asyncio.Semaphore(script.slots)
        self._loading = asyncio.Lock()
        self._seen: set[str] = set()
        self._open: set[asyncio.Task[Any]] = set()

    async def start(self) -> str:
        """Listen on loopback; the URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=1 << 24)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        return self.url

    async def stop(self) -> None:
        """Close the port and every connection, as a killed server does."""
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self.resident.clear()
        await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        client = Client(reader, writer)
        try:
            while (asked := await read_request(reader)) is not None:
                await self._answer(asked, client)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, a fault closed the connection, or the server stops
        finally:
            writer.transport.abort()

    async def _answer(self, asked: Asked, client: Client) -> None:
        if self.script.token is not None and asked.authorization != f"Bearer {self.script.token}":
            await client.json({"error": "unauthorized"}, status=401)
            return
        match asked.path:
            case "/api/version":
                await client.json({"version": VERSION})
            case "/api/tags":
                await client.json({"models": [self._tag(name) for name in self.script.models]})
            case "/api/ps":
                await client.json({"models": [self._row(name) for name in self.resident]})
            case "/api/show":
                await self._show(asked.body, client)
            case "/served":  # not Ollama's: how many measuring requests have come, for whoever waits for one
                await client.json({"served": self._served})
            case "/api/pull":
                await _pull(client)
            case "/api/generate" | "/api/chat":
                await self._measure(asked, client)
            case _:
                await client.json({"error": "no such path"}, status=404)

    # --- listings --------------------------------------------------------------------------------------------

    def _tag(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "model": name,
            "size": self.script.size,
            "digest": sha256(name.encode()).hexdigest(),
            "details": {"format": "gguf", "family": "scripted", "quantization_level": "Q8_0"},
            "capabilities": list(self.script.capabilities),
        }

    def _row(self, name: str) -> dict[str, Any]:
        vram = round(self.script.size * self.script.vram_share)
        return self._tag(name) | {"size_vram": vram, "context_length": self.resident[name]}

    async def _show(self, body: Mapping[str, Any], client: Client) -> None:
        if body.get("model") not in self.script.models:
            await client.json({"error": f"model '{body.get('model')}' not found"}, status=404)
            return
        shown = {
            "details": self._tag(str(body["model"]))["details"],
            "model_info": {
                "general.architecture": "scripted",
                "general.parameter_count": 1_000_000_000,
                "scripted.context_length": self.script.context_length,
            },
            "capabilities": list(self.script.capabilities),
            "parameters": self.script.parameters,
            "template": "{{ .Prompt }}",
        }
        await client.json(shown)

    # --- generating ------------------------------------------------------------------------------------------

    async def _measure(self, asked: Asked, client: Client) -> None:
        entry = now()
        body = asked.body
        model = str(body.get("model"))
        if model not in self.script.models:
            await client.json({"error": f"model '{model}' not found"}, status=404)
            return
        prompt = "\n".join(str(one.get("content", "")) for one in body.get("messages", ())) or body.get(
            "prompt", ""
        )
        if not prompt:
            await self._load_or_unload(body, model, client)
            return
        fault = self.script.faults.get(self._served)
        self._served += 1
        self.bodies.append(body)
        truth = Truth(entry)
        self.truth.append(truth)
        if fault is not None:
            await FAULTS[fault](client)
            return
        await self._load(model, body)
        await self._generate(body, str(prompt), client, truth, loaded=now())

    async def _load_or_unload(self, body: Mapping[str, Any], model: str, client: Client) -> None:
        if body.get("keep_alive") == 0:
            self.resident.pop(model, None)
            reason = "unload"
        else:
            await self._load(model, body)
            reason = "load"
        await client.json({"model": model, "response": "", "done": True, "done_reason": reason})

    async def _load(self, model: str, body: Mapping[str, Any]) -> None:
        context = min(int(body.get("options", {}).get("num_ctx", 4096)), self.script.context_length)
        async with self._loading:
            if self.resident.get(model) != context:
                self._seen.clear()
                await sleep_until(now() + self.script.load_ns)
                self.resident[model] = context

    async def _generate(
        self, body: Mapping[str, Any], prompt: str, client: Client, truth: Truth, *, loaded: int
    ) -> None:
        count = len(prompt.split()) + TEMPLATE_TOKENS
        cached = count - 1 if prompt in self._seen else 0
        tokens = int(body.get("options", {}).get("num_predict", 16))
        chat = "messages" in body
        async with self._slots:
            start = now()
            first = start + (count - cached) * self.script.prefill_ns_per_token
            if body.get("stream", True):
                await client.begin()
            for number in range(tokens):
                await sleep_until(first + number * self.script.itl_ns)
                truth.sends_ns.append(now())
                if body.get("stream", True):
                    await client.line(_piece(body, "tok ", chat=chat, done=False))
            ended = now()
        self._seen.add(prompt)
        final = _piece(body, "" if body.get("stream", True) else "tok " * tokens, chat=chat, done=True) | {
            "done_reason": "length",
            "total_duration": ended - truth.read_ns,
            "load_duration": loaded - truth.read_ns,
            "prompt_eval_count": count,
            "prompt_eval_duration": first - start,
            "eval_count": tokens,
            "eval_duration": ended - first,
        }
        if self.script.tells_cached:
            final["prompt_eval_cached_count"] = cached
        if body.get("stream", True):
            await client.line(final)
            await client.end()
        else:
            await client.json(final)


def _piece(body: Mapping[str, Any], text: str, *, chat: bool, done: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
    return {"model": body.get("model"), "created_at": stamp(), "done": done} | said


async def _pull(client: Client) -> None:
    # As Ollama says it of a name that its registry has not: inside a 200.
    await client.begin()
    await client.line({"status": "pulling manifest"})
    await client.line({"error": "pull model manifest: file does not exist"})
    await client.end()


# --- a server in a process of its own -----------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the script as long as the parent lives; the URL goes to standard output as one line of JSON."""
    parser = argparse.ArgumentParser(prog="olbench.engines.scripted")
    parser.add_argument(
        "script", nargs="?", default="{}", help='a Script as JSON: {"faults": {"2": "stall"}}'
    )
    given = parser.parse_args(argv)
    try:
        script = _script(json.loads(given.script))
    except (ValueError, TypeError, AttributeError) as fault:
        parser.error(f"the script cannot be used: {fault}")
    lifeline.watch(lambda: os._exit(0))
    asyncio.run(_forever(script))
    return 0


def _script(fields: Mapping[str, Any]) -> Script:
    faults = {int(number): str(name) for number, name in fields.get("faults", {}).items()}
    if unknown := set(faults.values()) - set(FAULTS):
        raise ValueError(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    lists = {key: tuple(fields[key]) for key in ("models", "capabilities") if key in fields}
    return replace(Script(), **{**fields, **lists, "faults": faults})


async def _forever(script: Script) -> None:
    async with Scripted(script) as server:
        sys.stdout.write(json.dumps({"url": server.url, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
