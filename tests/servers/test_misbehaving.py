"""The misbehaving server, seen from a raw socket: each misbehaviour byte by byte."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tests.servers.actions import (
    Action,
    Closing,
    Cut,
    Drop,
    Flood,
    Hang,
    Latency,
    Noise,
    Raw,
    Stray,
    When,
    WrongLength,
    garbled_status,
)
from tests.servers.http1 import Framing
from tests.servers.misbehaving import MisbehavingServer, Script, open_misbehaving
from tests.servers.replies import (
    HTTP_STATUS,
    Answer,
    Framed,
    GzipBomb,
    Previous,
    data_as,
    error_inside,
    extra,
    failure,
    html,
    http_date,
    huge_header,
    missing,
    ok,
    partial_failure,
    redirect,
    success_as,
    throttled,
    verdicts,
)

ACTIVITIES = ('{"id":"a","actionIcon":"1"}', '{"id":"b","entityData":{"id":"x","n":1.0}}')


def body_of(activities: Sequence[str] = ACTIVITIES, organization: str = "org-1") -> bytes:
    """Return the body of an update request."""
    return f'{{"data":{{"organizationId":"{organization}","activities":[{",".join(activities)}]}}}}'.encode()


def request_of(body: bytes) -> bytes:
    """Return a whole update request."""
    head = "POST /v2/activities/update HTTP/1.1\r\nHost: test\r\nX-Velt-Api-Key: key\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


REQUEST = request_of(body_of())


class Wire:
    """A raw client connection that reads one framed answer at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes = REQUEST) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return status, headers and body of the next answer."""
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (names in lower case) and body of the next answer."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:-2])
        headers = {name.lower(): value for name, value in pairs}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(lines[0].split(" ")[1]), headers, body

    async def rest(self, request: bytes = REQUEST) -> bytes:
        """Send a request and return all bytes until the server closes; raise ConnectionError on RST."""
        self.writer.write(request)
        return await self.reader.read()


@dataclass(frozen=True)
class Scene:
    """A server and a way to connect to it."""

    server: MisbehavingServer
    wires: list[Wire] = field(default_factory=list)

    async def connect(self) -> Wire:
        """Open a connection."""
        port = int(self.server.url.rsplit(":", 1)[1])
        self.wires.append(Wire(*await asyncio.open_connection("127.0.0.1", port)))
        return self.wires[-1]

    def close(self) -> None:
        """Close all connections."""
        for wire in self.wires:
            wire.writer.transport.abort()


def play(
    script: Script,
    play_scene: Callable[[Scene], Awaitable[None]],
    drops_unread: Callable[[int], bool] = lambda _: False,
) -> MisbehavingServer:
    """Run a scene against a server and return the server as it was left."""

    async def run() -> MisbehavingServer:
        async with open_misbehaving(script, drops_unread=drops_unread) as server, asyncio.timeout(20):
            scene = Scene(server)
            try:
                await play_scene(scene)
            finally:
                scene.close()
        return server

    return asyncio.run(run())


def answers_to(script: Script, *requests: bytes) -> tuple[list[tuple[int, dict[str, str], bytes]], MisbehavingServer]:
    """Send requests one after the other on one connection; return the answers and the server."""
    answers: list[tuple[int, dict[str, str], bytes]] = []

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        answers.extend([await wire.ask(request) for request in requests or (REQUEST,)])

    return answers, play(script, scene)


def bytes_after(action: Action) -> tuple[bytes, MisbehavingServer]:
    """Return all bytes that follow one request until the server closes, and the server."""
    received: list[bytes] = []

    async def scene(scene: Scene) -> None:
        received.append(await (await scene.connect()).rest())

    server = play([action], scene)
    return received[0], server


def data_in(body: bytes) -> object:
    """Return `result.data` of an answer."""
    return json.loads(body)["result"]["data"]


def applied_ids(server: MisbehavingServer) -> list[str]:
    """Return the ids of the changes that took effect, in order."""
    return [change.id for change in server.applied]


# --- what is recorded --------------------------------------------------------------------------------


def test_records_a_request_whole() -> None:
    """Keep connection, target, headers, bytes, organization, ids and raw activities."""
    _, server = answers_to([ok()])
    (request,) = server.requests
    assert (request.connection, request.method, request.target) == (0, "POST", "/v2/activities/update")
    assert request.headers["x-velt-api-key"] == "key"
    assert request.body == body_of()
    assert request.whole
    assert (request.organization, request.ids) == ("org-1", ("a", "b"))
    assert request.activities == tuple(activity.encode() for activity in ACTIVITIES)


def test_reads_chunked_requests_that_arrive_byte_by_byte() -> None:
    """Join chunks, ignore extensions and trailers, and go on with the next request."""
    body = body_of()
    chunked = b"5;x=y\r\n" + body[:5] + b"\r\n%X\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\nTrailer: 1\r\n\r\n"
    request = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        for byte in request:
            wire.writer.write(bytes([byte]))
            await wire.writer.drain()
        assert (await wire.answer())[0] == 200
        assert (await wire.ask())[0] == 200

    server = play([ok()], scene)
    assert [request.body for request in server.requests] == [body, body]
    assert server.connections == 1


def test_times_come_from_the_loop_and_mark_the_first_byte() -> None:
    """Take the time before the body, however late that comes."""

    async def scene(scene: Scene) -> None:
        clock = asyncio.get_running_loop().time
        wire = await scene.connect()
        before = clock()
        wire.writer.write(REQUEST[:-1])
        await scene.server.until(lambda: len(scene.server.requests) == 1)
        after = clock()
        assert not scene.server.requests[0].whole
        wire.writer.write(REQUEST[-1:])
        await wire.answer()
        assert before <= scene.server.times[0] <= after
        assert scene.server.requests[0].whole

    play([ok()], scene)


def test_a_body_that_is_no_update_has_no_ids() -> None:
    """Record any body, and answer about no ids."""
    answers, server = answers_to([ok()], request_of(b"{}"), request_of(b"not json"))
    assert [data_in(body) for _, _, body in answers] == [{}, {}]
    assert [(request.organization, request.ids) for request in server.requests] == [(None, ()), (None, ())]


def test_a_request_that_is_no_http_is_told_at_the_end() -> None:
    """Raise for a client that breaks the protocol."""
    with pytest.raises(ExceptionGroup, match="misbehaving server failed"):
        play([ok()], lambda scene: expect_nothing(scene, b"POST / HTTP/1.0\r\n\r\n"))


async def expect_nothing(scene: Scene, request: bytes = REQUEST) -> None:
    """Send a request and see the connection close without a byte."""
    wire = await scene.connect()
    assert await wire.rest(request) == b""


def test_a_script_that_fails_is_told_at_the_end() -> None:
    """Raise what a callable script raised."""

    def script(index: int, _request: object) -> Action:
        raise LookupError(index)

    with pytest.raises(ExceptionGroup) as raised:
        play(script, expect_nothing)
    assert raised.group_contains(LookupError)


def test_the_last_action_of_a_list_repeats_and_a_callable_sees_number_and_request() -> None:
    """Serve both kinds of script."""
    answers, _ = answers_to([failure("UNAVAILABLE"), ok()], REQUEST, REQUEST, REQUEST)
    assert [status for status, _, _ in answers] == [503, 200, 200]
    answers, _ = answers_to(lambda n, r: Answer(200, f"{n} {r.ids}"), REQUEST, REQUEST)
    assert [body for _, _, body in answers] == [b"0 ('a', 'b')", b"1 ('a', 'b')"]


def test_refuses_connections_and_accepts_them_again_on_the_same_port() -> None:
    """Play an outage."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        await wire.ask()
        scene.server.refuse()
        with pytest.raises(ConnectionRefusedError):
            await scene.connect()
        assert (await wire.ask())[0] == 200, "connections that stand stay"
        await scene.server.listen()
        assert (await (await scene.connect()).ask())[0] == 200

    assert play([ok()], scene).connections == 2


