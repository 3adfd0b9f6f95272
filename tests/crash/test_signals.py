"""Signals: the first drains, the second ends at once; the ledger is whole, and the same command goes on."""

import json
import signal
from asyncio.subprocess import Process
from pathlib import Path
from random import Random

import pytest

from tests.crash.world import Point, Strike, World, many_rows, open_world
from tests.servers.actions import Action, Hang
from tests.servers.model import Request


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_lets_what_is_on_its_way_finish(tmp_path: Path, number: signal.Signals) -> None:
    async with open_world(tmp_path, many_rows(Random(number))) as world:
        ended = await world.run(Strike(2, Point.RECEIVED, lambda process: process.send_signal(number)))
        assert ended.code == 128 + number
        assert f"interrupted by {number.name}" in ended.err
        tale = world.tale()
        assert tale.data == tale.whole
        assert not tale.on_their_way
        last = json.loads(tale.data.splitlines()[-2])
        assert (last["type"], last["exit"]) == ("end", 128 + number)
        summary = json.loads(ended.out)
        assert summary["updated"] == sum(line.status == "updated" for line in tale.results)
        assert summary["in_doubt"] == 0
        assert 0 < summary["updated"] < len(world.changes)
        world.check_finished(await world.run())


async def test_a_second_signal_ends_at_once_and_tells_what_is_in_doubt(tmp_path: Path) -> None:
    async with open_world(tmp_path, many_rows(Random(5)), ("--rate", "none", "--batch-size", "3")) as world:
        hanging = Hanging(world)
        world.script = hanging  # type: ignore[method-assign]
        ended = await world.run()
        assert ended.code in (130, 143)
        tale = world.tale()
        assert tale.data == tale.whole
        summary = json.loads(ended.out)
        assert summary["in_doubt"] == len(tale.on_their_way) > 0
        assert summary["updated"] == sum(line.status == "updated" for line in tale.results)
        hanging.is_over = True
        world.check_finished(await world.run())


class Hanging:
    """Apply every request and answer none from the third on; then interrupt the process twice."""

    def __init__(self, world: World) -> None:
        self.is_over = False
        self._world = world
        self._answer = world.script

    def __call__(self, index: int, request: Request) -> Action:
        if self.is_over or index < 2:
            return self._answer(index, request)
        process = self._world.process
        assert isinstance(process, Process)
        if index == 3:
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
        return Hang(applied=not any(id_.startswith("missing") for id_ in request.ids))
