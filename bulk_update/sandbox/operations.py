"""Each endpoint as one function: a body and the store in, a reply out; raises answers.Refused."""

import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bulk_update.sandbox import answers
from bulk_update.sandbox.admission import Arrival, Credentials, admit
from bulk_update.sandbox.answers import Refused, Reply
from bulk_update.sandbox.records import Addition, added_record
from bulk_update.sandbox.store import Store


def wall_clock() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def random_id() -> str:
    """Return an id as Firestore makes them: twenty letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(20))


@dataclass(frozen=True, slots=True)
class Workspace:
    """What an endpoint acts on: the records, and the clock and chance that an added record takes from."""

    store: Store
    credentials: Credentials = field(default_factory=Credentials)
    clock: Callable[[], int] = wall_clock
    new_id: Callable[[], str] = random_id


def update(workspace: Workspace, body: bytes) -> Reply:
    """Answer POST /v2/activities/update."""
    request = answers.read_update(body)
    return answers.update_reply(request, workspace.store.update(request.organization, request.activities))


def get(workspace: Workspace, body: bytes) -> Reply:
    """Answer POST /v2/activities/get; an id that does not exist is absent."""
    page = answers.read_get(body)
    records, last = workspace.store.page(page.query, page.size)
    return answers.get_reply(records, last and answers.page_token(page.query, *last))


def add(workspace: Workspace, body: bytes) -> Reply:
    """Answer POST /v2/activities/add: all of them or none; an id that exists is overwritten."""
    request = answers.read_add(body)
    addition = Addition(request.organization, request.document, workspace.clock())
    records = [
        added_record(addition, activity.id or workspace.new_id(), activity, raw)
        for activity, raw in request.activities
    ]
    fixed = workspace.store.immutable(request.organization, [record.id for record in records])
    if fixed:
        raise Refused("UNIMPLEMENTED", "No page tells what add does to an immutable record that exists")
    workspace.store.put(records)
    return answers.ADDED


def delete(workspace: Workspace, body: bytes) -> Reply:
    """Answer POST /v2/activities/delete."""
    return answers.delete_reply(workspace.store.delete(answers.read_delete(body)))


def config(_: Workspace, body: bytes) -> Reply:
    """Answer POST /v2/workspace/activityconfig/get: activity logs are on, and not immutable."""
    answers.read_config(body)
    return answers.CONFIG


OPERATIONS: Final[Mapping[str, Callable[[Workspace, bytes], Reply]]] = {
    "/v2/activities/update": update,
    "/v2/activities/get": get,
    "/v2/activities/add": add,
    "/v2/activities/delete": delete,
    "/v2/workspace/activityconfig/get": config,
}


def respond(workspace: Workspace, arrival: Arrival) -> Reply:
    """Answer a request, whatever it is: what the server does between reading and writing."""
    try:
        admit(arrival, workspace.credentials, OPERATIONS)
        return OPERATIONS[arrival.path](workspace, arrival.body)
    except Refused as refused:
        return answers.refusal(refused)