# --- answers -----------------------------------------------------------------------------------------


def test_ok_applies_and_confirms_all() -> None:
    """Answer as the API's page shows it."""
    ((status, headers, body),), server = answers_to([ok()])
    assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
    updated = {"success": True, "message": "Activity updated."}
    message = "Activity(s) updated successfully."
    assert json.loads(body) == {
        "result": {"status": "success", "message": message, "data": {"a": updated, "b": updated}}
    }
    assert [(change.organization, change.id, change.activity.decode()) for change in server.applied] == [
        ("org-1", "a", ACTIVITIES[0]),
        ("org-1", "b", ACTIVITIES[1]),
    ]


@pytest.mark.parametrize(
    ("action", "expected", "applied"),
    [
        (verdicts({"a": False}), {"a": {"success": False, "message": "Failed to update activity."}}, ["b"]),
        (verdicts({"a": "[7]"}), {"a": [7]}, ["b"]),
        (verdicts({}, rest=False), {"a": {"success": False, "message": "Failed to update activity."}}, []),
        (success_as('"true"'), {"a": {"success": "true", "message": "Activity updated."}}, []),
        (success_as("1"), {"a": {"success": 1, "message": "Activity updated."}}, []),
        (success_as("null"), {"a": {"success": None, "message": "Activity updated."}}, []),
        (success_as(None), {"a": {"message": "Activity updated."}}, []),
    ],
)
def test_verdicts(action: Action, expected: dict[str, object], applied: list[str]) -> None:
    """Put each kind of verdict where the id stands, and apply what was confirmed."""
    ((_, _, body),), server = answers_to([action])
    data = data_in(body)
    assert isinstance(data, dict)
    assert list(data) == ["a", "b"]
    assert data["a"] == expected["a"]
    assert applied_ids(server) == applied


