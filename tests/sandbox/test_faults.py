import json
import random
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import pytest

from bulk_update.errors import SettingsError
from bulk_update.sandbox.admission import Arrival
from bulk_update.sandbox.answers import HTTP
from bulk_update.sandbox.faults.acts import Delivery
from bulk_update.sandbox.faults.choosing import Asked, Chooser, drawn
from bulk_update.sandbox.faults.presets import PRESETS, read_faults
from bulk_update.sandbox.faults.rules import Act, Draw, Faults, Match, Rule, parse_faults
from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.service import Conduct, Service
from tests.sandbox.requests import HEADERS

UPDATE = "/v2/activities/update"
NOW = 1_722_409_519_944


def body(*ids: str, organization: str = "o", note: int = 0) -> bytes:
    activities = [{"id": id, "entityData": note} for id in ids]
    return json.dumps({"data": {"organizationId": organization, "activities": activities}}).encode()


def asked(*ids: str, organization: str = "o", path: str = UPDATE, note: int = 0) -> Asked:
    return Asked(path, organization, ids, body(*ids, organization=organization, note=note))


def deliver(workspace: Workspace, act: Act, *ids: str, **match: object) -> Delivery:
    """Send an update of `ids` on which one rule holds."""
    workspace.store.ensure("o", ["a", "b", "c"])
    faults = Faults((Rule(act, Match(**match)),))  # type: ignore[arg-type]
    visit = Service(workspace, Conduct(faults=faults), now=lambda: 0.0).receive(
        Arrival("POST", UPDATE, HEADERS, body(*(ids or ("a", "b", "c"))))
    )
    return visit.answer()


def verdicts(delivery: Delivery) -> dict[str, bool]:
    assert delivery.reply is not None
    answer = json.loads(delivery.reply.body)
    told = answer["result"]["data"] if "result" in answer else answer["error"]["details"]
    return {id: verdict["success"] for id, verdict in told.items()}


def hits(rule: Match, requests: list[Asked], seed: int = 0) -> list[int]:
    chooser = Chooser(Faults((Rule(Act(status=503), rule),), seed))
    return [index for index, request in enumerate(requests) if chooser.choose(request)]


MANY = [asked(f"id-{number}", organization=f"org-{number % 3}") for number in range(12)]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Match(), list(range(12))),
        (Match(organization="org-1"), [1, 4, 7, 10]),
        (Match(organization="*-2"), [2, 5, 8, 11]),
        (Match(id="id-1?"), [10, 11]),
        (Match(every=5), [4, 9]),
        (Match(first=2), [0, 1]),
        (Match(after=10), [10, 11]),
        (Match(organization="org-0", after=1, first=2), [3, 6]),
        (Match(chance=0.0), []),
        (Match(chance=1.0, every=6), [5, 11]),
        (Match(path="get"), []),
        (Match(path="*"), list(range(12))),
    ],
)
def test_a_rule_holds_for_what_it_matches(match: Match, expected: list[int]) -> None:
    assert hits(match, MANY) == expected


def test_chance_comes_from_the_seed_and_the_request_in_whatever_order() -> None:
    requests = [asked(f"id-{number}") for number in range(400)]
    chosen = {requests[index].ids for index in hits(Match(chance=0.25), requests)}
    shuffled = random.Random(1).sample(requests, len(requests))
    assert {shuffled[index].ids for index in hits(Match(chance=0.25), shuffled)} == chosen
    assert {requests[index].ids for index in hits(Match(chance=0.25), requests, seed=1)} != chosen
    assert 70 < len(chosen) < 130


def test_the_same_request_again_draws_again() -> None:
    drawn_again = hits(Match(chance=0.5), [asked("a")] * 40)
    assert 5 < len(drawn_again) < 35


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_seed_and_requests_give_the_same_faults(preset: str) -> None:
    def names(seed: int) -> list[tuple[str, ...]]:
        chooser = Chooser(read_faults(preset, seed))
        return [fault.names if (fault := chooser.choose(request)) else () for request in MANY * 20]

    assert names(7) == names(7)
    assert any(names(7))


def test_latencies_add_up_and_the_first_other_rule_decides() -> None:
    rules = (Rule(Act(latency=0.5)), Rule(Act(status=503)), Rule(Act(latency=0.25)), Rule(Act(drop="before")))
    fault = Chooser(Faults(rules)).choose(asked("a"))
    assert fault is not None
    assert (fault.latency, fault.act, fault.names) == (0.75, rules[1].act, ("rule 1", "rule 2", "rule 3"))


@pytest.mark.parametrize(
    ("delay", "low", "high"),
    [
        (0.5, 0.5, 0.5),
        (Draw(uniform=(0.2, 0.4)), 0.2, 0.4),
        (Draw(normal=(1.0, 5.0), most=2.0), 0.0, 2.0),
        (Draw(exponential=0.1, most=0.3), 0.0, 0.3),
        (Draw(lognormal=(0.3, 0.6), most=5.0), 0.0, 5.0),
    ],
)
def test_a_delay_is_drawn_within_its_bounds(delay: float | Draw, low: float, high: float) -> None:
    chance = random.Random(3)
    values = [drawn(delay, chance) for _ in range(300)]
    assert low <= min(values) <= max(values) <= high
    assert isinstance(delay, float) or len(set(values)) > 30


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 500, 502, 503, 504])
def test_a_status_is_answered_in_place_of_the_change(workspace: Workspace, status: int) -> None:
    reply = deliver(workspace, Act(status=status)).reply
    assert reply is not None
    error = json.loads(reply.body)["error"]
    assert (reply.status, HTTP.get(error["status"], 0) in {status, 500}) == (status, True)
    assert workspace.store.history("o", "a") == []


