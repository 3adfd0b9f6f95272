"""The columns of a CSV, by their headers: which cell becomes which value of the record."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from bulk_update.errors import InputError
from bulk_update.pure.csv.foreign import explain_foreign, listed_names, meant_field
from bulk_update.pure.shape import KEYS

TEXT: Final = frozenset({"organizationId", "id", "displayMessageTemplate", "actionIcon"})
"""The fields whose cells are plain text; the cells of the others hold JSON."""

MAX_LEVELS: Final = 100
"""Names in one dotted header, at most."""

MARK: Final = ":json"
"""How the name of a column ends whose cells hold JSON, where that would not be so."""

KNOWN: Final = ", ".join(KEYS)
_NOT_IN_KEYS: Final = re.compile(r'["\\\x00-\x1f]')


class Column(NamedTuple):
    """One column that is read. `position`: from 0. `path`: the names from the record down to the value.

    `json`: its cells hold JSON. `is_marked`: the name says so.
    """

    path: tuple[str, ...]
    json: bool
    position: int
    header: str
    is_marked: bool = False

    @property
    def names_activity(self) -> bool:
        """Tell whether it says which activity is meant."""
        return self.path in (("id",), ("organizationId",))

    def __str__(self) -> str:
        return f'column {self.position + 1} "{self.header}"'


def parse_name(name: str) -> tuple[tuple[str, ...], bool] | None:
    """Read a column's name: the path to its value, and whether its cells hold JSON; None if unknown."""
    path = tuple(name.removesuffix(MARK).split("."))
    if path[0] not in KEYS or not all(path) or len(path) > MAX_LEVELS or _NOT_IN_KEYS.search(name):
        return None
    whole, json = len(path) == 1, name.endswith(MARK)
    if path[0] in TEXT:
        return (path, False) if whole and not json else None
    return path, whole or json


def find_columns(header: Sequence[str], columns: Mapping[str, str], where: str) -> list[Column]:
    """List the columns that are read, in the order of the record. InputError if a name cannot be used."""
    names = _mapped(header, columns, where)
    found = []
    if not any(cell in names or parse_name(cell) is not None for cell in header):
        raise InputError(f"{where}: {explain_foreign(header)}")
    for position, cell in enumerate(header):
        if cell not in names and cell.startswith("_"):
            continue
        name = names.get(cell, cell)
        parsed = parse_name(name)
        if parsed is None:
            others = [other for other in header[position + 1 :] if not _is_read_or_note(other, names)]
            more = f". No fields either: {listed_names(others)}" if others else ""
            raise InputError(f"{where}: {_unknown(cell, position)}{more}")
        found.append(Column(*parsed, position, cell, name.endswith(MARK)))
    found.sort(key=lambda column: (KEYS.index(column.path[0]), column.path))
    for one, other in pairwise(found):
        if one.path == other.path:
            raise InputError(f"{where}: {one} and {other} are the same field; keep one (_ before a name drops it)")
        if one.path == other.path[: len(one.path)]:
            raise InputError(f"{where}: {other} is a part of {one}; keep the whole or its parts")
    if not any(column.path == ("id",) for column in found):
        raise InputError(f"{where}: found no id; --column id=HEADER tells under which header it stands")
    return found


def _is_read_or_note(cell: str, names: Mapping[str, str]) -> bool:
    return cell.startswith("_") or parse_name(names.get(cell, cell)) is not None


def _mapped(header: Sequence[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """Return the field that each header stands for by `columns`. InputError if one is not there."""
    names: dict[str, str] = {}
    for field, name in columns.items():
        option = f"--column {field}={name}"
        if parse_name(field) is None:
            raise InputError(f'{option}: "{field}" is no field; known are {KNOWN}')
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
        hint = f"expected one of {KNOWN}"
    elif root in TEXT:
        hint = f'expected "{root}", which is a text and has no parts'
    elif root in KEYS:
        hint = f'expected names parted by dots, as in "{root}.status.from" or "{root}.status.from:json"'
    elif meant := meant_field(cell):
        hint = f'did you mean "{meant}"? (--column "{meant}={cell}" reads it as that)'
    else:
        hint = f"expected one of {KNOWN} (--column FIELD=HEADER tells which it is)"
    return f"{found}, {hint}; a name that begins with _ is a note and not read"
