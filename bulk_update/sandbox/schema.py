"""The tables of the store and the statements on them, fixed and put together. Pure text.

    record    what exists: its body as it was put, and the keys it is found by
    request   the requests that changed something; `activities` and `records` are what an update applied, packed
    history   the updates of the records that exist, one row each: unpacked from `request` when first read
    past      what happened to an id before its record was overwritten or deleted

An update is one row of `request` however many ids it has: a rehearsal of a million changes never pays for a
history that nobody reads.
"""

# ruff: noqa: S608 -- statements are put together of our own words and marks alone, never of a value

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Final

from bulk_update.sandbox.records import Query, Record

CHUNK: Final = 500
"""Ids in one statement: far below SQLite's limits."""

VERSION: Final = 2
"""Of the tables, kept in the file as its `user_version`."""

TABLES: Final = """
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
    immutable    INTEGER,                    -- NULL: as the workspace has it
    request      INTEGER                     -- that added it; NULL: a seed did
);
CREATE TABLE IF NOT EXISTS request (
    number     INTEGER PRIMARY KEY,          -- in the order of applying
    arrival    INTEGER,                      -- the request's own number; NULL: it came past the server
    time       INTEGER NOT NULL,             -- ms since 1970
    path       TEXT NOT NULL,
    activities BLOB,                         -- JSON array as they came; NULL: unpacked into history
    records    BLOB                          -- numbers of their records, 8 bytes each
);
CREATE TABLE IF NOT EXISTS history (
    number   INTEGER PRIMARY KEY,            -- in the order of applying
    record   INTEGER NOT NULL,
    request  INTEGER NOT NULL,
    activity BLOB NOT NULL                   -- JSON object as it came in the update
);
CREATE TABLE IF NOT EXISTS past (
    number       INTEGER PRIMARY KEY,        -- in the order of happening
    organization TEXT NOT NULL,
    id           TEXT NOT NULL,
    kind         TEXT NOT NULL,
    request      INTEGER,
    body         BLOB
);
CREATE INDEX IF NOT EXISTS past_of_id ON past (organization, id);
CREATE INDEX IF NOT EXISTS record_with_mark ON record (organization, id) WHERE immutable IS NOT NULL;
"""

# A seed goes into an empty table; the index is made after it, for a fifth of the cost.
KEY_INDEX: Final = "CREATE UNIQUE INDEX IF NOT EXISTS record_by_id ON record (organization, id)"
DROP_KEY_INDEX: Final = "DROP INDEX IF EXISTS record_by_id"
KEEP_THE_LATER: Final = """
DELETE FROM record WHERE number NOT IN (SELECT max(number) FROM record GROUP BY organization, id)
"""
# Made when first needed: a run that only updates never pays for them.
HISTORY_INDEX: Final = "CREATE INDEX IF NOT EXISTS history_of_record ON history (record)"
TIME_INDEX: Final = "CREATE INDEX IF NOT EXISTS record_by_time ON record (organization, timestamp, id)"

INSERT: Final = """
INSERT INTO record (organization, id, body, document, target, feature, action, user, timestamp, immutable, request)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
PUT: Final = (
    INSERT
    + """
ON CONFLICT (organization, id) DO UPDATE SET
    body = excluded.body, document = excluded.document, target = excluded.target,
    feature = excluded.feature, action = excluded.action, user = excluded.user,
    timestamp = excluded.timestamp, immutable = excluded.immutable, request = excluded.request
"""
)
ENSURE: Final = "INSERT OR IGNORE INTO record (organization, id) VALUES (?, ?)"
NOTE_REQUEST: Final = "INSERT INTO request (arrival, time, path, activities, records) VALUES (?, ?, ?, ?, ?)"
UNPACK: Final = "INSERT INTO history (record, request, activity) VALUES (?, ?, ?)"
PACKED: Final = "SELECT number, activities, records FROM request WHERE activities IS NOT NULL ORDER BY number LIMIT 500"

# What a record was, and what happened to it, move to `past` together.
REMEMBER: Final = """
INSERT INTO past (organization, id, kind, request, body)
SELECT organization, id, CASE WHEN request IS NULL THEN 'seed' ELSE 'add' END, request, body
FROM record WHERE organization = :organization AND id = :id
"""
REMEMBER_UPDATES: Final = """
INSERT INTO past (organization, id, kind, request, body)
SELECT :organization, :id, 'update', request, activity
FROM history WHERE record = (SELECT number FROM record WHERE organization = :organization AND id = :id)
ORDER BY number
"""
FORGET_UPDATES: Final = """
DELETE FROM history WHERE record = (SELECT number FROM record WHERE organization = :organization AND id = :id)
"""
DELETE: Final = "DELETE FROM record WHERE organization = :organization AND id = :id"
NOTE_DELETION: Final = """
INSERT INTO past (organization, id, kind, request) VALUES (:organization, :id, 'delete', :request)
"""
EVENTS: Final = """
SELECT event.kind, request.arrival, request.time, event.body FROM (
    SELECT 0 AS part, number, kind, request, body FROM past WHERE organization = :organization AND id = :id
    UNION ALL
    SELECT 1, 0, CASE WHEN request IS NULL THEN 'seed' ELSE 'add' END, request, body
    FROM record WHERE organization = :organization AND id = :id
    UNION ALL
    SELECT 2, history.number, 'update', history.request, activity FROM history
    JOIN record ON record.number = history.record WHERE organization = :organization AND id = :id
) AS event LEFT JOIN request ON request.number = event.request
ORDER BY event.part, event.number
"""


@cache
def select_numbers(ids: int) -> str:
    """Find the numbers of so many ids of an organization."""
    return f"SELECT id, number FROM record WHERE organization = ? AND id IN ({marks(ids)})"


@cache
def select_marked(ids: int) -> str:
    """Find which of so many ids have their own word on whether they may be changed."""
    return f"SELECT id, immutable FROM record WHERE organization = ? AND immutable IS NOT NULL AND id IN ({marks(ids)})"


def chunks(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield the ids, as many at a time as go into a statement."""
    pending = iter(ids)
    while chunk := tuple(islice(pending, CHUNK)):
        yield chunk


def marks(count: int) -> str:
    """Return so many marks for values."""
    return ", ".join("?" * count)


def where(query: Query) -> tuple[str, list[object]]:
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
            clauses.append(f"{column} IN ({marks(len(choices))})")
            values.extend(choices)
    if query.after is not None:
        clauses.append(f"(timestamp, id) {'<' if query.descending else '>'} (?, ?)")
        values.extend(query.after)
    return " AND ".join(clauses), values


def columns(record: Record, request: int | None) -> tuple[object, ...]:
    """Return the values for `INSERT` and `PUT`; `request`: the one that adds the record."""
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
        request,
    )
