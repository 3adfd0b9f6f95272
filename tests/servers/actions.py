"""What else the misbehaving server can do with a request, as values.

A `replies.Reply` is an action too; most actions here break one. Actions hold no state: one may serve any
number of requests.
"""

import asyncio
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from tests.servers.exchange import Exchange
from tests.servers.http1 import LAST_CHUNK, Framing, chunk
from tests.servers.replies import SPACES, Reply, WithHeaders, ok


class Action(Protocol):
    """What happens to one request."""

    async def perform(self, exchange: Exchange) -> None:
        """Do it on the wire, and in the model where changes take effect."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Send the head and the first part of the body, then close.

    `fraction` of the body as framed, from 0 to 1. With `Framing.CLOSE` and FIN the cut cannot be seen.
    """

    inner: Reply = field(default_factory=ok)
    fraction: float = 0.5
    framing: Framing = Framing.LENGTH
    reset: bool = False

    async def perform(self, exchange: Exchange) -> None:
        """Apply what the inner answer applies, send a part of it, close."""
        exchange.apply(self.inner.applies(exchange.request))
        response = replace(self.inner.response(exchange.request, exchange.earlier), framing=self.framing)
        payload = response.payload()
        kept = payload[: int(len(payload) * self.fraction)]
        await exchange.finish(response.head() + kept, close=True, reset=self.reset)


@dataclass(frozen=True, slots=True)
class WrongLength:
    """Send an answer whose Content-Length is `by` bytes off: more promises too much, less too little.

    `close`: close afterwards; else a client that believes in a longer body waits for it.
    """

    by: int
    inner: Reply = field(default_factory=ok)
    close: bool = True

    async def perform(self, exchange: Exchange) -> None:
        """Apply what the inner answer applies, send it whole under the wrong length."""
        exchange.apply(self.inner.applies(exchange.request))
        response = self.inner.response(exchange.request, exchange.earlier)
        head = response.head(max(0, len(response.body) + self.by))
        await exchange.finish(head + response.body, close=self.close)


@dataclass(frozen=True, slots=True)
class Flood:
    """Apply all, say so, and let white space follow until `size` bytes of body were sent.

    The body is valid JSON, so only a cap on its size tells it from a good answer.
    """

    size: int = 256 << 20
    framing: Framing = Framing.CLOSE

    async def perform(self, exchange: Exchange) -> None:
        """Send as fast as the peer reads; stop when it goes."""
        exchange.apply(exchange.request.ids)
        response = replace(ok().response(exchange.request, None), framing=self.framing)
        framed = chunk if self.framing is Framing.CHUNKED else bytes
        await exchange.send(response.head(self.size) + framed(response.body))
        left = self.size - len(response.body)
        while left > 0:
            block = SPACES[:left]
            await exchange.send(framed(block))
            left -= len(block)
        end = LAST_CHUNK if self.framing is Framing.CHUNKED else b""
        await exchange.finish(end, close=self.framing is Framing.CLOSE)


@dataclass(frozen=True, slots=True)
class Raw:
    """Apply all when `applied`, and send these bytes in place of an answer."""

    data: bytes
    close: bool = True
    applied: bool = False

    async def perform(self, exchange: Exchange) -> None:
        """Send the bytes as they stand."""
        if self.applied:
            exchange.apply(exchange.request.ids)
        await exchange.finish(self.data, close=self.close)


def garbled_status(line: bytes = b"HTTP/1.1 two-hundred fine") -> Raw:
    """Send a status line that is none, and a head and body that would do."""
    return Raw(line + b"\r\nContent-Length: 2\r\n\r\n{}")


class When(StrEnum):
    """The point at which a connection drops."""

    BEFORE_READING = "before reading"
    """The head was read, the body was not."""
    AFTER_READING = "after reading"
    AFTER_APPLYING = "after applying"


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer, with FIN or RST.

    `When.BEFORE_READING` must be known before the body is read: give it in a list, or name the
    request in `drops_unread` of `open_misbehaving`.
    """

    when: When = When.AFTER_READING
    reset: bool = False

    async def perform(self, exchange: Exchange) -> None:
        """Apply where told, then close; raise ValueError for a body read that should not have been."""
        if self.when is When.BEFORE_READING and exchange.request.whole:
            raise ValueError("the body has been read: name this request in drops_unread")
        if self.when is When.AFTER_APPLYING:
            exchange.apply(exchange.request.ids)
        exchange.connection.close(reset=self.reset)


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer: wait until the client goes, then close. `applied`: all changes take effect at once."""

    applied: bool = False

    async def perform(self, exchange: Exchange) -> None:
        """Wait for the client to close its side."""
        if self.applied:
            exchange.apply(exchange.request.ids)
        await exchange.connection.gone.wait()
        exchange.connection.close()


@dataclass(frozen=True, slots=True)
class Latency:
    """Do something `seconds` later, even when the client has gone by then.

    `applies_first`: a reply's changes take effect at once and only its answer comes late.
    """

    seconds: float
    inner: Action = field(default_factory=ok)
    applies_first: bool = False

    async def perform(self, exchange: Exchange) -> None:
        """Sleep, then perform the inner action."""
        if self.applies_first and isinstance(self.inner, Reply):
            exchange.apply(self.inner.applies(exchange.request))
        await asyncio.sleep(self.seconds)
        await self.inner.perform(exchange)


@dataclass(frozen=True, slots=True)
class Stray:
    """Answer, and send the same answer once more: it lies on the connection when the next request comes.

    `seconds`: it is sent so much later, when the client has put the connection back into its pool;
    with 0 both answers leave together.
    """

    inner: Reply = field(default_factory=ok)
    seconds: float = 0

    async def perform(self, exchange: Exchange) -> None:
        """Perform the inner reply, then write its answer again."""
        again = self.inner.response(exchange.request, exchange.earlier).encode()
        if self.seconds == 0:
            exchange.apply(self.inner.applies(exchange.request))
            await exchange.finish(again + again)
            return
        await self.inner.perform(exchange)
        await asyncio.sleep(self.seconds)
        await exchange.send(again)


@dataclass(frozen=True, slots=True)
class Closing:
    """Answer and close the connection; `announced`: with `Connection: close`, else by surprise."""

    inner: Reply = field(default_factory=ok)
    announced: bool = False

    async def perform(self, exchange: Exchange) -> None:
        """Perform the reply, then close with FIN."""
        exchange.apply(self.inner.applies(exchange.request))
        reply = WithHeaders(self.inner, (("Connection", "close"),)) if self.announced else self.inner
        await exchange.finish(reply.response(exchange.request, exchange.earlier).encode(), close=True)


@dataclass(frozen=True, slots=True)
class Noise:
    """Send `count` interim answers `100 Continue` that nobody asked for, then do something."""

    inner: Action = field(default_factory=ok)
    count: int = 1

    async def perform(self, exchange: Exchange) -> None:
        """Write the interim answers, then perform the inner action."""
        await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * self.count)
        await self.inner.perform(exchange)
