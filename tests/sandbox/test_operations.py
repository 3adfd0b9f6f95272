import json
import re
from typing import Any

import pytest

from bulk_update.sandbox.operations import OPERATIONS, Workspace, random_id, wall_clock
from bulk_update.sandbox.records import Record
from bulk_update.sandbox.store import Store
from tests.sandbox.requests import answered, ask, refused

UPDATE, GET = "/v2/activities/update", "/v2/activities/get"
ADD, DELETE = "/v2/activities/add", "/v2/activities/delete"
CONFIG = "/v2/workspace/activityconfig/get"

USER = {"userId": "user-1", "email": "user@example.com", "name": "User Name"}
COMMENT = {
    "featureType": "comment",
    "actionType": "comment.add",
    "actionUser": USER,
    "targetEntityId": "annotation-789",
    "displayMessageTemplate": "{{user}} added a comment",
}


def add(workspace: Workspace, *activities: dict[str, Any], document: str = "doc-456") -> dict[str, Any]:
    data = {"organizationId": "org-123", "documentId": document, "activities": list(activities)}
    return answered(workspace, ADD, data)


def get(workspace: Workspace, **filters: object) -> dict[str, Any]:
    return answered(workspace, GET, {"organizationId": "org-123", **filters})


def test_the_endpoints_are_those_that_are_documented() -> None:
    assert sorted(OPERATIONS) == sorted([UPDATE, GET, ADD, DELETE, CONFIG])


def test_what_was_added_is_what_get_returns(workspace: Workspace) -> None:
    assert add(workspace, {"id": "activity-001", **COMMENT}) == {
        "status": "success",
        "message": "Activity(s) added successfully.",
        "data": {"success": True, "message": "Activity(s) added successfully."},
    }
    assert get(workspace) == {
        "status": "success",
        "message": "Activity(s) retrieved successfully.",
        "data": [
            {
                "id": "activity-001",
                **COMMENT,
                "metadata": {"apiKey": "sandbox", "documentId": "doc-456", "organizationId": "org-123"},
                "timestamp": 1722409519944,
            }
        ],
    }


def test_an_activity_added_without_an_id_gets_one(workspace: Workspace) -> None:
    add(workspace, COMMENT, COMMENT)
    assert [record["id"] for record in get(workspace, order="asc")["data"]] == ["new-1", "new-2"]


def test_add_overwrites_the_record_of_an_id(workspace: Workspace) -> None:
    add(workspace, {"id": "a", **COMMENT, "actionIcon": "before", "entityData": 1})
    activities = [{"id": "a", "actionIcon": "between"}]
    answered(workspace, UPDATE, {"organizationId": "org-123", "activities": activities})
    add(workspace, {"id": "a", **COMMENT, "entityData": 2}, document="other")
    (record,) = get(workspace)["data"]
    assert "actionIcon" not in record
    assert (record["entityData"], record["metadata"]["documentId"]) == (2, "other")


def test_add_leaves_undocumented_keys_behind(workspace: Workspace) -> None:
    add(workspace, {**COMMENT, "immutable": True, "timestamp": 1, "metadata": {}, "surprise": 1})
    (record,) = get(workspace)["data"]
    assert record["timestamp"] == 1722409519944
    assert record["metadata"]["documentId"] == "doc-456"
    assert {"immutable", "surprise"}.isdisjoint(record)


def test_add_takes_all_or_none(workspace: Workspace, store: Store) -> None:
    bad = {**COMMENT, "featureType": "video"}
    data = {"organizationId": "o", "documentId": "d", "activities": [COMMENT, bad]}
    assert refused(workspace, ADD, data)[:2] == (400, "INVALID_ARGUMENT")
    assert store.count() == 0


def test_what_add_does_to_an_immutable_record_is_not_known(workspace: Workspace, store: Store) -> None:
    store.put([Record("org-123", "a", b'{"id":"a"}', immutable=True)])
    data = {"organizationId": "org-123", "documentId": "d", "activities": [{"id": "a", **COMMENT}]}
    assert refused(workspace, ADD, data)[:2] == (501, "UNIMPLEMENTED")
    assert store.record("org-123", "a") == (b'{"id":"a","metadata":{"apiKey":"sandbox","organizationId":"org-123"}}')


