"""Turns: so many at a time, the organizations by turns, and nobody is forgotten."""

import asyncio
import contextlib

import pytest

from bulk_update.turns import Turns
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


class Line:
    """Those who wait for a turn, and the order in which they have had it; each keeps it until `turns.release`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.had: list[str] = []

    async def stand(self, *organizations: str) -> list[asyncio.Task[None]]:
        tasks = [asyncio.ensure_future(self._stand(each)) for each in organizations]
        await asyncio.sleep(0)
        return tasks

    async def _stand(self, organization: str) -> None:
        await self._turns.acquire(organization)
        self.had.append(organization)


async def leave(turns: Turns, times: int = 1) -> None:
    for _ in range(times):
        turns.release()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_organizations_take_turns_and_each_keeps_its_own_order() -> None:
    turns = Turns()
    line = Line(turns)
    await line.stand("a", "a", "a", "a", "b", "c", "b")
    await leave(turns, 6)
    assert line.had == ["a", "b", "a", "c", "b", "a", "a"]


async def test_as_many_as_may_have_a_turn_at_once_and_no_more() -> None:
    most = 2
    turns = Turns(lambda: most)
    line = Line(turns)
    await line.stand("a", "a", "a", "a", "a")
    assert len(line.had) == 2
    most = 4
    turns.wake()
    await asyncio.sleep(0)
    assert len(line.had) == 4
    most = 1
    await leave(turns, 3)
    assert len(line.had) == 4
    await leave(turns)
    assert len(line.had) == 5


async def test_who_is_interrupted_keeps_no_turn_from_the_others() -> None:
    turns = Turns()
    line = Line(turns)
    _, second, third, *_ = await line.stand("a", "a", "b", "a")
    await cancel(second)
    await cancel(third)
    await leave(turns)
    assert line.had == ["a", "a"]
    await leave(turns)
    assert turns.take("a")


async def test_a_turn_given_to_one_who_is_interrupted_meanwhile_goes_to_the_next() -> None:
    turns = Turns()
    line = Line(turns)
    _, second, _ = await line.stand("a", "a", "a")
    turns.release()
    await cancel(second)
    await asyncio.sleep(0)
    assert line.had == ["a", "a"]


async def test_who_comes_while_one_is_being_interrupted_is_not_left_waiting_behind_it() -> None:
    turns = Turns()
    line = Line(turns)
    _, second = await line.stand("a", "a")
    second.cancel()
    turns.release()
    newcomer = asyncio.ensure_future(turns.acquire("b"))
    with contextlib.suppress(asyncio.CancelledError):
        await second
    async with asyncio.timeout(1):
        await newcomer


async def order_of(turns: Turns, names: list[str]) -> str:
    """Let all wait at once, each to have a turn for a second; tell in which order they had it."""
    had: list[str] = []

    async def have(name: str) -> None:
        async with turns.turn(name):
            had.append(name)
            await asyncio.sleep(1)

    await asyncio.gather(*map(have, names))
    return "".join(had)


async def test_the_organizations_that_wait_take_turns() -> None:
    assert await order_of(Turns(), list("aaaaabbc")) == "abacbaaa"


async def test_who_goes_last_has_a_turn_when_no_other_waits() -> None:
    assert await order_of(Turns(goes_last=lambda name: name == "a"), list("baaabbc")) == "bcbbaaa"
    assert await order_of(Turns(goes_last=lambda _: True), list("aabb")) == "abab"


async def test_one_that_has_a_turn_gives_way_to_those_that_go_before_it_alone() -> None:
    turns = Turns(goes_last=lambda name: name in "ab")
    assert turns.take("a")
    assert not turns.gives_way("a")
    waiting = asyncio.create_task(turns.acquire("b"))
    await asyncio.sleep(0)
    assert not turns.gives_way("a")
    another = asyncio.create_task(turns.acquire("c"))
    await asyncio.sleep(0)
    assert turns.gives_way("a")
    assert not turns.gives_way("c")
    turns.release()
    await another
    turns.release()
    await waiting


async def test_who_no_longer_waits_is_passed_over() -> None:
    turns = Turns()
    assert turns.take("a")
    tasks = [asyncio.create_task(turns.acquire(name)) for name in "bbc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    turns.release()
    await tasks[1]
    assert not turns.take("d")
    turns.release()
    assert turns.take("d")


async def test_who_comes_when_more_may_have_a_turn_does_not_pass_those_who_wait() -> None:
    most = 1
    turns = Turns(lambda: most)
    line = Line(turns)
    await line.stand("a", "b")
    most = 2
    await line.stand("c")
    assert line.had == ["a"]
    turns.wake()
    await asyncio.sleep(0)
    assert line.had == ["a", "b"]
