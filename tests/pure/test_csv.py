import csv
import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_update.errors import InputError
from bulk_update.model import Change, Invalid
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.csv.columns import MAX_LEVELS, TEXT
from bulk_update.pure.csv.header import begins_with_header
from bulk_update.pure.csv.reader import CsvReader
from bulk_update.pure.csv.settings import EMPTY, Empty, TableSettings
from bulk_update.pure.shape import KEYS
from bulk_update.pure.transcoding import Transcoder

Quoting = Literal[0, 1, 2, 3]
HEADER = "organizationId,id,changes,actionIcon"
FOUR = ["organizationId", "id", "entityData", "actionIcon"]


class Recorder:
    """Take every record as it comes, in the place of the reader of activities."""

    def __init__(self) -> None:
        self.records: list[tuple[int, bytes]] = []

    def __call__(self, record: bytes, line: int, input: int) -> Change | Invalid:
        self.records.append((line, record))
        return Change("", "", line, input, 0, 0, record)


def read(
    data: bytes | str,
    cuts: Iterable[int] = (),
    columns: Mapping[str, str] | None = None,
    max_record: int = 1_000_000,
) -> list[Change | Invalid]:
    """Read a CSV, given in blocks that are cut at these offsets, with the program's own reader of records."""
    data = data.encode() if isinstance(data, str) else data
    reader = CsvReader(ActivityReader("org-default").read, settings=TableSettings(columns or {}), max_record=max_record)
    return feed(reader, data, cuts)


def feed(reader: CsvReader, data: bytes, cuts: Iterable[int] = ()) -> list[Change | Invalid]:
    outcomes, begin = [], 0
    for cut in [*sorted(cuts), len(data)]:
        outcomes += reader.feed(data[begin:cut])
        begin = cut
    return outcomes + reader.finish()


def records(data: str, columns: Mapping[str, str] | None = None) -> list[Any]:
    """Return the JSON objects that the rows of a CSV become."""
    recorder = Recorder()
    feed(CsvReader(recorder, settings=TableSettings(columns or {})), data.encode())
    return [json.loads(record) for _, record in recorder.records]


def verbatim(data: str) -> list[bytes]:
    recorder = Recorder()
    feed(CsvReader(recorder), data.encode())
    return [record for _, record in recorder.records]


def invalid(data: bytes | str) -> Invalid:
    """Return the only outcome of a CSV, which is an invalid record."""
    (outcome,) = read(data)
    assert isinstance(outcome, Invalid)
    return outcome


def kinds(outcomes: Sequence[Change | Invalid]) -> list[tuple[int, str]]:
    """Return the line of each outcome with the id of a change, or the code of an invalid record."""
    return [(o.line, o.code if isinstance(o, Invalid) else o.id) for o in outcomes]


def refused(data: bytes | str, columns: Mapping[str, str] | None = None) -> str:
    """Return why an input cannot be used."""
    with pytest.raises(InputError) as caught:
        read(data, columns=columns)
    return str(caught.value)


def written(
    rows: Iterable[Sequence[str]],
    delimiter: str = ",",
    quoting: Quoting = csv.QUOTE_MINIMAL,
    line_end: str = "\n",
) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end).writerows(rows)
    return text.getvalue()


def everywhere(data: bytes | str) -> list[Iterable[int]]:
    """Return ways to cut an input: not at all, after each byte, and something between."""
    size = len(data if isinstance(data, bytes) else data.encode())
    return [[], range(1, size), range(7, size, 7)]


# ------------------------------------------------------------------------------------- rows to records


def test_a_row_becomes_the_record_that_ndjson_would_have_had() -> None:
    (change,) = read(f'{HEADER}\norg-1,a-1,"{{""status"":{{""from"":""open"",""to"":1.0}}}}",pen\n')
    assert isinstance(change, Change)
    assert (change.organization, change.id, change.line, change.input) == ("org-1", "a-1", 2, 0)
    assert change.activity == b'{"id":"a-1","changes":{"status":{"from":"open","to":1.0}},"actionIcon":"pen"}'


