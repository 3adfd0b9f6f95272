"""The ledger's lines: what stands in them, and what the seals find."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import Batch, Change, Invalid, RowError, Status
from bulk_update.pure.ledger_lines import (
    CutLine,
    EndLine,
    Line,
    RateLine,
    ResultLine,
    ResultWriter,
    SendingLine,
    decode_line,
    encode_line,
    sending_line,
)
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.seals import Append, Damage, Seal, SealedReader
from tests.pure.paper import TIME, Paper, record, request_line, run_line, sealed

CHANGE = Change("org-1", 'a"\n', 17, 1, 0x5E0F1C, 33, b'{"id":"a\\"\\n","actionIcon":"i","changes":{}}')
ERROR = RowError("not_updated", "Failed to update activity.", 200)

names = st.text(min_size=1, max_size=8).filter(lambda text: not any(0xD800 <= ord(c) <= 0xDFFF for c in text))


def result(line: bytes) -> dict[str, Any]:
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    value: dict[str, Any] = json.loads(line)
    return value


# ------------------------------------------------------------------------------------------ lines


def test_an_updated_row_is_told_as_the_design_says() -> None:
    assert ResultWriter(["in"]).updated("org-1", [Change("org-1", "activity-001", 17, 0, 0x5E0F1C9A, 1, b"{}")]) == (
        b'{"type":"result","line":17,"organizationId":"org-1","id":"activity-001","status":"updated",'
        b'"check":"5e0f1c9a"}\n'
    )


@given(names, names, st.integers(1, 2**40), st.integers(0, 2**32 - 1), st.sampled_from(["", *Status]))
def test_updated_rows_are_read_as_they_were_written(org: str, id_: str, line: int, check: int, was: str) -> None:
    change = Change(org, id_, line, 0, check, 1, b"{}", was)
    several, single = ResultWriter(["in", "out"]), ResultWriter(["in"])
    for writer in (several, single):
        text = writer.updated(org, [change])
        read = decode_line(text[:-1])
        assert isinstance(read, ResultLine)
        assert (read.line, read.organization_id, read.id, int(read.check, 16)) == (line, org, id_, check)
        assert (read.status, read.was, read.error) == ("updated", was, None)
        assert read.input == (None if writer is single else "in")
        assert next(iter(json.loads(text))) == "type"


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN])
def test_failed_and_unknown_rows_carry_their_error_and_their_whole_change(status: Status) -> None:
    told = result(ResultWriter(["one", "two"]).result(CHANGE, status, ERROR))
    assert told == {
        "type": "result",
        "line": 17,
        "organizationId": "org-1",
        "id": 'a"\n',
        "status": str(status),
        "check": "005e0f1c",
        "input": "two",
        "error": {"code": "not_updated", "message": "Failed to update activity.", "http": 200},
        "change": {"id": 'a"\n', "actionIcon": "i", "changes": {}},
    }


def test_an_invalid_row_carries_its_raw_record_whatever_bytes_it_has() -> None:
    row = Invalid(3, 0, 0xFF, None, None, "not_json", "found nothing", b'{"a":\xff\x00"\n')
    told = result(ResultWriter(["in"]).invalid(row))
    assert told == {
        "type": "result",
        "line": 3,
        "organizationId": None,
        "id": None,
        "status": "invalid",
        "check": "000000ff",
        "error": {"code": "not_json", "message": "found nothing"},
        "raw": '{"a":\\xff\x00"\n',
    }


def test_a_superseded_row_says_why_and_carries_no_change() -> None:
    told = result(ResultWriter(["in"]).superseded(CHANGE))
    assert told["status"] == "superseded"
    assert told["error"]["code"] == "superseded"
    assert "change" not in told


def test_numbers_in_a_change_stand_in_the_ledger_as_they_stood_in_the_input() -> None:
    activity = b'{"id":"a","entityData":{"n":18446744073709551617,"f":1.0,"e":1E5,"u":"\\u00e9"}}'
    change = Change("o", "a", 1, 0, 0, 2, activity)
    assert b'"change":' + activity in ResultWriter(["in"]).result(change, Status.FAILED, ERROR)


def test_what_is_about_to_go_out_is_told_row_by_row() -> None:
    line = decode_line(sending_line(5, TIME, Batch("org-1", [CHANGE, CHANGE]))[:-1])
    assert line == SendingLine(5, "org-1", TIME, [17, 17], ['a"\n'] * 2, [0x5E0F1C] * 2, [33] * 2)


def test_a_line_of_a_type_to_come_is_passed_over() -> None:
    assert decode_line(b'{"type":"weather","sun":true}') is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"line":1}',
        b'{"type":"result"}',
        b'{"type":"result","line":"1","organizationId":"o","id":"a","status":"updated","check":"0"}',
        b'{"type":"sending","request":1}',
        b"\xff",
    ],
)
def test_what_is_no_line_of_a_ledger_raises(line: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_line(line)


# ------------------------------------------------------------------------------------------ seals


def small_ledger() -> bytes:
    """Write a ledger that has every type of line, by two runs, a crash between them and a retry."""
    rows = [record("x", actionIcon="A"), record("y"), record("x", actionIcon="B"), "{", record("x", actionIcon="A")]

    def verdict(change: Change) -> str:
        return "refused" if change.id == "y" else "ok"

    paper = Paper().run(rows, verdict, steps=8)
    paper.ledger = paper.ledger[:-9]
    return paper.run(rows, verdict).retry(verdict).ledger


LEDGER = small_ledger()


def read(ledger: bytes, block: int = 1 << 20) -> tuple[list[Append], SealedReader]:
    reader = SealedReader()
    appends = [append for at in range(0, len(ledger), block) for append in reader.feed(ledger[at : at + block])]
    return appends, reader


def test_the_small_ledger_has_every_type_of_line() -> None:
    types = {json.loads(line)["type"] for line in LEDGER.splitlines()}
    assert types == {"run", "sending", "request", "result", "cut", "end", "seal"}


@given(st.integers(1, 500))
def test_a_ledger_is_read_alike_wherever_its_blocks_are_cut(block: int) -> None:
    assert read(LEDGER, block)[0] == read(LEDGER)[0]
    assert read(LEDGER, block)[1].seal == read(LEDGER)[1].seal


def test_appends_tell_where_they_stand() -> None:
    lines = LEDGER.split(b"\n")
    for append in read(LEDGER)[0]:
        assert LEDGER.startswith(append.lines, append.offset)
        assert lines[append.first_line - 1] == append.lines.split(b"\n")[0]


def test_a_seal_counts_lines_and_names_the_seal_before() -> None:
    first = Seal().next(b"a\nb\n")
    second = first.next(b"c\n")
    assert (first.lines, first.since) == (2, 0)
    assert (second.lines, second.since) == (4, 3)
    assert json.loads(second.encode()) == {"type": "seal", "lines": 4, "since": 3, "chain": second.chain}


def test_a_seal_depends_on_all_that_came_before() -> None:
    assert Seal().next(b"a\n").next(b"c\n").chain != Seal().next(b"b\n").next(b"c\n").chain


def test_text_of_a_row_that_looks_like_a_seal_is_none() -> None:
    inner = '\n{"type":"seal","lines":1,"since":0,"chain":"00"}\n'
    lines = ResultWriter(["in"]).invalid(Invalid(1, 0, 0, None, None, "not_json", inner, inner.encode()))
    appends, reader = read(sealed(encode_line(run_line()), lines))
    assert [append.lines for append in appends] == [encode_line(run_line()), lines]
    assert reader.finish() == b""


# ----------------------------------------------------------------------------------------- damage


def whole_ends() -> list[int]:
    """Tell where the ledger may end and be whole."""
    lines = LEDGER.split(b"\n")[:-1]
    ends, size = [0], 0
    for line in lines:
        size += len(line) + 1
        if line.startswith(b'{"type":"seal"'):
            ends.append(size)
    return ends


ENDS = whole_ends()
LAST = ENDS[-2]


def kept_of(damaged: bytes) -> int | Damage:
    """Read a damaged ledger: how many bytes of it count, or what is refused."""
    try:
        reader = read(damaged)[1]
        assert damaged.endswith(reader.finish())
    except Damage as damage:
        return damage
    return reader.size


def test_a_ledger_cut_anywhere_counts_up_to_its_last_whole_append() -> None:
    for size in range(len(LEDGER) + 1):
        assert kept_of(LEDGER[:size]) == max(end for end in ENDS if end <= size)


def test_a_ledger_that_is_zeros_from_some_byte_on_counts_up_to_its_last_whole_append() -> None:
    for size in range(len(LEDGER)):
        assert kept_of(LEDGER[:size] + bytes(len(LEDGER) - size)) == max(end for end in ENDS if end <= size)


@pytest.mark.parametrize("page", [1, 7, 64, 200])
@given(st.data())
def test_no_power_cut_makes_a_ledger_that_is_refused(page: int, data: st.DataObject) -> None:
    end = data.draw(st.sampled_from(ENDS[1:]))
    begin = ENDS[ENDS.index(end) - 1]
    size = data.draw(st.integers(begin, end))
    pages = range(begin // page, size // page + 1)
    lost = data.draw(st.sets(st.sampled_from(pages)))
    left = bytes(0 if at // page in lost else LEDGER[at] for at in range(begin, size))
    assert kept_of(LEDGER[:begin] + left) == (end if left == LEDGER[begin:end] else begin)


def test_each_bit_that_flips_is_found_and_only_in_the_last_seal_or_as_a_zero_taken_for_torn() -> None:
    last_seal = LEDGER.rindex(b'{"type":"seal"')
    for at in range(len(LEDGER)):
        for bit in range(8):
            damaged = LEDGER[:at] + bytes([LEDGER[at] ^ 1 << bit]) + LEDGER[at + 1 :]
            found = kept_of(damaged)
            if at >= last_seal or (at >= LAST and damaged[at] == 0):
                assert found == LAST or isinstance(found, Damage), (at, bit)
                continue
            assert isinstance(found, Damage), (at, bit)
            # The line that is named stands in the append that was damaged.
            first = LEDGER.count(b"\n", 0, max(end for end in ENDS if end <= at)) + 1
            last = LEDGER.count(b"\n", 0, min(end for end in ENDS if end > at))
            assert first <= found.line <= last + 1, (at, bit)


def swapped(lines: list[bytes]) -> Iterator[list[bytes]]:
    for at in range(len(lines) - 1):
        yield [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def dropped(lines: list[bytes]) -> Iterator[list[bytes]]:
    for first in range(len(lines)):
        for last in range(first + 1, len(lines) + 1):
            yield lines[:first] + lines[last:]


def doubled(lines: list[bytes]) -> Iterator[list[bytes]]:
    for first in range(len(lines)):
        for last in range(first + 1, len(lines) + 1):
            yield lines[:last] + lines[first:]


@pytest.mark.parametrize("damage", [swapped, dropped, doubled])
def test_lines_that_were_moved_lost_or_repeated_are_found(
    damage: Callable[[list[bytes]], Iterator[list[bytes]]],
) -> None:
    lines = [line + b"\n" for line in LEDGER.split(b"\n")[:-1]]
    tried = 0
    for changed in damage(lines):
        text = b"".join(changed)
        if text == LEDGER:
            continue
        tried += 1
        found = kept_of(text)
        if isinstance(found, int):
            # What counts is a beginning of what was written, and what is cut off holds no more than one append.
            assert text[:found] == LEDGER[:found]
            assert found in ENDS
            assert b'{"type":"seal"' not in text[found:]
    assert tried > len(lines) - 2


def test_an_append_exchanged_for_one_of_another_ledger_is_found() -> None:
    other = sealed(encode_line(run_line()), request_line(1, 1), request_line(2, 1))
    ours = sealed(encode_line(run_line("retry")), request_line(1, 1), request_line(2, 1))
    cut = read(ours)[0][1].offset
    with pytest.raises(Damage) as caught:
        read(ours[:cut] + other[read(other)[0][1].offset :])
    assert caught.value.line == 3


def test_damage_names_the_line_that_cannot_be_read() -> None:
    lines = LEDGER.split(b"\n")
    bad = next(at for at, line in enumerate(lines) if b'"updated"' in line)
    lines[bad] = lines[bad].replace(b'"status":', b'"status";')
    found = kept_of(b"\n".join(lines))
    assert isinstance(found, Damage)
    assert found.line == bad + 1


@pytest.mark.parametrize("foreign", [b"hello\n", b"hello\n" * 1000, b"\n", b"[]\n", b'{"type":"result"}\n{"type"'])
@pytest.mark.parametrize("torn", [b"", encode_line(run_line())])
def test_whole_foreign_lines_at_the_end_are_no_torn_tail(torn: bytes, foreign: bytes) -> None:
    found = kept_of(LEDGER + torn + foreign)
    assert isinstance(found, Damage)
    assert found.line == (LEDGER + torn).count(b"\n") + 1


def test_lines_of_a_type_that_this_version_does_not_know_may_be_torn() -> None:
    assert kept_of(LEDGER + b'{"type":"later","is":1}\n{"type":"la') == len(LEDGER)


def test_the_ends_of_a_run_and_cuts_are_read_as_written() -> None:
    written: list[Line] = [EndLine(TIME, 1, {"rows": 2}), CutLine(7, "in.torn-1", TIME), RateLine("20 in 1 s", TIME)]
    assert [decode_line(encode_line(line)[:-1]) for line in written] == written


def test_a_ledger_of_another_format_is_refused() -> None:
    (append,) = read(sealed(encode_line(run_line(form=2))))[0]
    with pytest.raises(ValueError, match="format 2"):
        LedgerState().fold(append)
