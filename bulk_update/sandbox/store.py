"""The records, in SQLite; the only file here that knows it.

An update is appended, never merged in place: a record is its `body` as it was put, and after it the updates
applied to it, oldest first. Appending is what makes a request of a hundred cheap, keeps each update as it
came, and is the history of an id for the asking. `records.current` folds them when a record is read.

Calls are plain and quick (microseconds a record), for the thread that made the store alone.
"""

# ruff: noqa: S608 -- statements are put together of our own words and marks alone, never of a value

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, Self

from bulk_update.errors import InputError
from bulk_update.sandbox.records import Query, Record, current, seed_record

_CHUNK: Final = 500  # rows or ids in one statement: two values each stay far below SQLite's limits
_SEED_CHUNK: Final = 10_000  # records held in memory while a seed is read

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS record (
    number       INTEGER PRIMARY KEY,
    organization TEXT NOT NULL,
    id           TEXT NOT NULL,
    body         BLOB,                       -- JSON object; NULL: the record has its id alone
    document     TEXT,
    target       TEXT,
    feature      TEXT,
    action       TEXT,
    user         TEXT,
    timestamp    INTEGER NOT NULL DEFAULT 0, -- ms since 1970
    immutable    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (organization, id)
);
CREATE TABLE IF NOT EXISTS history (
    number   INTEGER PRIMARY KEY,            -- in the order of applying
    record   INTEGER NOT NULL,
    activity BLOB NOT NULL                   -- JSON object as it came in the update
);
"""
# Made when first needed: a run that only updates never pays for them.
_HISTORY_INDEX: Final = "CREATE INDEX IF NOT EXISTS history_of_record ON history (record)"
_TIME_INDEX: Final = "CREATE INDEX IF NOT EXISTS record_by_time ON record (organization, timestamp, id)"

_ENSURE: Final = "INSERT OR IGNORE INTO record (organization, id) VALUES (?, ?)"
_PUT: Final = """
INSERT INTO record (organization, id, body, document, target, feature, action, user, timestamp, immutable)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (organization, id) DO UPDATE SET
    body = excluded.body, document = excluded.document, target = excluded.target,
    feature = excluded.feature, action = excluded.action, user = excluded.user,
    timestamp = excluded.timestamp, immutable = excluded.immutable