def test_a_status_after_the_change(workspace: Workspace) -> None:
    reply = deliver(workspace, Act(error="DEADLINE_EXCEEDED", applied=True, message="late")).reply
    assert reply is not None
    assert (reply.status, reply.updated) == (504, 3)
    assert json.loads(reply.body) == {"error": {"message": "late", "status": "DEADLINE_EXCEEDED"}}
    assert len(workspace.store.history("o", "a")) == 1


def test_a_body_of_ones_own(workspace: Workspace) -> None:
    reply = deliver(workspace, Act(status=200, body="<html>", content_type="text/html")).reply
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, b"<html>", "text/html")


def test_retry_after_in_seconds_and_as_a_date(workspace: Workspace) -> None:
    reply = deliver(workspace, Act(status=429, retry_after=3)).reply
    assert reply is not None
    assert reply.headers == (("Retry-After", "3"),)
    reply = deliver(workspace, Act(status=429, retry_after_date=3)).reply
    assert reply is not None
    ((_, date),) = reply.headers
    assert parsedate_to_datetime(date).timestamp() == NOW // 1000 + 3


@pytest.mark.parametrize(("when", "applied"), [("before", 0), ("after", 1)])
def test_a_dropped_connection(workspace: Workspace, when: str, applied: int) -> None:
    delivery = deliver(workspace, Act(drop=when))  # type: ignore[arg-type]
    assert delivery.reply is None
    assert (delivery.lost.updated if delivery.lost else 0) == 3 * applied
    assert len(workspace.store.history("o", "a")) == applied


def test_a_late_cut_and_garbled_answer(workspace: Workspace) -> None:
    delivery = deliver(workspace, Act(late=3.0, cut=0.5, garble=True))
    assert (delivery.delay, delivery.cut) == (3.0, 0.5)
    assert delivery.reply is not None
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(delivery.reply.body)
    assert len(workspace.store.history("o", "a")) == 1


def test_missing_ids_and_other_ids(workspace: Workspace) -> None:
    assert verdicts(deliver(workspace, Act(missing=1.0), id="a")) == {"b": True, "c": True}
    assert verdicts(deliver(workspace, Act(strangers=1))) == {"a": True, "b": True, "c": True, "stranger-1": True}
    assert verdicts(deliver(workspace, Act(missing=1.0, strangers=2))) == {"stranger-1": True, "stranger-2": True}
    assert len(workspace.store.history("o", "a")) == 3


def test_partial_failure(workspace: Workspace) -> None:
    delivery = deliver(workspace, Act(refuse=1.0, details=True), id="b*")
    assert delivery.reply is not None
    assert delivery.reply.status == 500
    assert verdicts(delivery) == {"a": True, "b": False, "c": True}
    assert workspace.store.history("o", "b") == []


def test_the_same_ids_are_refused_for_ever(workspace: Workspace) -> None:
    ids = [f"id-{number}" for number in range(200)]
    workspace.store.ensure("o", ids)
    first, second = (verdicts(deliver(workspace, Act(refuse=0.2), *order)) for order in (ids, ids[::-1]))
    assert first == second
    assert 20 < list(first.values()).count(False) < 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "truncated"),
        (b'{"rules":[{"act":{}}]}', "something to do"),
        (b'[{"act":{"status":42}}]', "status"),
        (b'[{"act":{"status":500},"match":{"chance":2}}]', "chance"),
        (b'[{"act":{"error":"NOPE"}}]', "INVALID_ARGUMENT"),
        (b'[{"act":{"status":429,"retryAfter":1,"retryAfterDate":1}}]', "exclude"),
        (b'[{"act":{"latency":{}}}]', "expected one of uniform"),
        (b'[{"act":{"drop":"maybe"}}]', "drop"),
        (b'[{"when":{},"act":{"drop":"after"}}]', "unknown field"),
    ],
)
def test_rules_that_make_no_sense_are_refused(text: bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_faults(text)


def test_presets_and_files_are_read(tmp_path: Path) -> None:
    assert read_faults("flaky+slow", 3).rules == PRESETS["flaky"] + PRESETS["slow"]
    file = tmp_path / "rules.json"
    file.write_bytes(msgspec.json.encode(read_faults("hostile", 9)))
    assert read_faults(str(file)).rules == PRESETS["hostile"]
    assert read_faults(str(file)).seed == 9
    assert read_faults(str(file), 1).seed == 1
    file.write_text("[{}]")
    with pytest.raises(SettingsError, match=r"rules\.json"):
        read_faults(str(file))
    with pytest.raises(SettingsError, match="expected a preset"):
        read_faults("flakey")
