from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import RowError, Status
from bulk_update.pure.failure_groups import Failing
from bulk_update.pure.settled import SettledRows
from bulk_update.pure.tally import Summary, Tally

REFUSED = RowError("not_updated", "Failed to update activity.", 200)


def summary(**counts: int) -> Summary:
    """Make a summary of so many rows."""
    zeros = dict.fromkeys(["rows", *Status], 0) | {"unsent": 0, "requests": 0, "attempts": 0}
    values: dict[str, Any] = zeros | counts
    return Summary(**values, seconds=0.0, ledger="in.ledger.ndjson", complete=True)


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


# ------------------------------------------------------------------------------------------------- the failures


def test_failures_are_of_rows_that_the_input_has() -> None:
    tally, settled = Tally(), SettledRows()
    for key, line in ((1, 1), (2, 2), (2, 3), (3, 4)):
        tally.explain(Status.FAILED, REFUSED, Failing(line, f"id-{key}"), key)
    settled.add_all([1, 2, 9], Status.FAILED)
    settled.add_all([3], Status.UPDATED)
    tally.forget_absent(settled)
    (group,) = tally.describe_failures()
    assert (group["count"], group["first_line"], group["example"]) == (2, 3, "id-2")