def test_what_is_wrong_with_a_row_tells_its_line_and_where_that_is_another_its_row_in_the_sheet() -> None:
    head = "organizationId,id,displayMessageTemplate\n"
    astray = "found 4 cells in lines 7 to 9, expected 3 as in the header"
    outcomes = read(head + 'o,,x\no,a,"two\nlines"\no,,y\n\no,b,"three\nli\nnes",more\n')
    found = [(outcome.line, outcome.message) for outcome in outcomes if isinstance(outcome, Invalid)]
    assert found == [
        (2, "id: found nothing, expected a non-empty string"),
        (5, "id: found nothing, expected a non-empty string (row 4 of the sheet)"),
        (7, f"{astray}; is a quote astray in line 7? (row 6 of the sheet)"),
    ]
    tall = 'organizationId,id,displayMessageTemplate,"_note\nof two lines"\n'
    (outcome,) = read("\n" + tall + "o,,x,\n")
    assert (outcome.line, outcome.message.rpartition(" (")[2]) == (4, "row 3 of the sheet)")  # type: ignore[union-attr]


def test_the_cells_of_json_are_passed_on_as_they_stand() -> None:
    cells = ["123456789012345678901234567890", "1.0", "1e400", '{"a" : "\\u00e9\\/"}', '"x"', "null", "-0"]
    for cell in cells:
        (record,) = verbatim(written([["id", "entityData"], ["a", cell]]))
        assert record == b'{"id":"a","entityData":' + cell.encode() + b"}"


def test_the_cells_of_text_are_escaped() -> None:
    text = ' "quoted" \\ \t \x01 \x7f é \u2028 \U0001f600 {"a":1} '
    (record,) = records(written([["id", "displayMessageTemplate"], ["a", text]]))
    assert record == {"id": "a", "displayMessageTemplate": text}


def test_an_empty_cell_leaves_the_field_out() -> None:
    header = ",".join(KEYS)
    assert records(f"{header}\n,,,,,,,\no,a,,,,,,x\n") == [
        {},
        {"organizationId": "o", "id": "a", "actionIcon": "x"},
    ]


EMPTY_CELLS = (
    "organizationId,id,actionIcon,entityData,changes.status.from,changes.status.to:json,displayMessageTemplateData\n"
    "o,a,,,,,\n"
)


@pytest.mark.parametrize(
    ("empty", "said"),
    [
        ("omit", {}),
        (
            "null",
            {
                "changes": {"status": {"from": None, "to": None}},
                "entityData": None,
                "displayMessageTemplateData": None,
                "actionIcon": None,
            },
        ),
        ("keep", {"changes": {"status": {"from": ""}}, "actionIcon": ""}),
    ],
)
def test_an_empty_cell_says_what_was_asked_for(empty: Empty, said: dict[str, Any]) -> None:
    recorder = Recorder()
    feed(CsvReader(recorder, settings=TableSettings(empty=empty)), EMPTY_CELLS.encode())
    assert [json.loads(record) for _, record in recorder.records] == [{"organizationId": "o", "id": "a", **said}]


@pytest.mark.parametrize("empty", ["omit", "null", "keep"])
def test_an_empty_cell_names_no_activity(empty: Empty) -> None:
    reader = CsvReader(ActivityReader().read, settings=TableSettings(empty=empty))
    first, second = feed(reader, b"organizationId,id,actionIcon\n,a,pen\no,,pen\n")
    assert isinstance(first, Invalid)
    assert first.message == ("organizationId: found nothing, expected a non-empty string (or give --organization-id)")
    assert isinstance(second, Invalid)
    assert second.message == "id: found nothing, expected a non-empty string"
    reader = CsvReader(ActivityReader("org-default").read, settings=TableSettings(empty=empty))
    (change,) = feed(reader, b"organizationId,id,actionIcon\n,a,pen\n")
    assert isinstance(change, Change)
    assert change.organization == "org-default"


