"""The processor's clock and temperature, from files that are made up."""

import sys
from pathlib import Path

import pytest

from olbench.probes.processor import EVERY, MOST, Processor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files as Linux has them")
CPU = "sys/devices/system/cpu"
INFO = "processor: 0\ncpu MHz\t\t: 2000.000\nflags\t\t: fpu {flag}\n\nprocessor: 1\ncpu MHz\t\t: 3000.500\n"
NO_SENSOR = "no sensor of this system tells the processor's temperature"


def _probe(root: Path, files: dict[str, str]) -> Processor:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return Processor(root=root, now=lambda: EVERY)


@pytest.mark.parametrize(
    ("files", "clock", "reason"),
    [
        (
            {
                f"{CPU}/cpu0/cpufreq/scaling_cur_freq": "2000000",
                f"{CPU}/cpu1/cpufreq/scaling_cur_freq": "3000000",
            },
            2.5e9,
            "",
        ),
        ({"proc/cpuinfo": INFO.format(flag="aperfmperf")}, 2.50025e9, ""),
        # Whoever does not count cycles repeats what is written on the box.
        (
            {"proc/cpuinfo": INFO.format(flag="hypervisor")},
            None,
            "this system tells a nominal clock alone, as virtual machines do",
        ),
        ({"proc/cpuinfo": "Model: Some Board"}, None, "no file of this system tells the processor's clock"),
        ({}, None, "no file of this system tells the processor's clock"),
    ],
)
def test_the_clock_is_the_mean_of_all_threads_or_there_is_a_reason(
    tmp_path: Path, files: dict[str, str], clock: float | None, reason: str
) -> None:
    probe = _probe(tmp_path, files)
    assert probe.read().get("cpu.clock") == (None if clock is None else (clock, "Hz"))
    assert probe.absent().get("cpu.clock", "") == reason


def test_of_many_threads_some_are_asked_evenly(tmp_path: Path) -> None:
    names = (f"{CPU}/cpu{number}/cpufreq/scaling_cur_freq" for number in range(4 * MOST))
    probe = _probe(tmp_path, dict.fromkeys(names, "1500000"))
    assert len(probe._clocks) == MOST
    assert probe.read()["cpu.clock"] == (1.5e9, "Hz")


@pytest.mark.parametrize(
    ("files", "degrees"),
    [
        # The first input of a chip is the whole processor; of two processors the hotter one counts.
        (
            {
                "sys/class/hwmon/hwmon0/name": "nvme",
                "sys/class/hwmon/hwmon0/temp1_input": "99000",
                "sys/class/hwmon/hwmon1/name": "coretemp",
                "sys/class/hwmon/hwmon1/temp1_input": "61500",
                "sys/class/hwmon/hwmon1/temp2_input": "98000",
                "sys/class/hwmon/hwmon2/name": "coretemp",
                "sys/class/hwmon/hwmon2/temp1_input": "72000",
            },
            72.0,
        ),
        (
            {
                "sys/class/thermal/thermal_zone0/type": "acpitz",
                "sys/class/thermal/thermal_zone0/temp": "27800",
                "sys/class/thermal/thermal_zone1/type": "cpu-thermal",
                "sys/class/thermal/thermal_zone1/temp": "48312",
            },
            48.312,
        ),
        ({}, None),
    ],
)
def test_the_temperature_is_the_processors_own(
    tmp_path: Path, files: dict[str, str], degrees: float | None
) -> None:
    probe = _probe(tmp_path, files)
    assert probe.read().get("cpu.temperature") == (None if degrees is None else (degrees, "°C"))
    assert probe.absent().get("cpu.temperature") == (NO_SENSOR if degrees is None else None)


def test_a_sensor_that_fails_for_once_leaves_out_its_series_alone(tmp_path: Path) -> None:
    clock = f"{CPU}/cpu0/cpufreq/scaling_cur_freq"
    zone = "sys/class/thermal/thermal_zone0"
    probe = _probe(tmp_path, {clock: "2000000", f"{zone}/type": "x86_pkg_temp", f"{zone}/temp": "50000"})
    (tmp_path / clock).write_text("<unknown>\n")  # as the kernel says of a thread that is switched off
    assert probe.read() == {"cpu.temperature": (50.0, "°C")}


def test_files_are_read_four_times_a_second(tmp_path: Path) -> None:
    (tmp_path / CPU / "cpu0/cpufreq").mkdir(parents=True)
    (tmp_path / CPU / "cpu0/cpufreq/scaling_cur_freq").write_text("2000000\n")
    moments = iter((0, EVERY - 1, EVERY))
    probe = Processor(root=tmp_path, now=lambda: next(moments))
    assert [len(probe.read()) for _ in range(3)] == [1, 0, 1]
