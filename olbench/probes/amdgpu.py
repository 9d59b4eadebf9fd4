"""AMD GPUs as the kernel's driver shows them in files: memory, load, power, heat and clocks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from olbench.model import Fact
from olbench.probes.facts import line

DRM = Path("/sys/class/drm")
VENDOR = "0x1002"
NOT_SAID = "the amdgpu driver does not show how much memory each process uses"
NO_REASONS = "the amdgpu driver does not show why clocks are low"
NO_FILE = "the amdgpu driver does not show it for this GPU"


@dataclass(frozen=True, slots=True)
class File:
    """A series and the files that may hold it, the better one first; `scale` turns their unit into ours."""

    series: str
    unit: str
    scale: float
    names: tuple[str, ...]  # below the device's folder; hwmon/* is the GPU's own sensor chip


@dataclass(frozen=True, slots=True)
class Source:
    """One file of one GPU that was there at the start."""

    name: str
    unit: str
    scale: float
    path: Path


FILES = (
    File("used", "B", 1, ("mem_info_vram_used",)),
    # GPUs that are part of the processor take most of their memory from the machine's RAM.
    File("gtt_used", "B", 1, ("mem_info_gtt_used",)),
    File("util", "share", 0.01, ("gpu_busy_percent",)),
    File("mem_util", "share", 0.01, ("mem_busy_percent",)),
    File("power", "W", 1e-6, ("hwmon/*/power1_average", "hwmon/*/power1_input")),
    File("temperature", "°C", 1e-3, ("hwmon/*/temp1_input",)),
    File("sm_clock", "Hz", 1, ("hwmon/*/freq1_input",)),
    File("mem_clock", "Hz", 1, ("hwmon/*/freq2_input",)),
    File("power_limit", "W", 1e-6, ("hwmon/*/power1_cap",)),
)
# Fact -> file, scale. None where the file is not there.
NUMBERS = {
    "total": ("mem_info_vram_total", 1),
    "gtt_total": ("mem_info_gtt_total", 1),
    "power_limit": ("hwmon/*/power1_cap", 1e-6),
    "power_default": ("hwmon/*/power1_cap_default", 1e-6),
}


class AmdGpu:
    """The probe of all AMD GPUs; on a machine without one it has no series and no reasons."""

    def __init__(self, *, first: int = 0, root: Path = DRM) -> None:
        """Find the GPUs below `root`; they are numbered from `first`, after those of other makers."""
        cards = sorted(root.glob("card*/device"), key=lambda one: _number(one.parent.name))
        devices = [one for one in cards if _is_gpu(one)]
        self._devices = {f"gpu{first + place}": one for place, one in enumerate(devices)}
        self._sources: list[Source] = []
        self._absent: dict[str, str] = {}
        for name, device in self._devices.items():
            self._absent |= dict.fromkeys((f"{name}.server", f"{name}.foreign"), NOT_SAID)
            self._absent[f"{name}.throttle"] = NO_REASONS
            for file in FILES:
                self._find(name, device, file)

    def absent(self) -> Mapping[str, str]:
        """Series that the driver does not show for these GPUs."""
        return self._absent

    def read(self) -> Mapping[str, tuple[float, str]]:
        """All series; a file that cannot be read just now (the GPU sleeps) is left out."""
        values = ((one, _value(one.path)) for one in self._sources)
        return {one.name: (value * one.scale, one.unit) for one, value in values if value is not None}

    def facts(self) -> Mapping[str, Fact]:
        """What each GPU is, its memory in bytes and its power limit in watts."""
        found: dict[str, Fact] = {}
        for name, device in self._devices.items():
            found[f"{name}.name"] = (
                line(device / "product_name") or f"AMD GPU {line(device / 'device') or ''}".strip()
            )
            found[f"{name}.driver"] = "amdgpu"
            for fact, (file, scale) in NUMBERS.items():
                value = next((_value(one) for one in sorted(device.glob(file))), None)
                found[f"{name}.{fact}"] = None if value is None else value * scale
        return found

    def close(self) -> None:
        """Nothing is held: these files are opened for each reading."""

    def _find(self, name: str, device: Path, file: File) -> None:
        paths = (path for pattern in file.names for path in sorted(device.glob(pattern)))
        # A file may be there and refuse; then the next one is tried, and a GPU that sleeps keeps its first.
        there = list(paths)
        path = next((one for one in there if _value(one) is not None), next(iter(there), None))
        if path is None:
            self._absent[f"{name}.{file.series}"] = NO_FILE
        else:
            self._sources.append(Source(f"{name}.{file.series}", file.unit, file.scale, path))


def _is_gpu(device: Path) -> bool:
    """Whether a card is one of AMD's with memory of its own; its outputs (card0-DP-1) are no cards."""
    card = re.fullmatch(r"card\d+", device.parent.name)
    return (
        card is not None and line(device / "vendor") == VENDOR and (device / "mem_info_vram_total").exists()
    )


def _number(card: str) -> int:
    digits = re.search(r"\d+", card)
    return int(digits[0]) if digits else 0


def _value(file: Path) -> float | None:
    text = line(file)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
