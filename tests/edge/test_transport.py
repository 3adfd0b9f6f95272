"""The transport against a server that misbehaves byte by byte: an answer or a fault comes back, never a surprise."""

import asyncio
import contextlib
import errno
import json
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bulk_update.edge.transport import MAX_ANSWER, HttpTransport, open_transport
from bulk_update.model import Answer, Credentials, Target
from bulk_update.pure.retrying import Fault, Trouble
from bulk_update.version import VERSION
from tests.runs import KEY, TOKEN
from tests.servers.actions import Action, Closing, Cut, Drop, Flood, Hang, Noise, Raw, Stray, When, WrongLength
from tests.servers.actions import garbled_status as garbled
from tests.servers.http1 import Framing
from tests.servers.misbehaving import MisbehavingServer, Script, open_misbehaving
from tests.servers.replies import Answer as Reply
from tests.servers.replies import GzipBomb, huge_header, ok, redirect, throttled, verdicts

CREDENTIALS: Final = Credentials(KEY, TOKEN)

# A key and a certificate that no authority has signed, for 127.0.0.1.
SELF_SIGNED: Final = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8zCkFjdY9sguFNLF
lbgmPoikSwnEhqp1xjyNHmul1UWhRANCAASNEVVgBZQIUaWyyb9ygKRc6yWL4FCv
2vl2BglE0/Lbdndg/OvoBVN2q18w10lAZsrsS5diDoLBKaTkPKnBv3lH
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUceyDUMS+ZASIdaoxWgv+uygcHCcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMzA0MzMwM1oYDzIxMjYxMDMw
MDQzMzAzWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASNEVVgBZQIUaWyyb9ygKRc6yWL4FCv2vl2BglE0/Lbdndg/OvoBVN2
q18w10lAZsrsS5diDoLBKaTkPKnBv3lHo2QwYjAdBgNVHQ4EFgQUMaqB7lgXnTrw
lxFEZRjqDkCYnf0wHwYDVR0jBBgwFoAUMaqB7lgXnTrwlxFEZRjqDkCYnf0wDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IFfNqsjDT17pF4ebxkXN+IaYBB4XyLRP5swf0QrFdpnXAiEA6cUlbN+qpZSQPrMb
ImhoC8++V0vEOv5FH4OKkch26I0=
-----END CERTIFICATE-----
"""


def body(identifier: str = "a") -> bytes:
    return json.dumps({"data": {"organizationId": "org-1", "activities": [{"id": identifier}]}}).encode()


async def at_once() -> None:
    """Leave without waiting."""


async def in_a_while() -> None:
    """Let the loop turn, so that what has been sent to us is read first."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(script: Script, timeout: float = 10) -> AsyncIterator[tuple[MisbehavingServer, HttpTransport]]:
    async with (
        open_misbehaving(script) as server,
        open_transport(Target(server.url, CREDENTIALS), timeout) as transport,
    ):
        yield server, transport


async def answer_of(transport: HttpTransport, what: bytes | None = None) -> Answer:
    outcome = await transport.post(lambda: what or body(), at_once)
    assert isinstance(outcome, Answer)
    return outcome


async def fault_of(transport: HttpTransport, leave: Callable[[], Awaitable[None]] = at_once) -> Fault:
    outcome = await transport.post(body, leave)
    assert isinstance(outcome, Fault)
    assert KEY not in repr(outcome)
    assert TOKEN not in repr(outcome)
    return outcome


# ------------------------------------------------------------------------------------------ what leaves


async def test_a_request_is_what_the_official_page_says() -> None:
    async with serving([ok()]) as (server, transport):
        answer = await answer_of(transport)
    request = server.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/v2/activities/update", body())
    assert request.headers["x-velt-api-key"] == KEY
    assert request.headers["x-velt-auth-token"] == TOKEN
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"] == f"bulk-update/{VERSION}"
    assert answer.status == 200
    assert json.loads(answer.body)["result"]["data"]["a"]["success"] is True


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_base_url_may_have_a_path_and_end_in_a_slash(slash: str) -> None:
    async with (
        open_misbehaving([ok()]) as server,
        open_transport(Target(f"{server.url}/proxy/velt{slash}", CREDENTIALS), 10) as transport,
    ):
        await answer_of(transport)
    assert server.requests[0].target == "/proxy/velt/v2/activities/update"


