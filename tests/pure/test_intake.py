"""Running again, by content: only what is new or changed is sent, and in input order whatever broke off before."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_update.model import Change, Status
from bulk_update.pure.intake import RunIntake
from bulk_update.pure.settled import SettledRows, row_key
from bulk_update.pure.tally import Tally
from tests.pure.paper import REFUSED, Paper, all_ok, expected_api, read_rows, record, values_of

A, B, C = (record("x", actionIcon=letter) for letter in "ABC")
OTHER = record("y")
INVALID = record("z", unknown=1)


def sent(paper: Paper) -> list[str]:
    return [str(values["actionIcon"]) for _, values in paper.sent]


def test_a_finished_ledger_sends_nothing() -> None:
    rows = [A, B, OTHER, INVALID, A]
    paper = Paper().run(rows).run(rows)
    assert paper.sent == []
    assert paper.counts == {"updated": 4, "invalid": 1}
    assert paper.state.tally.skipped == 5


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([A, OTHER], [A, OTHER, B], ["B"]),
        ([A, OTHER], [OTHER, A], []),
        ([A, OTHER], [OTHER], []),
        ([A, B], [B], []),
        ([A, OTHER], [B, OTHER], ["B"]),
        ([A, B], [A, C, B], ["C", "B"]),
        ([A, B], [C, A, B], ["C", "A", "B"]),
        ([A, B], [C, B], ["C", "B"]),
        ([A, B], [A, C], ["C"]),
        ([A], [A, A], ["A"]),
        ([A, A], [A], []),
        ([A, B], [A, B, A], ["A"]),
        ([A, B, A], [A, B, A, B], ["B"]),
        ([INVALID], [INVALID, INVALID], []),
    ],
)
def test_only_what_is_new_or_changed_is_sent_and_what_has_to_follow_it(
    before: list[str], after: list[str], expected: list[str]
) -> None:
    paper = Paper().run(before).run(after)
    assert sent(paper) == expected
    assert paper.state.tally.unsent == 0
    assert paper.run(after).sent == []


def test_results_of_rows_that_the_input_no_longer_has_are_counted_apart() -> None:
    state = Paper().run([A, B, OTHER, INVALID]).reread()
    intake = RunIntake(state.settled, state.tally)
    intake.admit(read_rows([B]))
    assert intake.absent() == 0, "there may be more to read"
    intake.conclude()
    assert intake.absent() == 3
    assert state.tally.read == 1


def test_a_row_in_doubt_is_one_of_the_unsent_when_it_was_read_and_has_no_result() -> None:
    state = Paper().run([OTHER]).reread()
    first, second, other = (row_key(row.organization, row.id, row.check) for row in read_rows([A, B, OTHER]))
    intake = RunIntake(state.settled, state.tally, {first, second, other})
    intake.admit(read_rows([C]))
    assert intake.not_unsent() == {first, second, other}
    intake.admit(read_rows([INVALID, A, OTHER]))
    assert intake.not_unsent() == {second, other}


@pytest.mark.parametrize("rows", [[A, B, A], [A, A], [A, B, C, OTHER, B, A, INVALID]])
def test_after_a_crash_at_any_step_the_same_input_ends_right(rows: list[str]) -> None:
    steps = 0
    while True:
        steps += 1
        crashed = Paper().run(rows, steps=steps)
        whole = crashed.state.tally.unsent == 0 and steps > 3 * len(rows) + 2
        first = len(crashed.seen)
        crashed.run(rows)
        assert crashed.api == expected_api(rows), steps
        assert crashed.state.tally.unsent == 0
        # At most what was on its way is sent twice.
        assert first + len(crashed.seen) - sum(isinstance(row, Change) for row in read_rows(rows)) in (0, 1)
        assert crashed.run(rows).sent == []
        if whole:
            return


@pytest.mark.parametrize("before", [[A], [A, B], [A, B, A]])
def test_a_settled_change_behind_a_new_one_is_sent_again_whatever_step_the_run_broke_off_at(before: list[str]) -> None:
    after = [C, *before, OTHER]
    for steps in range(1, 4 * len(after)):
        paper = Paper().run(before).run(after, steps=steps).run(after)
        assert paper.api == expected_api(after), steps
        assert paper.run(after).sent == []


def test_a_canary_over_a_new_row_does_not_forget_the_settled_ones_behind_it() -> None:
    # --limit 1 reads the new row alone; the run after it must still send the later change again.
    paper = Paper().run([A]).run([B]).run([B, A])
    assert sent(paper) == ["A"]
    assert paper.api == expected_api([B, A])


def test_a_retry_moves_no_row_behind_those_that_follow_it() -> None:
    paper = Paper().run([A, OTHER, B], lambda change: REFUSED if b"A" in change.activity else "ok")
    assert paper.counts == {"updated": 2, "failed": 1}
    paper.retry()
    assert paper.counts == {"updated": 2, "superseded": 1}
    assert paper.run([A, OTHER, B]).sent == []


edits = st.lists(
    st.tuples(st.sampled_from(["insert", "edit", "remove", "append"]), st.integers(0, 5), st.sampled_from("xy")),
    max_size=3,
)


@given(
    st.lists(st.sampled_from("xy"), min_size=1, max_size=5), st.lists(st.tuples(edits, st.integers(1, 25)), max_size=4)
)
@settings(max_examples=400)
def test_whatever_is_edited_and_wherever_runs_break_off_changes_end_in_input_order(
    ids: list[str], history: list[tuple[list[tuple[str, int, str]], int]]
) -> None:
    numbers = count()

    def new(identifier: str) -> str:
        return record(identifier, actionIcon=f"v{next(numbers)}")

    rows = [new(identifier) for identifier in ids]
    paper = Paper()
    for changes, steps in history:
        paper.run(rows, steps=steps)
        for kind, place, identifier in changes:
            at = place % (len(rows) + 1)
            if kind == "insert":
                rows.insert(at, new(identifier))
            elif kind == "append":
                rows.append(new(identifier))
            elif at < len(rows):
                rows[at : at + 1] = [new(identifier)] if kind == "edit" else []
    paper.run(rows)
    assert paper.state.tally.unsent == 0
    values: dict[str, list[str]] = {}
    for row in read_rows(rows):
        assert isinstance(row, Change)
        values.setdefault(row.id, []).append(values_of(row)["actionIcon"])
    for identifier, icons in values.items():
        # A change that was removed since may stand in the API; one that the input has stands only if it is the last.
        assert paper.api["org", identifier]["actionIcon"] not in icons[:-1]
    assert paper.run(rows).sent == []


def test_counts_are_those_of_the_rows_that_the_input_has() -> None:
    paper = Paper().run([A, OTHER, INVALID], lambda change: REFUSED if change.id == "y" else "ok")
    assert paper.run([A, OTHER, INVALID], all_ok).counts == {"updated": 1, "failed": 1, "invalid": 1}
    assert paper.sent == []


def test_every_row_is_passed_on_where_the_ledger_has_no_result() -> None:
    intake, rows = RunIntake(SettledRows(), Tally()), read_rows([A, A, INVALID])
    admitted = intake.admit(rows)
    assert [*admitted.changes, *admitted.invalid] == rows


def test_a_million_new_rows_after_a_canary_cost_no_more_for_each_than_a_thousand() -> None:
    # Counted in entries a bucket: the time it takes follows from them.
    settled = SettledRows()
    settled.runs = 1
    settled.add(row_key("org", "first", 1), Status.UPDATED)
    intake = RunIntake(settled, Tally())
    rows = [Change("org", f"id-{number}", number, 0, number, 32, b"{}") for number in range(50_000)]
    assert len(intake.admit(rows).changes) == len(rows)
    latest = intake._latest  # noqa: SLF001
    assert len(latest) == len(rows)
    assert Counter(len(bucket or b"") > 64 * 6 * 10 for bucket in latest._buckets)[True] == 0  # noqa: SLF001
