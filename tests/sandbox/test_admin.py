import json
from collections.abc import Callable
from typing import Any

import pytest

from bulk_update.sandbox.admin import Admin, AdminReply, AdminRequest, is_admin_path
from bulk_update.sandbox.admission import Arrival, Credentials
from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.records import seed_record
from bulk_update.sandbox.service import Service
from bulk_update.sandbox.store import Store
from tests.sandbox.requests import HEADERS

UPDATE = "/v2/activities/update"
KEY, TOKEN = "key-of-this-test", "token-of-this-test"
SECRETS = HEADERS | {"x-velt-api-key": KEY, "x-velt-auth-token": TOKEN}


@pytest.fixture
def service(store: Store) -> Service:
    return Service(Workspace(store, Credentials(KEY, TOKEN), clock=lambda: 1_722_409_519_944), now=lambda: 0.0)


@pytest.fixture
def admin(service: Service) -> Admin:
    return Admin(service, "127.0.0.1")


def ask(admin: Admin, method: str, name: str, body: bytes = b"", /, **query: str) -> AdminReply:
    return admin.answer(AdminRequest(method, f"/_sandbox/{name}", query, {"Host": "127.0.0.1:8787"}, body))


def told(admin: Admin, name: str, **query: str) -> dict[str, Any]:
    reply = ask(admin, "GET", name, b"", **query)
    assert reply.status == 200
    answer: dict[str, Any] = json.loads(text(reply))
    return answer


def text(reply: AdminReply) -> bytes:
    return reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)


def update(service: Service, *activities: dict[str, object]) -> None:
    body = json.dumps({"data": {"organizationId": "o", "activities": activities}}).encode()
    visit = service.receive(Arrival("POST", UPDATE, SECRETS, body))
    visit.answer()
    visit.close(is_whole=True)


def test_what_was_seeded_is_exported(admin: Admin) -> None:
    line = b'{"organizationId":"o","id":"a","entityData":123456789012345678901234567890,"metadata":{}}\n'
    assert json.loads(text(ask(admin, "POST", "seed", line + b"\n" + line.replace(b'"a"', b'"b"')))) == {"records": 2}
    assert text(ask(admin, "GET", "export")) == line + line.replace(b'"a"', b'"b"')
    reply = ask(admin, "POST", "seed", b"{}")
    assert (reply.status, b"line 1" in text(reply)) == (400, True)


def test_state_and_history_of_an_id(admin: Admin, service: Service) -> None:
    ask(admin, "POST", "seed", b'{"organizationId":"o","id":"a","actionIcon":"0","metadata":{}}')
    update(service, {"id": "a", "actionIcon": "1"})
    update(service, {"id": "a", "entityData": [1]})
    answer = told(admin, "record", organization="o", id="a")
    assert answer["record"] == {"id": "a", "actionIcon": "1", "metadata": {}, "entityData": [1]}
    assert [(event["kind"], event["request"], event["time"]) for event in answer["history"]] == [
        ("seed", None, None),
        ("update", 1, 1_722_409_519_944),
        ("update", 2, 1_722_409_519_944),
    ]
    assert answer["history"][1]["body"] == {"id": "a", "actionIcon": "1"}
    assert ask(admin, "GET", "record", organization="o", id="b").status == 404


def test_records_are_searched_by_any_part_of_their_id(admin: Admin, service: Service) -> None:
    service.workspace.store.ensure("o", ["comment_1", "comment%2", "reaction-1"])
    service.workspace.store.ensure("p", ["comment_1"])
    update(service, {"id": "reaction-1"})
    found = told(admin, "records", text="_1")["records"]
    assert [(each["organization"], each["id"]) for each in found] == [("o", "comment_1"), ("p", "comment_1")]
    assert told(admin, "records", text="%", organization="o")["records"][0]["id"] == "comment%2"
    assert told(admin, "records", text="reaction")["records"][0]["updates"] == 1
    assert len(told(admin, "records", limit="1")["records"]) == 1


