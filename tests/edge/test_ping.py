"""Pings: they tell what they should, wait no longer than they may, and never say the URL."""

import asyncio
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from bulk_update.edge import ping
from bulk_update.edge.ping import Pings, PingUrl
from bulk_update.version import VERSION
from tests.servers.pinged import open_pinged


def at(url: str, query: str = "") -> PingUrl:
    parts = urlsplit(url)
    return PingUrl(parts.scheme == "https", parts.hostname or "", parts.port, parts.path, query)


async def tell(url: PingUrl, *, seconds: float = 5.0) -> str:
    """Tell of a start and an end; return what went wrong."""

    def send() -> str:
        pings = Pings(url)
        pings.send("start")
        pings.send("0", b'{"exit": 0}')
        return pings.wait(seconds)

    return await asyncio.to_thread(send)


@pytest.mark.parametrize(
    ("path", "query", "places"),
    [
        ("", "", ["/start", "/0"]),
        ("/", "", ["/start", "/0"]),
        ("/ping/uuid", "?create=1", ["/ping/uuid/start?create=1", "/ping/uuid/0?create=1"]),
    ],
)
async def test_the_start_and_the_end_are_told_in_turn(path: str, query: str, places: list[str]) -> None:
    async with open_pinged() as server:
        port = urlsplit(server.url).port
        assert await tell(PingUrl(False, "127.0.0.1", port, path, query)) == ""
    assert server.told == [(places[0], b""), (places[1], b'{"exit": 0}')]
    assert f"User-Agent: bulk-update/{VERSION}".encode() in server.heads[0]


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "308 Permanent Redirect"])
async def test_no_redirect_is_followed(status: str) -> None:
    async with open_pinged() as other:
        answer = f"HTTP/1.1 {status}\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        async with open_pinged(answer) as server:
            assert await tell(at(server.url)) == f"127.0.0.1 answered with HTTP {status[:3]}"
        assert other.told == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered with HTTP 404"),
        (b"HTTP/1.1 500 No\r\n\r\n", "answered with HTTP 500"),
        (b"nonsense /5e0f1c9a-SECRET\r\n\r\n", "cannot be told: BadStatusLine"),
        (b"", "cannot be told: RemoteDisconnected"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", "cannot be told: HTTPException"),
    ],
)
async def test_what_goes_wrong_is_said_without_the_url(answer: bytes, words: str) -> None:
    async with open_pinged(answer) as server:
        failure = await tell(at(server.url))
    assert words in failure
    assert "SECRET" not in failure
    assert len(server.told) == 2  # one failure keeps the other from nothing


async def test_a_server_that_is_not_there_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/SECRET"
        assert await tell(at(url)) == "127.0.0.1 cannot be told: Connection refused"


async def test_a_server_that_never_answers_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping, "TIMEOUT", 0.2)
    async with open_pinged(None) as server:
        assert await tell(at(server.url)) == "127.0.0.1 has not answered within 0.2 s"
    assert server.places == ["/5e0f1c9a-SECRET/start", "/5e0f1c9a-SECRET/0"]


async def test_one_that_answers_drop_by_drop_is_left_behind() -> None:
    async with open_pinged(None) as server:
        began = time.monotonic()
        assert await tell(at(server.url), seconds=0.2) == "127.0.0.1 has not answered within 0.2 s"
        assert time.monotonic() - began < ping.TIMEOUT


def test_a_host_that_nobody_finds_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    look_up: Callable[..., object] = refuse
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    pings = Pings(PingUrl(True, "hc.example", None, "/SECRET"))
    pings.send("start")
    assert pings.wait(5) == "hc.example cannot be told: Name or service not known"


def test_a_url_shows_nothing_of_itself() -> None:
    assert "SECRET" not in repr(PingUrl(True, "hc.example", None, "/SECRET"))
