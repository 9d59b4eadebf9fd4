"""Files in and out."""

from pathlib import Path

import pytest

from olbench.errors import OlbenchError, UsageError
from olbench.verbs import files


def names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def test_text_goes_out_and_comes_in_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "in" / "通义.txt"
    files.write(path, "one\ntwo 千问\n")
    assert path.read_bytes() == "one\ntwo 千问\n".encode()
    assert files.read(path) == "one\ntwo 千问\n"


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfname = 1")
    assert files.read(tmp_path / "a.toml") == "name = 1"


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        files.read(tmp_path / "a.toml")
    assert str(caught.value) == f"{tmp_path}/a.toml: it cannot be read (No such file or directory)"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"it cannot be read \(Is a directory\)"):
        files.read(tmp_path)


def test_a_file_in_another_encoding_names_the_byte(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes("name = 'für'".encode("latin-1"))
    with pytest.raises(UsageError, match=r"a\.toml: byte 9 is not UTF-8; a file in UTF-8 would do"):
        files.read(tmp_path / "a.toml")


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    files.write(path, "old and longer")
    files.write(path, "new")
    assert files.read(path) == "new"
    assert names(tmp_path) == ["a.html"]


def test_everybody_may_read_what_was_written(tmp_path: Path) -> None:
    files.write(tmp_path / "a.html", "")
    assert (tmp_path / "a.html").stat().st_mode & 0o777 == 0o644


def test_text_that_cannot_be_encoded_leaves_what_was_there(tmp_path: Path) -> None:
    files.write(tmp_path / "a.txt", "before")
    with pytest.raises(UnicodeEncodeError):
        files.write(tmp_path / "a.txt", "after \ud800")
    assert names(tmp_path) == ["a.txt"]
    assert files.read(tmp_path / "a.txt") == "before"


def test_a_place_that_cannot_be_written_is_a_sentence_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OlbenchError, match=r"folder\.html: it cannot be written \(Is a directory\)"):
        files.write(tmp_path / "folder.html", "text")
    assert names(tmp_path) == ["folder.html"]


def test_a_file_where_a_folder_should_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OlbenchError, match=r"file/a\.html: it cannot be written"):
        files.write(tmp_path / "file" / "a.html", "text")
