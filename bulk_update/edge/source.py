"""Inputs: files, pipes and standard input, plain or compressed, as blocks of bytes.

Blocks come from a chain of generators, each with one duty: what the system gives; what is in it, when it is
compressed; what is left of that without a byte order mark. A worker thread asks the last of them.
"""

import fcntl
import os
import select
import shlex
import stat
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from itertools import chain
from pathlib import PurePath
from typing import Final, Literal, NamedTuple, Protocol

from anyio import to_thread

from bulk_update.errors import InputError
from bulk_update.pure.csv.header import begins_with_header

Format = Literal["ndjson", "csv"]

STANDARD_INPUT: Final = "-"

BLOCK: Final = 262_144
"""Bytes asked for at once, and about as many in a block."""

HEAD: Final = 65_536
"""Bytes at the beginning of a file that are looked at before anything is sent."""

_FORMATS: Final[dict[str, Format]] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".tsv": "csv"}
_SUFFIXES: Final = {".gz": "gzip", ".zst": "zstd"}
_MAGIC: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes((0x50 + number,)) + b"\x2a\x4d\x18": "zstd" for number in range(16)},  # frames to be skipped
}
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_WIDE_MARKS: Final = {  # UTF-32 first: one of its marks begins with one of UTF-16
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def check_inputs(names: Sequence[str]) -> None:
    """Find out, without using any of it up, what cannot be an input. InputError says what is wrong and where.

    Only a regular file is looked into, at its beginning: what is read from a pipe is gone from it.
    """
    if names.count(STANDARD_INPUT) > 1:
        raise InputError("- (standard input) is given twice, and can be read once only")
    for name in names:
        if name == STANDARD_INPUT:
            _open(name).close()
        else:
            _check_path(name)


@asynccontextmanager
async def open_source(name: str) -> "AsyncIterator[Source]":
    """Open an input for reading: a path, or `-` for standard input. InputError if it cannot be opened."""
    descriptor = await to_thread.run_sync(_open, name)
    with closing(descriptor):
        yield Source(name, descriptor)


def format_of(name: str) -> Format | None:
    """Tell the format by the name's ending, that of its compression left off; None if it does not tell."""
    path = PurePath(name)
    if path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return _FORMATS.get(path.suffix.lower())


def detect_format(head: bytes, headers: Collection[str] = ()) -> Format:
    """Tell the format by how an input begins. InputError if it begins like neither.

    `head`: its first line at least. `headers`: those that stand for a field, though they are no field's name.
    """
    text = head.removeprefix(_UTF8_MARK).lstrip()
    if text.startswith(b"{"):
        return "ndjson"
    if begins_with_header(text, headers):
        return "csv"
    found = text[:40].decode(errors="replace").splitlines()
    expected = "neither NDJSON (a JSON object a line) nor CSV (a header with names of fields)"
    hint = "write its objects one a line (jq -c '.[]')" if text.startswith(b"[") else "--format tells which it is"
    raise InputError(f'found "{found[0]}", which is {expected}; {hint}' if found else f"found nothing, {expected}")


class Source:
    """An open input.

    `format`: what its name says, or None. `bytes_total`: bytes of the file as it lies there, compressed or
    not; None for what is no regular file.
    """

    def __init__(self, name: str, descriptor: "_Descriptor") -> None:
        self.format = format_of(name)
        self.bytes_total = descriptor.size
        self._descriptor = descriptor
        self._blocks = _text_blocks(name, descriptor)

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


class _Descriptor:
    """A file descriptor that a worker thread reads and another thread may close meanwhile.

    `is_stream`: reading it may wait for whoever writes. `size`: bytes that it has to give, if that is known.
    """

    def __init__(self, descriptor: int, *, owned: bool) -> None:
        status = os.fstat(descriptor)
        self.is_stream = not stat.S_ISREG(status.st_mode)
        self.size = None if self.is_stream else status.st_size - os.lseek(descriptor, 0, os.SEEK_CUR)
        self.bytes_read = 0
        self._descriptor = descriptor
        self._owned = [descriptor] if owned else []
        self._closed = False
        self._reading = threading.Lock()
        self._poll: select.poll | None = None
        if self.is_stream:
            # A thread that waits in read() can be left behind but not stopped, and the interpreter waits
            # for it before it exits. So it waits in poll(), which a byte in this pipe ends.
            self._woken, self._wake = os.pipe()
            self._owned += [self._woken, self._wake]
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLIN)
            self._poll.register(self._woken, select.POLLIN)
            if stat.S_ISFIFO(status.st_mode):
                with suppress(AttributeError, OSError):  # it is Linux's, and the size may be beyond a limit
                    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, BLOCK)

    def read(self) -> bytes:
        """Return what there is, as soon as there is something; empty at the end, and once closed."""
        with self._reading:
            while not self._closed and self._is_ready():
                try:
                    block = os.read(self._descriptor, BLOCK)
                except BlockingIOError:  # a pipe is opened without blocking, and another reader was faster
                    continue
                self.bytes_read += len(block)
                return block
        return b""

    def close(self) -> None:
        """End a read that waits, and close what was opened."""
        if self._poll is not None:
            os.write(self._wake, b"\0")
        if not self._reading.acquire(timeout=1):
            return  # another reader of the same terminal took what poll() had seen; the read may end yet
        self._closed = True
        self._reading.release()
        for descriptor in self._owned:
            os.close(descriptor)

    def _is_ready(self) -> bool:
        return self._poll is None or self._woken not in dict(self._poll.poll())


