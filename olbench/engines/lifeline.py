"""Processes that olbench starts from its own modules: how, and how they learn that their parent is gone."""

import asyncio
import os
import signal
import sys
import threading
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path
from typing import IO

import olbench


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of olbench in this interpreter.

    -P: a file in the user's folder that is called like one of Python's modules does no harm.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Our own environment, in which the module is found whether or not olbench is installed."""
    root = str(Path(olbench.__file__).parent.parent)
    rest = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{rest}" if rest else root}


async def ended(process: Process, stderr: IO[bytes], patience_s: float) -> str:
    """Let go of a process that watches its parent, and end it if that does not; its last words, `stderr` closed."""
    if process.stdin is not None:
        process.stdin.close()  # which it takes as the end of its parent
    try:
        async with asyncio.timeout(patience_s):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    with stderr:
        stderr.seek(0)
        return stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]


def watch(then: Callable[[], object]) -> None:
    """Call `then`, in a thread of its own, once nobody holds the other end of our standard input any more.

    That is so as soon as the parent has ended, by kill -9 too.
    """
    # ^C in a terminal reaches the whole group: it is for the parent to end us in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor = sys.stdin.fileno()
    threading.Thread(target=_until_end, args=(descriptor, then), daemon=True).start()


def _until_end(descriptor: int, then: Callable[[], object]) -> None:
    try:
        # Not sys.stdin.read(): a buffered reader's lock, held by a daemon thread, aborts the interpreter's exit.
        while os.read(descriptor, 1024):
            pass
    except OSError:
        pass
    then()
