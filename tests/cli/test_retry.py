"""`retry` as its user sees it: what it leaves for the main job to settle, and what it says to run next."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cli.process import Ended, run
from tests.runs import ndjson, row
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.replies import ok, verdicts

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
        assert (await shell.job("--limit", "1")).code == 0
        retried = await shell.retry()
        assert (retried.code, len(server.requests)) == (1, 2)
        lines = retried.err.splitlines()
        assert lines[0] == "2 rows: 1 updated, 1 failed"
        assert "1 row was not sent again: only the main job can tell the order of these changes and others" in lines
        assert lines[-1].startswith(f"next: {shell.main}")
        assert (await shell.job()).code == 0
        sent = [json.loads(request.activities[0])["actionIcon"] for request in server.requests]
        assert sent == ["last", "first", "last"]
