"""`retry` from the ledger alone: again and again, and never an older change over a newer one."""

import tracemalloc
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_update.model import Change, RowError, Status
from bulk_update.pure.ledger_lines import DOUBT, ResultLine, ResultWriter, decode_line
from bulk_update.pure.retry_plan import RetryPlan, change_again
from bulk_update.pure.seals import Append
from tests.pure.paper import (
    APPLIED_UNTOLD,
    LOST_UNTOLD,
    OK,
    REFUSED,
    Fields,
    Paper,
    expected_api,
    read_back,
    read_rows,
    record,
    values_of,
)

MOST_BYTES_A_FAILED_ROW = 500

OLD = record("x", actionIcon="old", displayMessageTemplate="old", entityData={"n": 1})
NEW = record("x", actionIcon="new", displayMessageTemplate="new")
ALL = record("x", actionIcon="all", displayMessageTemplate="all", entityData=[], changes={})


def by_icon(**words: str) -> Callable[[Change], str]:
    """Give a verdict by what a change sets the icon to; others are updated."""
    return lambda change: words.get(values_of(change).get("actionIcon", ""), OK)


def again(paper: Paper) -> list[Change]:
    """List the changes that `retry` would send or supersede."""
    _, plan, _ = read_back(paper.ledger)
    changes = []
    for row in plan.rows():
        line = decode_line(paper.ledger[row.offset : row.offset + row.size])
        assert isinstance(line, ResultLine)
        changes.append(change_again(row, line, 0))
    return changes


def test_failed_and_unknown_rows_are_sent_again_and_no_others() -> None:
    rows = [record(name, actionIcon=name) for name in ("fine", "refused", "mute", "lost")] + ["{", record("y", no=1)]
    paper = Paper().run(rows, by_icon(refused=REFUSED, mute=APPLIED_UNTOLD, lost=LOST_UNTOLD))
    paper.retry(by_icon(lost=REFUSED))
    assert [values["actionIcon"] for _, values in paper.sent] == ["refused", "mute", "lost"]
    assert paper.counts == {"updated": 3, "failed": 1, "invalid": 2}
    paper.retry()
    assert [values["actionIcon"] for _, values in paper.sent] == ["lost"]
    assert paper.counts == {"updated": 4, "invalid": 2}
    assert paper.retry().sent == []


def test_a_change_is_sent_again_as_it_stood_in_the_input() -> None:
    text = '{"organizationId":"org","id":"a","entityData":{"n":18446744073709551617,"f":1.0,"u":"\\u00e9"}}'
    paper = Paper().run([text], lambda _: REFUSED)
    (row,) = read_rows([text])
    assert isinstance(row, Change)
    (change,) = again(paper)
    assert change.activity == row.activity
    assert (change.organization, change.id, change.check, change.fields) == ("org", "a", row.check, row.fields)
    assert (change.line, change.was) == (1, "failed")


def test_of_an_older_change_only_the_fields_are_sent_that_a_newer_one_left_alone() -> None:
    paper = Paper().run([OLD, NEW], by_icon(old=REFUSED)).retry()
    assert paper.sent == [("x", {"entityData": {"n": 1}})]
    assert paper.counts == {"updated": 2}
    assert paper.api["org", "x"] == {"actionIcon": "new", "displayMessageTemplate": "new", "entityData": {"n": 1}}


def test_a_change_of_which_nothing_is_left_is_superseded() -> None:
    paper = Paper().run([OLD, ALL], by_icon(old=REFUSED)).retry()
    assert paper.sent == []
    assert paper.counts == {"updated": 1, "superseded": 1}
    assert paper.retry().counts == {"updated": 1, "superseded": 1}


def test_a_newer_change_that_was_not_updated_takes_nothing_from_an_older_one() -> None:
    paper = Paper().run([OLD, ALL], by_icon(old=REFUSED, all=REFUSED)).retry()
    assert [values["actionIcon"] for _, values in paper.sent] == ["old", "all"]


def test_a_change_of_another_activity_takes_nothing() -> None:
    other = record("x", "org-2", actionIcon="other", displayMessageTemplate="o", entityData=1)
    paper = Paper().run([OLD, other], by_icon(old=REFUSED)).retry()
    assert [values["actionIcon"] for _, values in paper.sent] == ["old"]
    assert paper.counts == {"updated": 2}


