"""Rows of a CSV, read from whole lines."""

import csv
import zlib
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from bulk_update.model import Change, Invalid
from bulk_update.pure.csv.layout import Layout
from bulk_update.pure.csv.text import STILL_OPEN, UNCLOSED, Refusal, Text
from bulk_update.pure.shape import MAX_RAW

ReadRecord = Callable[[bytes, int, int], Change | Invalid]

_LINE_ENDS_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


class RowReader:
    """Read records from whole lines, each by a header's layout.

    `more_lines`: by how many lines the header is longer than one. A spreadsheet counts rows, however many lines they
    have: what is wrong with a row tells its number there as well, where that is not its line.
    """

    def __init__(self, layout: Layout, read_record: ReadRecord, input: int, more_lines: int = 0) -> None:
        self.layout = layout
        self._read_record = read_record
        self._input = input
        self._more_lines = more_lines

    def read(self, text: Text, at: int, room: int, outcomes: list[Change | Invalid]) -> int:
        """Read the records from line `at` of the text on; return the line after the last of them.

        Those that follow it, at most `room` bytes, are of a record that may go on.
        """
        size = len(text.lines)
        step = size - at
        while at < size:
            stop = min(at + step, size)
            at, refusal = self._read_lines(text, at, stop, outcomes)
            if refusal is None or (refusal is STILL_OPEN and stop < size):
                step *= 2
                continue
            if refusal is STILL_OPEN:
                if text.size(at, size) <= room:
                    break
                refusal = UNCLOSED
            # What the quote took in is rows, most likely. Few lines at a time find the next stray quote
            # without all that follows being read anew for each.
            outcomes.append(self._invalid(text, at, at + 1, text.refuse_size(at, at + 1) or refusal))
            at, step = at + 1, 1
        return at

    def _read_lines(
        self, text: Text, at: int, stop: int, outcomes: list[Change | Invalid]
    ) -> tuple[int, Refusal | None]:
        """Read the records from line `at` to before line `stop`.

        Return the line that follows them, and, where it is not `stop`, why no record can be read there.
        """
        delimiter, width, suspect = self.layout.delimiter, self.layout.width, text.suspect
        # One line more: outside quotes it is a record of one cell; inside them it ends the cell and adds one.
        lines = chain(text.lines[at:stop], [f'"{delimiter}x"'])
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        begin = at
        try:
            for row in reader:
                end = at + reader.line_num
                if len(row) == width and not suspect and end <= stop:
                    outcomes.append(self._read_row(row, text, begin, end))
                elif end > stop:
                    return begin, self.layout.refuse_open(row)
                elif refusal := self._read_odd_row(row, text, (begin, end), outcomes):
                    return begin, refusal
                self._more_lines += end - begin - 1
                begin = end
        except csv.Error as error:
            return begin, text.refuse_malformed(begin, at + reader.line_num, error)
        return begin, None

    def _read_row(self, row: list[Any], text: Text, begin: int, end: int) -> Change | Invalid:
        try:
            record = self.layout.to_json(row)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return self._invalid(text, begin, end, self.layout.refuse_json(row), self.layout.names(row))
        if end - begin > 1:  # a line end in it is white space between the parts of a JSON cell
            record = record.translate(_LINE_ENDS_TO_SPACES)
        outcome = self._read_record(record, text.first + begin, self._input)
        if type(outcome) is Invalid:
            raw = text.raw(begin, end)
            message = outcome.message + self._row_of(text.first + begin)
            return msgspec.structs.replace(outcome, raw=raw[:MAX_RAW], check=zlib.crc32(raw), message=message)
        return outcome

    def _read_odd_row(
        self, row: list[str], text: Text, lines: tuple[int, int], outcomes: list[Change | Invalid]
    ) -> Refusal | None:
        """Read a row that may be none; return why when its lines are to be read one by one."""
        overrun = text.refuse_size(*lines) or self.layout.refuse_overrun(row, text.line_ends)
        if overrun is not None:
            return overrun
        refusal = text.refuse_bytes(*lines)
        if refusal is None and _is_blank(row, self.layout.width):
            return None
        first, end = text.first + lines[0], text.first + lines[1]
        refusal = refusal or self.layout.refuse_count(row, first, end)
        if refusal is not None:
            outcomes.append(self._invalid(text, *lines, refusal))
        else:
            outcomes.append(self._read_row(row, text, *lines))
        return None

    def _invalid(
        self,
        text: Text,
        begin: int,
        end: int,
        refusal: Refusal,
        names: tuple[str | None, str | None] = (None, None),
    ) -> Invalid:
        raw = text.raw(begin, end)
        check, line = zlib.crc32(raw), text.first + begin
        message = refusal.message + self._row_of(line)
        return Invalid(line, self._input, check, *names, refusal.code, message, raw[:MAX_RAW])

    def _row_of(self, line: int) -> str:
        return f" (row {line - self._more_lines:,} of the sheet)" if self._more_lines else ""


def _is_blank(row: Sequence[str], width: int) -> bool:
    return not row or (len(row) == 1 != width and row[0].isspace() and row[0].isascii())
