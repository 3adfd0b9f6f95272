"""What is in a compressed input."""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import Final, NamedTuple, Protocol

from bulk_update.edge.source.descriptor import BLOCK
from bulk_update.edge.source.extras import explain_missing
from bulk_update.edge.source.naming import called
from bulk_update.errors import InputError
from bulk_update.pure.formats import SUFFIXES

MAGIC: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes((0x50 + number,)) + b"\x2a\x4d\x18": "zstd" for number in range(16)},  # frames to be skipped
}


class _Decompressor(Protocol):
    """What the decompressors of the standard library and of zstandard have in common: one for each member."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Compression(NamedTuple):
    """How an input is compressed. `step`: bytes decompressed at once, of which a bomb makes 4 MiB."""

    name: str
    step: int
    begin_member: Callable[[], _Decompressor]
    error: type[Exception]


def find_compression(name: str, head: bytes) -> Compression | None:
    """Tell how an input is compressed: by how it begins, which its name must not contradict."""
    found = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
    named = SUFFIXES.get(PurePath(name).suffix.lower())
    # What is shorter than a mark may be the beginning of it: cut off, and to be told so.
    if named and head and found != named and not any(magic.startswith(head) for magic in MAGIC):
        raise InputError(f"{name} is named like {named} and does not begin like it; is it corrupt, or renamed?")
    kind = found or (named if head else None)
    if kind == "gzip":
        return Compression("gzip", 4096, lambda: zlib.decompressobj(wbits=31), zlib.error)
    return _zstd(name) if kind == "zstd" else None


def _zstd(name: str) -> Compression:
    """Find what decompresses Zstandard: the standard library from 3.14 on, else the package zstandard."""
    if sys.version_info >= (3, 14):
        from compression import zstd

        return Compression("zstd", 128, zstd.ZstdDecompressor, zstd.ZstdError)
    try:
        import zstandard
    except ImportError:
        raise InputError(f"{called(name)} is Zstandard, which needs {explain_missing('zst')}") from None
    return Compression("zstd", 128, zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError)


def decompressed(name: str, blocks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """Yield what members in a row hold, piece by piece; an empty one ends what a block held.

    InputError when a member is cut off or corrupt.
    """
    member: _Decompressor | None = None
    for block in blocks:
        at = 0
        while at < len(block):
            if member is None and block[at] == 0:  # padding, as tapes have it
                at = len(block) - len(block[at:].lstrip(b"\0"))
                continue
            member = member or compression.begin_member()
            step = block[at : at + compression.step]
            try:
                piece = member.decompress(step)
            except compression.error as error:
                raise InputError(f"{called(name)} is corrupt ({compression.name}: {error})") from None
            at += len(step)
            if member.eof:
                at -= len(member.unused_data)
                member = None
            if piece:
                yield piece
        yield b""
    if member is not None:
        raise InputError(f"{called(name)} is cut off: its {compression.name} data has no end")


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join pieces to blocks; an empty piece tells not to wait for more."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= BLOCK or (size and not piece):
            yield b"".join(waiting)
            waiting, size = [], 0


def held_back(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield each block when the next is there, so that a small file is known to be whole."""
    held = b""
    for block in blocks:
        if held:
            yield held
        held = block
    if held:
        yield held
