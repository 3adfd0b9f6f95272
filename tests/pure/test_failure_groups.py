import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_update.model import RowError, Status
from bulk_update.pure.failure_groups import MAX_FORGETTABLE, MAX_GROUPS, Failing, FailureGroups

REFUSED = RowError("not_updated", "Failed to update activity.", 200)
TIMEOUT = RowError("timeout", "no answer in 30 s")
NONE = dict.fromkeys(Status, 0)


def described(groups: FailureGroups) -> Sequence[dict[str, object]]:
    return [dict(group) for group in groups.describe(NONE)]


def groups_of(groups: FailureGroups) -> list[tuple[object, ...]]:
    return [(group["status"], group["code"], group["count"]) for group in described(groups)]


# ------------------------------------------------------------------------------------------------- the groups


def test_failures_are_grouped_by_status_code_and_message() -> None:
    groups = FailureGroups()
    for line in (7, 8, 9):
        groups.explain(Status.FAILED, REFUSED, Failing(line, f"id-{line}"))
    groups.explain(Status.UNKNOWN, TIMEOUT, Failing(3, "id-3"))
    groups.explain(Status.UNKNOWN, REFUSED, Failing(4, "id-4"))
    assert groups_of(groups) == [("failed", "not_updated", 3), ("unknown", "timeout", 1), ("unknown", "not_updated", 1)]
    first = described(groups)[0]
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
    groups = FailureGroups()
    groups.explain(Status.INVALID, RowError("c", one), Failing(1, "a"))
    groups.explain(Status.INVALID, RowError("c", other), Failing(2, "b"))
    assert groups_of(groups) == [("invalid", "c", 2)]
    assert described(groups)[0]["message"] == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("changes: found null", "actionIcon: found null"),
        ("id: found null", "id: found true"),
        ("the effaced decade", "the faceless decade"),
    ],
)
def test_messages_that_differ_in_words_are_two_groups(one: str, other: str) -> None:
    groups = FailureGroups()
    groups.explain(Status.INVALID, RowError("c", one), Failing(1, "a"))
    groups.explain(Status.INVALID, RowError("c", other), Failing(2, "b"))
    assert len(described(groups)) == 2


def test_a_long_message_takes_no_time() -> None:
    groups = FailureGroups()
    began = time.process_time()
    for text in ("a" * 100_000, '"' * 100_001, "a-" * 50_000, "deadbeef" * 12_500 + "g", "1," * 50_000):
        groups.explain(Status.FAILED, RowError("c", text), Failing(1, "a"))
    assert time.process_time() - began < 1


def word(number: int) -> str:
    """Write a number in letters, so that each makes a message of its own."""
    return "".join("ghijklmnop"[int(digit)] for digit in str(number))


def test_groups_are_bounded_and_no_row_is_left_out() -> None:
    groups = FailureGroups()
    for number in range(3 * MAX_GROUPS):
        for status in (Status.FAILED, Status.UNKNOWN):
            groups.explain(status, RowError("c", word(number)), Failing(number, "a"))
    groups.explain(Status.FAILED, RowError("c", word(0)), Failing(9999, "a"))
    found = described(groups)
    assert MAX_GROUPS <= len(found) <= MAX_GROUPS + len(Status)
    assert sum(group["count"] for group in found) == 6 * MAX_GROUPS + 1  # type: ignore[misc]
    others = [group for group in found if group["code"] == "other"]
    assert [group["status"] for group in others] == ["failed", "unknown"]
    assert [group["message"] for group in others] == ["other reasons", "other reasons"]
    known = [group for group in found if group["message"] == word(0)]
    assert sorted(group["count"] for group in known) == [1, 2]  # type: ignore[type-var]


def test_the_largest_group_comes_first() -> None:
    groups = FailureGroups()
    for number, rows in enumerate([1, 5, 3, 4, 2]):
        for line in range(rows):
            groups.explain(Status.FAILED, RowError("c", word(number)), Failing(line, "a"))
    assert [group["count"] for group in described(groups)] == [5, 4, 3, 2, 1]


# --------------------------------------------------------------------------------------------- what is retried


