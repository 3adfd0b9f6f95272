"""A fast, well-behaved update server: every change of every request succeeds.

    python -m tests.servers.fast --port 0 [--latency-ms N] [--processes N]

prints its URL as its first line of output and serves on loopback until SIGTERM or SIGINT. `open_fast`
serves inside this process. `GET /stats` tells what it saw as JSON, `GET /stats?times=1` with the time of
each request. Requests carry Content-Length: chunks are not understood. An id in flight twice is noticed
when both requests came to the same process.
"""

import argparse
import asyncio
import json
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from tests.servers.window import busiest_window

_UPDATED = msgspec.Raw(b'{"success":true,"message":"Activity updated."}')
_BEFORE_DATA = b'{"result":{"status":"success","message":"Activity(s) updated successfully.","data":'
_AFTER_DATA = b"}}"
_REFUSED = b'{"error":{"message":"The body is no update.","status":"INVALID_ARGUMENT"}}'


class _Activity(msgspec.Struct, gc=False):
    id: str


class _Data(msgspec.Struct, gc=False, rename={"organization": "organizationId"}):
    organization: str
    activities: list[_Activity]


class _Envelope(msgspec.Struct, gc=False):
    data: _Data


_decode = msgspec.json.Decoder(_Envelope).decode
_encode = msgspec.json.Encoder().encode


class Counts:
    """What one process saw, in memory that its siblings read too.

    Times are `time.monotonic()`, one clock for all processes of a machine; beyond `CAPACITY` requests
    they are no longer kept.
    """

    CAPACITY = 1 << 20
    SIZE = 64 + 8 * CAPACITY
    """Bytes of memory for one process; untouched pages cost nothing."""

    def __init__(self, memory: memoryview) -> None:
        self.counters = memory[:64].cast("q")
        """Requests, activities, bytes of their bodies, connections, duplicates, and those refused."""
        self._times = memory[64:].cast("d")

    def note_request(self, size: int) -> None:
        """Count a request whose body has `size` bytes."""
        at = self.counters[0]
        if at < self.CAPACITY:
            self._times[at] = time.monotonic()
        self.counters[0] = at + 1
        self.counters[2] += size

    @property
    def times(self) -> list[float]:
        """When each request had arrived whole, in seconds."""
        return list(self._times[: self.counters[0]])


class Statistics:
    """What all processes of the server saw."""

    def __init__(self, processes: int) -> None:
        # Anonymous and shared: what a forked process writes, the others see.
        memory = memoryview(mmap.mmap(-1, Counts.SIZE * processes))
        self.counts = [Counts(memory[n * Counts.SIZE : (n + 1) * Counts.SIZE]) for n in range(processes)]

    def snapshot(self, *, times: bool = False) -> dict[str, int | list[float]]:
        """Return the sums, with the busiest sliding second, and the times in order if asked."""
        columns = zip(*(counts.counters for counts in self.counts), strict=True)
        requests, activities, size, connections, duplicates, refused, *_ = map(sum, columns)
        all_times = sorted(time for counts in self.counts for time in counts.times)
        totals: dict[str, int | list[float]] = {
            "requests": requests,
            "activities": activities,
            "bytes": size,
            "connections": connections,
            "duplicates": duplicates,
            "refused": refused,
            "busiest_second": busiest_window(all_times, 1.0),
        }
        return totals | {"times": all_times} if times else totals


class _Process:
    """What the connections of one process share."""

    def __init__(self, statistics: Statistics, counts: Counts, latency: float) -> None:
        self.statistics = statistics
        self.counts = counts
        self.latency = latency
        self.transports: set[asyncio.Transport] = set()
        self._in_flight: dict[str, set[str]] = {}

    def begin(self, organization: str, ids: set[str]) -> None:
        """Note ids as in flight, and count those that already are."""
        in_flight = self._in_flight.setdefault(organization, set())
        if not in_flight.isdisjoint(ids):
            self.counts.counters[4] += len(in_flight & ids)
        in_flight |= ids

    def end(self, organization: str, ids: set[str]) -> None:
        """Note ids as answered."""
        self._in_flight[organization] -= ids


