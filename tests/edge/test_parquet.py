"""Parquet: each row is the line of NDJSON that it would have been."""

import cProfile
import datetime as dt
import json
import subprocess
import sys
import textwrap
import tracemalloc
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from bulk_update.edge.source import BLOCK, check_inputs, open_source
from bulk_update.edge.source.parquet import ParquetRows
from bulk_update.errors import InputError
from bulk_update.pure.csv.settings import Empty, TableSettings

ROOT = Path(__file__).parents[2]
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write columns into a Parquet file; return its path."""

    def write(columns: dict[str, Any], name: str = "rows.parquet", **how: object) -> str:
        path = tmp_path / name
        parquet.write_table(pa.table(columns), path, **how)
        return str(path)

    return write


async def lines(name: str, **settings: Any) -> list[bytes]:
    """Read a file into the lines of NDJSON that it becomes."""
    how = TableSettings(**settings)
    check_inputs([name], how)
    async with open_source(name, how) as source:
        assert source.format == "parquet"
        data = b""
        while block := await source.read():
            data += block
        assert source.bytes_read == source.bytes_total == Path(name).stat().st_size
    return data.split(b"\n")[:-1]


def refused(name: str, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        check_inputs([name], TableSettings(**settings))
    return str(caught.value)


def one(kind: Any, value: object) -> dict[str, Any]:
    return {"id": ["a"], "entityData": pa.array([value], type=kind)}


VALUES: list[tuple[Any, object, str]] = [
    (pa.int64(), 2**63 - 1, "9223372036854775807"),
    (pa.uint64(), 2**64 - 1, "18446744073709551615"),
    (pa.int8(), -5, "-5"),
    (pa.bool_(), False, "false"),
    (pa.float64(), 1.0, "1.0"),
    (pa.float64(), 1e300, "1e+300"),
    (pa.float32(), 0.5, "0.5"),
    (pa.decimal128(38, 10), Decimal("-1234567890123456789.0100000000"), "-1234567890123456789.0100000000"),
    (pa.string(), 'say "hi"\n\u00e9', '"say \\"hi\\"\\n\u00e9"'),
    (pa.large_string(), "", '""'),
    (pa.date32(), dt.date(2026, 11, 23), '"2026-11-23"'),
    (pa.timestamp("s"), 0, '"1970-01-01T00:00:00.000"'),
    (pa.timestamp("ms", "Europe/Berlin"), 1795408913045, '"2026-11-23T04:41:53.045Z"'),
    (pa.timestamp("us", "UTC"), -1, '"1969-12-31T23:59:59.999999Z"'),
    (pa.timestamp("ns"), 1795408913045000001, '"2026-11-23T04:41:53.045000001"'),
    (pa.time32("s"), 61, '"00:01:01.000"'),
    (pa.time64("ns"), 61_000_000_001, '"00:01:01.000000001"'),
    (pa.list_(pa.int64()), [1, None, 3], "[1,null,3]"),
    (pa.list_(pa.string(), 2), ["x", "y"], '["x","y"]'),
    (pa.list_(pa.struct([("a", pa.int8())])), [{"a": None}, None, {"a": 1}], '[{},null,{"a":1}]'),
    (pa.map_(pa.string(), pa.int64()), [("x", 1), ("y", None)], '{"x":1,"y":null}'),
    (pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))]), {"a": 1, "b": []}, '{"a":1,"b":[]}'),
    (pa.dictionary(pa.int8(), pa.string()), "x", '"x"'),
    (pa.json_(), ' {"n": 1.0,\n "big": 12345678901234567890123}', '{"n": 1.0,  "big": 12345678901234567890123}'),
    (pa.uuid(), uuid.UUID(int=1).bytes, '"00000000-0000-0000-0000-000000000001"'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "expected"), VALUES, ids=[str(kind) for kind, _, _ in VALUES])
async def test_a_value_is_written_as_what_it_is(write: Write, kind: Any, value: object, expected: str) -> None:
    assert await lines(write(one(kind, value))) == [f'{{"id":"a","entityData":{expected}}}'.encode()]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, value, _ in VALUES])
async def test_values_are_the_same_in_any_batch_and_among_nulls(write: Write, kind: Any, value: object) -> None:
    values = pa.array([value, None, value, None, value], type=kind)
    name = write({"id": list("abcde"), "entityData": values}, row_group_size=2)
    read = await lines(name)
    assert [b"entityData" in line for line in read] == [True, False, True, False, True]
    assert {line[10:] for line in read[::2]} == {read[0][10:]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
async def test_what_json_has_not_makes_the_row_no_json(write: Write, value: float) -> None:
    first, second = await lines(write({"id": ["a", "b"], "entityData": [value, 1.5]}))
    assert first == b'{"id":"a","entityData":NaN}'
    assert second == b'{"id":"b","entityData":1.5}'


@pytest.mark.parametrize("text", ['1,"id":"b"', "", "{", "NaN", "1 2"])
async def test_marked_text_that_is_no_json_makes_its_row_none_and_adds_nothing(write: Write, text: str) -> None:
    name = write({"id": ["a", "b"], "entityData:json": [text, "2"]})
    first, second = await lines(name)
    assert first == b'{"id":"a","entityData":not JSON: ' + json.dumps(text).encode() + b"}"
    assert second == b'{"id":"b","entityData":2}'


async def test_columns_are_named_as_those_of_a_csv_are(write: Write) -> None:
    name = write(
        {
            "activity": ["a"],
            "changes.status.from": ["open"],
            "changes.status.to": [3],
            "data": ['{"x": 1}'],
            "_note": [b"anything"],
            "organizationId": ["o"],
        }
    )
    (line,) = await lines(name, columns={"id": "activity", "entityData:json": "data"})
    assert line == (
        b'{"organizationId":"o","id":"a","changes":{"status":{"from":"open","to":3}},"entityData":{"x": 1}}'
    )


SIDES = pa.struct([("from", pa.string()), ("to", pa.string())])
NULLS = {
    "id": ["a", "b"],
    "organizationId": pa.array(["o", None]),
    "actionIcon": pa.array([None, ""], pa.string()),
    "changes": pa.array(
        [{"s": {"from": None, "to": "x"}, "t": None}, {"s": {"from": None, "to": None}, "t": {"to": 1}}],
        pa.struct([("s", SIDES), ("t", pa.struct([("to", pa.int8())]))]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("empty", ["omit", "keep"])
async def test_nulls_are_left_out_inside_structs_too(write: Write, empty: Empty) -> None:
    assert await lines(write(NULLS), empty=empty) == [
        b'{"organizationId":"o","id":"a","changes":{"s":{"to":"x"}}}',
        b'{"id":"b","changes":{"t":{"to":1}},"actionIcon":""}',
    ]


async def test_nulls_are_null_where_that_is_asked_for_and_name_no_activity(write: Write) -> None:
    assert await lines(write(NULLS), empty="null") == [
        b'{"organizationId":"o","id":"a","changes":{"s":{"from":null,"to":"x"},"t":null},"actionIcon":null}',
        b'{"id":"b","changes":{"s":{"from":null,"to":null},"t":{"to":1}},"actionIcon":""}',
    ]


@pytest.mark.parametrize("name", ["rows", "rows.data"])
async def test_the_content_tells_what_it_is(write: Write, name: str) -> None:
    assert len(await lines(write(one(pa.int8(), 1), name))) == 1


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (pa.binary(), b"x", "found binary, which JSON has not; cast it to text, or put _ before its name"),
        (pa.duration("s"), 1, "found duration[s], which JSON has not"),
        (pa.list_(pa.binary()), [b"x"], "found binary, which JSON has not"),
        (pa.map_(pa.int8(), pa.int8()), [(1, 1)], "found map<int8, int8"),
        (pa.struct([("x", pa.binary())]), {"x": b""}, "found binary, which JSON has not"),
    ],
)
def test_a_type_that_json_has_not_is_refused_with_its_column(write: Write, kind: Any, value: object, told: str) -> None:
    name = write(one(kind, value))
    assert f'{name}, its columns: column 2 "entityData": {told}' in refused(name)


def test_a_column_marked_as_json_holds_text(write: Write) -> None:
    assert "found int64, expected text that holds JSON" in refused(write({"id": ["a"], "entityData:json": [1]}))


def test_a_column_that_is_no_field_is_refused_with_the_nearest(write: Write) -> None:
    name = write({"id": ["a"], "actionIkon": ["x"]})
    assert 'column 2: found the name "actionIkon", did you mean "actionIcon"?' in refused(name)


def test_what_is_no_parquet_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b'{"id":"a"}\n' * 10)
    assert refused(str(path)).startswith(f"{path} cannot be read as Parquet: Parquet magic bytes not found")


async def test_a_file_that_is_damaged_further_on_is_told_when_that_is_reached(write: Write) -> None:
    name = write({"id": [f"a{n}" for n in range(100_000)], "entityData": range(100_000)}, compression="zstd")
    data = bytearray(Path(name).read_bytes())
    data[len(data) // 3 : len(data) // 3 + 200] = b"\xff" * 200
    Path(name).write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        await lines(name)


async def test_times_beyond_the_calendar_are_told(write: Write) -> None:
    with pytest.raises(InputError, match="holds a time beyond the years 1 to 9999"):
        await lines(write(one(pa.timestamp("ms"), 2**62)))


async def test_memory_does_not_grow_with_texts_that_rows_share(write: Write) -> None:
    """A small file may hold rows without end: each of these is 100 KB."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000), pa.array(["x" * 100_000]))
    name = write({"id": [f"a{n}" for n in range(20_000)], "entityData": texts}, store_schema=False)
    assert Path(name).stat().st_size < 1_000_000
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    async with open_source(name) as source:
        for _ in range(200):
            assert len(await source.read()) < 2 * BLOCK
            assert pa.total_allocated_bytes() - before < 20_000_000
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_texts_that_batches_share_are_not_written_for_each(write: Write) -> None:
    rows = 20_000
    name = write({"id": [f"a{n}" for n in range(rows)], "entityData": range(rows)})
    written = cProfile.Profile()
    with written, Path(name).open("rb") as file:
        assert sum(block.count(b"\n") for block in ParquetRows(name, file, TableSettings()).blocks()) == rows
    calls = sum(entry.callcount for entry in written.getstats() if "encode" in str(entry.code))
    assert calls < 4 * rows


def test_without_the_library_the_extra_is_named(write: Write) -> None:
    script = """
        import sys
        sys.modules["pyarrow"] = None
        from bulk_update.edge.source import check_inputs
        from bulk_update.errors import InputError
        try:
            check_inputs([sys.argv[1]])
        except InputError as error:
            print(error)
    """
    name = write(one(pa.int8(), 1))
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), name], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert ended.stdout.startswith(f"{name} is Parquet, which needs pyarrow (the extra parquet); install it: ")
    assert ended.stdout.endswith(" install 'pyarrow>=22'\n")
