"""The front's view of a child process: start it, ask it, read its stream, end it."""

import asyncio
import json
import os
import re
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

import aiohttp

from olbench.engines import lifeline
from olbench.engines.asked import Load, RefusalError
from olbench.engines.shelf import Model

_LOAD_TIMEOUT_S = 300  # beside forty compilers a load of half a second took fifteen
_MOURNING_S = 2  # between a broken connection and the news of the process's end
_QUIET, _TIMED = 2, 3  # llama.cpp's verbosity: warnings and errors; also the timings of each request
_ERROR = re.compile(r"^[\d.]+ E +(.*)$", re.MULTILINE)
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for all runners of a server."""

    parallel: int
    threads: int
    log: Path | None  # the folder for llama.cpp's own logs


@dataclass(frozen=True, slots=True)
class Runner:
    """A child that has loaded its model."""

    load: Load
    process: Process
    slots: asyncio.Semaphore  # first come, first served
    url: str
    session: aiohttp.ClientSession
    log: IO[bytes]

    @property
    def alive(self) -> bool:
        """Whether the process runs, as far as is known."""
        return self.process.returncode is None

    def kill(self) -> None:
        """End the process; a model in memory has nothing to lose."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def templated(self, turns: Sequence[Mapping[str, Any]]) -> str:
        """The conversation as the prompt that the model's own template makes of it."""
        async with self._asked("/apply-template", {"messages": turns}) as response:
            return str((await response.json())["prompt"])

    async def pieces(self, body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        """The events of a completion as they come; the last one has `stop` set, and `timings`."""
        async with self._asked("/completion", body) as response:
            rest = b""
            async for block in response.content.iter_any():
                *events, rest = (rest + block).split(b"\n\n")
                for event in events:
                    name, _, data = event.partition(b": ")
                    if name == b"error" or data.startswith(b'{"error"'):
                        raise RefusalError(500, _message(data))
                    if name == b"data":
                        yield json.loads(data)

    @asynccontextmanager
    async def _asked(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self.session.post(self.url + path, json=body) as response:
                if response.status != 200:
                    raise RefusalError(response.status, _message(await response.read()))
                yield response
        except aiohttp.ClientError as fault:
            raise RefusalError(500, await self._end(str(fault))) from fault

    async def _end(self, otherwise: str) -> str:
        """Why the process does not answer any more."""
        try:
            async with asyncio.timeout(_MOURNING_S):
                await self.process.wait()
        except TimeoutError:
            return f"llama runner does not answer: {otherwise}"
        return _words(self.process, self.log)


async def start(model: Model, load: Load, settings: Settings, session: aiohttp.ClientSession) -> Runner:
    """Load a model in a new child. RefusalError has llama.cpp's words when it cannot be loaded."""
    log = _log(settings.log, {"model": model.name, "parallel": settings.parallel, **asdict(load)})
    process = await asyncio.create_subprocess_exec(
        *_command(model, load, settings), stdin=PIPE, stdout=PIPE, stderr=log, env=lifeline.environment()
    )
    try:
        async with asyncio.timeout(_LOAD_TIMEOUT_S):
            url = await _url(process, log)
    except BaseException as fault:  # cancelled too: who asked for it is gone
        with suppress(ProcessLookupError):
            process.kill()
        log.close()
        if isinstance(fault, TimeoutError):
            raise RefusalError(500, "timed out waiting for llama runner to start") from fault
        raise
    return Runner(load, process, asyncio.Semaphore(settings.parallel), url, session, log)


async def _url(process: Process, log: IO[bytes]) -> str:
    """Where the child serves, once it has loaded."""
    assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
    line = await process.stdout.readline()
    if not line:
        await process.wait()
        raise RefusalError(500, _words(process, log))
    return str(json.loads(line)["url"])


def _command(model: Model, load: Load, settings: Settings) -> list[str]:
    arguments = {
        "--model": model.path,
        "-c": load.num_ctx * settings.parallel,
        "-np": settings.parallel,
        "-b": load.num_batch,
        "-t": load.num_thread,
        "--verbosity": _QUIET if settings.log is None else _TIMED,
    }
    flat = [str(word) for pair in arguments.items() for word in pair]
    return lifeline.command("olbench.engines.child", *flat, *(["--context-shift"] if load.shift else []))


def _log(folder: Path | None, about: Mapping[str, object]) -> IO[bytes]:
    """A file for a child's standard error, its first line says whose; a nameless one where no logs are wanted."""
    if folder is None:
        return tempfile.TemporaryFile("a+b")
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / f"runner-{os.getpid()}-{next(_NUMBERS):03d}.log").open("a+b")
    log.write(f"# {json.dumps(about)}\n".encode())
    log.flush()
    return log


def _words(process: Process, log: IO[bytes]) -> str:
    """How a child ended, with llama.cpp's own words where it had any."""
    log.seek(0)
    said = log.read().decode("utf-8", "replace")
    code = process.returncode or 0
    if code < 0:
        return f"llama runner process has terminated: signal {-code}"
    errors = list(dict.fromkeys(_ERROR.findall(said)))[:2] or said.strip().splitlines()[-1:]
    return f"llama runner process has terminated: {'; '.join(errors) or f'exit status {code}'}"


def _message(body: bytes) -> str:
    """The sentence in an error of llama.cpp's server: {"error": {"message": ...}} or {"message": ...}."""
    try:
        said = json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
    error = said.get("error", said) if isinstance(said, dict) else said
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