async def test_no_byte_leaves_before_its_turn() -> None:
    asked, turn = asyncio.Event(), asyncio.Event()

    async def leave() -> None:
        asked.set()
        await turn.wait()

    async with serving([ok()]) as (server, transport), asyncio.TaskGroup() as group:
        posting = group.create_task(transport.post(body, leave))
        await asked.wait()
        await in_a_while()
        assert server.connections == 1
        assert server.requests == []
        turn.set()
        assert isinstance(await posting, Answer)


async def test_waiting_for_its_turn_is_not_taken_from_the_time_to_answer() -> None:
    async def leave() -> None:
        await asyncio.sleep(0.6)

    async with serving([ok()], timeout=0.5) as (_, transport):
        assert isinstance(await transport.post(body, leave), Answer)


async def test_when_its_turn_never_comes_the_connection_goes_and_nothing_was_sent() -> None:
    class Over(Exception):
        pass

    async def leave() -> None:
        raise Over

    async with serving([ok()]) as (server, transport):
        with pytest.raises(Over):
            await transport.post(body, leave)
        await answer_of(transport)  # over a connection of its own
        assert [request.connection for request in server.requests] == [1]


async def test_a_connection_is_used_again() -> None:
    async with serving([ok()]) as (server, transport):
        for _ in range(3):
            await answer_of(transport)
    assert server.connections == 1


async def test_any_number_of_requests_may_be_under_way() -> None:
    async with serving([Hang()]) as (server, transport), asyncio.TaskGroup() as group:
        tasks = []
        for wave in (60, 120):  # in waves, since the server's queue of new connections holds 100
            tasks += [
                group.create_task(transport.post(partial(body, f"a{n}"), at_once)) for n in range(wave - 60, wave)
            ]
            await server.until(lambda wave=wave: len(server.in_flight) == wave)  # type: ignore[misc]
        for task in tasks:
            task.cancel()


# ------------------------------------------------------------------------------------------ what comes back

FAULTS: Final[dict[str, tuple[Action, Trouble]]] = {
    "dropped before reading": (Drop(When.BEFORE_READING, reset=True), Trouble.UNANSWERED),
    "dropped after reading": (Drop(When.AFTER_READING), Trouble.UNANSWERED),
    "reset after reading": (Drop(When.AFTER_READING, reset=True), Trouble.UNANSWERED),
    "dropped after applying": (Drop(When.AFTER_APPLYING), Trouble.UNANSWERED),
    "half an answer": (Cut(), Trouble.UNANSWERED),
    "half an answer, reset": (Cut(reset=True), Trouble.UNANSWERED),
    "half a chunked answer": (Cut(framing=Framing.CHUNKED), Trouble.UNANSWERED),
    "only the head": (Cut(fraction=0.0), Trouble.UNANSWERED),
    "more promised than sent": (WrongLength(5), Trouble.UNANSWERED),
    "garbled status line": (garbled(), Trouble.UNREADABLE),
    "no HTTP": (Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), Trouble.UNREADABLE),
    "a header of 1 MB": (huge_header(), Trouble.UNREADABLE),
    "a gzip bomb": (GzipBomb(8 << 20), Trouble.UNREADABLE),
    "a body without end": (Flood(MAX_ANSWER * 4), Trouble.UNREADABLE),
    "chunks without end": (Flood(MAX_ANSWER * 4, Framing.CHUNKED), Trouble.UNREADABLE),
    "no answer": (Hang(), Trouble.TIMEOUT),
    "no answer, promised": (WrongLength(5, close=False), Trouble.TIMEOUT),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_is_no_answer_is_a_fault_and_is_not_tried_again(name: str) -> None:
    action, trouble = FAULTS[name]
    async with serving([action, ok()], timeout=0.3 if trouble is Trouble.TIMEOUT else 10) as (server, transport):
        fault = await fault_of(transport)
        assert (fault.trouble, len(server.requests)) == (trouble, 1)
        assert len(fault.message) < 200
        assert await answer_of(transport)
        assert len(server.requests) == 2


