"""Facts of a machine, from files that are made up."""

from pathlib import Path

import pytest

from olbench.probes.facts import changing, machine

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="files as Linux has them")


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


CPU = "sys/devices/system/cpu"
LAPTOP = {
    "etc/os-release": 'NAME="Some"\nPRETTY_NAME="Some Linux 12 (bookworm)"\n',
    "proc/cpuinfo": "processor : 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: fpu vme sse2\n",
    "proc/1/cgroup": "0::/init.scope\n",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave\n",
    f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n",
    f"{CPU}/intel_pstate/no_turbo": "0\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/firmware/acpi/platform_profile": "balanced\n",
    "sys/class/power_supply/AC/type": "Mains\n",
    "sys/class/power_supply/AC/online": "0\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/status": "Discharging\n",
    "sys/class/dmi/id/sys_vendor": "Some Maker\n",
    "sys/class/dmi/id/product_serial": "SECRET\n",
}


def test_a_laptop_on_battery_is_told_as_such(tmp_path: Path) -> None:
    _write(tmp_path, LAPTOP)
    facts = machine(tmp_path)
    expected = {
        "os.version": "Some Linux 12 (bookworm)",
        "cpu.model": "Some CPU @ 3 GHz",
        "cpu.governor": "performance, powersave",
        "cpu.no_turbo": False,
        "ram.huge_pages": "madvise",
        "power.profile": "balanced",
        "power.source": "battery",
        "machine.container": "none",
    }
    assert {name: facts[name] for name in expected} == expected
    assert "SECRET" not in str(facts)


@pytest.mark.parametrize(
    ("files", "name", "fact"),
    [
        ({"sys/class/power_supply/AC/online": "1\n"}, "power.source", "mains"),
        ({"sys/class/power_supply/BAT0/status": "Full\n"}, "power.source", "mains"),
        ({"sys/class/power_supply/BAT0/scope": "Device\n"}, "power.source", None),
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, "cpu.limit", 1.5),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, "cpu.limit", "none"),
        ({"sys/fs/cgroup/memory.max": "4294967296\n"}, "ram.limit", 2**32),
        ({"sys/class/dmi/id/sys_vendor": "QEMU\n"}, "machine.hypervisor", "QEMU"),
        ({"sys/class/dmi/id/product_name": "VMware7,1\n"}, "machine.hypervisor", "VMware"),
        ({"proc/cpuinfo": "flags : fpu hypervisor\n"}, "machine.hypervisor", "unnamed"),
        ({"proc/cpuinfo": "flags : fpu hypervisor\n"}, "cpu.model", None),
        ({"run/.containerenv": ""}, "machine.container", "podman"),
        ({"proc/1/cgroup": "0::/kubepods/besteffort/pod1\n"}, "machine.container", "kubernetes"),
    ],
)
def test_each_fact_follows_its_file(tmp_path: Path, files: dict[str, str], name: str, fact: object) -> None:
    _write(tmp_path, {**LAPTOP, **files})
    assert machine(tmp_path)[name] == fact


def test_a_machine_that_shows_no_files_has_facts_that_are_unknown(tmp_path: Path) -> None:
    facts = machine(tmp_path)
    unknown = ("os.version", "cpu.model", "cpu.governor", "power.source", "machine.hypervisor")
    assert [facts[name] for name in unknown] == [None] * 5
    assert isinstance(facts["ram.total"], int)


def test_what_may_change_is_told_again_as_it_was_told_first(tmp_path: Path) -> None:
    _write(tmp_path, LAPTOP)
    assert changing(tmp_path) == {
        "power.source": "battery",
        "cpu.governor": "performance, powersave",
        "power.profile": "balanced",
    }
    (tmp_path / "sys/class/power_supply/AC/online").write_text("1\n")
    (tmp_path / "sys/firmware/acpi/platform_profile").unlink()
    assert changing(tmp_path) == {"power.source": "mains", "cpu.governor": "performance, powersave"}
    assert changing(tmp_path).items() <= machine(tmp_path).items()
