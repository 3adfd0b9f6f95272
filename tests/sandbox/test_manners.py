import json
from dataclasses import replace

import pytest

from bulk_update.sandbox.manners import Manners, Sent, Violations


def sent(request: int, *changes: tuple[str, int], organization: str = "o") -> Sent:
    activities = [{"id": id, "entityData": version} for id, version in changes]
    body = json.dumps({"data": {"organizationId": organization, "activities": activities}}).encode()
    return Sent(request, organization, [id for id, _ in changes], body)


@pytest.fixture
def manners() -> Manners:
    return Manners()


def exchange(manners: Manners, update: Sent, *settled: str) -> None:
    manners.begin(update)
    manners.end(update, settled)


def test_good_manners_count_nothing(manners: Manners) -> None:
    exchange(manners, sent(1, ("a", 1), ("b", 1)), "a", "b")
    exchange(manners, sent(2, ("a", 2)), "a")
    exchange(manners, sent(3, ("a", 1)), "a")
    assert manners.violations == Violations()


def test_an_id_twice_in_a_request(manners: Manners) -> None:
    exchange(manners, sent(1, ("a", 1), ("b", 1), ("a", 2), ("a", 3)), "a", "b")
    assert manners.violations == Violations(repeated_ids=2)
    assert {(each.request, each.id) for each in manners.examples} == {(1, "a")}


def test_an_id_in_two_requests_at_once(manners: Manners) -> None:
    first, second = sent(1, ("a", 1), ("b", 1)), sent(2, ("b", 2), ("c", 1))
    manners.begin(first)
    manners.begin(second)
    manners.begin(elsewhere := sent(3, ("b", 1), organization="p"))
    manners.end(elsewhere, ["b"])
    manners.end(first, ["a", "b"])
    manners.end(second, ["b", "c"])
    exchange(manners, sent(4, ("b", 3)), "b")
    assert manners.violations == Violations(overlapping_ids=1)


def test_a_client_that_gave_up_may_send_again(manners: Manners) -> None:
    manners.begin(replace(sent(1, ("a", 1)), is_awaited=lambda: False))
    manners.begin(sent(2, ("a", 1)))
    assert manners.violations == Violations()


def test_a_change_that_comes_back_after_a_newer_one(manners: Manners) -> None:
    exchange(manners, sent(1, ("a", 1), ("b", 1)), "b")
    exchange(manners, sent(2, ("a", 2)), "a")
    exchange(manners, sent(3, ("a", 1)), "a")
    assert manners.violations == Violations(out_of_order=1)


def test_a_change_sent_again_until_it_has_a_verdict_is_in_order(manners: Manners) -> None:
    for request in range(1, 4):
        exchange(manners, sent(request, ("a", 1), ("b", 1)))
    exchange(manners, sent(4, ("b", 1)), "b")
    exchange(manners, sent(5, ("a", 1)), "a")
    exchange(manners, sent(6, ("a", 2)), "a")
    exchange(manners, sent(7, ("a", 1)), "a")
    assert manners.violations == Violations()


def test_a_change_that_was_given_up_is_no_fault(manners: Manners) -> None:
    exchange(manners, sent(1, ("a", 1)))
    exchange(manners, sent(2, ("a", 2)))
    exchange(manners, sent(3, ("a", 2)), "a")
    assert manners.violations == Violations()


def test_credentials_in_a_body(manners: Manners) -> None:
    manners.look_for_secrets(1, "o", ["key-12345678", "token-12345678"], b'{"apiKey":"key-12345678"}')
    manners.look_for_secrets(2, "o", ["short", ""], b'{"short":""}')
    assert manners.violations == Violations(credentials_in_body=1)
    assert manners.secrets == {"key-12345678"}
    assert "12345678" not in repr(manners.examples)
    manners.reset()
    assert manners.violations.total == 0
