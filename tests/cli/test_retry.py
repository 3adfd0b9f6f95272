"""`retry` as its user sees it: what it leaves for the main job to settle, and what it says to run next."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bulk_update.cli import main
from bulk_update.model import Status
from tests.cli.process import Ended, run
from tests.pure.paper import Paper
from tests.report.ledgers import gather
from tests.runs import ndjson, row
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.replies import ok, verdicts

INVALID = {"organizationId": "org-1", "id": "a", "actionIcn": "x"}
FIRST, LAST = (row("a", actionIcon=word) for word in ("first", "last"))
LEDGER = "in.ndjson.ledger.ndjson"


class Shell:
    """Run commands in a folder against a server."""

    def __init__(self, folder: Path, server: MisbehavingServer) -> None:
        self._folder = folder
        self._to = ("--api-url", server.url, "--rate", "none")
        self.main = f"bulk-update in.ndjson --api-url {server.url}"

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        (self._folder / "in.ndjson").write_text(ndjson(records))

    async def job(self, *words: str) -> Ended:
        return await run("in.ndjson", *self._to, *words, cwd=self._folder)

    async def tell(self, verb: str, *words: str) -> Ended:
        return await run(verb, LEDGER, *words, cwd=self._folder)

    async def retry(self, *words: str) -> Ended:
        return await run("retry", LEDGER, *self._to, *words, cwd=self._folder)


async def test_a_row_waits_for_the_main_job_where_that_has_stopped_behind_a_row_inserted_before_it(
    tmp_path: Path,
) -> None:
    async with open_misbehaving([verdicts({"a": False}), ok()]) as server:
        shell = Shell(tmp_path, server)
        shell.write([LAST])
        assert (await shell.job()).code == 1
        shell.write([FIRST, LAST])
        assert (await shell.job("--limit", "1")).code == 1
        retried = await shell.retry()
        assert (retried.code, len(server.requests)) == (1, 2)
        lines = retried.err.splitlines()
        assert lines[0] == "2 rows: 1 updated, 1 failed"
        assert "1 row was not sent again: only the main job can tell the order of these changes and others" in lines
        assert lines[-1].startswith(f"next: {shell.main}")
        assert (await shell.job()).code == 0
        sent = [json.loads(request.activities[0])["actionIcon"] for request in server.requests]
        assert sent == ["last", "first", "last"]


async def test_an_invalid_row_that_was_mended_is_told_apart(tmp_path: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        shell = Shell(tmp_path, server)
        shell.write([INVALID, row("b")])
        assert (await shell.job()).code == 1
        assert (await shell.retry("--json")).json["invalid"] == 1
        shell.write([FIRST, row("b")])
        assert (await shell.job()).code == 0
        for _ in range(2):
            retried = await shell.retry("--json")
            told = {name: retried.json[name] for name in ("rows", "invalid", "absent", "failures", "next")}
            assert told == {"rows": 2, "invalid": 0, "absent": 1, "failures": [], "next": None}
            assert retried.code == 0
            assert (await shell.tell("failures")).out == ""
            assert (await shell.tell("failures", "--format", "csv")).out.count("\n") == 1
            report = (await shell.tell("report")).out
            assert "next: nothing is left to do" in report
            assert "1 result is of a row that the input no longer has" in report
            assert "unknown field" not in report
            assert "organizations" not in report


async def test_an_invalid_row_that_is_back_in_the_input_is_not_updated_again(tmp_path: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        shell = Shell(tmp_path, server)
        for records, code in (([INVALID], 1), ([FIRST], 0), ([INVALID, FIRST], 1)):
            shell.write(records)
            assert (await shell.job()).code == code
        assert (await shell.retry()).code == 1
        assert json.loads((await shell.tell("failures")).out)["_status"] == "invalid"
        assert "1 invalid" in (await shell.tell("report")).out


def test_what_a_run_that_broke_off_has_found_in_the_input_is_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invalid, good = json.dumps(INVALID), json.dumps(FIRST)
    paper = Paper().run([invalid]).run([good])
    for expected in (0, 1):
        (tmp_path / LEDGER).write_bytes(paper.ledger)
        assert main(["failures", str(tmp_path / LEDGER)]) == 0
        assert capsys.readouterr().out.count("\n") == expected
        data = gather(paper.ledger)
        assert data.counts[Status.INVALID] == expected
        assert sum(each.amiss for each in data.organizations) == expected
        assert (len(data.reasons), data.reasons_outdated) == (expected, False)
        assert paper.retry().counts == {"updated": 1} | ({"invalid": 1} if expected else {})
        paper.run([invalid, good], steps=1)


async def test_a_retry_that_is_stopped_tells_mended_rows_apart_as_well(tmp_path: Path) -> None:
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        shell = Shell(tmp_path, server)
        shell.write([INVALID, row("b")])
        await shell.job()
        shell.write([row("b"), *[row(f"c{number}") for number in range(20)]])
        assert (await shell.job()).code == 1
        retried = await shell.retry("--json", "--max-failures", "1", "--batch-size", "1", "--concurrency", "1")
        assert (retried.code, retried.json["invalid"], retried.json["absent"]) == (3, 0, 1)
