"""Blocks of text: what an input holds, decompressed, as UTF-8 and without a byte order mark."""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final, Protocol

from bulk_update.edge.source.compression import MAGIC, decompressed, find_compression, held_back, joined
from bulk_update.edge.source.naming import called, refusal
from bulk_update.errors import InputError
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


def explain_nul(name: str, head: bytes) -> str:
    """Say what a file with NUL bytes may be: UTF-16 without its mark has one beside each ASCII character."""
    if head[1:4:2] == b"\0\0" and 0 not in head[0:4:2]:
        return _explain_encoding(name, "UTF-16LE")
    if head[0:4:2] == b"\0\0" and 0 not in head[1:4:2]:
        return _explain_encoding(name, "UTF-16BE")
    return f"{name} holds a NUL byte (byte {head.index(0) + 1}) and is no text; expected NDJSON or CSV in UTF-8"


def _explain_encoding(name: str, encoding: str) -> str:
    return f"{called(name)} is {encoding}; --encoding {_PYTHON_NAMES.get(encoding, encoding.lower())} reads it"
