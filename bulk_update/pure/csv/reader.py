r"""Blocks of CSV in, changes out: each row becomes the JSON object that a line of NDJSON would have been.

Where a record ends is for the standard library's reader to say, which is asked to be strict: text after a
closing quote is how a stray quote shows itself before it has swallowed the rows that follow. Where a line
ends is told by the first one: at `\n` (so `\r\n` too), or, when that one ends in a `\r` alone, at each
`\r`, `\n` and `\r\n`.

Which records come out, and which of them are invalid, does not depend on where the blocks are cut.
"""

import csv
from typing import Final

from bulk_update.errors import InputError
from bulk_update.model import Change, Invalid
from bulk_update.pure.csv.header import read_header
from bulk_update.pure.csv.layout import Layout
from bulk_update.pure.csv.overlong import Overlong
from bulk_update.pure.csv.rows import ReadRecord, RowReader
from bulk_update.pure.csv.settings import TableSettings
from bulk_update.pure.csv.text import Bounds, Text, line_ends_of

_NO_FIELD_LIMIT: Final = 2**31 - 1


class CsvReader:
    """Cut blocks of bytes into records and read each.

    `input`: index of the input, from 0. `max_record`: bytes of a record with its line ends, at most; a longer
    one is invalid, and no more than this and a block is ever held. Raises InputError, with `name` for the input,
    when the header cannot be used.
    """

    def __init__(
        self,
        read_record: ReadRecord,
        *,
        input: int = 0,
        settings: TableSettings = TableSettings(),
        max_record: int = 16_777_216,
        name: str = "",
    ) -> None:
        self._read_record = read_record
        self._input = input
        self._settings = settings
        self._max_record = max_record
        self._where = f"{name}, line" if name else "line"
        self._rows: RowReader | None = None  # None until the header has been read
        self._newline: str | None = None  # as io.StringIO takes it; None until a line has ended
        self._line = 1  # where what is held begins
        self._held: list[bytes] = []  # whole lines, at whose end a quote is open
        self._held_size = 0
        self._tail: list[bytes] = []  # of a line that has not ended
        self._tail_size = 0
        self._overlong: Overlong | None = None

    @property
    def layout(self) -> Layout | None:
        """What the header says, once it has been read."""
        return self._rows.layout if self._rows is not None else None

    def feed(self, block: bytes) -> list[Change | Invalid]:
        """Read the records that end within `block`; the rest waits for the next one."""
        outcomes: list[Change | Invalid] = []
        if self._overlong is not None:
            block = self._pass_over(block, self._overlong, outcomes)
        lines = self._ended_lines(block)
        if lines and self._held and b'"' not in lines.replace(b'""', b""):
            self._hold(lines)  # only an odd run of quotes ends a quoted cell
        elif lines:
            self._read(self._release() + lines, outcomes)
        while self._held and self._held_size > self._room():
            self._read(self._release(), outcomes)
        if self._tail_size > self._max_record:
            self._begin_overlong()
        return outcomes

    def finish(self) -> list[Change | Invalid]:
        """Read what has no line end, or no closing quote."""
        outcomes: list[Change | Invalid] = []
        if self._overlong is not None:
            outcomes.append(self._overlong.end(self._line, self._input, self._max_record))
            self._overlong = None
        rest = b"".join([self._release(), *self._tail])
        self._tail, self._tail_size = [], 0
        self._newline = "\n" if self._newline is None else self._newline
        if rest:
            self._read(rest, outcomes, room=0)
        return outcomes

    def _ended_lines(self, block: bytes) -> bytes:
        """Return the lines that have ended; keep what follows them as the tail."""
        if self._newline != "\n":  # what a \r is, the byte after it tells
            block = b"".join([*self._tail, block])
            self._tail, self._tail_size = [], 0
            self._newline = line_ends_of(block) if self._newline is None else self._newline
        end = 0 if self._newline is None else block.rfind(b"\n") + 1
        if self._newline == "":
            end = max(end, block.rfind(b"\r", 0, -1) + 1)
        lines = b""
        if end:
            lines = b"".join([*self._tail, block[:end]])
            self._tail, self._tail_size = [], 0
        self._tail.append(block[end:])
        self._tail_size += len(block) - end
        return lines

    def _hold(self, lines: bytes) -> None:
        self._held.append(lines)
        self._held_size += len(lines)

    def _room(self) -> int:
        """Return how many bytes of whole lines a record may have before the tail."""
        return self._max_record - self._tail_size

    def _release(self) -> bytes:
        held, self._held, self._held_size = b"".join(self._held), [], 0
        return held

    def _begin_overlong(self) -> None:
        if self._rows is None or self._newline is None:
            found = f"found more than {self._max_record:,} bytes"
            raise InputError(f"{self._where} {self._line}: {found}, expected the header of a CSV")
        self._overlong = Overlong(self._newline)
        self._overlong.skip(b"".join(self._tail))
        self._tail, self._tail_size = [], 0

    def _pass_over(self, block: bytes, overlong: Overlong, outcomes: list[Change | Invalid]) -> bytes:
        """Skip to the end of a line that is too long to hold; return what follows it."""
        rest = overlong.skip(block)
        if rest is None:
            return b""
        outcomes.append(overlong.end(self._line, self._input, self._max_record))
        self._overlong = None
        self._line += 1
        return rest

    def _read(self, data: bytes, outcomes: list[Change | Invalid], room: int | None = None) -> None:
        """Read the records of whole lines; hold those of one that goes on, if at most `room` bytes."""
        if csv.field_size_limit() < _NO_FIELD_LIMIT:  # the whole process has one: others may have set it
            csv.field_size_limit(_NO_FIELD_LIMIT)
        room = self._room() if room is None else room
        text = Text(data, self._newline, self._line, Bounds(self._max_record, self._settings.encoding))
        at = 0
        if self._rows is None:
            at, layout = read_header(text, self._settings, room, self._where)
            if layout is not None:
                blank = next(number for number, line in enumerate(text.lines) if line.strip())
                self._rows = RowReader(layout, self._read_record, self._input, at - blank - 1)
        if self._rows is not None:
            at = self._rows.read(text, at, room, outcomes)
        self._line += at
        if at < len(text.lines):
            self._hold(text.whole(at, len(text.lines)))
