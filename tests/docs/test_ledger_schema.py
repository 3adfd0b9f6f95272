"""The published schema of the ledger: what the program writes fits it, and what it does not write does not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bulk_update.model import Change, RowError, Status
from bulk_update.pure import ledger_lines
from bulk_update.pure.ledger_lines import Line, ResultWriter, encode_line
from bulk_update.pure.seals import SealLine
from tests.docs.json_schema import Schema
from tests.docs.markdown import ROOT, fences
from tests.docs.shell import Command, environment, run

DOCUMENT = json.loads((ROOT / "docs" / "ledger.schema.json").read_text())
SCHEMA = Schema(DOCUMENT)
SAMPLES = ROOT / "samples"
STRUCTS = [struct for struct in (*Line.__args__, SealLine) if isinstance(struct, type)]

RESULT = {
    "type": "result",
    "line": 1,
    "organizationId": "org-1",
    "id": "activity-001",
    "status": "updated",
    "check": "18767770",
}


def lines_in_documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in (ROOT / "docs" / "ledger.md", ROOT / "README.md", ROOT / "ARCHITECTURE.md"):
        for fence in fences(path, "json"):
            for number, text in enumerate(fence.text.splitlines()):
                line = json.loads(text)
                if "type" in line:
                    yield f"{path.name}:{fence.line + number}", line


WRITTEN = {"run", "sending", "request", "result", "cut", "end", "seal"}
LINES = dict(lines_in_documents())


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Make a ledger that has every type of line: of a run, of one on a torn ledger, and of a retry."""
    folder = tmp_path_factory.mktemp("ledger")
    path = folder / "l.ndjson"
    words = f"{SAMPLES}/activities.ndjson {SAMPLES}/activities.csv --rate none --sandbox --ledger l.ndjson"
    for command in (
        Command(f"bulk-update {words} --sandbox-seed {SAMPLES}/seed.ndjson --limit 300", 1),
        Command('printf \'{"type":"result","li\' >> l.ndjson', 0),
        Command(f"bulk-update {words} --sandbox-seed {SAMPLES}/seed.ndjson", 1),
        Command("bulk-update retry l.ndjson --sandbox --rate none", 1),
    ):
        done = run(command, folder, environment(folder))
        assert done.code == command.code, done.output
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_ledger_fits(ledger: list[dict[str, Any]]) -> None:
    assert {line["type"] for line in ledger} == WRITTEN
    assert {line["status"] for line in ledger if line["type"] == "result"} == {"updated", "failed", "invalid"}
    for number, line in enumerate(ledger, 1):
        assert list(SCHEMA.errors(line)) == [], number


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.SUPERSEDED])
@pytest.mark.parametrize("was", ["", "failed"])
def test_results_that_a_sandbox_brings_about_seldom_fit(status: Status, was: str) -> None:
    change = Change("org-1", "activity-001", 7, 0, 0x5E0F1C9A, 32, b'{"id":"activity-001","actionIcon":"i"}', was)
    written = ResultWriter(["changes.ndjson"]).result(change, status, RowError("timeout", "no answer within 30 s"))
    assert list(SCHEMA.errors(json.loads(written))) == []


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_lines_that_documents_show_fit(line: dict[str, Any]) -> None:
    assert list(SCHEMA.errors(line)) == []


def test_the_documents_show_each_type() -> None:
    assert {line["type"] for line in LINES.values()} == {*WRITTEN, "rate"}


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_the_schema_has_the_keys_of_the_code(struct: type[msgspec.Struct]) -> None:
    fields = msgspec.structs.fields(struct)
    schema = DOCUMENT["$defs"][struct.__struct_config__.tag]
    always = [field.encode_name for field in fields if field.required or not struct.__struct_config__.omit_defaults]
    assert set(schema["properties"]) == {"type", *(field.encode_name for field in fields)}
    assert set(schema["required"]) == {"type", *always}


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"type": "other"},
        RESULT | {"line": 0},
        RESULT | {"line": True},
        RESULT | {"check": 18767770},
        RESULT | {"check": "18767770f"},
        RESULT | {"status": "done"},
        RESULT | {"id": None},
        RESULT | {"error": {"code": "c", "message": "m"}},
        RESULT | {"change": {"id": "activity-001"}},
        RESULT | {"status": "failed"},
        RESULT | {"status": "failed", "error": {"code": "c", "message": "m"}},
        RESULT | {"status": "invalid", "error": {"code": "c", "message": "m"}},
        RESULT | {"unknown": 1},
        {key: value for key, value in RESULT.items() if key != "check"},
    ],
)
def test_what_is_no_line_does_not_fit(line: dict[str, Any]) -> None:
    assert list(SCHEMA.errors(line)) != []


def test_a_result_fits() -> None:
    assert list(SCHEMA.errors(RESULT)) == []


def test_keys_of_later_versions_are_let_through() -> None:
    assert list(Schema(DOCUMENT, strict=False).errors(RESULT | {"later": 1})) == []


def test_the_format_is_the_one_that_is_written() -> None:
    assert DOCUMENT["$defs"]["run"]["properties"]["format"]["const"] == ledger_lines.FORMAT


def test_a_line_that_the_code_writes_is_one_line() -> None:
    line = ledger_lines.CutLine(1, "a\nb", "2026-01-01T00:00:00.000Z")
    assert encode_line(line).count(b"\n") == 1
    assert list(SCHEMA.errors(json.loads(encode_line(line)))) == []


def test_samples_are_where_they_are_expected() -> None:
    assert Path(SAMPLES / "activities.ndjson").is_file()
