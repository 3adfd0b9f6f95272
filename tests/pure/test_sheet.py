"""What is written of rows is read as the very same, and no cell of it is a formula."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_update.model import Change, Invalid
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.csv.escapes import ESCAPED, NULLS
from bulk_update.pure.csv.reader import CsvReader
from bulk_update.pure.csv.settings import EMPTY, Empty, TableSettings
from bulk_update.pure.csv.sheet import Sheet, TableReader, encode_row, sheet_of
from bulk_update.pure.ledger_lines import Table
from bulk_update.pure.shape import FIELDS

NOTES = ("_line", "_message")
HEADER = ["org", "id", "_ticket", "actionIcon", "entityData", "changes.s.from", "changes.s.to:json", "=x"]
COLUMNS = {"organizationId": "org"}
FORMULAS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
hostile = st.one_of(
    texts, st.sampled_from(["'", "''", "'=1", "=1", "-5", "'-5", "\tx", "\r", "@a", "+", "", "null", '"', ",;"])
)
numbers = st.sampled_from(["0", "-5", "1.0", "-0.0", "123456789012345678901234567890", "1e400"])
values = st.one_of(hostile.map(json.dumps), numbers, st.sampled_from(["null", "[]", '{"a":1}', '[-1, "=x"]']))


def table(header: Sequence[str], delimiter: str = ",", empty: Empty = "omit") -> Table:
    columns = COLUMNS if "org" in header else {}
    return Table("in.csv", delimiter, list(header), columns, empty=empty)


def written(rows: Sequence[Sequence[str]], delimiter: str = ",") -> bytes:
    return b"".join(encode_row(row, delimiter) for row in rows)


def read(data: bytes, columns: dict[str, str], empty: Empty = "omit") -> list[Change | Invalid]:
    reader = CsvReader(ActivityReader().read, settings=TableSettings(columns, empty))
    return reader.feed(data) + reader.finish()


def members_of(change: Change) -> dict[str, bytes]:
    raw = msgspec.json.decode(change.activity, type=dict[str, msgspec.Raw])
    return {"organizationId": json.dumps(change.organization).encode()} | {k: bytes(v) for k, v in raw.items()}


def is_formula(cell: str) -> bool:
    return cell[:1] in set(FORMULAS)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], Empty]:
    """Draw a table as people may have it: its header and rows, and what its empty cells say."""
    header = draw(st.permutations(HEADER[:-1]))
    drawn = {
        "entityData": st.one_of(values, st.just("")),
        "changes.s.to:json": st.one_of(values, st.just("")),
        "org": hostile.filter(bool),
        "id": hostile.filter(bool),
    }
    rows = draw(st.lists(st.tuples(*(drawn.get(name, hostile) for name in header)), max_size=4))
    return [list(header), *map(list, rows)], draw(st.sampled_from(EMPTY))


@given(tables(), st.sampled_from(EMPTY))
@example(([[*HEADER[:-1]], ["=o", "'", "n", "", "-5", "'=", ""]], "keep"), "null")
@example(([[*HEADER[:-1]], ["o", "a", "n", "x", "", "", ""]], "null"), "keep")
def test_what_is_written_is_read_as_the_same_whatever_empty_cells_were_to_say(
    given_table: tuple[list[list[str]], Empty], again: Empty
) -> None:
    rows, empty = given_table
    before = [row for row in read(written(rows), COLUMNS, empty) if isinstance(row, Change)]
    sheet = sheet_of([table(rows[0], empty=empty)], NOTES)
    assert sheet is not None
    assert sheet.header == [name for name in rows[0] if name != "_ticket"] + [*NOTES, ESCAPED, NULLS]
    cells = [sheet.row(members_of(change), {"_line": "7", "_message": "=cmd"}) for change in before]
    whole = [row for row in cells if row is not None]
    assert len(whole) == len(cells)
    assert not any(is_formula(cell) for row in whole for cell in row)
    after = read(written([sheet.header, *whole]), COLUMNS, again)
    assert [(c.organization, c.id, c.check, c.activity) for c in before] == [
        (c.organization, c.id, c.check, c.activity) for c in after if isinstance(c, Change)
    ]


@given(st.dictionaries(st.sampled_from(("organizationId", "id", *FIELDS, "nonsense")), values))
@example({"organizationId": '"o"', "id": '"a"', "actionIcon": "5"})
@example({"organizationId": '"o"', "id": '"a"', "actionIcon": '"x\\u0000"'})
@example({"organizationId": '"o"', "id": '"a"', "actionIcon": "null", "entityData": "null"})
def test_a_row_is_written_whole_or_not_at_all(record: dict[str, str]) -> None:
    sheet = Sheet(("organizationId", "id", *FIELDS), NOTES, {})
    members = {name: raw.encode() for name, raw in record.items()}
    cells = sheet.row(members, {})
    if cells is None:
        return
    raw = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in record.items()) + "}"
    expected = ActivityReader().read(raw.encode(), 2)
    (found,) = read(written([sheet.header, cells]), {})
    if isinstance(expected, Change):
        assert isinstance(found, Change)
        assert json.loads(found.activity, parse_float=str) == json.loads(expected.activity, parse_float=str)
    else:
        assert isinstance(found, Invalid)
        assert found.code == expected.code


@pytest.mark.parametrize(
    "record",
    [
        {"id": '"a"', "actionIcon": "5"},
        {"id": '"a"', "displayMessageTemplte": '"x"'},
        {"id": '"a\\u0000"', "actionIcon": '"x"'},
    ],
)
def test_what_columns_cannot_say_is_not_written(record: dict[str, str]) -> None:
    sheet = Sheet(("organizationId", "id", *FIELDS), NOTES, {})
    assert sheet.row({name: raw.encode() for name, raw in record.items()}, {}) is None


@pytest.mark.parametrize(
    "record",
    [
        {"changes": b"{}"},
        {"changes": b'{"s":{"from":1}}'},
        {"changes": b'{"s":{"from":"x"},"t":{"to":1}}'},
        {"changes": b'{"s":{"to":1},"s":{"to":2}}'},
        {"displayMessageTemplate": b'"x"'},
    ],
)
def test_what_dotted_columns_cannot_say_is_not_written(record: dict[str, bytes]) -> None:
    sheet = sheet_of([table(HEADER[:-1])], NOTES)
    assert sheet is not None
    assert sheet.row({"organizationId": b'"o"', "id": b'"a"', **record}, {}) is None


def test_an_organization_given_for_all_rows_gets_a_column() -> None:
    sheet = sheet_of([table(["id", "actionIcon"])], NOTES)
    assert sheet is not None
    assert sheet.header[:3] == ["id", "actionIcon", "organizationId"]


@pytest.mark.parametrize(
    "headers",
    [
        (["id", "actionIcon"], ["actionIcon", "id"]),
        (["id", "=actionIcon"],),
        (["id", "nonsense"],),
    ],
)
def test_columns_that_differ_or_are_not_safe_or_not_ours_make_no_sheet(headers: tuple[list[str], ...]) -> None:
    assert sheet_of([table(header) for header in headers], NOTES) is None


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("before", ["", "=1", "'=1", "'", "-"])
def test_a_row_that_is_no_record_is_written_as_it_was_read(before: str, empty: Empty) -> None:
    header = ["id", "changes.s.from", "entityData"]
    reader, sheet = TableReader(table(header, ";", empty)), sheet_of([table(header)], NOTES)
    assert sheet is not None
    raw = f"a;{before};-not JSON"
    items = reader.items(raw)
    assert items is not None
    assert reader.members(raw) is None
    cells = sheet.row_as_read(reader, items, {})
    assert cells is not None
    assert not any(map(is_formula, cells))
    (again,) = read(written([sheet.header, cells]), {})
    assert isinstance(again, Invalid)
    assert (again.code, again.id) == ("not_json", "a")
    cells[sheet.header.index("entityData")], cells[sheet.header.index("organizationId")] = "1", "o"
    (mended,) = read(written([sheet.header, cells]), {})
    assert isinstance(mended, Change)
    expected: dict[str, Any] = {
        "omit": {},
        "null": {"changes": {"s": {"from": None}}},
        "keep": {"changes": {"s": {"from": ""}}},
    }
    said = {"changes": {"s": {"from": before}}} if before else expected[empty]
    assert json.loads(mended.activity) == {"id": "a", "entityData": 1, **said}


def test_a_row_that_is_not_one_row_of_the_table_is_not_taken_apart() -> None:
    reader = TableReader(table(["id", "actionIcon"]))
    for raw in ("a", "a,b,c", "a,b\nc,d", 'a,"b', ""):
        assert reader.items(raw) is None
        assert reader.members(raw) is None


@pytest.mark.parametrize(
    ("column", "listed"),
    [(ESCAPED, "id"), (ESCAPED, '["nonsense"]'), (ESCAPED, "[1]"), (NULLS, "{}"), (ESCAPED, '["_line"]')],
)
def test_an_escape_that_is_none_makes_the_row_invalid(column: str, listed: str) -> None:
    header = ["organizationId", "id", "actionIcon", "_line", ESCAPED, NULLS]
    row = ["o", "'a", "x", "7", "", ""]
    row[header.index(column)] = listed
    (found,) = read(written([header, row]), {})
    assert isinstance(found, Invalid)
    assert found.code == "bad_escape"
    assert found.message.startswith(f'{column}: found "{listed}", expected a JSON array of headers, such as ["')


def test_only_the_listed_apostrophes_are_taken_away_and_once() -> None:
    header = ["organizationId", "id", "actionIcon", ESCAPED]
    rows = [["o", "'a", "'x", ""], ["o", "'a", "'x", '["id","id"]'], ["o", "a", "''", '["id","actionIcon"]']]
    found = read(written([header, *rows]), {})
    assert [(c.id, json.loads(c.activity)["actionIcon"]) for c in found if isinstance(c, Change)] == [
        ("'a", "'x"),
        ("a", "'x"),
        ("a", "'"),
    ]


def test_what_was_escaped_once_is_read_and_escaped_again() -> None:
    first = sheet_of([table(["org", "id", "changes.s.from"])], NOTES)
    assert first is not None
    members = {"organizationId": b'"=o"', "id": b'"\'a"', "changes": b'{"s":{"from":null}}'}
    cells = first.row(members, {"_line": "2"})
    assert cells is not None
    again = table(first.header, ";", "keep")
    raw = encode_row(cells, ";").decode()
    reader, second = TableReader(again), sheet_of([again], NOTES)
    assert second is not None
    assert second.header == first.header
    assert reader.members(raw) == members
    assert second.row(members, {"_line": "2"}) == cells
    items = reader.items(raw)
    assert items is not None
    assert second.row_as_read(reader, items, {"_line": "2"}) == cells
