"""NVIDIA GPUs as their driver tells: memory, load, power, heat, clocks and what holds them back."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import pynvml

from olbench import clock
from olbench.model import Fact
from olbench.probes.processes import Tree

NO_DRIVER = "no NVIDIA driver was found"
NO_GPU = "the NVIDIA driver lists no GPU"
NOT_SAID = "the driver does not say how much memory each process uses"
NONE_NAMED = "the driver names no process that uses this GPU"
OTHER_NUMBERS = "the driver numbers processes otherwise than this container does"
NOT_SAID_OF_OTHERS = "the driver does not say how much memory each of the other programs uses"
# The driver walks its clients to tell their memory; twice a second is enough for what moves with a load.
BY_PROCESS_EVERY = 500_000_000
PATIENCE = 2.0  # s; a driver whose GPU has failed may never answer, and then nobody else shall ask it
MHZ = 1e6

Values = dict[str, tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of the driver, and which of its functions this driver has."""

    name: str  # "gpu0"
    handle: Any
    memory_version: int | None  # None: the first, which counts what the driver keeps for itself as used
    reasons: str  # the function that tells why clocks are low


@dataclass(frozen=True, slots=True)
class Query:
    """One call of the driver: the series that it gives, and how to ask."""

    series: tuple[tuple[str, str], ...]  # name without the GPU, unit
    ask: Callable[[Any, Gpu], tuple[float, ...]]


