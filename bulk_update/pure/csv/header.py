"""The header of a CSV: found, taken apart, and made the layout of the rows."""

import csv
import re
from collections.abc import Collection
from typing import Final

from bulk_update.errors import InputError
from bulk_update.pure.csv.columns import find_columns, parse_name
from bulk_update.pure.csv.foreign import explain_foreign
from bulk_update.pure.csv.layout import Layout
from bulk_update.pure.csv.settings import TableSettings
from bulk_update.pure.csv.text import Text

DELIMITERS: Final = ",;\t|"
"""What may stand between cells, likeliest first."""


def begins_with_header(head: bytes, headers: Collection[str] = ()) -> bool:
    """Tell whether the first line that is not blank names a field, or is one of `headers`."""
    text = head.decode(errors="replace").removeprefix("\ufeff").lstrip()
    line = re.split(r"[\r\n]", text, maxsplit=1)[0]
    return _delimiter(line, headers) is not None


def read_header(text: Text, settings: TableSettings, room: int, where: str) -> tuple[int, Layout | None]:
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
    delimiter = _delimiter(lines[begin], settings.columns.values())
    if delimiter is None:
        raise InputError(f"{where}: {explain_foreign(_cells(lines[begin]))}")
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
    columns = find_columns(header, settings.columns, where)
    return end, Layout(delimiter, header, columns, settings.empty)


def _cells(line: str) -> list[str]:
    """Take a line apart that names no field: by what makes the most of it."""
    if line.lstrip().startswith("{"):
        return [line.strip()]
    return max((_parted(line, delimiter) for delimiter in DELIMITERS), key=len)


def _parted(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [line.strip()]


def _delimiter(line: str, headers: Collection[str]) -> str | None:
    """Find what parts most known names in a header; None if it has none."""
    best, most = None, 0
    for delimiter in DELIMITERS:
        known = sum(cell in headers or parse_name(cell) is not None for cell in _parted(line, delimiter))
        if known > most:
            best, most = delimiter, known
    return best
