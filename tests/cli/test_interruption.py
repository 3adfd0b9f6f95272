"""Signals end a run in good order; what a run leaves behind, however it ended, is where the next one goes on."""

import asyncio
import json
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.cli.process import command, end, environment, run, running
from tests.runs import ndjson, read_ledger, rows
from tests.servers.actions import Action, Hang
from tests.servers.exchange import Exchange
from tests.servers.misbehaving import MisbehavingServer, Request, open_misbehaving
from tests.servers.replies import ok

CODES: Final = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
TWO_AT_ONCE: Final = ("--rate", "none", "--batch-size", "1", "--concurrency", "2")


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    """Give an input of ten rows of one organization."""
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(10)))
    return path


def ledger_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.ledger.ndjson")


@dataclass
class Held:
    """Apply at once, and answer when it is time to."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def perform(self, exchange: Exchange) -> None:
        exchange.apply(exchange.request.ids)
        await self.go.wait()
        await ok().perform(exchange)

    def after(self, count: int, index: int, request: Request) -> Action:
        """Let the first requests through, and hold those after."""
        return ok() if index < count else self


async def said(process: asyncio.subprocess.Process, word: bytes) -> None:
    """Wait until the process says a word on standard error."""
    assert process.stderr is not None
    while word not in (line := await process.stderr.readline()):
        assert line, "the process ended without a word"


async def goes_on(changes: Path, server: MisbehavingServer, *, at_most_twice: int = 0) -> None:
    """Check that the same command ends with every row updated, and how many were sent twice for that."""
    ended = await run(changes, "--api-url", server.url, *TWO_AT_ONCE, "--json")
    assert (ended.code, ended.json["updated"], ended.json["in_doubt"]) == (0, 10, 0)
    ledger = read_ledger(ledger_of(changes))
    assert ledger.statuses == {"updated": 10}
    results = Counter(line["line"] for line in ledger.lines if line["type"] == "result")
    assert set(results.values()) == {1}
    applied = Counter(applied.id for applied in server.applied)
    assert len(applied) == 10
    assert sum(count > 1 for count in applied.values()) <= at_most_twice
    assert 0 <= len(server.requests) - ended.json["attempts"] <= at_most_twice  # of those no end was seen


@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
async def test_a_signal_ends_the_run_when_what_is_on_its_way_is_answered(number: signal.Signals, changes: Path) -> None:
    held = Held()
    async with open_misbehaving(lambda n, request: held.after(3, n, request)) as server:
        async with running(changes, "--api-url", server.url, *TWO_AT_ONCE, "--json") as process:
            await server.until(lambda: len(server.requests) == 5)
            process.send_signal(number)
            await said(process, number.name.encode())
            held.go.set()
            ended = await end(process)
        assert len(server.requests) == 5
        assert (ended.code, ended.json["exit"]) == (CODES[number], CODES[number])
        assert (ended.json["updated"], ended.json["unsent"], ended.json["in_doubt"]) == (5, 5, 0)
        assert number.name in ended.json["stopped"]
        assert read_ledger(ledger_of(changes)).lines[-1]["exit"] == CODES[number]
        await goes_on(changes, server)
        assert len(server.requests) == 10


async def test_a_second_signal_ends_the_run_at_once_and_the_ledger_is_whole(changes: Path) -> None:
    held = Held()
    async with open_misbehaving(lambda n, request: held.after(3, n, request)) as server:
        async with running(changes, "--api-url", server.url, *TWO_AT_ONCE, "--json") as process:
            await server.until(lambda: len(server.requests) == 5)
            process.terminate()
            await said(process, b"SIGTERM")
            process.terminate()
            ended = await end(process)
        assert (ended.code, ended.json["updated"], ended.json["unsent"], ended.json["in_doubt"]) == (143, 3, 7, 2)
        assert read_ledger(ledger_of(changes)).lines[-1]["type"] == "end"
        held.go.set()
        await goes_on(changes, server, at_most_twice=2)


async def test_after_a_kill_the_same_command_goes_on(changes: Path) -> None:
    held = Held()
    async with open_misbehaving(lambda n, request: held.after(3, n, request)) as server:
        async with running(changes, "--api-url", server.url, *TWO_AT_ONCE) as process:
            await server.until(lambda: len(server.requests) == 5)
            process.kill()
            await process.communicate()
        held.go.set()
        await goes_on(changes, server, at_most_twice=2)


async def test_while_nothing_can_be_sent_a_signal_ends_the_run_at_once(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        server.refuse()
        async with running(changes, "--api-url", server.url, "--json") as process:
            await said(process, b"one request at a time")
            process.send_signal(signal.SIGINT)
            ended = await end(process)
        assert (ended.code, ended.json["unsent"], ended.json["in_doubt"]) == (130, 10, 0)


async def test_waiting_for_standard_input_ends_with_a_signal(tmp_path: Path) -> None:
    words = ("-", "--ledger", tmp_path / "ledger", *TWO_AT_ONCE)
    async with open_misbehaving([ok()]) as server:
        async with running(*words, "--api-url", server.url) as process:
            assert process.stdin is not None
            process.stdin.write(ndjson(rows(3)).encode())
            await server.until(lambda: len(server.applied) == 3)
            process.terminate()
            assert process.stderr is not None
            err = await process.stderr.read()
            await process.wait()
        assert process.returncode == 143
        assert b"3 updated" in err


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_that_is_ignored_stays_ignored(number: signal.Signals, changes: Path) -> None:
    held = Held()
    async with open_misbehaving(lambda n, request: held.after(3, n, request)) as server:
        words = command(changes, "--api-url", server.url, *TWO_AT_ONCE)
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f'trap "" {number.name.removeprefix("SIG")}; exec "$@"', "sh", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(),
        )  # fmt: skip
        await server.until(lambda: len(server.requests) == 5)
        process.send_signal(number)
        held.go.set()
        assert (await end(process)).code == 0


async def test_nothing_of_a_hanging_answer_outlasts_the_timeout_when_a_signal_has_come(changes: Path) -> None:
    async with open_misbehaving([Hang()]) as server:
        words = (*TWO_AT_ONCE, "--timeout", "1", "--json")
        async with running(changes, "--api-url", server.url, *words) as process:
            await server.until(lambda: len(server.in_flight) == 2)
            process.terminate()
            ended = await end(process)
        assert (ended.code, ended.json["unsent"], ended.json["in_doubt"]) == (143, 10, 2)
        assert len(server.requests) == 2


async def test_the_progress_of_a_canary_is_that_of_its_own_rows(changes: Path) -> None:
    held = Held()
    async with open_misbehaving(lambda n, request: held.after(4, n, request)) as server:
        words = (*TWO_AT_ONCE, "--limit", "8", "--log-format", "json")
        async with running(changes, "--api-url", server.url, *words) as process:
            assert process.stderr is not None
            event = json.loads(await process.stderr.readline())
            held.go.set()
            assert (await end(process)).code == 0
    assert (event["event"], event["share"]) == ("progress", 0.5)
