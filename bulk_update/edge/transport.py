"""HTTP: the only file that knows aiohttp. A body goes out; an answer or a fault comes back, never an exception.

No redirect is followed: the secrets would go along. Nothing is retried here: there is one retry layer, and
it pays for each attempt. Answers are asked for uncompressed and read up to a cap.
"""

import asyncio
import contextlib
import errno
import os
import select
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import aiohttp
import anyio
import anyio.to_thread
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from bulk_update.errors import BulkUpdateError
from bulk_update.model import Answer, Target
from bulk_update.pure.redaction import Redaction
from bulk_update.pure.retrying import Fault, Trouble
from bulk_update.version import VERSION

MAX_ANSWER: Final = 8_000_000
"""Bytes of an answer that are read, at most: 100 verdicts take 10 KB, a thousand 100 KB."""

_CONNECTIONS: Final = 8
"""Connections that are tried for one attempt: pooled ones may be closed by now, or have brought stray bytes."""

_TURNS: Final = 4
"""Turns of the event loop in which it has read what a socket holds."""

_SHOWN: Final = 120
"""Characters of what the system, or the parser of HTTP, says of trouble."""

_NO_LINGERING: Final = struct.pack("ii", 1, 0)

_PATH: Final = "/v2/activities/update"

_WORDS: Final[Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]]] = (
    (
        (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError),
        "the server's certificate was not accepted",
    ),
    (ssl.SSLError, "no TLS connection came about; is https right for this host and port?"),
    (aiohttp.ClientConnectorDNSError, "the host was not found: {}"),
    (aiohttp.ClientConnectorError, "no connection came about: {}"),
    (aiohttp.ServerDisconnectedError, "the connection closed before an answer came"),
    (aiohttp.ClientPayloadError, "the connection closed in the middle of the answer"),
    (HttpProcessingError, "what came is not HTTP: {}"),
    (OSError, "the connection broke: {}"),
)
"""What a person is told of trouble with a connection; the first kind that fits counts."""

_INTERIM: Final = frozenset(range(100, 200)) - {101}
"""Statuses after which the answer itself is still to come."""


class _Departure:
    """One attempt: whether its bytes may have left, and until when it may take."""

    def __init__(self, leave: Callable[[], Awaitable[None]], timeout: float) -> None:
        self._leave = leave
        self._timeout = timeout
        self.has_left = False
        self.scope = anyio.CancelScope(deadline=anyio.current_time() + timeout)

    async def leave(self) -> None:
        """Wait for the pace; the timeout begins when the bytes leave."""
        self.scope.deadline = float("inf")
        await self._leave()
        self.scope.deadline = anyio.current_time() + self._timeout


class _Soiled(Exception):
    """Something came over a pooled connection while nothing was asked: it would pass for the next answer."""


async def _take_in(connection: Connection) -> None:
    """Let the event loop read what the socket holds: when it is behind, bytes may lie there unread."""
    for _ in range(_TURNS):
        if connection.transport is None or connection.transport.is_closing() or not _is_readable(connection.transport):
            return
        await asyncio.sleep(0)


