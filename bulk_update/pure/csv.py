r"""Blocks of CSV in, changes out: each row becomes the JSON object that a line of NDJSON would have been.

Where a record ends is for the standard library's reader to say, which is asked to be strict: text after a
closing quote is how a stray quote shows itself before it has swallowed the rows that follow. Where a line
ends is told by the first one: at `\n` (so `\r\n` too), or, when that one ends in a `\r` alone, at each
`\r`, `\n` and `\r\n`.

Which records come out, and which of them are invalid, does not depend on where the blocks are cut.
"""

import csv
import io
import re
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from bulk_update.errors import InputError
from bulk_update.model import Change, Invalid
from bulk_update.pure.activity import KEYS, MAX_RAW
from bulk_update.pure.names import nearest

ReadRecord = Callable[[bytes, int, int], Change | Invalid]

DELIMITERS: Final = ",;\t|"
"""What may stand between cells, likeliest first."""

TEXT: Final = frozenset({"organizationId", "id", "displayMessageTemplate", "actionIcon"})
"""The fields whose cells are plain text; the cells of the others hold JSON."""

MAX_LEVELS: Final = 100
"""Names in one dotted header, at most."""

_KNOWN: Final = ", ".join(KEYS)
_ALSO_CALLED: Final = {"activityid": "id", "orgid": "organizationId"}
_NO_FIELD_LIMIT: Final = 2**31 - 1
_LINE_ENDS_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")
_NOT_IN_KEYS: Final = re.compile(r'["\\\x00-\x1f]')
_NOT_TEXT: Final = re.compile("[\x00\udc80-\udcff]")  # NUL, and what `surrogateescape` makes of a stray byte

_to_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode
_encode: Final = msgspec.json.Encoder().encode


class _Refusal(NamedTuple):
    """Why a record is invalid, or why there is none."""

    code: str
    message: str


_STILL_OPEN: Final = _Refusal("not_csv", "found a quoted cell that goes on after the lines given")
_UNCLOSED: Final = _Refusal(
    "not_csv",
    'found a quote that opens a cell and none that closes it, expected both (inside a quoted cell, "" '
    "stands for a quote)",
)


class CsvReader:
    """Cut blocks of bytes into records and read each.

    `input`: index of the input, from 0. `columns`: under which header a field stands, where that is not
    its own name. `max_record`: bytes of a record with its line ends, at most; a longer one is invalid, and
    no more than this and a block is ever held. Raises InputError, with `name` for the input, when the header
    cannot be used.
    """

    def __init__(
        self,
        read_record: ReadRecord,
        *,
        input: int = 0,
        columns: Mapping[str, str] | None = None,
        max_record: int = 16_777_216,
        name: str = "",
    ) -> None:
        self._read_record = read_record
        self._input = input
        self._columns = dict(columns or {})
        self._max_record = max_record
        self._where = f"{name}, line" if name else "line"
        self._rows: _RowReader | None = None  # None until the header has been read
        self._newline: str | None = None  # as io.StringIO takes it; None until a line has ended
        self._line = 1  # where what is held begins
        self._held: list[bytes] = []  # whole lines, at whose end a quote is open
        self._held_size = 0
        self._tail: list[bytes] = []  # of a line that has not ended
        self._tail_size = 0
        self._overlong: _Overlong | None = None

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
            self._newline = _newline(block) if self._newline is None else self._newline
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
        self._overlong = _Overlong(self._newline)
        self._overlong.skip(b"".join(self._tail))
        self._tail, self._tail_size = [], 0

    def _pass_over(self, block: bytes, overlong: "_Overlong", outcomes: list[Change | Invalid]) -> bytes:
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
        text = _Text(data, self._newline, self._line, self._max_record)
        at = 0
        if self._rows is None:
            at, layout = _read_header(text, self._columns, room, self._where)
            if layout is not None:
                self._rows = _RowReader(layout, self._read_record, self._input)
        if self._rows is not None:
            at = self._rows.read(text, at, room, outcomes)
        self._line += at
        if at < len(text.lines):
            self._hold(text.whole(at, len(text.lines)))


