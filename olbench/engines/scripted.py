"""A pretend Ollama with a set rhythm and set faults: what tests and the self-test measure against.

It speaks Ollama's API and OpenAI's on sockets of its own and waits instead of computing, so what a client should see
is known: the truth of each request is kept, and told at /truth. Faults are given per measuring request, in the order
of arrival. Its tokens leave when they are due as exactly as the event loop wakes: within microseconds in a process
of its own (`python -m olbench.engines.scripted`), to the next millisecond in somebody else's loop.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Self

from olbench.apis.stamps import SO_TIMESTAMPNS, kernel_stamps
from olbench.clock import now, sleep_until
from olbench.engines import lifeline
from olbench.engines import scripted_http as http
from olbench.engines import scripted_lists as lists
from olbench.engines.scripted_asked import OLLAMA, OPENAI, Wanted, wanted
from olbench.engines.scripted_client import Client
from olbench.engines.scripted_faults import FAULTS
from olbench.engines.scripted_lies import Lies, Manner, manner
from olbench.engines.scripted_memory import Held, Memory
from olbench.engines.scripted_rhythm import Crowd, Rhythm, Speech, exact_loop
from olbench.engines.scripted_script import TEMPLATE_TOKENS, VERSION, Script, Truth
from olbench.engines.scripted_talk import TOKEN, Counts, Events, Ndjson, Talk
from olbench.errors import EngineError

__all__ = ["TEMPLATE_TOKENS", "VERSION", "Script", "Scripted", "Truth", "main"]

_BACKLOG = 4096  # connections that wait to be accepted: all of a burst


class Scripted:
    """A running scripted server. `async with Scripted(script) as server: server.url`."""

    def __init__(self, script: Script, *, port: int = 0, kernel: bool | None = None) -> None:
        """Nothing listens before `start`. `kernel` False stamps requests by `now()` alone; None takes what there is."""
        self.script = script
        self.truth: list[Truth] = []
        self.bodies: list[dict[str, Any]] = []  # measuring requests as they came
        self.url = ""
        self._port = port
        self._kernel = kernel
        self._listener: socket.socket | None = None
        self._served = 0
        self._memory = Memory(script)
        self._rhythm = Rhythm()
        self._crowd = Crowd(script.sharing)
        self._reading = asyncio.Lock()
        self._frozen = 0  # until then
        self._open: set[asyncio.Task[None]] = set()

    @property
    def resident(self) -> dict[str, int]:
        """The models in memory with their contexts."""
        return self._memory.contexts()

    async def start(self) -> str:
        """Listen on loopback; the URL. Raises EngineError."""
        if self._kernel is not False:
            self._kernel = kernel_stamps()
        listener = socket.create_server(("127.0.0.1", self._port), backlog=_BACKLOG)
        listener.setblocking(False)
        try:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        except NotImplementedError:  # as of the proactor loop on Windows
            listener.close()
            raise EngineError("the scripted engine needs an event loop that can watch sockets") from None
        self._listener = listener
        self._port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        return self.url

    async def stop(self) -> None:
        """Close the port and every connection, as a killed server does. May be called twice."""
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._memory.clear()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    # --- connections -----------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return  # it has gone again already
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._kernel:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.serve(sock)

    def serve(self, sock: socket.socket) -> None:
        """Serve one connection, however it was made."""
        client = Client(sock, kernel=bool(self._kernel))
        task = asyncio.get_running_loop().create_task(self._serve(client))
        client.when_lost = task.cancel
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        task.add_done_callback(lambda _: client.close())

    async def _serve(self, client: Client) -> None:
        # The client is gone, a fault closed the connection, or the server stops: each ends this connection alone.
        with suppress(ConnectionError, asyncio.CancelledError):
            try:
                while (asked := await client.request()) is not None:
                    await self._answer(asked, client)
                    if not asked.keep:
                        break
            except http.RefusedError as why:
                await client.refuse(why)

    async def _answer(self, asked: http.Asked, client: Client) -> None:
        script = self.script
        if script.token is not None and asked.authorization != f"Bearer {script.token}":
            await client.send(http.answer({"error": "unauthorized"}, status=401))
            return
        match asked.path:
            case "/api/version":
                told: dict[str, Any] = {"version": lists.version(script, self._served)}
            case "/api/tags":
                told = {"models": [lists.tag(script, name, self._served) for name in script.models]}
            case "/api/ps":
                told = {"models": [lists.row(script, *one, self._served) for one in self.resident.items()]}
            case "/v1/models":
                told = lists.openai(script)
            case "/served":  # not Ollama's: how many measuring requests have come, for whoever waits for one
                told = {"served": self._served}
            case "/truth":  # nor this
                told = self._told(asked.method)
            case "/api/show":
                await self._show(asked.body, client)
                return
            case "/api/pull":
                await lists.pull(client)
                return
            case path if path in OLLAMA or path in OPENAI:
                await self._measure(asked, client)
                return
            case _:
                await client.send(http.answer({"error": "no such path"}, status=404))
                return
        await client.send(http.answer(told))

    def _told(self, method: str) -> dict[str, Any]:
        told = {"requests": [asdict(one) for one in self.truth]}
        if method == "DELETE":
            self.truth.clear()
            self.bodies.clear()
        return told

    async def _show(self, body: Mapping[str, Any], client: Client) -> None:
        model = body.get("model")
        if model in self.script.models:
            await client.send(http.answer(lists.card(self.script, str(model))))
        else:
            await client.send(http.answer({"error": f"model '{model}' not found"}, status=404))

    # --- generating ------------------------------------------------------------------------------------------

    async def _measure(self, asked: http.Asked, client: Client) -> None:
        want = wanted(asked.path, asked.body)
        talk: Talk = Ndjson(want.model, chat=want.chat)
        if asked.path in OPENAI:
            talk = Events(want.model, self._served, chat=want.chat, usage=want.usage)
        if want.model not in self.script.models:
            await client.send(http.answer(talk.error(f"model '{want.model}' not found"), status=404))
            return
        if not want.prompt and asked.path in OLLAMA:
            await self._load_or_unload(want, client)
            return
        fault = self.script.faults.get(self._served)
        how = manner(self.script.lies, self.script.noise, self.script.seed, self._served)
        self._served += 1
        self.bodies.append(asked.body)
        truth = Truth(want.prompt_tokens, asked.read_ns, asked.stamps)
        self.truth.append(truth)
        if fault is not None:
            await FAULTS[fault](client, talk)
            return
        if how.freeze_ns:
            self._rhythm.hold(how.freeze_ns)
            self._frozen = now() + how.freeze_ns
        if how.reload:
            self._memory.forget(want.model)
        async with self._memory.lent(want.model, want.context) as held:
            await self._generate(want, client, talk, truth, how, held=held)

    async def _load_or_unload(self, want: Wanted, client: Client) -> None:
        if want.leave:
            self._memory.forget(want.model)
        else:
            async with self._memory.lent(want.model, want.context):
                pass
        reason = "unload" if want.leave else "load"
        said = {"model": want.model, "response": "", "done": True, "done_reason": reason}
        await client.send(http.answer(said))

    async def _generate(
        self, want: Wanted, client: Client, talk: Talk, truth: Truth, how: Manner, *, held: Held
    ) -> None:
        script, loaded = self.script, now()
        tokens = want.tokens if script.tokens is None else min(want.tokens, script.tokens)
        gap = round(script.itl_ns * how.pace * how.slower)
        async with held.slots:
            await sleep_until(max(now(), self._frozen) + how.queue_ns)
            cached = want.prompt_tokens - 1 if how.cached else held.cached(want.prompt)
            start = now()
            reading_ns = round((want.prompt_tokens - cached) * script.prefill_ns_per_token * how.pace)
            first = await self._read(reading_ns if script.ttft_ns is None else script.ttft_ns)
            if want.stream:
                crowd, sends, pause = self._crowd, truth.sends_ns, how.pause_ns
                speech = Speech(
                    client, talk.token, tokens, first=first, gap=gap, sends=sends, crowd=crowd, pause=pause
                )
                first = await speech.in_rhythm(self._rhythm)
            else:
                await self._rhythm.passing(first - now() + max(0, tokens - 1) * gap + how.pause_ns)
            ended = now()
            if script.final_ns:
                await sleep_until(ended + script.final_ns)
        held.keep(want.prompt, TOKEN * tokens)
        counts = Counts(
            prompt=want.prompt_tokens,
            cached=cached if script.tells_cached else None,
            tokens=tokens,
            reason="length" if tokens == want.tokens else "stop",
            total_ns=ended - truth.read_ns,
            load_ns=loaded - truth.read_ns,
            prompt_ns=first - start,
            eval_ns=round((ended - first) * how.told_eval),
        )
        if want.stream:
            await client.send(talk.last(counts))
        else:
            truth.sends_ns.append(await client.send(http.answer(talk.whole(counts))))

    async def _read(self, reading_ns: int) -> int:
        """When the first token of an answer is due whose prompt takes so long to be read from now on."""
        if not self.script.one_engine:
            return now() + reading_ns
        async with self._reading:
            self._rhythm.hold(reading_ns)
            await self._rhythm.passing(reading_ns)
            return now()


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
    _allow_many_connections()
    with asyncio.Runner(loop_factory=exact_loop) as runner:
        runner.run(_forever(script))
    return 0


def _allow_many_connections() -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - Windows has none, and no such limit

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _script(fields: Mapping[str, Any]) -> Script:
    faults = {int(number): str(name) for number, name in fields.get("faults", {}).items()}
    if unknown := set(faults.values()) - set(FAULTS):
        raise ValueError(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    texts = {key: tuple(fields[key]) for key in ("models", "capabilities") if key in fields}
    lies = Lies(**fields.get("lies", {}))
    return replace(Script(), **{**fields, **texts, "faults": faults, "lies": lies})


async def _forever(script: Script) -> None:
    async with Scripted(script) as server:
        sys.stdout.write(json.dumps({"url": server.url, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        gc.freeze()  # what is there now stays: a collection in mid-stream need not go through it
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
