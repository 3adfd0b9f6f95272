"""A temporary file for rows that wait and do not fit in memory. It has no name and vanishes with the run."""

import tempfile
from types import TracebackType
from typing import IO, Self


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

    def store(self, chunk: bytes) -> int:
        """Put a chunk at the end; return its place. OSError when the disk is full."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as the overflow
        framed = memoryview(len(chunk).to_bytes(8, "little") + chunk)
        place = self._end
        self._file.seek(place)
        while framed:
            framed = framed[self._file.write(framed) :]
        self._end = place + 8 + len(chunk)
        return place

    def load(self, place: int) -> bytes:
        """Read the chunk at a place."""
        if self._file is None:
            raise ValueError(place)
        self._file.seek(place)
        size = int.from_bytes(self._file.read(8), "little")
        chunk = bytearray()
        while len(chunk) < size:
            piece = self._file.read(size - len(chunk))
            if not piece:
                raise OSError(0, "the temporary file of waiting rows was cut")
            chunk += piece
        return bytes(chunk)
