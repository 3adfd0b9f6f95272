"""What ends in the ledger for whatever a server may do: the truth, and nothing but it (DESIGN, sections 3 and 4)."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from bulk_update import Rate
from tests.runs import KEY, TOKEN, Done, carry_out, plan, read_ledger, row, rows
from tests.servers.actions import (
    Action,
    Closing,
    Cut,
    Drop,
    Flood,
    Hang,
    Noise,
    Raw,
    Stray,
    When,
    WrongLength,
    garbled_status,
)
from tests.servers.http1 import Framing
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.replies import (
    Answer,
    Framed,
    GzipBomb,
    Previous,
    data_as,
    error_body,
    error_inside,
    extra,
    failure,
    html,
    huge_header,
    missing,
    ok,
    partial_failure,
    redirect,
    success_as,
    throttled,
    verdicts,
)

DEEP: Final = "[" * 20_000 + "]" * 20_000


@dataclass(frozen=True)
class Case:
    """What the server does first, before all is well; and what follows: the code of the attempt in the ledger.

    `code` None: the answer counts. `requests`: of the two rows a0 and a1. `stops`: the run ends there.
    """

    action: Action
    code: str | None = None
    requests: int = 2
    stops: bool = False


ONCE: Final[dict[str, Case]] = {
    "all is well": Case(ok(), None, 1),
    "an answer in chunks": Case(Framed(ok(), Framing.CHUNKED), None, 1),
    "an answer that ends with the connection": Case(Framed(ok(), Framing.CLOSE), None, 1),
    "interim answers first": Case(Noise(count=2), None, 1),
    "the connection closes after the answer": Case(Closing(), None, 1),
    "the answer to an earlier request": Case(Previous(), "unreadable"),
    "an id too many": Case(extra(["a9"]), "unreadable"),
    "success as a string": Case(success_as('"true"')),
    "success as a number": Case(success_as("1")),
    "success as null": Case(success_as("null")),
    "no success": Case(success_as(None)),
    "verdicts that are no objects": Case(verdicts({}, rest="true")),
    "verdicts too deep": Case(data_as(f'{{"a0":{{"success":"x"}},"a1":{DEEP}}}'), "unreadable"),
    "data as an array": Case(data_as("[]"), "unreadable"),
    "data as null": Case(data_as("null"), "unreadable"),
    "data as a string": Case(data_as('"success"'), "unreadable"),
    "no data": Case(data_as(None), "unreadable"),
    "no verdicts": Case(data_as("{}")),
    "a body that is no JSON": Case(Answer(200, "OK"), "unreadable"),
    "an empty body": Case(Answer(200, ""), "unreadable"),
    "a body that is null": Case(Answer(200, "null"), "unreadable"),
    "a body too deep": Case(Answer(200, DEEP), "unreadable"),
    "bytes that are no text": Case(Answer(200, b'{"result":{"status":"success","data":{"a\xff":1}}}'), "unreadable"),
    "another status of the result": Case(
        Answer(200, '{"result":{"status":"partial","data":{"a0":{"success":true}}}}'), "unreadable"
    ),
    "accepted, for later": Case(Answer(202, "{}"), "unreadable"),
    "no content": Case(Answer(204, ""), "unreadable"),
    "an error inside a success": Case(error_inside(), "INTERNAL"),
    "an unknown error": Case(Answer(500, '{"error":"boom"}'), "server_error"),
    "a page of a broken front end": Case(html(502), "server_error"),
    "a page instead of push-back": Case(html(429), "throttled"),
    "not available": Case(failure("UNAVAILABLE"), "UNAVAILABLE"),
    "not in time": Case(failure("DEADLINE_EXCEEDED"), "DEADLINE_EXCEEDED"),
    "aborted": Case(failure("ABORTED"), "ABORTED"),
    "cancelled": Case(failure("CANCELLED"), "CANCELLED"),
    "details of somebody else": Case(failure("INTERNAL", details='{"a9":{"success":true}}'), "unreadable"),
    "details too deep": Case(failure("INTERNAL", details=f'{{"a0":{DEEP}}}'), "server_error"),
    "push-back": Case(throttled(), "RESOURCE_EXHAUSTED"),
    "dropped before reading": Case(Drop(When.BEFORE_READING, reset=True), "unanswered"),
    "dropped after reading": Case(Drop(When.AFTER_READING), "unanswered"),
    "dropped after applying": Case(Drop(When.AFTER_APPLYING, reset=True), "unanswered"),
    "half an answer": Case(Cut(), "unanswered"),
    "half an answer in chunks": Case(Cut(framing=Framing.CHUNKED), "unanswered"),
    "half an answer that seems whole": Case(Cut(framing=Framing.CLOSE), "unreadable"),
    "more promised than sent": Case(WrongLength(7), "unanswered"),
    "less promised than sent": Case(WrongLength(-7, close=False), "unreadable"),
    "a garbled status line": Case(garbled_status(), "unreadable"),
    "a head without end": Case(huge_header(), "unreadable"),
    "a body without end": Case(Flood(20 << 20), "unreadable"),
    "a gzip bomb": Case(GzipBomb(8 << 20), "unreadable"),
    "no answer": Case(Hang(applied=True), "timeout"),
    "too large": Case(failure("INVALID_ARGUMENT", http=413), "INVALID_ARGUMENT", 3),
    "too large, by a front end": Case(html(413), "too_large", 3),
    "refused whole": Case(failure("INVALID_ARGUMENT"), "INVALID_ARGUMENT", 3),
    "out of range": Case(failure("OUT_OF_RANGE"), "OUT_OF_RANGE", 3),
    "a redirect": Case(redirect(307, "http://127.0.0.1:9/"), "not_this_api", 1, stops=True),
    "not authenticated": Case(failure("UNAUTHENTICATED"), "UNAUTHENTICATED", 1, stops=True),
    "not permitted": Case(failure("PERMISSION_DENIED"), "PERMISSION_DENIED", 1, stops=True),
    "a token that is required": Case(
        failure("INVALID_ARGUMENT", "Auth token is required"), "INVALID_ARGUMENT", 1, stops=True
    ),
    "no path, by a front end": Case(html(404), "not_this_api", 1, stops=True),
    "a login page": Case(html(200), "web_page", 1, stops=True),
}


async def one_batch(server: MisbehavingServer, folder: Path, count: int = 2) -> Done:
    return await carry_out(server.url, rows(count), folder, plan(concurrency=1), timeout=1.0)


@pytest.mark.parametrize("name", ONCE)
async def test_what_happens_once_is_told_and_ends_well_or_stops(name: str, tmp_path: Path) -> None:
    case = ONCE[name]
    async with open_misbehaving([case.action, ok()]) as server:
        done = await one_batch(server, tmp_path)
        attempts = done.ledger.attempts
        first = attempts[0].get("error") or {"code": None}
        assert (first["code"], len(server.requests)) == (case.code, case.requests)
        assert len(attempts) == done.summary.attempts == case.requests
        if case.stops:
            assert (done.summary.exit, done.summary.unsent, done.ledger.statuses) == (3, 2, {})
            assert "run the same command again" in (done.summary.stopped or "")
            done = await one_batch(server, tmp_path)
        assert (done.summary.exit, done.summary.updated) == (0, 2)
        assert done.ledger.statuses == {"updated": 2}
        assert {applied.id for applied in server.applied} == {"a0", "a1"}
        assert (done.summary.in_doubt, done.summary.unsent) == (0, 0)
        again = await one_batch(server, tmp_path)  # and nothing of it is left for the next run
        assert (again.summary.exit, again.summary.in_doubt, again.summary.attempts) == (0, 0, len(server.requests))
        assert server.violations == []


@dataclass(frozen=True)
class Lasting:
    """What the server always does with a row, and what that row is in the end."""

    action: Action
    status: str
    code: str
    http: int | None = None


ALWAYS: Final[dict[str, Lasting]] = {
    "refused by its verdict": Lasting(verdicts({}, rest=False), "failed", "not_updated", 200),
    "refused in the details of a failure": Lasting(partial_failure({}, rest=False), "failed", "not_updated", 500),
    "left out": Lasting(missing(["a0"]), "unknown", "no_verdict", 200),
    "left out, and applied": Lasting(missing(["a0"], applied=True), "unknown", "no_verdict", 200),
    "a verdict that is none": Lasting(success_as('"yes"'), "unknown", "no_verdict", 200),
    "refused whole": Lasting(failure("INVALID_ARGUMENT", "No."), "failed", "INVALID_ARGUMENT", 400),
    "refused by a front end": Lasting(Answer(422, "no"), "failed", "refused", 422),
    "exists already": Lasting(failure("ALREADY_EXISTS"), "failed", "ALREADY_EXISTS", 409),
    "no such organization": Lasting(failure("NOT_FOUND", "No such organization."), "failed", "NOT_FOUND", 404),
    "too large": Lasting(html(413), "failed", "too_large", 413),
}


@pytest.mark.parametrize("name", ALWAYS)
async def test_what_lasts_is_the_rows_end_with_its_reason_and_the_change_itself(name: str, tmp_path: Path) -> None:
    case = ALWAYS[name]
    async with open_misbehaving([case.action]) as server:
        done = await one_batch(server, tmp_path, count=1)
    error = done.ledger.error(1)
    assert (done.summary.exit, done.ledger.status(1)) == (1, case.status)
    assert (error["code"], error["http"]) == (case.code, case.http)
    assert done.ledger.results[1]["change"] == {"id": "a0", "actionIcon": "icon-a0"}
    assert len(server.requests) <= 5


async def test_verdicts_in_the_details_of_a_failure_count(tmp_path: Path) -> None:
    async with open_misbehaving([partial_failure({"a1": False})]) as server:
        done = await one_batch(server, tmp_path, count=3)
    assert done.ledger.statuses == {"updated": 2, "failed": 1}
    assert (done.ledger.status(2), len(server.requests)) == ("failed", 1)


async def test_an_id_that_an_answer_names_twice_is_asked_for_again(tmp_path: Path) -> None:
    twice = data_as('{"a0":{"success":true},"a1":{"success":true},"a0":{"success":false}}')
    async with open_misbehaving([twice, verdicts({}, rest=False)]) as server:
        done = await one_batch(server, tmp_path)
        assert [request.ids for request in server.requests] == [("a0", "a1"), ("a0",)]
    assert [done.ledger.status(line) for line in (1, 2)] == ["failed", "updated"]


async def test_an_answer_with_an_id_too_many_counts_for_none_of_its_ids(tmp_path: Path) -> None:
    async with open_misbehaving([extra(["a9"]), verdicts({}, rest=False)]) as server:
        done = await one_batch(server, tmp_path)
    assert done.ledger.statuses == {"failed": 2}
    assert "may have been applied" in done.ledger.error(1)["message"]


async def test_after_an_answer_to_somebody_else_the_connection_is_given_up(tmp_path: Path) -> None:
    async with open_misbehaving([Previous(), ok()]) as server:
        await one_batch(server, tmp_path)
    assert [request.connection for request in server.requests] == [0, 1]


async def test_a_second_answer_that_comes_late_makes_no_later_change_updated(tmp_path: Path) -> None:
    """The answer lies on the pooled connection when the next change of the same id leaves over it."""
    changes = [row("a0", actionIcon="first"), row("a0", actionIcon="second")]
    async with open_misbehaving([Stray(seconds=0.001), verdicts({"a0": False})]) as server:
        how = replace(plan(1), rate=Rate(1, 0.25))
        done = await carry_out(server.url, changes, tmp_path, how)
    assert [done.ledger.status(line) for line in (1, 2)] == ["updated", "failed"]
    assert [json.loads(applied.activity)["actionIcon"] for applied in server.applied] == ["first"]


async def test_a_message_without_end_does_not_fill_the_ledger(tmp_path: Path) -> None:
    loud = failure("INVALID_ARGUMENT", "x" * 1_000_000)
    async with open_misbehaving([loud]) as server:
        done = await one_batch(server, tmp_path, count=20)
    assert done.ledger.statuses == {"failed": 20}
    assert (tmp_path / "test.ledger.ndjson").stat().st_size < 500_000


def escaped(text: str) -> bytes:
    """Write a text for JSON, each character of it by its code."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text).encode()