def _used(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    return (float(_memory(nv, gpu.handle, gpu.memory_version).used),)


def _util(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    rates = nv.nvmlDeviceGetUtilizationRates(gpu.handle)
    return rates.gpu / 100, rates.memory / 100


def _power(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    return (nv.nvmlDeviceGetPowerUsage(gpu.handle) / 1000,)


def _temperature(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    return (float(nv.nvmlDeviceGetTemperature(gpu.handle, nv.NVML_TEMPERATURE_GPU)),)


def _sm_clock(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    return (nv.nvmlDeviceGetClockInfo(gpu.handle, nv.NVML_CLOCK_SM) * MHZ,)


def _mem_clock(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    return (nv.nvmlDeviceGetClockInfo(gpu.handle, nv.NVML_CLOCK_MEM) * MHZ,)


def _throttle(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    return (float(getattr(nv, gpu.reasons)(gpu.handle)),)


def _power_limit(nv: Any, gpu: Gpu) -> tuple[float, ...]:
    return (nv.nvmlDeviceGetEnforcedPowerLimit(gpu.handle) / 1000,)


QUERIES = (
    Query((("used", "B"),), _used),
    Query((("util", "share"), ("mem_util", "share")), _util),
    Query((("power", "W"),), _power),
    Query((("temperature", "°C"),), _temperature),
    Query((("sm_clock", "Hz"),), _sm_clock),
    Query((("mem_clock", "Hz"),), _mem_clock),
    Query((("throttle", "count"),), _throttle),
)


def _bandwidth(nv: Any, gpu: Gpu) -> float:
    """Bytes a second of the card's memory: two transfers a clock, over its whole bus; 936 GB/s of an RTX 3090."""
    clock_hz = nv.nvmlDeviceGetMaxClockInfo(gpu.handle, nv.NVML_CLOCK_MEM) * MHZ
    return float(2 * clock_hz * nv.nvmlDeviceGetMemoryBusWidth(gpu.handle) / 8)


# What hardly ever changes, read as seldom as the memory by process.
SELDOM = (Query((("power_limit", "W"),), _power_limit),)
SERIES = ("server", "foreign", *(name for query in (*QUERIES, *SELDOM) for name, _ in query.series))

# Fact of a GPU -> how to ask. Never the UUID or the serial number.
FACTS: Mapping[str, Callable[[Any, Gpu], Fact]] = {
    "name": lambda nv, gpu: _text(nv.nvmlDeviceGetName(gpu.handle)),
    "total": lambda nv, gpu: int(_memory(nv, gpu.handle, gpu.memory_version).total),
    "power_limit": lambda nv, gpu: _power_limit(nv, gpu)[0],
    "power_default": lambda nv, gpu: nv.nvmlDeviceGetPowerManagementDefaultLimit(gpu.handle) / 1000,
    "max_sm_clock": lambda nv, gpu: nv.nvmlDeviceGetMaxClockInfo(gpu.handle, nv.NVML_CLOCK_SM) * MHZ,
    "bandwidth": _bandwidth,
    "bandwidth_by": lambda nv, gpu: _bandwidth(nv, gpu) and "the driver's bus width and memory clock",
    "compute": lambda nv, gpu: ".".join(map(str, nv.nvmlDeviceGetCudaComputeCapability(gpu.handle))),
    "driver": lambda nv, _: _text(nv.nvmlSystemGetDriverVersion()),
    "cuda": lambda nv, _: _cuda(nv.nvmlSystemGetCudaDriverVersion_v2()),
}


class Nvml:
    """The probe of all NVIDIA GPUs of this machine. Without a driver it has no series, and says why."""

    def __init__(
        self,
        tree: Tree,
        *,
        library: Any = pynvml,
        now: Callable[[], int] = clock.now,
        exists: Callable[[int], bool] = psutil.pid_exists,
        patience: float = PATIENCE,
    ) -> None:
        """Open the driver by `library`, which is pynvml or has its functions and errors."""
        self._tree = tree
        self._nv = library
        self._now = now
        self._exists = exists
        self._absent: dict[str, str] = {}
        self._never: set[str] = set()  # series whose query will not succeed with this driver or GPU
        self._seldom_due = 0
        self._patience = patience
        self._turn = threading.Lock()  # held while the driver is asked
        self._gpus = self._open()

    @property
    def count(self) -> int:
        """The number of GPUs; the next kind of GPU is numbered from here."""
        return len(self._gpus)

    def absent(self) -> Mapping[str, str]:
        """Series that the driver does not give -> the reason in its words."""
        return self._absent

    def read(self) -> Mapping[str, tuple[float, str]]:
        """All series of all GPUs; a query that fails leaves out its own series alone."""
        found: Values = {}
        with self._turn:
            for gpu in self._gpus:
                for query in QUERIES:
                    found |= self._ask(gpu, query)
            return found | self._seldom()

    def facts(self) -> Mapping[str, Fact]:
        """What each GPU is; None: the driver does not tell it. {} when the driver hangs in a reading."""
        return self._facts(FACTS)

    def changing(self) -> Mapping[str, Fact]:
        """Those of the facts that may change during a run. For any thread."""
        return self._facts({"power_limit": FACTS["power_limit"]})

    def _facts(self, asked: Mapping[str, Callable[[Any, Gpu], Fact]]) -> Mapping[str, Fact]:
        if not self._turn.acquire(timeout=self._patience):
            return {}
        try:
            return {
                f"{gpu.name}.{name}": self._fact(gpu, ask)
                for gpu in self._gpus
                for name, ask in asked.items()
            }
        finally:
            self._turn.release()

    def close(self) -> None:
        """Let go of the driver, unless it hangs in a reading."""
        if self._gpus and self._turn.acquire(timeout=self._patience):
            self._gpus = ()
            self._nv.nvmlShutdown()
            self._turn.release()

    def _open(self) -> tuple[Gpu, ...]:
        nv = self._nv
        try:
            nv.nvmlInit()
            gpus = tuple(self._gpu(index) for index in range(nv.nvmlDeviceGetCount()))
        except (nv.NVMLError_LibraryNotFound, nv.NVMLError_DriverNotLoaded):
            return self._none(NO_DRIVER)
        except nv.NVMLError as exc:
            return self._none(f"the NVIDIA driver does not answer: {exc}")
        return gpus or self._none(NO_GPU)

    def _none(self, reason: str) -> tuple[Gpu, ...]:
        self._absent = {f"gpu0.{name}": reason for name in SERIES}
        return ()

    def _gpu(self, index: int) -> Gpu:
        """Of functions that come in two versions, the later one that this driver has."""
        nv = self._nv
        handle = nv.nvmlDeviceGetHandleByIndex(index)
        version, reasons = nv.nvmlMemory_v2, "nvmlDeviceGetCurrentClocksEventReasons"
        if not self._works(lambda: _memory(nv, handle, version)):
            version = None
        if not self._works(lambda: getattr(nv, reasons)(handle)):
            reasons = "nvmlDeviceGetCurrentClocksThrottleReasons"
        return Gpu(f"gpu{index}", handle, version, reasons)

    def _works(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except self._nv.NVMLError:
            return False
        return True

    def _ask(self, gpu: Gpu, query: Query) -> Values:
        names = [f"{gpu.name}.{name}" for name, _ in query.series]
        if names[0] in self._never:
            return {}
        try:
            values = query.ask(self._nv, gpu)
        except self._nv.NVMLError as exc:
            self._failed(names, exc)
            return {}
        for name in names:
            self._absent.pop(name, None)
        return {
            name: (value, unit) for name, value, (_, unit) in zip(names, values, query.series, strict=True)
        }

    def _failed(self, names: list[str], exc: Exception) -> None:
        self._absent |= dict.fromkeys(names, f"the driver does not tell it: {exc}")
        if isinstance(exc, self._lasting()):
            self._never.update(names)

    def _lasting(self) -> tuple[type[Exception], ...]:
        nv = self._nv
        return (nv.NVMLError_NotSupported, nv.NVMLError_NoPermission, nv.NVMLError_FunctionNotFound)

    def _seldom(self) -> Values:
        now = self._now()
        if now < self._seldom_due:
            return {}
        self._seldom_due = now + BY_PROCESS_EVERY
        found: Values = {}
        for gpu in self._gpus:
            for query in SELDOM:
                found |= self._ask(gpu, query)
            found |= self._by_process(gpu)
        return found

    def _by_process(self, gpu: Gpu) -> Values:
        """Bytes of the GPU that the server's processes have, and those of all others."""
        found: Values = {}
        for name, answer in zip(("server", "foreign"), self._parts(gpu), strict=True):
            series = f"{gpu.name}.{name}"
            if isinstance(answer, str):
                self._absent[series] = answer
            else:
                self._absent.pop(series, None)
                found[series] = (answer, "B")
        return found

    def _parts(self, gpu: Gpu) -> tuple[float | str, float | str]:
        """The server's part and the others', or why one cannot be told."""
        if self._tree.reason:
            return self._tree.reason, self._tree.reason
        try:
            used = self._clients(gpu)
        except self._nv.NVMLError as exc:
            why = f"the driver does not tell it: {exc}"
            return why, why
        pids = set(self._tree.pids())
        own = [held for pid, held in used.items() if pid in pids]
        # A server on the CPU has truly nothing here, but only where the driver's list can be believed.
        if not used:
            return NONE_NAMED, NONE_NAMED
        if not own and not all(map(self._exists, used)):
            return OTHER_NUMBERS, OTHER_NUMBERS
        others = [held for pid, held in used.items() if pid not in pids]
        return _total(own, NOT_SAID), _total(others, NOT_SAID_OF_OTHERS)

    def _clients(self, gpu: Gpu) -> dict[int, int | None]:
        """Process -> bytes; a process that both computes and draws is listed twice with the same number."""
        nv = self._nv
        computing = nv.nvmlDeviceGetComputeRunningProcesses(gpu.handle)
        drawing = nv.nvmlDeviceGetGraphicsRunningProcesses(gpu.handle)
        return {one.pid: one.usedGpuMemory for one in (*drawing, *computing)}

    def _fact(self, gpu: Gpu, ask: Callable[[Any, Gpu], Fact]) -> Fact:
        try:
            return ask(self._nv, gpu)
        except self._nv.NVMLError:
            return None


def _total(held: list[int | None], reason: str) -> float | str:
    known = [one for one in held if one is not None]
    return float(sum(known)) if len(known) == len(held) else reason


def _memory(nv: Any, handle: Any, version: int | None) -> Any:
    return (
        nv.nvmlDeviceGetMemoryInfo(handle) if version is None else nv.nvmlDeviceGetMemoryInfo(handle, version)
    )


def _text(value: str | bytes) -> str:
    """Older releases of the library gave bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _cuda(version: int) -> str:
    """The driver's 12040 as "12.4"."""
    return f"{version // 1000}.{version % 1000 // 10}"
