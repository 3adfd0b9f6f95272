"""The benchmarks' server, which is written in C: compiles without a warning and answers as the API does."""

import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any, Self

import pytest

from benchmarks.server import COMPILE, SOURCE, Server, Throttle, open_server

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the benchmarks' server needs a C compiler")

UPDATED = {"success": True, "message": "Activity updated."}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Compile and start the server once for this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with open_server() as server:
            yield server


class Wire:
    """A raw client connection."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), timeout=10)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def answer(self) -> tuple[int, Any]:
        """Return status and decoded body of the next answer."""
        status = int(self.file.readline().split(b" ")[1])
        length = 0
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        return status, json.loads(self.file.read(length) or b"null")

    def ask(self, request: bytes) -> tuple[int, Any]:
        """Send a request and return the next answer."""
        self.socket.sendall(request)
        return self.answer()


def post(body: bytes, *headers: bytes) -> bytes:
    """Return a POST request."""
    lines = (b"POST /v2/activities/update HTTP/1.1", b"CONTENT-LENGTH: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def update(*activities: str) -> bytes:
    """Return the body of an update of raw JSON activities."""
    return f'{{"data":{{"organizationId":"org-1","activities":[{",".join(activities)}]}}}}'.encode()


def test_compiles_without_a_warning_that_a_strict_compiler_gives() -> None:
    command = ["cc", *COMPILE, "-Wpedantic", "-Wconversion", "-Wshadow", "-fsyntax-only", str(SOURCE)]
    subprocess.run(command, check=True)


@pytest.mark.parametrize(
    ("activity", "id_"),
    [
        ('{"id":"a"}', "a"),
        (' { "id" : "a" , "changes" : { } } ', "a"),
        ('{"entityData":{"id":"x","list":[{"id":"y"},[]]},"id":"a"}', "a"),
        ('{"displayMessageTemplate":"\\\\\\"id\\":\\"x\\"}]","id":"a"}', "a"),
        ('{"entityData":"\\\\","id":"a"}', "a"),
        ('{"entityData":[1.0,-2e5,null,true,"]"],"id":"a","entityTargetData":null}', "a"),
        ('{"id":"\\u00e9\\\\\\"}{ü"}', 'é\\"}{ü'),
    ],
)
def test_finds_the_id_at_the_top_of_an_activity(server: Server, activity: str, id_: str) -> None:
    with Wire(server) as wire:
        status, answer = wire.ask(post(update(activity, '{"id":"last"}')))
    assert status == 200
    assert answer["result"]["status"] == "success"
    assert answer["result"]["data"] == {id_: UPDATED, "last": UPDATED}


def test_an_update_of_nothing(server: Server) -> None:
    with Wire(server) as wire:
        assert wire.ask(post(update()))[1]["result"]["data"] == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"data":[]}',
        b'{"data":{"activities":{}}}',
        b'{"data":{"activities":[{"id":"a"}',
        update("{}"),
        update('{"id":7}'),
        update('{"id":"a"} {"id":"b"}'),
        update('{"id":"a","entityData":{"id":"a'),
        update('{"id":"a","entityData"}'),
    ],
)
def test_refuses_what_is_no_update(server: Server, body: bytes) -> None:
    with Wire(server) as wire:
        status, answer = wire.ask(post(body))
        assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert wire.ask(post(update('{"id":"a"}')))[0] == 200, "the connection is as good as new"


def test_requests_in_any_pieces(server: Server) -> None:
    request = post(update('{"id":"a"}'))
    with Wire(server) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            wire.socket.send(bytes([byte]))
        assert wire.answer()[0] == 200
        wire.socket.sendall(request * 100)
        assert [wire.answer()[0] for _ in range(100)] == [200] * 100


def test_a_request_and_an_answer_larger_than_any_socket_buffer(server: Server) -> None:
    ids = [f"activity-{n:06}" for n in range(200_000)]
    with Wire(server) as wire:
        _, answer = wire.ask(post(update(*(f'{{"id":"{id_}"}}' for id_ in ids))))
        assert list(answer["result"]["data"]) == ids
        assert wire.ask(post(update('{"id":"a"}')))[0] == 200


def test_the_rest_of_http(server: Server) -> None:
    with Wire(server) as wire:
        assert wire.ask(b"GET /other HTTP/1.1\r\n\r\n")[0] == 404
        body = update('{"id":"a"}')
        request = post(body, b"Expect: 100-continue")
        assert wire.ask(request.removesuffix(body)) == (100, None)
        assert wire.ask(body)[0] == 200
        assert wire.ask(post(body, b"Connection: close"))[0] == 200
        assert wire.file.read() == b""
    with Wire(server) as wire:
        assert wire.ask(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")[0] == 411
        assert wire.file.read() == b""


def test_statistics(server: Server) -> None:
    before = server.statistics()
    body = update('{"id":"a"}', '{"id":"b"}')
    with Wire(server) as wire:
        wire.ask(post(body))
        wire.ask(post(b"{}"))
    after = server.statistics()
    assert after.requests - before.requests == 2
    assert after.activities - before.activities == 2
    assert after.bytes - before.bytes == len(body) + 2
    assert after.refused - before.refused == 1
    assert after.connections - before.connections == 2
    assert after.busiest_second >= 2
    assert after.cpu_seconds >= before.cpu_seconds > 0


def test_latency_holds_back_each_answer_and_no_other() -> None:
    """Answer many connections at once after one latency, also when some of them have gone."""

    async def ask(port: int, *, stays: bool) -> float:
        clock = asyncio.get_running_loop().time
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = clock()
        writer.write(post(update('{"id":"a"}')))
        if stays:
            await reader.readuntil(b"}}}")
        writer.transport.abort()
        return clock() - start

    async def ask_all(port: int) -> list[float]:
        await asyncio.gather(*(ask(port, stays=False) for _ in range(100)))
        return await asyncio.gather(*(ask(port, stays=True) for _ in range(100)))

    with open_server(latency=0.05) as server:
        seconds = asyncio.run(ask_all(int(server.url.rsplit(":", 1)[1])))
        assert min(seconds) >= 0.05
        assert max(seconds) < 100 * 0.05, "they wait side by side, not one after the other"


def test_quits_when_told() -> None:
    with open_server() as server, Wire(server) as wire:
        assert wire.ask(b"GET /quit HTTP/1.1\r\n\r\n") == (200, {})
        assert wire.file.read() == b""


def test_throttles_what_is_more_than_a_second_may_hold() -> None:
    with open_server(throttle=Throttle(3)) as server, Wire(server) as wire:
        answers = [wire.ask(post(update('{"id":"a"}'))) for _ in range(5)]
        assert [status for status, _ in answers] == [200, 200, 200, 429, 429]
        assert answers[-1][1]["error"]["status"] == "RESOURCE_EXHAUSTED"
        seen = server.statistics()
        assert (seen.requests, seen.throttled, seen.refused, seen.activities) == (5, 2, 0, 3)
        assert 0 < seen.span_seconds < 1
        time.sleep(1)
        assert wire.ask(post(update('{"id":"a"}')))[0] == 200


def bulk(body: bytes) -> bytes:
    """Return a bulk request."""
    return b"PUT /_bulk HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_answers_bulk_requests(server: Server) -> None:
    pairs = b'{"update":{"_index":"i","_id":"a"}}\n{"doc":{"_id":"x"}}\n{"update":{"_id":"b"}}\n{"doc":{}}\n'
    before = server.statistics().activities
    with Wire(server) as wire:
        status, answer = wire.ask(bulk(pairs))
        assert (status, answer["errors"]) == (200, False)
        assert [item["update"]["_id"] for item in answer["items"]] == ["a", "b"]
        assert {item["update"]["status"] for item in answer["items"]} == {200}
        assert wire.ask(bulk(b'{"update":{"_id":"a"}}\n'))[0] == 400
        assert wire.ask(post(update('{"id":"a"}')))[0] == 200
    assert server.statistics().activities - before == 3
