"""The pace: even, never above the rate, and no faster than the server takes it."""

import asyncio
import itertools
import random
from collections.abc import Sequence

import pytest

from bulk_update.edge.pace import Pace
from bulk_update.pure.pacing import Rate
from tests.servers.window import busiest_window
from tests.virtual_time import VIRTUAL_BACKEND, run_virtually


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


def pace_of(rate: Rate | None, organization_rate: Rate | None = None, *, explores: bool = False) -> Pace:
    return Pace(rate, organization_rate, chance=random.Random(1), explores=explores)


async def leave(pace: Pace, organization: str = "org-1", delay: float = 0.0) -> float:
    """Do what an attempt does, up to the moment when its bytes leave."""
    await pace.organization_turn(organization)
    await pace.turn()
    await asyncio.sleep(delay)
    await pace.leave(organization)
    return asyncio.get_running_loop().time()


async def times_of(pace: Pace, count: int, delays: Sequence[float] = (0.0,)) -> list[float]:
    """Let many leave who all wait at once."""
    return sorted(await asyncio.gather(*(leave(pace, delay=delays[n % len(delays)]) for n in range(count))))


RATES = [Rate(1, 1.0), Rate(5, 1.0), Rate(50, 1.0), Rate(999, 1.0), Rate(5_000, 1.0), Rate(30, 60.0), Rate(1, 3_600.0)]


@pytest.mark.parametrize("rate", RATES, ids=str)
async def test_requests_leave_evenly_at_the_rate(rate: Rate) -> None:
    count = min(3 * rate.limit, 3_000)
    times = await times_of(pace_of(rate), count)
    assert busiest_window(times, rate.period) <= rate.limit
    assert times[0] < 0.001  # nobody waits for the first
    assert times[-1] <= (count / rate.limit) * rate.period * 1.03 + 0.02
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps, default=0) <= 2 * max(rate.spacing, 0.006)


@pytest.mark.parametrize("rate", [Rate(10, 1.0), Rate(100, 1.0)], ids=str)
async def test_what_is_delayed_on_its_way_is_held_back_rather_than_come_too_close(rate: Rate) -> None:
    chance = random.Random(3)
    delays = [chance.random() * chance.choice((0, 0, 2)) for _ in range(97)]
    times = await times_of(pace_of(rate), 6 * rate.limit, delays)
    assert busiest_window(times, rate.period) <= rate.limit


@pytest.mark.parametrize("lateness", [0.0005, 0.001, 0.004])
def test_timers_that_are_late_cost_nothing_of_the_rate(lateness: float) -> None:
    async def measure() -> list[float]:
        return await times_of(pace_of(Rate(50, 1.0)), 500)

    times = run_virtually(measure(), lateness)
    assert times[-1] - times[0] <= 10 * 1.02  # 49 of 50
    assert 49 <= busiest_window(times, 1.0) <= 50


async def test_without_a_rate_nobody_waits() -> None:
    times = await times_of(pace_of(None), 1_000)
    assert times[-1] < 0.01


async def test_what_an_earlier_run_sent_counts() -> None:
    pace = pace_of(Rate(5, 10.0))
    await asyncio.sleep(100)
    began = asyncio.get_running_loop().time()
    pace.remember([3.0, 2.0, 1.0, 0.5, 0.1])
    times = await times_of(pace, 5)
    earlier = [began - age for age in (3.0, 2.0, 1.0, 0.5, 0.1)]
    assert busiest_window([*earlier, *times], 10.0) <= 5
    assert times[0] >= began + 7


@pytest.mark.parametrize("rate", [None, Rate(50, 1.0)])
async def test_nobody_leaves_before_the_time_that_the_server_said(rate: Rate | None) -> None:
    pace = pace_of(rate)
    await leave(pace)
    began = asyncio.get_running_loop().time()
    pace.refused("org-1", began, retry_after=30.0)
    times = await times_of(pace, 20)
    assert times[0] >= began + 30
    assert times[0] < began + 30 * 1.2 + 2


async def test_who_has_not_left_when_the_server_pushes_back_waits_like_the_others() -> None:
    pace = pace_of(Rate(5, 1.0))
    waiting = [asyncio.create_task(leave(pace)) for _ in range(10)]
    await asyncio.sleep(0.5)
    pace.refused("org-1", asyncio.get_running_loop().time(), retry_after=20.0)
    times = sorted(await asyncio.gather(*waiting))
    assert not [time for time in times if 0.5 < time < 20.5]


