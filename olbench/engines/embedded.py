"""`engine = "embedded"`: real inference on a machine that has no Ollama, started and stopped by olbench."""

import asyncio
import importlib.metadata
import importlib.util
import json
import os
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from olbench.engines import lifeline
from olbench.engines.cache import folder
from olbench.errors import EngineError
from olbench.model import Fact

_NEEDED = ("xllamacpp", "aiohttp", "gguf")
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 10
_NEWS_S = 0.05  # for the word of a process's end, which may be on its way


class Embedded:
    """The front in a process of its own; it ends with us, and with it all that it has loaded."""

    def __init__(
        self,
        *,
        port: int = 0,
        parallel: int = 2,
        threads: int | None = None,
        models_dir: Path | None = None,
        log_dir: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        """Port 0 is a free one; `threads` are one less than the cores unless told; logs are llama.cpp's own."""
        self._port = port
        self._parallel = parallel
        self._threads = usual_threads() if threads is None else threads
        self._models = models_dir
        self._log = log_dir
        self._cache = folder() if cache is None else cache
        self._url = ""
        self._process: Process | None = None
        self._stderr: IO[bytes] | None = None

    async def start(self) -> str:
        """Start it unless it runs; the URL to talk to, which is the same when it had died. Raises EngineError."""
        if await self._runs():
            return self._url
        await self._stopped()
        need_extra()
        # A file and not a pipe: nobody has to read along while something is measured.
        self._stderr = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - it lives as long as the process
        self._process = await asyncio.create_subprocess_exec(
            *self._command(), stdin=PIPE, stdout=PIPE, stderr=self._stderr, env=lifeline.environment()
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                line = await self._process.stdout.readline() if self._process.stdout else b""
        except TimeoutError:
            line = b""
        if not line:
            said = await self._stopped()
            raise EngineError(f"the embedded engine did not start: {said or 'it said nothing'}")
        self._url = str(json.loads(line)["url"])
        self._port = int(self._url.rpartition(":")[2])
        return self._url

    async def stop(self) -> None:
        """Stop it and everything that it started. May be called twice."""
        await self._stopped()

    def facts(self) -> Mapping[str, Fact]:
        """What is known of it."""
        xllamacpp = importlib.metadata.version("xllamacpp")
        return {
            "engine.name": "embedded",
            "engine.version": f"xllamacpp {xllamacpp}",
            "engine.xllamacpp": xllamacpp,
            "engine.device": "cpu",
            "engine.threads": self._threads,
            "engine.parallel": self._parallel,
            "engine.log_dir": None if self._log is None else str(self._log),
        }

    def _command(self) -> list[str]:
        arguments = {
            "--port": self._port,
            "--parallel": self._parallel,
            "--threads": self._threads,
            "--cache": self._cache.absolute(),
            "--models": self._models and self._models.absolute(),
            "--log": self._log and self._log.absolute(),
        }
        flat = [str(word) for pair in arguments.items() if pair[1] is not None for word in pair]
        return lifeline.command("olbench.engines.front", *flat)

    async def _runs(self) -> bool:
        if self._process is None:
            return False
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _NEWS_S)
        return self._process.returncode is None

    async def _stopped(self) -> str:
        """End the process; the last words of its standard error."""
        process, stderr = self._process, self._stderr
        self._process = self._stderr = None
        if process is None or stderr is None:
            return ""
        return await lifeline.ended(process, stderr, _STOP_TIMEOUT_S)


def usual_threads() -> int:
    """One thread less than this process may use cores: llama.cpp's threads wait for each other by spinning."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    return max(1, cores - 1)


def need_extra() -> None:
    """Raise EngineError when the extra is not installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(
            f"engine = \"embedded\" needs the extra: pip install 'olbench[embedded]' (not there: {', '.join(missing)})"
        )


def serve(
    *,
    host: str,
    port: int,
    parallel: int,
    threads: int | None,
    models_dir: Path | None,
    log_dir: Path | None,
) -> int:
    """Serve in the foreground until ^C; the exit code."""
    need_extra()
    from olbench.engines import front  # noqa: PLC0415 - it can only be imported where the extra is installed

    place = front.Place(host, port, folder().absolute(), models_dir and models_dir.absolute())
    front.run(place, parallel, usual_threads() if threads is None else threads, log_dir)
    return 0
