"""The cache folder: a file comes into it whole or not at all."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from olbench.engines import cache, lifeline


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), cache.written(tmp_path / "new" / "file") as part:  # noqa: PT012
        part.write_text("half")
        raise ZeroDivisionError
    assert list((tmp_path / "new").iterdir()) == []


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with cache.written(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_at_once_both_end_with_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with cache.written(target) as one, cache.written(target) as other:
        one.write_text("one")
        other.write_text("other")
    assert target.read_text() == "one"  # left last
    assert list(tmp_path.iterdir()) == [target]


KILLED = """
import sys
from pathlib import Path
from olbench.engines.cache import written
with written(Path(sys.argv[1])) as part:
    part.write_text("half")
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_writer_that_is_killed_leaves_no_half_file_and_its_part_is_swept_later(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)],
        env=lifeline.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        writer.kill()
    (part,) = tmp_path.iterdir()
    assert part.suffix == ".part"
    with cache.written(target) as mine:
        mine.write_text("whole")
    assert part.exists()  # it may be at work still
    long_ago = time.time() - 7200
    os.utime(part, (long_ago, long_ago))
    with cache.written(target) as mine:
        mine.write_text("whole")
    assert list(tmp_path.iterdir()) == [target]


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert cache.sha256(file, tmp_path) == abc
    known = tmp_path / "digests.json"
    known.write_text(known.read_text().replace(abc, "as remembered"))
    assert cache.sha256(file, tmp_path) == "as remembered"
    file.write_text("abcd")
    assert cache.sha256(file, tmp_path) == cache.hashed(file)
    known.write_text("garbage")
    assert cache.sha256(file, tmp_path) == cache.hashed(file)


def test_the_folder_is_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OLBENCH_CACHE", str(tmp_path))
    assert cache.folder() == tmp_path
    monkeypatch.delenv("OLBENCH_CACHE")
    assert cache.folder().name == "olbench"