def test_what_an_empty_cell_says_makes_another_change() -> None:
    checks = set()
    for empty in EMPTY:
        settings = TableSettings(empty=empty)
        (change,) = feed(CsvReader(ActivityReader("o").read, settings=settings), b"id,entityData,changes.x.to\na,1,\n")
        assert isinstance(change, Change)
        checks.add(change.check)
    assert len(checks) == len(EMPTY)


def test_dotted_columns_build_objects_of_text() -> None:
    data = (
        "id,changes.status.from,changes.status.to,changes.owner.to,displayMessageTemplateData.user.name\n"
        "a,1,2,3,Ann\n"
        "b,,2,,\n"
        "c,,,,\n"
    )
    assert records(data) == [
        {
            "id": "a",
            "changes": {"owner": {"to": "3"}, "status": {"from": "1", "to": "2"}},
            "displayMessageTemplateData": {"user": {"name": "Ann"}},
        },
        {"id": "b", "changes": {"status": {"to": "2"}}},
        {"id": "c"},
    ]


def test_a_dotted_column_that_ends_in_json_holds_json() -> None:
    header = "id,changes.n.from:json,changes.n.to:json,entityData:json,entityTargetData.a"
    data = f'{header}\na,1.0,"[""x""]",7,7\nb,,,,\n'
    assert verbatim(data) == [
        b'{"id":"a","changes":{"n":{"from":1.0,"to":["x"]}},"entityData":7,"entityTargetData":{"a":"7"}}',
        b'{"id":"b"}',
    ]


def test_names_of_any_script_may_be_dotted() -> None:
    assert records("id,entityData.Größe.a b,entityData.日\na,1,2\n") == [
        {"id": "a", "entityData": {"Größe": {"a b": "1"}, "日": "2"}}
    ]


def test_notes_are_not_read() -> None:
    assert records('_line,id,_,_,actionIcon\n"{",a,\\,not json,x\n') == [{"id": "a", "actionIcon": "x"}]


def test_a_field_may_stand_under_another_header() -> None:
    columns = {"id": "Activity", "changes.status.to": "New state", "actionIcon": "_icon"}
    data = "Activity, New state ,_icon,_other\na,done,x,y\n"
    assert records(data, columns) == [{"id": "a", "changes": {"status": {"to": "done"}}, "actionIcon": "x"}]


@given(st.permutations(["organizationId", "id", "changes.b.to", "changes.a.to:json", "entityData", "actionIcon"]))
def test_the_record_does_not_depend_on_the_order_of_the_columns(header: list[str]) -> None:
    cells = {
        "organizationId": "o",
        "id": "a",
        "changes.b.to": "x",
        "changes.a.to:json": "1",
        "entityData": "[]",
    }
    row = [cells.get(name, "y") for name in header]
    assert verbatim(written([header, row])) == [
        b'{"organizationId":"o","id":"a","changes":{"a":{"to":1},"b":{"to":"x"}},"entityData":[],"actionIcon":"y"}'
    ]


def test_the_fields_of_text_are_those_whose_type_is_a_string() -> None:
    for key in KEYS:
        row = {"organizationId": "o", "id": "a", "actionIcon": "x", key: "plain"}
        (outcome,) = read(written([list(row), list(row.values())]))
        assert isinstance(outcome, Change) == (key in TEXT)


def test_line_ends_between_the_parts_of_json_become_spaces() -> None:
    (record,) = verbatim('id,entityData,actionIcon\r\na,"{\r\n""k"": 1\n}","x\r\ny"\r\n')
    assert record == b'{"id":"a","entityData":{  "k": 1 },"actionIcon":"x\\r\\ny"}'


# ------------------------------------------------------------------------------------- bytes to rows

text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
texts = st.one_of(text, st.sampled_from(["", '"', '""', "\n", "\r\n", "\r", ",", ' "a" ', "a\nb", "\u2028", "\x85"]))
tables = st.lists(st.lists(texts, min_size=4, max_size=4), max_size=8)
cuts = st.lists(st.integers(0, 200), max_size=6)


