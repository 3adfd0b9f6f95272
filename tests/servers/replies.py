"""Answers, as values: right, wrong and misleading ones, each known before its first byte leaves.

The functions with small letters are the named misbehaviours made of the classes.
"""

import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import lru_cache
from typing import TypeAlias

from tests.servers.exchange import Exchange
from tests.servers.http1 import Framing, Response
from tests.servers.model import Request

UPDATED = '{"success":true,"message":"Activity updated."}'
REFUSED = '{"success":false,"message":"Failed to update activity."}'

JSON = ("Content-Type", "application/json; charset=utf-8")
HTML = ("Content-Type", "text/html; charset=utf-8")

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""google.rpc status -> HTTP status (google/rpc/code.proto)."""

Verdict: TypeAlias = bool | str | None
"""A verdict on one id: the API's own two, raw JSON in its place, or None: the id is absent."""


class Reply(ABC):
    """An action that is an answer, known before its first byte leaves."""

    @abstractmethod
    def response(self, request: Request, earlier: Request | None) -> Response:
        """Return the answer; `earlier` is the request before, on the same connection."""

    @abstractmethod
    def applies(self, request: Request) -> Collection[str]:
        """Return the ids whose changes take effect before the answer leaves."""

    async def perform(self, exchange: Exchange) -> None:
        """Apply, then answer."""
        exchange.apply(self.applies(exchange.request))
        await exchange.respond(self.response(exchange.request, exchange.earlier))


@dataclass(frozen=True, slots=True)
class Answer(Reply):
    """Answer with just these bytes; `applied`: all changes take effect before."""

    status: int
    body: bytes | str = b""
    headers: tuple[tuple[str, str], ...] = (JSON,)
    framing: Framing = Framing.LENGTH
    applied: bool = False

    def response(self, request: Request, earlier: Request | None) -> Response:
        """Return the answer, the same for each request."""
        del request, earlier
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return Response(self.status, body, self.headers, self.framing)

    def applies(self, request: Request) -> Collection[str]:
        """Return all ids or none."""
        return request.ids if self.applied else ()


@dataclass(frozen=True, slots=True)
class Verdicts(Reply):
    """Answer with a map of verdicts by id.

    `by_id`: verdicts for some ids, `rest`: for all others that were sent. `extra`: raw verdicts for
    ids that were not sent. A change takes effect when its verdict is True or its id is in
    `applied_anyway`. `in_details`: the map goes into `error.details` of an HTTP 500, as sister endpoints do.
    """

    by_id: Mapping[str, Verdict] = field(default_factory=dict)
    rest: Verdict = True
    extra: Mapping[str, bool | str] = field(default_factory=dict)
    applied_anyway: Collection[str] = ()
    in_details: bool = False

    def response(self, request: Request, earlier: Request | None) -> Response:
        """Return the answer with one verdict for each distinct id."""
        del earlier
        verdicts = {id_: self.by_id.get(id_, self.rest) for id_ in request.ids} | dict(self.extra)
        if self.in_details:
            return Response(500, error_body("INTERNAL", "Some updates failed.", verdict_map(verdicts)), (JSON,))
        return Response(200, result_body(verdict_map(verdicts)), (JSON,))

    def applies(self, request: Request) -> Collection[str]:
        """Return the ids with verdict True and those applied in spite of theirs."""
        return {id_ for id_ in request.ids if self.by_id.get(id_, self.rest) is True or id_ in self.applied_anyway}


@dataclass(frozen=True, slots=True)
class Previous(Reply):
    """Apply this request, and answer it with the verdicts of the request before on its connection.

    The first request on a connection gets verdicts for an id that nobody sent.
    """

    def response(self, request: Request, earlier: Request | None) -> Response:
        """Return a success for each id of the earlier request."""
        del request
        ids = earlier.ids if earlier else ("activity-of-somebody-else",)
        return Response(200, result_body(verdict_map(dict.fromkeys(ids, True))), (JSON,))

    def applies(self, request: Request) -> Collection[str]:
        """Return all ids."""
        return request.ids


def ok() -> Verdicts:
    """Apply all and say so."""
    return Verdicts()


def verdicts(by_id: Mapping[str, Verdict], *, rest: Verdict = True) -> Verdicts:
    """Answer with these verdicts, and `rest` for all other ids sent."""
    return Verdicts(by_id, rest)


def missing(ids: Iterable[str], *, applied: bool = False) -> Verdicts:
    """Leave these ids out of the answer; `applied`: their changes take effect all the same."""
    left_out = tuple(ids)
    return Verdicts(dict.fromkeys(left_out), applied_anyway=left_out if applied else ())


def extra(ids: Iterable[str]) -> Verdicts:
    """Apply all and say so, and say it of these ids too, which nobody sent."""
    return Verdicts(extra=dict.fromkeys(ids, True))


def success_as(raw: str | None) -> Verdicts:
    """Answer each id with `success` as this raw JSON, or without `success` for None; apply nothing."""
    success = "" if raw is None else f'"success":{raw},'
    return Verdicts(rest=f'{{{success}"message":"Activity updated."}}')


