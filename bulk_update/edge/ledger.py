"""The ledger on disk: locked, verified, append-only.

What a crash leaves behind: whole appends, and at most one torn one at the end, which nobody was told of.
It is kept beside the ledger when it is cut off.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import anyio.to_thread

from bulk_update.errors import LedgerError, LedgerUnwritable
from bulk_update.pure.seals import Append, Damage, Seal, SealedReader

_BLOCK: Final = 1 << 20
_HEAD: Final = b'{"type":"run","format":'
_PRIVATE: Final = 0o600
_TRANSIENT: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What keeps a disk from being written for a while: it is full, or fails."""


class LedgerFile:
    """A ledger that this process holds: verified, locked, open for appending."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.is_new = os.fstat(descriptor).st_size == 0
        self.seal = Seal()

    @property
    def descriptor(self) -> int:
        """The open file, to be read from."""
        return self._descriptor

    def is_in_place(self) -> bool:
        """Tell whether its path still leads to it; also when that cannot be told."""
        try:
            there = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return os.path.samestat(there, os.fstat(self._descriptor))

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return os.fstat(self._descriptor).st_size

    def sync(self) -> None:
        """Put on disk what an earlier process wrote and did not live to sync. LedgerUnwritable when it cannot be.

        What is read is relied on; and were it still to be lost together with the first append of this
        process, two appends would be torn.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unusable(self.path, error) from None

    def read(self, fold: Callable[[Append], None]) -> bytes:
        """Verify all that is there and hand it to `fold`; return the torn tail, b"" when there is none.

        LedgerError, with the line number, when the ledger is damaged.
        """
        self._refuse_other_words()
        reader = SealedReader()
        try:
            for block in _blocks(self._descriptor):
                for append in reader.feed(block):
                    fold(append)
            tail = reader.finish()
        except Damage as damage:
            raise LedgerError(
                f"{self.path} is damaged at line {damage.line}: {damage.found}. Nothing was sent. "
                "Restore the ledger from a copy, or name another with --ledger to begin anew"
            ) from None
        except ValueError as error:
            raise LedgerError(f"{self.path} is not a ledger that this version can read: {error}") from None
        self.seal = reader.seal
        return tail

    def read_first(self, fold: Callable[[Append], None]) -> None:
        """Hand the first append to `fold`, as far as it is whole: it tells whose ledger this is.

        LedgerError when it is no ledger.
        """
        self._refuse_other_words()
        reader = SealedReader()
        with contextlib.suppress(Damage, ValueError):
            for append in reader.feed(os.pread(self._descriptor, _BLOCK, 0))[:1]:
                fold(append)

    def _refuse_other_words(self) -> None:
        head = os.pread(self._descriptor, len(_HEAD), 0)
        # A power cut may leave zeros where the first append should be: that is a torn tail.
        if not _HEAD.startswith(head.rstrip(b"\0")):
            raise LedgerError(f"{self.path} is not a ledger: it begins with other words; {_meant_by(self.path)}")

    def close_to_others(self) -> None:
        """Set the mode to 0600 where others may read a ledger of ours, as one that was restored from a copy."""
        with contextlib.suppress(OSError):  # some file systems have no modes, or do not let them be set
            found = os.fstat(self._descriptor)
            if stat.S_IMODE(found.st_mode) & ~_PRIVATE and found.st_uid == os.geteuid():
                os.fchmod(self._descriptor, _PRIVATE)

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Read a line again."""
        return os.pread(self._descriptor, size, offset)

    def cut(self, tail: bytes, keep: Path) -> None:
        """Cut off a torn tail and keep it in a file of its own. LedgerUnwritable when the disk does not take it."""
        try:
            _write_new(keep, tail)
            os.ftruncate(self._descriptor, self.size - len(tail))
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno in _TRANSIENT:
                raise _unwritable(self.path, error, f"; its torn tail is to be kept in {keep}") from None
            raise LedgerError(f"{self.path} has a torn tail that cannot be cut off: {_words(error)}") from None

    async def append(self, data: bytes) -> None:
        """Write and sync, in a thread. Implements `group_commit.Store`."""
        await anyio.to_thread.run_sync(self._append, data)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        os.fdatasync(self._descriptor)


@contextlib.contextmanager
def open_ledger_file(path: Path, *, must_exist: bool = False) -> Iterator[LedgerFile]:
    """Open and lock a ledger, and make it with mode 0600 when it is not there.

    One that was made here and got no line is removed at the end: a run that did not begin leaves nothing behind.
    LedgerError when it cannot be used: not a regular file, not writable, or another process has it. LedgerUnwritable
    when the disk is full, or fails.
    """
    was_there = True
    with contextlib.suppress(OSError):
        was_there = path.exists()
    file = _open_locked(path, must_exist=must_exist)
    try:
        yield file
    finally:
        if not was_there and file.size == 0:
            _remove(file)
        os.close(file.descriptor)


def _open_locked(path: Path, *, must_exist: bool) -> LedgerFile:
    """Open and lock the file that the path leads to: another process may have removed the one that was opened."""
    while True:
        descriptor = _open(path, must_exist=must_exist)
        try:
            _lock(path, descriptor)
            file = LedgerFile(path, descriptor)
            is_in_place = file.is_in_place()
        except BaseException:
            os.close(descriptor)
            raise
        if is_in_place:
            return file
        os.close(descriptor)


def _remove(file: LedgerFile) -> None:
    """Remove an empty ledger, under its lock; not the link that led to it."""
    if file.is_in_place():
        with contextlib.suppress(OSError):
            file.path.resolve().unlink()


@contextlib.contextmanager
def open_ledger_for_reading(path: Path) -> Iterator[LedgerFile]:
    """Open a ledger to read it, also while a run writes it: what is not sealed yet is not seen."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise LedgerError(f"{path} is not a regular file, so it cannot be a ledger")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be read: {_words(error)}") from None
    try:
        yield LedgerFile(path, descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, *, must_exist: bool) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        if must_exist:
            raise LedgerError(f"there is no ledger {path}") from None
        descriptor = _create(path, flags)
    except OSError as error:
        raise _unusable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LedgerError(f"{path} is not a regular file, so it cannot be a ledger; choose another --ledger")
    return descriptor