def slowly(data: str) -> list[tuple[int, list[str]]]:
    r"""Read a well-formed CSV whose lines end in \n, a character at a time: each row and its line."""
    rows, row, cell, quoted, line, begin = [], [], "", False, 1, 1
    at = 0
    while at < len(data):
        character = data[at]
        line += character == "\n"
        if quoted:
            if data[at : at + 2] == '""':
                at += 1
                cell += '"'
            elif character == '"':
                quoted = False
            else:
                cell += character
        elif character == '"':
            quoted = True
        elif character in ",\n":
            row.append(cell)
            cell = ""
            if character == "\n":
                rows.append((begin, row))
                row, begin = [], line
        elif character != "\r":
            cell += character
        at += 1
    return rows


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@given(table=tables, cuts=cuts)
def test_what_was_written_comes_back_wherever_the_blocks_are_cut(
    line_end: str, table: list[list[str]], cuts: list[int]
) -> None:
    names = ["organizationId", "id", "displayMessageTemplate", "actionIcon"]
    data = written([names, *table], quoting=csv.QUOTE_ALL, line_end=line_end)
    expected = [
        (line, {name: cell for name, cell in zip(names, row, strict=True) if cell}) for line, row in slowly(data)[1:]
    ]
    assert [row for _, row in slowly(data)[1:]] == table
    encoded = data.encode()
    for where in [*everywhere(encoded), [cut for cut in cuts if cut < len(encoded)]]:
        recorder = Recorder()
        outcomes = feed(CsvReader(recorder, input=3), encoded, where)
        assert [(line, json.loads(record)) for line, record in recorder.records] == expected
        assert [(o.line, o.input) for o in outcomes] == [(line, 3) for line, _ in expected]


@given(table=tables)
def test_what_was_written_comes_back_with_any_quoting_and_delimiter(table: list[list[str]]) -> None:
    names = ["organizationId", "id", "displayMessageTemplate", "actionIcon"]
    expected = [{name: cell for name, cell in zip(names, row, strict=True) if cell} for row in table]
    for delimiter in ",;\t|":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC):
            data = written([names, *table], delimiter, quoting, line_end="\r\n")
            assert records(data) == expected


pieces = st.sampled_from(
    [*'",\n\r a{}', '""', "\r\n", "é", "\0", "\udcff", '"{""a"":1}"', "x" * 20, '"a","b\n', 'o,"x\ny",,"t"\n']
)
heads = st.sampled_from(
    [",".join(FOUR) + "\n", "\ufeffid,actionIcon\r\n", "id\n", "\n\nid;actionIcon\n", "id,actionIcon\r"]
)


@given(head=heads, rest=st.lists(pieces, max_size=30), cuts=cuts, most=st.sampled_from([60, 100, 10_000]))
@example(head="id\n", rest=["\n", '"', "\x00", "\n", '"', ",\n"], cuts=[], most=10_000)
@example(head="id,actionIcon\r", rest=["x" * 30, ',"', "x" * 30, "\r", "b\r"], cuts=[50], most=60)
def test_the_outcomes_do_not_depend_on_where_the_blocks_are_cut(
    head: str, rest: list[str], cuts: list[int], most: int
) -> None:
    data = (head + "".join(rest)).encode(errors="surrogateescape")

    def outcomes(cuts: Iterable[int]) -> list[object]:
        return [
            (o.line, o.check, o.code, o.raw) if isinstance(o, Invalid) else o for o in read(data, cuts, max_record=most)
        ]

    whole = outcomes([])
    assert outcomes(range(1, len(data))) == whole
    assert outcomes([cut for cut in cuts if cut < len(data)]) == whole
    lines = [outcome.line for outcome in read(data, max_record=most)]
    assert lines == sorted(set(lines)), "no line begins two records"


def test_a_byte_order_mark_is_dropped() -> None:
    assert records("\ufeffid,actionIcon\na,x\n") == [{"id": "a", "actionIcon": "x"}]
    assert records('\ufeff"id",actionIcon\na,x\n') == [{"id": "a", "actionIcon": "x"}]


def test_blank_lines_are_skipped_and_counted() -> None:
    assert kinds(read("\n \nid,actionIcon\n\n  \t\na,x\n\r\nb,x\n\n")) == [(6, "a"), (8, "b")]