def test_the_log_and_the_statistics(admin: Admin, service: Service) -> None:
    service.workspace.store.ensure("o", ["a"])
    update(service, {"id": "a"}, {"id": "b"}, {"id": "a"})
    update(service)
    latest, first = told(admin, "requests")["requests"]
    assert (first["number"], first["updated"], first["failed"], first["violations"]) == (1, 1, 1, ["repeated_ids"])
    assert (latest["number"], latest["status"]) == (2, 400)
    assert latest["error"].startswith("INVALID_ARGUMENT: Expected `array` of length >= 1")
    assert told(admin, "requests", after="1")["requests"] == [latest]
    answer = told(admin, "statistics")
    assert (answer["records"], answer["organizations"]) == (1, {"o": 1})
    assert (answer["statistics"]["requests"], answer["statistics"]["violations"]) == (2, 1)
    assert answer["violations"] == [{"kind": "repeated_ids", "request": 1, "organization": "o", "id": "a"}]


def test_faults_are_switched(admin: Admin, service: Service) -> None:
    answer = json.loads(text(ask(admin, "PUT", "faults", b'{"preset":"flaky+slow","seed":7}')))
    assert (answer["faults"]["name"], answer["faults"]["seed"]) == ("flaky+slow", 7)
    ask(admin, "PUT", "faults", b'{"rules":[{"act":{"status":503},"name":"down"}]}')
    update(service, {"id": "a"})
    assert told(admin, "faults")["hits"] == {"down": 1}
    assert ask(admin, "PUT", "faults", b'{"preset":"nope"}').status == 400
    assert ask(admin, "PUT", "faults", b'{"preset":"/etc/passwd"}').status == 400
    assert ask(admin, "PUT", "faults", b'{"rules":[{}]}').status == 400
    ask(admin, "DELETE", "faults")
    assert service.chooser.faults.rules == ()


def test_reset_forgets_and_seeds_again(service: Service) -> None:
    store = service.workspace.store
    again = seed_record(b'{"organizationId":"o","id":"again"}')
    admin = Admin(service, "127.0.0.1", lambda: store.seed([again]))
    store.ensure("o", ["a"])
    update(service, {"id": "a"}, {"id": "a"})
    assert json.loads(text(ask(admin, "POST", "reset"))) == {"records": 1}
    assert told(admin, "statistics")["organizations"] == {"o": 1}
    assert service.statistics.violations == service.statistics.requests == 0
    assert store.events("o", "a") == []


@pytest.mark.parametrize("name", ["", "statistics", "requests", "records", "record", "export", "faults"])
def test_credentials_are_never_shown(admin: Admin, service: Service, name: str) -> None:
    service.workspace.store.ensure("o", ["a"])
    update(service, {"id": "a", "entityData": {"oops": KEY, "and": TOKEN}})
    assert service.statistics.manners.credentials_in_body == 1
    shown = text(ask(admin, "GET", name, organization="o", id="a"))
    assert KEY.encode() not in shown or name == "export"
    assert TOKEN.encode() not in shown or name == "export"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8787"}, 200),
        ({"Host": "localhost:8787", "Origin": "http://localhost:8787"}, 200),
        ({"Host": "[::1]:8787"}, 200),
        ({"Host": "evil.example"}, 403),
        ({}, 403),
        ({"Host": "127.0.0.1:8787", "Origin": "http://evil.example"}, 403),
        ({"Host": "127.0.0.1:8787", "Origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites_are_kept_out(admin: Admin, headers: dict[str, str], status: int) -> None:
    assert admin.answer(AdminRequest("GET", "/_sandbox/statistics", {}, headers)).status == status


def test_a_remote_host_may_ask_where_it_is_allowed(service: Service) -> None:
    headers = {"Host": "rehearsal.example:8787", "Origin": "http://rehearsal.example:8787"}
    assert Admin(service, "0.0.0.0").answer(AdminRequest("GET", "/_sandbox/", {}, headers)).status == 200  # noqa: S104


@pytest.mark.parametrize(
    ("method", "name", "status"), [("GET", "nothing", 404), ("POST", "statistics", 405), ("GET", "requests", 400)]
)
def test_what_is_not_there(admin: Admin, method: str, name: str, status: int) -> None:
    assert ask(admin, method, name, after="x").status == status


def test_the_prefix_is_its_own() -> None:
    is_it: Callable[[str], bool] = is_admin_path
    assert [is_it(path) for path in ("/_sandbox", "/_sandbox/x", "/_sandboxes", UPDATE)] == [True, True, False, False]
