"""Inputs as people have them, by the command line: what goes over the wire, and what is recorded of it."""

import csv
import io
import json
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest
from pyarrow import parquet

from bulk_update.pure.shape import KEYS
from tests.cli.process import Ended, run
from tests.runs import ndjson, read_ledger
from tests.servers.files import serve_files
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.replies import ok, verdicts


def ledger_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.ledger.ndjson")


def bodies(server: MisbehavingServer) -> list[dict[str, Any]]:
    """Return what was sent, in order."""
    return [json.loads(request.body)["data"] for request in server.requests]


async def send(server: MisbehavingServer, *words: str | Path, cwd: Path | None = None) -> Ended:
    return await run(*words, "--api-url", server.url, "--rate", "none", "--quiet", cwd=cwd)


# ---------------------------------------------------------------------------------- encodings, empty cells


@pytest.mark.parametrize(
    ("name", "option", "encoding"),
    [
        ("rows.csv", "windows-1252", "cp1252"),
        ("rows.csv", "utf-16", "utf-16"),
        ("rows.ndjson", "latin-1", "iso8859-1"),
    ],
)
async def test_another_encoding_arrives_as_it_was_meant(tmp_path: Path, name: str, option: str, encoding: str) -> None:
    path = tmp_path / name
    row = {"organizationId": "o", "id": "caf\u00e9", "actionIcon": "\u00fc"}
    text = (
        f"{json.dumps(row, ensure_ascii=False)}\n"
        if name.endswith("n")
        else "organizationId;id;actionIcon\r\n" + (";".join(row.values()) + "\r\n")
    )
    path.write_bytes(text.encode(encoding))
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, path, "--encoding", option)).code == 0
        assert bodies(server) == [{"organizationId": "o", "activities": [{"id": "caf\u00e9", "actionIcon": "\u00fc"}]}]
        assert (await send(server, path, "--encoding", option)).code == 0
        assert len(server.requests) == 1
    assert read_ledger(ledger_of(path)).lines[0]["settings"]["encoding"]["value"] == encoding


async def test_a_row_that_does_not_decode_is_invalid_and_the_others_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"organizationId,id,actionIcon\no,a,\xe9\no,b,\x81\no,c,x\n")
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, path, "--encoding", "cp1252")).code == 1
    ledger = read_ledger(ledger_of(path))
    assert ledger.statuses == {"updated": 2, "invalid": 1}
    assert ledger.error(3) == {
        "code": "undecodable",
        "message": "found byte 0x81 in line 3, column 5, expected cp1252",
    }
    assert ledger.results[3]["raw"] == "o,b,\\x81"


async def test_an_unknown_encoding_is_refused_with_the_nearest(tmp_path: Path) -> None:
    ended = await run("check", tmp_path / "rows.csv", "--encoding", "uft-8")
    assert (ended.code, ended.err) == (
        2,
        "bulk-update: --encoding: found an unknown encoding 'uft-8'; did you mean utf-8?\n",
    )


async def test_what_empty_cells_say_is_a_change_of_its_own_and_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("organizationId,id,actionIcon,changes.status.to\no,a,pen,\n")
    async with open_misbehaving([ok()]) as server:
        for empty in ("omit", "null", "keep", "omit", "null", "keep"):
            assert (await send(server, path, "--empty", empty)).code == 0
        assert [body["activities"][0].get("changes") for body in bodies(server)] == [
            None,
            {"status": {"to": None}},
            {"status": {"to": ""}},
        ]
    runs = [line["settings"]["empty"]["value"] for line in read_ledger(ledger_of(path)).lines if line["type"] == "run"]
    assert runs == ["omit", "null", "keep", "omit", "null", "keep"]


# -------------------------------------------------------------------------------------------- failures as CSV


TABLE: Final = (
    "activity;_ticket;changes.status.from;changes.status.to:json;displayMessageTemplate\r\n"
    "=a1;MIG-1;open;-5;'tis\r\n"
    'b\u00e9;MIG-2;@home;;"two; lines\r\nand ""quotes"""\r\n'
    "'=c;MIG-3;;1.0;\r\n"
    ";MIG-4;=x;2;no id\r\n"
    "e;MIG-5;+x;not JSON;y\r\n"
    "f;MIG-6;+x;1\r\n"
)


async def failures(ledger: Path, target: Path, *words: str) -> list[list[str]]:
    """Write the failures of a ledger into a file; return its cells."""
    ended = await run("failures", ledger, *words, env={})
    assert ended.code == 0, ended
    target.write_bytes(ended.out.encode())
    return list(csv.reader(io.StringIO(ended.out.removeprefix("\ufeff"), ""), delimiter=";", strict=True))


