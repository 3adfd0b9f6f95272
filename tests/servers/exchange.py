"""One request and what goes back for it: the few things that an action may do on the wire."""

import asyncio
import socket
import struct
from collections.abc import Collection

from tests.servers.http1 import Framing, Response
from tests.servers.model import Model, Request

# l_onoff = 1, l_linger = 0: closing sends RST and throws away what was not sent (socket(7)).
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection:
    """One accepted connection; `gone` is set as soon as the peer has closed its side."""

    def __init__(self, number: int, writer: asyncio.StreamWriter, model: Model) -> None:
        self.number = number
        self.gone = asyncio.Event()
        self._writer = writer
        self._model = model
        self._request: int | None = None

    def begin(self, index: int, request: Request) -> None:
        """Note that request number `index` awaits its answer here."""
        self._request = index
        self._model.begin(index, request)
        if self.gone.is_set():
            self.end()

    def end(self) -> None:
        """Note that the client can know from now on what became of its request."""
        if self._request is not None:
            self._model.end(self._request)
        self._request = None

    def leave(self) -> None:
        """Note that the peer has closed: it no longer waits for anything."""
        self.gone.set()
        self.end()

    def write(self, data: bytes) -> None:
        """Put `data` on the wire; the peer may have gone."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until most of what was written has left; raise ConnectionError when the peer has gone."""
        await self._writer.drain()

    @property
    def closed(self) -> bool:
        """Whether this side has closed the connection."""
        return self._writer.is_closing()

    def close(self, *, reset: bool = False) -> None:
        """Close with FIN after what was written, or at once with RST."""
        self.end()
        if not reset:
            self._writer.close()
            return
        sock: socket.socket = self._writer.get_extra_info("socket")
        if sock.fileno() != -1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()


class Exchange:
    """One request on its connection.

    `earlier`: the request before it on the same connection. `sent`: bytes of the answer written so
    far.
    """

    def __init__(self, connection: Connection, model: Model, request: Request, earlier: Request | None) -> None:
        self.connection = connection
        self.request = request
        self.earlier = earlier
        self.sent = 0
        self._model = model
        self._applied: set[str] = set()

    def apply(self, ids: Collection[str]) -> None:
        """Let the changes of `ids` take effect; those of this exchange that did already are left out."""
        self._model.apply(self.request, set(ids) - self._applied)
        self._applied |= set(ids)

    async def send(self, data: bytes) -> None:
        """Send a part of the answer; raise ConnectionError when the peer has gone."""
        self.sent += len(data)
        self.connection.write(data)
        await self.connection.drain()

    async def finish(self, data: bytes, *, close: bool = False, reset: bool = False) -> None:
        """Send the last bytes of the answer, then close where told."""
        self.sent += len(data)
        # Before the bytes leave: the client may act on them before this side runs again.
        self.connection.end()
        self.connection.write(data)
        if reset:
            # RST throws away what still waits in this process.
            await self.connection.drain()
        if close or reset:
            self.connection.close(reset=reset)
        else:
            await self.connection.drain()

    async def respond(self, response: Response) -> None:
        """Send `response` whole."""
        await self.finish(response.encode(), close=response.framing is Framing.CLOSE)
