"""`ScriptedProcess`: the scripted server in a process of its own, so that it cannot disturb what measures it."""

import asyncio
import json
import os
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException
from typing import IO
from urllib.parse import urlsplit

from olbench.engines import lifeline
from olbench.engines.scripted_script import VERSION, Script, Truth
from olbench.errors import EngineError, ServerError
from olbench.model import Fact

_START_TIMEOUT_S = 20
_STOP_TIMEOUT_S = 1
_TRUTH_TIMEOUT_S = 20


class ScriptedProcess:
    """A scripted server that ends with us."""

    def __init__(self, script: Script, *, cpu: int | None = None) -> None:
        """Nothing runs before `start`; `cpu` is the only one that it may use, where the system can do that."""
        self.script = script
        self._cpu = cpu
        self._url = ""
        self._process: Process | None = None
        self._stderr: IO[bytes] | None = None

    async def start(self) -> str:
        """Start it; the URL to talk to. Raises EngineError."""
        await self.stop()
        # A file and not a pipe: nobody has to read along while something is measured.
        self._stderr = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - it lives as long as the process
        command = lifeline.command("olbench.engines.scripted", json.dumps(asdict(self.script)))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=self._stderr, env=lifeline.environment()
            )
            async with asyncio.timeout(_START_TIMEOUT_S):
                line = await self._process.stdout.readline() if self._process.stdout else b""
            if self._cpu is not None and line and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(self._process.pid, {self._cpu})
        except (TimeoutError, OSError) as fault:
            await self._stopped()
            raise EngineError(f"the scripted engine did not start: {fault}") from fault
        except BaseException:
            await self._stopped()
            raise
        if not line:
            raise EngineError(
                f"the scripted engine did not start: {await self._stopped() or 'it said nothing'}"
            )
        self._url = str(json.loads(line)["url"])
        return self._url

    async def stop(self) -> None:
        """Stop it. May be called twice."""
        await self._stopped()

    def facts(self) -> Mapping[str, Fact]:
        """What is known of it."""
        return {"engine.name": "scripted", "engine.version": VERSION}

    async def truth(self) -> list[Truth]:
        """What it did since it was last asked, one entry per measuring request, in the order of arrival.

        Raises ServerError.
        """
        # In a thread: http.client waits, and it imports faster than what we measure with.
        return await asyncio.to_thread(self._take_truth)

    def _take_truth(self) -> list[Truth]:
        token = self.script.token
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection = HTTPConnection(urlsplit(self._url).netloc, timeout=_TRUTH_TIMEOUT_S)
        try:
            connection.request("DELETE", "/truth", headers=headers)
            told = json.load(connection.getresponse())
        except (OSError, HTTPException, ValueError) as fault:
            raise ServerError(f"the scripted engine does not tell what it did: {fault}") from fault
        finally:
            connection.close()
        return [Truth(**one) for one in told["requests"]]

    async def _stopped(self) -> str:
        """End the process; the last words of its standard error."""
        process, stderr = self._process, self._stderr
        self._process = self._stderr = None
        if process is None or stderr is None:
            if stderr is not None:
                stderr.close()  # it never came to a process
            return ""
        return await lifeline.ended(process, stderr, _STOP_TIMEOUT_S)