@pytest.mark.parametrize(("applied", "expected"), [(False, ["b"]), (True, ["a", "b"])])
def test_missing_ids(*, applied: bool, expected: list[str]) -> None:
    """Leave an id out of the answer, whether or not its change took effect."""
    ((_, _, body),), server = answers_to([missing(["a"], applied=applied)])
    data = data_in(body)
    assert isinstance(data, dict)
    assert list(data) == ["b"]
    assert applied_ids(server) == expected


def test_extra_ids() -> None:
    """Confirm an id that nobody sent."""
    ((_, _, body),), server = answers_to([extra(["z"])])
    data = data_in(body)
    assert isinstance(data, dict)
    assert list(data) == ["a", "b", "z"]
    assert applied_ids(server) == ["a", "b"]


@pytest.mark.parametrize(("raw", "expected"), [("[]", []), ("null", None), ("{}", {})])
def test_data_of_the_wrong_kind(raw: str, expected: object) -> None:
    """Answer success around data that is no map by id."""
    ((_, _, body),), server = answers_to([data_as(raw)])
    assert data_in(body) == expected
    assert applied_ids(server) == []


def test_data_left_out() -> None:
    """Answer success without data."""
    ((_, _, body),), _ = answers_to([data_as(None)])
    assert "data" not in json.loads(body)["result"]


@pytest.mark.parametrize("status", sorted(HTTP_STATUS))
def test_failures_carry_their_google_rpc_status(status: str) -> None:
    """Answer with the HTTP status that belongs to it."""
    ((http, _, body),), server = answers_to([failure(status, 'no "luck"')])
    assert http == HTTP_STATUS[status]
    assert json.loads(body) == {"error": {"message": 'no "luck"', "status": status}}
    assert applied_ids(server) == []


def test_errors_in_odd_places() -> None:
    """Put an error into a 200, details into an error, another HTTP status beside it, verdicts into a 500."""
    answers, server = answers_to(
        [
            error_inside(),
            failure("INTERNAL", details='{"a":1}', http=418),
            partial_failure({"a": False}),
            html(502, "<h1>Bad gateway"),
            html(),
        ],
        *[REQUEST] * 5,
    )
    assert [status for status, _, _ in answers] == [200, 418, 500, 502, 200]
    assert json.loads(answers[0][2])["error"]["status"] == "INTERNAL"
    assert json.loads(answers[1][2])["error"]["details"] == {"a": 1}
    assert json.loads(answers[2][2])["error"]["details"]["b"]["success"] is True
    assert answers[3][1]["content-type"] == "text/html; charset=utf-8"
    assert answers[4][2].startswith(b"<!doctype html>")
    assert applied_ids(server) == ["b"]