class _Connection(asyncio.Protocol):
    """One connection: collects a request, answers it, and keeps the connection."""

    def __init__(self, process: _Process) -> None:
        self._process = process
        self._counts = process.counts
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._process.transports.add(transport)
        self._counts.counters[3] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        assert self._transport is not None
        self._process.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole by now."""
        self._buffer = self._buffer + data if self._buffer else data
        while len(self._buffer) >= self._needed and (request := self._whole_request()):
            head, _, body = request.partition(b"\r\n\r\n")
            if head.startswith(b"POST "):
                self._update(body)
            else:
                self._get(head.split(b" ", 2)[1])

    def _whole_request(self) -> bytes:
        """Take the first request off the buffer; while it is not whole, note what it needs instead."""
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return b""
        self._needed = end + _content_length(self._buffer[:end])
        if len(self._buffer) < self._needed:
            return b""
        request, self._buffer = self._buffer[: self._needed], self._buffer[self._needed :]
        self._needed = 0
        return request

    def _update(self, body: bytes) -> None:
        counts = self._counts
        counts.note_request(len(body))
        try:
            data = _decode(body).data
        except msgspec.DecodeError:
            counts.counters[5] += 1
            self._respond(400, _REFUSED)
            return
        answers = {activity.id: _UPDATED for activity in data.activities}
        counts.counters[1] += len(data.activities)
        counts.counters[4] += len(data.activities) - len(answers)
        answer = b"".join((_BEFORE_DATA, _encode(answers), _AFTER_DATA))
        if self._process.latency == 0:
            self._respond(200, answer)
            return
        ids = set(answers)
        self._process.begin(data.organization, ids)
        asyncio.get_running_loop().call_later(self._process.latency, self._respond_late, data.organization, ids, answer)

    def _respond_late(self, organization: str, ids: set[str], answer: bytes) -> None:
        self._process.end(organization, ids)
        self._respond(200, answer)

    def _get(self, target: bytes) -> None:
        path, _, query = target.partition(b"?")
        if path != b"/stats":
            self._respond(404, b'{"error":{"message":"No such path.","status":"NOT_FOUND"}}')
            return
        snapshot = self._process.statistics.snapshot(times=query == b"times=1")
        self._respond(200, json.dumps(snapshot).encode())

    def _respond(self, status: int, body: bytes) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        head = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % (status, len(body)) + body)


def _content_length(head: bytes) -> int:
    """Return the Content-Length of a head; 0 without one, so chunked requests are not understood."""
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(lower[at + 17 : lower.index(b"\r\n", at + 2)])


@dataclass(frozen=True, slots=True)
class FastServer:
    """A server inside this process."""

    url: str
    """Base URL, without a slash at its end."""
    statistics: Statistics


@asynccontextmanager
async def open_fast(latency: float = 0) -> AsyncIterator[FastServer]:
    """Serve on loopback until the block ends; each answer leaves `latency` seconds after its request."""
    with _listening_socket(0) as listener:
        statistics = Statistics(1)
        process = _Process(statistics, statistics.counts[0], latency)
        server = await _serve(listener, process)
        try:
            yield FastServer(_url(listener), statistics)
        finally:
            server.close()
            for transport in process.transports:
                transport.abort()


async def _serve(listener: socket.socket, process: _Process) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(process), sock=listener)


def _listening_socket(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=1024)


def _url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


async def _serve_until_ended(listener: socket.socket, process: _Process, orphaned: int) -> None:
    """Serve until SIGTERM or SIGINT, or the file descriptor `orphaned` is at its end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(orphaned, ended.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await _serve(listener, process)
    await ended.wait()
    server.close()


def main(words: Sequence[str] | None = None) -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description="Answer every update with success, on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--latency-ms", type=float, default=0, metavar="N")
    parser.add_argument("--processes", type=int, default=1, metavar="N")
    options = parser.parse_args(words)
    with _listening_socket(options.port) as listener:
        sys.stdout.write(f"{_url(listener)}\n")
        sys.stdout.flush()  # before the fork, or each process would write it
        statistics = Statistics(options.processes)
        own, orphaned = _fork(options.processes)
        process = _Process(statistics, statistics.counts[own], options.latency_ms / 1000)
        asyncio.run(_serve_until_ended(listener, process, orphaned))


def _fork(processes: int) -> tuple[int, int]:
    """Split into `processes`; return this one's number and a descriptor that ends with the first one."""
    orphaned, writer = os.pipe()
    for number in range(1, processes):
        if os.fork() == 0:
            os.close(writer)
            return number, orphaned
    return 0, orphaned


if __name__ == "__main__":
    main()
