"""A byte-level HTTP/1.1 server that misbehaves as it is told, for the client's tests.

    async with open_misbehaving([throttled("1"), Drop(When.AFTER_APPLYING), ok()]) as server:
        ...  # point the client at server.url
    assert server.violations == []

`replies` and `actions` hold what can stand in a script. The server reads requests whole, records them, asks
the script what to do with each, and keeps what took effect.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from tests.servers.actions import Action, Drop, When
from tests.servers.exchange import Connection, Exchange
from tests.servers.http1 import read_body, read_head
from tests.servers.model import Applied, Model, Request, Violation, unread_request, whole_request
from tests.servers.window import busiest_window

__all__ = [
    "Applied",
    "MisbehavingServer",
    "Request",
    "Script",
    "Violation",
    "busiest_window",
    "open_misbehaving",
]

Script: TypeAlias = Callable[[int, Request], Action] | Sequence[Action]
"""What to do with request number n (from 0): a function of it, or a list whose last action repeats."""

_HEAD_LIMIT = 1 << 20


@asynccontextmanager
async def open_misbehaving(
    script: Script, *, drops_unread: Callable[[int], bool] = lambda _index: False
) -> AsyncIterator["MisbehavingServer"]:
    """Serve `script` on loopback until the block ends.

    `drops_unread`: whether to reset the connection of request number n before its body is read.
    Raises an ExceptionGroup at the end of the block when a script failed or a request was no HTTP.
    """
    server = MisbehavingServer(script, drops_unread)
    await server.listen()
    try:
        yield server
    finally:
        await server.close()
    if server.errors:
        raise ExceptionGroup("the misbehaving server failed", server.errors)


class MisbehavingServer:
    """A running server and all that it saw."""

    def __init__(self, script: Script, drops_unread: Callable[[int], bool]) -> None:
        self.requests: list[Request] = []
        """Every request in the order in which their first bytes came: request number n is `requests[n]`."""
        self.sent: dict[int, int] = {}
        """Bytes of answer handed to the kernel, by number of the request; written when the action is over."""
        self.connections = 0
        """Connections accepted so far."""
        self.errors: list[Exception] = []
        """What a script raised, and what was no HTTP."""
        self._changes = asyncio.Event()
        self._model = Model(self._changes.set)
        self._script = script
        self._drops_unread = drops_unread
        self._port = 0
        self._listener: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def applied(self) -> list[Applied]:
        """Changes that took effect, in order."""
        return self._model.applied

    @property
    def violations(self) -> list[Violation]:
        """Ids that stood twice in one request, or in two requests in flight."""
        return self._model.violations

    @property
    def peak_in_flight(self) -> int:
        """The largest number of requests that were in flight at once."""
        return self._model.peak_in_flight

    @property
    def in_flight(self) -> Collection[Request]:
        """Requests read whole whose client still waits."""
        return self._model.in_flight

    @property
    def times(self) -> list[float]:
        """When each request's first byte was read, in seconds of the loop's clock."""
        return [request.time for request in self.requests]

    async def listen(self) -> None:
        """Accept connections, on the same port as before after `refuse`."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _Watched(self._accepted), "127.0.0.1", self._port, reuse_address=True
        )
        self._port = self._listener.sockets[0].getsockname()[1]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`, which looks at this server; it is asked after each event here."""
        while not holds():
            self._changes.clear()
            await self._changes.wait()

    def refuse(self) -> None:
        """Refuse new connections until `listen`; those that stand stay."""
        if self._listener is not None:
            self._listener.close()
        self._listener = None

    async def close(self) -> None:
        """Refuse new connections and drop those that stand."""
        self.refuse()
        tasks = tuple(self._conversations)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
        # Without a buffer in this process, what `drain` has seen off is in the kernel's hands.
        writer.transport.set_write_buffer_limits(0)
        connection = Connection(self.connections, writer, self._model)
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._converse(reader, connection))
        self._conversations.add(task)
        task.add_done_callback(self._conversation_ended)
        return connection

    def _conversation_ended(self, task: asyncio.Task[None]) -> None:
        self._conversations.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.errors.append(error)

    async def _converse(self, reader: asyncio.StreamReader, connection: Connection) -> None:
        try:
            earlier: Request | None = None
            while not connection.closed:
                earlier = await self._exchange(reader, connection, earlier)
                if earlier is None:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away: its right
        except asyncio.CancelledError:
            connection.close(reset=True)  # a peer that does not read must not keep it open
            raise
        finally:
            connection.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, connection: Connection, earlier: Request | None
    ) -> Request | None:
        """Serve one request; return it, or None where the client has closed."""
        head = await read_head(reader, asyncio.get_running_loop().time)
        if head is None:
            return None
        index = len(self.requests)
        request = unread_request(head, connection.number)
        self.requests.append(request)
        self._changes.set()
        action = self._action_before_reading(index)
        if action is None:
            request = whole_request(head, connection.number, await read_body(reader, head.headers))
            self.requests[index] = request
            connection.begin(index, request)
            action = self._action(index, request)
        exchange = Exchange(connection, self._model, request, earlier)
        try:
            await action.perform(exchange)
        finally:
            self.sent[index] = exchange.sent
            connection.end()
            self._changes.set()
        return request

    def _action_before_reading(self, index: int) -> Action | None:
        if self._drops_unread(index):
            return Drop(When.BEFORE_READING, reset=True)
        if callable(self._script):
            return None
        action = self._script[min(index, len(self._script) - 1)]
        return action if isinstance(action, Drop) and action.when is When.BEFORE_READING else None

    def _action(self, index: int, request: Request) -> Action:
        if callable(self._script):
            return self._script(index, request)
        return self._script[min(index, len(self._script) - 1)]


class _Watched(asyncio.StreamReaderProtocol):
    """Streams that tell at once when the peer closes, while nobody reads."""

    def __init__(self, accepted: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Connection]) -> None:
        self._connection: Connection | None = None

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connection = accepted(reader, writer)

        super().__init__(asyncio.StreamReader(limit=_HEAD_LIMIT), connected)

    def eof_received(self) -> bool | None:
        """Note that the client has gone; the answer may still be sent."""
        if self._connection is not None:
            self._connection.leave()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is no more."""
        if self._connection is not None:
            self._connection.leave()
        super().connection_lost(exc)
        closed: asyncio.Future[None] = vars(self)["_closed"]
        if closed.done() and not closed.cancelled():
            closed.exception()  # a client that resets its connection is nothing to complain of
