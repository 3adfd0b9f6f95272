"""The records, in SQLite; the only file here that knows it (`schema` has the tables).

An update is appended, never merged in place: a record is its `body` as it was put, and after it the updates
applied to it, oldest first. Appending is what makes a request of a hundred cheap, keeps each update as it
came, and is the history of an id for the asking. `records.current` folds them when a record is read.

Calls are plain and quick (microseconds a record), for the thread that made the store alone.
"""

# ruff: noqa: S608 -- statements are put together of our own words and marks alone, never of a value

import itertools
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Raw

from bulk_update.errors import InputError
from bulk_update.sandbox import schema
from bulk_update.sandbox.records import Event, Folding, Origin, Query, Record, current
from bulk_update.sandbox.seeds import read_seed

_SEED_CHUNK: Final = 10_000  # records held in memory while a seed is read
_NOBODY: Final = Origin(0, 0, "")
_raws = msgspec.json.Decoder(list[Raw])


class Store:
    """Hold records by organization and id; in memory, or in the file at `path`.

    `folding`: how updates change a record. `immutable`: whether records refuse updates that say nothing of it
    themselves. A file survives a killed process; after a power cut it may be damaged, since nothing is synced.
    Raise InputError when the file cannot be used.
    """

    def __init__(self, path: Path | None = None, *, folding: Folding | None = None, immutable: bool = False) -> None:
        self.folding = folding or Folding()
        self.immutable_by_default = immutable
        name = ":memory:" if path is None else str(path)
        try:
            self._connection = sqlite3.connect(name, isolation_level=None, cached_statements=512)
        except sqlite3.Error as error:
            raise InputError(f"cannot open the sandbox's store {name}: {error}") from None
        try:
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = OFF"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._open_tables(name)
        except sqlite3.Error as error:
            self._connection.close()
            raise InputError(f"cannot use the sandbox's store {name}: {error}") from None
        self._is_packed = True  # until looked at
        self._has_marks = self._one("SELECT EXISTS (SELECT 1 FROM record WHERE immutable IS NOT NULL)") == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; of a store in memory nothing is left."""
        self._connection.close()

    # -------------------------------------------------------------------------------- filling it

    def seed_file(self, path: Path) -> int:
        """Put the records of an NDJSON file; return how many lines held one.

        Of two lines of one id the later counts. Raise InputError, with the line number, for a line that
        is no record; then nothing of the file is in the store.
        """
        return self.seed(read_seed(path))

    def seed(self, records: Iterable[Record]) -> int:
        """Put records, all of them or none; return how many there were."""
        pending = iter(records)
        rows = 0
        with self._transaction():
            is_fresh = self._one("SELECT EXISTS (SELECT 1 FROM record)") == 0
            if is_fresh:
                self._connection.execute(schema.DROP_KEY_INDEX)
            while chunk := list(itertools.islice(pending, _SEED_CHUNK)):
                if is_fresh:
                    self._connection.executemany(schema.INSERT, [schema.columns(record, None) for record in chunk])
                    self._has_marks |= any(record.immutable is not None for record in chunk)
                else:
                    self._put(chunk, None)
                rows += len(chunk)
            if is_fresh:
                self._index_keys()
        return rows

    def ensure(self, organization: str, ids: Iterable[str]) -> None:
        """Make records that have their id alone, where there are none."""
        with self._transaction():
            self._connection.executemany(schema.ENSURE, ((organization, id) for id in ids))

    def put(self, records: Iterable[Record], origin: Origin = _NOBODY) -> None:
        """Put records whole; what one that exists was goes to its past."""
        with self._transaction():
            self._put(list(records), self._note(origin) if origin.request else None)

    def reset(self) -> None:
        """Forget every record, and all that happened."""
        with self._transaction():
            for table in ("record", "request", "history", "past"):
                self._connection.execute(f"DELETE FROM {table}")
        self._has_marks = False

    # ---------------------------------------------------------------------------------- reading

    def count(self) -> int:
        """Return how many records there are, in all organizations."""
        return self._one("SELECT count(*) FROM record")

    def organizations(self) -> Mapping[str, int]:
        """Return how many records each organization has."""
        rows = self._connection.execute(
            "SELECT organization, count(*) FROM record GROUP BY organization ORDER BY organization"
        )
        return dict(rows)

    def has_organization(self, organization: str) -> bool:
        """Tell whether an organization has any record."""
        return self._one("SELECT EXISTS (SELECT 1 FROM record WHERE organization = ?)", organization) == 1

    def last_request(self) -> int:
        """Return the number of the last request that changed something; 0 for none."""
        return self._one("SELECT coalesce(max(arrival), 0) FROM request")

    def record(self, organization: str, id: str) -> bytes | None:
        """Return a record as `get` would, or None."""
        row = self._connection.execute(
            "SELECT number, body FROM record WHERE organization = ? AND id = ?", (organization, id)
        ).fetchone()
        return None if row is None else self._current(organization, id, row[1], self._updates(row[0]))

    def history(self, organization: str, id: str) -> list[bytes]:
        """Return the updates applied to a record since it was put, oldest first, each as it came."""
        row = self._connection.execute(
            "SELECT number FROM record WHERE organization = ? AND id = ?", (organization, id)
        ).fetchone()
        return [] if row is None else self._updates(row[0])

    def events(self, organization: str, id: str) -> list[Event]:
        """Return all that happened to an id, oldest first, and by which request; deleted ones have a past, too."""
        self._unpack()
        rows = self._connection.execute(schema.EVENTS, {"organization": organization, "id": id})
        return [Event(*row) for row in rows]

    def immutable(self, organization: str, ids: Iterable[str]) -> set[str]:
        """Return those of `ids` whose records may not be changed."""
        numbers = self._numbers(organization, ids)
        return numbers.keys() - self._changeable(organization, numbers).keys()

    def page(self, query: Query, size: int) -> tuple[list[bytes], tuple[int, str] | None]:
        """Return at most `size` records by timestamp, then id, and where the next page begins after."""
        self._connection.execute(schema.TIME_INDEX)
        where, values = schema.where(query)
        order = "DESC" if query.descending else "ASC"
        # A plus keeps SQLite from walking a whole organization in order for the sake of a few ids.
        free = "" if query.ids is None else "+"
        rows = self._connection.execute(
            f"SELECT number, id, body, timestamp FROM record WHERE {where} "
            f"ORDER BY {free}timestamp {order}, {free}id {order} LIMIT ?",
            (*values, size + 1),
        ).fetchall()
        records = [
            self._current(query.organization, id, body, self._updates(number)) for number, id, body, _ in rows[:size]
        ]
        more = len(rows) > size
        return records, (rows[size - 1][3], rows[size - 1][1]) if more else None

    def search(self, text: str, organization: str | None, *, limit: int) -> list[tuple[str, str, int]]:
        """Return organization, id and number of updates of records whose id has `text` in it."""
        self._unpack()
        literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return self._connection.execute(
            "SELECT organization, id, (SELECT count(*) FROM history WHERE record = record.number) FROM record "
            "WHERE id LIKE ? ESCAPE '\\' AND (? IS NULL OR organization = ?) ORDER BY number LIMIT ?",
            (f"%{literal}%", organization, organization, limit),
        ).fetchall()

    def slice(self, after: int, size: int) -> tuple[list[tuple[str, bytes]], int]:
        """Return at most `size` records, each with its organization, and where the next slice begins after.

        They come in the order they were put in; `after` is 0 at first. None are left when the list is empty.
        """
        self._unpack()
        rows = self._connection.execute(
            "SELECT number, organization, id, body FROM record WHERE number > ? ORDER BY number LIMIT ?",
            (after, size),
        ).fetchall()
        if not rows:
            return [], after
        updates: dict[int, list[bytes]] = {}
        for number, activity in self._connection.execute(
            "SELECT record, activity FROM history WHERE record BETWEEN ? AND ? ORDER BY number",
            (rows[0][0], rows[-1][0]),
        ):
            updates.setdefault(number, []).append(activity)
        records = [
            (organization, self._current(organization, id, body, updates.get(number, ())))
            for number, organization, id, body in rows
        ]
        return records, rows[-1][0]

    # --------------------------------------------------------------------------------- changing

    def update(
        self, organization: str, activities: Sequence[tuple[str, Raw | bytes]], origin: Origin = _NOBODY
    ) -> set[str]:
        """Apply updates in order, in one transaction; return the ids that exist and may be changed."""
        with self._transaction():
            numbers = self._numbers(organization, dict.fromkeys(id for id, _ in activities))
            numbers = self._changeable(organization, numbers)
            applied = [(numbers[id], activity) for id, activity in activities if id in numbers]
            if applied:
                packed = b"[" + b",".join([activity for _, activity in applied]) + b"]"
                self._note(origin, packed, array("q", [number for number, _ in applied]).tobytes())
                self._is_packed = True
        return set(numbers)

    def delete(self, query: Query, origin: Origin = _NOBODY) -> Mapping[str, bool]:
        """Delete what the query finds; return a verdict for each id asked for, or else for each found.

        An immutable record is found, and stays.
        """
        where, values = schema.where(query)
        with self._transaction():
            self._unpack()
            rows = self._connection.execute(
                f"SELECT id, number FROM record WHERE {where} ORDER BY number", values
            ).fetchall()
            gone = self._changeable(query.organization, dict(rows))
            request = self._note(origin) if gone else None
            keys: list[dict[str, object]] = [
                {"organization": query.organization, "id": id, "request": request} for id in gone
            ]
            self._remember(keys)
            self._connection.executemany(schema.NOTE_DELETION, keys)
            self._connection.executemany(schema.DELETE, keys)
        return dict.fromkeys(query.ids or (), False) | {id: id in gone for id, _ in rows}

    # ---------------------------------------------------------------------------------- within

    def _open_tables(self, name: str) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in {0, schema.VERSION}:
            self._connection.close()
            raise InputError(f"cannot use the sandbox's store {name}: it has the form {version} of another release")
        self._connection.executescript(f"{schema.TABLES}; PRAGMA user_version = {schema.VERSION}")
        self._connection.execute(schema.KEY_INDEX)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _one(self, statement: str, *values: object) -> int:
        (value,) = self._connection.execute(statement, values).fetchone()
        return int(value)

    def _current(self, organization: str, id: str, body: bytes | None, updates: Iterable[bytes]) -> bytes:
        return current(organization, id, body, updates, self.folding)

    def _note(self, origin: Origin, activities: bytes | None = None, records: bytes | None = None) -> int | None:
        """Keep the request that changes something; return its number in the order of applying."""
        values = (origin.request or None, origin.time, origin.path, activities, records)
        return self._connection.execute(schema.NOTE_REQUEST, values).lastrowid

    def _index_keys(self) -> None:
        try:
            self._connection.execute(schema.KEY_INDEX)
        except sqlite3.IntegrityError:
            self._connection.execute(schema.KEEP_THE_LATER)
            self._connection.execute(schema.KEY_INDEX)

    def _put(self, records: list[Record], request: int | None) -> None:
        self._unpack()
        existing: list[dict[str, object]] = [
            {"organization": organization, "id": id}
            for organization, ids in _by_organization(records).items()
            for id in self._numbers(organization, ids)
        ]
        self._remember(existing)
        self._has_marks |= any(record.immutable is not None for record in records)
        self._connection.executemany(schema.PUT, [schema.columns(record, request) for record in records])

    def _remember(self, keys: list[dict[str, object]]) -> None:
        """Move what records are, and their updates, to the past."""
        self._connection.execute(schema.HISTORY_INDEX)
        for statement in (schema.REMEMBER, schema.REMEMBER_UPDATES, schema.FORGET_UPDATES):
            self._connection.executemany(statement, keys)

    def _numbers(self, organization: str, ids: Iterable[str]) -> dict[str, int]:
        """Return, by id, the numbers of the records that exist."""
        found: dict[str, int] = {}
        for chunk in schema.chunks(ids):
            found.update(self._connection.execute(schema.select_numbers(len(chunk)), (organization, *chunk)))
        return found

    def _changeable(self, organization: str, numbers: dict[str, int]) -> dict[str, int]:
        """Return those of `numbers` whose records may be changed."""
        if not self._has_marks:
            return {} if self.immutable_by_default else numbers
        marked: dict[str, int] = {}
        for chunk in schema.chunks(numbers):
            marked.update(self._connection.execute(schema.select_marked(len(chunk)), (organization, *chunk)))
        default = self.immutable_by_default
        return {id: number for id, number in numbers.items() if not marked.get(id, default)}

    def _updates(self, number: int) -> list[bytes]:
        self._unpack()
        rows = self._connection.execute("SELECT activity FROM history WHERE record = ? ORDER BY number", (number,))
        return [activity for (activity,) in rows]

    def _unpack(self) -> None:
        """Make the history readable: a row for each update of each id."""
        if not self._is_packed:
            return
        while packed := self._connection.execute(schema.PACKED).fetchall():
            for request, activities, numbers in packed:
                records = array("q", numbers)
                rows = zip(records, itertools.repeat(request), map(bytes, _raws.decode(activities)), strict=False)
                self._connection.executemany(schema.UNPACK, rows)
            emptied = [(request,) for request, _, _ in packed]
            self._connection.executemany("UPDATE request SET activities = NULL WHERE number = ?", emptied)
        self._connection.execute(schema.HISTORY_INDEX)
        self._is_packed = False


def _by_organization(records: Iterable[Record]) -> dict[str, dict[str, None]]:
    ids: dict[str, dict[str, None]] = {}
    for record in records:
        ids.setdefault(record.organization, {})[record.id] = None
    return ids
