"""The books: each row is counted once, later changes of it may leave, and who listens is told in time."""

from collections.abc import Collection, Sequence

import pytest

from bulk_update.edge.books import FAIR_SAMPLE, TELLING_AGAIN, Books, MaxFailures
from bulk_update.errors import BulkUpdateError, TooManyFailures
from bulk_update.model import Attempted, Change, Invalid, RowError, Settled, Status
from bulk_update.pure.failure_groups import Failing
from bulk_update.pure.settled import row_key
from bulk_update.pure.tally import Tally
from tests.fake_api import Listener

REFUSED = RowError("not_updated", "Failed to update activity.", 200)


def change(number: int, was: str = "") -> Change:
    return Change("org-1", f"a{number}", number, 0, number, 1, b"{}", was)


class Desk:
    """Books, and what they do to their neighbours."""

    def __init__(self, max_failures: MaxFailures = MaxFailures(), *, heard: bool = True) -> None:
        self.tally = Tally()
        self.released: list[str] = []
        self.stops: list[BulkUpdateError] = []
        self.listener = Listener()
        observer = self.listener if heard else None
        self.books = Books(self.tally, self.release, self.stops.append, max_failures, observer)

    def release(self, organization: str, ids: Collection[str]) -> None:
        assert organization == "org-1"
        self.released += ids

    def settle(self, updated: Sequence[Change], failed: Sequence[Change] = ()) -> None:
        self.tally.read += sum(not one.was for one in (*updated, *failed))
        self.books.settled(
            Settled(
                "org-1",
                updated,
                [(one, Status.FAILED, REFUSED) for one in failed],
                [one.id for one in (*updated, *failed)],
            )
        )


def test_rows_are_counted_by_what_became_of_them() -> None:
    desk = Desk()
    desk.settle([change(1), change(2)], [change(3)])
    desk.books.invalid([Invalid(4, 0, 4, None, None, "not_json", "no", b"")])
    counts = {status: count for status, count in desk.tally.settled.items() if count}
    assert counts == {Status.UPDATED: 2, Status.FAILED: 1, Status.INVALID: 1}


def test_later_changes_of_whatever_is_final_may_leave() -> None:
    desk = Desk()
    desk.settle([change(1), change(2)], [change(3)])
    assert sorted(desk.released) == ["a1", "a2", "a3"]


def test_everyone_is_told_of_each_row_once() -> None:
    desk = Desk()
    desk.settle([change(1)], [change(2)])
    desk.books.invalid([Invalid(3, 1, 3, "org-9", None, "not_json", "no", b"")])
    desk.books.superseded([change(4, was="failed")] if desk.tally.settled[Status.FAILED] else [])
    told = [(one.line, one.input, one.organization, one.status) for one in desk.listener.told]
    assert told == [
        (1, 0, "org-1", Status.UPDATED),
        (2, 0, "org-1", Status.FAILED),
        (3, 1, "org-9", Status.INVALID),
        (4, 0, "org-1", Status.SUPERSEDED),
    ]


def test_a_result_in_the_place_of_an_earlier_one_is_not_counted_twice() -> None:
    desk = Desk()
    desk.tally.read = 2
    for number in (1, 2):  # as they are found in the ledger
        desk.tally.settle(Status.FAILED)
        key = row_key("org-1", f"a{number}", number)
        desk.tally.explain(Status.FAILED, REFUSED, Failing(number, f"a{number}"), key)
    desk.settle([change(1, was="failed")], [change(2, was="failed")])
    assert (desk.tally.settled[Status.UPDATED], desk.tally.settled[Status.FAILED]) == (1, 1)
    assert desk.tally.unsent == 0
    assert [group["count"] for group in desk.tally.describe_failures()] == [1]


async def test_without_anyone_who_listens_all_is_counted() -> None:
    desk = Desk(heard=False)
    desk.settle([], [change(1)])
    desk.books.invalid([Invalid(2, 0, 2, None, None, "not_json", "no", b"")])
    desk.books.superseded([change(1, was="failed")])
    desk.books.outage_changed(1.0)
    assert sum(desk.tally.settled.values()) == 2


def test_a_first_answer_without_a_success_is_told_loudly_and_once() -> None:
    desk = Desk()
    desk.settle([], [change(1), change(2)])
    desk.settle([], [change(3), change(4)])
    assert [notice.startswith("WARNING: no row of the first answer is") for notice in desk.listener.notices] == [True]
    assert "Failed to update activity." in desk.listener.notices[0]


