"""What one process and the whole machine use: memory and CPU, by the cheapest way that the system has."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from olbench.probes.commands import PROC

_KIB = 1024
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
_READ = 65_536
_RESIDENT = re.compile(rb"VmRSS:\s+(\d+) kB\nRssAnon:\s+(\d+) kB\nRssFile:\s+(\d+) kB")
_AVAILABLE = re.compile(rb"MemAvailable:\s+(\d+) kB")
_SWAP = re.compile(rb"SwapTotal:\s+(\d+) kB\nSwapFree:\s+(\d+) kB")
_SWAPPED = re.compile(rb"\npswpin (\d+)\npswpout (\d+)")
_PSS = re.compile(rb"\nPss:\s+(\d+) kB")
_PRIVATE = re.compile(rb"\nPrivate_\w+:\s+(\d+) kB")
_WAITED = re.compile(rb"some .*total=(\d+)")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of a process; the split is None where the system does not tell it."""

    rss: float
    anon: float | None  # the program's own data
    file: float | None  # pages of files, which the system may drop; weights that are mapped are among them


@dataclass(frozen=True, slots=True)
class Private:
    """Bytes of a process without (`uss`) and with its part of (`pss`) what it shares with others."""

    uss: float
    pss: float | None  # None: the system does not tell it


@dataclass(frozen=True, slots=True)
class Ticks:
    """Totals of the machine since it was started, in seconds of CPU and in bytes; None: the system does not tell."""

    busy: float
    stolen: float | None  # what the host of a virtual machine gave to others
    swapped_in: float | None
    swapped_out: float | None


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the machine's memory at one moment; None: the system does not tell."""

    available: float | None
    swap_used: float | None


class Account(Protocol):
    """One process. Each method gives None when the process is gone."""

    def memory(self) -> Memory | None:
        """What it has in memory now."""
        ...

    def cpu(self) -> float | None:
        """Seconds of CPU since it began."""
        ...

    def private(self) -> Private | None:
        """What it does not share. Slow: the system walks all its pages. None also when it may not be asked."""
        ...

    def close(self) -> None:
        """Give handles back."""
        ...


class Machine(Protocol):
    """The whole machine."""

    def ticks(self) -> Ticks:
        """Totals, of which rates are made."""
        ...

    def space(self) -> Space:
        """Memory now."""
        ...

    def waited(self) -> float | None:
        """Seconds, since it was started, in which some task stood still for want of memory; None: not told."""
        ...

    def close(self) -> None:
        """Give handles back."""
        ...


def account(pid: int) -> Account | None:
    """The account of a process; None when it is gone."""
    try:
        return LinuxAccount(pid) if sys.platform == "linux" else PsutilAccount(pid)
    except (OSError, psutil.Error):
        return None


def machine() -> Machine:
    """The machine that olbench runs on."""
    return LinuxMachine() if sys.platform == "linux" else PsutilMachine()


class LinuxAccount:
    """A process by its files in /proc, which stay open.

    That is half the cost of opening them for each reading, and an open file never turns into the file of another
    process that was given the same number.
    """

    def __init__(self, pid: int, proc: Path = PROC) -> None:
        """Open the files; OSError when there is no such process."""
        self._pages = proc / str(pid) / "smaps_rollup"
        self._status = _open(proc / str(pid) / "status")
        try:
            self._stat = _open(proc / str(pid) / "stat")
        except OSError:
            os.close(self._status)
            raise

    def memory(self) -> Memory | None:
        """From VmRSS, RssAnon and RssFile; memory shared with other processes is in the first alone."""
        found = _RESIDENT.search(_again(self._status))
        return None if found is None else Memory(*(int(one) * _KIB for one in found.groups()))

    def cpu(self) -> float | None:
        """User and system time, in the kernel's ticks."""
        fields = _again(self._stat).rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK if len(fields) > 12 else None

    def private(self) -> Private | None:
        """From smaps_rollup, for which one must be the owner."""
        try:
            text = self._pages.read_bytes()
        except OSError:
            return None
        pss = _PSS.search(text)
        return Private(sum(map(int, _PRIVATE.findall(text))) * _KIB, _kib(pss, 1)) if pss else None

    def close(self) -> None:
        """Close the files."""
        os.close(self._status)
        os.close(self._stat)


