"""What the tests send: a body to an endpoint, with or without HTTP in between."""

import json
from typing import Any, TypeAlias

from bulk_update.sandbox.admission import Arrival
from bulk_update.sandbox.answers import Reply
from bulk_update.sandbox.operations import Workspace, respond

Body: TypeAlias = bytes | str | dict[str, Any]
"""What is sent: a whole body, or the `data` of one."""

HEADERS = {"x-velt-api-key": "key", "x-velt-auth-token": "token", "content-type": "application/json"}


def ask(workspace: Workspace, path: str, body: Body) -> Reply:
    """Send a body to an endpoint and return its reply; a dict is sent as the `data` of one."""
    if isinstance(body, dict):
        body = json.dumps({"data": body})
    raw = body.encode() if isinstance(body, str) else body
    return respond(workspace, Arrival("POST", path, HEADERS, raw))


def answered(workspace: Workspace, path: str, body: Body) -> dict[str, Any]:
    """Send a body that is to be answered with 200, and return the `result`."""
    reply = ask(workspace, path, body)
    assert reply.status == 200, reply.body
    result: dict[str, Any] = json.loads(reply.body)["result"]
    return result


def refused(workspace: Workspace, path: str, body: Body) -> tuple[int, str, str]:
    """Send a body that is to be refused; return HTTP number, status and message."""
    reply = ask(workspace, path, body)
    error = json.loads(reply.body)["error"]
    assert list(error) == ["message", "status"]
    return reply.status, error["status"], error["message"]
