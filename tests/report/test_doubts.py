"""Rows on their way when a run ended: the same as the program itself finds when it goes on."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import Change, RowError, Status
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.seals import SealedReader
from tests.report.ledgers import Came, LedgerMaker, change, gather

TIMEOUT = RowError("timeout", "no answer within 30 s")


def told(make: Callable[[LedgerMaker], None]) -> tuple[int, int]:
    appends: list[bytes] = []
    maker = LedgerMaker(appends.append)
    maker.run()
    make(maker)
    maker.seal()
    ledger = b"".join(appends)
    data, state = gather(ledger), LedgerState()
    for append in SealedReader().feed(ledger):
        state.fold(append)
    assert data.in_doubt + data.doubtful == len(state.lost_keys())
    return data.in_doubt, data.doubtful


def changes(*numbers: int, was: str = "") -> list[Change]:
    return [change(number, was=was) for number in numbers]


def test_a_request_without_an_end_leaves_its_rows_in_doubt() -> None:
    assert told(lambda maker: maker.sending(1, 0.0, changes(1, 2))) == (2, 0)


def test_a_request_that_got_no_answer_does_too() -> None:
    def make(maker: LedgerMaker) -> None:
        maker.sending(1, 0.0, changes(1, 2))
        maker.attempt(1, 30.0, changes(1, 2), Came(1, 30_000.0, None, TIMEOUT))

    assert told(make) == (2, 0)


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"complete": True, "unsent": 0}, 0),
        ({"complete": True, "unsent": 1}, 2),
        ({"complete": False, "unsent": 0}, 2),
    ],
)
def test_rows_that_a_run_has_not_found_in_its_input_are_not_told_of(summary: dict[str, object], expected: int) -> None:
    def make(maker: LedgerMaker) -> None:
        maker.sending(1, 0.0, changes(1, 2))
        maker.run(100.0)
        maker.end(101.0, 0, summary)

    assert told(make) == (expected, 0)

    def make_again(maker: LedgerMaker) -> None:
        make(maker)
        maker.run(200.0)

    assert told(make_again) == (2, 0)


@pytest.mark.parametrize("has_new_run", [False, True])
def test_results_that_came_with_another_request_settle_it(has_new_run: bool) -> None:
    def make(maker: LedgerMaker) -> None:
        maker.sending(1, 0.0, changes(1, 2, 3))
        maker.attempt(1, 30.0, changes(1, 2, 3), Came(1, 30_000.0, None, TIMEOUT))
        if has_new_run:
            maker.run(100.0)
        maker.sending(2, 101.0, changes(1, 2))
        maker.attempt(2, 101.2, changes(1, 2))
        maker.updated(changes(1))
        maker.result(change(2), Status.FAILED, RowError("not_updated", "no"))

    assert told(make) == (1, 0)


def test_rows_of_a_retry_have_a_result_and_are_told_apart() -> None:
    def make(maker: LedgerMaker) -> None:
        maker.sending(1, 0.0, changes(1))
        maker.attempt(1, 0.2, changes(1))
        maker.result(change(1), Status.FAILED, RowError("not_updated", "no"))
        maker.run(100.0, verb="retry")
        maker.sending(2, 101.0, changes(1, was="failed"))

    assert told(make) == (0, 1)


def test_an_answer_in_the_end_settles_it() -> None:
    def make(maker: LedgerMaker) -> None:
        maker.sending(1, 0.0, changes(1))
        maker.attempt(1, 30.0, changes(1), Came(1, 30_000.0, None, TIMEOUT))
        maker.attempt(1, 31.0, changes(1), Came(2))
        maker.updated(changes(1))

    assert told(make) == (0, 0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["send", "fail", "answer", "run"]), st.integers(0, 3), st.sets(st.integers(1, 5), min_size=1)
    ),
    max_size=25,
)


@given(steps)
def test_any_story_is_told_as_the_program_itself_reads_it(story: list[tuple[str, int, set[int]]]) -> None:
    def make(maker: LedgerMaker) -> None:
        open_requests: list[tuple[int, list[Change]]] = []
        for number, (step, which, rows) in enumerate(story, 1):
            if step == "send":
                open_requests.append((number, changes(*sorted(rows))))
                maker.sending(number, number, open_requests[-1][1])
            elif step == "run":
                maker.run(float(number))
            elif open_requests:
                request, sent = open_requests[which % len(open_requests)]
                if step == "fail":
                    maker.attempt(request, number, sent, Came(1, 5.0, None, TIMEOUT))
                else:
                    maker.attempt(request, number, sent)
                    maker.updated(sent)
                    open_requests.pop(which % len(open_requests))

    told(make)
