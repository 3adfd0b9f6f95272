r"""Blocks of NDJSON in, changes out: lines end with `\n` alone, wherever the blocks are cut.

U+2028, U+0085, VT and FF are ordinary characters of a line; a `\r` before the `\n` is white space to JSON.
"""

import zlib
from collections.abc import Callable
from typing import Final

from bulk_update.model import Change, Invalid
from bulk_update.pure.refusals import invalid_record
from bulk_update.pure.shape import MAX_RAW
from bulk_update.pure.transcoding import UTF8

_WHITE_SPACE: Final = b" \t\r"
"""What may stand in a blank line: JSON's white space without the line's end."""

ReadRecord = Callable[[bytes, int, int], Change | Invalid]


class NdjsonReader:
    """Cut blocks of bytes into records and read each.

    `max_record`: bytes of one line, at most; a longer one is invalid, and no more of it than this is
    ever held. `source`: index of the input, from 0. `encoding`: what the bytes were before they became UTF-8.
    """

    def __init__(
        self, read_record: ReadRecord, source: int = 0, max_record: int = 16_777_216, encoding: str = UTF8
    ) -> None:
        self._read_record = read_record
        self._encoding = encoding
        self._source = source
        self._max_record = max_record
        self._line = 1
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._overlong: _Overlong | None = None

    def feed(self, block: bytes) -> list[Change | Invalid]:
        """Read the records that end within `block`; the rest waits for the next one."""
        end = block.rfind(b"\n")
        if end < 0:
            self._hold(block)
            return []
        outcomes: list[Change | Invalid] = []
        begin = 0
        if self._pending or self._overlong:
            begin = block.index(b"\n") + 1
            self._hold(block[: begin - 1])
            outcomes += self._release()
        if begin <= end:
            outcomes += self._read_lines(block[begin:end])
        self._hold(block[end + 1 :])
        return outcomes

    def finish(self) -> list[Change | Invalid]:
        """Read the last record, whose line has no end."""
        return self._release() if self._pending or self._overlong else []

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        if self._overlong is not None:
            self._overlong.add(piece)
            return
        self._pending.append(piece)
        self._pending_size += len(piece)
        if self._pending_size > self._max_record:
            self._overlong = _Overlong()
            for held in self._pending:
                self._overlong.add(held)
            self._pending = []

    def _release(self) -> list[Change | Invalid]:
        overlong, pending = self._overlong, self._pending
        self._overlong, self._pending, self._pending_size = None, [], 0
        if overlong is None:
            return self._read_lines(b"".join(pending))
        line, self._line = self._line, self._line + 1
        return [overlong.invalid(line, self._source, self._max_record)]

    def _read_lines(self, text: bytes) -> list[Change | Invalid]:
        read_record, source = self._read_record, self._source
        first = self._line
        lines = text.split(b"\n")
        self._line += len(lines)
        if not _is_utf8(text):
            read_record = _checking_text(read_record, self._encoding)
        if len(text) > self._max_record:
            read_record = _checking_size(read_record, self._max_record)
        outcomes = []
        for line, record in enumerate(lines, first):
            if record:
                outcome = read_record(record, line, source)
                if type(outcome) is Invalid and outcome.code != "too_long" and not record.strip(_WHITE_SPACE):
                    continue
                outcomes.append(outcome)
        return outcomes


class _Overlong:
    """A line too long to hold: its first bytes, its length and its checksum."""

    def __init__(self) -> None:
        self._head = b""
        self._size = 0
        self._check = 0

    def add(self, piece: bytes) -> None:
        self._head += piece[: MAX_RAW - len(self._head)]
        self._size += len(piece)
        self._check = zlib.crc32(piece, self._check)

    def invalid(self, line: int, source: int, max_record: int) -> Invalid:
        message = f"found a line of {self._size:,} bytes, expected at most {max_record:,}"
        return Invalid(line, source, self._check, None, None, "too_long", message, self._head)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _checking_text(read_record: ReadRecord, encoding: str) -> ReadRecord:
    """Refuse the records that are not UTF-8, or were not text; the decoder would let them through."""

    def read(record: bytes, line: int, source: int) -> Change | Invalid:
        try:
            record.decode()
        except UnicodeDecodeError as error:
            found = f"found byte 0x{record[error.start]:02x}"
            if encoding == UTF8:
                message = f"{found} at byte {error.start + 1} of the line, expected UTF-8 (--encoding reads others)"
                return invalid_record(record, line, source, "not_utf8", message)
            column = len(record[: error.start].decode()) + 1
            message = f"{found} at column {column}, expected {encoding}"
            return invalid_record(record, line, source, "undecodable", message)
        return read_record(record, line, source)

    return read


def _checking_size(read_record: ReadRecord, max_record: int) -> ReadRecord:
    """Refuse the records that are too long; they came in one block, so they were never held."""

    def read(record: bytes, line: int, source: int) -> Change | Invalid:
        if len(record) <= max_record:
            return read_record(record, line, source)
        overlong = _Overlong()
        overlong.add(record)
        return overlong.invalid(line, source, max_record)

    return read
