"""What a person is told at the end: nouns that go with their numbers, and the one command to run next."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from bulk_update.cli.next_step import next_step
from bulk_update.cli.words import describe_failures, describe_summary
from bulk_update.errors import BulkUpdateError, CredentialsRefused, InputBroken, Interrupted, TooManyFailures
from bulk_update.pipeline import Ended
from bulk_update.pure.ledger_lines import RETRY, RunLine, Table
from bulk_update.pure.tally import Summary
from tests.cli.process import run
from tests.runs import ndjson, rows

LEDGER: Final = "data/changes.ndjson.ledger.ndjson"
RUN: Final = "data/changes.ndjson --rate 9 --ping-url https://hc.example/5e0f1c9a --api-url https://staging"
RUN_AGAIN: Final = "bulk-update data/changes.ndjson --rate 9 --api-url https://staging"
RETRY_RUN: Final = f"retry {LEDGER} --ping-url=https://hc.example/5e0f1c9a"
RETRY_AGAIN: Final = f"bulk-update retry {LEDGER}"
MAIN: Final = "bulk-update data/changes.ndjson"
FAILURES: Final = f"bulk-update failures {LEDGER}"


def summary(**counts: Any) -> Summary:
    """Make a summary of nothing, with some counts."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("rows", "updated", "failed", "invalid", "unknown", "superseded", "unsent", "requests", "attempts"), 0
    )
    return Summary(**(nothing | {"seconds": 0.4, "ledger": LEDGER, "complete": True} | counts))


def next_command(how: Ended, words: list[str]) -> str | None:
    step = next_step(how, words)
    return None if step is None else step.command


def ended(
    verb: str,
    reason: BulkUpdateError | None = None,
    *,
    left: bool = False,
    waiting: int = 0,
    api: str = "https://api.velt.dev",
    **counts: Any,
) -> Ended:
    begin = RunLine(1, "0.1.0", "", verb, ["changes.ndjson"], api, "", "")
    return Ended(summary(**counts), reason, begin, begin, is_input_left=left, waiting=waiting)


REFUSED: Final = CredentialsRefused("the API refused the credentials")
SIGNAL: Final = Interrupted(15)
TOO_MANY: Final = TooManyFailures("9 rows had failed by then")

OF_RUN: Final = [
    (ended("run", updated=3), None),
    (ended("run", updated=3, superseded=1), None),
    (ended("run", REFUSED, unsent=3), RUN_AGAIN),
    (ended("run", REFUSED, failed=3), RUN_AGAIN),
    (ended("run", SIGNAL, unsent=3), RUN_AGAIN),
    (ended("run", SIGNAL), RUN_AGAIN),
    (ended("run", TOO_MANY, failed=9, unsent=3), FAILURES),
    (ended("run", unsent=3), RUN_AGAIN),
    (ended("run", failed=1), f"{RETRY_AGAIN} --rate 9 --api-url https://staging"),
    (ended("run", unknown=1, invalid=1), f"{RETRY_AGAIN} --rate 9 --api-url https://staging"),
    (ended("run", invalid=1), RUN_AGAIN),
    (ended("run", complete=False, left=True, updated=3), RUN_AGAIN),
]

OF_RETRY: Final = [
    (ended(RETRY, updated=3), None),
    (ended(RETRY, updated=3, superseded=1), None),
    (ended(RETRY, REFUSED, failed=3), RETRY_AGAIN),
    (ended(RETRY, SIGNAL, unsent=3), RETRY_AGAIN),
    (ended(RETRY, TOO_MANY, failed=9), FAILURES),
    (ended(RETRY, unsent=3), MAIN),
    (ended(RETRY, unsent=3, failed=1, left=True), MAIN),
    (ended(RETRY, unsent=3, api="sandbox"), f"bulk-update changes.ndjson --ledger {LEDGER} --sandbox"),
    (ended(RETRY, unsent=3, api="http://127.0.0.1:8787"), f"{MAIN} --api-url http://127.0.0.1:8787"),
    (ended(RETRY, failed=1, left=True), FAILURES),
    (ended(RETRY, failed=2, left=True, waiting=1), MAIN),
    (ended(RETRY, unknown=1, invalid=1), FAILURES),
    (ended(RETRY, invalid=1), MAIN),
    (ended(RETRY, updated=3, left=True), MAIN),
]


