"""How fast and how hot the processor is, by files of Linux."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from olbench import clock
from olbench.model import Fact
from olbench.probes.facts import CPU, ROOT, line

CLOCK, TEMPERATURE = "cpu.clock", "cpu.temperature"
SERIES = (CLOCK, TEMPERATURE)
NOT_HERE = "this system does not tell it"
NO_CLOCK = "no file of this system tells the processor's clock"
NOMINAL = "this system tells a nominal clock alone, as virtual machines do"
NO_SENSOR = "no sensor of this system tells the processor's temperature"
EVERY = 250_000_000
MOST = 16  # threads that are asked for their clock: the kernel may interrupt each one for the answer
OPENING = 65_536  # bytes of cpuinfo: some forty threads of a large machine are mean enough
# Chips that measure the processor itself, and zones for boards without such a chip.
CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
ZONES = ("x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal")
_MHZ = re.compile(r"^cpu MHz\s*:\s*([\d.]+)", re.MULTILINE)


class Processor:
    """The probe of the processor's mean clock and highest temperature."""

    def __init__(self, *, root: Path = ROOT, now: Callable[[], int] = clock.now) -> None:
        """Find the files below `root`."""
        self._now = now
        self._due = 0
        self._info = root / "proc/cpuinfo"
        self._absent: dict[str, str] = {}
        self._clocks: tuple[Path, ...] = ()
        self._sensors: tuple[Path, ...] = ()
        if sys.platform != "linux":
            self._absent = dict.fromkeys(SERIES, NOT_HERE)
            return
        self._clocks = _clocks(root)
        self._sensors = _sensors(root)
        if not self._clocks and (why := _why_no_clock(self._text())):
            self._absent[CLOCK] = why
        if not self._sensors:
            self._absent[TEMPERATURE] = NO_SENSOR

    def absent(self) -> Mapping[str, str]:
        """What this system does not tell."""
        return self._absent

    def read(self) -> Mapping[str, tuple[float, str]]:
        """Both series, four times a second at most."""
        now = self._now()
        if now < self._due:
            return {}
        self._due = now + EVERY
        found: dict[str, tuple[float, str]] = {}
        if CLOCK not in self._absent and (clocks := self._hertz()):
            found[CLOCK] = (sum(clocks) / len(clocks), "Hz")
        if degrees := _numbers(self._sensors):
            found[TEMPERATURE] = (max(degrees) / 1000, "°C")
        return found

    def facts(self) -> Mapping[str, Fact]:
        """Nothing: what the processor is belongs to the machine's facts."""
        return {}

    def close(self) -> None:
        """Nothing is held."""

    def _hertz(self) -> list[float]:
        if self._clocks:
            return [one * 1e3 for one in _numbers(self._clocks)]
        return [float(one) * 1e6 for one in _MHZ.findall(self._text())]

    def _text(self) -> str:
        try:
            with self._info.open(errors="replace") as file:
                return file.read(OPENING)
        except OSError:
            return ""


def _clocks(root: Path) -> tuple[Path, ...]:
    """The files of some threads, evenly taken from all."""
    found = sorted((root / CPU).glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    return tuple(found[:: -(-len(found) // MOST) or 1])


def _why_no_clock(info: str) -> str:
    """Why cpuinfo does not tell the clock; "" when it does. Only where the processor counts is it a true one."""
    if not _MHZ.search(info):
        return NO_CLOCK
    flags = re.search(r"^flags\s*:(.*)$", info, re.MULTILINE)
    return "" if flags and "aperfmperf" in flags[1].split() else NOMINAL


def _sensors(root: Path) -> tuple[Path, ...]:
    """One file for each processor; the first input of a chip is the whole of it."""
    chips = [one for one in sorted((root / "sys/class/hwmon").glob("hwmon*")) if line(one / "name") in CHIPS]
    found = [min(inputs) for one in chips if (inputs := list(one.glob("temp*_input")))]
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    return tuple(found or [one / "temp" for one in zones if line(one / "type") in ZONES])


def _numbers(files: tuple[Path, ...]) -> list[float]:
    """The numbers that the files hold now; one that cannot be read just now is left out."""
    found = [line(one) for one in files]
    return [float(one) for one in found if one is not None and one.lstrip("-").isdigit()]
