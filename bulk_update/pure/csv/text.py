"""Whole lines of a CSV: as text, and as the bytes that they were; why a record cannot be read from them."""

import csv
import io
import re
from typing import Final, NamedTuple

from bulk_update.pure.transcoding import UTF8

_NOT_TEXT: Final = re.compile("[\x00\udc80-\udcff]")  # NUL, and what `surrogateescape` makes of a stray byte


class Refusal(NamedTuple):
    """Why a record is invalid, or why there is none."""

    code: str
    message: str


STILL_OPEN: Final = Refusal("not_csv", "found a quoted cell that goes on after the lines given")
UNCLOSED: Final = Refusal(
    "not_csv",
    'found a quote that opens a cell and none that closes it, expected both (inside a quoted cell, "" '
    "stands for a quote)",
)


class Bounds(NamedTuple):
    """What text may be. `max_record`: bytes of a record, at most. `encoding`: what it was before it became UTF-8."""

    max_record: int
    encoding: str = UTF8


class Text:
    """Whole lines: as text, and as the bytes that they were.

    `first`: number of the first of them. Lines are counted from 0 here. `suspect`: some record may not be
    text, or be too long.
    """

    def __init__(self, data: bytes, newline: str | None, first: int, bounds: Bounds) -> None:
        self.first = first
        max_record = bounds.max_record
        self.suspect = len(data) > max_record or b"\0" in data
        self.line_ends = newline or "\r\n"
        self._max_record = max_record
        self._encoding = bounds.encoding
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode(errors="surrogateescape")
            self.suspect = True
        self.lines = list(io.StringIO(text, newline))

    def whole(self, begin: int, end: int) -> bytes:
        """Return lines as they were read, line ends included."""
        return "".join(self.lines[begin:end]).encode(errors="surrogateescape")

    def size(self, begin: int, end: int) -> int:
        """Return the bytes of lines, line ends included."""
        return len(self.whole(begin, end))

    def raw(self, begin: int, end: int) -> bytes:
        """Return lines as they were read, without the last line end."""
        whole = self.whole(begin, end)
        for line_end in (b"\r\n", b"\n", b"\r"):
            if whole.endswith(line_end):
                return whole.removesuffix(line_end)
        return whole

    def refuse_size(self, begin: int, end: int) -> Refusal | None:
        """Say that a record is too long: its first line alone, or what its quotes hold together."""
        if not self.suspect or self.size(begin, end) <= self._max_record:
            return None
        if self.size(begin, begin + 1) > self._max_record:
            return too_long(len(self.raw(begin, begin + 1)), self._max_record)
        return UNCLOSED

    def refuse_malformed(self, begin: int, end: int, error: csv.Error) -> Refusal:
        """Say why the reader stopped in a record."""
        where = place(self.first + begin, self.first + end)
        if "\r" in self.lines[end - 1].rstrip("\r\n"):
            message = f"found a carriage return alone in {where}, expected it to be inside quotes"
        else:
            message = (
                f"found text after the closing quote of a cell in {where} ({error}), expected each quote "
                'inside a quoted cell to be doubled ("")'
            )
        return Refusal("not_csv", message)

    def refuse_bytes(self, begin: int, end: int) -> Refusal | None:
        """Say where a record is not text."""
        if not self.suspect:
            return None
        for at in range(begin, end):
            if found := _NOT_TEXT.search(self.lines[at]):
                where = f"line {self.first + at}, column {found.start() + 1}"
                if found[0] == "\0":
                    return Refusal("nul_byte", f"found a NUL byte in {where}, expected text")
                byte = ord(found[0]) - 0xDC00
                found_there = f"found byte 0x{byte:02x} in {where}"
                if self._encoding == UTF8:
                    return Refusal("not_utf8", f"{found_there}, expected UTF-8 (--encoding reads others)")
                return Refusal("undecodable", f"{found_there}, expected {self._encoding}")
        return None


def line_ends_of(text: bytes) -> str | None:
    r"""Tell where lines end, as io.StringIO takes it: `\n`, or "" for any end; None if that is to be seen."""
    at = text.find(b"\r")
    if 0 <= text.find(b"\n") < at or at < 0:
        return "\n" if b"\n" in text else None
    if at == len(text) - 1:
        return None
    return "\n" if text[at + 1 : at + 2] == b"\n" else ""


def too_long(size: int, most: int) -> Refusal:
    """Say that a line of `size` bytes is too long."""
    return Refusal("too_long", f"found a line of {size:,} bytes, expected at most {most:,}")


def place(first: int, end: int) -> str:
    """Name the lines `first` to before `end`."""
    return f"line {first}" if end - first == 1 else f"lines {first} to {end - 1}"


def clip(text: str) -> str:
    """Quote a text, cut to what fits into a message."""
    return f'"{text}"' if len(text) <= 40 else f'"{text[:39]}…"'  # noqa: PLR2004 - what fits into a message
