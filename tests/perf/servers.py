"""The servers under which clients are measured: mockllm, compiled here, and olbench's own scripted engine."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import truths
from job import MODEL
from truths import Truth

from olbench.engines import lifeline

SOURCE = Path(__file__).with_name("mockllm.c")
PATIENCE_S = 20.0
SLOTS = 4096


class BenchError(Exception):
    """What keeps a part of the benchmark from being taken, in one sentence."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """From a request's last byte to its first token, and from token to token; 0 and 0: as fast as it can."""

    ttft_us: int
    itl_us: int


class Server(Protocol):
    """Serves one rhythm at a time and knows what it did."""

    def begin(self, rhythm: Rhythm) -> str:
        """Forget all, serve from now on in this rhythm; the URL."""
        ...

    def truths(self) -> list[Truth]:
        """All requests since `begin`."""
        ...

    def cpu_s(self) -> float | None:
        """CPU time of the server's process so far."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Mock:
    """mockllm: a process for the whole benchmark, set over its own paths."""

    def __init__(self, folder: Path, core: int | None, *, spin: bool = False) -> None:
        """Compile it into the folder and start it; `spin`: it never sleeps. Raises BenchError."""
        self._dump = folder / "truth.bin"
        port = _free_port()
        self._url = f"http://127.0.0.1:{port}"
        settings = {"port": port, "spin": int(spin), "honor": 1, "log": 2}
        flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self._process = _started([str(_compiled(folder)), *flags], core)
        _until_it_answers(self._url, self._process)

    def begin(self, rhythm: Rhythm) -> str:
        """Set it, and drop the truth of before."""
        _ask(f"{self._url}/_set?ttft_us={rhythm.ttft_us}&itl_us={rhythm.itl_us}&pack=1")
        self.truths()
        return self._url

    def truths(self) -> list[Truth]:
        """The dump, which empties the server's memory."""
        _ask(f"{self._url}/_dump?path={self._dump}")
        return truths.of_dump(self._dump.read_bytes())

    def cpu_s(self) -> float | None:
        """From /proc."""
        return _cpu_s(self._process.pid)

    def close(self) -> None:
        """End it."""
        _end(self._process)


class Scripted:
    """olbench's scripted engine: a process for each rhythm."""

    def __init__(self, core: int | None) -> None:
        """Nothing runs before `begin`."""
        self._core = core
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def begin(self, rhythm: Rhythm) -> str:
        """Start a new one."""
        self.close()
        script = {
            "models": [MODEL],
            "ttft_ns": rhythm.ttft_us * 1000,
            "itl_ns": rhythm.itl_us * 1000,
            "prefill_ns_per_token": 0,
            "load_ns": 0,
            "slots": SLOTS,
        }
        command = lifeline.command("olbench.engines.scripted", json.dumps(script))
        self._process = _started(command, self._core)
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise BenchError("the scripted engine did not start with " + json.dumps(script))
        self._url = str(json.loads(line)["url"])
        return self._url

    def truths(self) -> list[Truth]:
        """What it has logged."""
        return truths.of_json(_ask(f"{self._url}/truth"))

    def cpu_s(self) -> float | None:
        """From /proc; a new process begins at nothing."""
        return None if self._process is None else _cpu_s(self._process.pid)

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            _end(self._process)
            self._process = None


def cores() -> tuple[int | None, int | None]:
    """The client's core and the server's; None and None where processes cannot be pinned or there is but one."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    found = sorted(os.sched_getaffinity(0))
    return (found[0], found[1]) if len(found) > 1 else (None, None)


def start_hog(core: int | None) -> subprocess.Popen[bytes]:
    """A process that computes without end, until it is ended or we are."""
    return _started([sys.executable, str(Path(__file__).with_name("hog.py"))], core)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here."""
    _end(process)


def _compiled(folder: Path) -> Path:
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise BenchError("no C compiler is here: cc, gcc or clang would do")
    binary = folder / "mockllm"
    done = subprocess.run(
        [compiler, "-O2", "-w", "-o", str(binary), str(SOURCE)], capture_output=True, check=False, text=True
    )
    if done.returncode:
        first = next(iter(done.stderr.splitlines()), "no word of why")
        raise BenchError(f"mockllm.c, which is for Linux, does not compile here: {first}")
    return binary


def _started(command: Sequence[str], core: int | None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=lifeline.environment()
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})  # it has one thread yet; later ones inherit
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(BenchError):
            _ask(f"{url}/api/version")
            return
        time.sleep(0.02)
    raise BenchError(f"mockllm does not answer at {url}")


def _ask(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
            body: bytes = response.read()
            return body
    except OSError as fault:
        raise BenchError(f"{url}: {fault}") from fault


def _cpu_s(pid: int) -> float | None:
    stat = Path(f"/proc/{pid}/stat")
    try:
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
