"""Inputs as people have them, by the command line: what goes over the wire, and what is recorded of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import Ended, run
from tests.runs import read_ledger
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.replies import ok


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
    assert read_ledger(ledger_of(path)).lines[0]["settings"]["encoding"] == encoding


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
    runs = [line["settings"]["empty"] for line in read_ledger(ledger_of(path)).lines if line["type"] == "run"]
    assert runs == ["omit", "null", "keep", "omit", "null", "keep"]
