"""Whole runs in virtual time: rates of every size, exploring, and organizations that hold up no other."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from bulk_update import Plan, Rate
from bulk_update.cli.parsing import parse
from bulk_update.errors import Interrupted
from bulk_update.model import Answer
from bulk_update.pure.quantities import parse_rate
from bulk_update.pure.retrying import Backoff, Fault, Trouble
from tests.fake_api import FakeApi, Sent, carry_out_with, make_run, throttled, unavailable, updated
from tests.runs import Row, plan, row, rows
from tests.servers.throttling import Sliding
from tests.servers.window import busiest_window
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


def patient(rate: Rate | None, *, size: int = 1, concurrency: int = 16) -> Plan:
    """Make a plan as the command line does, with its real pauses."""
    how = plan(size, concurrency=concurrency)
    return replace(how, rate=rate, persistence=replace(how.persistence, backoff=Backoff()))


# ------------------------------------------------------------------------------------------ rates of every size


@pytest.mark.parametrize("words", ["0.2/m", "1/m", "30/m", "100/h", "1/s", "5", "50", "400", "5000"])
async def test_a_rate_of_any_size_is_kept_and_used_without_a_burst_at_the_start_or_after_a_stall(words: str) -> None:
    rate = parse_rate(words)
    assert rate is not None
    count = min(2_500, max(3, 3 * rate.limit))
    stall = 1.5 * rate.period * max(1.0, count / rate.limit)

    async def stalling() -> AsyncIterator[Row]:
        for n in range(count):
            if n == count // 2:
                await asyncio.sleep(stall)
            yield row(f"a{n}")

    api = FakeApi(updated, latency=0.02)
    done = await carry_out_with(api, stalling(), patient(rate, concurrency=200 if rate.limit > 100 else 2))  # type: ignore[arg-type]
    assert done.summary.updated == count
    assert busiest_window(api.times, rate.period) <= rate.limit
    # What is late by a timer may be made up for, and no more: even a tenth of the window holds about its share.
    spare = 2 + math.ceil(0.01 / rate.spacing)
    assert busiest_window(api.times, rate.period / 10) <= math.ceil(rate.limit / 10) + spare
    before, after = api.times[: count // 2], api.times[count // 2 :]
    for times in (before, after):
        assert times[-1] - times[0] <= (len(times) / rate.limit) * rate.period * 1.03 + 0.02


@pytest.mark.parametrize(("rate", "latency"), [(10, 0.3), (50, 0.005), (50, 0.05), (50, 0.3), (400, 0.05)])
async def test_a_run_takes_what_its_rate_asks_for_and_one_latency(rate: int, latency: float) -> None:
    api, count = FakeApi(updated, latency=latency), 10 * rate
    done = await carry_out_with(api, rows(count), patient(Rate(rate, 1.0), concurrency=250))
    assert done.seconds <= 1.03 * (count / rate + latency)
    assert 0.98 * rate <= busiest_window(api.times, 1.0) <= rate
    assert (count - 1) / rate / (api.times[-1] - api.times[0]) >= 0.98


# ---------------------------------------------------------------------------------------------------- exploring


async def test_who_explores_goes_up_from_the_default_by_what_succeeds_and_stops_at_the_first_push_back() -> None:
    throttle = Sliding(40)
    api = FakeApi(lambda sent: updated(sent) if throttle.ask(sent.time) == 0 else throttled(), latency=0.0)
    run = make_run(api, rows(20_000), replace(patient(Rate(5, 1.0), concurrency=64), explores=True))
    asyncio.get_running_loop().call_later(250.0, lambda: run.stop(Interrupted(15)))
    await run.carry_out()
    assert busiest_window([time for time in api.times if time < 5], 1.0) <= 6
    first = next(time for time, _, outcome in api.answered if isinstance(outcome, Answer) and outcome.status == 429)
    assert 50 < first < 150
    before = busiest_window([time for time in api.times if time <= first], 1.0)
    after = busiest_window([time for time in api.times if time > first], 1.0)
    assert 40 <= after <= before + 1
    used = sum(time > first + 10 for time in api.times)
    assert used >= 0.9 * 40 * (250 - first - 10)


async def test_who_explores_gains_nothing_by_waiting() -> None:
    async def trickle() -> AsyncIterator[Row]:
        for n in range(60):
            yield row(f"a{n}")
            await asyncio.sleep(10)

    api = FakeApi(updated)
    run = make_run(api, trickle(), replace(patient(Rate(5, 1.0)), explores=True))  # type: ignore[arg-type]
    await run.carry_out()
    allowed = run.snapshot().allowed
    assert allowed is not None
    assert allowed[0] / allowed[1] <= 6


def test_exploring_is_never_the_default() -> None:
    assert not Plan().explores
    options = parse(["changes.ndjson"], {})
    assert options is not None
    assert options.rate == "5/s"


# ----------------------------------------------------------------------------------------------------- fairness


async def finish_of_small(
    behave: Callable[[Sent], Answer | Fault], latency: Callable[[Sent], float], bad: int
) -> float:
    """Send 1,000 rows of 50 small organizations, rows of a bad one among them; tell when the small ones are done."""
    changes = [row(f"a{n}", f"org-{n % 50}") for n in range(1_000)]
    for n in range(bad):
        changes.insert(n * 6, row(f"b{n}", "bad"))
    api, began = FakeApi(behave, latency=latency), asyncio.get_running_loop().time()
    run = make_run(api, changes, patient(Rate(50, 1.0), concurrency=16))
    asyncio.get_running_loop().call_later(300.0, lambda: run.stop(Interrupted(15)))
    ended = await run.carry_out()
    done = [time for time, sent, _ in api.answered if sent.organization != "bad"]
    assert len(done) == 1_000
    assert (ended.summary.updated, ended.summary.failed) == (1_000, 0)
    return max(done) - began


BAD: dict[str, tuple[Callable[[Sent], Answer | Fault], float]] = {
    "503 for ever": (lambda _: unavailable(), 0.05),
    "throttled for ever": (lambda _: throttled(), 0.05),
    "told to wait for ever": (lambda _: throttled("60"), 0.05),
    "never answers": (lambda _: Fault(Trouble.TIMEOUT, "no answer within 30 s"), 30.0),
    "unreached": (lambda _: Fault(Trouble.UNREACHED, "refused"), 0.0),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_sick_organization_holds_up_no_other(what: str) -> None:
    outcome, seconds = BAD[what]

    def behave(sent: Sent) -> Answer | Fault:
        return outcome(sent) if sent.organization == "bad" else updated(sent)

    alone = await finish_of_small(updated, lambda _: 0.05, bad=0)
    beside = await finish_of_small(behave, lambda sent: seconds if sent.organization == "bad" else 0.05, bad=200)
    # What one is told at first holds for everyone: that it is meant for one alone, only its next ones tell.
    told_at_first = 66 if what == "told to wait for ever" else 0
    assert beside <= 1.2 * alone + told_at_first


@pytest.mark.parametrize("what", ["503 for ever", "never answers"])
@pytest.mark.parametrize("before", [0, 50])
async def test_a_sick_organization_that_comes_all_at_once_holds_up_no_other(before: int, what: str) -> None:
    """Its batches come first, or after others went well, and are more than there are senders."""
    outcome, seconds = BAD[what]
    changes = [row(f"g{n}", "good") for n in range(10 * before)]
    changes += [row(f"b{n}", "bad") for n in range(1_000)]
    changes += [row(f"a{n}", f"org-{n % 4}") for n in range(400)]
    api = FakeApi(
        lambda sent: outcome(sent) if sent.organization == "bad" else updated(sent),
        latency=lambda sent: seconds if sent.organization == "bad" else 0.1,
    )
    run = make_run(api, changes, patient(Rate(5, 1.0), size=10))
    asyncio.get_running_loop().call_later(600.0, lambda: run.stop(Interrupted(15)))
    ended = await run.carry_out()
    assert (ended.summary.updated, ended.summary.failed) == (400 + 10 * before, 0)
    assert max(time for time, sent, _ in api.answered if sent.organization.startswith("org-")) < 100


@pytest.mark.parametrize("what", ["503 for ever", "never answers"])
async def test_several_sick_organizations_hold_up_no_other(what: str) -> None:
    outcome, seconds = BAD[what]
    changes = [row(f"a{n}", f"org-{n % 25}") for n in range(5_000)]
    sick = {f"org-{n}" for n in range(5)}
    api = FakeApi(
        lambda sent: outcome(sent) if sent.organization in sick else updated(sent),
        latency=lambda sent: seconds if sent.organization in sick else 0.1,
    )
    run = make_run(api, changes, patient(Rate(20, 1.0), size=10))
    asyncio.get_running_loop().call_later(300.0, lambda: run.stop(Interrupted(15)))
    ended = await run.carry_out()
    assert ended.summary.updated == 4_000
    assert max(time for time, sent, _ in api.answered if sent.organization not in sick) < 60


@pytest.mark.parametrize(
    ("organizations", "rows_each", "rate", "own", "seconds"),
    [
        (60, 20, 40, Rate(1, 1.0), 30),
        (10, 100, 40, Rate(5, 1.0), 25),
        (200, 10, 100, Rate(60, 60.0), 20),
        (5, 200, 100, Rate(30, 1.0), 10),
    ],
)
async def test_a_sorted_input_uses_the_rate_of_all_where_each_organization_has_its_own(
    organizations: int, rows_each: int, rate: int, own: Rate, seconds: float
) -> None:
    changes = [row(f"a{n}", f"org-{name}") for name in range(organizations) for n in range(rows_each)]
    api = FakeApi(updated, latency=0.05)
    done = await carry_out_with(api, changes, replace(patient(Rate(rate, 1.0)), organization_rate=own))
    assert done.summary.updated == len(changes)
    assert done.seconds <= 1.05 * seconds
    assert busiest_window(api.times, 1.0) <= rate
    for name in range(organizations):
        times = [time for time, sent, _ in api.answered if sent.organization == f"org-{name}"]
        assert busiest_window([time - 0.05 for time in times], own.period) <= own.limit


async def reason_of(is_sick: Callable[[str], bool]) -> str:
    changes = [row(f"a{n}", f"org-{n % 3}") for n in range(60)]
    api = FakeApi(lambda sent: unavailable() if is_sick(sent.organization) else updated(sent))
    how = patient(Rate(5, 1.0), size=10)
    done = await carry_out_with(api, changes, replace(how, persistence=replace(how.persistence, give_up_after=60.0)))
    assert (done.summary.exit, done.summary.failed, done.summary.unknown) == (3, 0, 0)
    return str(done.ended.reason)


async def test_a_run_that_ends_with_one_that_fails_alone_says_so() -> None:
    """Its rows stay unsent, since no failure counts while nothing succeeds; the words tell whose trouble it is."""
    reason = await reason_of(lambda name: name == "org-1")
    alone = "organization org-1 alone was left to try, and fails, though others succeeded"
    assert reason.startswith(f"nothing has succeeded for 1 min (--give-up-after): {alone}")
    for sick in (("org-1", "org-2"), ("org-0", "org-1", "org-2")):
        assert (await reason_of(sick.__contains__)).startswith("nothing has succeeded for 1 min (--give-up-after); ")


async def others_beside_throttled(
    changes: list[Row], is_throttled: Callable[[str], bool], retry_after: str | None
) -> list[float]:
    """Send rows, some of organizations that are throttled for ever; tell when those of the others are answered."""
    api = FakeApi(lambda sent: throttled(retry_after) if is_throttled(sent.organization) else updated(sent))
    run, began = make_run(api, changes, patient(Rate(5, 1.0), size=10)), asyncio.get_running_loop().time()
    asyncio.get_running_loop().call_later(1_200.0, lambda: run.stop(Interrupted(15)))
    ended = await run.carry_out()
    times = [time - began for time, sent, _ in api.answered if not is_throttled(sent.organization)]
    assert ended.summary.updated == sum(not is_throttled(change["organizationId"]) for change in changes)
    assert (ended.summary.failed, ended.summary.unknown) == (0, 0)
    assert busiest_window(api.times, 1.0) <= 5
    return times


@pytest.mark.parametrize("organizations", [1, 2, 20])
@pytest.mark.parametrize("retry_after", [None, "5", "60"])
async def test_one_that_is_throttled_for_ever_and_comes_first_holds_up_no_other(
    organizations: int, retry_after: str | None
) -> None:
    """That it alone is meant only the others can show: they are tried next, and what they were held for is forgiven."""
    changes = [row(f"b{n}", "bad") for n in range(400)]
    changes += [row(f"a{n}", f"org-{n % organizations}") for n in range(2_000)]
    times = await others_beside_throttled(changes, lambda name: name == "bad", retry_after)
    told_at_first = 0.0 if retry_after is None else 1.1 * float(retry_after)
    assert times[0] <= 1 + told_at_first
    assert times[-1] <= 1.1 * 200 / 5 + told_at_first


@pytest.mark.parametrize(("sick", "seconds"), [(2, 60), (5, 90)])
async def test_several_that_are_throttled_for_ever_and_come_first_give_their_senders_to_the_others(
    sick: int, seconds: float
) -> None:
    """Each has more batches than there are senders; those that were not sent make way."""
    changes = [row(f"b{n}", f"bad-{n // 1_000}") for n in range(1_000 * sick)]
    changes += [row(f"a{n}", f"org-{n % 10}") for n in range(1_000)]
    times = await others_beside_throttled(changes, lambda name: name.startswith("bad"), None)
    assert times[-1] <= seconds


@pytest.mark.parametrize("what", ["503 for ever", "never answers"])
async def test_several_that_are_sick_and_come_first_give_their_senders_to_the_others(what: str) -> None:
    outcome, seconds = BAD[what]
    changes = [row(f"b{n}", f"bad-{n // 1_000}") for n in range(2_000)]
    changes += [row(f"a{n}", f"org-{n % 10}") for n in range(1_000)]
    api = FakeApi(
        lambda sent: outcome(sent) if sent.organization.startswith("bad") else updated(sent),
        latency=lambda sent: seconds if sent.organization.startswith("bad") else 0.1,
    )
    run = make_run(api, changes, patient(Rate(5, 1.0), size=10))
    asyncio.get_running_loop().call_later(300.0, lambda: run.stop(Interrupted(15)))
    ended = await run.carry_out()
    assert (ended.summary.updated, ended.summary.failed, api.clashes) == (1_000, 0, [])
    assert max(time for time, sent, _ in api.answered if sent.organization.startswith("org-")) < 100


async def test_those_that_made_way_are_sent_when_their_organization_is_well_again() -> None:
    """Their ids repeat, so the order in which they leave can be seen."""
    changes = [row(f"b{n % 150}", f"bad-{n // 600}", actionIcon=f"icon-{n}") for n in range(1_200)]
    changes += [row(f"a{n}", f"org-{n % 10}") for n in range(200)]
    api = FakeApi(lambda sent: throttled() if sent.organization.startswith("bad") and sent.time < 60 else updated(sent))
    done = await carry_out_with(api, changes, patient(Rate(5, 1.0), size=10))
    assert (done.summary.exit, done.summary.updated, api.clashes) == (0, 1_400, [])
    applied: dict[str, list[int]] = {}
    for _, sent, outcome in api.answered:
        if isinstance(outcome, Answer) and outcome.status == 200 and sent.organization.startswith("bad"):
            for activity in map(json.loads, sent.activities):
                applied.setdefault(f"{sent.organization} {activity['id']}", []).append(
                    int(activity["actionIcon"].removeprefix("icon-"))
                )
    assert len(applied) == 300
    assert all(icons == sorted(icons) for icons in applied.values())


@pytest.mark.parametrize("sick", [2, 5])
async def test_several_that_are_throttled_for_ever_hold_up_no_other(sick: int) -> None:
    changes = [row(f"a{n}", f"org-{n % 25}") for n in range(2_500)]
    names = {f"org-{n}" for n in range(sick)}
    times = await others_beside_throttled(changes, names.__contains__, None)
    assert times[-1] <= 1.4 * len(times) / 5