class _RowReader:
    """Read records from whole lines, each by a header's layout."""

    def __init__(self, layout: "_Layout", read_record: ReadRecord, input: int) -> None:
        self._layout = layout
        self._read_record = read_record
        self._input = input

    def read(self, text: "_Text", at: int, room: int, outcomes: list[Change | Invalid]) -> int:
        """Read the records from line `at` of the text on; return the line after the last of them.

        Those that follow it, at most `room` bytes, are of a record that may go on.
        """
        size = len(text.lines)
        step = size - at
        while at < size:
            stop = min(at + step, size)
            at, refusal = self._read_lines(text, at, stop, outcomes)
            if refusal is None or (refusal is _STILL_OPEN and stop < size):
                step *= 2
                continue
            if refusal is _STILL_OPEN:
                if text.size(at, size) <= room:
                    break
                refusal = _UNCLOSED
            # What the quote took in is rows, most likely. Few lines at a time find the next stray quote
            # without all that follows being read anew for each.
            outcomes.append(self._invalid(text, at, at + 1, text.refuse_size(at, at + 1) or refusal))
            at, step = at + 1, 1
        return at

    def _read_lines(
        self, text: "_Text", at: int, stop: int, outcomes: list[Change | Invalid]
    ) -> tuple[int, _Refusal | None]:
        """Read the records from line `at` to before line `stop`.

        Return the line that follows them, and, where it is not `stop`, why no record can be read there.
        """
        delimiter, width, suspect = self._layout.delimiter, self._layout.width, text.suspect
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
                    return begin, self._layout.refuse_open(row)
                elif refusal := self._read_odd_row(row, text, (begin, end), outcomes):
                    return begin, refusal
                begin = end
        except csv.Error as error:
            return begin, text.refuse_malformed(begin, at + reader.line_num, error)
        return begin, None

    def _read_row(self, row: list[Any], text: "_Text", begin: int, end: int) -> Change | Invalid:
        try:
            record = self._layout.to_json(row)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return self._invalid(text, begin, end, self._layout.refuse_json(row), self._layout.names(row))
        if end - begin > 1:  # a line end in it is white space between the parts of a JSON cell
            record = record.translate(_LINE_ENDS_TO_SPACES)
        outcome = self._read_record(record, text.first + begin, self._input)
        if type(outcome) is Invalid:
            raw = text.raw(begin, end)
            return msgspec.structs.replace(outcome, raw=raw[:MAX_RAW], check=zlib.crc32(raw))
        return outcome

    def _read_odd_row(
        self, row: list[str], text: "_Text", lines: tuple[int, int], outcomes: list[Change | Invalid]
    ) -> _Refusal | None:
        """Read a row that may be none; return why when its lines are to be read one by one."""
        overrun = text.refuse_size(*lines) or self._layout.refuse_overrun(row, text.line_ends)
        if overrun is not None:
            return overrun
        refusal = text.refuse_bytes(*lines)
        if refusal is None and _is_blank(row, self._layout.width):
            return None
        first, end = text.first + lines[0], text.first + lines[1]
        refusal = refusal or self._layout.refuse_count(row, first, end)
        if refusal is not None:
            outcomes.append(self._invalid(text, *lines, refusal))
        else:
            outcomes.append(self._read_row(row, text, *lines))
        return None

    def _invalid(
        self,
        text: "_Text",
        begin: int,
        end: int,
        refusal: _Refusal,
        names: tuple[str | None, str | None] = (None, None),
    ) -> Invalid:
        raw = text.raw(begin, end)
        check, line = zlib.crc32(raw), text.first + begin
        return Invalid(line, self._input, check, *names, refusal.code, refusal.message, raw[:MAX_RAW])


