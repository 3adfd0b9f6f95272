"""Inputs, opened and read as rows: what the main job and `check` share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bulk_update.edge.rows import BlockReader, InputRows
from bulk_update.edge.source import (
    HEAD,
    Format,
    Head,
    check_inputs,
    detect_format,
    explain_empty,
    explain_nul,
    format_of,
    open_source,
)
from bulk_update.errors import InputError, SettingsError
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.csv.reader import CsvReader
from bulk_update.pure.csv.rows import ReadRecord
from bulk_update.pure.csv.settings import Empty, TableSettings
from bulk_update.pure.formats import PARQUET_MARK
from bulk_update.pure.ledger_lines import Table
from bulk_update.pure.names import file_name, public_name, readable
from bulk_update.pure.ndjson import NdjsonReader
from bulk_update.pure.refusals import invalid_record
from bulk_update.pure.transcoding import UTF8, find_encoding, unknown_encoding

_MAX_RECORD = 16_777_216


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files to read: paths, URLs, or `-` for standard input.

    `format`: None to tell it by name and content. `columns`: CSV, under which header a field stands.
    `organization`: for rows that name none. `encoding`: as Python calls it, such as `cp1252`. `empty`: what an
    empty cell of a CSV says: to leave its field out, null, or the empty string.
    """

    names: Sequence[str]
    format: Format | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    organization: str | None = None
    encoding: str = UTF8
    empty: Empty = "omit"

    @property
    def codec(self) -> str:
        """The usual name of the encoding. SettingsError when there is none of this name."""
        codec = find_encoding(self.encoding)
        if codec is None:
            raise SettingsError(unknown_encoding(self.encoding))
        return codec

    @property
    def settings(self) -> TableSettings:
        """How its tables are read."""
        return TableSettings(self.columns, self.empty, self.codec)


def look_into(inputs: Inputs) -> list[Table]:
    """Check that the inputs can be read; tell how those are laid out that are CSV, as far as that can be seen.

    InputError when one cannot be read.
    """
    heads = check_inputs(inputs.names, inputs.settings, inputs.format)
    forms = {_format(inputs, index, head.text) if head.text else None for index, head in enumerate(heads)}
    _check_columns(inputs, forms)
    tables = (_table(inputs, index, head) for index, head in enumerate(heads) if head.text)
    return [table for table in tables if table is not None]


def input_rows(inputs: Inputs, max_body: int) -> InputRows:
    """Read inputs that have been looked into as one stream.

    `max_body`: bytes of a request body; a row that does not fit in one alone is invalid.
    """
    opens = partial(open_source, how=inputs.settings, form=inputs.format)
    return InputRows(inputs.names, opens, partial(_choose_reader, inputs, max_body))


def _choose_reader(inputs: Inputs, max_body: int, name: str | None, head: bytes, index: int) -> BlockReader:
    """Choose how to read an input: as was asked, else by its name, else by its first bytes."""
    if not head:  # a file is looked into before anything is sent; a pipe is found to be so only now
        raise InputError(explain_empty(inputs.names[index]))
    if 0 in head and not head.startswith(PARQUET_MARK):
        refused = explain_nul(public_name(inputs.names[index]), head, inputs.columns.values())
        if refused:
            raise InputError(refused)
    reader = ActivityReader(inputs.organization, max_body)
    form = inputs.format or name or _detect(inputs, head, index)
    if len(inputs.names) == 1:
        _check_columns(inputs, {form})
    if form == "csv":
        return _csv_reader(inputs, index, reader.read)
    encoding = UTF8 if form == "parquet" else inputs.codec
    return NdjsonReader(reader.read, index, max(_MAX_RECORD, 2 * max_body), encoding)


def _csv_reader(inputs: Inputs, index: int, read_record: ReadRecord) -> CsvReader:
    name = public_name(inputs.names[index])
    return CsvReader(read_record, settings=inputs.settings, input=index, name=name)


def _table(inputs: Inputs, index: int, head: Head) -> Table | None:
    """Tell how an input is laid out by how it begins; None when it is no CSV, or its header goes on further."""
    name = inputs.names[index]
    if _format(inputs, index, head.text) != "csv":
        return None
    reader = _csv_reader(inputs, index, lambda record, line, source: invalid_record(record, line, source, "", ""))
    reader.feed(head.text[:HEAD])
    layout = reader.layout
    if layout is None:
        return None
    encoding = "utf-8-sig" if head.has_mark else inputs.codec
    columns = dict(inputs.columns)
    return Table(readable(file_name(name)), layout.delimiter, list(layout.header), columns, encoding, inputs.empty)


def _format(inputs: Inputs, index: int, head: bytes) -> str:
    return inputs.format or format_of(public_name(inputs.names[index])) or _detect(inputs, head, index)


def _check_columns(inputs: Inputs, forms: Collection[str | None]) -> None:
    """See that there is a header for `--column` to name. InputError when all inputs are NDJSON."""
    if inputs.columns and set(forms) == {"ndjson"}:
        field, header = next(iter(inputs.columns.items()))
        raise InputError(
            f"--column {field}={header}: found NDJSON, which has no headers, expected CSV or Parquet; leave --column "
            "out, or say what the inputs are with --format csv"
        )


def _detect(inputs: Inputs, head: bytes, index: int) -> str:
    try:
        return detect_format(head, inputs.columns.values())
    except InputError as error:
        raise InputError(f"{public_name(inputs.names[index])}: {error}") from None
