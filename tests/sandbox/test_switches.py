import json
from collections.abc import Mapping
from dataclasses import fields

import pytest

from bulk_update.errors import SettingsError
from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.records import Record
from bulk_update.sandbox.server import store_for
from bulk_update.sandbox.switches import REASONS, Switches, default_of, read_switches, values_of
from tests.sandbox.requests import answered, ask, refused

UPDATE, ADD, CONFIG = "/v2/activities/update", "/v2/activities/add", "/v2/workspace/activityconfig/get"


def workspace(*words: str) -> Workspace:
    switches = read_switches(list(words))
    store = store_for(switches)
    body = b'{"id":"a","changes":{"x":{"from":1,"to":2}},"actionIcon":"i","metadata":{}}'
    store.put([Record("o", "a", body), Record("o", "b", b'{"id":"b"}')])
    return Workspace(store, switches=switches)


def send(place: Workspace, *activities: Mapping[str, object]) -> dict[str, object]:
    data = {"organizationId": "o", "activities": list(activities)}
    return dict(answered(place, UPDATE, data)["data"])


def record(place: Workspace) -> dict[str, object]:
    return dict(json.loads(place.store.record("o", "a") or b""))


def test_every_switch_has_its_reason() -> None:
    assert [field.name.replace("_", "-") for field in fields(Switches)] == list(REASONS)
    assert all(reason.count("; ") == 1 for reason in REASONS.values())
    assert all(default_of(name) in values_of(name) for name in REASONS if values_of(name))


def test_the_defaults_are_as_documented() -> None:
    assert read_switches([]) == Switches()


@pytest.mark.parametrize(
    ("word", "message"),
    [("nul=keep", "did you mean null"), ("null=maybe", "expected refuse or keep or clear"), ("x", "found no switch")],
)
def test_a_word_that_is_no_switch_is_refused(word: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_switches([word])


def test_update_merge() -> None:
    change = {"id": "a", "changes": {"y": {"from": 0, "to": 1}}}
    place = workspace()
    send(place, change)
    assert record(place)["changes"] == {"y": {"from": 0, "to": 1}}
    place = workspace("update=merge")
    send(place, change, {"id": "b", "entityData": [1]}, {"id": "a", "changes": {"x": {"to": 3}}})
    assert record(place)["changes"] == {"x": {"from": 1, "to": 3}, "y": {"from": 0, "to": 1}}


def test_null() -> None:
    change = {"id": "a", "actionIcon": None, "entityData": None}
    assert refused(workspace(), UPDATE, {"organizationId": "o", "activities": [change]})[0] == 400
    place = workspace("null=keep")
    send(place, change)
    assert record(place)["actionIcon"] is None
    place = workspace("null=clear")
    send(place, change)
    assert "actionIcon" not in record(place)
    assert record(place)["entityData"] is None


def test_unknown_keys() -> None:
    change = {"id": "a", "featureType": "crdt", "entityData": 1}
    assert send(workspace(), change)["a"] == {"success": True, "message": "Activity updated."}
    for words in (["unknown-keys=refuse"], ["unknown-keys=refuse", "null=keep"]):
        status, name, message = refused(workspace(*words), UPDATE, {"organizationId": "o", "activities": [change]})
        assert (status, name) == (400, "INVALID_ARGUMENT")
        assert "featureType" in message
        assert send(workspace(*words), {"id": "a", "entityData": 1, "entityTargetData": 2})["a"]


def test_unknown_organization() -> None:
    data = {"organizationId": "elsewhere", "activities": [{"id": "a"}]}
    assert answered(workspace(), UPDATE, data)["data"]["a"]["success"] is False
    assert refused(workspace("unknown-organization=not-found"), UPDATE, data)[:2] == (404, "NOT_FOUND")


def test_partial_failure() -> None:
    place = workspace("partial-failure=error")
    assert ask(place, UPDATE, {"organizationId": "o", "activities": [{"id": "a"}]}).status == 200
    reply = ask(place, UPDATE, {"organizationId": "o", "activities": [{"id": "a"}, {"id": "c"}]})
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["status"], reply.updated, reply.failed) == (500, "INTERNAL", 1, 1)
    assert {id: verdict["success"] for id, verdict in error["details"].items()} == {"a": True, "c": False}


def test_max_activities() -> None:
    two = {"organizationId": "o", "activities": [{"id": "a"}, {"id": "b"}]}
    assert refused(workspace("max-activities=1"), UPDATE, two)[:2] == (400, "INVALID_ARGUMENT")
    assert list(answered(workspace("max-activities=1", "over-max=truncate"), UPDATE, two)["data"]) == ["a"]
    assert len(answered(workspace("max-activities=none"), UPDATE, two)["data"]) == 2


def test_max_bytes() -> None:
    reply = ask(workspace("max-bytes=50"), UPDATE, {"organizationId": "o", "activities": [{"id": "a"}]})
    assert (reply.status, reply.content_type) == (413, "text/html; charset=utf-8")


def test_immutable() -> None:
    place = workspace("immutable=yes")
    place.store.put([Record("o", "free", b'{"id":"free","immutable":false}', immutable=False)])
    verdicts = send(place, {"id": "a"}, {"id": "free"})
    assert verdicts["a"] == {"success": False, "message": "Failed to update activity."}
    assert verdicts["free"] == {"success": True, "message": "Activity updated."}
    assert answered(place, CONFIG, {})["data"]["activityServiceConfig"]["immutable"] is True
    activity = {"id": "new", "featureType": "comment", "actionType": "x", "actionUser": {"userId": "u"}}
    answered(place, ADD, {"organizationId": "o", "documentId": "d", "activities": [activity]})
    assert json.loads(place.store.record("o", "new") or b"")["immutable"] is True
    assert place.store.immutable("o", ["new", "free", "a"]) == {"new", "a"}