class _Text:
    """Whole lines: as text, and as the bytes that they were.

    `first`: number of the first of them. Lines are counted from 0 here. `suspect`: some record may not be
    text, or be too long.
    """

    def __init__(self, data: bytes, newline: str | None, first: int, max_record: int) -> None:
        self.first = first
        self.suspect = len(data) > max_record or b"\0" in data
        self.line_ends = newline or "\r\n"
        self._max_record = max_record
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

    def refuse_size(self, begin: int, end: int) -> _Refusal | None:
        """Say that a record is too long: its first line alone, or what its quotes hold together."""
        if not self.suspect or self.size(begin, end) <= self._max_record:
            return None
        if self.size(begin, begin + 1) > self._max_record:
            return _too_long(len(self.raw(begin, begin + 1)), self._max_record)
        return _UNCLOSED

    def refuse_malformed(self, begin: int, end: int, error: csv.Error) -> _Refusal:
        """Say why the reader stopped in a record."""
        where = _place(self.first + begin, self.first + end)
        if "\r" in self.lines[end - 1].rstrip("\r\n"):
            message = f"found a carriage return alone in {where}, expected it to be inside quotes"
        else:
            message = (
                f"found text after the closing quote of a cell in {where} ({error}), expected each quote "
                'inside a quoted cell to be doubled ("")'
            )
        return _Refusal("not_csv", message)

    def refuse_bytes(self, begin: int, end: int) -> _Refusal | None:
        """Say where a record is not text."""
        if not self.suspect:
            return None
        for at in range(begin, end):
            if found := _NOT_TEXT.search(self.lines[at]):
                where = f"line {self.first + at}, column {found.start() + 1}"
                if found[0] == "\0":
                    return _Refusal("nul_byte", f"found a NUL byte in {where}, expected text")
                byte = ord(found[0]) - 0xDC00
                return _Refusal("not_utf8", f"found byte 0x{byte:02x} in {where}, expected UTF-8")
        return None


class _Overlong:
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
        code, message = _too_long(self._size, max_record)
        return Invalid(line, input, self._check, None, None, code, message, self._head)


class _Column(NamedTuple):
    """One column that is read. `position`: from 0. `path`: the names from the record down to the value."""

    path: tuple[str, ...]
    json: bool
    position: int
    header: str

    def __str__(self) -> str:
        return f'column {self.position + 1} "{self.header}"'


class _Layout:
    """What a header makes of a row: which cell becomes which value of the record.

    The record is a struct made for the header: it leaves out what is still its default, the empty string.
    `width`: cells of a row. `columns`: those that are read, in the order in which the record has them, so
    that the record does not depend on the order of the columns.
    """

    def __init__(self, delimiter: str, width: int, columns: Sequence[_Column]) -> None:
        self.delimiter = delimiter
        self.width = width
        self._json = [column for column in columns if column.json]
        self._json_positions = [column.position for column in self._json]
        self._positions = {".".join(column.path): column.position for column in columns}
        self._nested: list[tuple[Callable[..., Any], Callable[[list[Any]], Sequence[Any]]]] = []
        self._record, self._cells = self._assemble(columns, 0)

    def _assemble(
        self, columns: Sequence[_Column], level: int
    ) -> tuple[Callable[..., Any], Callable[[list[Any]], Sequence[Any]]]:
        """Make the struct of one object, and what picks its values from a row; inner objects come first."""
        names, positions = [], []
        for name, group in groupby(columns, key=lambda column: column.path[level]):
            members = list(group)
            names.append(name)
            if len(members[0].path) == level + 1:
                positions.append(members[0].position)
            else:
                self._nested.append(self._assemble(members, level + 1))
                positions.append(self.width + len(self._nested) - 1)
        fields = [f"f{number}" for number in range(len(names))]
        struct = msgspec.defstruct(
            "Cells",
            [(field, Any, "") for field in fields],
            rename=dict(zip(fields, names, strict=True)),
            omit_defaults=True,
            gc=False,
        )
        first = positions[0]
        several = len(positions) > 1
        return struct, itemgetter(*positions) if several else itemgetter(slice(first, first + 1))

    def to_json(self, row: list[Any]) -> bytes:
        """Make a row a JSON object, using the row up. ValueError or RecursionError if a cell is not JSON."""
        for position in self._json_positions:
            cell = row[position]
            if cell:
                row[position] = _to_raw(cell)
        for struct, cells in self._nested:
            values = cells(row)
            row.append(struct(*values) if any(values) else "")
        return _encode(self._record(*self._cells(row)))

    def refuse_count(self, row: Sequence[str], first: int, end: int) -> _Refusal | None:
        """Say that a row, in lines `first` to before `end`, has more or fewer cells than the header."""
        if len(row) == self.width:
            return None
        found = f"found {len(row)} cell{'s' if len(row) > 1 else ''}"
        expected = f"expected {self.width} as in the header"
        if end - first > 1:
            found += f" in {_place(first, end)}"
            expected += f"; is a quote astray in line {first}?"
        return _Refusal("wrong_cell_count", f"{found}, {expected}")

    def refuse_overrun(self, row: Sequence[str], line_ends: str) -> _Refusal | None:
        """Say that a row has cells beyond the last column that a quote has carried over a line end."""
        beyond = "".join(row[self.width :])
        return _UNCLOSED if any(line_end in beyond for line_end in line_ends) else None

    def refuse_open(self, row: list[str]) -> _Refusal | None:
        """Say whether a quote is open at the end of the lines given, by the row that the line more made."""
        if len(row) == 1:
            return None
        return _UNCLOSED if len(row) - 1 > self.width else _STILL_OPEN

    def refuse_json(self, row: list[Any]) -> _Refusal:
        """Say which cell of a row is not JSON: the first that has not become any."""
        for column in self._json:
            cell = row[column.position]
            if not cell or not isinstance(cell, str):
                continue
            try:
                _to_raw(cell)
            except (ValueError, RecursionError) as error:
                reason = re.sub(r"^JSON is malformed: | \(byte \d+\)$", "", str(error)).lower()
                found = f"{column}: found {_clip(cell)}, which is not JSON ({reason})"
                return _Refusal("not_json", f'{found}, expected JSON; as JSON, a text is written "text"')
        return _Refusal("not_json", "found a row that cannot be written as JSON")

    def names(self, row: list[Any]) -> tuple[str | None, str | None]:
        """Return the organization and the id that a row names."""
        organization, identifier = (self._positions.get(name) for name in ("organizationId", "id"))
        return (
            None if organization is None else row[organization] or None,
            None if identifier is None else row[identifier] or None,
        )