@pytest.mark.parametrize(("how", "expected"), OF_RUN)
def test_what_follows_the_main_job(how: Ended, expected: str | None) -> None:
    assert next_command(how, RUN.split()) == expected


@pytest.mark.parametrize(("how", "expected"), OF_RETRY)
def test_what_follows_a_retry(how: Ended, expected: str | None) -> None:
    assert next_command(how, RETRY_RUN.split()) == expected


@pytest.mark.parametrize("verb", ["run", RETRY])
@pytest.mark.parametrize(
    ("inputs", "tables", "listing"),
    [
        (["changes.ndjson"], [], FAILURES),
        (["changes.csv"], [], f"{FAILURES} --format csv"),
        (["export.txt"], [Table("export.txt", ";", ["id"])], f"{FAILURES} --format csv"),
        (["changes.csv", "more.ndjson"], [Table("changes.csv", ",", ["id"])], FAILURES),
    ],
)
def test_invalid_rows_are_mended_in_the_input_and_listed_as_it_was(
    verb: str, inputs: list[str], tables: list[Table], listing: str
) -> None:
    how = ended(verb, rows=3, updated=1, invalid=2)
    begin = RunLine(1, "0.1.0", "", verb, inputs, "https://api.velt.dev", "", "")
    how = replace(how, begin=begin, main=RunLine(1, "0.1.0", "", "run", inputs, "", "", "", {}, tables))
    step = next_step(how, RUN.split())
    assert step is not None
    assert step.listing == listing
    last = describe_summary(how, step).splitlines()[-2:]
    assert last == [f"first mend 2 invalid rows in the input; to list them: {listing}", f"next: {step.command}"]


def test_an_input_that_broke_off_is_to_be_mended_first() -> None:
    how = ended("run", InputBroken("changes.ndjson.gz is cut off"), updated=3, complete=False)
    lines = describe_summary(how, next_step(how, RUN.split())).splitlines()
    assert lines[-2:] == ["first mend the input: it would break off at the same place", f"next: {RUN_AGAIN}"]
    how = ended("run", SIGNAL, updated=3, complete=False)
    assert "first mend" not in describe_summary(how, next_step(how, RUN.split()))


def test_the_main_job_after_a_retry_reads_its_input_as_it_did() -> None:
    how = ended(RETRY, unsent=1)
    tables = [Table("changes.ndjson", ";", ["activity"], {"id": "activity"})]
    main = RunLine(1, "0.1.0", "", "run", ["changes.ndjson"], "", "", "", {"empty": "null"}, tables)
    assert next_command(replace(how, main=main), ["retry", LEDGER]) == f"{MAIN} --column id=activity --empty null"


@pytest.mark.parametrize("how", [ended("run", failed=1, invalid=1), ended("run", SIGNAL, invalid=1), ended("run")])
def test_nothing_is_to_be_mended_before_something_else_is_done(how: Ended) -> None:
    step = next_step(how, RUN.split())
    assert step is None or not step.listing


def test_what_follows_a_canary_is_the_same_without_its_limit() -> None:
    canary = ended("run", complete=False, left=True, updated=3)
    assert next_command(canary, ["data/changes.ndjson", "--limit", "3", "--json"]) == f"{MAIN} --json"
    assert next_command(canary, ["data/changes.ndjson", "--limit=3"]) == MAIN


def test_the_main_job_after_a_retry_goes_where_the_retry_went() -> None:
    words = ["retry", LEDGER, "--api-key-file", "key", "--api-url=https://staging"]
    expected = f"{MAIN} --api-key-file key --api-url=https://staging"
    assert next_command(ended(RETRY, unsent=1, api="https://staging"), words) == expected


def test_the_main_job_of_a_ledger_with_a_name_of_its_own_names_it() -> None:
    how = ended(RETRY, unsent=1)
    elsewhere = replace(how, summary=replace(how.summary, ledger="night.ndjson"))
    assert next_command(elsewhere, ["retry", "night.ndjson"]) == "bulk-update changes.ndjson --ledger night.ndjson"