def _is_readable(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _cut_off(connection: Connection) -> None:
    """Let nothing more of a request go out, be it buffered here or in the kernel: its attempt is given up."""
    transport = connection.transport
    if transport is None:
        return
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
    transport.abort()


def _clean_transport(connection: Connection) -> asyncio.Transport:
    """Give the transport over which nothing has come that was not asked for. `_Soiled` when there is none."""
    if connection.protocol is None or connection.protocol.should_close or connection.transport is None:
        raise _Soiled
    return connection.transport


class HttpTransport:
    """Post to one API over a pool of connections. Make it with `open_transport`.

    aiohttp makes the connections, keeps them, and reads what comes. Its session is left out: an attempt that
    waits for its turn needs the connection before, and the moment when its bytes leave.
    """

    def __init__(self, connector: aiohttp.BaseConnector, target: Target, timeout: float) -> None:
        self._connector = connector
        self._target = target
        self._credentials = target.credentials
        self._redact = Redaction(target.credentials.api_key, target.credentials.auth_token)
        self._timeout = timeout
        self._connecting = aiohttp.ClientTimeout(total=None, sock_connect=timeout)
        self._request = self._address()
        self._head = _head(self._request)
        self._renewed_at = float("-inf")

    async def post(self, encode: Callable[[], bytes], leave: Callable[[], Awaitable[None]]) -> Answer | Fault:
        """Send a body and read its answer."""
        departure = _Departure(leave, self._timeout)
        try:
            with departure.scope:
                return await self._post(encode, departure)
        except (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return _fault(error, self._redact, has_left=departure.has_left)
        if departure.has_left:
            return Fault(Trouble.TIMEOUT, f"no answer within {self._timeout:g} s")
        return Fault(Trouble.UNREACHED, f"no connection within {self._timeout:g} s")

    async def _post(self, encode: Callable[[], bytes], departure: _Departure) -> Answer | Fault:
        for _ in range(_CONNECTIONS):
            connection = await self._connector.connect(self._request, [], self._connecting)
            try:
                outcome = await self._exchange(connection, encode, departure)
                connection.release()  # into the pool, if it is fit for it
            except _Soiled:
                continue
            except BaseException:
                _cut_off(connection)
                raise
            finally:
                connection.close()
            return outcome
        return Fault(Trouble.UNREACHED, "connections close, or bring bytes, before a request has left")

    async def _exchange(
        self, connection: Connection, encode: Callable[[], bytes], departure: _Departure
    ) -> Answer | Fault:
        """Send a request over a connection and read what comes. `_Soiled` when that would not be its answer."""
        _clean_transport(connection)
        await departure.leave()
        await _take_in(connection)
        transport = _clean_transport(connection)
        protocol = connection.protocol
        assert protocol is not None
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        departure.has_left = True
        transport.write(_framed(self._head, encode()))
        message, payload = await protocol.read()
        while message.code in _INTERIM:
            message, payload = await protocol.read()
        return await _read(message, payload, transport.close, self._redact)

    async def renew(self, left: float) -> bool:
        """Read the credentials again, after those were refused that a request left with at loop time `left`.

        True when there are others now, or have been since; False when there are none.
        """
        if left < self._renewed_at:
            return True
        if self._target.reload is None:
            return False
        try:
            credentials = await anyio.to_thread.run_sync(self._target.reload)
        except BulkUpdateError:
            return False
        if credentials == self._credentials:
            return False
        self._credentials = credentials
        self._redact.add(credentials.api_key, credentials.auth_token)  # an answer may still name those of before
        self._request = self._address()
        self._head = _head(self._request)
        self._renewed_at = anyio.current_time()
        return True

    def _address(self) -> aiohttp.ClientRequest:
        """Make the request that every attempt is: what it asks for, and with which credentials."""
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": f"bulk-update/{VERSION}",
            "x-velt-api-key": self._credentials.api_key,
            "x-velt-auth-token": self._credentials.auth_token,
        }
        url = URL(self._target.base_url.rstrip("/") + _PATH)
        return aiohttp.ClientRequest("POST", url, headers=headers, loop=asyncio.get_running_loop())


@contextlib.asynccontextmanager
async def open_transport(target: Target, timeout: float) -> AsyncIterator[HttpTransport]:
    """Open a pool of connections to the API. `timeout`: seconds of one attempt.

    The number of connections is bounded by the senders, not by the pool: a full pool would make requests
    wait in it after they have got their token.
    """
    async with aiohttp.TCPConnector(limit=0, ttl_dns_cache=60) as connector:
        yield HttpTransport(connector, target, timeout)


def _head(request: aiohttp.ClientRequest) -> bytes:
    """Write the head of a request, but for the length of its body. ValueError for a header that is several lines."""
    lines = [f"POST {request.url.raw_path_qs} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "content-length"]
    for line in lines:
        if not line.isprintable():
            raise ValueError(f"{line.partition(':')[0]} holds a character that no header may hold")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _framed(head: bytes, body: bytes) -> bytes:
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


async def _read(
    message: RawResponseMessage, payload: StreamReader, close: Callable[[], None], redact: Redaction
) -> Answer | Fault:
    body = bytearray()
    async for piece in payload.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            return Fault(Trouble.UNREADABLE, f"an answer of more than {MAX_ANSWER:,} bytes")
    encoding = message.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("identity", ""):
        shown = redact(encoding)[:20]
        return Fault(Trouble.UNREADABLE, f"an answer in the encoding {shown!r}, which was not asked for")
    return Answer(message.code, bytes(body), message.headers.get("retry-after"), close, redact)


def _fault(error: Exception, redact: Redaction, *, has_left: bool) -> Fault:
    """Translate what aiohttp raises. Its reprs hold headers, so only chosen words are taken."""
    message = _words(error, redact)
    if not has_left:
        return Fault(Trouble.UNREACHED, message)
    if isinstance(error, HttpProcessingError):
        return Fault(Trouble.UNREADABLE, message)
    if isinstance(error, TimeoutError):
        return Fault(Trouble.TIMEOUT, message)
    return Fault(Trouble.UNANSWERED, message)


def _words(error: Exception, redact: Redaction) -> str:
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words.format(redact(_reason(error))[:_SHOWN]).removesuffix(": ")
    return type(error).__name__


def _reason(error: Exception) -> str:
    """Tell why, in the words of the system or of the parser; "" where there are none."""
    if isinstance(error, HttpProcessingError):
        return " ".join(error.message.split())
    if not isinstance(error, OSError):
        return ""
    # asyncio puts words of its own in the place of the system's: which address it was, or several at once.
    # Errors of looking a host up are counted on their own: macOS has 8 for both an unknown host and a wrong format.
    number = 0 if isinstance(error, aiohttp.ClientConnectorDNSError) else error.errno or 0
    return os.strerror(number) if number in errno.errorcode else str(error.strerror or "")
