"""`failures`: the rows that are not updated, as an input that can be mended and run."""

import argparse
import codecs
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Raw

from bulk_update.cli.streams import data_stream
from bulk_update.edge.ledger import LedgerFile, open_ledger_for_reading
from bulk_update.model import RowError, Status
from bulk_update.pure.activity import FIELDS
from bulk_update.pure.ledger_lines import Append, ResultLine, RunLine, decode_line
from bulk_update.pure.retry_plan import OpenRow, RetryPlan, change_again

_encode: Final = msgspec.json.Encoder().encode
_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_TEXT_FIELDS: Final = ("displayMessageTemplate", "actionIcon")
_NOTES: Final = ("_line", "_input", "_status", "_code", "_message", "_raw")

Members = dict[str, bytes]
"""A row to print: names, and values as JSON text."""


def failures(options: argparse.Namespace) -> int:
    """Print the rows that are not updated; 0, also when there are none."""
    with open_ledger_for_reading(Path(options.ledger)) as file, data_stream() as out:
        write = _write_csv if options.format == "csv" else _write_ndjson
        write(_rows(file), out)
    return 0


def _rows(file: LedgerFile) -> Iterator[Members]:
    """Find the rows that are not updated, in the order of the input: an activity's changes stay in theirs."""
    plan = RetryPlan()
    inputs: list[str] = []
    invalid: list[tuple[int, int]] = []

    def fold(append: Append) -> None:
        plan.fold(append)
        if not inputs:
            inputs.extend(_inputs(append))
        offset = append.offset
        for text in append.lines.split(b"\n")[:-1]:
            if b'"status":"invalid"' in text and text.startswith(b'{"type":"result"'):
                invalid.append((offset, len(text)))
            offset += len(text) + 1

    file.read(fold)
    places: list[tuple[int, int, OpenRow | None]] = [(row.offset, row.size, row) for row in plan.rows()]
    places += [(offset, size, None) for offset, size in invalid]

    def position(place: tuple[int, int, OpenRow | None]) -> tuple[int, int]:
        line = _result_at(file, *place[:2])
        return inputs.index(line.input) if line.input in inputs else 0, line.line

    for offset, size, row in sorted(places, key=position):
        line = _result_at(file, offset, size)
        if row is None:
            if line.status == Status.INVALID:
                yield _invalid(line)
        elif (members := _open(row, line)) is not None:
            last = _result_at(file, row.last_offset, row.last_size)
            yield members | _notes(line, row.status, last.error)


def _inputs(append: Append) -> list[str]:
    """Find the inputs' names in the first append, which begins with a `run` line."""
    line = decode_line(append.lines.partition(b"\n")[0])
    return line.inputs if isinstance(line, RunLine) else []


def _result_at(file: LedgerFile, offset: int, size: int) -> ResultLine:
    line = decode_line(file.bytes_at(offset, size))
    assert isinstance(line, ResultLine)
    return line


def _open(row: OpenRow, line: ResultLine) -> Members | None:
    """Give what is left to change; None when later changes have set all of its fields."""
    change = change_again(row, line, 0)
    if not change.fields:
        return None
    values = {name: bytes(raw) for name, raw in _members(change.activity).items()}
    return {"organizationId": _encode(change.organization), **values}


def _invalid(line: ResultLine) -> Members:
    """Give an invalid record's members where it has any; else the record itself as a note."""
    try:
        members = {name: bytes(raw) for name, raw in _members(line.raw.encode()).items()}
        members = {name: raw for name, raw in members.items() if not name.startswith("_")}
        return members | _notes(line, Status.INVALID, line.error)
    except (ValueError, RecursionError):
        return _notes(line, Status.INVALID, line.error) | {"_raw": _encode(line.raw)}


def _notes(line: ResultLine, status: Status, error: RowError | None) -> Members:
    notes: Members = {"_line": _encode(line.line), "_status": _encode(status.value)}
    if line.input is not None:
        notes["_input"] = _encode(line.input)
    if error is not None:
        notes |= {"_code": _encode(error.code), "_message": _encode(error.message)}
    return notes


def _write_ndjson(rows: Iterable[Members], out: IO[bytes]) -> None:
    for row in rows:
        out.write(b"{" + b",".join(_encode(name) + b":" + raw for name, raw in row.items()) + b"}\n")


def _write_csv(rows: Iterable[Members], out: IO[bytes]) -> None:
    """Write a column a field; what is no field of ours, as a misspelt one, stays in the record's raw text."""
    text = codecs.getwriter("utf-8")(out)
    header = ("organizationId", "id", *FIELDS, *_NOTES)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(name, row.get(name)) for name in header])


def _cell(name: str, raw: bytes | None) -> str:
    if raw is None:
        return ""
    if name in ("organizationId", "id", *_TEXT_FIELDS) or name.startswith("_"):
        try:
            return str(msgspec.json.decode(raw))
        except ValueError:
            return raw.decode()
    return raw.decode()
