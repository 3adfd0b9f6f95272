"""Blocks of text: what an input holds, decompressed and without a byte order mark."""

import shlex
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import PurePath
from typing import Final

from bulk_update.edge.source.compression import MAGIC, decompressed, find_compression, held_back, joined
from bulk_update.edge.source.descriptor import Descriptor
from bulk_update.edge.source.formats import SUFFIXES, format_of
from bulk_update.edge.source.naming import STANDARD_INPUT, refusal
from bulk_update.errors import InputError

HEAD: Final = 65_536
"""Bytes at the beginning of a file that are looked at before anything is sent."""

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_WIDE_MARKS: Final = {  # UTF-32 first: one of its marks begins with one of UTF-16
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def text_blocks(name: str, descriptor: Descriptor) -> Iterator[bytes]:
    """Yield blocks of UTF-8, decompressed and without byte order mark. None of them is empty."""
    blocks = _raw_blocks(name, descriptor)
    head = _begin(blocks, MAGIC)
    compression = find_compression(name, head)
    blocks = chain([head], blocks)
    if compression is not None:
        blocks = held_back(joined(decompressed(name, blocks, compression)))
    head = _begin(blocks, (_UTF8_MARK, *_WIDE_MARKS))
    for mark, encoding in _WIDE_MARKS.items():
        if head.startswith(mark):
            raise InputError(_explain_encoding(name, encoding))
    head = head.removeprefix(_UTF8_MARK)
    if format_of(name) is None:
        head = _first_line(head, blocks)
    if head:
        yield head
    yield from blocks


def _raw_blocks(name: str, descriptor: Descriptor) -> Iterator[bytes]:
    try:
        while block := descriptor.read():
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
    convert = f"iconv -f {encoding} -t UTF-8"
    if name == STANDARD_INPUT:
        return f"standard input is {encoding}; convert it first: ... | {convert} | bulk-update -"
    path = PurePath(name)
    unpack = {"gzip": "gzip -dc", "zstd": "zstd -dc"}.get(SUFFIXES.get(path.suffix.lower(), ""))
    converted = path.with_suffix("") if unpack else path
    converted = converted.with_name(f"{converted.stem}.utf8{converted.suffix}")
    source, target = shlex.quote(name), shlex.quote(str(converted))
    command = f"{unpack} {source} | {convert} > {target}" if unpack else f"{convert} {source} > {target}"
    return f"{name} is {encoding}; convert it first: {command}"
