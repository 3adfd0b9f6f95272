"""Blocks of text: what an input holds, decompressed, as UTF-8 and without a byte order mark."""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final, Protocol

from bulk_update.edge.source.compression import MAGIC, decompressed, find_compression, held_back, joined
from bulk_update.edge.source.naming import called, refusal
from bulk_update.errors import InputError
from bulk_update.pure.csv.header import begins_with_header
from bulk_update.pure.transcoding import UTF8, Transcoder

HEAD: Final = 65_536
"""Bytes at the beginning of a file that are looked at before anything is sent."""

UTF8_MARK: Final = b"\xef\xbb\xbf"
_WIDE_MARKS: Final = {  # UTF-32 first: one of its marks begins with one of UTF-16
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_PATTERN: Final = 1_024
"""Bytes in which UTF-16 shows itself."""

_MOSTLY: Final = 0.4
_HARDLY: Final = 0.1
"""Shares of NUL bytes at every second place, and at the places between, of text in UTF-16 that has ASCII in it."""

_PYTHON_NAMES: Final = {"UTF-16LE": "utf-16-le", "UTF-16BE": "utf-16-be"}


class Readable(Protocol):
    """What gives blocks of bytes."""

    def read(self) -> bytes:
        """Return the next block; empty at the end."""


def text_blocks(name: str, file: Readable, encoding: str, *, is_told: bool) -> Iterator[bytes]:
    """Yield blocks of UTF-8, decompressed and without byte order mark. None of them is empty.

    `encoding`: of the input. Bytes of a record that do not decode are left in it as they are. `is_told`: what
    format it is; where it is not, the first block holds a whole line.
    """
    blocks = _raw_blocks(name, file)
    head = _begin(blocks, MAGIC)
    compression = find_compression(name, head)
    blocks = chain([head], blocks)
    if compression is not None:
        blocks = held_back(joined(decompressed(name, blocks, compression)))
    head = _begin(blocks, (UTF8_MARK, *_WIDE_MARKS))
    _check_mark(name, head, encoding)
    if encoding != UTF8:
        blocks = _transcoded(name, chain([head], blocks), Transcoder(encoding))
        head = _begin(blocks, (UTF8_MARK,))
    head = head.removeprefix(UTF8_MARK)
    if not is_told:
        head = _first_line(head, blocks)
    if head:
        yield head
    yield from blocks


def _check_mark(name: str, head: bytes, encoding: str) -> None:
    """Check that the mark that an input begins with, if any, is not of another encoding."""
    for mark, found in {**_WIDE_MARKS, UTF8_MARK: "UTF-8"}.items():
        if head.startswith(mark):
            if encoding.startswith(found.lower()):
                return
            if found == "UTF-8":
                raise InputError(f"{called(name)} begins with the mark of UTF-8; read it without --encoding {encoding}")
            raise InputError(_explain_encoding(name, found))


def _transcoded(name: str, blocks: Iterator[bytes], transcoder: Transcoder) -> Iterator[bytes]:
    try:
        for block in blocks:
            if text := transcoder.feed(block):
                yield text
        if text := transcoder.feed(b"", final=True):
            yield text
    except InputError as error:
        raise InputError(f"{called(name)}: {error}") from None


def _raw_blocks(name: str, file: Readable) -> Iterator[bytes]:
    try:
        while block := file.read():
            yield block
    except OSError as error:
        raise refusal(name, "cannot be read", error) from None


def _begin(blocks: Iterator[bytes], marks: Collection[bytes]) -> bytes:
    """Take blocks until what they begin with is one of the marks or none."""
    head = next(blocks, b"")
    while any(mark.startswith(head) and mark != head for mark in marks):
        block = next(blocks, b"")
        if not block:
            break
        head += block
    return head


def _first_line(head: bytes, blocks: Iterator[bytes]) -> bytes:
    """Take blocks until the format can be told."""
    while len(head) < HEAD:
        text = head.lstrip()
        if text.startswith(b"{") or b"\n" in text or b"\r" in text:
            break
        block = next(blocks, b"")
        if not block:
            break
        head += block
    return head


def explain_nul(name: str, head: bytes, headers: Collection[str]) -> str | None:
    """Say what a file with NUL bytes is, if it is no text; None where rows stand among them: they are read.

    UTF-16 without its mark has a NUL beside each ASCII character. `headers`: those that stand for a field.
    """
    for first, encoding in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        wide, narrow = head[first:_PATTERN:2], head[1 - first : _PATTERN : 2]
        if wide.count(0) > len(wide) * _MOSTLY and narrow.count(0) < len(narrow) * _HARDLY:
            return _explain_encoding(name, encoding)
    if begins_with_header(head, headers) or any(line.lstrip(b"\0 \t").startswith(b'{"') for line in head.split(b"\n")):
        return None
    return f"{name} holds a NUL byte (byte {head.index(0) + 1}) and no row; expected NDJSON or CSV, which are text"


def _explain_encoding(name: str, encoding: str) -> str:
    return f"{called(name)} is {encoding}; --encoding {_PYTHON_NAMES.get(encoding, encoding.lower())} reads it"
