"""Rows of a ledger, written as CSV that is an input again.

Nothing is written that would not be read as the very same: each row is read back before it is given.
"""

import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from bulk_update.errors import InputError
from bulk_update.pure.csv.columns import find_columns
from bulk_update.pure.csv.escapes import EMPTY_TEXT, ESCAPED, NULL, NULLS, Item, neutral
from bulk_update.pure.csv.layout import Layout
from bulk_update.pure.ledger_lines import Table

Members = Mapping[str, bytes]
"""A record: names, and values as JSON text."""

ORGANIZATION: Final = "organizationId"

_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text: Final = msgspec.json.Decoder(str).decode


class Sheet:
    """Write rows under columns of fields, then notes. `header`: all of them, the notes that escape cells last.

    InputError when the columns cannot be those of an input.
    """

    def __init__(self, fields: Sequence[str], notes: Sequence[str], columns: Mapping[str, str]) -> None:
        self.header = [*fields, *notes, ESCAPED, NULLS]
        self._notes = {name: len(fields) + at for at, name in enumerate(notes)}
        self._layout = Layout(",", self.header, find_columns(self.header, columns, "the header"))
        self._positions = _positions(self._layout)

    def row(self, members: Members, notes: Mapping[str, str]) -> list[str] | None:
        """Write a record; None when these columns cannot say all of it."""
        items: dict[int, Item] = {}
        for column in self._layout.columns:
            value = _value(members, column.path)
            if value is None:
                continue
            item = msgspec.Raw(value) if column.json else _item(value)
            if item is None:
                return None
            items[column.position] = item
        cells = self._layout.escapes.write(items)
        return self._noted(cells, notes) if _says(self._layout, cells, members) else None

    def row_as_read(self, table: "TableReader", items: Sequence[Item], notes: Mapping[str, str]) -> list[str] | None:
        """Write the cells of a row that is no record; None when a column of the table is none of these."""
        placed: dict[int, Item] = {}
        for column, position in table.positions.items():
            if column not in self._positions:
                return None
            placed[self._positions[column]] = items[position]
        return self._noted(self._layout.escapes.write(placed), notes)

    def noted(self, notes: Mapping[str, str]) -> list[str]:
        """Write a row of notes alone: no input takes it for a change, since it has no id."""
        return self._noted([""] * len(self.header), notes)

    def _noted(self, cells: list[str], notes: Mapping[str, str]) -> list[str]:
        for name, note in notes.items():
            cells[self._notes[name]] = neutral(note)
        return cells


class TableReader:
    """Read again the text of single rows of a table."""

    def __init__(self, table: Table) -> None:
        columns = find_columns(table.header, table.columns, "the header")
        self._layout = Layout(table.delimiter, table.header, columns, table.empty)
        self.positions = _positions(self._layout)

    def items(self, raw: str) -> list[Item] | None:
        """Take a row apart into what its cells say; None when it is not one row of this table."""
        row = self._layout.split(raw)
        if row is not None:
            try:
                self._layout.settle(row)
            except ValueError:
                return None
        return row

    def members(self, raw: str) -> Members | None:
        """Read a row as a record; None when it is none."""
        row = self._layout.split(raw)
        if row is None:
            return None
        try:
            return {name: bytes(value) for name, value in _members(self._layout.to_json(row)).items()}
        except (ValueError, RecursionError):
            return None


def sheet_of(tables: Sequence[Table], notes: Sequence[str]) -> Sheet | None:
    """Make the sheet that has the columns of the inputs; None when they have not all the same, or no safe ones."""
    first = tables[0]
    if any((table.header, table.columns) != (first.header, first.columns) for table in tables[1:]):
        return None
    fields = [name for name in first.header if not name.startswith("_") or name in first.columns.values()]
    if any(neutral(name) != name for name in fields):
        return None
    if ORGANIZATION not in fields and ORGANIZATION not in first.columns:
        fields.append(ORGANIZATION)  # it was given for all rows by --organization-id
    try:
        return Sheet(fields, notes, first.columns)
    except InputError:
        return None


def encode_row(cells: Sequence[str], delimiter: str) -> bytes:
    r"""Write a row of CSV, its line end included; a `\r` alone is quoted as well."""
    special = ('"', "\r", "\n", delimiter)
    quoted = ('"' + cell.replace('"', '""') + '"' if any(map(cell.__contains__, special)) else cell for cell in cells)
    return (delimiter.join(quoted) + "\n").encode()


def _positions(layout: Layout) -> dict[tuple[tuple[str, ...], bool], int]:
    """List where each value stands, by its path and whether its cells are JSON."""
    return {(column.path, column.json): column.position for column in layout.columns}


def _value(members: Members, path: Sequence[str]) -> bytes | None:
    """Find the value at a path; None when it is not there."""
    value: bytes | None = members.get(path[0])
    for name in path[1:]:
        try:
            found = _members(value).get(name) if value is not None else None
        except ValueError:
            return None
        value = None if found is None else bytes(found)
    return value


def _item(value: bytes) -> Item | None:
    """Make a value what a cell of text says; None when no such cell can say it."""
    if value == b"null":
        return NULL
    try:
        text = _text(value)
    except ValueError:
        return None
    return None if "\0" in text else text or EMPTY_TEXT


def _says(layout: Layout, cells: Sequence[str], members: Members) -> bool:
    """Tell whether cells, when they are read, are a record."""
    read = _members(layout.to_json(list(cells)))
    if set(read) != set(members):
        return False
    return all(bytes(raw) == members[name] or _plain(bytes(raw)) == _plain(members[name]) for name, raw in read.items())


def _plain(value: bytes) -> object:
    """Decode JSON so that only what means the same is equal: 1 and 1.0 and "1" are three values."""
    return json.loads(
        value,
        parse_int=lambda digits: ("number", digits),
        parse_float=lambda digits: ("number", digits),
        object_pairs_hook=lambda pairs: ("object", sorted(pairs, key=itemgetter(0))),
    )
