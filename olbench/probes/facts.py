"""What the machine is: flat facts, without names of hosts or users, serial numbers or paths."""

import os
import platform
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import psutil

from olbench.model import Fact, Facts

ROOT = Path("/")
CPU = "sys/devices/system/cpu"
# Fact -> the file that holds it in one line; on machines without the file there is no such fact.
FILES = {
    "cpu.clock_driver": f"{CPU}/cpu0/cpufreq/scaling_driver",
    "cpu.energy_preference": f"{CPU}/cpu0/cpufreq/energy_performance_preference",
    "cpu.boost": f"{CPU}/cpufreq/boost",
    "cpu.no_turbo": f"{CPU}/intel_pstate/no_turbo",
    "cpu.smt": f"{CPU}/smt/active",
    "cpu.limit": "sys/fs/cgroup/cpu.max",
    "ram.limit": "sys/fs/cgroup/memory.max",
    "ram.huge_pages": "sys/kernel/mm/transparent_hugepage/enabled",
    "power.profile": "sys/firmware/acpi/platform_profile",
}
# Words of what a machine names as its maker and model -> the hypervisor.
HYPERVISORS = {
    "qemu": "QEMU",
    "kvm": "KVM",
    "vmware": "VMware",
    "virtualbox": "VirtualBox",
    "xen": "Xen",
    "amazon ec2": "Amazon EC2",
    "google": "Google Compute Engine",
    "microsoft corporation virtual machine": "Hyper-V",
    "parallels": "Parallels",
    "firecracker": "Firecracker",
}
# A file that only such a container has -> its kind; words of the first process's control group -> the same.
CONTAINER_FILES = {".dockerenv": "docker", "run/.containerenv": "podman"}
CONTAINER_GROUPS = {"docker": "docker", "kubepods": "kubernetes", "lxc": "lxc", "libpod": "podman"}
_MODEL = re.compile(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", re.MULTILINE)


def machine(root: Path = ROOT) -> Facts:
    """The facts of the machine that olbench runs on; None: looked for, not to be had."""
    files = {name: _tidy(name, text) for name, file in FILES.items() if (text := line(root / file))}
    return {**_system(root), **_processor(root), **_memory(), **_enclosure(root), **files}


def changing(root: Path = ROOT) -> Facts:
    """Those facts of the machine that may change during a run; cheap."""
    profile = line(root / FILES["power.profile"])
    return {
        "power.source": _source(root),
        "cpu.governor": _governor(root),
        **({} if profile is None else {"power.profile": profile}),
    }


def line(file: Path) -> str | None:
    """A file's first line; None when it is empty or cannot be read."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return None
    return text.strip().split("\n", maxsplit=1)[0] or None


def _system(root: Path) -> Facts:
    name = platform.system()
    return {
        "os.name": {"Darwin": "macOS"}.get(name, name) or None,
        "os.version": _version(root),
        "os.kernel": platform.release() or None,
        "python.version": platform.python_version(),
        "python.implementation": platform.python_implementation(),
    }


def _version(root: Path) -> str | None:
    if sys.platform == "darwin":
        return platform.mac_ver()[0] or None
    if sys.platform == "win32":
        return platform.version() or None
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text(root / "etc/os-release"), re.MULTILINE)
    return found[1] if found else None


def _processor(root: Path) -> Facts:
    return {
        "cpu.model": _model(root),
        "cpu.arch": platform.machine() or None,
        "cpu.cores": psutil.cpu_count(logical=False),
        "cpu.threads": psutil.cpu_count(),
        "cpu.usable": _usable(),
        "cpu.governor": _governor(root),
    }


def _usable() -> int | None:
    """Threads that this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count()


def _model(root: Path) -> str | None:
    if sys.platform == "darwin":
        # The one way without a library of its own; both words are fixed.
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or None  # noqa: S603 - fixed words
    if sys.platform == "win32":
        return platform.processor() or None
    found = _MODEL.search(_text(root / "proc/cpuinfo"))
    return found[1].strip() if found else None


def _governor(root: Path) -> str | None:
    """The governor of all CPUs, several joined by a comma where they differ."""
    found = {line(one) for one in (root / CPU).glob("cpu[0-9]*/cpufreq/scaling_governor")}
    return ", ".join(sorted(one for one in found if one)) or None


def _memory() -> Facts:
    return {"ram.total": psutil.virtual_memory().total, "swap.total": psutil.swap_memory().total}


def _enclosure(root: Path) -> Facts:
    return {
        "power.source": _source(root),
        "machine.hypervisor": _hypervisor(root) if sys.platform == "linux" else None,
        "machine.container": _container(root) if sys.platform == "linux" else "none",
    }


def _source(root: Path) -> str | None:
    return _power(root) if sys.platform == "linux" else _power_psutil()


def _power(root: Path) -> str | None:
    """Mains or battery; None where the machine lists no supply, as most desktops and servers."""
    supplies = list((root / "sys/class/power_supply").glob("*"))
    mains = [line(one / "online") for one in supplies if line(one / "type") in ("Mains", "USB")]
    if "1" in mains:
        return "mains"
    # Batteries of mice and headsets are listed too; they say that they serve a device.
    own = [one for one in supplies if line(one / "type") == "Battery" and line(one / "scope") != "Device"]
    states = {line(one / "status") for one in own}
    if "Discharging" in states:
        return "battery"
    return "mains" if states & {"Charging", "Full", "Not charging"} else None


def _power_psutil() -> str | None:
    battery = psutil.sensors_battery()
    if battery is None or battery.power_plugged is None:
        return None
    return "mains" if battery.power_plugged else "battery"


def _hypervisor(root: Path) -> str | None:
    """Its name, "unnamed" where only the processor tells that there is one, "none", or None: cannot be told."""
    if "microsoft" in platform.release().lower():
        return "WSL"
    named = " ".join(
        line(root / "sys/class/dmi/id" / one) or "" for one in ("sys_vendor", "product_name")
    ).lower()
    name = next((name for words, name in HYPERVISORS.items() if words in named), None)
    flags = re.search(r"^flags\s*:(.*)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    if name is not None or flags is None:
        return name
    return "unnamed" if "hypervisor" in flags[1].split() else "none"


def _container(root: Path) -> str:
    """Its kind, or "none" where nothing points to one."""
    groups = _text(root / "proc/1/cgroup")
    by_file = (kind for name, kind in CONTAINER_FILES.items() if (root / name).exists())
    by_group = (kind for word, kind in CONTAINER_GROUPS.items() if word in groups)
    return next(chain(by_file, by_group), "none")


def _tidy(name: str, text: str) -> Fact:
    """A file's line as a fact: switches as truth, limits in cores or bytes, the one in brackets of a choice."""
    if name in ("cpu.boost", "cpu.no_turbo", "cpu.smt"):
        return text == "1"
    if name == "ram.huge_pages":
        chosen = re.search(r"\[(\w+)\]", text)
        return chosen[1] if chosen else text
    if name == "ram.limit":
        return "none" if text == "max" else int(text)
    if name == "cpu.limit":
        quota, _, period = text.partition(" ")
        return "none" if quota == "max" else int(quota) / int(period)
    return text


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