def test_first_answers_of_a_row_each_are_told_when_they_are_enough_to_tell_anything() -> None:
    desk = Desk()
    desk.settle([], [change(1)])
    assert desk.listener.notices == []
    desk.settle([], [change(2)])
    assert ["no row of the first 2 answers is updated" in notice for notice in desk.listener.notices] == [True]


def test_a_row_that_fails_is_nothing_to_be_told_when_another_is_updated() -> None:
    desk = Desk()
    desk.settle([], [change(1)])
    desk.settle([change(2)])
    desk.settle([], [change(3), change(4)])
    assert desk.listener.notices == []


@pytest.mark.parametrize(("rows", "is_told"), [(1, False), (TELLING_AGAIN - 1, False), (TELLING_AGAIN, True)])
def test_a_few_rows_that_fail_again_are_no_news(rows: int, is_told: bool) -> None:
    desk = Desk()
    desk.tally.settle(Status.FAILED, rows)
    desk.tally.read = rows
    desk.settle([], [change(number, was="failed") for number in range(rows)])
    assert len(desk.listener.notices) == is_told


def test_a_first_answer_that_settles_nothing_is_no_first_answer() -> None:
    desk = Desk()
    desk.settle([], [])
    assert desk.listener.notices == []
    desk.settle([], [change(1), change(2)])
    assert len(desk.listener.notices) == 1


def test_a_first_answer_with_a_success_is_nothing_to_be_told() -> None:
    desk = Desk()
    desk.settle([change(1)], [change(2)])
    desk.settle([], [change(3)])
    assert desk.listener.notices == []


async def test_an_outage_is_told_when_it_begins_and_when_it_is_over() -> None:
    desk = Desk()
    desk.books.outage_changed(5.0)
    since = [desk.books.outages.since]
    desk.books.outage_changed(None)
    since.append(desk.books.outages.since)
    assert since == [5.0, None]
    assert len(desk.listener.notices) == 2


def test_attempts_answers_and_retries_are_counted_apart() -> None:
    desk = Desk()
    for http, trouble in ((200, None), (503, "unavailable"), (None, "timeout")):
        desk.books.attempted(Attempted("org-1", 3, 0.1, http, trouble))
    assert (desk.books.attempts, desk.books.answered, desk.books.retries) == (3, 1, 2)


@pytest.mark.parametrize(
    ("trouble", "activities", "is_answer"),
    [
        (None, 3, True),
        ("refused", 1, True),
        ("refused", 3, False),  # halved: its parts are answered
        ("too_large", 1, True),
        ("no_such_place", 1, True),
        ("credentials", 1, False),
        ("throttled", 1, False),
        ("server_error", 1, False),
        ("web_page", 1, False),
    ],
)
def test_an_answer_is_one_that_tells_what_became_of_the_rows(
    trouble: str | None, activities: int, is_answer: bool
) -> None:
    desk = Desk()
    desk.books.attempted(Attempted("org-1", activities, 0.1, 200, trouble))
    assert desk.books.answered == is_answer


LIMITS = [
    (MaxFailures(), 10**6, 10**6, False),
    (MaxFailures(rows=0), 0, 5, False),
    (MaxFailures(rows=0), 1, 5, True),
    (MaxFailures(rows=3), 3, 3, False),
    (MaxFailures(rows=3), 4, 4, True),
    (MaxFailures(share=0.1), FAIR_SAMPLE - 1, FAIR_SAMPLE - 1, False),
    (MaxFailures(share=0.1), FAIR_SAMPLE // 10, FAIR_SAMPLE, False),
    (MaxFailures(share=0.1), FAIR_SAMPLE // 10 + 1, FAIR_SAMPLE, True),
    (MaxFailures(share=0.0), 1, FAIR_SAMPLE, True),
    (MaxFailures(share=1.0), FAIR_SAMPLE, FAIR_SAMPLE, False),
    (MaxFailures(share=0.0), 0, 0, False),
]


@pytest.mark.parametrize(("limit", "failed", "settled", "exceeded"), LIMITS)
def test_too_many_failures_are_more_than_allowed(
    limit: MaxFailures,
    failed: int,
    settled: int,
    exceeded: bool,
) -> None:
    assert limit.is_exceeded(failed, settled) == exceeded


def test_too_many_failures_stop_the_run_and_invalid_rows_are_none() -> None:
    desk = Desk(MaxFailures(rows=1))
    desk.books.invalid([Invalid(n, 0, n, None, None, "not_json", "no", b"") for n in range(50)])
    desk.settle([change(1)], [change(2)])
    assert desk.stops == []
    desk.settle([], [change(3)])
    assert [type(stop) for stop in desk.stops] == [TooManyFailures]
    assert str(desk.stops[0]) == "2 rows had failed by then, more than --max-failures allows"
