import json
import tracemalloc
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_update.model import Change, Invalid
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.ndjson import NdjsonReader
from bulk_update.pure.shape import MAX_RAW
from bulk_update.pure.transcoding import Transcoder

Rows = list[Change | Invalid]

VALID = [
    b'{"organizationId":"o","id":"a","entityData":1}',
    b' {"organizationId": "o", "id": "b", "entityData": {"k": [1.0]}}\t',
    '{"organizationId":"o","id":"é\u2028\u0085","entityData":"\u2029😀"}'.encode(),
    b'{"organizationId":"o","id":"a","entityData":"\\u000a\\n"}',
]
INVALID = [
    b'{"organizationId":"o","id":"a"}',
    b'{"organizationId":"o","id":"a","entityData":"\xff"}',
    b'{"organizationId":"o","id":"\xc3","entityData":1}',
    b'{"organizationId":"o","id":"\xed\xa0\x80","entityData":1}',
    b'{"organizationId":"o","id":"a","entityData":"\x00"}',
    b"\x00",
    b"x\ry",
    b"[]",
    b"}",
]
BLANK = [b"", b" ", b"\t ", b"\r", b" \r"]
LINES = st.sampled_from(VALID + INVALID + BLANK) | st.binary(max_size=9).map(lambda line: line.replace(b"\n", b""))


def read(data: bytes, cuts: Iterable[int] = (), max_record: int = 16_777_216) -> Rows:
    """Read NDJSON that is given in blocks, cut at these offsets."""
    reader = NdjsonReader(ActivityReader().read, 2, max_record)
    rows: Rows = []
    begin = 0
    for cut in [*sorted(cuts), len(data)]:
        rows += reader.feed(data[begin:cut])
        begin = cut
    return rows + reader.finish()


def read_line_by_line(data: bytes, max_record: int) -> Rows:
    """Read NDJSON the plain way."""
    reader, rows = ActivityReader(), Rows()
    for line, record in enumerate(data.split(b"\n"), 1):
        if len(record) > max_record:
            found = f"found a line of {len(record):,} bytes, expected at most {max_record:,}"
            check = zlib.crc32(record)
            rows.append(Invalid(line, 2, check, None, None, "too_long", found, record[:MAX_RAW]))
        elif record.strip(b" \t\r"):
            try:
                record.decode()
            except UnicodeDecodeError as error:
                found = f"found byte 0x{record[error.start]:02x} at byte {error.start + 1} of the line, "
                found += "expected UTF-8 (--encoding reads others)"
                rows.append(Invalid(line, 2, zlib.crc32(record), None, None, "not_utf8", found, record))
            else:
                rows.append(reader.read(record, line, 2))
    return rows


# ----------------------------------------------------------------------------------------- blocks and lines


@given(
    st.lists(LINES, max_size=8),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.lists(st.floats(0, 1), max_size=6),
    st.sampled_from([8, 40, 52, 10_000]),
)
@example([b"\x0b", b"\x0c ", VALID[0]], b"\n", True, [], 10_000)
@example([VALID[0], b" " * 60, VALID[0]], b"\n", True, [], 52)
def test_rows_are_the_same_wherever_the_blocks_are_cut(
    lines: list[bytes], end: bytes, final_end: bool, cuts: list[float], max_record: int
) -> None:
    data = end.join(lines) + (end if final_end else b"")
    expected = read_line_by_line(data, max_record)
    assert read(data, (), max_record) == expected
    assert read(data, range(len(data)), max_record) == expected
    assert read(data, [int(cut * len(data)) for cut in cuts], max_record) == expected


def test_a_cut_inside_of_a_character_changes_nothing() -> None:
    data = VALID[2] + b"\n" + VALID[2]
    rows = read(data)
    assert [row.id for row in rows] == ["é\u2028\u0085"] * 2
    for cut in range(len(data)):
        assert read(data, [cut]) == rows


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x7f", "\ufeff"])
def test_only_a_line_feed_ends_a_line(separator: str) -> None:
    record = f'{{"organizationId":"o","id":"a{separator}b","entityData":"{separator}"}}'
    rows = read(f"{record}\n{record}".encode())
    assert [(row.line, row.id) for row in rows] == [(1, f"a{separator}b"), (2, f"a{separator}b")]


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r"])
def test_other_line_ends_do_not_part_two_records(separator: str) -> None:
    rows = read((VALID[0].decode() + separator + VALID[0].decode() + "\n").encode() + VALID[1])
    assert [(row.line, type(row)) for row in rows] == [(1, Invalid), (2, Change)]
    assert rows[0].raw == VALID[0] + separator.encode() + VALID[0]  # type: ignore[union-attr]


def test_blank_lines_count_and_are_no_rows() -> None:
    data = b"\n \n\r\n" + VALID[0] + b"\r\n\t\r\n\n" + VALID[0]
    assert [(row.line, type(row)) for row in read(data)] == [(4, Change), (7, Change)]
    assert read(b"") == read(b"\n\n") == read(b" ") == read(b"\r\n") == []


def test_the_last_record_needs_no_line_end() -> None:
    assert read(VALID[0] + b"\n" + VALID[0]) == read(VALID[0] + b"\n" + VALID[0] + b"\n")


def test_crlf_makes_the_same_changes_as_lf() -> None:
    unix = b"\n".join(VALID)
    assert read(unix.replace(b"\n", b"\r\n")) == read(unix)


