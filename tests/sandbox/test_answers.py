import json
from collections.abc import Callable

import pytest

from bulk_update.sandbox import answers, bodies, page_tokens
from bulk_update.sandbox.answers import HTTP, Refused, Reply
from bulk_update.sandbox.records import Query

READERS: dict[str, Callable[[bytes], object]] = {
    "update": bodies.read_update,
    "get": bodies.read_get,
    "add": bodies.read_add,
    "delete": bodies.read_delete,
    "config": bodies.read_config,
}


def reply_of(body: bytes, found: set[str]) -> Reply:
    """Answer an update of which `found` were updated."""
    ids = [id for id, _ in bodies.read_update(body).activities]
    return answers.update_reply(ids, found, repeated=len(ids) - len(set(ids)))


def refusal_of(endpoint: str, body: bytes | str) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        READERS[endpoint](body.encode() if isinstance(body, str) else body)
    return caught.value.status, caught.value.message


@pytest.mark.parametrize("endpoint", ["update", "get", "add", "delete"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "The body is not JSON"),
        ("{", "The body is not JSON"),
        ('{"data":{}}x', "The body is not JSON"),
        ('{"data":{"organizationId":1},"data"', "The body is not JSON"),
        (b'{"data":{"organizationId":"\xff"}}', "The body is not UTF-8 (byte 27)"),
        ('{"data":' + "[" * 100_000 + "]" * 100_000 + "}", "The body is nested too deeply"),
        ("[]", "Expected `object`, got `array`"),
        ("null", "Expected `object`, got `null`"),
        ("{}", "Object missing required field `data`"),
        ('{"data":null}', "Expected `object`, got `null` - at `$.data`"),
        ('{"data":[]}', "Expected `object`, got `array` - at `$.data`"),
        ('{"data":{"organizationId":1},"more":1}', "extra field `more`"),
        ('{"data":{}}', "Object missing required field `organizationId` - at `$.data`"),
        ('{"data":{"organizationId":1}}', "Expected `str`, got `int` - at `$.data.organizationId`"),
        ('{"data":{"organizationId":""}}', "length >= 1 - at `$.data.organizationId`"),
    ],
)
def test_an_envelope_is_refused(endpoint: str, body: bytes | str, message: str) -> None:
    status, said = refusal_of(endpoint, body)
    assert status == "INVALID_ARGUMENT"
    assert message in said


@pytest.mark.parametrize(
    ("endpoint", "data", "status", "message"),
    [
        ("update", '"activities":{}', "INVALID_ARGUMENT", "Expected `array`, got `object`"),
        ("update", '"activities":[]', "INVALID_ARGUMENT", "length >= 1 - at `$.data.activities`"),
        ("update", '"activities":[{}]', "INVALID_ARGUMENT", "field `id` - at `$.data.activities[0]`"),
        ("update", '"activities":[1]', "INVALID_ARGUMENT", "got `int` - at `$.data.activities[0]`"),
        ("update", '"activities":[{"id":"a"},{"id":2}]', "INVALID_ARGUMENT", "$.data.activities[1].id"),
        ("update", '"activities":[{"id":""}]', "INVALID_ARGUMENT", "$.data.activities[0].id"),
        ("update", '"activities":[{"id":"a"}],"documentId":"d"', "UNIMPLEMENTED", "`$.data.documentId`"),
        ("get", '"activityIds":[]', "INVALID_ARGUMENT", "$.data.activityIds"),
        ("get", '"activityIds":"a"', "INVALID_ARGUMENT", "$.data.activityIds"),
        ("get", '"order":"up"', "INVALID_ARGUMENT", "$.data.order"),
        ("get", '"pageSize":0', "INVALID_ARGUMENT", "$.data.pageSize"),
        ("get", '"pageSize":"10"', "INVALID_ARGUMENT", "$.data.pageSize"),
        ("get", '"featureTypes":["video"]', "INVALID_ARGUMENT", "$.data.featureTypes"),
        ("get", '"pageToken":"encryptedPageToken"', "INVALID_ARGUMENT", "Invalid pageToken."),
        ("get", '"pageToken":"é"', "INVALID_ARGUMENT", "Invalid pageToken."),
        ("get", '"pageToken":"eA"', "INVALID_ARGUMENT", "Invalid pageToken."),
        ("get", '"status":"x"', "UNIMPLEMENTED", "`$.data.status`"),
        ("add", '"activities":[{}]', "INVALID_ARGUMENT", "`documentId`"),
        ("add", '"documentId":"d","activities":[{}]', "INVALID_ARGUMENT", "`$.data.activities[0]`"),
        ("delete", '"userId":"u"', "UNIMPLEMENTED", "`$.data.userId`"),
    ],
)
def test_data_is_refused(endpoint: str, data: str, status: str, message: str) -> None:
    said = refusal_of(endpoint, f'{{"data":{{"organizationId":"o",{data}}}}}')
    assert said[0] == status
    assert message in said[1]