def test_changes_of_one_activity_are_sent_again_in_input_order_though_they_failed_in_another() -> None:
    paper = Paper().run([OLD, NEW], by_icon(old=REFUSED, new=REFUSED))
    paper.retry(by_icon(new=REFUSED, old=REFUSED)).retry(by_icon(new=REFUSED))
    assert [values["actionIcon"] for _, values in paper.sent] == ["old", "new"]


def test_a_newer_change_that_is_updated_on_retry_counts_for_an_older_one_that_fails_again() -> None:
    paper = Paper().run([OLD, NEW], by_icon(old=REFUSED, new=REFUSED)).retry(by_icon(old=REFUSED)).retry()
    assert paper.sent == [("x", {"entityData": {"n": 1}})]
    assert paper.api["org", "x"]["actionIcon"] == "new"


def test_an_older_change_that_is_updated_on_retry_takes_nothing_from_a_newer_one() -> None:
    paper = Paper().run([OLD, NEW], by_icon(old=REFUSED, new=REFUSED)).retry(by_icon(new=REFUSED)).retry()
    assert paper.sent == [("x", {"actionIcon": "new", "displayMessageTemplate": "new"})]


def test_the_same_row_twice_fails_and_is_retried_twice() -> None:
    paper = Paper().run([OLD, NEW, OLD], lambda _: REFUSED).retry()
    assert [values["actionIcon"] for _, values in paper.sent] == ["old", "new", "old"]
    assert paper.counts == {"updated": 3}


def test_a_change_that_toggles_back_takes_from_its_first_occurrence() -> None:
    words = iter([REFUSED, OK, OK])
    paper = Paper().run([OLD, NEW, OLD], lambda _: next(words)).retry()
    assert paper.sent == []
    assert paper.counts == {"updated": 2, "superseded": 1}


def test_a_row_waits_while_a_newer_one_may_have_been_applied_and_has_no_result() -> None:
    crashed = Paper().run([OLD, NEW], by_icon(old=REFUSED), steps=6)
    assert crashed.api["org", "x"]["actionIcon"] == "new"
    crashed.retry()
    assert crashed.sent == []
    assert crashed.counts == {"failed": 1, "unsent": 1}
    crashed.run([OLD, NEW]).retry()
    assert crashed.sent == [("x", {"entityData": {"n": 1}})]
    assert crashed.api["org", "x"]["actionIcon"] == "new"


def test_a_row_does_not_wait_for_a_newer_one_that_the_retry_sends_again_itself() -> None:
    paper = Paper().run([OLD, NEW], lambda _: REFUSED).retry(lambda _: REFUSED, steps=5)
    assert paper.retry().counts == {"updated": 2}
    assert paper.api["org", "x"]["actionIcon"] == "new"


def test_a_row_that_was_on_its_way_and_was_edited_since_is_not_missed_for_ever() -> None:
    crashed = Paper().run([OLD], steps=3)
    assert crashed.run([NEW]).retry().counts == {"updated": 1}


def test_no_row_waits_for_one_that_was_on_its_way_and_that_the_input_no_longer_has() -> None:
    edited = record("x", actionIcon="edited")
    crashed = Paper().run([OLD, NEW], by_icon(old=REFUSED), steps=6).run([OLD, edited], most=0)
    assert crashed.retry().sent == []
    crashed.run([OLD, edited]).retry()
    assert crashed.sent == [("x", {"displayMessageTemplate": "old", "entityData": {"n": 1}})]
    assert crashed.counts == {"updated": 2}


def test_a_row_waits_again_when_a_run_may_have_found_that_one_in_its_input() -> None:
    edited = record("x", entityData={"n": 2})
    crashed = Paper().run([OLD, NEW], by_icon(old=REFUSED), steps=6).run([OLD, edited])
    assert crashed.run([OLD, edited, NEW], steps=1).retry().sent == []
    assert crashed.counts == {"updated": 1, "failed": 1, "unsent": 1}
    crashed.run([OLD, edited, NEW]).retry()
    assert crashed.api == expected_api([OLD, edited, NEW])


def test_a_row_that_was_itself_on_its_way_is_sent_again() -> None:
    paper = Paper().run([OLD, NEW], lambda _: REFUSED)
    for steps in range(1, 8):
        crashed = Paper(ledger=paper.ledger).retry(steps=steps).retry()
        assert crashed.counts == {"updated": 2}
        assert crashed.api["org", "x"]["actionIcon"] == "new"


