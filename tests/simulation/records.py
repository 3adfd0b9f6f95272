"""An input: records with a serial number in each value, the files they stand in, and the edits between runs."""

import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final

import anyio

from tests.simulation.process import Process

FIELDS: Final = (
    "changes",
    "entityData",
    "entityTargetData",
    "displayMessageTemplate",
    "displayMessageTemplateData",
    "actionIcon",
)
"""What an update can set, in the order of the official page."""

CULPRIT: Final = b"culprit"
"""The API refuses a whole request for an activity that has this in it."""

POISON: Final = b"poison"
"""The API breaks over an activity that has this in it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `activity`: what must arrive, b"" for an invalid one. `check`: what the ledger knows it by."""

    text: bytes
    organization: str
    id: str
    activity: bytes
    fields: Mapping[str, bytes] = field(default_factory=dict, compare=False)

    @property
    def is_valid(self) -> bool:
        return bool(self.activity)

    @property
    def check(self) -> str:
        return f"{zlib.crc32(self.activity or self.text):08x}"


Lines = list[Record | None]
"""The lines of one file; None is a blank one."""


@dataclass(frozen=True, slots=True)
class Taste:
    """What records are drawn from: shares are from 0 to 1.

    `ids`: ids of each organization. `missing`: ids that the API does not have.
    """

    organizations: Sequence[str]
    ids: int
    invalid: float = 0.0
    repeated: float = 0.0
    culprits: float = 0.0
    poison: float = 0.0
    odd: float = 0.0


class Author:
    """Write records; no value is ever written twice, but in a record that is repeated whole."""

    def __init__(self, taste: Taste, chance: Random) -> None:
        self._taste = taste
        self._chance = chance
        self._serials = count(1)
        self._written: list[Record] = []

    def records(self, number: int) -> Lines:
        """Write a file of so many records."""
        return [self._line() for _ in range(number)]

    def edit(self, files: list[Lines]) -> str:
        """Change an input the way people do; say how."""
        chance = self._chance
        lines = chance.choice(files)
        how = chance.choice(("edit", "edit", "insert", "insert", "remove", "move", "append", "blank"))
        at = chance.randrange(len(lines) + 1)
        old = lines[at] if at < len(lines) else None
        if how in ("edit", "remove", "move") and at == len(lines):
            how = "append"
        if how == "edit":
            lines[at] = self._record(old.organization, old.id) if old is not None else self._line()
        elif how == "insert":
            lines.insert(at, self._line())
        elif how == "remove":
            del lines[at]
        elif how == "move":
            lines.insert(chance.randrange(len(lines)), lines.pop(at))
        elif how == "append":
            lines.extend(self.records(chance.randint(1, 5)))
        else:
            lines.insert(at, None)
        return f"{how} at {at + 1}"

    def _line(self) -> Record | None:
        taste, draw = self._taste, self._chance.random
        if draw() < taste.odd / 4:
            return None
        if draw() < taste.repeated and self._written:
            return self._chance.choice(self._written)
        record = self._invalid() if draw() < taste.invalid else self._record()
        self._written.append(record)
        return record

    def _record(self, organization: str = "", identifier: str = "") -> Record:
        chance, taste = self._chance, self._taste
        organization = organization or chance.choice(taste.organizations)
        identifier = identifier or f"a{chance.randrange(taste.ids)}"
        named = [name for name in FIELDS if chance.random() < 0.3] or [chance.choice(FIELDS)]
        fields = {name: self._value(name) for name in named}
        activity = _object({"id": _text(identifier), **fields})
        return Record(self._written_down(organization, identifier, fields), organization, identifier, activity, fields)

    def _value(self, name: str) -> bytes:
        chance, serial = self._chance, next(self._serials)
        mark = f"v{serial}"
        if chance.random() < self._taste.culprits:
            mark += CULPRIT.decode()
        if chance.random() < self._taste.poison:
            mark += POISON.decode()
        if name == "changes":
            return _object({"status": _object({"from": b"null", "to": _text(mark)})})
        if name == "displayMessageTemplateData":
            return _object({"user": _text(mark)})
        if name in ("entityData", "entityTargetData") and chance.random() < 0.5:
            return b"[%b,%d.0,1E2,%d]" % (_text(mark), serial, 2**64 + serial)
        return _text(mark + chance.choice(("", " \N{SNOWMAN}", '"', "x" * 40)))

    def _written_down(self, organization: str, identifier: str, fields: Mapping[str, bytes]) -> bytes:
        """Write the record as somebody might: in any order, with notes, and with room between."""
        members = {"organizationId": _text(organization), "id": _text(identifier), **fields}
        if self._chance.random() >= self._taste.odd:
            return _object(members)
        items = [*members.items(), ("_note", b"[1, 2]")]
        self._chance.shuffle(items)
        return b"{ " + b" , ".join(_text(key) + b": " + value for key, value in items) + b" }"

    def _invalid(self) -> Record:
        """Write a record that nobody can send."""
        chance, serial = self._chance, next(self._serials)
        organization, identifier = chance.choice(self._taste.organizations), f"a{serial}"
        members = {"organizationId": _text(organization), "id": _text(identifier), "actionIcon": _text("i")}
        how = chance.randrange(5)
        if how == 0:
            return Record(b'{"id": "a%d", ' % serial, "", "", b"")
        if how == 1:
            del members["organizationId"]
            return Record(_object(members), "", identifier, b"")
        if how == 2:
            del members["actionIcon"]
        elif how == 3:
            members["actionIcons"] = b"1"
        else:
            members["actionIcon"] = b"%d" % serial
        return Record(_object(members), organization, identifier, b"")


def present(files: Sequence[Lines]) -> Iterator[tuple[int, int, Record]]:
    """Go through the records of all files: index of the file, physical line, record."""
    for index, lines in enumerate(files):
        for line, record in enumerate(lines, 1):
            if record is not None:
                yield index, line, record


def file_bytes(lines: Lines, *, ends: bool) -> bytes:
    """Write a file; `ends`: its last line has an end."""
    text = b"\n".join(record.text if record is not None else b"" for record in lines)
    return text + b"\n" if ends and lines else text


class SimulatedSource:
    """One input, opened: blocks of any size, quickly or slowly. Implements `edge.rows.Source`."""

    format = "ndjson"

    def __init__(self, data: bytes, process: Process, chance: Random, slowness: float) -> None:
        self._data = data
        self._process = process
        self._chance = chance
        self._slowness = slowness
        self._block = max(1, len(data) // chance.choice((1, 2, 5, 20)))
        self.bytes_total = len(data)
        self.bytes_read = 0

    async def read(self) -> bytes:
        """Read a block."""
        if not self._process.moment("reading"):
            await self._process.wait_for_ever()
        self._process.on_read()
        await anyio.sleep(self._slowness * self._chance.random())
        size = self._chance.randint(1, self._block)
        block = self._data[self.bytes_read : self.bytes_read + size]
        self.bytes_read += len(block)
        return block


class Shelf:
    """Open inputs by name."""

    def __init__(self, files: Mapping[str, bytes], process: Process, chance: Random, slowness: float) -> None:
        self._files = files
        self._process = process
        self._chance = chance
        self._slowness = slowness

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[SimulatedSource]:
        """Open an input."""
        yield SimulatedSource(self._files[name], self._process, self._chance, self._slowness)


def _text(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()


def _object(members: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(_text(key) + b":" + value for key, value in members.items()) + b"}"
