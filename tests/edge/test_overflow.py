"""The temporary file of rows that wait: nobody else can read it, and nothing of it is left."""

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@given(st.lists(st.lists(st.binary(max_size=2_000), max_size=4), max_size=6), st.randoms())
def test_chunks_come_back_as_they_were_in_any_order(writes: list[list[bytes]], chance: object) -> None:
    with TemporaryOverflow() as overflow:
        places = [pair for chunks in writes for pair in zip(overflow.store(chunks), chunks, strict=True)]
        assert len({place for place, _ in places}) == sum(map(len, writes))
        chance.shuffle(places)  # type: ignore[attr-defined]
        for place, chunk in [*places, *places]:
            assert overflow.load(place) == chunk


def test_a_chunk_larger_than_any_buffer_comes_back(folder: Path) -> None:
    chunk = os.urandom(1_000) * 20_000
    with TemporaryOverflow() as overflow:
        before, place = overflow.store([b"before", chunk])
        assert overflow.load(place) == chunk
        assert overflow.load(before) == b"before"


def test_the_file_has_no_name_and_its_owner_alone_may_read_it(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        assert not os.listdir(folder)  # noqa: PTH208 - hidden names, too
        overflow.store([b"an id of a customer"])
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
        overflow.store([b"x"])


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the system take what fits of a write, and refuse the next one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_is_told_and_what_was_stored_before_is_there(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        first, second = overflow.store([b"a" * 30, b"b" * 30])
        with no_file_larger_than(100), pytest.raises(OSError, match="too large"):
            overflow.store([b"c" * 10, b"d" * 30])
        (third,) = overflow.store([b"e" * 20])
        assert [overflow.load(place) for place in (first, second, third)] == [b"a" * 30, b"b" * 30, b"e" * 20]


def test_a_place_is_a_number_of_64_bits_however_large_the_file(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        overflow.store([b"x"])
        overflow._end = 2**40 - 100  # noqa: SLF001 - the file has a hole now
        (place,) = overflow.store([b"y" * 50])
        assert place < 2**64
        assert overflow.load(place) == b"y" * 50
        with pytest.raises(OSError, match="too large"):
            overflow.store([b"z" * 50])


def test_a_file_that_was_cut_is_told_and_never_read_as_less(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        (place,) = overflow.store([b"x" * 100])
        file = overflow._file  # noqa: SLF001
        assert file is not None
        file.truncate(50)
        with pytest.raises(OSError, match="cut"):
            overflow.load(place)


def test_after_the_run_the_file_is_gone(folder: Path) -> None:
    with TemporaryOverflow() as overflow:
        overflow.store([b"x"])
        file = overflow._file  # noqa: SLF001
    assert file is not None
    assert file.closed