@pytest.mark.parametrize("value", ["7", "-1", "1e9", "soon", http_date(0), None])
def test_retry_after_stands_as_given(value: str | None) -> None:
    """Send seconds, garbage, a negative number, a date or nothing."""
    ((status, headers, _),), _ = answers_to([throttled(value)])
    assert status == 429
    assert headers.get("retry-after") == value


def test_http_date() -> None:
    """Write dates as RFC 9110 has them."""
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(status: int) -> None:
    """Send the client elsewhere, by each of the five codes."""
    ((found, headers, _),), _ = answers_to([redirect(status, "http://127.0.0.1:9/")])
    assert (found, headers["location"]) == (status, "http://127.0.0.1:9/")


def test_a_huge_header() -> None:
    """Send a header line of the size asked for, and a good answer behind it."""
    received, _ = bytes_after(Closing(huge_header(100_000)))
    assert b"X-Padding: " + b"a" * 100_000 + b"\r\n" in received


def test_a_gzip_bomb_unpacks_to_a_good_answer() -> None:
    """Send little that becomes much."""
    ((_, headers, body),), server = answers_to([GzipBomb(1 << 22)])
    assert headers["content-encoding"] == "gzip"
    assert len(body) < 1 << 14
    unpacked = gzip.decompress(body)
    assert len(unpacked) > 1 << 22
    assert sorted(json.loads(unpacked)["result"]["data"]) == ["a", "b"]
    assert applied_ids(server) == ["a", "b"]


@pytest.mark.parametrize("framing", [Framing.CHUNKED, Framing.CLOSE])
def test_other_framings(framing: Framing) -> None:
    """Frame a good answer in chunks, or by closing."""
    received, _ = bytes_after(Closing(Framed(ok(), framing)))
    head, _, payload = received.partition(b"\r\n\r\n")
    assert b"Content-Length" not in head
    if framing is Framing.CHUNKED:
        payload = unchunked(payload)
    assert data_in(payload)


def unchunked(payload: bytes) -> bytes:
    """Return the body inside a whole chunked payload."""
    body = b""
    while payload:
        size, _, payload = payload.partition(b"\r\n")
        length = int(size, 16)
        body, payload = body + payload[:length], payload[length + 2 :]
    return body


# --- answers that break off, run on or come late -----------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("when", [When.AFTER_READING, When.AFTER_APPLYING])
def test_drops_without_a_byte(when: When, *, reset: bool) -> None:
    """Close with FIN or RST, before or after the changes took effect."""
    action = Drop(when, reset=reset)

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        if reset:
            with pytest.raises(ConnectionResetError):
                await wire.rest()
        else:
            assert await wire.rest() == b""

    server = play([action], scene)
    assert applied_ids(server) == (["a", "b"] if when is When.AFTER_APPLYING else [])


@pytest.mark.parametrize("by_list", [True, False])
def test_drops_before_the_body_was_read(*, by_list: bool) -> None:
    """Drop on the head alone, whichever way that was asked for; the next connection is served."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST[: -len(body_of())])
        with pytest.raises(ConnectionResetError):
            await wire.reader.read()
        assert (await (await scene.connect()).ask())[0] == 200

    before = Drop(When.BEFORE_READING, reset=True)
    script: Script = [before, ok()] if by_list else lambda _index, _request: ok()
    server = play(script, scene, drops_unread=lambda index: not by_list and index == 0)
    assert [request.whole for request in server.requests] == [False, True]
    assert applied_ids(server) == ["a", "b"]


def test_dropping_before_reading_is_refused_once_the_body_was_read() -> None:
    """Tell the author of a callable script that it is too late."""
    with pytest.raises(ExceptionGroup) as raised:
        play(lambda _i, _r: Drop(When.BEFORE_READING), expect_nothing)
    assert raised.group_contains(ValueError, match="drops_unread")


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.99])
def test_half_an_answer(framing: Framing, fraction: float) -> None:
    """Send a true beginning of the answer and close."""
    half, server = bytes_after(Cut(fraction=fraction, framing=framing))
    whole, _ = bytes_after(Closing(Framed(ok(), framing)))
    assert whole.startswith(half)
    assert half.endswith(b"\r\n\r\n") is (fraction == 0)
    assert len(half) < len(whole)
    assert applied_ids(server) == ["a", "b"]


def test_half_an_answer_and_a_reset() -> None:
    """Let the bytes arrive, then RST."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST)
        await wire.reader.readuntil(b"\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await wire.reader.read()

    play([Cut(reset=True)], scene)


@pytest.mark.parametrize("by", [-3, 5])
def test_a_wrong_content_length(by: int) -> None:
    """Promise more or less than what follows."""
    received, _ = bytes_after(WrongLength(by))
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body) + by}".encode() in head
    assert data_in(body)