FIRST, LAST, THIRD = (record("x", actionIcon=word) for word in ("first", "last", "third"))

Breaking = Callable[[Paper, list[str], Callable[[Change], str]], Paper]


def killed(paper: Paper, rows: list[str], verdict: Callable[[Change], str]) -> Paper:
    return paper.run(rows, verdict, steps=4)


def stopped(paper: Paper, rows: list[str], verdict: Callable[[Change], str]) -> Paper:
    return paper.run(rows, verdict, most=1)


@pytest.mark.parametrize("broken_off", [killed, stopped])
@pytest.mark.parametrize(("word", "status"), [(OK, "updated"), (REFUSED, "failed"), (LOST_UNTOLD, "unknown")])
def test_a_row_waits_where_a_run_broke_off_behind_one_that_was_inserted_before_it(
    broken_off: Breaking, word: str, status: str
) -> None:
    paper = Paper().run([LAST], lambda _: REFUSED)
    broken_off(paper, [FIRST, LAST], lambda _: word)
    assert [change.id for change in paper.seen] == ["x"]
    before = paper.counts
    paper.retry()
    assert [values["actionIcon"] for _, values in paper.sent] == ([] if word == OK else ["first"])
    assert paper.counts["failed"] == before["failed"] - (status == "failed")
    assert "superseded" not in paper.retry().counts
    assert paper.run([FIRST, LAST]).counts == {"updated": 2}
    assert paper.api == expected_api([FIRST, LAST])


def test_a_row_that_waits_is_one_that_is_not_updated() -> None:
    paper = stopped(Paper().run([LAST], lambda _: REFUSED), [FIRST, LAST], lambda _: OK)
    _, plan, _ = read_back(paper.ledger)
    assert (len(plan.rows()), len(plan.not_updated())) == (0, 1)


def test_a_row_waits_for_the_main_job_however_often_that_breaks_off_and_whatever_is_retried_between() -> None:
    rows = [FIRST, THIRD, LAST]
    paper = Paper().run([LAST], lambda _: REFUSED)
    paper.run([FIRST, LAST], most=1).retry().run([FIRST, LAST], most=0).retry()
    paper.run(rows, most=1).retry().run(rows, steps=1).retry()
    assert paper.counts == {"updated": 2, "failed": 1}
    assert paper.run(rows, lambda _: REFUSED).retry().counts == {"updated": 3}
    assert paper.api == expected_api(rows)


def test_a_row_of_a_run_that_broke_off_waits_when_the_next_one_breaks_off_before_it() -> None:
    paper = Paper().run([LAST, record("y")], lambda _: REFUSED, most=1)
    paper.run([FIRST, LAST, record("y")], most=1).retry()
    assert paper.sent == []
    assert paper.run([FIRST, LAST, record("y")]).api == expected_api([FIRST, LAST, record("y")])


def test_no_row_waits_where_one_run_has_sent_all_changes_of_its_activity() -> None:
    paper = Paper().run([OLD, NEW, record("y")], by_icon(old=REFUSED), most=2)
    assert paper.retry().sent == [("x", {"entityData": {"n": 1}})]
    paper = Paper().run([OLD, NEW], lambda _: REFUSED).run([OLD, NEW, record("y"), record("z")], most=1)
    assert len(paper.retry(lambda _: REFUSED).sent) == len(paper.retry().sent) == 2


def test_no_row_waits_when_the_main_job_has_gone_to_its_end() -> None:
    paper = Paper().run([OLD], lambda _: REFUSED).run([OLD, NEW, record("y")], most=1)
    assert paper.retry().sent == []
    assert paper.run([OLD, NEW, record("y")]).retry().sent == [("x", {"entityData": {"n": 1}})]
    assert paper.run([OLD, NEW, record("y"), record("z")], most=0).retry().counts == {"updated": 3}


@pytest.mark.parametrize(
    ("words", "is_doubtful"),
    [
        ([REFUSED], False),
        ([LOST_UNTOLD], True),
        ([LOST_UNTOLD, REFUSED], True),
        ([REFUSED, LOST_UNTOLD, REFUSED], True),
    ],
)
def test_a_row_that_some_request_may_have_applied_says_so_for_good(words: list[str], *, is_doubtful: bool) -> None:
    paper = Paper().run([OLD], lambda _: words[0])
    for word in words[1:]:
        paper.retry(lambda _, word=word: word)  # type: ignore[misc]
    assert [change.doubt for change in again(paper)] == [is_doubtful]


