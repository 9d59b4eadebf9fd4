"""Ollama's API over llama.cpp: the server that `engine = "embedded"` starts.

As in Ollama since 0.30, a model is loaded by one child process that serves llama.cpp's own API; a prompt is put into
the model's template by the child's /apply-template, answered by its /completion, and the final line's counts and
durations are the child's own timings. What is asked wrongly is refused as Ollama refuses it.

What differs from Ollama, so that nobody takes it for one:
- it computes on the CPU alone: size_vram is 0; num_gpu, main_gpu, use_mmap and draft_num_predict change nothing;
- a prompt longer than the context is refused (400) whatever `truncate` says;
- /api/generate gives no `context`; a request with `context`, `template`, `suffix`, `images`, `tools` or `logprobs` is
  refused (400); no model counts as one that can think: what it thinks stays in its text;
- there is no create, copy, delete, push or embed, and no /v1 endpoint; pull knows the models of `ladder.py` alone;
- a model is a GGUF file without a Modelfile: no parameters, no system prompt; the template is the file's own Jinja,
  the digest is the file's; `size` in /api/ps is the file and all keys and values, without buffers for computing;
- /api/show lists no tensors, and never the vocabulary;
- an automatic num_batch is 512 whatever the context;
- nothing is cached in host memory beyond the slots; a load is noticed at once, not every 250 ms; when a client goes away
  while its prompt is evaluated, the batch in hand (num_batch) is still computed to its end;
- settings come from the command line, not from OLLAMA_* variables.
"""

import argparse
import asyncio
import functools
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from olbench.engines import answer, described, lifeline, pull
from olbench.engines.answer import CHAT, GENERATE, House, found
from olbench.engines.asked import RefusalError, checked
from olbench.engines.cache import folder
from olbench.engines.runner import Settings
from olbench.engines.runners import Runners
from olbench.engines.shelf import TINY, Shelf
from olbench.errors import EngineError

_LARGEST_REQUEST = 64 * 2**20
_IDLE_S = 3600  # an idle connection is the client's to close
_PARTING_S = 0.2  # for requests in flight when the server is told to end
_PATIENCE_S = 5  # from the parent's end to ours, whatever hangs


@dataclass(frozen=True, slots=True)
class Place:
    """Where the front listens and where its models are."""

    host: str
    port: int
    cache: Path
    models: Path | None


async def serve(place: Place, settings: Settings, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Serve until `stop`; `ready` gets the URL. Raises EngineError when that cannot be."""
    await _write_tiny(place.cache)
    async with _house(place, settings) as house:
        runner = web.AppRunner(
            _app(house, place.cache),
            access_log=None,
            handler_cancellation=True,  # a client that goes away frees its slot
            keepalive_timeout=_IDLE_S,
            shutdown_timeout=_PARTING_S,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, place.host, place.port).start()
            ready(_url(place.host, runner.addresses[0][1]))
            await stop.wait()
        except OSError as fault:
            raise EngineError(f"cannot listen on {place.host}:{place.port}: {fault.strerror}") from fault
        finally:
            await house.runners.close()
            await runner.cleanup()


@asynccontextmanager
async def _house(place: Place, settings: Settings) -> AsyncIterator[House]:
    # A connection that the child has dropped for idleness is found out only when a request is lost on it; and one
    # that is kept holds a thread of the child. A new one costs a quarter of a millisecond.
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        runners = Runners(settings, session)
        yield House(Shelf(place.cache, place.models), runners, settings.parallel, settings.threads)


def _app(house: House, cache: Path) -> web.Application:
    """The routes. A GET answers HEAD too."""
    app = web.Application(middlewares=[_in_words], client_max_size=_LARGEST_REQUEST)
    app.add_routes(
        [
            web.get("/", _alive),
            web.get("/api/version", _version),
            web.get("/api/tags", functools.partial(_tags, house=house)),
            web.get("/api/ps", functools.partial(_ps, house=house)),
            web.post("/api/show", functools.partial(_show, house=house)),
            web.post("/api/pull", functools.partial(pull.respond, shelf=house.shelf, cache=cache)),
            web.post("/api/generate", functools.partial(answer.respond, endpoint=GENERATE, house=house)),
            web.post("/api/chat", functools.partial(answer.respond, endpoint=CHAT, house=house)),
        ]
    )
    return app


@web.middleware
async def _in_words(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every error as {"error": "..."}."""
    try:
        return await handler(request)
    except RefusalError as fault:
        return web.json_response({"error": str(fault)}, status=fault.status)
    except web.HTTPException as fault:
        said = f"{request.method} {request.path}: {fault.reason}"
        kept = {name: value for name, value in fault.headers.items() if name == "Allow"}
        return web.json_response({"error": said}, status=fault.status, headers=kept)


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="olbench's embedded engine is running")


