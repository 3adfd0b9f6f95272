"""Cells that are not what they look like: kept from being formulas, empty on purpose, or null.

A spreadsheet takes a cell that begins with `=` for a formula, and some other beginnings, too. Such a cell is
written with an apostrophe before it, and its header is listed in the row's `_escaped`, a JSON array. The
apostrophe is taken away again only where the row says so, so no value changes on the way, not even one that
begins with an apostrophe of its own. An apostrophe alone stands for the empty text, and `_null` lists the
headers of cells that are null. An empty cell that is listed in neither leaves its field out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from bulk_update.pure.csv.columns import Column
from bulk_update.pure.csv.text import Refusal, clip

ESCAPED: Final = "_escaped"
NULLS: Final = "_null"

NULL: Final = msgspec.Raw(b"null")
EMPTY_TEXT: Final = msgspec.Raw(b'""')

Item = str | msgspec.Raw
"""What a cell says: its text, "" where it leaves its field out, or `NULL` or `EMPTY_TEXT`."""

_APOSTROPHE: Final = "'"
_FORMULAS: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""How a formula begins, in some spreadsheet; the last four are what East Asian keyboards give for the first."""

_encode: Final = msgspec.json.Encoder().encode
_headers: Final = msgspec.json.Decoder(list[str]).decode


class Escapes:
    """Read and write the cells of a table that has the columns `_escaped` and `_null`.

    `width`: cells of a row.
    """

    def __init__(self, header: Sequence[str], columns: Sequence[Column]) -> None:
        taken = {column.position for column in columns}
        self._width = len(header)
        self._lists = {
            name: header.index(name) for name in (ESCAPED, NULLS) if name in header and header.index(name) not in taken
        }
        by_position = sorted(columns, key=lambda column: column.position)
        self._columns: Mapping[str, Column] = {column.header: column for column in by_position}

    @property
    def are_there(self) -> bool:
        """Tell whether the table has escapes: then an empty cell always leaves its field out."""
        return ESCAPED in self._lists

    def undo(self, row: list[Any]) -> None:
        """Turn cells into what they say. ValueError when a list is none of headers."""
        for column in self._listed(row, ESCAPED):
            cell = row[column.position].removeprefix(_APOSTROPHE)
            row[column.position] = cell or ("" if column.json else EMPTY_TEXT)
        for column in self._listed(row, NULLS):
            row[column.position] = NULL

    def refuse(self, row: Sequence[Any]) -> Refusal | None:
        """Say which list is none."""
        for name, position in self._lists.items():
            try:
                self._listed(row, name)
            except ValueError:
                expected = f'expected a JSON array of headers, such as ["{next(iter(self._columns))}"], or nothing'
                return Refusal("bad_escape", f"{name}: found {clip(row[position])}, {expected}")
        return None

    def write(self, items: Mapping[int, Item]) -> list[str]:
        """Write what cells say, by position: no cell is a formula, and reading gives the same again."""
        row = [""] * self._width
        escaped, nulls = [], []
        for column in self._columns.values():
            item = items.get(column.position, "")
            if item == NULL and not column.json:
                nulls.append(column.header)
            elif item == EMPTY_TEXT and not column.json:
                row[column.position] = _APOSTROPHE
                escaped.append(column.header)
            else:
                text = item if isinstance(item, str) else bytes(item).decode()
                row[column.position] = neutral(text)
                if text.startswith(_FORMULAS):
                    escaped.append(column.header)
        for name, headers in ((ESCAPED, escaped), (NULLS, nulls)):
            row[self._lists[name]] = _encode(headers).decode() if headers else ""
        return row

    def _listed(self, row: Sequence[Any], name: str) -> list[Column]:
        """Find the columns that a row lists. ValueError when it lists something else."""
        cell = row[self._lists[name]] if name in self._lists else ""
        try:
            return [self._columns[header] for header in dict.fromkeys(_headers(cell))] if cell else []
        except (KeyError, RecursionError):
            raise ValueError(name) from None


def neutral(text: str) -> str:
    """Put an apostrophe before what a spreadsheet may take for a formula."""
    return _APOSTROPHE + text if text.startswith(_FORMULAS) else text
