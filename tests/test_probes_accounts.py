"""Single processes and the machine: files that are made up, then real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from olbench.probes.accounts import (
    LinuxAccount,
    LinuxMachine,
    Memory,
    Private,
    PsutilAccount,
    PsutilMachine,
    Space,
    Ticks,
    account,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
HERTZ = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    one = tmp_path / "7"
    one.mkdir()
    (one / "status").write_text("VmRSS:\t    30 kB\nRssAnon:\t 10 kB\nRssFile:\t 16 kB\nRssShmem:\t 4 kB\n")
    (one / "stat").write_text("7 (a b) 1) S 1 7 7 0 -1 0 0 0 0 0 250 50 9 9 20 0 5 0 4711 0 0\n")
    (one / "smaps_rollup").write_text(
        "0-1 ---p 00:00 0 [rollup]\nRss: 30 kB\nPss: 20 kB\nPss_Anon: 9 kB\nPrivate_Clean: 5 kB\n"
        "Private_Dirty: 10 kB\nPrivate_Hugetlb: 0 kB\n"
    )
    (tmp_path / "stat").write_text("cpu  100 20 30 9000 800 4 6 50 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    (tmp_path / "vmstat").write_text("nr_x 1\npgpgin 5\npswpin 3\npswpout 2\n")
    (tmp_path / "meminfo").write_text(
        "MemTotal: 100 kB\nMemAvailable: 60 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n"
    )
    return tmp_path


@linux
def test_a_process_is_read_from_its_files(proc: Path) -> None:
    one = LinuxAccount(7, proc)
    assert one.memory() == Memory(30 * 1024, 10 * 1024, 16 * 1024)
    assert one.cpu() == pytest.approx(300 / HERTZ)
    assert one.private() == Private(15 * 1024, 20 * 1024)
    one.close()


@linux
def test_a_process_without_memory_has_ended(proc: Path) -> None:
    (proc / "7" / "status").write_text("Name:\tx\nState:\tZ (zombie)\n")
    (proc / "7" / "smaps_rollup").unlink()
    one = LinuxAccount(7, proc)
    assert (one.memory(), one.private()) == (None, None)
    one.close()


@linux
def test_the_machine_is_read_from_its_files(proc: Path) -> None:
    one = LinuxMachine(proc)
    page = os.sysconf("SC_PAGE_SIZE")
    # user 100, nice 20, system 30, interrupts 4 and 6; idle 9000, waiting 800, stolen 50, guests within user
    assert one.ticks() == Ticks(160 / HERTZ, 50 / HERTZ, 3 * page, 2 * page)
    assert one.space() == Space(60 * 1024, 30 * 1024)
    one.close()


@linux
def test_waits_for_memory_are_those_of_some_task(proc: Path) -> None:
    (proc / "pressure").mkdir()
    (proc / "pressure" / "memory").write_text(
        "some avg10=1.00 avg60=0.50 avg300=0.10 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
    )
    one = LinuxMachine(proc)
    assert one.waited() == 2.5
    one.close()


@linux
def test_a_kernel_that_tells_less_leaves_it_unknown(proc: Path) -> None:
    (proc / "vmstat").write_text("nr_x 1\n")
    (proc / "meminfo").write_text("MemTotal: 100 kB\n")
    one = LinuxMachine(proc)
    assert (one.ticks().swapped_in, one.space(), one.waited()) == (None, Space(None, None), None)
    one.close()


# --- real processes -------------------------------------------------------------------------------------------


@pytest.fixture
def holding() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds 32 MiB."""
    asked = [sys.executable, "-c", "held = bytearray(b'x') * 2**25; print(flush=True); input()"]
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        yield one
        one.kill()


@linux
def test_files_and_psutil_agree_on_a_real_process(holding: subprocess.Popen[bytes]) -> None:
    files, other = LinuxAccount(holding.pid), PsutilAccount(holding.pid)
    mine, theirs = files.memory(), other.memory()
    assert mine is not None
    assert theirs is not None
    assert mine.anon is not None
    assert mine.rss == pytest.approx(theirs.rss, rel=0.01)
    assert 2**25 < mine.anon < mine.rss
    own, their_own = files.private(), other.private()
    assert own is not None
    assert their_own is not None
    assert 2**25 < own.uss <= mine.rss
    assert own.uss == pytest.approx(their_own.uss, rel=0.01)
    assert files.cpu() == pytest.approx(other.cpu(), abs=0.05)
    files.close()


def test_a_process_that_has_been_ended_gives_nothing(holding: subprocess.Popen[bytes]) -> None:
    one, other = account(holding.pid), PsutilAccount(holding.pid)
    assert one is not None
    holding.kill()
    holding.wait(10)
    assert (one.memory(), one.cpu(), one.private()) == (None, None, None)
    assert (other.memory(), other.cpu(), other.private()) == (None, None, None)
    assert account(holding.pid) is None
    one.close()


def test_psutil_reads_the_machine() -> None:
    one = PsutilMachine()
    assert one.ticks().busy > 0
    assert (one.space().available or 0) > 2**20
