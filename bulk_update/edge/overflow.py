"""A temporary file for rows that wait and do not fit in memory. It has no name and vanishes with the run."""

import errno
import os
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Final, Self

_HEAD: Final = 8
"""Bytes before a chunk that tell its size."""

_HINT_BITS: Final = 24
_HINT: Final = (1 << _HINT_BITS) - 1
"""A place is an offset, and these bits tell how much to read there at once: the chunk, unless it is larger."""

_MOST: Final = 1 << (64 - _HINT_BITS)
"""Bytes of the file, at most: a place fits in 64 bits."""


class TemporaryOverflow:
    """Keep chunks in an unnamed temporary file, made when it is first needed, readable by nobody else.

    Implements `pure.batching.Overflow`. `TMPDIR` tells where. A place is never used twice, so the file
    grows to the size of all that was ever put away.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0

    def __enter__(self) -> Self:
        """Do nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the file vanish."""
        if self._file is not None:
            self._file.close()

    def store(self, chunks: Sequence[bytes]) -> Sequence[int]:
        """Put chunks at the end, in one write; return their places. OSError when the disk is full."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as the overflow
        framed = [piece for chunk in chunks for piece in (len(chunk).to_bytes(_HEAD, "little"), chunk)]
        rest, end = memoryview(b"".join(framed)), self._end
        if end + len(rest) > _MOST:
            raise OSError(errno.EFBIG, "the temporary file of waiting rows is too large")
        while rest:
            written = os.pwrite(self._file.fileno(), rest, end)
            rest, end = rest[written:], end + written
        places = []
        for chunk in chunks:
            size = _HEAD + len(chunk)
            places.append(self._end << _HINT_BITS | min(size, _HINT))
            self._end += size
        return places

    def load(self, place: int) -> bytes:
        """Read the chunk at a place."""
        if self._file is None:
            raise ValueError(place)
        offset, descriptor = place >> _HINT_BITS, self._file.fileno()
        block = os.pread(descriptor, place & _HINT, offset)
        size = int.from_bytes(block[:_HEAD], "little")
        chunk = block[_HEAD:]
        while len(chunk) < size:
            piece = os.pread(descriptor, size - len(chunk), offset + _HEAD + len(chunk))
            if not piece:
                raise OSError(0, "the temporary file of waiting rows was cut")
            chunk += piece
        return chunk