async def test_a_body_without_end_is_not_read_to_its_end() -> None:
    async with serving([Flood(MAX_ANSWER * 8)]) as (server, transport):
        await fault_of(transport)
        await server.until(lambda: 0 in server.sent)
        assert server.sent[0] < MAX_ANSWER * 3


async def test_a_body_cut_where_nothing_tells_its_length_comes_as_it_is() -> None:
    async with serving([Cut(framing=Framing.CLOSE)]) as (_, transport):
        answer = await answer_of(transport)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(answer.body)


async def test_interim_answers_are_passed_over() -> None:
    async with serving([Noise(count=3)]) as (_, transport):
        assert (await answer_of(transport)).status == 200


async def test_what_the_server_says_of_waiting_comes_with_the_answer() -> None:
    async with serving([throttled("7")]) as (_, transport):
        answer = await answer_of(transport)
    assert (answer.status, answer.retry_after) == (429, "7")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_no_secret_goes_elsewhere(status: int) -> None:
    async with (
        open_misbehaving([ok()]) as elsewhere,
        serving([redirect(status, f"{elsewhere.url}/v2/activities/update")]) as (_, transport),
    ):
        assert (await answer_of(transport)).status == status
        assert elsewhere.connections == 0


async def test_cookies_are_not_kept() -> None:
    cookie = Raw(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}", close=False)
    async with serving([cookie, ok()]) as (server, transport):
        await answer_of(transport)
        await answer_of(transport)
    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (Drop(), "the connection closed before an answer came"),
        (Drop(reset=True), "the connection broke: Connection reset by peer"),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), "the connection closed in the middle of the answer"),
        (Raw(b"SSH-2.0\r\n\r\n"), "what came is not HTTP: Bad status line"),
    ],
    ids=["closed", "reset", "half", "not HTTP"],
)
async def test_trouble_is_told_as_a_person_would(act: Action, words: str) -> None:
    async with serving([act]) as (_, transport):
        assert (await fault_of(transport)).message.startswith(words)


class NoSuchHost(AbstractResolver):
    """Find no host, with the number and the words of some system."""

    def __init__(self, number: int, words: str) -> None:
        self._error = socket.gaierror(number, words)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise self._error

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("number", "words"), [(-2, "Name or service not known"), (8, "nodename nor servname provided, or not known")]
)
async def test_a_host_that_is_not_found_is_told_in_the_words_of_each_system(number: int, words: str) -> None:
    async with aiohttp.TCPConnector(resolver=NoSuchHost(number, words)) as connector:
        fault = await fault_of(HttpTransport(connector, Target("https://api.example", CREDENTIALS), 10))
    assert (fault.trouble, fault.message) == (Trouble.UNREACHED, f"the host was not found: {words}")


async def test_a_refused_connection_was_not_reached() -> None:
    async with serving([ok()]) as (server, transport):
        server.refuse()
        fault = await fault_of(transport)
        assert (fault.trouble, fault.message) == (
            Trouble.UNREACHED,
            f"no connection came about: {os.strerror(errno.ECONNREFUSED)}",
        )
        await server.listen()
        assert await answer_of(transport)


