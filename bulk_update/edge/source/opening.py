"""Inputs, opened: blocks of bytes from files, pipes and standard input, plain or compressed."""

import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from typing import NamedTuple

from anyio import to_thread

from bulk_update.edge.source.descriptor import Descriptor, open_descriptor
from bulk_update.edge.source.formats import format_of
from bulk_update.edge.source.naming import STANDARD_INPUT, explain_empty, refusal
from bulk_update.edge.source.text import HEAD, UTF8_MARK, explain_nul, text_blocks
from bulk_update.errors import InputError
from bulk_update.pure.transcoding import UTF8


class Source:
    """An open input.

    `format`: what its name says, or None. `bytes_total`: bytes of the file as it lies there, compressed or
    not; None for what is no regular file.
    """

    def __init__(self, name: str, descriptor: Descriptor, encoding: str) -> None:
        self.format = format_of(name)
        self.bytes_total = descriptor.size
        self._descriptor = descriptor
        self._blocks = text_blocks(name, descriptor, encoding)

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, of those that `bytes_total` counts."""
        return self._descriptor.bytes_read

    async def read(self) -> bytes:
        """Return the next block, a part of one when a pipe has no more to give now; empty at the end.

        The first block holds a whole line if the format has to be told by it. InputError when the input
        cannot be read, or is cut off or corrupt. A read that waits for a pipe can be cancelled; nothing is
        to be read after that.
        """
        is_stream = self._descriptor.is_stream
        return await to_thread.run_sync(next, self._blocks, b"", abandon_on_cancel=is_stream)


class Head(NamedTuple):
    """How an input begins: its text, and whether a mark of UTF-8 stands before that."""

    text: bytes = b""
    has_mark: bool = False


def check_inputs(names: Sequence[str], encoding: str = UTF8) -> list[Head]:
    """Find out, without using any of it up, what cannot be an input. InputError says what is wrong and where.

    Only a regular file is looked into, at its beginning: what is read from a pipe is gone from it, so its
    head is empty.
    """
    if names.count(STANDARD_INPUT) > 1:
        raise InputError("- (standard input) is given twice, and can be read once only")
    return [_check_input(name, encoding) for name in names]


@asynccontextmanager
async def open_source(name: str, encoding: str = UTF8) -> AsyncIterator[Source]:
    """Open an input for reading: a path, or `-` for standard input. InputError if it cannot be opened."""
    descriptor = await to_thread.run_sync(open_descriptor, name)
    with closing(descriptor):
        yield Source(name, descriptor, encoding)


def _check_input(name: str, encoding: str) -> Head:
    if name == STANDARD_INPUT:
        open_descriptor(name).close()
        return Head()
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116 - a name is passed on as it was given
    except OSError as error:
        raise refusal(name, "cannot be opened", error) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{name} is a folder; name the files in it")
    if not stat.S_ISREG(mode):
        if not os.access(name, os.R_OK):
            raise InputError(f"{name} may not be read")
        return Head()
    with closing(open_descriptor(name)) as descriptor:
        has_mark = descriptor.begins_with(UTF8_MARK)
        head = b""
        for block in text_blocks(name, descriptor, encoding):
            head += block
            if len(head) >= HEAD:
                break
    if not head:
        raise InputError(explain_empty(name))
    if 0 in head:
        raise InputError(explain_nul(name, head))
    return Head(head, has_mark)
