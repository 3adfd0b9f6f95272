"""Somebody takes the ledger away from a run: it stops, what is on its way is recorded, and nothing is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.process import end, run, running
from tests.cli.test_interruption import said
from tests.runs import ndjson, read_ledger, rows
from tests.servers.exchange import Exchange
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import ok


def delete(ledger: Path) -> Path:
    ledger.unlink()
    return ledger


def move(ledger: Path) -> Path:
    there = ledger.with_name("elsewhere")
    ledger.rename(there)
    return there


def replace(ledger: Path) -> Path:
    ledger.with_name("other").write_bytes(ledger.read_bytes())
    ledger.with_name("other").rename(ledger)
    return ledger.with_name(f"{ledger.name}.saved-1")


@dataclass
class Held:
    """Apply at once, and answer when it is time to."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def perform(self, exchange: Exchange) -> None:
        exchange.apply(exchange.request.ids)
        await self.go.wait()
        await ok().perform(exchange)


@pytest.mark.parametrize("take_away", [delete, move, replace])
async def test_a_run_whose_ledger_is_taken_away_stops_and_loses_nothing(
    take_away: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(6)))
    ledger = tmp_path / "changes.ndjson.ledger.ndjson"
    held = Held()
    async with open_misbehaving([ok(), held, ok()]) as server:
        words = (path, "--api-url", server.url, "--rate", "none", "--batch-size", "1", "--concurrency", "1")
        async with running(*words, "--json") as process:
            await server.until(lambda: len(server.requests) == 2)
            there = take_away(ledger)
            await said(process, b"ERROR: the ledger")
            held.go.set()
            ended = await end(process)
        assert ended.code == 3
        assert str(there) in ended.json["stopped"]
        assert (ended.json["updated"], ended.json["unsent"]) == (2, 4)
        assert (ended.json["next"] is None) == (take_away is not delete)
        assert read_ledger(there).statuses == {"updated": 2}
        assert read_ledger(there).lines[-1]["exit"] == 3
        there.replace(ledger)
        again = await run(*words, "--json")
        assert (again.code, again.json["updated"], len(server.requests)) == (0, 6, 6)


async def test_a_ledger_that_vanishes_at_the_very_end_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(1)))
    ledger = tmp_path / "changes.ndjson.ledger.ndjson"
    held = Held()
    async with open_misbehaving([held]) as server:
        async with running(path, "--api-url", server.url) as process:
            await server.until(lambda: len(server.requests) == 1)
            ledger.unlink()
            held.go.set()
            ended = await end(process)
    assert ended.code == 3
    assert "it is back" in ended.err
    assert read_ledger(ledger).statuses == {"updated": 1}
