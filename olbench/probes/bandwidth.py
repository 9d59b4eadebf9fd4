"""How many bytes a second this machine's memory gives: measured with numpy, all threads in step.

Two kernels run over arrays that no cache holds: `add` (a = b + c, the third kernel of STREAM: McCalpin, "Memory
Bandwidth and Machine Balance in Current High Performance Computers", IEEE TCCA, 1995; like its triad it reads two
arrays and writes one, and numpy does it in one pass) and `read` (the largest of b), which is what decoding does: weights
are read and nothing is written. As STREAM does, the best of several passes counts: others on the machine only ever
make it less. numpy lets go of the interpreter's lock within an array, so threads run side by side.
"""

import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from olbench import __version__
from olbench.clock import now, today
from olbench.model import Bandwidth, Fact, Facts
from olbench.probes.facts import machine

Numbers = NDArray[np.float64]
Kernel = Callable[[Numbers, Numbers, Numbers], object]

KERNELS: Mapping[str, tuple[Kernel, int]] = {  # name -> (what it does, bytes it moves for each element)
    "add": (lambda a, b, c: np.add(b, c, out=a), 24),
    "read": (lambda a, b, c: np.maximum.reduce(b), 8),  # noqa: ARG005 - one shape for all kernels
}
PASSES = 12
CACHE_TIMES = 4  # STREAM's own rule: each array at least four times all caches together
CACHE_GUESS = 32 * 2**20  # where the system does not tell its caches
LEAST, MOST = 64 * 2**20, 512 * 2**20  # bytes of an array
SHARE = 0.2  # of the memory that is free now, for the three arrays together
# Unified memory is the GPU's too, and a processor alone does not reach what it gives: Apple's own figures in B/s,
# of the largest variant that carries the name.
APPLE: Mapping[str, float] = {
    "Apple M1": 68.25e9,
    "Apple M1 Pro": 200e9,
    "Apple M1 Max": 400e9,
    "Apple M1 Ultra": 800e9,
    "Apple M2": 100e9,
    "Apple M2 Pro": 200e9,
    "Apple M2 Max": 400e9,
    "Apple M2 Ultra": 800e9,
    "Apple M3": 100e9,
    "Apple M3 Pro": 150e9,
    "Apple M3 Max": 400e9,
    "Apple M3 Ultra": 819e9,
    "Apple M4": 120e9,
    "Apple M4 Pro": 273e9,
    "Apple M4 Max": 546e9,
}


def measure(told: Callable[[str], None] = lambda _: None) -> Bandwidth:
    """Measure, in about two seconds. `told` hears of each step as it begins. OSError where memory is too short."""
    found = machine()
    usable = found.get("cpu.usable")
    size = _array_bytes(Path("/"), found.get("ram.limit"))
    best: dict[str, float] = dict.fromkeys(KERNELS, 0.0)
    threads = 1
    for count in _counts(usable if isinstance(usable, int) else 1):
        told(f"{count} threads" if count > 1 else "1 thread")
        for name, rate in _rates(count, size // 8):
            if rate > best[name]:
                best[name], threads = rate, count
    return Bandwidth(
        at=today(),
        olbench=__version__,
        machine=machine_of(),
        threads=threads,
        array=size,
        add=best["add"],
        read=best["read"],
    )


def machine_of() -> str:
    """Twelve hex digits that tell machines apart, and nothing of them."""
    found = machine()
    known = (platform.node(), found.get("cpu.model"), found.get("cpu.usable"), found.get("ram.total"))
    return sha256("\0".join(map(str, known)).encode()).hexdigest()[:12]


def facts(seen: Bandwidth, model: object) -> Facts:
    """What a run keeps of it; `model` is the processor's name."""
    way = f"measured {seen.at[:10]} on {seen.threads} thread{'s' if seen.threads > 1 else ''}, best of {PASSES} passes"
    vendor = APPLE.get(str(model))
    own: Facts = {"ram.bandwidth": max(seen.add, seen.read), "ram.bandwidth_by": way}
    return (
        own
        if vendor is None
        else own | {"unified.bandwidth": vendor, "unified.bandwidth_by": "vendor's table"}
    )


# --- measuring ------------------------------------------------------------------------------------------------


def _counts(usable: int) -> Sequence[int]:
    """Threads to try: memory is often full before all cores are."""
    return sorted({1, max(1, usable // 2), usable})


def _array_bytes(root: Path, limit: Fact) -> int:
    """Bytes of an array; `limit` is what a container may take, where it is a number."""
    wanted = min(MOST, max(LEAST, CACHE_TIMES * (_caches(root) or CACHE_GUESS)))
    free = psutil.virtual_memory().available
    room = int(min(free, limit if isinstance(limit, int) else free) * SHARE / 3)
    if room < LEAST // 4:
        raise OSError(f"{room * 3 >> 20} MiB of memory could be used; {3 * LEAST // 4 >> 20} MiB would do")
    return min(wanted, room)


def _caches(root: Path) -> int | None:
    """Bytes of the largest cache of a processor; None where the system does not tell."""
    found = (root / "sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    sizes = [_kibibytes(one) for one in found]
    return max((one for one in sizes if one is not None), default=None)


def _kibibytes(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return None
    scale = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:], 0)
    return int(text[:-1]) * scale if text[:-1].isdigit() and scale else None


def _rates(threads: int, elements: int) -> Iterator[tuple[str, float]]:
    """Each kernel's best rate in bytes a second."""
    part = elements // threads
    for name, (kernel, moved) in KERNELS.items():
        yield name, part * threads * moved / (_fastest(kernel, threads, part) / 1e9)


def _fastest(kernel: Kernel, threads: int, part: int) -> int:
    """Nanoseconds of the fastest pass, from the first thread's beginning to the last one's end."""
    gate = threading.Barrier(threads)
    spans: list[list[tuple[int, int]]] = [[] for _ in range(threads)]

    def work(number: int) -> None:
        try:
            # Each thread fills its own arrays: a page lies near the core that first wrote to it.
            a, b, c = np.zeros(part), np.full(part, 1.5), np.full(part, 2.5)
            for _ in range(PASSES):
                gate.wait()
                began = now()
                kernel(a, b, c)
                spans[number].append((began, now()))
        except BaseException:
            gate.abort()  # nobody is to wait for a thread that found no memory
            raise

    with ThreadPoolExecutor(threads) as crew:
        tasks = [crew.submit(work, number) for number in range(threads)]
    faults = [fault for one in tasks if (fault := one.exception()) is not None]
    for fault in faults:
        if not isinstance(fault, threading.BrokenBarrierError):
            raise fault
    return min(_width(one) for one in zip(*spans, strict=True))


def _width(spans: Sequence[tuple[int, int]]) -> int:
    return max(end for _, end in spans) - min(begin for begin, _ in spans)