class _Decompressor(Protocol):
    """What the decompressors of the standard library and of zstandard have in common: one for each member."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Compression(NamedTuple):
    """How an input is compressed. `step`: bytes decompressed at once, of which a bomb makes 4 MiB."""

    name: str
    step: int
    begin_member: Callable[[], _Decompressor]
    error: type[Exception]


def _open(name: str) -> _Descriptor:
    """Open a path without waiting for who writes into it, or take standard input."""
    try:
        if name == STANDARD_INPUT:
            return _Descriptor(0, owned=False)
        return _Descriptor(os.open(name, os.O_RDONLY | os.O_NONBLOCK), owned=True)
    except OSError as error:
        raise _refusal(name, "cannot be opened", error) from None


def _check_path(name: str) -> None:
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116 - a name is passed on as it was given
    except OSError as error:
        raise _refusal(name, "cannot be opened", error) from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{name} is a folder; name the files in it")
    if not stat.S_ISREG(mode):
        if not os.access(name, os.R_OK):
            raise InputError(f"{name} may not be read")
        return
    with closing(_open(name)) as descriptor:
        head = b""
        for block in _text_blocks(name, descriptor):
            head += block
            if len(head) >= HEAD:
                break
    if not head:
        raise InputError(explain_empty(name))
    if 0 in head:
        raise InputError(_explain_nul(name, head))


def _text_blocks(name: str, descriptor: _Descriptor) -> Iterator[bytes]:
    """Yield blocks of UTF-8, decompressed and without byte order mark. None of them is empty."""
    blocks = _raw_blocks(name, descriptor)
    head = _begin(blocks, _MAGIC)
    compression = _compression(name, head)
    blocks = chain([head], blocks)
    if compression is not None:
        blocks = _held_back(_joined(_decompressed(name, blocks, compression)))
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


def _raw_blocks(name: str, descriptor: _Descriptor) -> Iterator[bytes]:
    try:
        while block := descriptor.read():
            yield block
    except OSError as error:
        raise _refusal(name, "cannot be read", error) from None


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


def _compression(name: str, head: bytes) -> _Compression | None:
    """Tell how an input is compressed: by how it begins, which its name must not contradict."""
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    named = _SUFFIXES.get(PurePath(name).suffix.lower())
    # What is shorter than a mark may be the beginning of it: cut off, and to be told so.
    if named and head and found != named and not any(magic.startswith(head) for magic in _MAGIC):
        raise InputError(f"{name} is named like {named} and does not begin like it; is it corrupt, or renamed?")
    kind = found or (named if head else None)
    if kind == "gzip":
        return _Compression("gzip", 4096, lambda: zlib.decompressobj(wbits=31), zlib.error)
    return _zstd(name) if kind == "zstd" else None


def _zstd(name: str) -> _Compression:
    """Find what decompresses Zstandard: the standard library from 3.14 on, else the package zstandard."""
    if sys.version_info >= (3, 14):
        from compression import zstd

        return _Compression("zstd", 128, zstd.ZstdDecompressor, zstd.ZstdError)
    try:
        import zstandard
    except ImportError:
        raise InputError(f"{name} is Zstandard, which needs: pip install 'bulk-update[zst]'") from None
    return _Compression("zstd", 128, zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError)


def _decompressed(name: str, blocks: Iterable[bytes], compression: _Compression) -> Iterator[bytes]:
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


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join pieces to blocks; an empty piece tells not to wait for more."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= BLOCK or (size and not piece):
            yield b"".join(waiting)
            waiting, size = [], 0


def _held_back(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield each block when the next is there, so that a small file is known to be whole."""
    held = b""
    for block in blocks:
        if held:
            yield held
        held = block
    if held:
        yield held


def explain_empty(name: str) -> str:
    """Say that an input has not a single byte: most likely what should have written it has failed."""
    return f"{called(name)} is empty; was it written to its end?"


def called(name: str) -> str:
    """Name an input to a person."""
    return "standard input" if name == STANDARD_INPUT else name


def _refusal(name: str, what: str, error: OSError) -> InputError:
    return InputError(f"{called(name)} {what}: {error.strerror or error}")


def _explain_nul(name: str, head: bytes) -> str:
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
    unpack = {"gzip": "gzip -dc", "zstd": "zstd -dc"}.get(_SUFFIXES.get(path.suffix.lower(), ""))
    converted = path.with_suffix("") if unpack else path
    converted = converted.with_name(f"{converted.stem}.utf8{converted.suffix}")
    source, target = shlex.quote(name), shlex.quote(str(converted))
    command = f"{unpack} {source} | {convert} > {target}" if unpack else f"{convert} {source} > {target}"
    return f"{name} is {encoding}; convert it first: {command}"
