"""The machine under the benchmark: what it is, and what else ran on it meanwhile."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import figures

STAT, CPUINFO = Path("/proc/stat"), Path("/proc/cpuinfo")
LIBRARIES = ("olbench", "httpx", "aiohttp", "httptools", "msgspec")
BUSY_LOAD = 0.5  # load average before the start
BUSY_CORES = 0.05  # cores that others used during the runs


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds so far: of all, of the host that runs this machine as a guest, and of ourselves."""

    at_s: float
    used_s: float
    stolen_s: float
    own_s: float


def reading(server_s: float) -> Reading | None:
    """Now; `server_s` is what the servers that still run have used. None where the system does not say.

    Interrupts are left out: nobody knows whose they are.
    """
    if not STAT.exists():
        return None
    fields = STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, stolen = (int(fields[at]) / os.sysconf("SC_CLK_TCK") for at in (0, 1, 2, 7))
    own = sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in OURS)
    return Reading(time.monotonic(), user + nice + system, stolen, own + server_s)


OURS = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def others(before: Reading | None, after: Reading | None) -> float | None:
    """Cores that others used between two readings, what the host took away included; None: unknown."""
    if before is None or after is None or after.at_s <= before.at_s:
        return None
    used = after.used_s - before.used_s + after.stolen_s - before.stolen_s
    return max(0.0, (used - (after.own_s - before.own_s)) / (after.at_s - before.at_s))


def facts() -> list[str]:
    """Lines that say on what the figures were taken."""
    libraries = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    return [
        f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, {libraries}",
    ]


def wakes(core: int | None) -> list[int]:
    """How late, in ascending nanoseconds, a process on that core was woken that only slept; [] where none could run."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("sleeper.py")),
        *([] if core is None else [str(core)]),
    ]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    late: list[int] = json.loads(done.stdout) if done.returncode == 0 else []
    return late


def woken(rounds: list[tuple[list[int], list[int]]]) -> str:
    """A line on both cores: the floor under every figure that needs a process to wake up. Medians of the rounds."""
    parts = [
        f"{name} {_middle(found, 0.5):.0f} / {_middle(found, 0.99):,.0f} us"
        for name, found in (
            ("the client's core", [one for one, _ in rounds if one]),
            ("the server's", [one for _, one in rounds if one]),
        )
        if found
    ]
    return f"a process that only sleeps is woken late by (p50 / p99): {', '.join(parts) or 'unknown'}"


def _middle(rounds: list[list[int]], p: float) -> float:
    return median(figures.quantile(late, p) / 1e3 for late in rounds)


def load_before() -> float | None:
    """The load average of the last minute; None where there is none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def doubts(load: float | None, shares: list[float]) -> list[str]:
    """What speaks against the figures."""
    found: list[str] = []
    if load is not None and load > BUSY_LOAD:
        found.append(f"the machine was busy before the start: load average {load:.2f}")
    loud = [one for one in shares if one > BUSY_CORES]
    if loud:
        found.append(
            f"others computed in {len(loud)} of {len(shares)} runs, at most on {max(loud):.2f} cores:"
            " take the figures again on a quiet machine"
        )
    return found


def _cpu() -> str:
    if CPUINFO.exists():
        for line in CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