async def _version(_: web.Request) -> web.Response:
    return web.json_response({"version": f"0.0.0-embedded+xllamacpp-{version('xllamacpp')}"})


async def _tags(_: web.Request, house: House) -> web.Response:
    def rows() -> list[dict[str, Any]]:
        return [described.tag(model, house.shelf.digest(model)) for model in house.shelf.models()]

    return web.json_response({"models": await asyncio.to_thread(rows)})


async def _show(request: web.Request, house: House) -> web.Response:
    fields = checked(await request.read(), {"model": (str,), "name": (str,), "verbose": (bool,)})
    model = found(house.shelf, fields.get("model") or fields.get("name", ""))
    return web.json_response(described.show(model, verbose=fields.get("verbose", False)))


async def _ps(_: web.Request, house: House) -> web.Response:
    rows = []
    for resident in house.runners.resident():
        model, num_ctx = resident.model, resident.runner.load.num_ctx
        row = described.tag(model, await asyncio.to_thread(house.shelf.digest, model))
        rows.append(
            {key: row[key] for key in ("name", "model", "digest", "details")}
            | {"size": described.resident_bytes(model, num_ctx, house.parallel), "size_vram": 0}
            | {"context_length": num_ctx, "expires_at": resident.expires_at}
        )
    return web.json_response({"models": rows})


async def _write_tiny(cache: Path) -> None:
    """Make the models of random weights, once; in a process, as the library for it would stay in our memory."""
    if all((cache / name).is_file() for name in TINY.values()):
        return
    process = await asyncio.create_subprocess_exec(
        *lifeline.command("olbench.engines.tiny", str(cache)),
        env=lifeline.environment(),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode != 0:
        raise EngineError(f"{cache} cannot be written to: {said.decode(errors='replace').strip()}")


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(place: Place, parallel: int, threads: int, log: Path | None) -> None:
    """Serve until ^C; the URL goes to standard output."""

    async def forever() -> None:
        await serve(
            place, Settings(parallel, threads, log), asyncio.Event(), functools.partial(print, flush=True)
        )

    with suppress(KeyboardInterrupt):
        asyncio.run(forever())


def main(argv: Sequence[str] | None = None) -> int:
    """Serve as long as the parent lives; the URL goes to standard output as one line of JSON."""
    parser = argparse.ArgumentParser(prog="olbench.engines.front")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--cache", type=Path, default=folder())
    given = parser.parse_args(argv)
    place = Place(given.host, given.port, given.cache, given.models)
    try:
        asyncio.run(_with_parent(place, Settings(given.parallel, given.threads, given.log)))
    except EngineError as fault:
        sys.stderr.write(f"{fault}\n")
        return fault.code
    return 0


async def _with_parent(place: Place, settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)
        threading.Event().wait(_PATIENCE_S)
        os._exit(1)

    lifeline.watch(end)
    await serve(place, settings, stop, _say)


def _say(url: str) -> None:
    sys.stdout.write(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