SAID: Final = [
    ({"rows": 1, "updated": 1, "requests": 1, "attempts": 1}, ["1 row: 1 updated", "1 request, 0.4 s"]),
    ({"rows": 2, "updated": 2, "requests": 1, "attempts": 2}, ["2 rows: 2 updated", "1 request (2 attempts), 0.4 s"]),
    ({"requests": 0, "attempts": 1}, ["0 rows: 0 updated", "0 requests (1 attempt), 0.4 s"]),
    ({"skipped": 1}, ["1 row had its result before this run"]),
    ({"skipped": 2}, ["2 rows had their result before this run"]),
    ({"in_doubt": 1}, ["1 row was on its way when a run ended and may have been applied"]),
    ({"in_doubt": 2}, ["2 rows were on their way when a run ended and may have been applied"]),
    ({"absent": 1}, ["1 result in the ledger is of a row that the input no longer has"]),
    ({"absent": 2}, ["2 results in the ledger are of rows that the input no longer has"]),
]


@pytest.mark.parametrize(("counts", "lines"), SAID)
def test_nouns_go_with_their_numbers(counts: dict[str, Any], lines: list[str]) -> None:
    how = ended("run")
    said = describe_summary(replace(how, summary=replace(how.summary, **counts)), None).splitlines()
    assert set(lines) <= set(said)


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (
            1,
            ("--batch-size", "1", "--rate", "1/s"),
            ["1 row: ", "1 request of at most 1 activity, ", "1 organization: "],
        ),
        (1, ("--rate", "1/s"), ["s at 1/s: done by "]),
        (3, ("--batch-size", "2", "--rate", "2/s"), ["3 rows: ", "2 requests of at most 2 activities, "]),
    ],
)
async def test_so_they_do_in_what_check_finds(
    count: int, words: tuple[str, ...], said: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(count)))
    checked = await run("check", path, *words, env={})
    assert [word for word in said if word not in checked.out] == []


LONG: Final = {
    "status": "failed",
    "code": "not_updated",
    "message": "the activity cannot be updated because its organization keeps immutable records " * 2,
    "varies": True,
    "first_line": 12_345,
    "example": "activity-" + "x" * 90,
    "count": 1_234,
    "organizations": 3,
}


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_long_lines_hang_under_their_words_on_a_terminal(columns: int) -> None:
    (whole,) = describe_failures([LONG], ["changes.ndjson"])
    lines = describe_failures([LONG], ["changes.ndjson"], columns)
    assert lines[0].startswith("    1,234 failed: such as: the activity")
    assert len(lines) > 1
    assert max(map(len, lines)) < columns
    assert all(line.startswith(" " * 10) and line[10] != " " for line in lines[1:])
    assert "".join(whole.split()) == "".join("".join(lines).split())


@pytest.mark.parametrize("columns", [None, 1, 20, 5_000])
def test_without_a_terminal_or_any_room_a_line_is_a_line(columns: int | None) -> None:
    assert len(describe_failures([LONG], ["changes.ndjson"], columns)) == 1


def test_a_command_is_never_wrapped() -> None:
    how = ended("run", REFUSED, rows=3, unsent=3)
    step = next_step(how, ["x" * 100, "--api-url", "https://staging"])
    assert step is not None
    assert describe_summary(how, step, 40).endswith(f"\nnext: {step.command}")


@pytest.mark.parametrize("columns", [30, 60])
def test_what_a_digest_says_besides_fits_the_terminal(columns: int) -> None:
    how = ended("run", rows=9, updated=1, unsent=8, in_doubt=8, outages=2, outage_seconds=75.0, absent=3, skipped=1)
    told = replace(how.summary, last_outage="2026-11-23T02:14:05.123Z")
    lines = describe_summary(replace(how, summary=told), None, columns).splitlines()
    assert max(map(len, lines[:-1])) < columns
    assert "2 outages: nothing succeeded for 1 min 15 s; the last began 2026-11-23 02:14:05 UTC" in " ".join(
        " ".join(lines).split()
    )