class LinuxMachine:
    """The machine by its files in /proc."""

    def __init__(self, proc: Path = PROC) -> None:
        """Open the files."""
        self._stat, self._meminfo, self._vmstat = (
            _open(proc / name) for name in ("stat", "meminfo", "vmstat")
        )
        try:
            self._pressure: int | None = _open(proc / "pressure" / "memory")
        except OSError:  # a kernel may be built, or started, without it
            self._pressure = None

    def ticks(self) -> Ticks:
        """User, nice, system and interrupts are busy; idle, waiting for disks and stolen are not."""
        line = _again(self._stat).split(b"\n", 1)[0]
        user, nice, system, _, _, irq, softirq, stolen = (int(one) for one in line.split()[1:9])
        moved = _SWAPPED.search(_again(self._vmstat))
        pages = (None, None) if moved is None else (int(moved[1]) * _PAGE, int(moved[2]) * _PAGE)
        return Ticks((user + nice + system + irq + softirq) * _TICK, stolen * _TICK, *pages)

    def space(self) -> Space:
        """MemAvailable is the kernel's own estimate of what a new program could have."""
        text = _again(self._meminfo)
        swap = _SWAP.search(text)
        return Space(
            _kib(_AVAILABLE.search(text), 1), None if swap is None else (int(swap[1]) - int(swap[2])) * _KIB
        )

    def waited(self) -> float | None:
        """From the "some" line of the kernel's account of pressure."""
        try:
            found = None if self._pressure is None else _WAITED.search(_again(self._pressure))
        except OSError:  # the file is there, and the kernel was told not to count
            return None
        return None if found is None else int(found[1]) / 1e6

    def close(self) -> None:
        """Close the files."""
        for file in (self._stat, self._meminfo, self._vmstat, self._pressure):
            if file is not None:
                os.close(file)


class PsutilAccount:
    """A process where only psutil can tell."""

    def __init__(self, pid: int) -> None:
        """Take note of the process; psutil.Error when there is none."""
        self._process = psutil.Process(pid)

    def memory(self) -> Memory | None:
        """Resident bytes, without the split."""
        try:
            return Memory(self._process.memory_info().rss, None, None)
        except psutil.Error:
            return None

    def cpu(self) -> float | None:
        """User and system time."""
        try:
            times = self._process.cpu_times()
        except psutil.Error:
            return None
        return times.user + times.system

    def private(self) -> Private | None:
        """Unique bytes; None also where the system asks for rights that we do not have."""
        try:
            return Private(self._process.memory_full_info().uss, None)
        except psutil.Error:
            return None

    def close(self) -> None:
        """Nothing is held."""


class PsutilMachine:
    """The machine where only psutil can tell."""

    def ticks(self) -> Ticks:
        """All that is neither idle nor waiting nor stolen is busy."""
        times = psutil.cpu_times()._asdict()
        rest = ("idle", "iowait", "steal", "guest", "guest_nice")  # guests are counted as user time already
        swap = psutil.swap_memory()
        busy = sum(value for name, value in times.items() if name not in rest)
        return Ticks(busy, times.get("steal"), swap.sin, swap.sout)

    def space(self) -> Space:
        """What psutil holds to be available."""
        return Space(psutil.virtual_memory().available, psutil.swap_memory().used)

    def waited(self) -> float | None:
        """None: only Linux counts it."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY)


def _again(file: int) -> bytes:
    """The file as the kernel would write it now; b"" when what it was about is gone."""
    try:
        return os.pread(file, _READ, 0)
    except ProcessLookupError:
        return b""


def _kib(found: re.Match[bytes] | None, group: int) -> float | None:
    return None if found is None else int(found[group]) * _KIB
