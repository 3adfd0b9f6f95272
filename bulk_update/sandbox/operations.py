"""Each endpoint as one function: a request and the workspace in, a reply out; raises answers.Refused."""

import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bulk_update.sandbox import answers, bodies
from bulk_update.sandbox.admission import Arrival, Credentials, admit
from bulk_update.sandbox.answers import Refused, Reply
from bulk_update.sandbox.page_tokens import page_token
from bulk_update.sandbox.records import Addition, Origin, added_record
from bulk_update.sandbox.store import Store
from bulk_update.sandbox.switches import Switches


def wall_clock() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def random_id() -> str:
    """Return an id as Firestore makes them: twenty letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(20))


@dataclass(frozen=True, slots=True)
class Workspace:
    """What an endpoint acts on: the records, and the clock and chance that an added record takes from.

    `refuses`: tells of an id whether its update is to fail although the record could be changed: a fault.
    """

    store: Store
    credentials: Credentials = field(default_factory=Credentials)
    clock: Callable[[], int] = wall_clock
    new_id: Callable[[], str] = random_id
    switches: Switches = field(default_factory=Switches)
    refuses: Callable[[str], bool] | None = None


def update(workspace: Workspace, arrival: Arrival) -> Reply:
    """Answer POST /v2/activities/update."""
    switches = workspace.switches
    request = bodies.read_update(arrival.body, switches)
    store, organization, activities = workspace.store, request.organization, request.activities
    if switches.unknown_organization == "not-found" and not store.has_organization(organization):
        raise Refused("NOT_FOUND", "Organization not found.")
    ids = dict.fromkeys(id for id, _ in activities)
    repeated = len(activities) - len(ids)
    if workspace.refuses is not None:
        activities = [(id, raw) for id, raw in activities if not workspace.refuses(id)]
    found = store.update(organization, activities, _origin(workspace, arrival))
    return answers.update_reply(ids, found, repeated=repeated, as_error=switches.partial_failure == "error")


def get(workspace: Workspace, arrival: Arrival) -> Reply:
    """Answer POST /v2/activities/get; an id that does not exist is absent."""
    page = bodies.read_get(arrival.body)
    records, last = workspace.store.page(page.query, page.size)
    return answers.get_reply(records, last and page_token(page.query, *last))


def add(workspace: Workspace, arrival: Arrival) -> Reply:
    """Answer POST /v2/activities/add: all of them or none; an id that exists is overwritten."""
    request = bodies.read_add(arrival.body)
    immutable = workspace.switches.immutable == "yes"
    addition = Addition(request.organization, request.document, workspace.clock(), immutable)
    records = [
        added_record(addition, activity.id or workspace.new_id(), activity, raw) for activity, raw in request.activities
    ]
    fixed = workspace.store.immutable(request.organization, [record.id for record in records])
    if fixed:
        raise Refused("UNIMPLEMENTED", "No page tells what add does to an immutable record that exists")
    workspace.store.put(records, _origin(workspace, arrival))
    return answers.ADDED


def delete(workspace: Workspace, arrival: Arrival) -> Reply:
    """Answer POST /v2/activities/delete."""
    query = bodies.read_delete(arrival.body)
    return answers.delete_reply(workspace.store.delete(query, _origin(workspace, arrival)))


def config(workspace: Workspace, arrival: Arrival) -> Reply:
    """Answer POST /v2/workspace/activityconfig/get: activity logs are on."""
    bodies.read_config(arrival.body)
    return answers.config_reply(immutable=workspace.switches.immutable == "yes")


OPERATIONS: Final[Mapping[str, Callable[[Workspace, Arrival], Reply]]] = {
    "/v2/activities/update": update,
    "/v2/activities/get": get,
    "/v2/activities/add": add,
    "/v2/activities/delete": delete,
    "/v2/workspace/activityconfig/get": config,
}


def respond(workspace: Workspace, arrival: Arrival) -> Reply:
    """Answer a request, whatever it is: what the server does between reading and writing."""
    try:
        if len(arrival.body) > workspace.switches.max_bytes:
            return answers.TOO_LARGE
        admit(arrival, workspace.credentials, OPERATIONS)
        return OPERATIONS[arrival.path](workspace, arrival)
    except Refused as refused:
        return answers.refusal(refused)


def _origin(workspace: Workspace, arrival: Arrival) -> Origin:
    return Origin(arrival.number, workspace.clock(), arrival.path)
