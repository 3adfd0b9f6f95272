import time
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_update.model import RowError, Status
from bulk_update.pure.tally import MAX_FORGETTABLE, MAX_GROUPS, Failing, Summary, Tally

REFUSED = RowError("not_updated", "Failed to update activity.", 200)
TIMEOUT = RowError("timeout", "no answer in 30 s")


def summary(**counts: int) -> Summary:
    """Make a summary of so many rows."""
    zeros = dict.fromkeys(["rows", *Status], 0) | {"unsent": 0, "requests": 0, "attempts": 0}
    values: dict[str, Any] = zeros | counts
    return Summary(**values, seconds=0.0, ledger="in.ledger.ndjson", complete=True)


def groups_of(tally: Tally) -> list[tuple[object, ...]]:
    return [(group["status"], group["code"], group["count"]) for group in tally.describe_failures()]


# ------------------------------------------------------------------------------------------------- the counts


def test_what_is_read_and_not_settled_is_unsent() -> None:
    tally = Tally()
    tally.read += 10
    tally.settle(Status.UPDATED, 3)
    tally.settle(Status.FAILED)
    tally.settle(Status.INVALID)
    tally.settle(Status.UNKNOWN)
    tally.settle(Status.SUPERSEDED)
    assert tally.unsent == 3
    assert tally.settled == {
        Status.UPDATED: 3,
        Status.FAILED: 1,
        Status.INVALID: 1,
        Status.UNKNOWN: 1,
        Status.SUPERSEDED: 1,
    }


def test_a_result_that_replaces_another_counts_once() -> None:
    tally = Tally()
    tally.read += 2
    tally.settle(Status.FAILED, 2)
    tally.replace(Status.UPDATED, was=Status.FAILED)
    tally.replace(Status.FAILED, was=Status.FAILED)
    assert (tally.settled[Status.UPDATED], tally.settled[Status.FAILED], tally.unsent) == (1, 1, 0)


@given(st.lists(st.tuples(st.sampled_from(Status), st.sampled_from([None, *Status]))))
def test_each_row_counts_once_whatever_becomes_of_it(events: list[tuple[Status, Status | None]]) -> None:
    tally = Tally()
    tally.read = len(events)
    for status, was in events:
        if was is not None and tally.settled[was]:
            tally.replace(status, was)
        else:
            tally.settle(status)
    assert min(tally.settled.values()) >= 0
    counts = {status.value: rows for status, rows in tally.settled.items()}
    assert summary(rows=tally.read, unsent=tally.unsent, **counts).is_balanced()


def test_a_summary_is_balanced_only_when_each_row_is_counted_once() -> None:
    assert summary().is_balanced()
    assert summary(rows=21, updated=1, failed=2, invalid=3, unknown=4, superseded=5, unsent=6).is_balanced()
    assert not summary(rows=1).is_balanced()
    assert not summary(updated=1).is_balanced()
    assert not summary(rows=1, updated=2, unsent=-1).is_balanced()
    for part in (*Status, "unsent"):
        assert summary(**{"rows": 5, part: 5}).is_balanced()
        assert not summary(**{"rows": 5, part: 6}).is_balanced()


def test_a_summary_is_told_whole() -> None:
    told = asdict(summary(rows=1, updated=1))
    assert {"rows", "updated", "failed", "invalid", "unknown", "superseded", "unsent"} <= told.keys()
    assert {"requests", "attempts", "seconds", "ledger", "complete"} <= told.keys()


# ------------------------------------------------------------------------------------------------- the groups


def test_failures_are_grouped_by_status_code_and_message() -> None:
    tally = Tally()
    for line in (7, 8, 9):
        tally.explain(Status.FAILED, REFUSED, Failing(line, f"id-{line}"))
    tally.explain(Status.UNKNOWN, TIMEOUT, Failing(3, "id-3"))
    tally.explain(Status.UNKNOWN, REFUSED, Failing(4, "id-4"))
    assert groups_of(tally) == [("failed", "not_updated", 3), ("unknown", "timeout", 1), ("unknown", "not_updated", 1)]
    first = tally.describe_failures()[0]
    assert first == {
        "status": "failed",
        "code": "not_updated",
        "message": "Failed to update activity.",
        "varies": False,
        "first_line": 7,
        "example": "id-7",
        "count": 3,
        "organizations": 0,
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"colour": found an unknown field', '"color": found an unknown field'),
        ("would be 1,000,001 bytes", "would be 2,345,678 bytes"),
        ("found 501 levels", "found 1502 levels"),
        ("activity 5e0f1c9a is immutable", "activity deadbeef is immutable"),
        ("activity 123e4567-e89b-12d3-a456-426614174000 is", "activity 00000000-aaaa-bbbb-cccc-ddddeeeeffff is"),
        ("id activity-001 is not there", "id a_77 is not there"),
        ("after 1.5 s", "after 30.25 s"),
        ("found byte 0xff at byte 8", "found byte 0xc3 at byte 17"),
        ("id: found the number 17, expected", "id: found the number -1, expected"),
    ],
)
def test_messages_that_differ_in_names_and_numbers_alone_are_one_group(one: str, other: str) -> None:
    tally = Tally()
    tally.explain(Status.INVALID, RowError("c", one), Failing(1, "a"))
    tally.explain(Status.INVALID, RowError("c", other), Failing(2, "b"))
    assert groups_of(tally) == [("invalid", "c", 2)]
    assert tally.describe_failures()[0]["message"] == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("changes: found null", "actionIcon: found null"),
        ("id: found null", "id: found true"),
        ("the effaced decade", "the faceless decade"),
    ],
)
def test_messages_that_differ_in_words_are_two_groups(one: str, other: str) -> None:
    tally = Tally()
    tally.explain(Status.INVALID, RowError("c", one), Failing(1, "a"))
    tally.explain(Status.INVALID, RowError("c", other), Failing(2, "b"))
    assert len(tally.describe_failures()) == 2


