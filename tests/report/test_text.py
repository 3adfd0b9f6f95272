"""The report for a terminal."""

import re

import pytest

from bulk_update.model import RowError, Status
from bulk_update.report.page import render
from bulk_update.report.text import describe
from tests.report.hostile import hostile
from tests.report.ledgers import BEGAN, LedgerMaker, change, gather
from tests.report.weather import Migration, migration
from tests.report.wordy import wordy


@pytest.fixture(scope="module")
def rich() -> str:
    """Give the report of a migration."""
    return describe(gather(migration(Migration(rows=20_000))[0]))


def test_it_tells_rows_requests_reasons_runs_and_what_is_next(rich: str) -> None:
    counts = migration(Migration(rows=20_000))[1]
    for status, rows in counts.items():
        if rows:
            assert f"{rows:,} {status}" in rich
    for words in (
        "latency of verdicts: p50",
        "Activity not found",
        "by organization",
        "slowest attempts",
        "--rate",
        "exit 130",
    ):
        assert words in rich
    assert [line for line in rich.splitlines() if line.startswith("  bulk-update ")] == [
        "  bulk-update failures changes.ndjson.ledger.ndjson",
        "  bulk-update retry changes.ndjson.ledger.ndjson",
        "  bulk-update changes.ndjson",
    ]


def test_parts_are_apart_and_lines_end_where_they_end(rich: str) -> None:
    assert len(re.split(r"\n\n", rich)) == 9
    assert [line for line in rich.split("\n") if line != line.rstrip()] == []


def test_without_unicode_it_is_drawn_in_ascii() -> None:
    data = gather(migration(Migration(rows=2_000))[0])
    assert describe(data, is_unicode=False).isascii()
    assert not describe(data, is_unicode=True).isascii()


def test_hostile_words_move_no_cursor() -> None:
    text = describe(gather(hostile()))
    assert {letter for letter in text if not letter.isprintable()} == {"\n"}
    assert max(map(len, text.split("\n"))) < 3_000


def test_nouns_go_with_their_numbers() -> None:
    appends: list[bytes] = []
    maker, rows = LedgerMaker(appends.append), [change(1)]
    maker.run()
    maker.sending(1, 0.5, rows)
    maker.attempt(1, 0.7, rows)
    maker.result(rows[0], Status.FAILED, RowError("not_updated", "no", 200))
    maker.end(1.0, 3, {"run_seconds": 1.0, "complete": True, "unsent": 1, "absent": 1})
    text = describe(gather(b"".join(appends)))
    for words in (
        "1 run, ",
        "2 rows: 1 failed, 1 unsent",
        "1 result is of a row that the input no longer has",
        "1 answered, 1 attempt,",
        "of 1 row ",
        "1 result  1 attempt",
    ):
        assert words in text


def test_a_run_without_an_end_is_told() -> None:
    appends: list[bytes] = []
    LedgerMaker(appends.append).run()
    text = describe(gather(b"".join(appends)))
    assert "no end" in text
    assert "0 rows: none has a result" in text
    assert "bulk-update changes.ndjson" in text


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_long_cells_hang_under_themselves_on_a_terminal(columns: int) -> None:
    data = gather(wordy())
    lines = describe(data, columns=columns).split("\n")
    first = lines.index("not updated:") + 1
    hanging = lines[first].index("kind a of failure")
    assert lines[first + 1].startswith(" " * hanging + lines[first + 1].strip()[:1])
    assert max(map(len, lines)) < columns
    whole = describe(data).split("\n")
    assert "".join(" ".join(lines).split()) == "".join(" ".join(whole).split())


def test_only_the_last_run_may_be_at_work_still_and_why_one_stopped_is_told_to_its_end() -> None:
    appends: list[bytes] = []
    maker, stopped = LedgerMaker(appends.append), f"{'no answer, ' * 22}run the same command again"
    maker.run(0.0)
    maker.run(10.0)
    maker.end(11.0, 3, {"run_seconds": 1.0, "stopped": stopped})
    maker.run(20.0)
    data = gather(b"".join(appends))
    text = describe(data)
    assert re.findall(r"no end: .*", text) == ["no end: killed", "no end: still going, or killed"]
    assert f"exit 3: {stopped}" in text
    page = render(data, BEGAN)
    assert page.count(">no end recorded: killed<") == page.count(">no end recorded: still going, or killed<") == 1
    assert stopped in page
