"""Inputs, opened: blocks of bytes from files, pipes, standard input and URLs, plain or compressed."""

import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from typing import NamedTuple

from anyio import to_thread

from bulk_update.edge.source.descriptor import Descriptor, open_descriptor
from bulk_update.edge.source.naming import STANDARD_INPUT, called, explain_empty, refusal
from bulk_update.edge.source.parquet import ParquetRows
from bulk_update.edge.source.remote import RemoteFile
from bulk_update.edge.source.text import HEAD, UTF8_MARK, explain_nul, text_blocks
from bulk_update.errors import InputError
from bulk_update.pure.csv.settings import TableSettings
from bulk_update.pure.formats import PARQUET_MARK, Format, format_of
from bulk_update.pure.names import is_url, public_name


class Source:
    """An open input.

    `format`: what it is by its name, or by what was asked for; None where neither tells. Of Parquet come blocks
    of NDJSON. `bytes_total`: bytes of the file as it lies there, compressed or not; None for what is no regular
    file.
    """

    def __init__(self, name: str, file: Descriptor | RemoteFile, how: TableSettings, form: Format | None) -> None:
        name = public_name(name)
        self.format = form or format_of(name)
        self.bytes_total = file.size
        self._file = file
        self._parquet: ParquetRows | None = None
        is_file = not file.is_stream and name != STANDARD_INPUT
        if self.format == "parquet" or (self.format is None and is_file and file.begins_with(PARQUET_MARK)):
            self.format = "parquet"
            if not is_file:
                raise InputError(f"{called(name)} cannot be Parquet, which is read from its end; give it as a file")
            self._parquet = ParquetRows(name, file.file, how)
            self._blocks: Iterator[bytes] = self._parquet.blocks()
        else:
            self._blocks = text_blocks(name, file, how.encoding, is_told=self.format is not None)

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, of those that `bytes_total` counts; of Parquet, the share of its rows."""
        if self._parquet is None:
            return self._file.bytes_read
        return (self.bytes_total or 0) * self._parquet.rows_read // max(1, self._parquet.rows)

    async def read(self) -> bytes:
        """Return the next block, a part of one when a pipe has no more to give now; empty at the end.

        The first block holds a whole line if the format has to be told by it. InputError when the input
        cannot be read, or is cut off or corrupt. A read that waits for a pipe can be cancelled; nothing is
        to be read after that.
        """
        is_stream = self._file.is_stream
        return await to_thread.run_sync(next, self._blocks, b"", abandon_on_cancel=is_stream)

    def head(self) -> bytes:
        """Read the beginning, as far as it takes to tell what it is; of Parquet, none."""
        head = b""
        while self._parquet is None and len(head) < HEAD and (block := next(self._blocks, b"")):
            head += block
        return head


class Head(NamedTuple):
    """How an input begins: its text, and whether a mark of UTF-8 stands before that. Of Parquet there is none."""

    text: bytes = b""
    has_mark: bool = False


def check_inputs(names: Sequence[str], how: TableSettings = TableSettings(), form: Format | None = None) -> list[Head]:
    """Find out, without using any of it up, what cannot be an input. InputError says what is wrong and where.

    Only a regular file is looked into, at its beginning: what is read from a pipe is gone from it, so its
    head is empty. `form`: the format that was asked for.
    """
    if names.count(STANDARD_INPUT) > 1:
        raise InputError("- (standard input) is given twice, and can be read once only")
    return [_check_input(name, how, form) for name in names]


@asynccontextmanager
async def open_source(
    name: str, how: TableSettings = TableSettings(), form: Format | None = None
) -> AsyncIterator[Source]:
    """Open an input for reading: a path, a URL, or `-` for standard input. InputError if it cannot be opened."""
    file = await to_thread.run_sync(_open, name, form)
    with closing(file):
        yield await to_thread.run_sync(Source, name, file, how, form)


def _open(name: str, form: Format | None) -> Descriptor | RemoteFile:
    if is_url(name):
        return RemoteFile(name, for_columns=(form or format_of(public_name(name))) == "parquet")
    return open_descriptor(name)


def _check_input(name: str, how: TableSettings, form: Format | None) -> Head:
    if name == STANDARD_INPUT:
        open_descriptor(name).close()
        return Head()
    if not is_url(name) and not _is_regular(name):
        return Head()
    with closing(_open(name, form)) as file:
        has_mark = file.begins_with(UTF8_MARK)
        source = Source(name, file, how, form)
        if source.format == "parquet":
            return Head()
        head = source.head()
    if not head:
        raise InputError(explain_empty(name))
    if 0 in head and (refused := explain_nul(public_name(name), head, how.columns.values())):
        raise InputError(refused)
    return Head(head, has_mark)


def _is_regular(name: str) -> bool:
    """Tell whether a path is a regular file. InputError when it can be no input."""
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116 - a name is passed on as it was given
    except OSError as error:
        raise refusal(name, "cannot be opened", error) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{name} is a folder; name the files in it")
    if not stat.S_ISREG(mode) and not os.access(name, os.R_OK):
        raise InputError(f"{name} may not be read")
    return stat.S_ISREG(mode)
