"""The temporary file of rows that wait: nobody else can read it, and nothing of it is left."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.edge.overflow import TemporaryOverflow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder for temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@given(st.lists(st.binary(max_size=2_000), max_size=12), st.randoms())
def test_chunks_come_back_as_they_were_in_any_order(chunks: list[bytes], chance: object) -> None:
    with TemporaryOverflow() as overflow:
        places = [(overflow.store(chunk), chunk) for chunk in chunks]
        assert len({place for place, _ in places}) == len(chunks)
        chance.shuffle(places)  # type: ignore[attr-defined]
        for place, chunk in [*places, *places]:
            assert overflow.load(place) == chunk


def test_a_chunk_larger_than_any_buffer_comes_back(folder: Path) -> None:
    chunk = os.urandom(1_000) * 20_000
    with TemporaryOverflow() as overflow:
        before = overflow.store(b"before")
        place = overflow.store(chunk)
        assert overflow.load(place) == chunk
        assert overflow.load(before) == b"before"


def test_the_file_has_no_name_and_its_owner_alone_may_read_it(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        assert not os.listdir(folder)  # noqa: PTH208 - hidden names, too
        overflow.store(b"an id of a customer")
        assert not os.listdir(folder)  # noqa: PTH208
        file = overflow._file  # noqa: SLF001
        assert file is not None
        assert os.fstat(file.fileno()).st_mode & 0o077 == 0
        assert os.fstat(file.fileno()).st_size > 0


def test_no_file_is_made_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with TemporaryOverflow() as overflow, pytest.raises(ValueError, match="0"):
        overflow.load(0)


def test_where_there_is_no_folder_storing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with TemporaryOverflow() as overflow, pytest.raises(OSError, match="No such file"):
        overflow.store(b"x")


_TEMPORARY_FILE = tempfile.TemporaryFile


class Narrow:
    """A file that takes little at a time, and is full at some point."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._file = _TEMPORARY_FILE(buffering=0)

    def write(self, data: bytes) -> int:
        if self._room <= 0:
            raise OSError(28, "No space left on device")
        written = self._file.write(data[: min(7, self._room)])
        self._room -= written
        return written

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 5)) if size > 8 else self._file.read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def test_a_disk_that_fills_up_is_told_and_what_was_stored_before_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulk_update.edge.overflow.tempfile.TemporaryFile", lambda buffering: Narrow(100))
    with TemporaryOverflow() as overflow:
        first, second = overflow.store(b"a" * 30), overflow.store(b"b" * 30)
        with pytest.raises(OSError, match="No space"):
            overflow.store(b"c" * 30)
        assert (overflow.load(first), overflow.load(second)) == (b"a" * 30, b"b" * 30)


def test_a_file_that_was_cut_is_told_and_never_read_as_less(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        place = overflow.store(b"x" * 100)
        file = overflow._file  # noqa: SLF001
        assert file is not None
        file.truncate(50)
        with pytest.raises(OSError, match="cut"):
            overflow.load(place)


def test_after_the_run_the_file_is_gone(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        overflow.store(b"x")
        file = overflow._file  # noqa: SLF001
    assert file is not None
    assert file.closed
