"""Inputs, opened and read as rows: what the main job and `check` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from bulk_update.edge.rows import BlockReader, InputRows
from bulk_update.edge.source import check_inputs, detect_format, explain_empty, open_source
from bulk_update.errors import InputError
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.csv.reader import CsvReader
from bulk_update.pure.ndjson import NdjsonReader

_MAX_RECORD = 16_777_216


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files to read, or `-` for standard input.

    `format`: None to tell it by name and content. `columns`: CSV, under which header a field stands.
    `organization`: for rows that name none.
    """

    names: Sequence[str]
    format: Literal["ndjson", "csv"] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    organization: str | None = None


def input_rows(inputs: Inputs, max_body: int) -> InputRows:
    """Check that the inputs can be read, and read them as one stream. InputError when they cannot be.

    `max_body`: bytes of a request body; a row that does not fit in one alone is invalid.
    """
    check_inputs(inputs.names)
    return InputRows(inputs.names, open_source, partial(_choose_reader, inputs, max_body))


def _choose_reader(inputs: Inputs, max_body: int, name: str | None, head: bytes, index: int) -> BlockReader:
    """Choose how to read an input: as was asked, else by its name, else by its first bytes."""
    if not head:  # a file is looked into before anything is sent; a pipe is found to be so only now
        raise InputError(explain_empty(inputs.names[index]))
    reader = ActivityReader(inputs.organization, max_body)
    form = inputs.format or name or _detect(inputs, head, index)
    if form == "csv":
        return CsvReader(reader.read, input=index, columns=inputs.columns, name=inputs.names[index])
    return NdjsonReader(reader.read, index, max_record=max(_MAX_RECORD, 2 * max_body))


def _detect(inputs: Inputs, head: bytes, index: int) -> str:
    try:
        return detect_format(head, inputs.columns.values())
    except InputError as error:
        raise InputError(f"{inputs.names[index]}: {error}") from None
