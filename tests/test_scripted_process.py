"""The scripted server in a process of its own: real sockets, real stamps, and no process left behind."""

import asyncio
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import psutil
import pytest

from olbench.apis.stamps import kernel_stamps
from olbench.clock import now
from olbench.engines import lifeline
from olbench.engines.scripted import Script, Scripted
from olbench.engines.scripted_process import ScriptedProcess
from olbench.errors import EngineError, ServerError
from olbench.ports import Engine

MS = 1_000_000
SCRIPT = Script(load_ns=0, ttft_ns=5 * MS, itl_ns=MS, token="of the house")


def post(url: str, prompt: str, **fields: Any) -> tuple[int, bytes]:
    """When the request was sent, and the whole answer."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        body = json.dumps({"model": "scripted:1b", "prompt": prompt, **fields})
        connection.connect()
        sent = now()
        connection.request("POST", "/api/generate", body, {"Authorization": "Bearer of the house"})
        return sent, connection.getresponse().read()
    finally:
        connection.close()


def play(story: Callable[[ScriptedProcess], Coroutine[Any, Any, Any]], script: Script = SCRIPT) -> Any:
    async def run() -> Any:
        server = ScriptedProcess(script)
        try:
            return await story(server)
        finally:
            await server.stop()

    return asyncio.run(run())


def test_it_tells_what_it_did_once() -> None:
    async def story(server: ScriptedProcess) -> None:
        fits: Engine = server
        url = await fits.start()
        assert server.facts()["engine.name"] == "scripted"
        sent, said = await asyncio.to_thread(post, url, "three small words", options={"num_predict": 4})
        (truth,) = await server.truth()
        assert said.count(b"\n") == 5
        assert truth.prompt_tokens == 3 + 5
        assert truth.stamps == ("kernel" if kernel_stamps() else "user-space")
        # One clock for both sides; 20 us are what its conversion from the kernel's may be off. Nothing is sent early.
        assert sent - 20_000 <= truth.read_ns
        for number, send in enumerate(truth.sends_ns):
            assert send >= truth.read_ns + (5 + number) * MS - 20_000
        assert len(truth.sends_ns) == 4
        assert await server.truth() == []

    play(story)


def test_it_is_gone_soon_after_it_was_stopped_and_may_be_stopped_twice() -> None:
    async def story(server: ScriptedProcess) -> None:
        await server.start()
        (child,) = psutil.Process().children()
        began = now()
        await server.stop()
        await server.stop()
        assert now() - began < 2_000 * MS
        assert not child.is_running()
        with pytest.raises(ServerError, match="does not tell what it did"):
            await server.truth()
        assert await server.start() == server._url  # and may be started anew

    play(story)


def test_a_script_that_cannot_be_played_is_told_in_its_own_words() -> None:
    async def story(server: ScriptedProcess) -> None:
        with pytest.raises(EngineError, match=r"did not start: .*there is no fault nix"):
            await server.start()

    play(story, Script(faults={0: "nix"}))


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="only Linux can bind a process to a processor"
)
def test_it_can_be_bound_to_one_processor() -> None:
    async def story() -> None:
        cpu = min(os.sched_getaffinity(0))
        server = ScriptedProcess(SCRIPT, cpu=cpu)
        try:
            await server.start()
            assert psutil.Process().children()[0].cpu_affinity() == [cpu]
        finally:
            await server.stop()
        with pytest.raises(EngineError, match="did not start"):
            await ScriptedProcess(SCRIPT, cpu=4095).start()
        assert psutil.Process().children() == []

    asyncio.run(story())


PARENT = """
import asyncio
from olbench.engines.scripted_process import ScriptedProcess
from olbench.engines.scripted_script import Script

async def main():
    await ScriptedProcess(Script()).start()
    print("started", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_kill_9_of_the_parent_leaves_no_process() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], env=lifeline.environment(), stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) == 1
        parent.kill()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_it_loads_nothing_heavy() -> None:
    code = "import olbench.engines.scripted, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=lifeline.environment(), capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "httpx", "httptools", "msgspec", "psutil", "aiohttp", "olbench.apis.transport"}
    assert not heavy & set(done.stdout.split())


def test_a_loop_that_cannot_watch_sockets_is_told() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()

        def refuse(*_: object) -> None:
            raise NotImplementedError

        loop.add_reader = refuse  # type: ignore[method-assign,assignment]  # as the loop is that Windows gives
        with pytest.raises(EngineError, match="an event loop that can watch sockets"):
            await Scripted(SCRIPT).start()
        del loop.add_reader

    asyncio.run(story())