def test_a_refusal_that_says_it_may_have_been_applied_leaves_its_row_in_doubt() -> None:
    (change,) = read_rows([OLD])
    assert isinstance(change, Change)
    error = RowError("not_updated", "Failed to update activity." + DOUBT)
    text = ResultWriter(["in"]).result(change, Status.FAILED, error)
    plan = RetryPlan()
    plan.fold(Append(1, text, 0))
    assert [row.doubt for row in plan.rows()] == [True]


FIELD_NAMES = ("actionIcon", "displayMessageTemplate", "entityData")
field_sets = st.sets(st.sampled_from(FIELD_NAMES), min_size=1)
words = st.sampled_from([OK, OK, REFUSED, LOST_UNTOLD])


@given(
    st.lists(field_sets, min_size=1, max_size=5), st.lists(words, max_size=30), st.lists(st.integers(1, 18), max_size=3)
)
@settings(max_examples=300)
def test_whatever_fails_and_wherever_it_breaks_off_no_older_change_stands_over_a_newer_one(
    wanted: list[set[str]], verdicts: list[str], breaks: list[int]
) -> None:
    rows = [record("x", **dict.fromkeys(sorted(names), f"v{n}")) for n, names in enumerate(wanted)]
    left = iter(verdicts)

    def verdict(_: Change) -> str:
        return next(left, OK)

    paper = Paper().run(rows, verdict)
    for steps in breaks:
        before = dict(paper.api.get(("org", "x"), {}))
        paper.retry(verdict, steps)
        check_nothing_went_back(before, paper.api.get(("org", "x"), {}))
    paper.retry(verdict).retry()
    assert set(paper.counts) <= {"updated", "superseded"}
    expected: Fields = {}
    for n, names in enumerate(wanted):
        expected |= dict.fromkeys(names, f"v{n}")
    assert paper.api["org", "x"] == expected
    assert paper.retry().sent == []
    assert paper.run(rows).sent == []


def check_nothing_went_back(before: Fields, after: Fields) -> None:
    for name, value in before.items():
        assert int(after[name][1:]) >= int(value[1:])


events = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 6), field_sets),
    st.tuples(st.just("run"), st.integers(1, 30), field_sets),
    st.tuples(st.just("stop"), st.integers(0, 5), field_sets),
    st.tuples(st.just("retry"), st.integers(1, 30), field_sets),
)


@given(st.lists(field_sets, min_size=1, max_size=3), st.lists(words, max_size=40), st.lists(events, max_size=8))
@settings(max_examples=300)
def test_whatever_is_inserted_fails_and_breaks_off_everything_ends_in_input_order(
    wanted: list[set[str]], verdicts: list[str], history: list[tuple[str, int, set[str]]]
) -> None:
    numbers, left = count(), iter(verdicts)

    def new(names: set[str]) -> str:
        return record("x", **dict.fromkeys(sorted(names), f"v{next(numbers)}"))

    def verdict(_: Change) -> str:
        return next(left, OK)

    rows = [new(names) for names in wanted]
    paper = Paper()
    for kind, number, names in history:
        if kind == "insert":
            rows.insert(number % (len(rows) + 1), new(names))
        elif kind == "run":
            paper.run(rows, verdict, steps=number)
        elif kind == "stop":
            paper.run(rows, verdict, most=number)
        elif paper.ledger:
            paper.retry(verdict, steps=number)
    paper.run(rows)
    paper.retry()
    assert set(paper.counts) <= {"updated", "superseded"}
    assert paper.api == expected_api(rows)
    assert paper.run(rows).sent == []


def test_a_plan_takes_little_memory_for_each_failed_row() -> None:
    rows = 10_000
    changes = [row for row in read_rows([record(f"id-{n}") for n in range(rows)]) if isinstance(row, Change)]
    writer, error = ResultWriter(["in"]), RowError("not_updated", "Failed to update activity.", 200)
    text = b"".join(writer.result(change, Status.FAILED, error) for change in changes)
    del changes
    tracemalloc.start()
    plan = RetryPlan()
    plan.fold(Append(1, text, 0))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(plan.rows()) == rows
    assert used / rows < MOST_BYTES_A_FAILED_ROW