@pytest.mark.parametrize("empty", ["omit", "null", "keep"])
async def test_failures_are_the_rows_of_the_table_and_arrive_as_they_did(tmp_path: Path, empty: str) -> None:
    path, mended = tmp_path / "in.csv", tmp_path / "mended.csv"
    path.write_bytes(TABLE.encode("cp1252"))
    shared = ("--column", "id=activity", "--organization-id=-o", "--empty", empty)
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        assert (await send(server, path, *shared, "--encoding", "cp1252")).code == 1
        first = [request.body for request in server.requests]
    cells = await failures(ledger_of(path), mended, "--format", "csv")
    own = ["activity", "changes.status.from", "changes.status.to:json", "displayMessageTemplate", "organizationId"]
    notes = ["_line", "_input", "_status", "_code", "_message", "_raw", "_escaped", "_null"]
    assert cells[0] == own + notes
    assert not [cell for row in cells for cell in row if cell[:1] in set("=+-@\t\r\n")]
    assert mended.read_bytes().startswith(b"\xef\xbb\xbf")
    read = [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]
    third = "invalid" if empty == "null" else "failed"  # a template cannot be null
    assert [(row["_line"], row["_status"]) for row in read] == [
        ("2", "failed"), ("3", "failed"), ("5", third), ("6", "invalid"), ("7", "invalid"), ("8", "invalid")
    ]  # fmt: skip
    assert (read[0]["activity"], read[0]["_escaped"]) == (
        "'=a1",
        '["activity","changes.status.to:json","organizationId"]',
    )
    assert read[2]["activity"] == "'=c"
    assert (read[4]["changes.status.from"], read[4]["changes.status.to:json"]) == ("'+x", "not JSON")
    assert (read[5]["activity"], read[5]["_raw"]) == ("", "f;MIG-6;+x;1")
    for again in ("omit", "null", "keep"):
        ledger = tmp_path / f"{again}.ledger.ndjson"
        words = ("--column", "id=activity", "--empty", again, "--ledger", ledger)
        async with open_misbehaving([ok()]) as server:
            assert (await send(server, mended, *words)).code == 1
            assert [request.body for request in server.requests] == first
        assert read_ledger(ledger).statuses == (
            {"updated": 2, "invalid": 4} if empty == "null" else {"updated": 3, "invalid": 3}
        )


async def test_a_file_of_failures_is_not_read_in_the_encoding_that_the_input_had(tmp_path: Path) -> None:
    path, mended = tmp_path / "in.csv", tmp_path / "mended.csv"
    path.write_bytes("organizationId;id;actionIcon\no;caf\u00e9;\u00fc\n".encode("cp1252"))
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        assert (await send(server, path, "--encoding", "cp1252")).code == 1
    await failures(ledger_of(path), mended, "--format", "csv")
    ended = await run("check", mended, "--encoding", "cp1252")
    assert (ended.code, "begins with the mark of UTF-8" in ended.err) == (2, True)
    assert (await run("check", mended)).code == 0


async def test_failures_of_an_input_without_a_known_header_have_a_column_a_field(tmp_path: Path) -> None:
    ledger, mended = tmp_path / "l.ndjson", tmp_path / "mended.csv"
    rows: list[dict[str, object]] = [
        {"organizationId": "o", "id": "a", "actionIcon": "=1", "changes": {"s": {"to": 2**70}}},
        {"organizationId": "o", "id": "b", "actionIcon": "x\0y"},
        {"organizationId": "o", "id": "c", "actionIcon": 5},
        {"organizationId": "o", "id": "d", "actionIcon": "x", "displayMessageTemplte": "{{a}}"},
    ]
    async with open_misbehaving([verdicts({}, rest=False), ok()]) as server:
        ended = await run("-", "--ledger", ledger, "--api-url", server.url, "--quiet", stdin=ndjson(rows).encode())
        assert ended.code == 1
        text = (await run("failures", ledger, "--format", "csv", env={})).out
        mended.write_text(text)
        read = list(csv.DictReader(io.StringIO(text, "")))
        assert [(row["id"], row["actionIcon"]) for row in read] == [("a", "'=1"), ("", ""), ("", ""), ("", "")]
        assert [json.loads(row["_raw"])["id"] for row in read[1:]] == ["b", "c", "d"]
        assert (await send(server, mended)).code == 1
        assert bodies(server)[1] == {
            "organizationId": "o",
            "activities": [{"id": "a", "changes": {"s": {"to": 2**70}}, "actionIcon": "=1"}],
        }


async def test_failures_of_changed_headers_have_a_column_a_field(tmp_path: Path) -> None:
    path, mended = tmp_path / "in.csv", tmp_path / "mended.csv"
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        path.write_text("organizationId;id;actionIcon\no;a;x\no;;y\n")
        assert (await send(server, path)).code == 1
        path.write_text("organizationId;actionIcon;id;entityData\no;y;;1\no;z;b;1\n")
        assert (await send(server, path)).code == 1
        cells = await failures(ledger_of(path), mended, "--format", "csv")
        path.write_text("organizationId;id;entityData\no;b;2\no;;3\n")
        assert (await send(server, path)).code == 1
    assert [row[:4] for row in cells] == [
        ["organizationId", "actionIcon", "id", "entityData"],
        ["o", "x", "a", ""],
        ["o", "y", "", "1"],
        ["o", "z", "b", "1"],
        ["o", "y", "", ""],
    ]
    cells = await failures(ledger_of(path), mended, "--format", "csv")
    assert cells[0][:8] == [*KEYS]
    assert (await run("check", mended)).code == 1


