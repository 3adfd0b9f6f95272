"""Virtual time passes as told, in order, and only when nothing else is left to do."""

import asyncio
import time

import aiolimiter
import pytest

from tests.virtual_time import VIRTUAL_BACKEND, Stuck, run_virtually


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


async def test_an_hour_passes_at_once() -> None:
    began, real = asyncio.get_running_loop().time(), time.monotonic()
    await asyncio.sleep(3600)
    assert asyncio.get_running_loop().time() - began == pytest.approx(3600, abs=1e-6)
    assert time.monotonic() - real < 5


async def test_timers_fire_in_the_order_of_their_times() -> None:
    fired: list[int] = []

    async def fire(seconds: int) -> None:
        await asyncio.sleep(seconds)
        fired.append(seconds)

    await asyncio.gather(*(fire(seconds) for seconds in (5, 1, 4, 2, 3)))
    assert fired == [1, 2, 3, 4, 5]


async def test_what_is_ready_runs_before_time_passes() -> None:
    now = asyncio.get_running_loop().time
    asyncio.get_running_loop().call_later(1, lambda: None)
    began = now()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert now() - began < 0.001


def test_two_runs_see_the_same_times() -> None:
    async def times() -> list[float]:
        limiter = aiolimiter.AsyncLimiter(1, 0.3)
        seen = []
        for _ in range(50):
            await limiter.acquire()
            seen.append(asyncio.get_running_loop().time())
        return seen

    assert run_virtually(times()) == run_virtually(times())


def test_a_remainder_too_small_to_add_up_does_not_spin() -> None:
    async def wait() -> int:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(1e6)
        end, turns = loop.time() + 2e-16, 0
        target = end + 1e-10
        while loop.time() < target:
            turns += 1
            await asyncio.sleep(2e-16)
        return turns

    assert run_virtually(wait()) < 10


def test_timers_are_as_late_as_is_asked_for() -> None:
    async def wait() -> float:
        for _ in range(10):
            await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    assert run_virtually(wait()) == pytest.approx(10, abs=1e-6)
    assert run_virtually(wait(), lateness=0.002) == pytest.approx(10.02, abs=1e-6)


def test_waiting_for_what_will_never_happen_is_told_instead_of_hanging() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run_virtually(wait())