def begins_with_header(head: bytes, headers: Collection[str] = ()) -> bool:
    """Tell whether the first line that is not blank names a field, or is one of `headers`."""
    text = head.decode(errors="replace").removeprefix("\ufeff").lstrip()
    line = re.split(r"[\r\n]", text, maxsplit=1)[0]
    return _delimiter(line, headers) is not None


def _newline(text: bytes) -> str | None:
    r"""Tell where lines end, as io.StringIO takes it: `\n`, or "" for any end; None if that is to be seen."""
    at = text.find(b"\r")
    if 0 <= text.find(b"\n") < at or at < 0:
        return "\n" if b"\n" in text else None
    if at == len(text) - 1:
        return None
    return "\n" if text[at + 1 : at + 2] == b"\n" else ""


def _read_header(text: _Text, columns: Mapping[str, str], room: int, where: str) -> tuple[int, _Layout | None]:
    """Read the header, the first line that is not blank; return the line that follows it.

    There is no layout yet when the lines are blank, or when those that follow, at most `room` bytes, are of
    a header that may go on.
    """
    lines = text.lines
    if text.first == 1:
        lines[0] = lines[0].removeprefix("\ufeff")
    begin = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    if begin == len(lines):
        return begin, None
    where = f"{where} {text.first + begin}, the CSV header"
    delimiter = _delimiter(lines[begin], columns.values())
    if delimiter is None:
        raise InputError(f"{where}: found {_clip(lines[begin].strip())}, expected names such as {_KNOWN}")
    reader = csv.reader([*lines[begin:], f'"{delimiter}x"'], delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        raise InputError(f"{where}: found quotes that are not closed or not doubled ({error})") from None
    end = begin + reader.line_num
    if end > len(lines):
        if text.size(begin, len(lines)) > room:
            raise InputError(f"{where}: found a quote that is never closed")
        return begin, None
    if refusal := text.refuse_bytes(begin, end):
        raise InputError(f"{where}: {refusal.message}")
    return end, _Layout(delimiter, len(header), _columns(header, columns, where))


def _delimiter(line: str, headers: Collection[str]) -> str | None:
    """Find what parts most known names in a header; None if it has none."""
    best, most = None, 0
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        known = sum(cell.strip() in headers or _parse(cell.strip()) is not None for cell in cells)
        if known > most:
            best, most = delimiter, known
    return best


def _parse(name: str) -> tuple[tuple[str, ...], bool] | None:
    """Read a column's name: the path to its value, and whether its cells hold JSON; None if unknown."""
    path = tuple(name.removesuffix(":json").split("."))
    if path[0] not in KEYS or not all(path) or len(path) > MAX_LEVELS or _NOT_IN_KEYS.search(name):
        return None
    whole, json = len(path) == 1, name.endswith(":json")
    if path[0] in TEXT:
        return (path, False) if whole and not json else None
    return path, whole or json


def _columns(header: Sequence[str], columns: Mapping[str, str], where: str) -> list[_Column]:
    """List the columns that are read, in the order of the record. InputError if a name cannot be used."""
    names = _mapped(header, columns, where)
    found = []
    for position, cell in enumerate(header):
        if cell not in names and cell.startswith("_"):
            continue
        parsed = _parse(names.get(cell, cell))
        if parsed is None:
            raise InputError(f"{where}: {_unknown(cell, position)}")
        found.append(_Column(*parsed, position, cell))
    found.sort(key=lambda column: (KEYS.index(column.path[0]), column.path))
    for one, other in pairwise(found):
        if one.path == other.path:
            raise InputError(f"{where}: {one} and {other} are the same field; keep one (_ before a name drops it)")
        if one.path == other.path[: len(one.path)]:
            raise InputError(f"{where}: {other} is a part of {one}; keep the whole or its parts")
    if not any(column.path == ("id",) for column in found):
        raise InputError(f"{where}: found no id; --column id=HEADER tells under which header it stands")
    return found


def _mapped(header: Sequence[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """Return the field that each header stands for by `columns`. InputError if one is not there."""
    names: dict[str, str] = {}
    for field, name in columns.items():
        option = f"--column {field}={name}"
        if _parse(field) is None:
            raise InputError(f'{option}: "{field}" is no field; known are {_KNOWN}')
        if name.strip() not in header:
            raise InputError(f"{option}: {where} has no such name; it has {', '.join(header)}")
        if name.strip() in names:
            raise InputError(f"{option}: this header stands for {names[name.strip()]} already")
        names[name.strip()] = field
    return names


def _unknown(cell: str, position: int) -> str:
    """Say what is wrong with a name in a header, and what was meant."""
    found = f'column {position + 1}: found the name "{cell}"'
    root = re.split(r"[.:]", cell)[0]
    if not cell:
        found = f"column {position + 1}: found no name"
        hint = f"expected one of {_KNOWN}"
    elif root in TEXT:
        hint = f'expected "{root}", which is a text and has no parts'
    elif root in KEYS:
        hint = f'expected names parted by dots, as in "{root}.status.from" or "{root}.status.from:json"'
    elif meant := _ALSO_CALLED.get(re.sub(r"[^a-z]", "", cell.lower())) or nearest(root, KEYS):
        hint = f'did you mean "{meant}"? (--column "{meant}={cell}" reads it as that)'
    else:
        hint = f"expected one of {_KNOWN} (--column FIELD=HEADER tells which it is)"
    return f"{found}, {hint}; a name that begins with _ is a note and not read"


def _is_blank(row: Sequence[str], width: int) -> bool:
    return not row or (len(row) == 1 != width and row[0].isspace() and row[0].isascii())


def _too_long(size: int, most: int) -> _Refusal:
    return _Refusal("too_long", f"found a line of {size:,} bytes, expected at most {most:,}")


def _place(first: int, end: int) -> str:
    return f"line {first}" if end - first == 1 else f"lines {first} to {end - 1}"


def _clip(text: str) -> str:
    return f'"{text}"' if len(text) <= 40 else f'"{text[:39]}…"'  # noqa: PLR2004 - what fits into a message
