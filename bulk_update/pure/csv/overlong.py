"""A line that is too long to hold: passed over, and told of."""

import re
import zlib

from bulk_update.model import Invalid
from bulk_update.pure.csv.text import too_long
from bulk_update.pure.shape import MAX_RAW


class Overlong:
    """A line too long to hold: its first bytes, its size and its checksum."""

    def __init__(self, newline: str) -> None:
        self._line_end = re.compile(rb"\r?\n" if newline else rb"\r\n?|\n")
        self._waiting = b""  # a \r that may begin a line end
        self._head = b""
        self._size = 0
        self._check = 0

    def skip(self, block: bytes) -> bytes | None:
        """Take in what belongs to the line; return what follows it, or None while it goes on."""
        block = self._waiting + block
        self._waiting = b"\r" if block.endswith(b"\r") else b""
        piece = block.removesuffix(b"\r")
        line_end = self._line_end.search(piece)
        if line_end is not None:
            piece, self._waiting = block[: line_end.start()], b""
        self._head += piece[: MAX_RAW - len(self._head)]
        self._size += len(piece)
        self._check = zlib.crc32(piece, self._check)
        return block[line_end.end() :] if line_end else None

    def end(self, line: int, input: int, max_record: int) -> Invalid:
        r"""Tell what the line was; a `\r` that still waits was its end."""
        code, message = too_long(self._size, max_record)
        return Invalid(line, input, self._check, None, None, code, message, self._head)