def test_a_short_content_length_leaves_bytes_on_the_connection() -> None:
    """Keep the connection open, so that the rest lies before the next answer."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        await wire.ask()
        wire.writer.write(REQUEST)
        assert await wire.reader.readexactly(11) == b"}}}HTTP/1.1"

    play([WrongLength(-3, close=False), ok()], scene)


@pytest.mark.parametrize("framing", list(Framing))
def test_a_flood_runs_to_its_size_and_is_valid_json(framing: Framing) -> None:
    """Send exactly so many bytes of body."""
    received: list[bytes] = []

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST)
        if framing is not Framing.CLOSE:
            wire.writer.write_eof()
        received.append(await wire.reader.read())

    server = play([Flood(300_000, framing)], scene)
    _, _, payload = received[0].partition(b"\r\n\r\n")
    body = unchunked(payload) if framing is Framing.CHUNKED else payload
    assert len(body) == 300_000
    assert data_in(body)
    assert applied_ids(server) == ["a", "b"]


def test_a_flood_ends_when_the_client_has_had_enough() -> None:
    """Tell how much was sent when a client with a cap goes away."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST)
        await wire.reader.readexactly(1 << 20)
        wire.writer.transport.abort()
        await scene.server.until(lambda: 0 in scene.server.sent)

    server = play([Flood(1 << 34)], scene)
    assert 1 << 20 <= server.sent[0] < 1 << 28


@pytest.mark.parametrize("line", [b"HTTP/1.1 two-hundred fine", b"\x16\x03\x01\x02", b"HTTP/9.9", b""])
def test_a_garbled_status_line(line: bytes) -> None:
    """Send the line as it stands."""
    received, _ = bytes_after(garbled_status(line))
    assert received == line + b"\r\nContent-Length: 2\r\n\r\n{}"


def test_raw_bytes() -> None:
    """Send any bytes, and apply when told."""
    received, server = bytes_after(Raw(b"\x00\xff", applied=True))
    assert received == b"\x00\xff"
    assert applied_ids(server) == ["a", "b"]


@pytest.mark.parametrize("announced", [True, False])
def test_closing_after_each_answer(*, announced: bool) -> None:
    """Answer well and close, with and without a word."""
    received, server = bytes_after(Closing(announced=announced))
    head, _, body = received.partition(b"\r\n\r\n")
    assert (b"\r\nConnection: close" in head) is announced
    assert data_in(body)
    assert applied_ids(server) == ["a", "b"]


def test_interim_answers() -> None:
    """Send `100 Continue` unasked before the answer."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST)
        assert [(await wire.answer())[0] for _ in range(3)] == [100, 100, 200]

    play([Noise(count=2)], scene)


@pytest.mark.parametrize("seconds", [0, 0.001])
def test_a_stray_answer_lies_before_the_next(seconds: float) -> None:
    """Shift the answers on a connection by one."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        answers = [await wire.ask(), await wire.ask(request_of(body_of(['{"id":"c"}']))), await wire.answer()]
        ids = [sorted(json.loads(body)["result"]["data"]) for _, _, body in answers]
        assert ids == [["a", "b"], ["a", "b"], ["c"]]

    assert applied_ids(play([Stray(seconds=seconds), ok()], scene)) == ["a", "b", "c"]


