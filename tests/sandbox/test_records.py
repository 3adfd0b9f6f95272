import json
import re

import pytest

from bulk_update.sandbox.records import Record, current, seed_record


def test_a_seed_keeps_the_record_as_it_stood() -> None:
    line = b'{"organizationId":"o","id":"a","n":1.0,"big":123456789012345678901234567890,"s":"\\u00e9"}\n'
    record = seed_record(line)
    assert record == Record("o", "a", line.strip())
    assert current("o", "a", record.body, []) == (
        b'{"id":"a","n":1.0,"big":123456789012345678901234567890,"s":"\\u00e9",'
        b'"metadata":{"apiKey":"sandbox","organizationId":"o"}}'
    )


def test_a_seed_is_found_by_what_it_holds() -> None:
    line = {
        "organizationId": "o",
        "id": "a",
        "featureType": "comment",
        "actionType": "comment.add",
        "actionUser": {"userId": "u", "name": "N"},
        "targetEntityId": "t",
        "timestamp": 5,
        "metadata": {"documentId": "d"},
        "immutable": True,
    }
    found = seed_record(json.dumps(line).encode())
    assert (found.feature, found.action, found.user) == ("comment", "comment.add", "u")
    assert (found.target, found.document, found.timestamp, found.immutable) == ("t", "d", 5, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "truncated"),
        (b"[]", "got `array`"),
        (b'{"id":"a"}', "organizationId"),
        (b'{"organizationId":"o"}', "`id`"),
        (b'{"organizationId":"o","id":""}', "$.id"),
        (b'{"organizationId":"o","id":7}', "$.id"),
        (b'{"organizationId":"o","id":"a","changes":null}', "$.changes"),
        (b'{"organizationId":"o","id":"a","timestamp":-1}', "$.timestamp"),
        (b'{"organizationId":"o","id":"a","entityData":"\xff"}', "utf-8"),
        (b'{"organizationId":"o","id":"a","x":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_record_is_told_apart(line: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        seed_record(line)


def test_updates_replace_fields_whole_and_in_order() -> None:
    body = b'{"id":"a","changes":{"x":{"from":1,"to":2}},"featureType":"comment","metadata":{}}'
    updates = [
        b'{"id":"a","changes":{"y":{"from":0,"to":1.0}},"actionIcon":"i"}',
        b'{"id":"a","actionIcon":"j","entityData":null}',
    ]
    assert current("o", "a", body, updates) == (
        b'{"id":"a","changes":{"y":{"from":0,"to":1.0}},"featureType":"comment","metadata":{},'
        b'"actionIcon":"j","entityData":null}'
    )


def test_an_update_changes_nothing_that_is_not_updatable() -> None:
    body = b'{"id":"a","featureType":"comment","timestamp":5,"immutable":false,"metadata":{}}'
    update = b'{"id":"b","featureType":"crdt","timestamp":6,"immutable":true,"metadata":1,"surprise":2}'
    assert current("o", "a", body, [update]) == body


def test_a_record_without_a_body_has_its_id_and_what_is_known() -> None:
    assert current("o", 'a"', None, []) == (b'{"id":"a\\"","metadata":{"apiKey":"sandbox","organizationId":"o"}}')