def test_get_leaves_out_an_id_that_does_not_exist(workspace: Workspace, store: Store) -> None:
    store.ensure("org-123", ["activity-001"])
    result = get(workspace, activityIds=["activity-001", "activity-002"])
    assert [record["id"] for record in result["data"]] == ["activity-001"]
    assert "pageToken" not in result


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["c", "b", "a"]),
        ({"order": "desc"}, ["c", "b", "a"]),
        ({"order": "asc"}, ["a", "b", "c"]),
        ({"documentId": "doc-456"}, ["b", "a"]),
        ({"targetEntityId": "annotation-789"}, ["c", "a"]),
        ({"featureTypes": ["custom", "crdt"]}, ["b"]),
        ({"actionTypes": ["comment.add"]}, ["c", "a"]),
        ({"userId": "user-2"}, ["b"]),
        ({"documentId": "doc-456", "featureTypes": ["comment"], "order": "desc", "pageSize": 50}, ["a"]),
    ],
)
def test_get_filters(workspace: Workspace, filters: dict[str, Any], found: list[str]) -> None:
    custom = {
        "featureType": "custom",
        "actionType": "statusChanged",
        "actionUser": {"userId": "user-2"},
        "targetEntityId": "entity-456",
    }
    add(workspace, {"id": "a", **COMMENT}, {"id": "b", **custom})
    add(workspace, {"id": "c", **COMMENT}, document="doc-457")
    assert [record["id"] for record in get(workspace, **filters)["data"]] == found


def test_get_in_pages_is_get_at_once(workspace: Workspace) -> None:
    add(workspace, *({"id": f"id-{number}", **COMMENT} for number in range(5)))
    page = get(workspace, pageSize=2)
    records = page["data"]
    while "pageToken" in page:
        page = get(workspace, pageSize=2, pageToken=page["pageToken"])
        records += page["data"]
    assert len(records) == 5
    assert records == get(workspace)["data"]


def test_delete_answers_for_each_id(workspace: Workspace, store: Store) -> None:
    store.ensure("org-123", ["activity-002"])
    data = {"organizationId": "org-123", "activityIds": ["activity-001", "activity-002"]}
    assert answered(workspace, DELETE, data) == {
        "status": "success",
        "message": "Activity(s) deleted successfully.",
        "data": {
            "activity-001": {"success": False, "message": "Failed to delete activity."},
            "activity-002": {"success": True, "message": "Activity deleted."},
        },
    }
    assert store.count() == 0


@pytest.mark.parametrize(
    "filters",
    [
        {"documentId": "doc-456"},
        {"targetEntityId": "annotation-789"},
        {"documentId": "doc-456", "targetEntityId": "annotation-789"},
    ],
)
def test_delete_by_what_records_belong_to(workspace: Workspace, filters: dict[str, str]) -> None:
    add(workspace, {"id": "a", **COMMENT}, {"id": "b", **COMMENT})
    data = answered(workspace, DELETE, {"organizationId": "org-123", **filters})["data"]
    assert {id: verdict["success"] for id, verdict in data.items()} == {"a": True, "b": True}
    assert get(workspace)["data"] == []


def test_the_configuration(workspace: Workspace) -> None:
    result = answered(workspace, CONFIG, {})
    assert result["message"] == "Activity logs configuration retrieved successfully."
    assert result["data"] == {
        "activityServiceConfig": {
            "isEnabled": True,
            "immutable": False,
            "triggers": {"comment": {"added": True}},
        }
    }
    assert ask(workspace, CONFIG, b"").status == 200


def test_ids_of_another_organization_are_not_found(workspace: Workspace, store: Store) -> None:
    store.ensure("org-123", ["a"])
    data = answered(workspace, UPDATE, {"organizationId": "org-124", "activities": [{"id": "a"}]})["data"]
    assert data == {"a": {"success": False, "message": "Failed to update activity."}}


def test_an_immutable_record_fails_without_a_reason(workspace: Workspace, store: Store) -> None:
    store.put([Record("o", "a", b'{"id":"a"}', immutable=True)])
    data = answered(workspace, UPDATE, {"organizationId": "o", "activities": [{"id": "a"}]})["data"]
    assert data == {"a": {"success": False, "message": "Failed to update activity."}}


def test_of_one_id_twice_the_later_update_wins(workspace: Workspace, store: Store) -> None:
    store.ensure("o", ["a"])
    activities = [
        {"id": "a", "actionIcon": "1", "entityData": 1},
        {"id": "a", "actionIcon": "2"},
    ]
    reply = ask(workspace, UPDATE, {"organizationId": "o", "activities": activities})
    assert (reply.updated, reply.failed, reply.duplicates) == (1, 0, 1)
    record = json.loads(store.record("o", "a") or b"")
    assert (record["actionIcon"], record["entityData"]) == ("2", 1)


def test_one_bad_activity_refuses_the_request_whole(workspace: Workspace, store: Store) -> None:
    store.ensure("o", ["a", "b"])
    activities = [{"id": "a", "actionIcon": "1"}, {"id": "b", "actionIcon": None}]
    assert refused(workspace, UPDATE, {"organizationId": "o", "activities": activities}) == (
        400,
        "INVALID_ARGUMENT",
        "Expected `str`, got `null` - at `$.data.activities[1].actionIcon`",
    )
    assert store.history("o", "a") == []


def test_chance_and_clock_are_as_in_the_field() -> None:
    assert re.fullmatch("[A-Za-z0-9]{20}", random_id())
    assert random_id() != random_id()
    assert wall_clock() > 1_722_409_519_944
