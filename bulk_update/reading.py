"""Inputs, opened and read as rows: what the main job and `check` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from bulk_update.edge.rows import BlockReader, InputRows
from bulk_update.edge.source import check_inputs, detect_format, explain_empty, open_source
from bulk_update.errors import InputError, SettingsError
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.csv.reader import CsvReader
from bulk_update.pure.csv.settings import CsvSettings, Empty
from bulk_update.pure.ndjson import NdjsonReader
from bulk_update.pure.transcoding import UTF8, find_encoding, unknown_encoding

_MAX_RECORD = 16_777_216


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files to read, or `-` for standard input.

    `format`: None to tell it by name and content. `columns`: CSV, under which header a field stands.
    `organization`: for rows that name none. `encoding`: as Python calls it, such as `cp1252`. `empty`: what an
    empty cell of a CSV says: to leave its field out, null, or the empty string.
    """

    names: Sequence[str]
    format: Literal["ndjson", "csv"] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    organization: str | None = None
    encoding: str = UTF8
    empty: Empty = "omit"


def input_rows(inputs: Inputs, max_body: int) -> InputRows:
    """Check that the inputs can be read, and read them as one stream. InputError when they cannot be.

    `max_body`: bytes of a request body; a row that does not fit in one alone is invalid.
    """
    encoding = find_encoding(inputs.encoding)
    if encoding is None:
        raise SettingsError(unknown_encoding(inputs.encoding))
    inputs = replace(inputs, encoding=encoding)
    check_inputs(inputs.names, encoding)
    opens = partial(open_source, encoding=encoding)
    return InputRows(inputs.names, opens, partial(_choose_reader, inputs, max_body))


def _choose_reader(inputs: Inputs, max_body: int, name: str | None, head: bytes, index: int) -> BlockReader:
    """Choose how to read an input: as was asked, else by its name, else by its first bytes."""
    if not head:  # a file is looked into before anything is sent; a pipe is found to be so only now
        raise InputError(explain_empty(inputs.names[index]))
    reader = ActivityReader(inputs.organization, max_body)
    form = inputs.format or name or _detect(inputs, head, index)
    if form == "csv":
        settings = CsvSettings(inputs.columns, inputs.empty, inputs.encoding)
        return CsvReader(reader.read, settings=settings, input=index, name=inputs.names[index])
    return NdjsonReader(reader.read, index, max(_MAX_RECORD, 2 * max_body), inputs.encoding)


def _detect(inputs: Inputs, head: bytes, index: int) -> str:
    try:
        return detect_format(head, inputs.columns.values())
    except InputError as error:
        raise InputError(f"{inputs.names[index]}: {error}") from None