def test_a_long_message_takes_no_time() -> None:
    tally = Tally()
    began = time.process_time()
    for text in ("a" * 100_000, '"' * 100_001, "a-" * 50_000, "deadbeef" * 12_500 + "g", "1," * 50_000):
        tally.explain(Status.FAILED, RowError("c", text), Failing(1, "a"))
    assert time.process_time() - began < 1


def word(number: int) -> str:
    """Write a number in letters, so that each makes a message of its own."""
    return "".join("ghijklmnop"[int(digit)] for digit in str(number))


def test_groups_are_bounded_and_no_row_is_left_out() -> None:
    tally = Tally()
    for number in range(3 * MAX_GROUPS):
        for status in (Status.FAILED, Status.UNKNOWN):
            tally.explain(status, RowError("c", word(number)), Failing(number, "a"))
    tally.explain(Status.FAILED, RowError("c", word(0)), Failing(9999, "a"))
    groups = tally.describe_failures()
    assert MAX_GROUPS <= len(groups) <= MAX_GROUPS + len(Status)
    assert sum(group["count"] for group in groups) == 6 * MAX_GROUPS + 1  # type: ignore[misc]
    others = [group for group in groups if group["code"] == "other"]
    assert [group["status"] for group in others] == ["failed", "unknown"]
    assert [group["message"] for group in others] == ["other reasons", "other reasons"]
    known = [group for group in groups if group["message"] == word(0)]
    assert sorted(group["count"] for group in known) == [1, 2]  # type: ignore[type-var]


def test_the_largest_group_comes_first() -> None:
    tally = Tally()
    for number, rows in enumerate([1, 5, 3, 4, 2]):
        for line in range(rows):
            tally.explain(Status.FAILED, RowError("c", word(number)), Failing(line, "a"))
    assert [group["count"] for group in tally.describe_failures()] == [5, 4, 3, 2, 1]


# --------------------------------------------------------------------------------------------- what is retried


def test_a_group_shrinks_when_its_rows_are_retried_and_vanishes_with_the_last() -> None:
    tally = Tally()
    for line in (1, 2):
        tally.explain(Status.FAILED, REFUSED, Failing(line, "a"), key=line)
    tally.forget(1)
    assert groups_of(tally) == [("failed", "not_updated", 1)]
    tally.forget(1)
    assert groups_of(tally) == [("failed", "not_updated", 1)]
    tally.forget(2)
    assert tally.describe_failures() == []


def test_a_row_that_was_not_explained_may_be_forgotten() -> None:
    tally = Tally()
    tally.explain(Status.FAILED, REFUSED, Failing(1, "a"))
    tally.forget(7)
    assert groups_of(tally) == [("failed", "not_updated", 1)]


def test_equal_rows_are_forgotten_one_by_one() -> None:
    """The same change twice in an input is one key and two rows."""
    tally = Tally()
    tally.explain(Status.FAILED, REFUSED, Failing(1, "a"), key=5)
    tally.explain(Status.UNKNOWN, TIMEOUT, Failing(2, "a"), key=5)
    tally.explain(Status.FAILED, REFUSED, Failing(3, "a"), key=5)
    counts = []
    for _ in range(4):
        tally.forget(5)
        counts.append(sum(count for _, _, count in groups_of(tally)))  # type: ignore[misc]
    assert counts == [2, 1, 0, 0]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from([REFUSED, TIMEOUT])), max_size=20))
def test_groups_count_the_rows_that_are_explained_and_not_forgotten(events: list[tuple[bool, int, RowError]]) -> None:
    tally = Tally()
    known: dict[int, int] = {}
    for is_explained, key, error in events:
        if is_explained and known.get(key, 0) < 8:
            tally.explain(Status.FAILED, error, Failing(1, "a"), key=key)
            known[key] = known.get(key, 0) + 1
        elif not is_explained:
            tally.forget(key)
            known[key] = max(0, known.get(key, 0) - 1)
    assert sum(count for _, _, count in groups_of(tally)) == sum(known.values())  # type: ignore[misc]


def test_no_more_rows_are_remembered_than_a_bound() -> None:
    tally = Tally()
    for _ in range(100):
        tally.explain(Status.FAILED, REFUSED, Failing(1, "a"), key=1)
    for key in range(MAX_FORGETTABLE + 1000):
        tally.explain(Status.FAILED, REFUSED, Failing(key, "a"), key=key)
    assert len(tally._reasons) == MAX_FORGETTABLE  # noqa: SLF001
    assert len(tally._reasons[1]) < 20  # noqa: SLF001
