"""What a header makes of a row: the JSON object that a line of NDJSON would have been."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec

from bulk_update.pure.csv.columns import Column
from bulk_update.pure.csv.escapes import EMPTY_TEXT, NULL, Escapes, Item
from bulk_update.pure.csv.settings import Empty
from bulk_update.pure.csv.text import STILL_OPEN, UNCLOSED, Refusal, clip, place

_to_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode
_encode: Final = msgspec.json.Encoder().encode


class Layout:
    """What a header makes of a row: which cell becomes which value of the record.

    The record is a struct made for the header: it leaves out what is still its default, the empty string.
    `width`: cells of a row. `columns`: those that are read, in the order in which the record has them, so
    that the record does not depend on the order of the columns. `empty`: what an empty cell says.
    """

    def __init__(self, delimiter: str, header: Sequence[str], columns: Sequence[Column], empty: Empty = "omit") -> None:
        self.delimiter = delimiter
        self.header = header
        self.width = len(header)
        self.columns = columns
        self.escapes = Escapes(header, columns)
        self._has_escapes = self.escapes.are_there
        self._fill = NULL if empty == "null" else EMPTY_TEXT
        empty = "omit" if self._has_escapes else empty
        self._filled = [column.position for column in columns if _is_filled(column, empty)]
        self._json = [column for column in columns if column.json]
        self._json_positions = [column.position for column in self._json]
        self._positions = {".".join(column.path): column.position for column in columns}
        self._nested: list[tuple[Callable[..., Any], Callable[[list[Any]], Sequence[Any]]]] = []
        self._record, self._cells = self._assemble(columns, 0)

    def _assemble(
        self, columns: Sequence[Column], level: int
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
        if self._has_escapes or self._filled:
            self.settle(row)
        for position in self._json_positions:
            cell = row[position]
            if cell:
                row[position] = _to_raw(cell)
        return self.assemble(row)

    def assemble(self, row: list[Any]) -> bytes:
        """Make values a JSON object, using the row up; "" leaves a value out."""
        for struct, cells in self._nested:
            values = cells(row)
            row.append(struct(*values) if any(values) else "")
        return _encode(self._record(*self._cells(row)))

    def split(self, raw: str) -> list[Any] | None:
        """Take the text of one row apart; None when it is not one row with as many cells as the header."""
        try:
            rows = list(csv.reader(io.StringIO(raw, ""), delimiter=self.delimiter, strict=True))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 and len(rows[0]) == self.width else None

    def settle(self, row: list[Any]) -> None:
        """Turn cells into what they say. ValueError when their escapes cannot be read."""
        if self._has_escapes:
            self.escapes.undo(row)
        for position in self._filled:
            row[position] = row[position] or self._fill

    def refuse_count(self, row: Sequence[str], first: int, end: int) -> Refusal | None:
        """Say that a row, in lines `first` to before `end`, has more or fewer cells than the header."""
        if len(row) == self.width:
            return None
        found = f"found {len(row)} cell{'s' if len(row) > 1 else ''}"
        expected = f"expected {self.width} as in the header"
        if end - first > 1:
            found += f" in {place(first, end)}"
            expected += f"; is a quote astray in line {first}?"
        return Refusal("wrong_cell_count", f"{found}, {expected}")

    def refuse_overrun(self, row: Sequence[str], line_ends: str) -> Refusal | None:
        """Say that a row has cells beyond the last column that a quote has carried over a line end."""
        beyond = "".join(row[self.width :])
        return UNCLOSED if any(line_end in beyond for line_end in line_ends) else None

    def refuse_open(self, row: list[str]) -> Refusal | None:
        """Say whether a quote is open at the end of the lines given, by the row that the line more made."""
        if len(row) == 1:
            return None
        return UNCLOSED if len(row) - 1 > self.width else STILL_OPEN

    def refuse_json(self, row: list[Any]) -> Refusal:
        """Say which cell of a row is not JSON: the first that has not become any; or that an escape is none."""
        if refusal := self.escapes.refuse(row) if self._has_escapes else None:
            return refusal
        for column in self._json:
            cell = row[column.position]
            if not cell or not isinstance(cell, str):
                continue
            try:
                _to_raw(cell)
            except (ValueError, RecursionError) as error:
                reason = re.sub(r"^JSON is malformed: | \(byte \d+\)$", "", str(error)).lower()
                found = f"{column}: found {clip(cell)}, which is not JSON ({reason})"
                return Refusal("not_json", f'{found}, expected JSON; as JSON, a text is written "text"')
        return Refusal("not_json", "found a row that cannot be written as JSON")

    def names(self, row: list[Any]) -> tuple[str | None, str | None]:
        """Return the organization and the id that a row names."""
        organization, identifier = (self._positions.get(name) for name in ("organizationId", "id"))
        return (
            None if organization is None else _text(row[organization]),
            None if identifier is None else _text(row[identifier]),
        )


def _text(item: Item) -> str | None:
    return item or None if isinstance(item, str) else None


def _is_filled(column: Column, empty: Empty) -> bool:
    """Tell whether an empty cell of a column says something. No cell names an activity by being empty."""
    if empty == "omit" or column.names_activity:
        return False
    return empty == "null" or not column.json