def test_the_answer_to_the_request_before() -> None:
    """Answer with another request's ids, though this one's changes took effect."""
    second = request_of(body_of(['{"id":"c"}']))
    answers, server = answers_to([Previous()], REQUEST, second)
    ids = [sorted(json.loads(body)["result"]["data"]) for _, _, body in answers]
    assert ids == [["activity-of-somebody-else"], ["a", "b"]]
    assert applied_ids(server) == ["a", "b", "c"]


@pytest.mark.parametrize("applies_first", [False, True])
def test_latency_answers_late_and_applies_late_or_first(*, applies_first: bool) -> None:
    """Wait by the loop's clock, and apply nothing twice."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST)
        await scene.server.until(lambda: len(scene.server.applied if applies_first else scene.server.in_flight) > 0)
        assert len(scene.server.applied) == (2 if applies_first else 0)
        await wire.answer()
        assert asyncio.get_running_loop().time() - scene.server.times[0] >= 0.02

    assert applied_ids(play([Latency(0.02, applies_first=applies_first)], scene)) == ["a", "b"]


def test_a_late_change_takes_effect_after_the_client_has_gone() -> None:
    """Carry on for a client that gave up, as servers do."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST)
        wire.writer.write_eof()
        await wire.answer()

    assert applied_ids(play([Latency(0.001)], scene)) == ["a", "b"]


@pytest.mark.parametrize("applied", [False, True])
def test_never_answers_until_the_client_goes(*, applied: bool) -> None:
    """Hold the request, and the connection, until the peer closes."""

    async def scene(scene: Scene) -> None:
        wire = await scene.connect()
        wire.writer.write(REQUEST)
        wire.writer.write_eof()
        assert await wire.reader.read() == b""

    assert applied_ids(play([Hang(applied=applied)], scene)) == (["a", "b"] if applied else [])


def test_ends_at_once_while_requests_hang_and_floods_are_not_read() -> None:
    """Leave nothing behind when the block ends first."""

    async def scene(scene: Scene) -> None:
        for _ in range(2):
            (await scene.connect()).writer.write(REQUEST)
        await scene.server.until(lambda: len(scene.server.in_flight) == 2)

    play([Hang(), Flood(1 << 34)], scene)


# --- the model ---------------------------------------------------------------------------------------


def test_an_id_twice_in_one_request_is_a_violation() -> None:
    """Name organization, id and request; apply both, in order."""
    twice = ['{"id":"a","actionIcon":"1"}', '{"id":"b"}', '{"id":"a","actionIcon":"2"}']
    _, server = answers_to([ok()], REQUEST, request_of(body_of(twice)))
    assert [(v.organization, v.id, v.requests) for v in server.violations] == [("org-1", "a", (1,))]
    assert applied_ids(server)[2:] == ["a", "b", "a"]


def test_an_id_in_two_requests_at_once_is_a_violation() -> None:
    """See it across connections, within one organization alone, and only while both are in flight."""

    async def scene(scene: Scene) -> None:
        first = await scene.connect()
        first.writer.write(REQUEST)
        await scene.server.until(lambda: len(scene.server.in_flight) == 1)
        second = await scene.connect()
        await second.ask(request_of(body_of(organization="org-2")))
        await second.ask(request_of(body_of(['{"id":"b"}', '{"id":"c"}'])))
        first.writer.close()
        await scene.server.until(lambda: not scene.server.in_flight)
        await second.ask()

    server = play([Hang(), ok()], scene)
    assert [(v.organization, v.id, v.requests) for v in server.violations] == [("org-1", "b", (0, 2))]
    assert server.peak_in_flight == 2


def test_a_request_is_no_longer_in_flight_when_its_answer_arrives() -> None:
    """Let a client reuse an id at once, on any connection."""

    async def scene(scene: Scene) -> None:
        wires = [await scene.connect() for _ in range(4)]
        for n in range(200):
            await wires[n % 4].ask()

    server = play([ok()], scene)
    assert server.violations == []
    assert len(server.applied) == 400
