"""NVIDIA GPUs, by a library of made-up GPUs that has pynvml's functions and errors."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pynvml
import pytest

from olbench.probes import throttle
from olbench.probes.nvml import BY_PROCESS_EVERY, NO_DRIVER, SERIES, Nvml
from olbench.probes.processes import Tree

GIB = 2**30
SERVER, RUNNER, STRANGER = 10, 11, 99


def _memory(_: "Library", gpu: int, version: int | None = None) -> SimpleNamespace:
    # The first version counts what the driver keeps for itself as used.
    return SimpleNamespace(total=24 * GIB, used=(5 if version is None else 4) * GIB)


def _listed(rows: list[tuple[int, int | None]]) -> list[SimpleNamespace]:
    return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in rows]


# Function of pynvml -> what it answers.
ANSWERS: dict[str, Callable[..., object]] = {
    "nvmlInit": lambda _: None,
    "nvmlShutdown": lambda _: None,
    "nvmlDeviceGetCount": lambda library: library.gpus,
    "nvmlDeviceGetHandleByIndex": lambda _, index: index,
    "nvmlDeviceGetMemoryInfo": _memory,
    "nvmlDeviceGetUtilizationRates": lambda _, gpu: SimpleNamespace(gpu=87, memory=41),
    "nvmlDeviceGetPowerUsage": lambda _, gpu: 215_500 + gpu,
    "nvmlDeviceGetTemperature": lambda _, gpu, sensor: 64,
    "nvmlDeviceGetClockInfo": lambda _, gpu, kind: {pynvml.NVML_CLOCK_SM: 1980, pynvml.NVML_CLOCK_MEM: 9751}[
        kind
    ],
    "nvmlDeviceGetMaxClockInfo": lambda _, gpu, kind: {
        pynvml.NVML_CLOCK_SM: 2100,
        pynvml.NVML_CLOCK_MEM: 9751,
    }[kind],
    "nvmlDeviceGetMemoryBusWidth": lambda _, gpu: 384,
    "nvmlDeviceGetCurrentClocksEventReasons": lambda _, gpu: 0x24,
    "nvmlDeviceGetCurrentClocksThrottleReasons": lambda _, gpu: 0x08,
    "nvmlDeviceGetComputeRunningProcesses": lambda library, gpu: _listed(library.computing),
    "nvmlDeviceGetGraphicsRunningProcesses": lambda library, gpu: _listed(library.drawing),
    "nvmlDeviceGetName": lambda _, gpu: "Some GPU",
    "nvmlDeviceGetEnforcedPowerLimit": lambda _, gpu: 350_000,
    "nvmlDeviceGetPowerManagementDefaultLimit": lambda _, gpu: 400_000,
    "nvmlDeviceGetCudaComputeCapability": lambda _, gpu: (8, 9),
    "nvmlSystemGetDriverVersion": lambda _: b"570.86",
    "nvmlSystemGetCudaDriverVersion_v2": lambda _: 12080,
}


@dataclass
class Library:
    """pynvml over made-up GPUs. `faults`: function, or "function:number of arguments" -> what it raises."""

    gpus: int = 1
    computing: list[tuple[int, int | None]] = field(default_factory=list)
    drawing: list[tuple[int, int | None]] = field(default_factory=list)
    faults: dict[str, type[Exception]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if name not in ANSWERS:  # errors and constants are the real ones
            return getattr(pynvml, name)

        def call(*given: object) -> object:
            self.calls.append(name)
            fault = self.faults.get(name) or self.faults.get(f"{name}:{len(given)}")
            if fault is not None:
                raise fault
            return ANSWERS[name](self, *given)

        return call


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def _probe(library: Library, *, reason: str = "", now: Clock | None = None) -> Nvml:
    tree = SimpleNamespace(reason=reason, pids=lambda: (SERVER, RUNNER))
    return Nvml(
        cast("Tree", tree),
        library=library,
        now=Clock() if now is None else now,
        exists=lambda pid: pid in (SERVER, RUNNER, STRANGER),
        patience=0.0,
    )


def test_a_gpu_is_read_in_base_units() -> None:
    found = _probe(Library(computing=[(RUNNER, 3 * GIB), (STRANGER, GIB)])).read()
    assert found == {
        "gpu0.used": (4.0 * GIB, "B"),
        "gpu0.util": (0.87, "share"),
        "gpu0.mem_util": (0.41, "share"),
        "gpu0.power": (215.5, "W"),
        "gpu0.temperature": (64.0, "°C"),
        "gpu0.sm_clock": (1.98e9, "Hz"),
        "gpu0.mem_clock": (9.751e9, "Hz"),
        "gpu0.throttle": (36.0, "count"),
        "gpu0.server": (3.0 * GIB, "B"),
        "gpu0.foreign": (1.0 * GIB, "B"),
        "gpu0.power_limit": (350.0, "W"),
    }


def test_facts_tell_what_the_gpu_is_and_no_serial_number() -> None:
    library = Library()
    assert _probe(library).facts() == {
        "gpu0.name": "Some GPU",
        "gpu0.total": 24 * GIB,
        "gpu0.power_limit": 350.0,
        "gpu0.power_default": 400.0,
        "gpu0.max_sm_clock": 2.1e9,
        "gpu0.bandwidth": 936.096e9,  # as an RTX 3090's
        "gpu0.bandwidth_by": "the driver's bus width and memory clock",
        "gpu0.compute": "8.9",
        "gpu0.driver": "570.86",
        "gpu0.cuda": "12.8",
    }
    assert not [name for name in library.calls if "UUID" in name or "Serial" in name]


def test_each_gpu_has_series_of_its_own() -> None:
    probe = _probe(Library(gpus=2))
    found = probe.read()
    assert (found["gpu0.power"][0], found["gpu1.power"][0]) == (215.5, 215.501)
    assert probe.count == 2


@pytest.mark.parametrize("fault", [pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded])
def test_a_machine_without_a_driver_says_so_for_every_series(fault: type[Exception]) -> None:
    probe = _probe(Library(faults={"nvmlInit": fault}))
    assert probe.absent() == {f"gpu0.{name}": NO_DRIVER for name in SERIES}
    assert (probe.read(), probe.facts(), probe.count) == ({}, {}, 0)


def test_a_driver_that_does_not_answer_is_told_in_its_words() -> None:
    probe = _probe(Library(faults={"nvmlInit": pynvml.NVMLError_LibRmVersionMismatch}))
    assert (
        probe.absent()["gpu0.used"]
        == "the NVIDIA driver does not answer: RM has detected an NVML/RM version mismatch."
    )


def test_a_driver_without_a_gpu_is_no_gpu() -> None:
    assert _probe(Library(gpus=0)).absent()["gpu0.used"] == "the NVIDIA driver lists no GPU"


def test_what_a_gpu_does_not_support_is_absent_and_asked_once() -> None:
    library = Library(faults={"nvmlDeviceGetPowerUsage": pynvml.NVMLError_NotSupported})
    probe = _probe(library)
    first, second = probe.read(), probe.read()
    assert "gpu0.power" not in {**first, **second}
    assert "gpu0.temperature" in second
    assert probe.absent() == {
        "gpu0.power": "the driver does not tell it: Not Supported",
        **dict.fromkeys(("gpu0.server", "gpu0.foreign"), probe.absent()["gpu0.server"]),
    }
    assert library.calls.count("nvmlDeviceGetPowerUsage") == 1


def test_a_query_that_fails_for_once_comes_back() -> None:
    library = Library(faults={"nvmlDeviceGetUtilizationRates": pynvml.NVMLError_Unknown})
    probe = _probe(library)
    assert "gpu0.util" not in probe.read()
    assert probe.absent()["gpu0.mem_util"] == "the driver does not tell it: Unknown Error"
    library.faults.clear()
    assert "gpu0.util" in probe.read()
    assert "gpu0.mem_util" not in probe.absent()


def test_an_older_driver_is_asked_by_its_older_functions() -> None:
    missing = pynvml.NVMLError_FunctionNotFound
    faults = {"nvmlDeviceGetCurrentClocksEventReasons": missing, "nvmlDeviceGetMemoryInfo:2": missing}
    found = _probe(Library(faults=faults)).read()
    assert (found["gpu0.used"][0], found["gpu0.throttle"][0]) == (5.0 * GIB, 8.0)


@pytest.mark.parametrize(
    ("computing", "drawing", "value", "reason"),
    [
        ([(RUNNER, GIB), (SERVER, 2 * GIB)], [(RUNNER, GIB)], 3.0 * GIB, ""),  # listed twice, counted once
        ([(STRANGER, GIB)], [], 0.0, ""),  # the server computes on the CPU
        ([(12345, GIB)], [], None, "the driver numbers processes otherwise than this container does"),
        ([(RUNNER, None)], [], None, "the driver does not say how much memory each process uses"),
        ([], [], None, "the driver names no process that uses this GPU"),
    ],
)
def test_the_servers_part_of_a_gpu_is_told_or_the_reason(
    computing: list[tuple[int, int | None]],
    drawing: list[tuple[int, int | None]],
    value: float | None,
    reason: str,
) -> None:
    probe = _probe(Library(computing=computing, drawing=drawing))
    assert probe.read().get("gpu0.server", (None, ""))[0] == value
    assert probe.absent().get("gpu0.server", "") == reason


UNTOLD = "the driver does not say how much memory each of the other programs uses"


@pytest.mark.parametrize(
    ("computing", "drawing", "value", "reason"),
    [
        ([(RUNNER, GIB)], [], 0.0, ""),
        ([(RUNNER, GIB), (STRANGER, 2 * GIB)], [(STRANGER, 2 * GIB)], 2.0 * GIB, ""),  # listed twice
        ([(RUNNER, GIB), (12345, GIB)], [(STRANGER, GIB)], 2.0 * GIB, ""),  # one of them has just ended
        ([(STRANGER, GIB)], [], 1.0 * GIB, ""),
        ([(RUNNER, GIB), (STRANGER, None)], [], None, UNTOLD),
        ([(RUNNER, None), (STRANGER, GIB)], [], 1.0 * GIB, ""),
        ([(12345, GIB)], [], None, "the driver numbers processes otherwise than this container does"),
        ([], [], None, "the driver names no process that uses this GPU"),
    ],
)
def test_what_others_hold_of_a_gpu_is_told_or_the_reason(
    computing: list[tuple[int, int | None]],
    drawing: list[tuple[int, int | None]],
    value: float | None,
    reason: str,
) -> None:
    probe = _probe(Library(computing=computing, drawing=drawing))
    assert probe.read().get("gpu0.foreign", (None, ""))[0] == value
    assert probe.absent().get("gpu0.foreign", "") == reason


def test_a_server_that_cannot_be_seen_has_no_part_of_a_gpu_and_nobody_is_told_from_it() -> None:
    probe = _probe(Library(computing=[(RUNNER, GIB)]), reason="it hides")
    assert not {"gpu0.server", "gpu0.foreign"} & probe.read().keys()
    assert probe.absent()["gpu0.server"] == probe.absent()["gpu0.foreign"] == "it hides"


def test_a_power_limit_that_may_change_is_told_again() -> None:
    assert _probe(Library(gpus=2)).changing() == {"gpu0.power_limit": 350.0, "gpu1.power_limit": 350.0}
    without = Library(faults={"nvmlDeviceGetEnforcedPowerLimit": pynvml.NVMLError_NotSupported})
    assert _probe(without).changing() == {"gpu0.power_limit": None}


def test_memory_by_process_is_asked_seldom() -> None:
    clock, library = Clock(), Library(computing=[(RUNNER, GIB)])
    probe = _probe(library, now=clock)
    for clock.ns in (0, 1, BY_PROCESS_EVERY - 1, BY_PROCESS_EVERY):
        probe.read()
    assert library.calls.count("nvmlDeviceGetComputeRunningProcesses") == 2
    assert library.calls.count("nvmlDeviceGetEnforcedPowerLimit") == 2


def test_closing_lets_go_of_the_driver_once() -> None:
    library = Library()
    probe = _probe(library)
    probe.close()
    probe.close()
    assert library.calls.count("nvmlShutdown") == 1


def test_a_driver_that_hangs_in_a_reading_is_asked_nothing_more() -> None:
    library = Library()
    probe = _probe(library)
    with probe._turn:  # as a reading holds it that does not come back
        library.calls.clear()
        assert probe.facts() == probe.changing() == {}
        probe.close()
    assert library.calls == []


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0.0, ()),
        (5.0, ("idle", "power limit")),
        (0x60, ("heat (the driver's limit)", "heat (the hardware's limit)")),
        (0x8001, ("idle", "unknown reason 0x8000")),
    ],
)
def test_what_holds_a_gpu_back_is_told_in_words(bits: float, words: tuple[str, ...]) -> None:
    assert throttle.words(bits) == words


def test_every_bit_that_the_library_names_has_words() -> None:
    named = {getattr(pynvml, name) for name in dir(pynvml) if name.startswith("nvmlClocksThrottleReason")}
    assert {bit for bit in named if bit.bit_count() == 1} == set(throttle.WORDS)
