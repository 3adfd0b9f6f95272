"""Stopping interrupts what waits, once, and nothing else; who is cancelled for another reason is heeded."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import anyio
import pytest

from bulk_update.edge.stop import Stop
from bulk_update.errors import Interrupted, StoppedEarly
from bulk_update.model import Halted
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


async def waiting(stop: Stop, outcome: list[str], wait: Callable[[], Awaitable[object]]) -> None:
    """Wait in a block, and note how it ended."""
    try:
        with stop.interrupts():
            await wait()
            outcome.append("ended")
    except Halted:
        outcome.append("halted")
    await asyncio.sleep(0)  # a cancellation that is left over would come out here
    outcome.append("went on")


async def test_a_stop_interrupts_all_that_wait() -> None:
    stop, outcome = Stop(), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(waiting(stop, outcome, lambda: asyncio.sleep(100)))
        await asyncio.sleep(1)
        stop.request(Interrupted(15))
    assert outcome == ["halted"] * 3 + ["went on"] * 3
    assert asyncio.get_running_loop().time() < 2


async def test_the_first_reason_counts() -> None:
    stop = Stop()
    stop.request(StoppedEarly("first"))
    stop.request(StoppedEarly("second"))
    assert str(stop.reason) == "first"


async def test_a_stop_that_was_wanted_has_no_reason_and_keeps_none_that_comes_later() -> None:
    stop = Stop()
    stop.request()
    stop.request(StoppedEarly("later"))
    assert (stop.is_requested, stop.reason) == (True, None)


async def test_after_a_stop_no_block_begins() -> None:
    stop = Stop()
    stop.request()
    began = False
    with pytest.raises(Halted), stop.interrupts():
        began = True
    assert not began


async def test_a_block_that_ends_before_the_stop_is_left_alone() -> None:
    stop, outcome = Stop(), list[str]()
    await waiting(stop, outcome, lambda: asyncio.sleep(1))
    stop.request()
    await asyncio.sleep(1)
    assert outcome == ["ended", "went on"]


async def test_who_stops_the_run_from_within_its_own_block_is_not_cancelled_later() -> None:
    stop, outcome = Stop(), list[str]()

    async def give_up() -> None:
        stop.request(StoppedEarly("enough"))
        raise Halted

    async with asyncio.TaskGroup() as group:
        task = group.create_task(waiting(stop, outcome, give_up))
    assert outcome == ["halted", "went on"]
    assert not task.cancelled()


async def test_what_has_just_been_waited_for_is_interrupted_all_the_same() -> None:
    stop, outcome, event = Stop(), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(waiting(stop, outcome, event.wait))
        await asyncio.sleep(1)
        event.set()
        stop.request()
    assert outcome[-1] == "went on"
    assert asyncio.current_task() is not None


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    stop = Stop()
    with pytest.raises(KeyError), stop.interrupts():
        raise KeyError


async def test_who_is_cancelled_from_outside_is_cancelled_and_not_halted() -> None:
    stop, outcome = Stop(), list[str]()
    task = asyncio.create_task(waiting(stop, outcome, lambda: asyncio.sleep(100)))
    await asyncio.sleep(1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert outcome == []


@pytest.mark.parametrize("order", ["stop first", "cancel first"])
async def test_who_is_stopped_and_cancelled_at_once_is_cancelled(order: str) -> None:
    stop, outcome = Stop(), list[str]()
    task = asyncio.create_task(waiting(stop, outcome, lambda: asyncio.sleep(100)))
    await asyncio.sleep(1)
    for act in (stop.request, task.cancel) if order == "stop first" else (task.cancel, stop.request):
        act()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_outer_scope_that_is_left_ends_the_block_and_nothing_more() -> None:
    stop, outcome = Stop(), list[str]()
    with anyio.move_on_after(1):
        await waiting(stop, outcome, lambda: asyncio.sleep(100))
    assert outcome == []
    await asyncio.sleep(0)
    assert asyncio.get_running_loop().time() == pytest.approx(1, abs=0.01)


async def test_a_stop_within_a_scope_that_is_inside_the_block_halts_it() -> None:
    stop, outcome = Stop(), list[str]()

    async def wait() -> None:
        with anyio.move_on_after(50):
            await asyncio.sleep(100)

    asyncio.get_running_loop().call_later(1, stop.request)
    await waiting(stop, outcome, wait)
    assert outcome == ["halted", "went on"]


async def test_blocks_may_stand_in_one_another() -> None:
    stop, outcome = Stop(), list[str]()
    asyncio.get_running_loop().call_later(1, stop.request)

    async def wait() -> None:
        with stop.interrupts():
            await asyncio.sleep(100)

    await waiting(stop, outcome, wait)
    assert outcome == ["halted", "went on"]
