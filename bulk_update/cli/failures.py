"""`failures`: the rows that are not updated, as an input that can be mended and run."""

import argparse
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Final, TypeAlias

import msgspec
from msgspec import Raw

from bulk_update.cli.streams import LONGEST, data_stream, safe, say
from bulk_update.edge.ledger import LedgerFile, open_ledger_for_reading
from bulk_update.errors import InputError
from bulk_update.model import RowError, Status
from bulk_update.pure.csv.sheet import Sheet, TableReader, encode_row, sheet_of
from bulk_update.pure.ledger_lines import RETRY, EndLine, ResultLine, RunLine, Table, decode_line
from bulk_update.pure.plural import counted
from bulk_update.pure.refusals import Refusal, check_repeated
from bulk_update.pure.retry_plan import OpenRow, RetryPlan, change_again
from bulk_update.pure.seals import Append
from bulk_update.pure.settled import row_key
from bulk_update.pure.shape import FIELDS, MAX_RAW
from bulk_update.pure.transcoding import UTF8

_encode: Final = msgspec.json.Encoder().encode
_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_NOTES: Final = ("_line", "_input", "_status", "_code", "_message", "_raw")
_UNREADABLE: Final = frozenset({"not_csv", "not_utf8", "nul_byte", "too_long", "undecodable", "wrong_cell_count"})
"""Why a row of CSV is none: what the ledger has of it is no row either."""


_Place: TypeAlias = tuple[int, int, OpenRow | int]
"""Offset and size of a result, and the row that it is of: one to be sent again, or an invalid one of a run."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that is not updated.

    `members`: the record, without notes; None where there is none, only `raw`. `table`: what a raw row of CSV
    is a row of.
    """

    members: Mapping[str, bytes] | None
    notes: Mapping[str, str | int]
    raw: str = ""
    table: TableReader | None = None

    @property
    def is_invalid(self) -> bool:
        """Tell whether the row was never sent."""
        return self.notes["_status"] == Status.INVALID.value


def failures(options: argparse.Namespace) -> int:
    """Print the rows that are not updated; 0, also when there are none."""
    with open_ledger_for_reading(Path(options.ledger)) as file:
        rows = _Rows(file)
        with data_stream() as out:
            if options.format == "csv":
                _write_csv(rows, out)
            else:
                _write_ndjson(rows, out)
    if rows.superseded:
        left = counted(len(rows.superseded), "row is", "rows are")
        say(f"{left} left out: later changes of the same activity have set all of the fields since")
    return 0


class _Rows:
    """The rows that are not updated, in the order of the input: an activity's changes stay in theirs.

    `tables`: how the inputs were laid out when they were read last, those that were CSV. `superseded`: rows that were
    left out, by the offsets of their results: later changes have set all of their fields since.
    """

    def __init__(self, file: LedgerFile) -> None:
        self._file = file
        self._inputs: list[str] = []
        self._invalid: list[_Place] = []
        self._is_retry = False
        self._are_mended = False
        """The main job has read its input to the end since, and found no invalid row."""
        self._readers: list[dict[str, TableReader]] = []
        self.superseded: set[int] = set()
        self.tables: Sequence[Table] = ()
        self.are_all_tables = False
        plan = RetryPlan()

        def fold(append: Append) -> None:
            plan.fold(append)
            self._fold(append)

        file.read(fold)
        places: list[_Place] = [(row.offset, row.size, row) for row in plan.not_updated()]
        self._places = self._in_order(places if self._are_mended else [*places, *self._invalid])

    def __iter__(self) -> Iterator[_Row]:
        """Read each row from the ledger."""
        for offset, size, row in self._places:
            line = _result_at(self._file, offset, size)
            if isinstance(row, int):
                if line.status == Status.INVALID:
                    yield _invalid(line, self._table(row, line))
            elif (members := _open(row, line)) is not None:
                last = _result_at(self._file, row.last_offset, row.last_size)
                yield _Row(members, _notes(line, row.status, last.error))
            else:
                self.superseded.add(offset)

    def _fold(self, append: Append) -> None:
        offset = append.offset
        for text in append.lines.split(b"\n")[:-1]:
            if text.startswith(b'{"type":"run"'):
                self._begin_run(text)
            elif b'"status":"invalid"' in text and _is_invalid(text):
                self._invalid.append((offset, len(text), len(self._readers) - 1))
            elif text.startswith(b'{"type":"end"'):
                self._end_run(text)
            offset += len(text) + 1

    def _begin_run(self, text: bytes) -> None:
        line = decode_line(text)
        self._is_retry = isinstance(line, RunLine) and line.verb == RETRY
        if isinstance(line, RunLine) and not self._is_retry:
            self._are_mended = False
            is_same = bool(self._readers) and line.tables == self.tables
            self._readers.append(self._readers[-1] if is_same else _readers(line))
            self._inputs = line.inputs
            self.tables = line.tables
            self.are_all_tables = bool(line.tables) and len(line.tables) == len(line.inputs)

    def _end_run(self, text: bytes) -> None:
        line = decode_line(text)
        if isinstance(line, EndLine) and not self._is_retry:
            self._are_mended = line.has_no_invalid

    def _table(self, run: int, line: ResultLine) -> TableReader | None:
        """Find what an invalid row was a row of, when it was read."""
        if run < 0:
            return None
        name = line.input or (self._inputs[0] if self._inputs else "")
        return self._readers[run].get(name)

    def _in_order(self, places: Sequence[_Place]) -> list[_Place]:
        """Sort places by where their rows stand in the input, but the changes of one activity as they would be sent.

        A line of one run tells nothing of a line of another, when the input was a different one, nor does the name of
        an input that two have.
        """
        stands = sorted(map(self._position, places), key=itemgetter(0, 1))
        sent = defaultdict[int, deque[int]](deque)
        for _, _, offset, activity in sorted(stands, key=itemgetter(2)):
            sent[activity].append(offset)
        by_offset = {place[0]: place for place in places}
        return [by_offset[sent[activity].popleft()] for _, _, _, activity in stands]

    def _position(self, place: _Place) -> tuple[int, int, int, int]:
        """Tell where a row stands: by input, line and offset in the ledger; and what its activity is known by.

        An invalid row was never sent, so it keeps to its line: its activity is one of its own here.
        """
        offset, size, row = place
        line = _result_at(self._file, offset, size)
        at = self._inputs.index(line.input) if line.input in self._inputs else 0
        activity = -1 - offset if isinstance(row, int) else row_key(line.organization_id, line.id, 0)
        return at, line.line, offset, activity


