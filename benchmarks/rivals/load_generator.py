"""The floor: ready bodies over a bare HTTP/1.1 protocol, and nothing else.

    python load_generator.py URL BODIES

BODIES: the bodies of requests, one a line, made beforehand. No parsing, no grouping, no encoding, no record,
no retries: an answer is counted, not read. Prints how many rows were updated.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

CONNECTIONS = 16
HEAD = (
    b"POST /v2/activities/update HTTP/1.1\r\nHost: %b\r\nx-velt-api-key: k\r\nx-velt-auth-token: t\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


class Connection(asyncio.Protocol):
    """Send one body after the other, each when the one before is answered."""

    def __init__(self, host: bytes, bodies: Iterator[bytes]) -> None:
        self._host = host
        self._bodies = bodies
        self._answer = b""
        self._needed = 0
        self.updated = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first body."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with an error when bodies are left."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        """Collect an answer; count it and send the next body when it is whole."""
        answer = self._answer = self._answer + data if self._answer else data
        if not self._needed:
            head = answer.find(b"\r\n\r\n")
            if head < 0:
                return
            length = answer.index(b"Content-Length: ") + 16
            self._needed = head + 4 + int(answer[length : answer.index(b"\r", length)])
        if len(answer) >= self._needed:
            self.updated += answer.count(b'"success":true')
            self._answer, self._needed = b"", 0
            self._send()

    def _send(self) -> None:
        body = next(self._bodies, None)
        if body is None:
            self.done.set_result(None)
        else:
            self._transport.write(HEAD % (self._host, len(body) - 1) + body[:-1])


async def main(url: str, path: Path) -> int:
    """Send all bodies and count the rows that were updated."""
    address = url.removeprefix("http://")
    host, port = address.split(":")
    loop = asyncio.get_running_loop()
    with path.open("rb", buffering=1 << 20) as bodies:
        made = [
            await loop.create_connection(lambda: Connection(address.encode(), bodies), host, int(port))
            for _ in range(CONNECTIONS)
        ]
        connections = [connection for _, connection in made]
        await asyncio.gather(*(connection.done for connection in connections))
    return sum(connection.updated for connection in connections)


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], Path(sys.argv[2]))))
