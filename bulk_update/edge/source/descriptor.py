"""What the system gives: files, pipes and standard input."""

import fcntl
import os
import select
import stat
import threading
from contextlib import suppress
from typing import IO, Final

from bulk_update.edge.source.naming import STANDARD_INPUT, refusal

BLOCK: Final = 262_144
"""Bytes asked for at once, and about as many in a block."""


class Descriptor:
    """A file descriptor that a worker thread reads and another thread may close meanwhile.

    `is_stream`: reading it may wait for whoever writes. `size`: bytes that it has to give, if that is known.
    """

    def __init__(self, descriptor: int, *, owned: bool) -> None:
        status = os.fstat(descriptor)
        self.is_stream = not stat.S_ISREG(status.st_mode)
        self.size = None if self.is_stream else status.st_size - os.lseek(descriptor, 0, os.SEEK_CUR)
        self.bytes_read = 0
        self._descriptor = descriptor
        self._owned = [descriptor] if owned else []
        self._closed = False
        self._reading = threading.Lock()
        self._poll: select.poll | None = None
        if self.is_stream:
            # A thread that waits in read() can be left behind but not stopped, and the interpreter waits
            # for it before it exits. So it waits in poll(), which a byte in this pipe ends.
            self._woken, self._wake = os.pipe()
            self._owned += [self._woken, self._wake]
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLIN)
            self._poll.register(self._woken, select.POLLIN)
            if stat.S_ISFIFO(status.st_mode):
                with suppress(AttributeError, OSError):  # it is Linux's, and the size may be beyond a limit
                    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, BLOCK)

    def read(self) -> bytes:
        """Return what there is, as soon as there is something; empty at the end, and once closed."""
        with self._reading:
            while not self._closed and self._is_ready():
                try:
                    block = os.read(self._descriptor, BLOCK)
                except BlockingIOError:  # a pipe is opened without blocking, and another reader was faster
                    continue
                self.bytes_read += len(block)
                return block
        return b""

    @property
    def file(self) -> IO[bytes]:
        """A file object of a regular file, to read and seek in; closing it closes nothing here."""
        return open(self._descriptor, "rb", closefd=False)

    def begins_with(self, mark: bytes) -> bool:
        """Tell how a regular file begins, without reading it; not so if that cannot be read."""
        with suppress(OSError):
            return os.pread(self._descriptor, len(mark), 0) == mark
        return False

    def close(self) -> None:
        """End a read that waits, and close what was opened."""
        if self._poll is not None:
            os.write(self._wake, b"\0")
        if not self._reading.acquire(timeout=1):
            return  # another reader of the same terminal took what poll() had seen; the read may end yet
        self._closed = True
        self._reading.release()
        for descriptor in self._owned:
            os.close(descriptor)

    def _is_ready(self) -> bool:
        return self._poll is None or self._woken not in dict(self._poll.poll())


def open_descriptor(name: str) -> Descriptor:
    """Open a path without waiting for who writes into it, or take standard input."""
    try:
        if name == STANDARD_INPUT:
            return Descriptor(0, owned=False)
        return Descriptor(os.open(name, os.O_RDONLY | os.O_NONBLOCK), owned=True)
    except OSError as error:
        raise refusal(name, "cannot be opened", error) from None