"""
_FORGET: Final = (
    "DELETE FROM history WHERE record IN (SELECT number FROM record WHERE organization = ? AND id = ?)"
)


class Store:
    """Hold records by organization and id; in memory, or in the file at `path`.

    A file survives a killed process; after a power cut it may be damaged, since nothing is synced. Raise
    InputError when the file cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        name = ":memory:" if path is None else str(path)
        try:
            self._connection = sqlite3.connect(name, isolation_level=None, cached_statements=512)
        except sqlite3.Error as error:
            raise InputError(f"cannot open the sandbox's store {name}: {error}") from None
        try:
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = OFF"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._connection.close()
            raise InputError(f"cannot use the sandbox's store {name}: {error}") from None

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
        try:
            with path.open("rb") as lines, self._transaction():
                records = _seed_records(path, lines)
                rows = 0
                while chunk := list(itertools.islice(records, _SEED_CHUNK)):
                    self._put(chunk)
                    rows += len(chunk)
        except OSError as error:
            raise InputError(f"cannot read the seed {path}: {error.strerror}") from None
        return rows

    def ensure(self, organization: str, ids: Iterable[str]) -> None:
        """Make records that have their id alone, where there are none."""
        with self._transaction():
            self._connection.executemany(_ENSURE, ((organization, id) for id in ids))

    def put(self, records: Iterable[Record]) -> None:
        """Put records whole; one that exists is overwritten, and its history is gone."""
        with self._transaction():
            self._put(list(records))

    # ---------------------------------------------------------------------------------- reading

    def count(self) -> int:
        """Return how many records there are, in all organizations."""
        (count,) = self._connection.execute("SELECT count(*) FROM record").fetchone()
        return int(count)

    def record(self, organization: str, id: str) -> bytes | None:
        """Return a record as `get` would, or None."""
        row = self._connection.execute(
            "SELECT number, body FROM record WHERE organization = ? AND id = ?", (organization, id)
        ).fetchone()
        return None if row is None else current(organization, id, row[1], self._updates(row[0]))

    def history(self, organization: str, id: str) -> list[bytes]:
        """Return the updates applied to a record, oldest first, each as it came."""
        row = self._connection.execute(
            "SELECT number FROM record WHERE organization = ? AND id = ?", (organization, id)
        ).fetchone()
        return [] if row is None else self._updates(row[0])

    def immutable(self, organization: str, ids: Iterable[str]) -> set[str]:
        """Return those of `ids` whose records may not be changed."""
        return set(self._find(organization, ids, immutable=True))

    def page(self, query: Query, size: int) -> tuple[list[bytes], tuple[int, str] | None]:
        """Return at most `size` records by timestamp, then id, and where the next page begins after."""
        self._connection.execute(_TIME_INDEX)
        where, values = _where(query)
        order = "DESC" if query.descending else "ASC"
        # A plus keeps SQLite from walking a whole organization in order for the sake of a few ids.
        free = "" if query.ids is None else "+"
        rows = self._connection.execute(
            f"SELECT number, id, body, timestamp FROM record WHERE {where} "
            f"ORDER BY {free}timestamp {order}, {free}id {order} LIMIT ?",
            (*values, size + 1),
        ).fetchall()
        records = [
            current(query.organization, id, body, self._updates(number))
            for number, id, body, _ in rows[:size]
        ]
        more = len(rows) > size
        return records, (rows[size - 1][3], rows[size - 1][1]) if more else None

    # --------------------------------------------------------------------------------- changing

    def update(self, organization: str, activities: Sequence[tuple[str, bytes | memoryview]]) -> set[str]:
        """Apply updates in order, in one transaction; return the ids that exist and may be changed."""
        with self._transaction():
            numbers = self._find(organization, dict.fromkeys(id for id, _ in activities), immutable=False)
            applied = [(numbers[id], activity) for id, activity in activities if id in numbers]
            for start in range(0, len(applied), _CHUNK):
                chunk = applied[start : start + _CHUNK]
                self._connection.execute(_append(len(chunk)), list(itertools.chain.from_iterable(chunk)))
        return set(numbers)

    def delete(self, query: Query) -> Mapping[str, bool]:
        """Delete what the query finds; return a verdict for each id asked for, or else for each found.

        An immutable record is found, and stays.
        """
        where, values = _where(query)
        with self._transaction():
            rows = self._connection.execute(
                f"SELECT id, number, immutable FROM record WHERE {where} ORDER BY number",
                values,
            ).fetchall()
            gone = [(number,) for _, number, immutable in rows if not immutable]
            self._connection.execute(_HISTORY_INDEX)
            self._connection.executemany("DELETE FROM history WHERE record = ?", gone)
            self._connection.executemany("DELETE FROM record WHERE number = ?", gone)
        return dict.fromkeys(query.ids or (), False) | {id: not immutable for id, _, immutable in rows}

    # ---------------------------------------------------------------------------------- within

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _put(self, records: list[Record]) -> None:
        # Before the first update there is no history: a seed is read without looking for it.
        if self._connection.execute("SELECT 1 FROM history LIMIT 1").fetchone():
            self._connection.execute(_HISTORY_INDEX)
            self._connection.executemany(_FORGET, [(record.organization, record.id) for record in records])
        self._connection.executemany(_PUT, map(_columns, records))

    def _find(self, organization: str, ids: Iterable[str], *, immutable: bool) -> dict[str, int]:
        """Return, by id, the numbers of the records that exist and are immutable, or are not."""
        found: dict[str, int] = {}
        pending = list(ids)
        for start in range(0, len(pending), _CHUNK):
            chunk = pending[start : start + _CHUNK]
            found.update(self._connection.execute(_select(len(chunk)), (organization, immutable, *chunk)))
        return found

    def _updates(self, number: int) -> list[bytes]:
        self._connection.execute(_HISTORY_INDEX)
        rows = self._connection.execute(
            "SELECT activity FROM history WHERE record = ? ORDER BY number", (number,)
        )
        return [activity for (activity,) in rows]


def _seed_records(path: Path, lines: Iterable[bytes]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        try:
            yield seed_record(text)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: no record of a seed: {error}") from None


def _columns(record: Record) -> tuple[object, ...]:
    return (
        record.organization,
        record.id,
        record.body,
        record.document,
        record.target,
        record.feature,
        record.action,
        record.user,
        record.timestamp,
        record.immutable,
    )


@cache
def _select(ids: int) -> str:
    marks = _marks(ids)
    return f"SELECT id, number FROM record WHERE organization = ? AND immutable = ? AND id IN ({marks})"


@cache
def _append(rows: int) -> str:
    return f"INSERT INTO history (record, activity) VALUES {', '.join(['(?, ?)'] * rows)}"


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _where(query: Query) -> tuple[str, list[object]]:
    """Return the condition that finds what a query means, and the values for its marks."""
    clauses: list[str] = ["organization = ?"]
    values: list[object] = [query.organization]
    exact = {"document": query.document, "target": query.target, "user": query.user}
    for column, value in exact.items():
        if value is not None:
            clauses.append(f"{column} = ?")
            values.append(value)
    among = {"id": query.ids, "feature": query.features, "action": query.actions}
    for column, choices in among.items():
        if choices is not None:
            clauses.append(f"{column} IN ({_marks(len(choices))})")
            values.extend(choices)
    if query.after is not None:
        clauses.append(f"(timestamp, id) {'<' if query.descending else '>'} (?, ?)")
        values.extend(query.after)
    return " AND ".join(clauses), values