@pytest.mark.parametrize("data", ["", "\n", "\r\n \n", "\ufeff", "id", "id\n", "\nid,actionIcon\r\n", "id\r"])
def test_without_rows_there_are_no_outcomes(data: str) -> None:
    for where in everywhere(data):
        assert read(data, where) == []


def test_the_last_line_may_have_no_end() -> None:
    assert kinds(read("id,actionIcon\na,x\nb,x")) == [(2, "a"), (3, "b")]
    assert kinds(read('id,actionIcon\na,x\nb,"x\ny"')) == [(2, "a"), (3, "b")]


def test_lines_may_end_in_a_carriage_return_alone() -> None:
    data = 'id,actionIcon\ra,x\r\r\nb,"x\ry"\rc,x\nd,x'
    for where in everywhere(data):
        assert kinds(read(data, where)) == [(2, "a"), (4, "b"), (6, "c"), (7, "d")]


def test_unicode_line_separators_end_no_line() -> None:
    data = "id,actionIcon\na,\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\nb,x\n"
    assert kinds(read(data)) == [(2, "a"), (3, "b")]


def test_quotes_inside_a_cell_that_is_not_quoted_are_text() -> None:
    assert records('id,actionIcon\na,5" x 3" pipe\n') == [{"id": "a", "actionIcon": '5" x 3" pipe'}]


@pytest.mark.parametrize("size", [131_073, 1_000_000])
def test_a_cell_may_be_long(size: int) -> None:
    recorder = Recorder()
    reader = CsvReader(recorder)
    csv.field_size_limit(131_072)  # as another module of the same process may set it
    data = f'id,actionIcon\na,"{"x" * size}"\n'.encode()
    feed(reader, data, range(0, len(data), 65_536))
    assert len(json.loads(recorder.records[0][1])["actionIcon"]) == size


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("id", ","),
        ("id;actionIcon", ";"),
        ("id\tactionIcon", "\t"),
        ("id|actionIcon|_x,y|_z,w", "|"),
        ("_a;b,id", ","),
    ],
)
def test_the_delimiter_is_the_one_that_parts_known_names(header: str, delimiter: str) -> None:
    cells = ["a" for _ in header.split(delimiter)]
    (record,) = records(f"{header}\n{delimiter.join(cells)}\n")
    assert record["id"] == "a"


# ------------------------------------------------------------------------------------- invalid rows


def test_an_invalid_row_keeps_the_text_of_the_csv() -> None:
    row = b'org-1,a-1,"{""status"":\n1}",'
    outcome = invalid(f"{HEADER}\n\n".encode() + row + b"\r\n")
    assert (outcome.line, outcome.raw, outcome.check) == (3, row, zlib.crc32(row))
    assert (outcome.organization, outcome.id, outcome.code) == ("org-1", "a-1", "wrong_type")


def test_the_text_of_a_long_row_is_cut() -> None:
    row = b"a," + b"x" * 70_000 + b",y"
    outcome = invalid(b"id,actionIcon\n" + row + b"\n")
    assert (outcome.raw, outcome.check) == (row[:65_536], zlib.crc32(row))


def test_a_cell_that_is_not_json_is_named() -> None:
    outcome = invalid(f"{HEADER}\norg-1,a-1,status open,\n")
    assert (outcome.code, outcome.organization, outcome.id) == ("not_json", "org-1", "a-1")
    assert outcome.message.startswith('column 3 "changes": found "status open", which is not JSON (')
    assert "expected JSON" in outcome.message


@pytest.mark.parametrize("cell", ['1,"id":"b"', "{}}", "[", "NaN", '"a', " ", '"\x01"', "[" * 100_000, "01", "{'a':1}"])
def test_no_cell_can_be_more_or_less_than_one_json_value(cell: str) -> None:
    (outcome,) = read(written([["id", "_note", "entityData"], ["a", "", cell]]))
    assert isinstance(outcome, Invalid)
    assert (outcome.code, outcome.id) == ("not_json", "a")
    assert 'column 3 "entityData"' in outcome.message