async def test_a_connection_that_is_never_made_was_not_reached() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        queue = [socket.socket() for _ in range(3)]
        for waiting in queue:  # what has filled the queue keeps others out
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        async with open_transport(Target(f"http://127.0.0.1:{deaf.getsockname()[1]}", CREDENTIALS), 0.3) as transport:
            assert (await fault_of(transport)).trouble is Trouble.UNREACHED
        for waiting in queue:
            waiting.close()


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Listen for whatever comes, with TLS where a context is given; hang up when it ends or pauses."""
    seen: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(100_000))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


async def test_a_certificate_that_nobody_vouches_for_gets_no_secret(tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_text(SELF_SIGNED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    async with listening(context) as (url, seen), open_transport(Target(url, CREDENTIALS), 10) as transport:
        fault = await fault_of(transport)
    assert fault.trouble is Trouble.UNREACHED
    assert "certificate was not accepted" in fault.message
    assert not any(seen)


async def test_https_to_a_server_that_has_none_gets_no_secret() -> None:
    async with listening(None) as (url, seen), open_transport(Target(url, CREDENTIALS), 10) as transport:
        fault = await fault_of(transport)
    assert fault.trouble is Trouble.UNREACHED
    assert "certificate" not in fault.message
    assert KEY.encode() not in b"".join(seen)


# ------------------------------------------------------------------------------ connections that lie in the pool


async def test_who_finds_an_answer_unusable_gives_up_its_connection() -> None:
    async with serving([ok()]) as (server, transport):
        answer = await answer_of(transport)
        answer.close()
        await answer_of(transport)
    assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_a_second_answer_to_an_earlier_request_is_no_answer_to_the_next_one(seconds: float) -> None:
    # The ids are the same, so that nothing else would tell: the second change is not applied.
    async with serving([Stray(seconds=seconds), verdicts({"a": False})]) as (server, transport):
        first = await answer_of(transport)
        await server.until(lambda: 0 in server.sent)
        second = await transport.post(body, in_a_while)
        assert isinstance(second, Answer)
    assert json.loads(first.body)["result"]["data"]["a"]["success"] is True
    assert json.loads(second.body)["result"]["data"]["a"]["success"] is False
    assert [request.connection for request in server.requests] == [0, 1]


async def test_an_answer_that_the_loop_has_not_read_yet_is_no_answer_to_the_next_request() -> None:
    """A loop that is behind sends before it has read what lies in the socket."""
    heads: list[bytes] = []
    open_writers: list[asyncio.StreamWriter] = []
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(len(body()))
                writer.write(answer)
        writer.close()

    async def leave_while_bytes_come() -> None:
        if len(open_writers) == 1:
            open_writers[0].write(answer)

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_transport(Target(url, CREDENTIALS), 10) as transport:
            await answer_of(transport)
            assert isinstance(await transport.post(body, leave_while_bytes_come), Answer)
        assert (len(heads), len(open_writers)) == (2, 2)


@pytest.mark.parametrize("body_size", [900_000, 30_000_000])
async def test_of_an_attempt_that_is_given_up_nothing_more_goes_out(body_size: int) -> None:
    """It would come after the next attempt, or after a later change: what the kernel holds, and what it does not."""
    arrived, go = 0, asyncio.Event()

    async def read_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await go.wait()
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(1_000_000):
                arrived += len(piece)
        writer.close()
        ended.set()

    ended = asyncio.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
    async with await asyncio.start_server(read_late, sock=listening):
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with open_transport(Target(url, CREDENTIALS), 0.2) as transport:
            outcome = await transport.post(lambda: b"x" * body_size, at_once)
            assert isinstance(outcome, Fault)
            assert outcome.trouble is Trouble.TIMEOUT
            go.set()
            await asyncio.wait_for(ended.wait(), 10)
    assert arrived < body_size


@pytest.mark.parametrize("announced", [True, False])
async def test_a_connection_that_the_server_has_closed_is_not_used_again(announced: bool) -> None:
    async with serving([Closing(announced=announced)]) as (server, transport):
        for _ in range(5):
            outcome = await transport.post(body, in_a_while)
            assert isinstance(outcome, Answer)
    assert [request.connection for request in server.requests] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("greeting", [b"", b"220 mail.example ESMTP\r\n"])
async def test_a_server_that_speaks_or_hangs_up_first_is_not_tried_for_ever(greeting: bytes) -> None:
    accepted = 0

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        writer.write(greeting)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with open_transport(Target(url, CREDENTIALS), 10) as transport:
            fault = await fault_of(transport, in_a_while)
    assert fault.trouble in (Trouble.UNREACHED, Trouble.UNANSWERED)
    assert accepted <= 8


async def test_a_body_is_not_kept_while_its_answer_is_waited_for() -> None:
    """With large rows the bodies in flight would take as much memory as the rows themselves."""
    large = body("a" * 100_000)
    before = sys.getrefcount(large)
    async with serving([Hang(), ok()]) as (server, transport):
        posting = asyncio.get_running_loop().create_task(transport.post(lambda: large, at_once))
        await server.until(lambda: len(server.in_flight) == 1)
        assert sys.getrefcount(large) == before
        posting.cancel()
        await asyncio.wait([posting])


async def test_who_is_cancelled_leaves_no_connection_behind() -> None:
    async with serving([Hang(), ok()]) as (server, transport):
        posting = asyncio.get_running_loop().create_task(transport.post(body, at_once))
        await server.until(lambda: len(server.in_flight) == 1)
        posting.cancel()
        await asyncio.wait([posting])
        assert posting.cancelled()
        await server.until(lambda: 0 in server.sent)  # it saw the client go
        await answer_of(transport)
    assert [request.connection for request in server.requests] == [0, 1]


# --------------------------------------------------------------------------- secrets that a server repeats

WRITTEN: Final = {"as it is": KEY, "escaped": "".join(f"\\u{ord(letter):04x}" for letter in KEY)}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
async def test_an_answer_comes_as_it_is_and_knows_the_secrets_to_strike_out(written: str) -> None:
    said = f'{{"{KEY}":"{written} {TOKEN}"}}'
    async with serving([Reply(200, said, (("Retry-After", KEY),))]) as (_, transport):
        answer = await answer_of(transport)
    assert answer.body == said.encode()
    assert answer.redact(said) == '{"[secret]":"[secret] [secret]"}'
    assert KEY not in f"{answer!r} {answer}"


@pytest.mark.parametrize(
    "head",
    [
        f"HTTP/1.1 200 OK\r\n{KEY}\r\n",
        f"HTTP/1.1 2x0 {KEY}\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n",
        f"HTTP/1.1 200 OK\r\nX-Echo: {KEY}{'z' * 20_000}\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {KEY}\r\n",
        *(f"HTTP/1.1 2x0 {'y' * count}{KEY}\r\n" for count in range(40, 70)),
        *(f"HTTP/1.1 200 OK\r\nX-Echo: {'y' * count}{KEY}{'z' * 20_000}\r\n" for count in range(70, 93)),
        *(f"HTTP/1.1 200 OK\r\nContent-Encoding: {'y' * count}{KEY}\r\n" for count in range(20)),
    ],
)
async def test_no_part_of_a_secret_is_in_the_words_for_what_is_no_answer(head: str) -> None:
    async with serving([Raw(f"{head}\r\n".encode())]) as (_, transport):
        assert KEY[:5] not in (await fault_of(transport)).message


async def test_secrets_that_were_replaced_are_struck_out_as_well() -> None:
    read = [Credentials("the-new-key", TOKEN), Credentials("the-newest-key", "the-newest-token")]
    async with (
        open_misbehaving([ok()]) as server,
        open_transport(Target(server.url, CREDENTIALS, lambda: read.pop(0)), 10) as transport,
    ):
        early = await answer_of(transport)
        for _ in range(2):
            assert await transport.renew(asyncio.get_running_loop().time())
        late = await answer_of(transport)
    for secret in (KEY, TOKEN, "the-new-key", "the-newest-key", "the-newest-token"):
        assert early.redact(secret) == late.redact(secret) == "[secret]"


def test_credentials_are_never_shown() -> None:
    assert KEY not in f"{CREDENTIALS!r} {CREDENTIALS} {[CREDENTIALS]}"
    assert TOKEN not in f"{CREDENTIALS!r} {CREDENTIALS} {[CREDENTIALS]}"
