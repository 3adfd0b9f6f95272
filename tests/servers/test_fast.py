"""The fast server: right answers to requests in any pieces, and true statistics."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.fast import FastServer, open_fast

ROOT = Path(__file__).parents[2]
UPDATED = {"success": True, "message": "Activity updated."}


class Wire:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, Any]:
        """Return status and decoded body of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.split("Content-Length: ")[1].split("\r\n")[0])
        return int(head.split(" ")[1]), json.loads(await self.reader.readexactly(length))

    async def ask(self, request: bytes) -> tuple[int, Any]:
        """Send a request and return the next answer."""
        self.writer.write(request)
        return await self.answer()


def update(*activities: str, organization: str = "org-1") -> bytes:
    """Return an update request of raw JSON activities, its keys in the less usual order."""
    body = f'{{"data":{{"activities":[{",".join(activities)}],"organizationId":"{organization}"}}}}'.encode()
    return b"POST /v2/activities/update HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def connected(server: FastServer) -> AsyncIterator[Wire]:
    """Open a connection to the server for the length of a block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


async def test_every_id_of_the_top_level_succeeds() -> None:
    """Not be misled by ids inside values, escapes or what follows the id."""
    request = update('{"id":"a"}', '{"entityData":{"id":"x"},"id":"\\u00e9\\"}{"}', '{"changes":{"id":1},"id":"ü"}')
    async with open_fast() as server, connected(server) as wire:
        status, answer = await wire.ask(request)
    assert status == 200
    assert answer["result"]["status"] == "success"
    assert answer["result"]["data"] == {"a": UPDATED, 'é"}{': UPDATED, "ü": UPDATED}


async def test_requests_in_any_pieces() -> None:
    """Answer what comes byte by byte, and several requests that come at once."""
    request = update('{"id":"a"}')
    async with open_fast() as server, connected(server) as wire:
        for byte in request:
            wire.writer.write(bytes([byte]))
            await wire.writer.drain()
        assert (await wire.answer())[0] == 200
        wire.writer.write(request * 3 + request[:50])
        assert [(await wire.answer())[0] for _ in range(3)] == [200, 200, 200]
        assert (await wire.ask(request[50:]))[0] == 200
        assert server.statistics.snapshot()["requests"] == 5


async def test_statistics() -> None:
    """Count requests, activities, bytes, connections, refusals and ids twice in one request."""
    first, second = update('{"id":"a"}', '{"id":"b"}'), update('{"id":"a"}', '{"id":"a"}')
    async with open_fast() as server, connected(server) as wire:
        await wire.ask(first)
        await wire.ask(second)
        assert (await wire.ask(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"))[0] == 400
        assert (await wire.ask(b"GET / HTTP/1.1\r\n\r\n"))[0] == 404
        _, statistics = await wire.ask(b"GET /stats?times=1 HTTP/1.1\r\nHost: test\r\n\r\n")
        assert "times" not in (await wire.ask(b"GET /stats HTTP/1.1\r\nHost: test\r\n\r\n"))[1]
    times = statistics.pop("times")
    assert len(times) == 3
    assert times == sorted(times)
    bodies = sum(len(request.partition(b"\r\n\r\n")[2]) for request in (first, second))
    assert statistics == {
        "requests": 3,
        "activities": 4,
        "bytes": bodies + 2,
        "connections": 1,
        "duplicates": 1,
        "refused": 1,
        "busiest_second": 3,
    }


async def test_latency_and_ids_in_flight_at_once() -> None:
    """Answer no sooner than told, and count an id that is in two requests at once, by organization."""
    clock = asyncio.get_running_loop().time
    async with open_fast(latency=0.02) as server, connected(server) as first, connected(server) as second:
        start = clock()
        await asyncio.gather(
            first.ask(update('{"id":"a"}', '{"id":"b"}')), second.ask(update('{"id":"b"}', '{"id":"c"}'))
        )
        assert clock() - start >= 0.02
        assert server.statistics.snapshot()["duplicates"] == 1
        await first.ask(update('{"id":"b"}'))
        await asyncio.gather(first.ask(update('{"id":"b"}')), second.ask(update('{"id":"b"}', organization="org-2")))
        assert server.statistics.snapshot()["duplicates"] == 1


@contextmanager
def command(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the server as a command for the length of a block; give it and its URL."""
    words = (sys.executable, "-m", "tests.servers.fast", *words)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.mark.parametrize("processes", [1, 3])
def test_as_a_command(processes: int) -> None:
    """Print the URL first, add up what all processes saw, and end on SIGTERM."""
    with command("--processes", str(processes), "--latency-ms", "1") as (process, url):
        head, _, body = update('{"id":"a"}').partition(b"\r\n\r\n")
        assert head.startswith(b"POST")
        for _ in range(20):
            with urllib.request.urlopen(f"{url}/v2/activities/update", body) as answer:
                assert json.load(answer)["result"]["data"] == {"a": UPDATED}
        with urllib.request.urlopen(f"{url}/stats") as answer:
            statistics = json.load(answer)
        assert (statistics["requests"], statistics["activities"]) == (20, 20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
