"""Results -> answer JSON: every answer the sandbox gives, word for word as documented. Pure.

docs/sandbox.md lists what each rests on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

HTTP: Final[Mapping[str, int]] = {
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
"""The google.rpc statuses and the HTTP number of each (API.md)."""

JSON: Final = "application/json; charset=utf-8"


class Refused(Exception):
    """Refuse a request whole: nothing of it is applied. `status`: a key of `HTTP`."""

    def __init__(self, status: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back for one request, and what it did.

    `updated` and `failed`: verdicts of an update. `duplicates`: ids that stood in it more than once.
    `headers`: beside the content type.
    """

    status: int
    body: bytes
    content_type: str = JSON
    updated: int = 0
    failed: int = 0
    duplicates: int = 0
    headers: tuple[tuple[str, str], ...] = ()


_encode = msgspec.json.Encoder().encode

_UPDATED = b':{"success":true,"message":"Activity updated."}'
_NOT_UPDATED = b':{"success":false,"message":"Failed to update activity."}'
_DELETED = b':{"success":true,"message":"Activity deleted."}'
_NOT_DELETED = b':{"success":false,"message":"Failed to delete activity."}'

ADDED: Final = Reply(
    200,
    b'{"result":{"status":"success","message":"Activity(s) added successfully.",'
    b'"data":{"success":true,"message":"Activity(s) added successfully."}}}',
)
TOO_LARGE: Final = Reply(
    413,
    b"<html><head><title>413 Request Entity Too Large</title></head>"
    b"<body><h1>Error: Request Entity Too Large</h1></body></html>",
    content_type="text/html; charset=utf-8",
)
"""No page tells what a body over the cap gets: a front end's HTML, so that nobody counts on JSON."""


def update_reply(ids: Iterable[str], found: Iterable[str], *, repeated: int = 0, as_error: bool = False) -> Reply:
    """Write the verdicts, one for each id: `found` were updated, the others do not exist or refuse it.

    `as_error`: a partial failure is HTTP 500 with the verdicts in its details, as sister endpoints have it.
    """
    asked = dict.fromkeys(ids)
    existing = set(found)
    verdicts = b",".join([_encode(id) + (_UPDATED if id in existing else _NOT_UPDATED) for id in asked])
    failed = len(asked) - len(existing)
    if as_error and failed:
        start, end = b'{"error":{"message":"Some activities failed.","status":"INTERNAL","details":{', b"}}}"
    else:
        start, end = b'{"result":{"status":"success","message":"Activity(s) updated successfully.","data":{', b"}}}"
    return Reply(
        500 if as_error and failed else 200,
        start + verdicts + end,
        updated=len(existing),
        failed=failed,
        duplicates=repeated,
    )


def get_reply(records: list[bytes], page_token: str | None) -> Reply:
    """Write a page of records; `page_token` where more follow."""
    token = b"" if page_token is None else b',"pageToken":' + _encode(page_token)
    return Reply(
        200,
        b'{"result":{"status":"success","message":"Activity(s) retrieved successfully.","data":['
        + b",".join(records)
        + b"]"
        + token
        + b"}}",
    )


def delete_reply(verdicts: Mapping[str, bool]) -> Reply:
    """Write the verdicts of a delete by id."""
    members = [_encode(id) + (_DELETED if deleted else _NOT_DELETED) for id, deleted in verdicts.items()]
    return Reply(
        200,
        b'{"result":{"status":"success","message":"Activity(s) deleted successfully.","data":{'
        + b",".join(members)
        + b"}}}",
    )


def refusal(refused: Refused) -> Reply:
    """Write the failure response of the official page."""
    error = {"message": refused.message, "status": refused.status}
    return Reply(HTTP[refused.status], _encode({"error": error}), headers=refused.headers)


def config_reply(*, immutable: bool) -> Reply:
    """Write the configuration of activity logs: they are on."""
    return Reply(
        200,
        b'{"result":{"status":"success","message":"Activity logs configuration retrieved successfully.",'
        b'"data":{"activityServiceConfig":'
        b'{"isEnabled":true,"immutable":' + _encode(immutable) + b',"triggers":{"comment":{"added":true}}}}}}',
    )