@pytest.mark.parametrize(
    "action",
    [
        failure("INVALID_ARGUMENT", f"headers: {KEY} {TOKEN}"),
        failure("UNAUTHENTICATED", f"invalid key {KEY}"),
        Answer(500, f"<pre>x-velt-api-key: {KEY}\nx-velt-auth-token: {TOKEN}"),
        verdicts({}, rest=f'{{"success":false,"message":"{KEY}"}}'),
        Raw(f"HTTP/1.1 200 {KEY}\x01\r\n{TOKEN}\r\n\r\n".encode()),
        Answer(400, error_body("INVALID_ARGUMENT", "?").replace(b"?", escaped(f"{KEY} {TOKEN}"))),
        Answer(403, error_body("PERMISSION_DENIED", "?").replace(b"?", escaped(f"{KEY} {TOKEN}"))),
        Answer(500, b"<pre>" + escaped(f"{KEY} {TOKEN}")),
        verdicts({}, rest=f'{{"success":false,"message":"{escaped(KEY + TOKEN).decode()}"}}'),
    ],
    ids=[
        *("refusal", "credentials", "page", "verdict", "garbled"),
        *("refusal, escaped", "credentials, escaped", "page, escaped", "verdict, escaped"),
    ],
)
async def test_a_secret_that_the_server_repeats_stands_nowhere(
    action: Action, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_misbehaving([action, ok()]) as server:
        done = await one_batch(server, tmp_path)
    said = (tmp_path / "test.ledger.ndjson").read_text() + repr(done) + caplog.text
    assert "[secret]" in said
    for secret in (KEY, TOKEN):
        assert secret not in said
        assert escaped(secret).decode() not in said.replace("\\\\", "\\")


async def test_a_run_that_was_in_doubt_leaves_no_doubt_when_it_has_gone_on(tmp_path: Path) -> None:
    def behave(number: int, request: object) -> Action:
        return (failure("UNAVAILABLE"), failure("INVALID_ARGUMENT"), missing(["a0"]))[number] if number < 3 else ok()

    async with open_misbehaving(behave) as server:
        first = await one_batch(server, tmp_path, count=4)
        second = await one_batch(server, tmp_path, count=4)
    assert (first.summary.updated, first.summary.in_doubt) == (4, 0)
    assert (second.summary.updated, second.summary.in_doubt, second.summary.skipped) == (4, 0, 4)
    assert second.summary.attempts == len(server.requests)


async def test_an_outage_leaves_nothing_in_doubt_that_never_left(tmp_path: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        server.refuse()
        first = await carry_out(server.url, rows(5), tmp_path, plan(1, give_up_after=0.2))
        assert (first.summary.exit, first.summary.in_doubt, first.summary.attempts > 0) == (3, 0, True)
        await server.listen()
        second = await one_batch(server, tmp_path, count=5)
    assert (second.summary.exit, second.summary.updated) == (0, 5)
    assert read_ledger(tmp_path / "test.ledger.ndjson").statuses == {"updated": 5}


async def test_a_wrong_server_is_found_out_before_a_second_request_is_sent(tmp_path: Path) -> None:
    async with open_misbehaving([html(200)]) as server:
        done = await carry_out(server.url, rows(300), tmp_path, plan(1, concurrency=1))
        assert (done.summary.exit, len(server.requests)) == (3, 1)
    assert "--api-url" in (done.summary.stopped or "")