def test_a_group_shrinks_when_its_rows_are_retried_and_vanishes_with_the_last() -> None:
    groups = FailureGroups()
    for line in (1, 2):
        groups.explain(Status.FAILED, REFUSED, Failing(line, "a"), key=line)
    groups.forget(1)
    assert groups_of(groups) == [("failed", "not_updated", 1)]
    groups.forget(1)
    assert groups_of(groups) == [("failed", "not_updated", 1)]
    groups.forget(2)
    assert described(groups) == []


def test_a_row_that_was_not_explained_may_be_forgotten() -> None:
    groups = FailureGroups()
    groups.explain(Status.FAILED, REFUSED, Failing(1, "a"))
    groups.forget(7)
    assert groups_of(groups) == [("failed", "not_updated", 1)]


def test_equal_rows_are_forgotten_one_by_one() -> None:
    """The same change twice in an input is one key and two rows."""
    groups = FailureGroups()
    groups.explain(Status.FAILED, REFUSED, Failing(1, "a"), key=5)
    groups.explain(Status.UNKNOWN, TIMEOUT, Failing(2, "a"), key=5)
    groups.explain(Status.FAILED, REFUSED, Failing(3, "a"), key=5)
    counts = []
    for _ in range(4):
        groups.forget(5)
        counts.append(sum(count for _, _, count in groups_of(groups)))  # type: ignore[misc]
    assert counts == [2, 1, 0, 0]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from([REFUSED, TIMEOUT])), max_size=20))
def test_groups_count_the_rows_that_are_explained_and_not_forgotten(events: list[tuple[bool, int, RowError]]) -> None:
    groups = FailureGroups()
    known: dict[int, int] = {}
    for is_explained, key, error in events:
        if is_explained:
            groups.explain(Status.FAILED, error, Failing(1, "a"), key=key)
            known[key] = known.get(key, 0) + 1
        elif not is_explained:
            groups.forget(key)
            known[key] = max(0, known.get(key, 0) - 1)
    assert sum(count for _, _, count in groups_of(groups)) == sum(known.values())  # type: ignore[misc]


def test_no_more_rows_are_remembered_than_a_bound_and_no_more_are_told_than_there_are() -> None:
    groups = FailureGroups()
    for key in range(MAX_FORGETTABLE + 1000):
        groups.explain(Status.FAILED, REFUSED, Failing(key, "a"), key=key)
    assert len([*groups.known()]) == MAX_FORGETTABLE
    assert not groups.are_outdated(NONE | {Status.FAILED: MAX_FORGETTABLE + 1000})
    for key in range(MAX_FORGETTABLE + 1000):
        groups.forget(key)
    assert groups.are_outdated(NONE | {Status.FAILED: 3})
    assert [group["count"] for group in groups.describe(NONE | {Status.FAILED: 3})] == [3]
    assert groups.describe(NONE) == []


# --------------------------------------------------------------------------------------------- the first of them


def test_the_first_row_of_a_group_is_the_first_of_the_input_whoever_was_answered_first() -> None:
    groups = FailureGroups()
    for order, line in ((1, 2), (0, 9), (0, 5), (0, 7), (1, 1)):
        groups.explain(Status.FAILED, REFUSED, Failing(line, f"{order}-{line}", input=f"in-{order}", order=order))
    (group,) = described(groups)
    assert (group["input"], group["first_line"], group["example"]) == ("in-0", 5, "0-5")


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=12), st.data())
def test_the_first_row_of_a_group_is_one_that_was_not_forgotten(
    rows: list[tuple[int, bool]], data: st.DataObject
) -> None:
    groups = FailureGroups()
    left = []
    for key, (line, is_remembered) in enumerate(rows):
        groups.explain(Status.FAILED, REFUSED, Failing(line, str(key)), key=key if is_remembered else None)
        if is_remembered and data.draw(st.booleans()):
            groups.forget(key)
        else:
            left.append((line, str(key)))
    found = [(group["first_line"], group["example"], group["count"]) for group in described(groups)]
    assert found == ([(*min(left), len(left))] if left else [])