def data_as(raw: str | None) -> Answer:
    """Answer success with `result.data` as this raw JSON, or without it for None; apply nothing."""
    return Answer(200, result_body(raw))


def partial_failure(by_id: Mapping[str, Verdict], *, rest: Verdict = True) -> Verdicts:
    """Answer HTTP 500 with the verdicts in `error.details`."""
    return Verdicts(by_id, rest, in_details=True)


def failure(
    status: str, message: str = "ERROR_MESSAGE", *, http: int | None = None, details: str | None = None
) -> Answer:
    """Refuse the request with a google.rpc status; `details` is raw JSON."""
    return Answer(HTTP_STATUS[status] if http is None else http, error_body(status, message, details))


def error_inside(status: str = "INTERNAL", message: str = "ERROR_MESSAGE", *, http: int = 200) -> Answer:
    """Answer HTTP 200 with an error in the body."""
    return failure(status, message, http=http)


def html(status: int = 200, text: str = "<!doctype html><title>Sign in</title><p>Sign in") -> Answer:
    """Answer with a page instead of JSON, as front ends do."""
    return Answer(status, text, (HTML,))


def throttled(retry_after: str | None = None, *, status: int = 429, body: str | None = None) -> Answer:
    """Refuse with RESOURCE_EXHAUSTED; `retry_after` is the header as it stands: seconds, a date, garbage."""
    headers = (JSON,) if retry_after is None else (JSON, ("Retry-After", retry_after))
    return Answer(status, error_body("RESOURCE_EXHAUSTED", "Too many requests.") if body is None else body, headers)


def http_date(unix_seconds: float) -> str:
    """Return an HTTP date (RFC 9110, section 5.6.7), for `throttled`."""
    return formatdate(unix_seconds, usegmt=True)


def redirect(status: int, location: str) -> Answer:
    """Send the client elsewhere."""
    return Answer(status, b"", (("Location", location),))


def huge_header(size: int = 1 << 20) -> Reply:
    """Apply all and say so, under a header line of `size` bytes."""
    return WithHeaders(ok(), (("X-Padding", "a" * size),))


@dataclass(frozen=True, slots=True)
class WithHeaders(Reply):
    """Add headers to an answer."""

    inner: Reply
    headers: tuple[tuple[str, str], ...]

    def response(self, request: Request, earlier: Request | None) -> Response:
        """Return the inner answer with the headers at its end."""
        response = self.inner.response(request, earlier)
        return replace(response, headers=response.headers + self.headers)

    def applies(self, request: Request) -> Collection[str]:
        """Return what the inner answer applies."""
        return self.inner.applies(request)


@dataclass(frozen=True, slots=True)
class Framed(Reply):
    """Frame an answer in another way: in chunks, or by closing the connection."""

    inner: Reply
    framing: Framing

    def response(self, request: Request, earlier: Request | None) -> Response:
        """Return the inner answer, framed so."""
        return replace(self.inner.response(request, earlier), framing=self.framing)

    def applies(self, request: Request) -> Collection[str]:
        """Return what the inner answer applies."""
        return self.inner.applies(request)


@dataclass(frozen=True, slots=True)
class GzipBomb(Reply):
    """Apply all and say so, in gzip, with `size` bytes of white space behind the JSON."""

    size: int = 64 << 20

    def response(self, request: Request, earlier: Request | None) -> Response:
        """Return a small body that unpacks to a valid answer of more than `size` bytes."""
        inner = ok().response(request, earlier)
        return replace(
            inner,
            body=_gzip_padded(inner.body, self.size),
            headers=(*inner.headers, ("Content-Encoding", "gzip")),
        )

    def applies(self, request: Request) -> Collection[str]:
        """Return all ids."""
        return request.ids


def verdict_map(verdicts_by_id: Mapping[str, Verdict]) -> str:
    """Return the API's map by id as JSON."""
    standard = {True: UPDATED, False: REFUSED}
    entries = (
        f"{json.dumps(id_)}:{standard[verdict] if isinstance(verdict, bool) else verdict}"
        for id_, verdict in verdicts_by_id.items()
        if verdict is not None
    )
    return "{" + ",".join(entries) + "}"


def result_body(data: str | None) -> bytes:
    """Return the body of an HTTP 200 with this raw JSON as its data."""
    tail = "" if data is None else f',"data":{data}'
    return f'{{"result":{{"status":"success","message":"Activity(s) updated successfully."{tail}}}}}'.encode()


def error_body(status: str, message: str, details: str | None = None) -> bytes:
    """Return the body of a failure; `details` is raw JSON."""
    tail = "" if details is None else f',"details":{details}'
    return f'{{"error":{{"message":{json.dumps(message)},"status":{json.dumps(status)}{tail}}}}}'.encode()


SPACES = b" " * (1 << 16)
"""White space, to make a body long and keep it valid JSON."""


@lru_cache(maxsize=4)
def _gzip_padded(body: bytes, size: int) -> bytes:
    deflate = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    parts = [deflate.compress(body)]
    parts += [deflate.compress(SPACES) for _ in range(size // len(SPACES) + 1)]
    return b"".join([*parts, deflate.flush()])