def test_two_cells_that_are_json_only_together_are_invalid() -> None:
    outcome = invalid(written([["id", "entityData", "entityTargetData"], ["a", '{"x":1', '"y":2}']]))
    assert 'column 2 "entityData"' in outcome.message


@pytest.mark.parametrize(
    ("row", "found"), [("a", "1 cell"), ("a,b,c", "3 cells"), ('"a,b"', "1 cell"), ('""', "1 cell")]
)
def test_too_many_or_too_few_cells_are_counted(row: str, found: str) -> None:
    outcome = invalid(f"id,actionIcon\n{row}\n")
    assert (outcome.code, outcome.message) == (
        "wrong_cell_count",
        f"found {found}, expected 2 as in the header",
    )


def test_the_lines_of_a_row_with_too_few_cells_are_told() -> None:
    outcomes = read('id,actionIcon,entityData\n\na,"x\ny\n"\nb,x,\n')
    assert kinds(outcomes) == [(3, "wrong_cell_count"), (6, "b")]
    assert isinstance(outcomes[0], Invalid)
    assert outcomes[0].raw == b'a,"x\ny\n"'
    assert outcomes[0].message == (
        "found 2 cells in lines 3 to 5, expected 3 as in the header; is a quote astray in line 3?"
    )


# ------------------------------------------------------------------------------------- stray quotes


def test_an_unclosed_quote_costs_its_own_line_only() -> None:
    rows = "".join(f"b-{number},x\n" for number in range(2000))
    outcomes = read(f'id,actionIcon\na,"x\n{rows}', range(100, 2000, 100))
    assert kinds(outcomes)[:2] == [(2, "not_csv"), (3, "b-0")]
    assert kinds(outcomes)[-1] == (2002, "b-1999")
    assert isinstance(outcomes[0], Invalid)
    assert outcomes[0].raw == b'a,"x'
    assert "quote" in outcomes[0].message


@pytest.mark.parametrize(
    "swallowing",
    [
        'c,"fine"\n',  # text after the quote that would close the cell
        '"c",fine\n',
        'c,"fine, indeed"\n',
    ],
)
def test_a_stray_quote_does_not_swallow_the_rows_up_to_the_next_quote(swallowing: str) -> None:
    outcomes = read(f'id,actionIcon\na,"stray\nb,x\n{swallowing}d,x\n')
    assert kinds(outcomes) == [(2, "not_csv"), (3, "b"), (4, "c"), (5, "d")]


def test_a_row_that_runs_over_the_last_column_and_the_line_end_is_read_again() -> None:
    assert kinds(read('id,actionIcon\na,"x\n","y","\nb,x\n')) == [
        (2, "not_csv"),
        (3, "not_csv"),
        (4, "b"),
    ]


def test_text_after_a_closing_quote_is_invalid() -> None:
    outcomes = read('id,actionIcon\na,"x"y\nb,"x" \nc,x\n')
    assert kinds(outcomes) == [(2, "not_csv"), (3, "not_csv"), (4, "c")]
    assert isinstance(outcomes[0], Invalid)
    assert outcomes[0].message.startswith("found text after the closing quote of a cell in line 2")


def test_a_carriage_return_alone_is_invalid_where_lines_end_otherwise() -> None:
    outcomes = read('id,actionIcon\na,x\ry\nb,"x\ry"\nc,x\r\n')
    assert kinds(outcomes) == [(2, "not_csv"), (3, "b"), (4, "c")]
    assert isinstance(outcomes[0], Invalid)
    assert "carriage return" in outcomes[0].message


