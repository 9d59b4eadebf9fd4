"""AMD GPUs, from files that are made up."""

from pathlib import Path

import pytest

from olbench.probes.amdgpu import AmdGpu

GIB = 2**30
CARD = {
    "vendor": "0x1002",
    "device": "0x744c",
    "product_name": "Some GPU",
    "mem_info_vram_total": str(24 * GIB),
    "mem_info_vram_used": str(4 * GIB),
    "mem_info_gtt_total": str(32 * GIB),
    "mem_info_gtt_used": str(GIB),
    "gpu_busy_percent": "87",
    "mem_busy_percent": "41",
    "hwmon/hwmon3/power1_average": "215500000",
    "hwmon/hwmon3/power1_cap": "300000000",
    "hwmon/hwmon3/power1_cap_default": "327000000",
    "hwmon/hwmon3/temp1_input": "64000",
    "hwmon/hwmon3/freq1_input": "1980000000",
    "hwmon/hwmon3/freq2_input": "1249000000",
}


def _card(root: Path, name: str, files: dict[str, str]) -> Path:
    for file, text in files.items():
        (root / name / "device" / file).parent.mkdir(parents=True, exist_ok=True)
        (root / name / "device" / file).write_text(text + "\n")
    return root


def test_a_gpu_is_read_in_base_units(tmp_path: Path) -> None:
    probe = AmdGpu(root=_card(tmp_path, "card0", CARD))
    assert probe.read() == {
        "gpu0.used": (4 * GIB, "B"),
        "gpu0.gtt_used": (GIB, "B"),
        "gpu0.util": (pytest.approx(0.87), "share"),
        "gpu0.mem_util": (pytest.approx(0.41), "share"),
        "gpu0.power": (pytest.approx(215.5), "W"),
        "gpu0.temperature": (pytest.approx(64.0), "°C"),
        "gpu0.sm_clock": (1.98e9, "Hz"),
        "gpu0.mem_clock": (1.249e9, "Hz"),
        "gpu0.power_limit": (pytest.approx(300.0), "W"),
    }
    probe.close()


def test_facts_tell_what_the_gpu_is(tmp_path: Path) -> None:
    assert AmdGpu(root=_card(tmp_path, "card0", CARD)).facts() == {
        "gpu0.name": "Some GPU",
        "gpu0.driver": "amdgpu",
        "gpu0.total": 24 * GIB,
        "gpu0.gtt_total": 32 * GIB,
        "gpu0.power_limit": 300.0,
        "gpu0.power_default": 327.0,
    }


def test_a_gpu_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    files = {
        name: text for name, text in CARD.items() if name not in ("product_name", "hwmon/hwmon3/power1_cap")
    }
    facts = AmdGpu(root=_card(tmp_path, "card0", files)).facts()
    assert (facts["gpu0.name"], facts["gpu0.power_limit"]) == ("AMD GPU 0x744c", None)


def test_a_gpu_that_shows_only_its_present_power_is_read_by_that(tmp_path: Path) -> None:
    files = {name.replace("power1_average", "power1_input"): text for name, text in CARD.items()}
    assert AmdGpu(root=_card(tmp_path, "card0", files)).read()["gpu0.power"][0] == pytest.approx(215.5)


def test_what_the_driver_does_not_show_is_absent_with_the_reason(tmp_path: Path) -> None:
    files = {name: text for name, text in CARD.items() if name != "mem_busy_percent"}
    probe = AmdGpu(root=_card(tmp_path, "card0", files))
    assert "gpu0.mem_util" not in probe.read()
    assert probe.absent() == {
        "gpu0.mem_util": "the amdgpu driver does not show it for this GPU",
        "gpu0.server": "the amdgpu driver does not show how much memory each process uses",
        "gpu0.foreign": "the amdgpu driver does not show how much memory each process uses",
        "gpu0.throttle": "the amdgpu driver does not show why clocks are low",
    }


def test_a_file_that_fails_for_once_leaves_out_its_series_alone(tmp_path: Path) -> None:
    probe = AmdGpu(root=_card(tmp_path, "card0", CARD))
    busy = tmp_path / "card0" / "device" / "gpu_busy_percent"
    busy.write_text("")
    assert "gpu0.util" not in probe.read()
    assert "gpu0.used" in probe.read()
    busy.write_text("3\n")
    assert probe.read()["gpu0.util"][0] == pytest.approx(0.03)


def test_gpus_are_numbered_after_those_of_other_makers_in_the_order_of_cards(tmp_path: Path) -> None:
    _card(tmp_path, "card10", CARD | {"mem_info_vram_used": "10"})
    _card(tmp_path, "card2", CARD | {"mem_info_vram_used": "2"})
    found = AmdGpu(first=1, root=tmp_path).read()
    assert (found["gpu1.used"][0], found["gpu2.used"][0]) == (2.0, 10.0)


@pytest.mark.parametrize(
    ("card", "changes"),
    [("card0", {"vendor": "0x10de"}), ("card0-DP-1", {}), ("renderD128", {})],
)
def test_what_is_no_gpu_of_amd_is_passed_over(tmp_path: Path, card: str, changes: dict[str, str]) -> None:
    probe = AmdGpu(root=_card(tmp_path, card, CARD | changes))
    assert (probe.read(), probe.absent(), probe.facts()) == ({}, {}, {})


def test_a_machine_without_any_card_has_nothing(tmp_path: Path) -> None:
    assert AmdGpu(root=tmp_path / "none").read() == {}