def _is_invalid(text: bytes) -> bool:
    """Tell whether a line is the result of an invalid row: a change may hold any words."""
    line = decode_line(text)
    return isinstance(line, ResultLine) and line.status == Status.INVALID


def _readers(line: RunLine) -> dict[str, TableReader]:
    """Make what reads the rows of each table again; of none where a name does not tell whose row it is."""
    if len(set(line.inputs)) < len(line.inputs):
        return {}
    with suppress(InputError):
        return {table.input: TableReader(table) for table in line.tables}
    return {}


def _result_at(file: LedgerFile, offset: int, size: int) -> ResultLine:
    line = decode_line(file.bytes_at(offset, size))
    assert isinstance(line, ResultLine)
    return line


def _open(row: OpenRow, line: ResultLine) -> Mapping[str, bytes] | None:
    """Give what is left to change; None when later changes have set all of its fields."""
    change = change_again(row, line, 0)
    if not change.fields:
        return None
    values = {name: bytes(raw) for name, raw in _members(change.activity).items()}
    return {"organizationId": _encode(change.organization), **values}


def _invalid(line: ResultLine, table: TableReader | None) -> _Row:
    """Give an invalid record's members where it has any; else the record itself as a note."""
    notes = _notes(line, Status.INVALID, line.error)
    is_cut = len(line.raw.encode()) >= MAX_RAW
    if is_cut or (table is not None and line.error is not None and line.error.code in _UNREADABLE):
        return _Row(None, notes, line.raw)
    if table is not None:
        return _Row(table.members(line.raw), notes, line.raw, table)
    record = line.raw.encode()
    try:
        members = {name: bytes(raw) for name, raw in _members(record).items()}
        check_repeated(record)
    except (Refusal, ValueError, RecursionError):
        return _Row(None, notes, line.raw)
    return _Row({name: raw for name, raw in members.items() if not name.startswith("_")}, notes, line.raw)


def _notes(line: ResultLine, status: Status, error: RowError | None) -> dict[str, str | int]:
    notes: dict[str, str | int] = {"_line": line.line, "_status": status.value}
    if line.input is not None:
        notes["_input"] = line.input
    if error is not None:
        notes |= {"_code": error.code, "_message": error.message}
    return notes


def _write_ndjson(rows: Iterable[_Row], out: IO[bytes]) -> None:
    for row in rows:
        every = {**(row.members or {}), **{name: _encode(note) for name, note in row.notes.items()}}
        if row.members is None:
            every["_raw"] = _encode(row.raw)
        out.write(b"{" + b",".join(_encode(name) + b":" + raw for name, raw in every.items()) + b"}\n")


def _write_csv(rows: _Rows, out: IO[bytes]) -> None:
    """Write the columns that the input had, if they can say every row; else a column a field."""
    sheet = sheet_of(rows.tables, _NOTES) if rows.are_all_tables else None
    if sheet is None or any(not row.is_invalid and _cells(sheet, row) is None for row in rows):
        sheet = Sheet(("organizationId", "id", *FIELDS), _NOTES, {})
    delimiter = rows.tables[0].delimiter if rows.are_all_tables else ","
    if rows.are_all_tables and rows.tables[0].encoding != UTF8:
        out.write(b"\xef\xbb\xbf")  # so that nobody reads it in the encoding that the input had
    out.write(encode_row(sheet.header, delimiter))
    for row in rows:
        out.write(encode_row(_cells(sheet, row) or sheet.noted(_cells_of_notes(row) | {"_raw": _raw(row)}), delimiter))


def _cells_of_notes(row: _Row) -> dict[str, str]:
    """Write the notes as cells: what a server says may hold anything, and must not make the file unreadable."""
    return {name: safe(str(note), LONGEST) for name, note in row.notes.items()}


def _cells(sheet: Sheet, row: _Row) -> list[str] | None:
    """Write a row; None when these columns cannot say it."""
    notes = _cells_of_notes(row)
    cells = None if row.members is None else sheet.row(row.members, notes)
    if cells is None and row.table is not None and (items := row.table.items(row.raw)) is not None:
        return sheet.row_as_read(row.table, items, notes)
    return cells


def _raw(row: _Row) -> str:
    """Give the record itself: as it stood in the input, or as it was sent."""
    if row.raw or row.members is None:
        return row.raw
    return (b"{" + b",".join(_encode(name) + b":" + raw for name, raw in row.members.items()) + b"}").decode()
