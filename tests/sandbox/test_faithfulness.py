"""What is stored and returned is what came, to the byte."""

import json

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bulk_update.sandbox import Store, open_sandbox
from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.records import UPDATABLE, seed_record
from tests.sandbox.requests import HEADERS, ask

NASTY = [
    "123456789012345678901234567890",
    "-0",
    "1.0",
    "1E400",
    "0.1000000000000000055511151231257827",
    "18446744073709551616",
    '"\\u00e9\\/\\u0000\\ud83d\\ude00"',
    '"\u2028\x7f\u00e9😀"',
    '{"a":1,"a":2}',
    '{ "b" : [ 1 ,\t2.50 ] , "a" : { } }',
    '{"":"","__proto__":null}',
    "null",
    "[" * 200 + "]" * 200,
]

spaces = st.text(" \t\n\r", max_size=2)
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
characters = st.one_of(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\'),
    st.sampled_from(['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\ud83d\\ude00"]),
    st.integers(0, 0xD7FF).map(lambda code: f"\\u{code:04x}"),
    st.integers(0xE000, 0xFFFF).map(lambda code: f"\\u{code:04X}"),
)
strings = st.lists(characters, max_size=8).map(lambda parts: f'"{"".join(parts)}"')
scalars = st.one_of(numbers, strings, st.sampled_from(["null", "true", "false"]))


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.tuples(spaces, values, spaces).map("".join)
    return st.lists(items, max_size=4).map(lambda parts: f"[{','.join(parts)}]")


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.tuples(spaces, strings, spaces, st.just(":"), spaces, values, spaces).map("".join)
    return st.lists(members, max_size=4).map(lambda parts: f"{{{','.join(parts)}}}")


payloads = st.recursive(scalars, lambda values: arrays(values) | objects(values), max_leaves=5)


def fields_of(record: bytes) -> dict[str, str]:
    """Return the texts of a record's updatable fields."""
    members = msgspec.json.decode(record, type=dict[str, Raw])
    return {name: bytes(members[name]).decode() for name in UPDATABLE if name in members}


def update_of(id: str, fields: dict[str, str]) -> str:
    """Write an activity with the texts of its fields."""
    return "{" + ",".join([f'"id":{json.dumps(id)}', *(f'"{k}":{v}' for k, v in fields.items())]) + "}"


def body_of(*activities: str) -> str:
    return f'{{"data":{{"organizationId":"o","activities":[{",".join(activities)}]}}}}'


fields = st.fixed_dictionaries(
    {},
    optional={
        "changes": objects(payloads),
        "entityData": payloads,
        "entityTargetData": payloads,
        "displayMessageTemplate": strings,
        "displayMessageTemplateData": objects(payloads),
        "actionIcon": strings,
    },
)


@given(st.lists(st.tuples(st.sampled_from("ab"), fields), min_size=1, max_size=4))
def test_any_updates_are_kept_byte_for_byte_and_replace_fields_whole(
    updates: list[tuple[str, dict[str, str]]],
) -> None:
    expected: dict[str, dict[str, str]] = {"a": {}, "b": {}}
    with Store() as store:
        store.ensure("o", ["a", "b"])
        half = len(updates) // 2
        for batch in (updates[:half], updates[half:]):
            body = body_of(*(update_of(id, fields) for id, fields in batch))
            reply = ask(Workspace(store), "/v2/activities/update", body)
            assert reply.status == (200 if batch else 400), reply.body
        for id, fields in updates:
            expected[id] |= fields
        for id, texts in expected.items():
            assert fields_of(store.record("o", id) or b"") == texts
            assert store.history("o", id) == [update_of(id, fields).encode() for name, fields in updates if name == id]


@pytest.mark.parametrize("text", NASTY)
async def test_a_payload_comes_back_over_http_as_it_went(store: Store, text: str) -> None:
    store.ensure("o", ["a"])
    async with open_sandbox(store) as sandbox, aiohttp.ClientSession(headers=HEADERS) as session:
        body = body_of(update_of("a", {"entityData": text}))
        async with session.post(f"{sandbox.url}/v2/activities/update", data=body.encode()) as answer:
            assert answer.status == 200
        query = b'{"data":{"organizationId":"o","activityIds":["a"]}}'
        async with session.post(f"{sandbox.url}/v2/activities/get", data=query) as answer:
            got = await answer.read()
    assert f'"id":"a","entityData":{text},"metadata":'.encode() in got


@given(payloads)
def test_any_seed_comes_back_byte_for_byte(text: str) -> None:
    with Store() as store:
        line = f'{{"organizationId":"o","id":"a","entityData":{text}}}'.replace("\n", " ")
        store.put([seed_record(line.encode())])
        reply = ask(Workspace(store), "/v2/activities/get", {"organizationId": "o"})
    assert f'"id":"a","entityData":{text},"metadata"'.replace("\n", " ").encode() in reply.body
