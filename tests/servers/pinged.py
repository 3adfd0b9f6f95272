"""A server that jobs tell of themselves: it keeps what it is told, and answers as it likes, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pinged:
    """What was told. `answer`: what is sent back; None for silence. `told`: pairs of a target and a body."""

    answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
    url: str = ""
    told: list[tuple[str, bytes]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def places(self) -> list[str]:
        """The targets, in the order in which they were told."""
        return [target for target, _ in self.told]

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a request and answer it."""
        self.writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        method, target, _ = lines[0].decode().split()
        assert method == "POST"
        (size,) = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
        self.heads.append(head)
        self.told.append((target, await reader.readexactly(size)))
        self.heard.set()
        if self.answer is not None:
            writer.write(self.answer)
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def open_pinged(answer: bytes | None = Pinged().answer) -> AsyncIterator[Pinged]:
    """Serve on loopback while the block lasts."""
    pinged = Pinged(answer)
    server = await asyncio.start_server(pinged.take, "127.0.0.1", 0)
    pinged.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/5e0f1c9a-SECRET"
    async with server:
        try:
            yield pinged
        finally:
            server.close()
            for writer in pinged.writers:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for writer in pinged.writers), return_exceptions=True)