async def test_failures_of_rows_of_csv_are_records_in_ndjson(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(TABLE.encode())
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        assert (await send(server, path, "--column", "id=activity", "--organization-id", "o")).code == 1
    ended = await run("failures", ledger_of(path), env={})
    read = [json.loads(line) for line in ended.out.splitlines()]
    assert [row.get("id") for row in read] == ["=a1", "b\u00e9", "'=c", None, None, None]
    assert read[3]["changes"] == {"status": {"from": "=x", "to": 2}}
    assert [row.get("_raw") for row in read[3:]] == [None, "e;MIG-5;+x;not JSON;y", "f;MIG-6;+x;1"]


# --------------------------------------------------------------------------------------------- remote, Parquet


async def test_a_signed_url_is_read_and_its_secret_is_nowhere(tmp_path: Path) -> None:
    data = ndjson([{"organizationId": "o", "id": f"a{n}", "actionIcon": "x"} for n in range(3)]).encode()
    with serve_files({"/exports/changes.ndjson": data}) as files:
        url = files.url.replace("//", "//user:pa55word@") + "/exports/changes.ndjson?X-Signature=s3cr3t"
        async with open_misbehaving([verdicts({"a1": False})]) as server:
            words = (url, "--api-url", server.url, "--rate", "none")
            first = await run(*words, "--limit", "1", cwd=tmp_path)
            second = await run(*words, cwd=tmp_path)
            other = await run(url.replace("s3cr3t", "s3cr3t-anew"), *words[1:], cwd=tmp_path)
    assert (first.code, second.code, other.code) == (0, 1, 1)
    assert len(server.requests) == 2
    ledger = tmp_path / "changes.ndjson.ledger.ndjson"
    assert read_ledger(ledger).lines[0]["inputs"] == ["changes.ndjson"]
    assert "ledger: changes.ndjson.ledger.ndjson" in first.err
    assert f"next: bulk-update '{files.url}/exports/changes.ndjson?...' --api-url" in first.err
    for text in (ledger.read_text(), first.err, second.err, other.err):
        assert "s3cr3t" not in text
        assert "pa55word" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["changes.ndjson.ledger.ndjson"]


async def test_a_remote_table_is_given_back_with_its_columns(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbforganizationId;activity;actionIcon\no;a;x\n"
    with serve_files({"/t.csv": data}) as files:
        async with open_misbehaving([verdicts({}, rest=False)]) as server:
            ended = await send(server, f"{files.url}/t.csv?s3cr3t", "--column", "id=activity", cwd=tmp_path)
    assert ended.code == 1
    cells = await failures(tmp_path / "t.csv.ledger.ndjson", tmp_path / "mended.csv", "--format", "csv")
    assert [row[:3] for row in cells] == [["organizationId", "activity", "actionIcon"], ["o", "a", "x"]]
    assert (tmp_path / "mended.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("name", ["rows.parquet", "rows"])
async def test_parquet_arrives_as_ndjson_would_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    place = "row 3" if path.suffix else "line 3"
    rows = [
        {"org": "o", "id": "a", "changes": {"s": {"from": None, "to": "x"}}, "entityData": 2**62, "_note": b"n"},
        {"org": "o", "id": "b", "changes": None, "entityData": 1, "_note": b"n"},
        {"org": "o", "id": None, "changes": None, "entityData": 1, "_note": b"n"},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    words = (path, "--column", "organizationId=org")
    async with open_misbehaving([verdicts({"b": False}), ok()]) as server:
        assert (await send(server, *words)).code == 1
        assert (await send(server, *words)).code == 1
        checked = await run("check", *words, env={})
        told = await run("report", ledger_of(path), env={})
        assert f"first at {place}" in checked.out
        assert f"first at {place}" in told.out
        assert bodies(server) == [
            {
                "organizationId": "o",
                "activities": [
                    {"id": "a", "changes": {"s": {"to": "x"}}, "entityData": 2**62},
                    {"id": "b", "entityData": 1},
                ],
            }
        ]
        assert (await send(server, "retry", ledger_of(path))).code == 1
    ledger = read_ledger(ledger_of(path))
    assert ledger.statuses == {"updated": 2, "invalid": 1}
    assert ledger.status(3) == "invalid"
    assert ledger.error(3)["message"] == "id: found nothing, expected a non-empty string"


async def test_parquet_is_not_read_from_standard_input(tmp_path: Path) -> None:
    data = io.BytesIO()
    parquet.write_table(pa.table({"id": ["a"]}), data)
    for words in ((), ("--format", "parquet")):
        ended = await run("check", "-", *words, stdin=data.getvalue(), env={})
        assert ended.code == 2
        assert "is read from its end; give it as a file" in ended.err