def _create(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | os.O_CREAT, _PRIVATE)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unusable(path, error) from None
    return descriptor


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise _unusable(path, error) from None
        raise LedgerError(
            f"{path} is in use by {_holder(descriptor)}; wait for it to end, or choose another --ledger"
        ) from None


def _holder(descriptor: int) -> str:
    """Name the process that holds the lock, as far as the system tells."""
    inode = str(os.fstat(descriptor).st_ino)
    with contextlib.suppress(OSError), Path("/proc/locks").open() as locks:
        for line in locks:
            fields = line.split()
            if "FLOCK" in fields and fields[5].rpartition(":")[2] == inode and fields[4] != "0":
                return f"process {fields[4]}"
    return "another process"


def _meant_by(path: Path) -> str:
    """Name the ledger of a file that somebody took for its ledger, if it has one."""
    for ending in (".ledger.ndjson", ".sandbox.ledger.ndjson"):
        ledger = path.with_name(path.name + ending)
        with contextlib.suppress(OSError):
            if ledger.is_file():
                return f"did you mean {ledger}?"
    return "name another"


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that was not there; remove what cannot be written whole."""
    with path.open("xb") as file:
        try:
            os.fchmod(file.fileno(), _PRIVATE)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise


def _unusable(path: Path, error: OSError) -> LedgerError | LedgerUnwritable:
    if error.errno in _TRANSIENT:
        return _unwritable(path, error)
    return LedgerError(f"the ledger {path} cannot be used: {_words(error)}; choose another with --ledger")


def _unwritable(path: Path, error: OSError, why: str = "") -> LedgerUnwritable:
    return LedgerUnwritable(
        f"the ledger {path} cannot be written: {_words(error)}{why}. Nothing was sent; "
        "make room or mend the disk, then run the same command again"
    )


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _blocks(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while block := os.pread(descriptor, _BLOCK, offset):
        offset += len(block)
        yield block
