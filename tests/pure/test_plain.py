"""Reading a ledger back, and sifting rows by it, many at once: it comes to what the plain way comes to."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_update.model import Change, Invalid, RowError, Status
from bulk_update.pure.intake import RunIntake
from bulk_update.pure.ledger_lines import (
    DOUBT,
    EndLine,
    Line,
    RequestLine,
    ResultLine,
    RunLine,
    SendingLine,
    decode_line,
    decode_lines,
    encode_line,
)
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.seals import Append
from bulk_update.pure.settled import row_key
from tests.pure.paper import TIME, run_line
from tests.pure.plain import PlainIntake, PlainState

ROWS = [(organization, identifier, check) for organization in "pq" for identifier in "ab" for check in (1, 2)]
"""What rows are known by; two have the same activity."""

rows = st.sampled_from(ROWS)
seconds = st.integers(0, 59).map(lambda second: f"2026-01-02T03:04:{second:02}.000Z")
errors = st.sampled_from([None, RowError("not_updated", "No."), RowError("refused", "No" + DOUBT)])


@st.composite
def sendings(draw: st.DrawFn) -> SendingLine:
    organization = draw(st.sampled_from("pq"))
    sent = [row for row in draw(st.lists(rows, max_size=4)) if row[0] == organization]
    ids, checks = [identifier for _, identifier, _ in sent], [check for _, _, check in sent]
    return SendingLine(0, organization, draw(seconds), [1] * len(sent), ids, checks, [1] * len(sent))


@st.composite
def results(draw: st.DrawFn) -> ResultLine:
    organization, identifier, check = draw(rows)
    status = draw(st.sampled_from([*Status, *[Status.UPDATED] * 8]))
    was = draw(st.sampled_from(["", "", "", "", *Status]))
    return ResultLine(7, organization, identifier, status, f"{check:08x}", None, was, draw(errors))


requests = st.builds(
    lambda number, attempt, time, is_settled: RequestLine(
        number, "p", 1, attempt, 2.0, time, 200, None, settled=is_settled
    ),
    st.integers(1, 8),
    st.integers(0, 2),
    seconds,
    st.booleans(),
)
runs = st.builds(
    lambda verb, time: RunLine(1, "0", time, verb, ["in"], "api", "00", "key"),
    st.sampled_from(["run", "run", "retry"]),
    seconds,
)
ends = seconds.map(lambda time: EndLine(time, 0, {}))
# Also such as no run writes, and in orders in which none writes them.
lines = st.lists(st.one_of(sendings(), results(), results(), requests, runs, ends), max_size=40)
cuts = st.lists(st.booleans(), min_size=41, max_size=41)


def numbered(drawn: list[Line]) -> list[Line]:
    """Number the requests, as a run does, and begin with a run."""
    count = 0
    for line in drawn:
        if isinstance(line, SendingLine):
            count += 1
            line.request = count
    return [run_line(), *drawn]


def folded(drawn: list[Line], ends_append: list[bool]) -> tuple[LedgerState, PlainState]:
    """Fold lines, in appends that end where they are told to; and line by line."""
    state, plain, append = LedgerState(), PlainState(), b""
    for line, is_last in zip(drawn, ends_append, strict=False):
        plain.fold(line)
        append += encode_line(line)
        if is_last:
            state.fold(Append(1, append, 0))
            append = b""
            assert_same(state, plain)
    state.fold(Append(1, append, 0))
    assert_same(state, plain)
    return state, plain


def assert_same(state: LedgerState, plain: PlainState) -> None:
    now = 1_800_000_000.0
    counts = Counter(status for held in plain.results.values() for _, status in held)
    assert state.settled.counts() == dict.fromkeys(Status, 0) | counts
    assert state.doubtful_keys() == plain.doubtful()
    assert state.ages(now) == pytest.approx(plain.ages(now))
    assert state.tally.describe_failures() == plain.tally.describe_failures()
    assert (state.attempts, state.last_request) == (plain.attempts, plain.last_request)
    assert (state.settled.runs, state.settled.doubted) == (plain.runs, plain.doubted)


@given(lines, cuts)
@settings(max_examples=250)
def test_a_ledger_tells_the_same_whole_appends_at_once_as_line_by_line(drawn: list[Line], ends: list[bool]) -> None:
    state, plain = folded(numbered(drawn), ends)
    for organization, identifier, check in ROWS:
        key = row_key(organization, identifier, check)
        taken = [state.settled.take(key) for _ in range(len(plain.results[key]) + 1)]
        assert Counter(taken) == Counter([(status, run) for run, status in plain.results[key]] + [None])
        assert [run for _, run in taken[:-1]] == sorted(run for run, _ in plain.results[key])  # type: ignore[misc]


def read(row: tuple[str, str, int], number: int, *, is_valid: bool) -> Change | Invalid:
    organization, identifier, check = row
    if is_valid:
        return Change(organization, identifier, number, 0, check, 1, b"{}")
    return Invalid(number, 0, check, organization, identifier, "wrong_type", "no", b"")


blocks = st.lists(st.lists(st.tuples(rows, st.integers(0, 9)), max_size=6), max_size=6)


@given(lines, blocks)
@settings(max_examples=300)
def test_an_intake_passes_on_the_same_rows_by_blocks_as_one_by_one(
    drawn: list[Line], read_in: list[list[tuple[tuple[str, str, int], int]]]
) -> None:
    state, plain_state = folded(numbered(drawn), [False] * 41)
    intake, plain, number = RunIntake(state.settled, state.tally), PlainIntake(plain_state), 0
    for block in read_in:
        fresh: list[Change | Invalid] = []
        for row, chance in block:
            number += 1
            fresh.append(read(row, number, is_valid=chance > 0))
        admitted, expected = intake.admit(fresh), plain.admit(fresh)
        assert [*admitted.changes] == [row for row in expected if isinstance(row, Change)]
        assert [*admitted.invalid] == [row for row in expected if isinstance(row, Invalid)]
        assert state.tally.settled == dict.fromkeys(Status, 0) | plain.counts
        assert state.tally.skipped == plain.counts.total()
    assert state.tally.read == number
    intake.conclude()
    assert intake.absent() == sum(map(len, plain.results.values()))


def test_lines_of_a_later_version_are_passed_over_wherever_they_stand() -> None:
    known, later = encode_line(EndLine(TIME, 0, {})), b'{"type":"weather","sky":"blue"}\n'
    assert decode_lines(later + known + later + known) == [decode_line(known), decode_line(known)]
    with pytest.raises(ValueError, match="exit"):
        decode_lines(later + known + known.replace(b'"exit":0', b'"exit":"0"'))