async def test_an_organization_that_is_pushed_back_alone_slows_no_other() -> None:
    pace = pace_of(None)
    for number in range(20):
        left = await leave(pace, f"org-{number}")
        pace.accepted(f"org-{number}", left)
    pace.refused("sick", asyncio.get_running_loop().time(), retry_after=60.0)
    began = asyncio.get_running_loop().time()
    assert await leave(pace, "org-3") < began + 0.1
    assert await leave(pace, "sick") >= began + 60


async def test_another_rate_holds_from_the_moment_it_is_given() -> None:
    pace = pace_of(Rate(1, 10.0))
    waiting = asyncio.create_task(times_of(pace, 3))
    await asyncio.sleep(0.1)
    pace.change(Rate(100, 1.0))
    times = await times_of(pace, 100)
    assert busiest_window(times, 1.0) <= 100
    assert times[-1] < 15
    await waiting


async def test_another_rate_holds_for_those_that_wait_already() -> None:
    pace = pace_of(Rate(1, 3_600.0))
    waiting = asyncio.create_task(times_of(pace, 40))
    await asyncio.sleep(5)
    pace.change(Rate(100, 1.0))
    assert (await waiting)[-1] < 10


async def test_an_organization_that_was_told_to_wait_is_not_forgotten() -> None:
    pace = pace_of(None, Rate(100, 1.0))
    for number in range(10):
        pace.accepted(f"org-{number}", 0.0)
    await leave(pace, "bad")
    pace.refused("bad", 0.0, 300.0)
    assert pace.must_wait("bad")
    for number in range(12_000):
        await leave(pace, f"org-{number}")
        if number % 1_000 == 0:
            await asyncio.sleep(2)
    assert pace.must_wait("bad")


async def test_the_rates_of_many_organizations_take_no_memory_for_ever() -> None:
    pace = pace_of(None, Rate(100, 1.0))
    for number in range(25_000):
        await leave(pace, f"org-{number}")
        if number % 1_000 == 0:
            await asyncio.sleep(20)
    assert len(pace._lanes) < 12_000  # noqa: SLF001


@pytest.mark.parametrize("allowed", [40, 400, 2_000])
def test_a_slowed_pace_is_kept_although_timers_are_late(allowed: int) -> None:
    """A timer a request, each a little late, would end below a thousand a second."""

    async def slowed() -> tuple[float, list[float]]:
        now = asyncio.get_running_loop().time
        pace = pace_of(Rate(5 * allowed, 1.0))
        for number in range(allowed):
            pace.accepted("org-1", number / allowed)
            await asyncio.sleep(1 / allowed)
        pace.refused("org-1", now(), 0)
        await leave(pace)
        times = await times_of(pace, 2 * allowed)
        return pace.allowed, times

    pace, times = run_virtually(slowed(), lateness=0.001)
    assert 0 < pace < 5 * allowed
    assert (len(times) - 1) / (times[-1] - times[0]) >= 0.97 * pace
    assert busiest_window(times, 1.0) <= 1.02 * pace + 1


async def test_a_turn_that_was_interrupted_costs_no_other_turn() -> None:
    pace, now = pace_of(Rate(1, 5.0)), asyncio.get_running_loop().time
    for _ in range(2):
        await pace.turn()
    pace.refused("org-1", now(), 8.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout_at(6.0):
            await pace.turn()
    await pace.turn()
    assert 8 <= now() < 9


async def test_what_an_organization_was_told_holds_for_it_when_it_no_longer_holds_for_everyone() -> None:
    pace, now = pace_of(Rate(50, 1.0)), asyncio.get_running_loop().time
    pace.refused("throttled", now(), 60.0)
    await asyncio.sleep(1)
    for _ in range(5):
        pace.accepted("org-1", now())
    pace.refused("throttled", now(), 0.0)
    assert await leave(pace, "org-1") < 2
    assert pace.is_held()
    assert await leave(pace, "throttled") >= 60
    assert not pace.is_held()


async def test_a_turn_that_is_not_used_is_left_to_the_next_of_all_and_of_its_organization() -> None:
    pace, now = pace_of(Rate(1, 1.0), Rate(1, 10.0)), asyncio.get_running_loop().time
    begin = now()
    for _ in range(5):
        await pace.organization_turn("org-1")
        between = now()
        await pace.turn()
        pace.pass_on("org-1")
    assert max(between, now()) - begin < 0.1
    await leave(pace)
    assert 9.9 <= await leave(pace) - begin <= 10.2
