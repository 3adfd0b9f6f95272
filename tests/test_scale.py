"""The command line at work: a hundred thousand rows, and the rate on the wire, against a server of its own."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.cli.process import ROOT, environment, run, run_measured
from tests.runs import read_ledger
from tests.servers.window import busiest_window


class Served:
    """A fast server in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def statistics(self) -> dict[str, Any]:
        """Ask what it has seen."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        writer.write(b"GET /stats?times=1 HTTP/1.1\r\nHost: test\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()
        statistics: dict[str, Any] = json.loads(body)
        return statistics


@asynccontextmanager
async def serving(*words: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.servers.fast", *words,
        stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=environment({}),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield Served((await process.stdout.readline()).decode().strip())
    finally:
        process.terminate()
        await process.wait()


async def test_a_hundred_thousand_interleaved_rows_take_the_fewest_requests_in_bounded_memory(tmp_path: Path) -> None:
    count, organizations = 100_000, 1_000
    path = tmp_path / "changes.ndjson"
    with path.open("w") as file:
        for n in range(count):
            file.write(
                f'{{"organizationId":"org-{n % organizations}","id":"activity-{n}","changes":{{"status":'
                f'{{"from":"open","to":"done"}}}},"displayMessageTemplate":"{{{{user.name}}}} has done {n}",'
                f'"entityData":{{"n":{n},"text":"{"x" * 100}"}}}}\n'
            )
    async with serving() as server:
        ended = await run_measured(path, "--api-url", server.url, "--rate", "none", "--json")
        seen = await server.statistics()
    assert (ended.code, ended.json["updated"], ended.json["complete"]) == (0, count, True)
    assert (seen["activities"], seen["duplicates"], seen["refused"]) == (count, 0, 0)
    assert seen["requests"] <= 1.01 * count / 100
    assert ended.peak < 200_000_000


async def test_a_small_buffer_costs_little_more_requests_and_takes_less_memory(tmp_path: Path) -> None:
    count, organizations = 40_000, 400
    path = tmp_path / "changes.ndjson"
    with path.open("w") as file:
        for n in range(count):
            file.write(
                f'{{"organizationId":"org-{n % organizations}","id":"activity-{n}","entityData":"{"x" * 500}"}}\n'
            )
    async with serving() as server:
        words = ("--api-url", server.url, "--rate", "none", "--json", "--buffer", "2MB")
        ended = await run_measured(path, *words)
        seen = await server.statistics()
    assert (ended.code, seen["activities"], seen["duplicates"]) == (0, count, 0)
    assert seen["requests"] <= 1.01 * count / 100
    assert ended.peak < 90_000_000


async def test_the_busiest_second_holds_what_the_rate_allows_and_that_is_used(tmp_path: Path) -> None:
    """Where the bytes leave it always holds; on the server's side a busy machine may bring some late together."""
    rate, count = 50, 250
    path = tmp_path / "changes.ndjson"
    path.write_text("".join(f'{{"organizationId":"org-1","id":"a{n}","actionIcon":"x"}}\n' for n in range(count)))
    seen = []
    for trial in range(4):
        ledger = tmp_path / f"{trial}.ledger"
        async with serving("--latency-ms", "200") as server:
            words = ("--api-url", server.url, "--rate", str(rate), "--batch-size", "1", "--ledger", ledger)
            assert (await run(path, *words)).code == 0
            times = (await server.statistics())["times"]
        assert len(times) == count
        assert busiest_window(read_ledger(ledger).departures(), 1.0) <= rate
        seen.append(busiest_window(times, 1.0))
        if rate - 1 <= seen[-1] <= rate:
            return
    raise AssertionError(seen)