def test_nothing_may_stand_beside_data() -> None:
    body = '{"data":{"organizationId":"o","activities":[{"id":"a"}]},"more":1}'
    assert refusal_of("update", body) == ("INVALID_ARGUMENT", "The body contains an extra field `more`")


def test_an_activity_may_not_be_nested_for_ever() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    body = f'{{"data":{{"organizationId":"o","activities":[{{"id":"a","entityData":{deep}}}]}}}}'
    assert refusal_of("update", body) == ("INVALID_ARGUMENT", "The body is nested too deeply")


def test_a_delete_of_nothing_in_particular_is_refused() -> None:
    status, message = refusal_of("delete", '{"data":{"organizationId":"o"}}')
    assert status == "INVALID_ARGUMENT"
    assert "At least one of documentId, targetEntityId, or activityIds" in message


@pytest.mark.parametrize(
    ("activity", "message"),
    [
        ({"featureType": "custom", "actionType": "t"}, "actionUser"),
        ({"featureType": "video", "actionType": "t", "actionUser": {"userId": "u"}}, "featureType"),
        ({"featureType": "comment", "actionType": "t", "actionUser": {}}, "userId"),
        ({"featureType": "custom", "actionType": "t", "actionUser": {"userId": "u"}}, "Target entity ID is required"),
        (
            {"featureType": "comment", "actionType": "t", "actionUser": {"userId": "u"}, "changes": None},
            "changes",
        ),
    ],
)
def test_an_activity_to_add_is_refused(activity: dict[str, object], message: str) -> None:
    body = json.dumps({"data": {"organizationId": "o", "documentId": "d", "activities": [activity]}})
    status, said = refusal_of("add", body)
    assert status == "INVALID_ARGUMENT"
    assert message in said


def test_unknown_keys_of_an_activity_are_no_reason_to_refuse() -> None:
    body = b'{"data":{"organizationId":"o","activities":[{"id":"a","featureType":"x","surprise":[1]}]}}'
    assert [id for id, _ in bodies.read_update(body).activities] == ["a"]


@pytest.mark.parametrize("body", [b"", b'{"data":{}}'])
def test_the_configuration_needs_no_body(body: bytes) -> None:
    bodies.read_config(body)


def test_the_configuration_takes_nothing() -> None:
    assert refusal_of("config", '{"data":{"a":1}}')[0] == "UNIMPLEMENTED"


def test_a_page_token_continues_its_own_query_alone() -> None:
    query = Query("o", features=("comment",))
    token = page_tokens.page_token(query, 7, 'id "x" é')
    body = f'{{"data":{{"organizationId":"o","featureTypes":["comment"],"pageToken":"{token}"}}}}'
    assert bodies.read_get(body.encode()).query.after == (7, 'id "x" é')
    other = f'{{"data":{{"organizationId":"o","pageToken":"{token}"}}}}'
    assert refusal_of("get", other) == ("INVALID_ARGUMENT", "The pageToken belongs to another query.")


@pytest.mark.parametrize("status", HTTP)
def test_a_refusal_has_the_number_of_its_status(status: str) -> None:
    reply = answers.refusal(Refused(status, 'said "so"'))
    assert reply == Reply(
        HTTP[status],
        json.dumps({"error": {"message": 'said "so"', "status": status}}, separators=(",", ":")).encode(),
    )


def test_an_id_asked_for_twice_gets_one_verdict_and_is_counted() -> None:
    body = b'{"data":{"organizationId":"o","activities":[{"id":"a"},{"id":"b"},{"id":"a"},{"id":"a"}]}}'
    reply = reply_of(body, {"a"})
    assert list(json.loads(reply.body)["result"]["data"]) == ["a", "b"]
    assert (reply.updated, reply.failed, reply.duplicates) == (1, 1, 2)


@pytest.mark.parametrize("id", ['a"b', "a\\b", "\x00", "é\u2028😀", "__proto__", "10"])
def test_any_id_is_a_key_of_the_answer(id: str) -> None:
    body = json.dumps({"data": {"organizationId": "o", "activities": [{"id": id}]}})
    reply = reply_of(body.encode(), {id})
    assert json.loads(reply.body)["result"]["data"] == {id: {"success": True, "message": "Activity updated."}}
