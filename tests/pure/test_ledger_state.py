"""What a ledger tells the next run: results, doubts, sums; and that no damage makes it tell a wrong one."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bulk_update.model import Batch, Change, Invalid, RowError, Status
from bulk_update.pure.intake import RetryIntake
from bulk_update.pure.ledger_lines import CutLine, EndLine, RequestLine, ResultWriter, encode_line, sending_line
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.seals import Append, Damage, Seal, SealedReader
from bulk_update.pure.settled import row_key
from tests.pure.paper import (
    APPLIED_UNTOLD,
    OK,
    REFUSED,
    TIME,
    Paper,
    expected_api,
    read_back,
    read_rows,
    record,
    request_line,
    run_line,
    sealed,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "ledger-format-1.ndjson"
GOLDEN_SEAL = Seal(64, 63, "1e74313e05b605ccaa2ee0df")
GOLDEN_COUNTS = {"updated": 6, "failed": 2, "invalid": 1, "unknown": 0, "superseded": 1}

A, B = (change for change in read_rows([record("a"), record("b")]) if isinstance(change, Change))
WRITER = ResultWriter(["in.ndjson"])


def key(change: Change) -> int:
    return row_key(change.organization, change.id, change.check)


def state_of(*appends: bytes) -> LedgerState:
    return read_back(sealed(encode_line(run_line()), *appends))[0]


def sending(number: int, *changes: Change) -> bytes:
    return sending_line(number, TIME, Batch("org", changes))


def updated(*changes: Change) -> bytes:
    return WRITER.updated("org", changes)


# ----------------------------------------------------------------------------------------- doubts


def test_a_row_that_went_out_and_has_no_result_is_in_doubt() -> None:
    assert state_of(sending(1, A, B)).doubtful_keys() == {key(A), key(B)}


def test_a_row_is_in_doubt_until_it_has_a_result() -> None:
    part = request_line(1, 2, settled=False) + updated(A)
    assert state_of(sending(1, A, B), part).doubtful_keys() == {key(B)}
    assert state_of(sending(1, A, B), part, sending(2, B), updated(B)).doubtful_keys() == set()


def test_a_request_that_is_settled_leaves_no_doubt() -> None:
    assert state_of(sending(1, A, B), request_line(1, 2, http=None)).doubtful_keys() == set()


def test_a_later_request_that_is_settled_takes_no_doubt_of_an_earlier_one_away() -> None:
    assert state_of(sending(1, A), sending(2, A), request_line(2, 1, http=None)).doubtful_keys() == {key(A)}
    assert state_of(sending(1, A), sending(2, A), request_line(2, 1), updated(A)).doubtful_keys() == set()


def test_a_row_that_is_sent_again_is_in_doubt_again() -> None:
    failed = WRITER.result(A, Status.UNKNOWN)
    assert state_of(sending(1, A), request_line(1, 1), failed, sending(2, A)).doubtful_keys() == {key(A)}


@pytest.mark.parametrize(
    ("summary", "are_gone"),
    [
        ({"complete": True, "unsent": 0, "stopped": None}, True),
        ({"complete": True, "unsent": 0, "stopped": "a signal"}, True),
        ({"complete": True, "unsent": 1}, False),
        ({"complete": False, "unsent": 0}, False),
    ],
)
def test_a_row_in_doubt_is_gone_when_the_main_job_had_a_result_for_each_of_its_rows(
    summary: dict[str, object], *, are_gone: bool
) -> None:
    end = encode_line(EndLine(TIME, 0, summary))
    lines = [sending(1, A), sending(2, B), updated(B), sending(3, B), end]
    assert state_of(*lines).lost_keys() == (set() if are_gone else {key(A), key(B)})
    assert state_of(*lines, encode_line(run_line())).lost_keys() == {key(A), key(B)}
    state = state_of(*lines, encode_line(run_line("retry")), end)
    assert state.lost_keys() == (set() if are_gone else {key(A), key(B)})
    assert state.doubtful_keys() == {key(A), key(B)}


def test_no_more_is_kept_of_rows_than_of_those_in_doubt() -> None:
    state = state_of(
        *(sending(n, A, B) + request_line(n, 2, settled=False) + updated(A) + updated(B) for n in range(1, 50))
    )
    assert state.doubtful_keys() == set()
    assert state._doubts.requests == set()  # noqa: SLF001


def test_requests_in_a_torn_tail_may_have_gone_out_and_are_told_again() -> None:
    state = state_of()
    tail = sending(7, A) + request_line(7, 1) + updated(A) + sending(8, B)[:-20]
    cut = CutLine(len(tail), "in.torn-1", TIME)
    state.mend(tail, cut)
    assert state.doubtful_keys() == {key(A)}
    assert state.mended == encode_line(cut) + sending(7, A)
    assert state.last_request == 7
    assert len(state.settled) == 0


@pytest.mark.parametrize(
    ("summary", "absent"),
    [
        ({"complete": True, "invalid": 0}, 1),
        ({"complete": True, "invalid": 1}, 0),
        ({"complete": False, "invalid": 0}, 0),
        ({}, 0),
    ],
)
def test_an_invalid_row_is_none_of_a_retry_when_the_main_job_has_found_none_since(
    summary: dict[str, object], absent: int
) -> None:
    (invalid,) = (row for row in read_rows([record("a", no=1)]) if isinstance(row, Invalid))
    lines = [WRITER.invalid(invalid) + updated(B), encode_line(EndLine(TIME, 0, summary))]
    retry = encode_line(run_line("retry")) + encode_line(EndLine(TIME, 0, {"complete": True, "invalid": 0}))
    for state in (state_of(*lines), state_of(*lines, retry)):
        assert RetryIntake(state).absent() == absent
        assert (state.tally.read, state.tally.settled[Status.INVALID]) == (2 - absent, 1 - absent)
        assert len(state.tally.describe_failures()) == 1 - absent
    state = state_of(*lines, encode_line(run_line()))
    assert RetryIntake(state).absent() == 0


# ------------------------------------------------------------------------------------------- sums


def test_attempts_requests_and_seconds_are_those_of_all_runs() -> None:
    withdrawn = request_line(3, 1, attempt=0, http=None)
    end = encode_line(EndLine(TIME, 0, {"run_seconds": 1.5}))
    state = state_of(request_line(1, 1, http=None, settled=False), request_line(1, 1, attempt=2), withdrawn, end, end)
    assert (state.attempts, state.requests, state.seconds) == (2, 1, 3.0)


# ------------------------------------------------------------------------------------- when requests left


def at(second: int) -> str:
    """Make the stamp of a second of the first minute of 1970."""
    return f"1970-01-01T00:00:{second:02}.000Z"


def begin(second: int) -> bytes:
    return encode_line(replace(run_line(), time=at(second)))


def test_a_request_left_when_its_line_says() -> None:
    line = request_line(1, 1).replace(TIME.encode(), at(10).encode())
    assert state_of(line).ages(20) == [10.0015]


def test_a_request_that_a_run_died_with_may_have_left_just_now() -> None:
    dead = [begin(1), sending(1, A), sending(2, B)]
    assert state_of(*dead).ages(20) == [0.0, 0.0]
    assert state_of(*dead, encode_line(EndLine(at(8), 3, {}))).ages(20) == [12.0, 12.0]


def test_a_request_that_a_run_died_with_left_before_the_next_run_began() -> None:
    dead = [begin(1), sending(1, A), sending(2, B), begin(5)]
    assert state_of(*dead).ages(20) == [15.0, 15.0]
    assert state_of(*dead, sending(3, A)).ages(20) == [15.0, 15.0, 0.0]
    assert state_of(*dead, begin(6), begin(7)).ages(20) == [15.0, 15.0]


def test_what_settles_its_rows_later_does_not_hide_when_a_request_left() -> None:
    """Else the rate of a third run would forget it."""
    answered = request_line(3, 2).replace(TIME.encode(), at(6).encode())
    dead = [begin(1), sending(1, A), sending(2, B), begin(5)]
    assert state_of(*dead, sending(3, A, B), answered + updated(A, B)).ages(20) == [15.0, 15.0, 14.0015]


def test_what_was_read_whole_is_told_by_the_last_run_of_the_main_job() -> None:
    whole, broken = (encode_line(EndLine(TIME, 0, {"complete": value})) for value in (True, False))
    main, retry = encode_line(run_line()), encode_line(run_line("retry"))
    assert state_of(whole).complete
    assert state_of(whole, retry, broken).complete
    assert not state_of(broken, retry, whole).complete
    assert not state_of(whole, main).complete


def test_a_reason_shrinks_when_a_row_of_it_is_updated_on_retry() -> None:
    paper = Paper().run([record("a"), record("b")], lambda _: REFUSED)
    assert [group["count"] for group in paper.reread().tally.describe_failures()] == [2]
    paper.retry(lambda change: OK if change.id == "a" else REFUSED)
    assert [group["count"] for group in paper.reread().tally.describe_failures()] == [1]


def test_reasons_of_equal_rows_shrink_each_by_its_own() -> None:
    rows = [record("a"), record("b"), record("a")]
    words = iter([APPLIED_UNTOLD, REFUSED, REFUSED])
    paper = Paper().run(rows, lambda _: next(words)).retry(lambda _: OK)
    assert paper.reread().tally.describe_failures() == []


def test_a_result_whose_status_is_none_is_not_this_versions() -> None:
    line = updated(A).replace(b"updated", b"blessed")
    with pytest.raises(ValueError, match="blessed"):
        state_of(line)


# ----------------------------------------------------------------------------------------- damage

ROWS = [
    record("x", actionIcon="A"),
    record("y"),
    record("x", actionIcon="B"),
    record("z", unknown=1),
    record("w"),
    record("x", actionIcon="A"),
    record("y", actionIcon="last"),
]


def verdict(change: Change) -> str:
    if change.id == "w":
        return APPLIED_UNTOLD
    return REFUSED if change.id == "y" and b"last" not in change.activity else OK


def finished() -> Paper:
    paper = Paper().run(ROWS, verdict, steps=11)
    paper.ledger = paper.ledger[:-9]
    return paper.run(ROWS, verdict)


EXPECTED_COUNTS = {"updated": 4, "failed": 1, "invalid": 1, "unknown": 1}
EXPECTED_API = expected_api(ROWS, verdict) | {("org", "w"): {"actionIcon": "icon"}}


def ends_right(ledger: bytes, api: dict[tuple[str, str], dict[str, object]]) -> bool:
    """Run the same input over a damaged ledger; False when it is refused."""
    paper = Paper(ledger=ledger, api={name: dict(fields) for name, fields in api.items()})
    try:
        paper.run(ROWS, verdict)
    except (Damage, ValueError):
        return False
    assert paper.counts == EXPECTED_COUNTS
    assert paper.api == EXPECTED_API
    assert paper.run(ROWS, verdict).sent == []
    return True


def test_the_ledger_that_is_to_be_damaged_is_right() -> None:
    paper = finished()
    assert paper.api == EXPECTED_API
    assert paper.counts == EXPECTED_COUNTS
    assert ends_right(paper.ledger, paper.api)


def test_a_ledger_cut_or_zeroed_from_any_byte_on_ends_right() -> None:
    paper = finished()
    for size in range(len(paper.ledger)):
        assert ends_right(paper.ledger[:size], paper.api), size
    # What is cut off of zeros is the same tail, only longer.
    for size in range(0, len(paper.ledger), 7):
        assert ends_right(paper.ledger[:size] + bytes(len(paper.ledger) - size), paper.api), size


def test_lines_lost_doubled_or_swapped_end_right_or_are_refused() -> None:
    paper = finished()
    lines = paper.ledger.splitlines(keepends=True)
    right = refused = 0
    for at in range(len(lines)):
        for damaged in (
            lines[:at] + lines[at + 1 :],
            lines[: at + 1] + lines[at:],
            [*lines[:at], *lines[at : at + 2][::-1], *lines[at + 2 :]],
        ):
            ended = ends_right(b"".join(damaged), paper.api)
            right, refused = right + ended, refused + (not ended)
    assert right == 2  # the last seal is lost; or two lines are swapped of which there is one
    assert refused >= 3 * len(lines) - 20


def test_bits_that_flip_in_the_last_append_end_right_or_are_refused() -> None:
    paper = finished()
    last = paper.ledger.rindex(b'{"type":"seal"', 0, -100)
    for at in range(last, len(paper.ledger)):
        damaged = bytearray(paper.ledger)
        damaged[at] ^= 1 << at % 8
        ends_right(bytes(damaged), paper.api)


# ----------------------------------------------------------------------------------------- golden


def test_a_ledger_of_format_1_is_read_for_good() -> None:
    # Written by bulk_update 0.1.0: a canary, a run that was killed, a torn tail, the whole run, and a retry.
    reader, state = SealedReader(), LedgerState()
    for append in reader.feed(GOLDEN.read_bytes()):
        state.fold(append)
    assert reader.finish() == b""
    assert reader.seal == GOLDEN_SEAL
    assert {status.value: rows for status, rows in state.settled.counts().items()} == GOLDEN_COUNTS
    assert state.run is not None
    assert state.run.verb == "retry"
    assert state.run.inputs == ["changes.ndjson"]
    assert state.complete
    assert (state.settled.runs, state.last_request, state.requests, state.attempts) == (3, 10, 9, 9)
    assert state.doubtful_keys() == set()


# --------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("http", "error", "activities", "is_counted"),
    [
        (200, None, 3, True),
        (400, RowError("INVALID_ARGUMENT", "changes: expected an object"), 1, True),
        (400, RowError("INVALID_ARGUMENT", "changes: expected an object"), 3, False),
        (400, RowError("INVALID_ARGUMENT", "Invalid auth token"), 1, False),
        (404, RowError("NOT_FOUND", "no such organization"), 1, True),
        (422, RowError("refused", "HTTP 422"), 1, True),
        (429, RowError("RESOURCE_EXHAUSTED", "slow down"), 1, False),
        (503, RowError("unavailable", "HTTP 503"), 1, False),
        (503, RowError("A_STATUS_OF_TOMORROW", "no"), 1, False),
        (None, RowError("timeout", "no answer within 30 s"), 1, False),
    ],
)
def test_requests_are_those_whose_answer_told_what_became_of_their_rows(
    http: int | None, error: RowError | None, activities: int, is_counted: bool
) -> None:
    line = RequestLine(1, "org-1", activities, 1, 1.0, "2026-11-23T05:23:20.476Z", http, error, settled=True)
    state = LedgerState()
    state.fold(Append(1, encode_line(line), 0))
    assert (state.requests, state.attempts) == (is_counted, 1)
