"""Files that are replaced in one step."""

import os
import stat
from pathlib import Path

import pytest

from bulk_update.edge.whole_file import replace_file


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_takes_the_place_of_what_was_there(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o777)
    before = path.stat().st_ino
    replace_file(path, b"new", mode)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_is_what_it_should_be_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "file", b"", 0o644)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_who_reads_it_sees_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with path.open("rb") as reading:
        replace_file(path, b"new", 0o644)
        assert reading.read() == b"old"


def test_what_cannot_be_replaced_is_left_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "folder", b"new", 0o644)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "file", b"new", 0o644)
