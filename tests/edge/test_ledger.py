"""The ledger on disk: made with care, locked, verified, and mended where it is torn."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_update.edge.ledger import (
    LedgerFile,
    open_ledger_file,
    open_ledger_for_reading,
)
from bulk_update.errors import LedgerError, LedgerUnwritable
from bulk_update.pure.ledger_lines import encode_line
from bulk_update.pure.seals import Append, Seal
from tests.pure.paper import request_line, run_line, sealed

RUN = encode_line(run_line())


def read(path: Path) -> tuple[list[bytes], bytes]:
    """Read a ledger as the next run would: its appends, and the torn tail."""
    appends: list[Append] = []
    with open_ledger_for_reading(path) as file:
        tail = file.read(appends.append)
    return [append.lines for append in appends], tail


# ------------------------------------------------------------------------------------- the file


async def test_a_write_that_takes_only_a_part_goes_on_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:7]))
    with open_ledger_file(tmp_path / "ledger") as file:
        await file.append(sealed(RUN))
    assert read(tmp_path / "ledger") == ([RUN], b"")


def test_a_new_ledger_is_for_its_owner_alone_and_its_folder_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    mask = os.umask(0)
    try:
        with open_ledger_file(tmp_path / "ledger") as file:
            assert file.is_new
            assert stat.S_IMODE((tmp_path / "ledger").stat().st_mode) == 0o600
    finally:
        os.umask(mask)
    assert synced == [str(tmp_path)]


@pytest.mark.parametrize("mode", [0o600, 0o604, 0o640, 0o644, 0o666, 0o700])
def test_a_ledger_that_others_may_use_is_closed_to_them(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ledger"
    path.touch()
    path.chmod(mode)
    with open_ledger_file(path) as file:
        assert stat.S_IMODE(path.stat().st_mode) == mode
        file.close_to_others()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mode_of_a_ledger_is_left_where_it_cannot_be_set_or_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    path.touch()
    path.chmod(0o644)

    def refuse(_descriptor: int, _mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with open_ledger_file(path) as file:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fchmod", refuse)
            file.close_to_others()
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
        file.close_to_others()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_ledger_that_got_no_line_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("ledger", "link"):
        with open_ledger_file(tmp_path / name) as file:
            assert file.path.exists()
        with pytest.raises(RuntimeError), open_ledger_file(tmp_path / name):
            raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_ledger_that_was_there_or_holds_something_is_left(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with open_ledger_file(tmp_path / "empty"):
        pass
    with open_ledger_file(tmp_path / "torn") as file:
        os.write(file.descriptor, b"\0")
    with open_ledger_file(tmp_path / "moved") as file:
        file.path.rename(tmp_path / "elsewhere")
        file.path.touch()
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "torn", "moved", "elsewhere"}


def test_a_ledger_in_use_is_left_by_who_is_refused(tmp_path: Path) -> None:
    with open_ledger_file(tmp_path / "ledger") as file:
        with pytest.raises(LedgerError), open_ledger_file(tmp_path / "ledger"):
            pass
        assert file.is_in_place()


def test_a_ledger_that_is_removed_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock = tmp_path / "ledger", fcntl.flock
    removed: list[bool] = []

    def late(descriptor: int, how: int) -> None:
        if not removed:
            path.unlink()
            removed.append(True)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with open_ledger_file(path) as file:
        assert file.is_in_place()
    assert not path.exists()


def test_a_ledger_that_another_has_is_refused_and_its_process_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with open_ledger_file(path):
        with pytest.raises(LedgerError, match=f"in use by process {os.getpid()}"), open_ledger_file(path):
            raise AssertionError
        # To read it is no use of it.
        assert read(path) == ([], b"")
    with open_ledger_file(path) as file:
        assert file.size == 0


def test_a_ledger_stays_locked_when_it_is_read_and_closed_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with open_ledger_file(path):
        read(path)
        path.read_bytes()
        with pytest.raises(LedgerError, match="in use"), open_ledger_file(path):
            raise AssertionError


def test_a_link_to_a_ledger_is_that_ledger(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(sealed(RUN))
    (tmp_path / "link").symlink_to("real")
    with open_ledger_file(tmp_path / "real"):
        with pytest.raises(LedgerError, match="in use"), open_ledger_file(tmp_path / "link"):
            raise AssertionError
    assert read(tmp_path / "link") == ([RUN], b"")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/full")


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (fifo, "not a regular file"),
        (device, "not a regular file"),
        (Path.mkdir, "Is a directory"),
        (loop, "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_regular_file_is_no_ledger(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "ledger"
    make(path)
    with pytest.raises(LedgerError, match=words), open_ledger_file(path):
        raise AssertionError
    if make is not loop:
        with pytest.raises(LedgerError, match="not a regular file"), open_ledger_for_reading(path):
            raise AssertionError


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_ledger_that_cannot_be_made_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    opened = os.open

    def refuse(path: Path, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(number, os.strerror(number))
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    expected = LedgerUnwritable if number == errno.ENOSPC else LedgerError
    with pytest.raises(expected, match=os.strerror(number)), open_ledger_file(tmp_path / "ledger"):
        raise AssertionError


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="No such file or directory"), open_ledger_file(tmp_path / "no" / "ledger"):
        raise AssertionError


def test_a_ledger_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"), open_ledger_file(tmp_path / "l", must_exist=True):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize("text", [b"hello\n", b'{"type":"result"', b"\0\0hello", b"[]\n", b'{"organizationId":"o"}\n'])
def test_another_file_is_not_taken_for_a_ledger(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "file").write_bytes(text)
    with open_ledger_file(tmp_path / "file") as file, pytest.raises(LedgerError, match="is not a ledger"):
        file.read(lambda _: None)
    assert (tmp_path / "file").read_bytes() == text


@pytest.mark.parametrize("kept", [0, 1, 10, 22, 40, 200])
@pytest.mark.parametrize("zeros", [0, 1, 50])
def test_a_first_append_that_is_torn_is_a_torn_tail(tmp_path: Path, kept: int, zeros: int) -> None:
    text = RUN[:kept] + bytes(zeros)
    (tmp_path / "ledger").write_bytes(text)
    assert read(tmp_path / "ledger") == ([], text)


def test_damage_is_told_with_its_line_and_what_to_do(tmp_path: Path) -> None:
    text = sealed(RUN, request_line(1, 1), request_line(2, 1))
    (tmp_path / "ledger").write_bytes(text.replace(b'"attempt":1', b'"attempt":2', 1))
    with pytest.raises(LedgerError, match=r"is damaged at line 3: .* Nothing was sent\. Restore the ledger"):
        read(tmp_path / "ledger")


def test_damage_in_the_last_append_is_told_unless_a_power_cut_may_have_done_it(tmp_path: Path) -> None:
    path, first, last = tmp_path / "ledger", sealed(RUN), sealed(request_line(1, 1), after=Seal().next(RUN))
    path.write_bytes(first + last.replace(b'"attempt":1', b'"attempt":2'))
    with pytest.raises(LedgerError, match=r"is damaged at line 3: found lines up to 3 changed"):
        read(path)
    path.write_bytes(first + last.replace(b'"attempt":1', b'"attempt":\0'))
    assert read(path) == ([RUN], last.replace(b'"attempt":1', b'"attempt":\0'))


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(sealed(encode_line(run_line(form=2))))
    with pytest.raises(LedgerError, match="format 2"), open_ledger_for_reading(tmp_path / "ledger") as file:
        from bulk_update.pure.ledger_state import LedgerState

        file.read(LedgerState().fold)


def test_a_torn_tail_is_cut_off_and_kept_and_writing_goes_on_behind_what_is_whole(tmp_path: Path) -> None:
    path, keep = tmp_path / "ledger", tmp_path / "ledger.torn-1"
    whole, torn = sealed(RUN), request_line(1, 1)[:-5]
    path.write_bytes(whole + torn)
    with open_ledger_file(path) as file:
        file.cut(file.read(lambda _: None), keep)
        file._append(sealed(request_line(2, 1), after=file.seal))  # noqa: SLF001
    assert read(path) == ([RUN, request_line(2, 1)], b"")
    assert keep.read_bytes() == torn
    assert stat.S_IMODE(keep.stat().st_mode) == 0o600


def test_a_tail_that_cannot_be_kept_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(sealed(RUN) + b"torn")
    (tmp_path / "there").write_bytes(b"something else")
    with open_ledger_file(path) as file:
        tail = file.read(lambda _: None)
        for keep in (tmp_path / "there", tmp_path / "no" / "folder"):
            with pytest.raises(LedgerError, match="torn tail that cannot be cut off"):
                file.cut(tail, keep)
    assert path.read_bytes() == sealed(RUN) + b"torn"
    assert (tmp_path / "there").read_bytes() == b"something else"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_disk_that_does_not_take_a_torn_tail_makes_it_worth_running_again_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path, keep = tmp_path / "ledger", tmp_path / "ledger.torn-1"
    path.write_bytes(sealed(RUN) + b"torn")

    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with open_ledger_file(path) as file:
        tail = file.read(lambda _: None)
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(LedgerUnwritable, match=f"cannot be written: {os.strerror(number)}; .* in {keep}") as caught:
            file.cut(tail, keep)
        with pytest.raises(LedgerUnwritable, match="Nothing was sent; make room or mend the disk"):
            file.sync()
    assert caught.value.exit_code == 3
    assert path.read_bytes() == sealed(RUN) + b"torn"
    assert not keep.exists()


def test_a_line_is_found_again_where_its_append_says(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(sealed(RUN, request_line(1, 1) + request_line(2, 1)))
    appends: list[Append] = []
    with open_ledger_for_reading(path) as file:
        assert isinstance(file, LedgerFile)
        file.read(appends.append)
        second = appends[1]
        assert file.bytes_at(second.offset, len(second.lines)) == second.lines
        first: list[Append] = []
        file.read_first(first.append)
        assert first == appends[:1]


def test_only_what_is_sealed_is_seen_while_a_run_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(sealed(RUN) + request_line(1, 1))
    assert read(path) == ([RUN], request_line(1, 1))