def test_a_quoted_cell_that_runs_on_beyond_the_cap_is_given_up() -> None:
    data = 'id,actionIcon\na,"x\n' + "b,x\n" * 30 + 'c,"\n' + "d,x\n" * 30
    expected = [(2, "not_csv"), *((line, "b") for line in range(3, 33)), (33, "not_csv")]
    expected += [(line, "d") for line in range(34, 64)]
    for where in everywhere(data):
        assert kinds(read(data, where, max_record=100)) == expected


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_line_beyond_the_cap_is_passed_over(line_end: bytes) -> None:
    long = b"a," + b"x" * 100
    data = line_end.join([b"id,actionIcon", b"z,x", long, b"b,x", long])
    for where in everywhere(data):
        outcomes = read(data, where, max_record=60)
        assert kinds(outcomes) == [(2, "z"), (3, "too_long"), (4, "b"), (5, "too_long")]
        for outcome in (outcomes[1], outcomes[3]):
            assert isinstance(outcome, Invalid)
            assert (outcome.raw, outcome.check) == (long, zlib.crc32(long))
            assert outcome.message == "found a line of 102 bytes, expected at most 60"


def test_no_more_than_the_head_of_a_long_line_is_held() -> None:
    reader = CsvReader(Recorder(), max_record=1000)
    reader.feed(b"id\n")
    check = 0
    for _ in range(100):
        assert reader.feed(b"x" * 10_000) == []
        check = zlib.crc32(b"x" * 10_000, check)
    (outcome,) = reader.feed(b"\nb\n")[:1]
    assert isinstance(outcome, Invalid)
    assert (outcome.raw, outcome.check) == (b"x" * 65_536, check)


def test_lines_that_all_open_a_quote_are_read_in_time() -> None:
    data = "id,actionIcon\n" + 'x","y\n' * 20_000
    assert len(read(data)) == 20_000


# ------------------------------------------------------------------------------------- bytes that are no text


def test_bytes_that_are_not_utf_8_cost_their_own_record_only() -> None:
    row = b'b,"x\n\xc3\xa9 \xe9"'
    outcomes = read(b"id,actionIcon\na,x\n" + row + b"\nc,x\n")
    assert kinds(outcomes) == [(2, "a"), (3, "not_utf8"), (5, "c")]
    assert isinstance(outcomes[1], Invalid)
    assert (outcomes[1].raw, outcomes[1].check) == (row, zlib.crc32(row))
    assert outcomes[1].message == "found byte 0xe9 in line 4, column 3, expected UTF-8 (--encoding reads others)"


def test_bytes_that_are_not_of_the_encoding_are_told_by_its_name() -> None:
    reader = CsvReader(Recorder(), settings=TableSettings(encoding="cp1252"))
    outcomes = feed(reader, Transcoder("cp1252").feed(b"id,actionIcon\na,caf\xe9\nb,\xe9\x81\nc,x\n"))
    assert kinds(outcomes) == [(2, ""), (3, "undecodable"), (4, "")]
    assert isinstance(outcomes[1], Invalid)
    assert outcomes[1].message == "found byte 0x81 in line 3, column 4, expected cp1252"
    assert outcomes[1].raw == b"b,\xc3\xa9\x81"


def test_a_character_may_be_cut_by_the_end_of_a_block() -> None:
    data = "id,actionIcon\na,é\U0001f600\n".encode()
    assert kinds(read(data, range(1, len(data)))) == [(2, "a")]


def test_a_nul_byte_costs_its_own_record_only() -> None:
    outcomes = read(b"id,_note,actionIcon\na,,x\nb,\0,x\nc,,x\n")
    assert kinds(outcomes) == [(2, "a"), (3, "nul_byte"), (4, "c")]
    assert isinstance(outcomes[1], Invalid)
    assert outcomes[1].message == "found a NUL byte in line 3, column 3, expected text"