def test_rows_come_out_as_soon_as_their_line_ends() -> None:
    reader = NdjsonReader(ActivityReader().read)
    assert reader.feed(VALID[0][:10]) == []
    assert reader.feed(VALID[0][10:]) == []
    assert [row.line for row in reader.feed(b"\n" + VALID[0] + b"\n" + VALID[0])] == [1, 2]
    assert [row.line for row in reader.finish()] == [3]
    assert reader.finish() == []


def test_each_row_tells_its_input() -> None:
    rows = read(VALID[0] + b"\n[]\n\xff\n" + b"x" * 100, max_record=60)
    assert [row.input for row in rows] == [2] * 4


# ---------------------------------------------------------------------------------------- one bad row alone


@pytest.mark.parametrize("bad", INVALID)
def test_a_bad_record_spares_the_others(bad: bytes) -> None:
    rows = read(b"\n".join([*VALID, bad, *VALID]))
    assert [type(row) for row in rows] == [Change] * 4 + [Invalid] + [Change] * 4
    assert [row.line for row in rows] == [*range(1, 10)]
    assert rows[4].raw == bad  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (b'{"id":"\xff"}', "found byte 0xff at byte 8 of the line"),
        (b"\xc3", "found byte 0xc3 at byte 1 of the line"),
        (b"12\xed\xa0\x80", "found byte 0xed at byte 3 of the line"),
        (b"\xc0\xaf", "found byte 0xc0 at byte 1 of the line"),
    ],
)
def test_a_record_that_is_not_utf_8_is_told_where(record: bytes, found: str) -> None:
    (row,) = read(b"\n" + record)
    check = zlib.crc32(record)
    assert row == Invalid(
        2, 2, check, None, None, "not_utf8", f"{found}, expected UTF-8 (--encoding reads others)", record
    )


def test_two_records_on_a_line_are_one_invalid_row() -> None:
    rows = read(VALID[0] + VALID[0] + b"\n" + VALID[0])
    assert [type(row) for row in rows] == [Invalid, Change]


# ---------------------------------------------------------------------------------------------- long lines


@pytest.mark.parametrize("step", [1, 7, 99, 100, 101, 250, 100_000])
def test_a_line_is_too_long_from_one_byte_over_the_limit_on(step: int) -> None:
    note = b'","_":"'
    exact = VALID[0][:-1] + b',"_":"' + b"x" * (100 - len(VALID[0]) - len(note)) + b'"}'
    assert len(exact) == 100
    over = exact[:-2] + b'x"}'
    data = b"\n".join([over, exact, over * 3, exact, b" " * 101, exact, over])
    rows = read(data, range(0, len(data), step), max_record=100)
    assert [(row.line, type(row)) for row in rows] == [
        (1, Invalid),
        (2, Change),
        (3, Invalid),
        (4, Change),
        (5, Invalid),
        (6, Change),
        (7, Invalid),
    ]
    assert rows[2] == Invalid(
        3,
        2,
        zlib.crc32(over * 3),
        None,
        None,
        "too_long",
        "found a line of 303 bytes, expected at most 100",
        over * 3,
    )


def test_of_a_long_line_its_head_is_kept_and_all_of_it_is_summed() -> None:
    line = b"".join(b"%07d," % number for number in range(20_000))
    (row,) = read(line, range(0, len(line), 4096), max_record=100_000)
    assert isinstance(row, Invalid)
    assert (row.raw, row.check) == (line[:MAX_RAW], zlib.crc32(line))


def test_no_more_of_a_line_is_held_than_the_longest_record() -> None:
    reader = NdjsonReader(ActivityReader().read, max_record=1_000_000)
    tracemalloc.start()
    for number in range(400):
        assert reader.feed(b"%d" % (number % 10) * 65_536) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = reader.feed(b"\n" + VALID[0] + b"\n")
    assert peak < 2_000_000
    assert [(row.line, type(row)) for row in rows] == [(1, Invalid), (2, Change)]


def test_a_line_that_comes_byte_by_byte_is_read_in_linear_time() -> None:
    record = VALID[0][:-1] + b',"_":"' + b"x" * 100_000 + b'"}'
    reader = NdjsonReader(ActivityReader(max_body=10_000).read)
    rows = [row for at in range(len(record)) for row in reader.feed(record[at : at + 1])]
    assert [row.id for row in rows + reader.finish()] == ["a"]


@given(st.lists(st.sampled_from(VALID), min_size=1, max_size=5))
def test_records_keep_their_order(lines: list[bytes]) -> None:
    ids = [json.loads(line)["id"] for line in lines]
    assert [row.id for row in read(b"\n".join(lines))] == ids


def test_bytes_that_are_not_of_the_encoding_are_told_by_its_name() -> None:
    reader = NdjsonReader(ActivityReader("o").read, encoding="cp1252")
    text = Transcoder("cp1252").feed(b'{"id":"caf\xe9","actionIcon":"\xe9"}\n{"id":"\xe9\x81"}\n')
    first, second = reader.feed(text)
    assert isinstance(first, Change)
    assert first.id == "caf\u00e9"
    assert isinstance(second, Invalid)
    assert (second.line, second.code) == (2, "undecodable")
    assert second.message == "found byte 0x81 at column 9, expected cp1252"
