"""What memory gives: measured plausibly, kept, and put beside a run."""

import json
from pathlib import Path

import pytest

from olbench.model import Bandwidth
from olbench.probes import bandwidth
from olbench.store import Store
from olbench.verbs import bandwidth as verb

SEEN = Bandwidth(
    at="2026-11-22T22:00:00Z",
    olbench="0.1",
    machine="0123456789ab",
    threads=2,
    array=2**27,
    add=2e10,
    read=1e10,
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidth, "_array_bytes", lambda *_: 2**22)
    monkeypatch.setattr(bandwidth, "PASSES", 3)


@pytest.mark.usefixtures("small")
def test_memory_gives_more_than_a_floppy_and_less_than_the_cache_of_a_hundred_cores() -> None:
    steps: list[str] = []
    seen = bandwidth.measure(steps.append)
    assert 1e8 < seen.add < 1e13
    assert 1e8 < seen.read < 1e13
    assert steps[0] == "1 thread"
    assert (seen.array, seen.machine) == (2**22, bandwidth.machine_of())
    assert len(seen.machine) == 12


@pytest.mark.usefixtures("small")
def test_a_thread_without_memory_ends_the_measuring_and_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*_: object) -> object:
        raise MemoryError("no room for an array")

    monkeypatch.setattr("numpy.zeros", none_left)
    with pytest.raises(MemoryError, match="no room"):
        bandwidth._fastest(lambda *_: None, 2, 16)


@pytest.mark.parametrize(
    ("usable", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 3]), (8, [1, 4, 8]), (64, [1, 32, 64])]
)
def test_all_cores_half_of_them_and_one_are_tried(usable: int, counts: list[int]) -> None:
    assert bandwidth._counts(usable) == counts


def test_arrays_are_four_times_the_largest_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plenty:
        available = 2**40

    monkeypatch.setattr("psutil.virtual_memory", Plenty)
    assert bandwidth._array_bytes(tmp_path, None) == 4 * bandwidth.CACHE_GUESS
    for index, size in enumerate(("32K", "512K", "30M", "garbled", "")):
        place = tmp_path / f"sys/devices/system/cpu/cpu0/cache/index{index}"
        place.mkdir(parents=True)
        (place / "size").write_text(f"{size}\n")
    assert bandwidth._array_bytes(tmp_path, None) == 120 * 2**20
    Plenty.available = 10**9
    assert bandwidth._array_bytes(tmp_path, None) == int(10**9 * 0.2 / 3)
    assert bandwidth._array_bytes(tmp_path, 10**9 // 2) == int(10**9 * 0.1 / 3)
    Plenty.available = 2**20
    with pytest.raises(OSError, match="48 MiB would do"):
        bandwidth._array_bytes(tmp_path, None)


def test_the_faster_kernel_is_the_bandwidth_and_apple_has_a_table() -> None:
    way = "measured 2026-11-22 on 2 threads, best of 12 passes"
    plain = {"ram.bandwidth": 2e10, "ram.bandwidth_by": way}
    assert bandwidth.facts(SEEN, "AMD EPYC") == plain
    assert bandwidth.facts(SEEN, None) == plain
    apple = {"unified.bandwidth": 200e9, "unified.bandwidth_by": "vendor's table"}
    assert bandwidth.facts(SEEN, "Apple M1 Pro") == plain | apple


def test_a_machine_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def measure() -> Bandwidth:
        taken.append(1)
        return SEEN

    monkeypatch.setattr(bandwidth, "measure", measure)
    monkeypatch.setattr(bandwidth, "machine_of", lambda: SEEN.machine)
    store = Store(tmp_path / "a.db")
    assert verb.known(store, None, anew=False) == {}
    assert [verb.known(store, None, anew=anew)["ram.bandwidth"] for anew in (True, True, False)] == [2e10] * 3
    assert taken == [1]
    assert store.bandwidth("another") is None
    store.close()


def test_a_machine_short_of_memory_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure() -> Bandwidth:
        raise OSError("3 MiB of memory could be used; 48 MiB would do")

    monkeypatch.setattr(bandwidth, "measure", measure)
    store = Store(tmp_path / "a.db")
    assert verb.known(store, None, anew=True) == {}
    assert "note: the memory's bandwidth is unknown: 3 MiB" in capsys.readouterr().err
    store.close()


@pytest.mark.usefixtures("small")
def test_the_verb_says_it_and_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.main(as_json=False, db=tmp_path / "a.db") == 0
    assert capsys.readouterr().out.startswith("This machine's memory gives ")
    assert verb.main(as_json=True, db=tmp_path / "a.db") == 0
    said = json.loads(capsys.readouterr().out)
    store = Store(tmp_path / "a.db")
    kept = store.bandwidth(bandwidth.machine_of())
    store.close()
    assert kept is not None
    assert (said["add"], said["read"]) == (kept.add, kept.read)