# ------------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("id,organisationId", 'column 2: found the name "organisationId", did you mean "organizationId"?'),
        ("activityId,actionIcon", 'found the name "activityId", did you mean "id"?'),
        ("ID,actionIcon", 'found the name "ID", did you mean "id"?'),
        ("id,change.status.to", 'found the name "change.status.to", did you mean "changes"?'),
        ("id,zzz", 'found the name "zzz", expected one of organizationId, id, changes'),
        ("id,,actionIcon", "column 2: found no name"),
        ("id,actionIcon.x", "is a text and has no parts"),
        ("id,actionIcon:json", "is a text and has no parts"),
        ("id,changes..from", "names parted by dots"),
        ("id,entityData." + ".".join("a" * MAX_LEVELS), "names parted by dots"),
        ('id,"entityData.a""b"', "names parted by dots"),
        ("id,actionIcon,id", 'column 1 "id" and column 3 "id" are the same field'),
        ("id,entityData,entityData:json", "are the same field"),
        ("id,changes.a.to,changes", 'column 2 "changes.a.to" is a part of column 3 "changes"'),
        ("id,changes.a.to,changes.a", "is a part of"),
        ("actionIcon,_id", "found no id"),
        ("a,b", 'found "a", "b", and none is a field; expected organizationId, id, changes'),
        ("a;b", "as in --column id=a; a name that begins with _"),
        ("Kunde\tVorgangs-ID\tOrg Nr", "as in --column 'organizationId=Org Nr' --column id=Vorgangs-ID;"),
        ("_a,,b", "as in --column id=_a"),
        ('{"id":"a"}', "which is no header but JSON; read it with --format ndjson"),
        (",".join("abcdefghijklmnop"), '"l" and 4 more, and none is a field'),
        ("id,x,y,_z,changes", 'No fields either: "y"'),
        ('id,"actionIcon', "quote"),
        ('"id"x,actionIcon', "quotes"),
        ("id,\0", "NUL"),
        ("id,\udce9", "0xe9"),
    ],
)
@pytest.mark.parametrize("rest", ["", "\n", "\na,x,\n"])
def test_a_header_that_cannot_be_used_ends_the_run(header: str, told: str, rest: str) -> None:
    data = ("\n" + header + rest).encode(errors="surrogateescape")
    reason = refused(data)
    assert reason.startswith("line 2, the CSV header: ")
    assert told in reason


def test_a_header_that_cannot_be_used_is_refused_as_soon_as_it_is_read() -> None:
    reader = CsvReader(Recorder(), name="rows.csv")
    with pytest.raises(InputError, match=r"^rows.csv, line 1, the CSV header: "):
        reader.feed(b"id,changse\n")


def test_columns_that_are_no_notes_may_not_stand_twice_but_notes_may() -> None:
    assert records("_,_,id\n1,2,a\n") == [{"id": "a"}]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            {"id": "Activity"},
            "--column id=Activity: line 1, the CSV header has no such name; it has id, Icon",
        ),
        ({"icon": "Icon"}, '"icon" is no field; known are organizationId'),
        ({"actionIcon": "id", "displayMessageTemplate": "Icon"}, "found no id"),
        ({"id": "Icon"}, 'column 1 "id" and column 2 "Icon" are the same field'),
        ({"actionIcon": "Icon", "displayMessageTemplate": "Icon"}, "stands for actionIcon already"),
    ],
)
def test_a_mapping_that_does_not_fit_the_header_ends_the_run(columns: dict[str, str], told: str) -> None:
    assert told in refused("id,Icon\na,x\n", columns)


def test_a_header_may_be_quoted_over_lines() -> None:
    data = 'id,"actionIcon\n"\na,x\n'
    for where in everywhere(data):
        assert kinds(read(data, where)) == [(3, "a")]


def test_a_first_line_without_an_end_is_no_header() -> None:
    with pytest.raises(InputError, match="more than 1,000 bytes, expected the header"):
        read("x" * 5000, range(0, 5000, 500), max_record=1000)
    with pytest.raises(InputError, match="never closed"):
        read('id,"' + "x\n" * 2000, range(0, 4000, 500), max_record=1000)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"id", True),
        (b"\n \r\nid\n", True),
        (b"\xef\xbb\xbfid;x\n", True),
        (b"changes.a.to\tb\n", True),
        (b'"organizationId"\r\n', True),
        (b"a,b\nid,actionIcon\n", False),
        (b"", False),
        (b'{"id":1}\n', False),
        (b"\xff\xfe\x00", False),
        (b"x" * 300_000, False),
    ],
)
def test_a_header_is_told_by_a_known_name(head: bytes, expected: bool) -> None:
    assert begins_with_header(head) is expected


def test_a_header_is_told_by_a_name_that_was_given() -> None:
    assert begins_with_header(b"Activity,Icon\n", ["Icon"])
