"""HTTP/1.1 as bytes: requests read whole, answers framed in each way that the standard allows."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Head:
    """A request up to its empty line.

    `time`: when its first byte was read, in seconds of the caller's clock. `headers`: names in lower
    case; of a repeated header the values are joined by a comma.
    """

    time: float
    method: str
    target: str
    headers: Mapping[str, str]


class Framing(StrEnum):
    """How an answer tells where its body ends (RFC 9112, section 6)."""

    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as it should be; what breaks it works on `head()` and `payload()`."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    framing: Framing = Framing.LENGTH

    def head(self, length: int | None = None) -> bytes:
        """Return status line and headers; `length` overrides what Content-Length tells, in bytes."""
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.framing is Framing.LENGTH:
            lines.append(f"Content-Length: {len(self.body) if length is None else length}")
        elif self.framing is Framing.CHUNKED:
            lines.append("Transfer-Encoding: chunked")
        else:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def payload(self) -> bytes:
        """Return the body as it travels: plain, or in chunks."""
        if self.framing is not Framing.CHUNKED:
            return self.body
        # Several chunks, so that an answer can also be cut between two of them.
        size = max(1, len(self.body) // 4)
        parts = (self.body[at : at + size] for at in range(0, len(self.body), size))
        return b"".join(map(chunk, parts)) + LAST_CHUNK

    def encode(self) -> bytes:
        """Return the whole answer as it travels."""
        return self.head() + self.payload()


LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return `data`, which is not empty, as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def read_head(reader: asyncio.StreamReader, clock: Callable[[], float]) -> Head | None:
    """Read a request up to its empty line; return None where the peer closed between two requests.

    Raises `asyncio.IncompleteReadError` when the peer closes inside the head, ValueError when the
    bytes are no HTTP/1.1 head.
    """
    first = await reader.read(1)
    if not first:
        return None
    time = clock()
    text = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *header_lines = text.removesuffix("\r\n\r\n").split("\r\n")
    method, target, version = request_line.split(" ")
    if version != "HTTP/1.1":
        raise ValueError(f"expected HTTP/1.1, found {version!r}")
    headers: dict[str, str] = {}
    for line in header_lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise ValueError(f"expected a header, found {line!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(time, method, target, headers)


async def read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """Read the body that `headers` announce, by Content-Length or in chunks.

    Raises `asyncio.IncompleteReadError` when the peer closes inside it, ValueError when its framing
    is broken.
    """
    if headers.get("transfer-encoding", "").lower() == "chunked":
        if "content-length" in headers:
            raise ValueError("both Transfer-Encoding and Content-Length")
        return await _read_chunks(reader)
    return await reader.readexactly(int(headers.get("content-length", "0")))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise ValueError("a chunk is longer than it says")
    while await reader.readuntil(b"\r\n") != b"\r\n":  # trailers
        pass
    return bytes(body)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unassigned"
