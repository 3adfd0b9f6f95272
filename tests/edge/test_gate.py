"""The gate: as many attempts at once as is right, first come, first served; in an outage one at a time."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Awaitable, Callable

import pytest

from bulk_update.edge.gate import Gate
from bulk_update.edge.stop import Stop
from bulk_update.errors import OutageOutlasted, StoppedEarly
from bulk_update.model import Halted
from bulk_update.pure.concurrency import Concurrency
from bulk_update.pure.retrying import Health
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


class Hall:
    """A gate, and who has passed it."""

    def __init__(self, limit: int, give_up_after: float = 900.0) -> None:
        self.health = Health()
        self.stop = Stop()
        self.concurrency = Concurrency(limit, 1_000_000.0)
        self.gate = Gate(self.health, self.concurrency, self.stop, random.Random(1), give_up_after)
        self.inside = 0
        self.peak = 0
        self.entered: list[int] = []

    async def pass_through(self, number: int, act: Callable[[], Awaitable[object]], *, is_retry: bool = False) -> bool:
        await self.gate.admit(is_retry=is_retry)
        async with self.gate.doorway("org-1") as is_probe:
            pass
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        self.entered.append(number)
        try:
            await act()
        finally:
            self.inside -= 1
            self.gate.leave(is_probe=is_probe)
        return is_probe

    def break_down(self) -> None:
        """Let nothing succeed any more."""
        for _ in range(5):
            self.health.failed(asyncio.get_running_loop().time())


async def test_no_more_pass_at_once_than_there_are_slots_first_come_first_served() -> None:
    hall = Hall(3)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(hall.pass_through(number, lambda: asyncio.sleep(1)))
    assert (hall.peak, hall.entered) == (3, list(range(20)))
    assert asyncio.get_running_loop().time() == pytest.approx(7, abs=0.01)


@pytest.mark.parametrize("seed", range(10))
async def test_no_slot_is_lost_however_many_are_cancelled(seed: int) -> None:
    hall, chance = Hall(4), random.Random(seed)
    tasks = [asyncio.create_task(hall.pass_through(n, lambda: asyncio.sleep(chance.random()))) for n in range(60)]
    for task in chance.sample(tasks, 40):
        await asyncio.sleep(0.05 * chance.random())
        task.cancel()
    await asyncio.wait(tasks)
    assert (hall.inside, hall.peak) == (0, 4)
    hall.peak, before = 0, asyncio.get_running_loop().time()
    await asyncio.gather(*(hall.pass_through(n, lambda: asyncio.sleep(1)) for n in range(8)))
    assert hall.peak == 4
    assert asyncio.get_running_loop().time() - before == pytest.approx(2, abs=0.01)


async def test_who_is_cancelled_when_its_turn_has_just_come_passes_it_on() -> None:
    hall = Hall(1)
    async with hall.gate.doorway("org-1") as is_probe:
        pass
    second = asyncio.create_task(hall.pass_through(2, lambda: asyncio.sleep(1)))
    third = asyncio.create_task(hall.pass_through(3, lambda: asyncio.sleep(1)))
    await asyncio.sleep(0.5)
    hall.gate.leave(is_probe=is_probe)
    second.cancel()
    await asyncio.wait([second, third], timeout=60)
    assert second.cancelled()
    assert third.result() is False


async def test_a_stop_lets_all_go_who_wait() -> None:
    hall = Hall(1)
    tasks = [asyncio.create_task(hall.pass_through(n, lambda: asyncio.sleep(100))) for n in range(5)]
    await asyncio.sleep(1)
    hall.stop.request(StoppedEarly("enough"))
    await asyncio.wait(tasks[1:])
    assert all(isinstance(task.exception(), Halted) for task in tasks[1:])
    tasks[0].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await tasks[0]
    assert hall.inside == 0


async def test_in_an_outage_one_at_a_time_tries_and_ever_more_seldom() -> None:
    hall = Hall(8)
    hall.break_down()
    times: list[float] = []

    async def fail() -> None:
        times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.1)
        if asyncio.get_running_loop().time() > 400:
            hall.health.succeeded()
        else:
            hall.health.failed(asyncio.get_running_loop().time())

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(hall.pass_through(n, fail)) for n in range(100)]
    assert any(task.result() for task in tasks)
    during = [time for time in times if time < 400]
    assert 10 < len(during) < 60
    assert max(later - earlier for earlier, later in itertools.pairwise(during)) <= 31
    assert min(time for time in times if time > 400) < 432


async def test_when_the_outage_is_over_all_slots_are_used_again() -> None:
    hall = Hall(5)
    hall.break_down()

    async def succeed() -> None:
        await asyncio.sleep(1)
        hall.health.succeeded()

    await asyncio.gather(*(hall.pass_through(n, succeed) for n in range(50)))
    assert hall.peak == 5
    assert asyncio.get_running_loop().time() < 15


async def test_who_was_to_probe_and_is_stopped_leaves_the_probe_to_others() -> None:
    hall = Hall(2)
    hall.break_down()
    tasks = [asyncio.create_task(hall.pass_through(n, lambda: asyncio.sleep(1))) for n in range(2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait(tasks, timeout=60)
    assert tasks[1].result() is True


async def test_patience_ends_in_time_and_with_a_reason() -> None:
    hall = Hall(2, give_up_after=60)
    hall.break_down()

    async def fail() -> None:
        hall.health.failed(asyncio.get_running_loop().time())

    async def keep_trying() -> None:
        while True:
            await hall.pass_through(0, fail, is_retry=True)

    with pytest.raises(Halted):
        await keep_trying()
    assert asyncio.get_running_loop().time() == pytest.approx(60, abs=1)
    assert isinstance(hall.stop.reason, OutageOutlasted)
    assert "1 min" in str(hall.stop.reason)


async def test_retries_are_a_share_of_the_traffic_and_never_none() -> None:
    hall, at = Hall(100), list[float]()

    async def note() -> None:
        at.append(asyncio.get_running_loop().time())

    async with asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(hall.pass_through(number, note, is_retry=True))
    assert sum(time < 0.5 for time in at) <= 21
    assert max(at) <= 45


async def test_who_is_overdue_keeps_no_other_from_passing_up_to_the_most() -> None:
    hall, told = Hall(8), list[float]()
    hall.concurrency.allow(10.0)
    hall.gate.answered(0.1)
    assert hall.concurrency.limit == 3

    async def wait_for_ever() -> None:
        with hall.gate.flight(lambda: told.append(asyncio.get_running_loop().time())) as has_left:
            has_left()
            await asyncio.sleep(30)

    tasks = [asyncio.create_task(hall.pass_through(n, wait_for_ever)) for n in range(20)]
    await asyncio.sleep(0.5)
    assert hall.inside == 3
    await asyncio.sleep(1)
    assert hall.inside == 6
    await asyncio.sleep(5)
    assert hall.inside == 8  # no more than the most
    assert told[:3] == pytest.approx([1, 1, 1], abs=0.01)
    await asyncio.wait(tasks)
    assert (hall.inside, hall.peak, hall.concurrency.limit) == (0, 8, 3)
