"""Who rests, and who makes way: organizations in trouble leave senders to the others."""

import asyncio
import contextlib

import pytest

from bulk_update.edge.sender.resting import MadeWay, Resting
from bulk_update.model import Batch
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


class Supplied:
    """Note which organizations rest."""

    def __init__(self) -> None:
        self.resting: set[str] = set()

    def rest(self, organization: str) -> None:
        self.resting.add(organization)

    def resume(self, organization: str) -> None:
        self.resting.discard(organization)

    def take_back(self, batch: Batch) -> None:
        raise NotImplementedError

    def lower_body(self, most: int) -> None:
        raise NotImplementedError


class Crowd:
    """Batches that are alive and wait, none of them sent: `waiting` and `left` tell their organizations."""

    def __init__(self, most: int = 2) -> None:
        self.supply = Supplied()
        self.resting = Resting(self.supply, most)
        self.waiting: list[str] = []
        self.left: list[str] = []

    async def come(self, *organizations: str) -> None:
        self._tasks = [asyncio.create_task(self._wait(each)) for each in organizations]
        await asyncio.sleep(0.1)

    async def _wait(self, organization: str) -> None:
        with self.resting.alive(organization):
            self.waiting.append(organization)
            with contextlib.suppress(MadeWay), self.resting.makes_way(organization):
                await asyncio.sleep(1_000)
            self.waiting.remove(organization)
            self.left.append(organization)

    async def fail(self, *organizations: str) -> None:
        for organization in organizations:
            self.resting.suspect(organization)
        await asyncio.sleep(0.1)


async def test_where_all_fail_each_keeps_its_share_alive_and_rests() -> None:
    crowd = Crowd()
    await crowd.come(*"aaaaabbbb")
    await crowd.fail("a", "b")
    assert crowd.waiting == [*"aabb"]
    assert crowd.supply.resting == {"a", "b"}
    await crowd.fail(*"abab")
    assert crowd.waiting == [*"aabb"]


async def test_failures_that_come_at_once_make_no_more_of_them_leave() -> None:
    crowd = Crowd()
    await crowd.come(*"aaaaa")
    await crowd.fail(*"aaaaaaaa")
    assert crowd.waiting == [*"aa"]


async def test_nobody_makes_way_after_one_failure_nor_beside_one_that_does_not_fail() -> None:
    crowd = Crowd()
    await crowd.come(*"aaaaa")
    await crowd.fail("a")
    crowd.resting.clear("b")
    await crowd.fail("a")
    await crowd.come("c")
    await crowd.fail("a")
    assert crowd.left == []
    await crowd.fail("c")
    assert crowd.waiting == [*"aac"]


async def test_an_organization_that_is_answered_goes_on() -> None:
    crowd = Crowd()
    await crowd.come(*"aaaaa")
    await crowd.fail("a", "a")
    crowd.resting.clear("a")
    assert crowd.supply.resting == set()
    await crowd.come(*"aaa")
    assert crowd.waiting == [*"aaaaa"]
