"""Every example of the official page on update, word for word, over HTTP."""

import json
from typing import Any

import aiohttp
import pytest

from bulk_update.sandbox import Sandbox, Store, open_sandbox
from tests.sandbox.requests import HEADERS

SINGLE_REQUEST = """\
{
  "data": {
    "organizationId": "org-123",
    "activities": [
      {
        "id": "activity-001",
        "displayMessageTemplate": "{{user}} updated the comment"
      }
    ]
  }
}
"""

MULTIPLE_REQUEST = """\
{
  "data": {
    "organizationId": "org-123",
    "activities": [
      {
        "id": "activity-001",
        "displayMessageTemplate": "{{user}} updated the comment",
        "displayMessageTemplateData": {
          "user": {
            "userId": "user-1",
            "name": "User Name"
          }
        }
      },
      {
        "id": "activity-002",
        "actionIcon": "https://example.com/icons/edit.svg"
      }
    ]
  }
}
"""

SUCCESS_RESPONSE = """\
{
  "result": {
    "status": "success",
    "message": "Activity(s) updated successfully.",
    "data": {
      "activity-001": {
        "success": true,
        "message": "Activity updated."
      }
    }
  }
}
"""

NOT_FOUND_RESPONSE = """\
{
  "result": {
    "status": "success",
    "message": "Activity(s) updated successfully.",
    "data": {
      "activity-001": {
        "success": false,
        "message": "Failed to update activity."
      },
      "activity-002": {
        "success": true,
        "message": "Activity updated."
      }
    }
  }
}
"""

FAILURE_RESPONSE = """\
{
  "error": {
    "message": "ERROR_MESSAGE",
    "status": "INVALID_ARGUMENT"
  }
}
"""

TYPES = {
    "changes": ('{"status":{"from":"open","to":"closed"}}', ['"open"', "[]", "1", "null"]),
    "entityData": ('[{"any":[1,"x",null]}]', []),
    "entityTargetData": ("null", []),
    "displayMessageTemplate": ('"{{user}} did"', ["{}", "[]", "1", "true", "null"]),
    "displayMessageTemplateData": ('{"user":{"name":"N"}}', ['"x"', "[]", "null"]),
    "actionIcon": ('"https://example.com/i.svg"', ["{}", "[]", "0", "null"]),
}
"""Each field of the page that can be updated: a value of its type, and values of others."""


def compact(text: str | bytes) -> str:
    """Return JSON without its layout, members in their order."""
    return json.dumps(json.loads(text))


async def send(sandbox: Sandbox, body: str) -> tuple[int, str, bytes]:
    """Send an update; return HTTP status, content type and body of the answer."""
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.post(f"{sandbox.url}/v2/activities/update", data=body.encode()) as response,
    ):
        return response.status, response.content_type, await response.read()


@pytest.mark.parametrize(
    ("existing", "request_body", "response_body"),
    [
        (["activity-001"], SINGLE_REQUEST, SUCCESS_RESPONSE),
        (["activity-002"], MULTIPLE_REQUEST, NOT_FOUND_RESPONSE),
    ],
    ids=["single", "multiple"],
)
async def test_examples(store: Store, existing: list[str], request_body: str, response_body: str) -> None:
    store.ensure("org-123", existing)
    async with open_sandbox(store) as sandbox:
        status, content_type, answer = await send(sandbox, request_body)
    assert (status, content_type) == (200, "application/json")
    assert compact(answer) == compact(response_body)


async def test_multiple_when_all_are_found_updates_all(store: Store) -> None:
    store.ensure("org-123", ["activity-001", "activity-002"])
    async with open_sandbox(store) as sandbox:
        _, _, answer = await send(sandbox, MULTIPLE_REQUEST)
    verdict = {"success": True, "message": "Activity updated."}
    assert json.loads(answer)["result"]["data"] == {"activity-001": verdict, "activity-002": verdict}
    first, second = json.loads(MULTIPLE_REQUEST)["data"]["activities"]
    assert first.items() <= json.loads(store.record("org-123", "activity-001") or b"").items()
    assert second.items() <= json.loads(store.record("org-123", "activity-002") or b"").items()


async def test_failure_response(store: Store) -> None:
    async with open_sandbox(store) as sandbox:
        status, content_type, answer = await send(sandbox, '{"data": {"activities": []}}')
    assert (status, content_type) == (400, "application/json")
    error: dict[str, Any] = json.loads(answer)["error"]
    assert compact(answer.replace(error["message"].encode(), b"ERROR_MESSAGE")) == compact(FAILURE_RESPONSE)


@pytest.mark.parametrize("field", TYPES)
async def test_a_field_of_its_type_is_taken_whole(store: Store, field: str) -> None:
    store.ensure("org-123", ["a"])
    value, _ = TYPES[field]
    body = f'{{"data":{{"organizationId":"org-123","activities":[{{"id":"a","{field}":{value}}}]}}}}'
    async with open_sandbox(store) as sandbox:
        status, _, _ = await send(sandbox, body)
    assert status == 200
    assert json.loads(store.record("org-123", "a") or b"")[field] == json.loads(value)


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, (_, wrong) in TYPES.items() for value in wrong])
async def test_a_field_of_another_type_refuses_the_request(store: Store, field: str, value: str) -> None:
    store.ensure("org-123", ["a", "b"])
    body = (
        '{"data":{"organizationId":"org-123","activities":'
        f'[{{"id":"b","entityData":1}},{{"id":"a","{field}":{value}}}]}}}}'
    )
    async with open_sandbox(store) as sandbox:
        status, _, answer = await send(sandbox, body)
    error = json.loads(answer)["error"]
    assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert f"$.data.activities[1].{field}" in error["message"]
    assert store.history("org-123", "b") == []
