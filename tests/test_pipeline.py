"""Whole runs in virtual time: rates, push-back, outages, order, and what a broken ledger does."""

import asyncio
import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from email.utils import formatdate

import pytest

from bulk_update import Plan, Rate
from bulk_update.errors import Interrupted, LedgerUnwritable, OutageOutlasted
from bulk_update.model import Answer
from bulk_update.pure.retrying import Backoff, Fault, Trouble
from tests.fake_api import (
    START,
    FakeApi,
    MemoryLedger,
    Sent,
    carry_out_with,
    failing,
    make_run,
    throttled,
    unavailable,
    unreached,
    updated,
)
from tests.runs import Row, ledger_of, plan, row, rows
from tests.servers.window import busiest_window
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


def patient(size: int = 1, *, rate: Rate | None = None, concurrency: int = 16, give_up_after: float = 900.0) -> Plan:
    """Make a plan as the command line does, with its real pauses."""
    how = plan(size, concurrency=concurrency, give_up_after=give_up_after)
    return replace(how, rate=rate, persistence=replace(how.persistence, backoff=Backoff()))


def stubborn(how: Plan) -> Plan:
    """Make a plan that gives up no batch for a few failures."""
    return replace(how, persistence=replace(how.persistence, max_attempts=50))


# -------------------------------------------------------------------------------------------- rate


async def test_the_rate_is_never_exceeded_and_what_it_allows_is_used() -> None:
    api = FakeApi(updated, latency=0.2)
    done = await carry_out_with(api, rows(500), patient(rate=Rate(50, 1.0)))
    assert done.summary.updated == 500
    busiest = busiest_window(api.times, 1.0)
    assert 49 <= busiest <= 50
    for second in range(1, 9):  # in the middle of the run every second is used
        assert sum(second <= time < second + 1 for time in api.times) >= 49


@pytest.mark.parametrize(
    ("limit", "period"), [(1, 10.0), (5, 1.0), (30, 60.0), (50, 1.0), (333, 1.0), (1000, 1.0), (7, 0.5)]
)
async def test_no_sliding_window_holds_more_whatever_delays_requests(limit: int, period: float) -> None:
    chance = random.Random(7)

    def behave(sent: Sent) -> Answer | Fault:
        return unavailable() if chance.random() < 0.2 else updated(sent)

    api = FakeApi(
        behave,
        latency=lambda _: chance.expovariate(5.0),
        connecting=lambda: chance.choice((0.0, 0.0, 0.3 * chance.random())),
    )
    count = min(1_000, 6 * limit)
    how = stubborn(patient(rate=Rate(limit, period), concurrency=64))
    done = await carry_out_with(api, rows(count), how)
    assert done.summary.updated == count
    assert len(api.sent) > count  # retries pay, too
    assert busiest_window(api.times, period) <= limit


async def test_connections_that_are_closed_while_one_waits_cost_no_rate() -> None:
    """The first time that an attempt may leave, its connection is found closed: it leaves over another."""

    class Closing(FakeApi):
        async def post(self, encode: Callable[[], bytes], leave: Callable[[], Awaitable[None]]) -> Answer | Fault:
            await leave()
            await asyncio.sleep(0.2)
            return await super().post(encode, leave)

    api = Closing(updated)
    done = await carry_out_with(api, rows(6), patient(rate=Rate(1, 60.0)))
    assert done.summary.updated == 6
    assert done.seconds < 6 * 61
    times = [sent.time for sent in api.sent]
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= 60


@pytest.mark.parametrize("latency", [0.0, 0.05, 0.2, 1.0])
async def test_latency_costs_no_rate_where_there_are_slots_enough(latency: float) -> None:
    api = FakeApi(updated, latency=latency)
    done = await carry_out_with(api, rows(200), patient(rate=Rate(20, 1.0), concurrency=64))
    assert done.seconds <= 200 / 19.5 + latency + 0.5
    assert busiest_window(api.times, 1.0) <= 20


async def test_a_rate_of_each_organization_holds_beside_that_of_all() -> None:
    changes = [row(f"a{n}", f"org-{n % 4}") for n in range(80)]
    api = FakeApi(updated)
    how = replace(patient(rate=Rate(20, 1.0)), organization_rate=Rate(2, 1.0))
    done = await carry_out_with(api, changes, how)
    assert done.summary.updated == 80
    for organization in range(4):
        times = [sent.time for sent in api.sent if sent.organization == f"org-{organization}"]
        assert busiest_window(times, 1.0) <= 2
    assert done.seconds < 20 / 2 + 2


async def test_an_organization_that_may_not_go_on_holds_up_no_other() -> None:
    changes = [row(f"a{n}", "slow") for n in range(60)] + [row(f"b{n}", f"org-{n}") for n in range(40)]
    api = FakeApi(updated)
    how = replace(patient(concurrency=4), organization_rate=Rate(1, 1.0))
    await carry_out_with(api, changes, how)
    others = [sent.time for sent in api.sent if sent.organization != "slow"]
    assert max(others) < 6


async def test_no_more_attempts_are_in_flight_than_the_concurrency() -> None:
    api = FakeApi(updated, latency=1.0)
    await carry_out_with(api, rows(200), patient(concurrency=7))
    assert api.peak == 7


async def test_a_snapshot_tells_how_many_requests_are_out() -> None:
    out: list[int] = []

    def behave(sent: Sent) -> Answer:
        out.append(run.snapshot().flying)
        return updated(sent)

    run = make_run(FakeApi(behave), rows(6), plan(1, concurrency=2))
    await run.carry_out()
    assert (max(out), run.snapshot().flying) == (2, 0)


async def test_a_slot_is_free_while_its_batch_waits_for_its_next_attempt() -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return unavailable() if sent.organization == "sick" and sent.time < 60 else updated(sent)

    changes = [row(f"s{n}", "sick") for n in range(4)] + [row(f"a{n}", f"org-{n}") for n in range(100)]
    api = FakeApi(behave)
    await carry_out_with(api, changes, patient(concurrency=4))
    assert max(sent.time for sent in api.sent if sent.organization != "sick") < 10


# --------------------------------------------------------------------------------------- push-back


@pytest.mark.parametrize("rate", [None, Rate(5, 1.0), Rate(50, 1.0)])
@pytest.mark.parametrize("words", ["20", "date"])
async def test_after_a_push_back_nobody_sends_before_the_time_that_was_said(rate: Rate | None, words: str) -> None:
    def behave(sent: Sent) -> Answer | Fault:
        if sent.number != 30:
            return updated(sent)
        said = formatdate(START + asyncio.get_running_loop().time() + 21, usegmt=True)
        return throttled("20" if words == "20" else said)

    api = FakeApi(behave, latency=0.1)
    done = await carry_out_with(api, rows(100), patient(rate=rate))
    told = next(time for time, sent, _ in api.answered if sent.number == 30)
    assert not [time for time in api.times if told + 0.001 < time < told + 20]
    assert done.summary.updated == 100
    assert [sent.ids for sent in api.sent].count(api.sent[30].ids) == 2


@pytest.mark.parametrize("words", ["-5", "soon", "", "1e9", "Mon, 01 Jan 0001 00:00:00 -0000", "99999999999999999999"])
async def test_a_push_back_that_makes_no_sense_is_a_push_back_all_the_same(words: str) -> None:
    api = FakeApi(lambda sent: throttled(words) if sent.number < 3 else updated(sent))
    done = await carry_out_with(api, rows(20), patient())
    assert done.summary.updated == 20
    assert done.seconds < 350


async def test_a_push_back_for_a_year_is_waited_for_no_longer_than_is_sensible() -> None:
    api = FakeApi(lambda sent: throttled("31536000") if sent.number == 0 else updated(sent))
    done = await carry_out_with(api, rows(5), patient())
    assert done.summary.updated == 5
    assert done.seconds < 400


async def test_a_server_that_allows_less_is_found_out_and_followed() -> None:
    taken: list[float] = []

    def behave(sent: Sent) -> Answer | Fault:
        taken[:] = [time for time in taken if time > sent.time - 1.0]
        if len(taken) >= 10:
            return throttled()
        taken.append(sent.time)
        return updated(sent)

    api = FakeApi(behave)
    done = await carry_out_with(api, rows(600), patient(rate=Rate(50, 1.0)))
    assert done.summary.updated == 600
    refused = sum(isinstance(outcome, Answer) and outcome.status == 429 for _, _, outcome in api.answered)
    assert refused < 100
    assert done.seconds < 600 / 10 * 1.5


async def test_who_is_throttled_for_ever_has_failed_no_row() -> None:
    api = FakeApi(lambda _: throttled())
    done = await carry_out_with(api, rows(50), patient(give_up_after=120))
    assert (done.summary.exit, done.summary.unsent, done.summary.in_doubt) == (3, 50, 0)
    assert done.seconds < 200


# ----------------------------------------------------------------------------------------- outages


async def test_an_outage_costs_no_row_and_one_probe_at_a_time_until_it_is_over() -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return unreached() if 2 <= sent.time < 300 else updated(sent)

    api = FakeApi(behave)
    done = await carry_out_with(api, rows(300), patient(rate=Rate(20, 1.0)))
    assert (done.summary.updated, done.summary.exit) == (300, 0)
    probes = [time for time in api.times if 10 <= time < 300]
    assert 8 <= len(probes) < 80
    assert min(time for time in api.times if time >= 300) < 335
    assert len(done.listener.notices) == 2


async def test_in_an_outage_a_person_sees_since_when_and_when_it_is_tried_again() -> None:
    api = FakeApi(lambda sent: unreached() if 2 <= sent.time < 300 else updated(sent))
    run = make_run(api, rows(300), patient(rate=Rate(20, 1.0)))
    seen = list[tuple[float, float, float | None]]()

    async def look() -> None:
        while True:
            await asyncio.sleep(0.5)
            now, snapshot = asyncio.get_running_loop().time(), run.snapshot()
            if snapshot.outage is not None:
                seen.append((now, now - snapshot.outage, snapshot.next_probe))

    looking = asyncio.create_task(look())
    await run.carry_out()
    looking.cancel()
    assert all(since == pytest.approx(2, abs=0.2) for _, since, _ in seen)
    announced = [now + wait for now, _, wait in seen if wait is not None]
    assert len(announced) > 0.9 * len(seen) > 400
    assert all(min(abs(time - at) for time in api.times) < 0.1 for at in announced)


async def test_the_summary_tells_how_many_outages_there_were_and_how_long() -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return unreached() if 2 <= sent.time < 100 or 200 <= sent.time < 250 else updated(sent)

    api = FakeApi(behave)
    done = await carry_out_with(api, rows(900), patient(rate=Rate(5, 1.0)))
    summary = done.summary
    assert (summary.updated, summary.outages, summary.exit) == (900, 2, 0)
    over = [min(time for time in api.times if time >= end) for end in (100, 250)]
    assert summary.outage_seconds == pytest.approx(over[0] - 2 + over[1] - 200, abs=1.5)
    assert summary.last_outage is not None
    assert datetime.fromisoformat(summary.last_outage).timestamp() == pytest.approx(START + 200, abs=1.5)


async def test_the_ledger_tells_for_how_long_the_server_asked_to_wait() -> None:
    api = FakeApi(lambda sent: throttled("7") if sent.number == 3 else updated(sent))
    done = await carry_out_with(api, rows(20), patient(rate=Rate(20, 1.0)))
    told = [(attempt["http"], attempt["retryAfter"]) for attempt in done.ledger.attempts if "retryAfter" in attempt]
    assert told == [(429, 7)]


@pytest.mark.parametrize("trouble", ["unreached", "unavailable", "timeout", "html"])
async def test_an_outage_that_outlasts_patience_ends_the_run_in_time_and_fails_no_row(trouble: str) -> None:
    outcomes: dict[str, Answer | Fault] = {
        "unreached": unreached(),
        "unavailable": unavailable(),
        "timeout": Fault(Trouble.TIMEOUT, "no answer within 30 s"),
        "html": Answer(502, b"<html>Bad Gateway"),
    }
    latency = 30.0 if trouble == "timeout" else 0.1

    def behave(sent: Sent) -> Answer | Fault:
        return outcomes[trouble] if sent.time > 1 else updated(sent)

    api = FakeApi(behave, latency=lambda sent: latency if sent.time > 1 else 0.1)
    done = await carry_out_with(api, rows(300), patient(rate=Rate(20, 1.0), give_up_after=300))
    assert isinstance(done.ended.reason, OutageOutlasted)
    assert (done.summary.exit, done.summary.failed, done.summary.unknown) == (3, 0, 0)
    assert done.summary.updated + done.summary.unsent == 300
    assert 300 <= done.seconds <= 300 + 2 * latency + 35
    may_be_applied = trouble != "unreached"
    assert (done.summary.in_doubt > 0) == may_be_applied


async def test_a_single_batch_gives_up_in_time_as_well() -> None:
    api = FakeApi(lambda _: unreached())
    done = await carry_out_with(api, rows(1), patient(give_up_after=60))
    assert (done.summary.exit, done.summary.unsent) == (3, 1)
    assert 60 <= done.seconds <= 75


async def test_an_organization_that_fails_for_ever_holds_up_no_other_and_costs_a_bounded_number_of_requests() -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return unavailable() if sent.organization == "sick" else updated(sent)

    changes = [row(f"s{n}", "sick") for n in range(100)]
    changes += [row(f"a{n}", f"org-{n % 50}") for n in range(5_000)]
    api = FakeApi(behave)
    done = await carry_out_with(api, changes, replace(patient(10), rate=Rate(10, 1.0)))
    assert done.summary.updated == 5_000
    assert done.summary.failed == 0
    assert done.summary.unknown + done.summary.unsent == 100
    healthy = [time for time, sent, _ in api.answered if sent.organization != "sick"]
    assert max(healthy) < 500 / 10 * 1.5
    assert sum(sent.organization == "sick" for sent in api.sent) < 400


@pytest.mark.parametrize("outcome", [failing("INTERNAL", 500), Fault(Trouble.UNANSWERED, "reset")])
async def test_a_row_that_breaks_the_server_sinks_no_other(outcome: Answer | Fault) -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return outcome if "a33" in sent.ids else updated(sent)

    changes = [*rows(100), *(row(f"b{n}", f"org-{n % 1_000}") for n in range(2_000))]
    api = FakeApi(behave)
    done = await carry_out_with(api, changes, replace(patient(100), rate=Rate(5, 1.0)))
    assert (done.summary.updated, done.summary.unknown, done.summary.unsent) == (2_099, 1, 0)
    assert done.ledger.status(34) == "unknown"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [2, 3, 100])
async def test_a_row_that_breaks_the_server_sinks_no_other_where_there_is_nothing_else_to_send(
    count: int, seed: int
) -> None:
    culprit = f"a{random.Random(seed).randrange(count)}"

    def behave(sent: Sent) -> Answer | Fault:
        return failing("INTERNAL", 500) if culprit in sent.ids else updated(sent)

    api = FakeApi(behave)
    done = await carry_out_with(api, rows(count), patient(100), seed=seed)
    assert (done.summary.updated, done.summary.unknown, done.summary.exit) == (count - 1, 1, 1)
    assert done.ledger.status(int(culprit[1:]) + 1) == "unknown"
    assert len(api.sent) < 60
    assert done.seconds < 120


async def test_a_row_that_breaks_the_server_all_by_itself_is_taken_for_an_outage() -> None:
    done = await carry_out_with(FakeApi(lambda _: failing("INTERNAL", 500)), rows(1), patient(100))
    assert (done.summary.exit, done.summary.unsent) == (3, 1)


async def test_after_an_outage_a_batch_that_was_tried_in_parts_is_updated_whole() -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return unavailable() if sent.time < 600 else updated(sent)

    api = FakeApi(behave)
    done = await carry_out_with(api, rows(100), patient(100))
    assert (done.summary.updated, done.summary.exit) == (100, 0)
    assert sum(sent.time >= 600 for sent in api.sent) < 60
    assert api.clashes == []


# --------------------------------------------------------------------------------- splitting, asking again


def refusing(bad: set[str]) -> Callable[[Sent], Answer]:
    """Refuse every request whole that has one of the bad ids in it."""

    def behave(sent: Sent) -> Answer:
        return failing("INVALID_ARGUMENT", 400, "bad") if bad & {*sent.ids} else updated(sent)

    return behave


@pytest.mark.parametrize(("count", "culprits"), [(1, 1), (100, 1), (128, 1), (100, 3), (128, 8), (1_000, 10), (64, 64)])
async def test_culprits_are_found_at_the_price_that_was_promised(count: int, culprits: int) -> None:
    for seed in range(5):
        bad = {f"a{n}" for n in random.Random(seed).sample(range(count), culprits)}
        api = FakeApi(refusing(bad))
        done = await carry_out_with(api, rows(count), plan(1_000))
        assert (done.summary.failed, done.summary.updated) == (culprits, count - culprits)
        # A tree of halves: the best that can be done without asking for what halves have in common.
        promised = 2 * culprits * math.ceil(math.log2(count / culprits)) + 2 * culprits - 1
        assert len(api.sent) <= promised
        assert Counter(applied for sent in api.sent for applied in sent.ids if not bad & {*sent.ids}) == Counter(
            {f"a{n}": 1 for n in range(count) if f"a{n}" not in bad}
        )


async def test_what_is_too_large_is_halved_and_those_after_it_are_smaller_at_once() -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return failing("INVALID_ARGUMENT", 413) if sum(map(len, sent.activities)) > 1_000 else updated(sent)

    changes = [row(f"a{n}", entityData="x" * 60) for n in range(4_000)]
    api = FakeApi(behave)
    done = await carry_out_with(api, changes, patient(100, concurrency=1))
    assert done.summary.updated == 4_000
    fewest = math.ceil(sum(len(activity) for sent in api.sent for activity in sent.activities) / 1_000)
    assert len(api.sent) < 2 * fewest


async def test_a_single_row_that_is_too_large_has_failed() -> None:
    api = FakeApi(lambda _: Answer(413, b""))
    done = await carry_out_with(api, rows(2), plan())
    assert (done.summary.failed, done.ledger.error(1)["http"]) == (2, 413)


async def test_what_an_answer_leaves_out_is_asked_for_again_alone_and_a_bounded_number_of_times() -> None:
    api = FakeApi(lambda sent: updated(sent, missing={"a1"}))
    done = await carry_out_with(api, rows(3), plan(max_attempts=4))
    assert [sent.ids for sent in api.sent] == [("a0", "a1", "a2"), ("a1",), ("a1",), ("a1",)]
    assert (done.summary.updated, done.summary.unknown) == (2, 1)


async def test_an_answer_without_any_verdict_is_nobodys_success() -> None:
    api = FakeApi(lambda sent: updated(sent, missing=sent.ids))
    done = await carry_out_with(api, rows(3), plan(max_attempts=2))
    assert (done.summary.unknown, done.summary.updated, done.summary.exit) == (3, 0, 1)


async def test_a_refusal_after_an_attempt_that_may_have_been_applied_says_so() -> None:
    def behave(sent: Sent) -> Answer | Fault:
        return Fault(Trouble.TIMEOUT, "no answer") if sent.number == 0 else updated(sent, refused=sent.ids)

    done = await carry_out_with(FakeApi(behave), rows(1), plan())
    assert done.summary.failed == 1
    assert "may have been applied" in done.ledger.error(1)["message"]


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_doubt_outlasts_the_splitting_of_its_batch(count: int) -> None:
    def behave(sent: Sent) -> Answer | Fault:
        if sent.number == 0:
            return Fault(Trouble.TIMEOUT, "no answer")
        return failing("INVALID_ARGUMENT", 400) if len(sent.ids) > 1 else updated(sent, refused=sent.ids)

    done = await carry_out_with(FakeApi(behave), rows(count), plan())
    assert done.summary.failed == count
    for line in range(1, count + 1):
        assert "may have been applied" in done.ledger.error(line)["message"]


# -------------------------------------------------------------------------------------- credentials


async def test_refused_credentials_stop_the_run_with_one_word_and_no_row_has_failed() -> None:
    api = FakeApi(lambda _: failing("UNAUTHENTICATED", 401, "who are you?"))
    done = await carry_out_with(api, rows(1_000), patient(1, rate=Rate(50, 1.0)))
    assert (done.summary.exit, done.summary.failed, done.summary.unsent) == (3, 0, done.summary.rows)
    assert done.seconds < 1
    assert len(api.sent) <= 16


async def test_credentials_that_have_been_renewed_are_used() -> None:
    api = FakeApi(lambda sent: failing("UNAUTHENTICATED", 401) if not api.renewals else updated(sent))
    api.renews = True
    done = await carry_out_with(api, rows(10), plan(1, concurrency=1))
    assert (done.summary.updated, api.renewals) == (10, 1)


# ------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize("seed", range(8))
async def test_changes_of_one_activity_are_applied_in_input_order_whatever_goes_wrong(seed: int) -> None:
    chance = random.Random(seed)
    applied: dict[str, list[int]] = defaultdict(list)

    def behave(sent: Sent) -> Answer | Fault:
        fate = chance.random()
        if fate < 0.1:
            return unreached()
        if fate < 0.15:
            return failing("INVALID_ARGUMENT", 400)
        lost = {id_ for id_ in sent.ids if chance.random() < 0.1}
        for id_, activity in zip(sent.ids, sent.activities, strict=True):
            if fate < 0.9 or chance.random() < 0.5:
                applied[id_].append(int(activity.split(b'"n": ')[1].split(b"}")[0]))
        return updated(sent, missing=lost) if fate < 0.9 else Fault(Trouble.UNANSWERED, "reset")

    changes = [row(f"a{chance.randrange(20)}", entityData={"n": n}) for n in range(400)]
    api = FakeApi(behave, latency=lambda _: chance.random())
    done = await carry_out_with(api, changes, plan(chance.choice((1, 5, 30))), seed=seed)
    assert api.clashes == []
    assert all(len(set(sent.ids)) == len(sent.ids) for sent in api.sent)
    for numbers in applied.values():
        assert numbers == sorted(numbers)
    summary = done.summary
    assert summary.rows == 400 == summary.updated + summary.failed + summary.unknown + summary.unsent
    for line, result in done.ledger.results.items():  # truth: what is said to be updated was applied
        if result["status"] == "updated":
            assert line - 1 in applied[result["id"]]


# ------------------------------------------------------------------------------------ slow inputs


async def test_what_has_come_of_a_slow_input_leaves_before_the_rest_comes() -> None:
    async def trickle() -> AsyncIterator[Row]:
        for n in range(5):
            yield row(f"a{n}")
            await asyncio.sleep(10)

    api = FakeApi(updated)
    done = await carry_out_with(api, trickle(), patient(100))  # type: ignore[arg-type]
    assert [sent.ids for sent in api.sent] == [(f"a{n}",) for n in range(5)]
    assert all(sent.time - 10 * n < 2 for n, sent in enumerate(api.sent))
    assert done.summary.updated == 5


async def test_a_fast_input_fills_its_batches() -> None:
    changes = [row(f"a{n}", f"org-{n % 100}") for n in range(10_000)]
    api = FakeApi(updated)
    await carry_out_with(api, changes, patient(100))
    assert len(api.sent) == 100


# ------------------------------------------------------------------------------------- stopping


async def test_stopping_sends_nothing_new_and_waits_for_what_is_on_its_way() -> None:
    api = FakeApi(updated, latency=5.0)
    run = make_run(api, rows(100), patient(1, concurrency=4))

    async def stop() -> None:
        await asyncio.sleep(7)
        run.stop(Interrupted(15))

    stopping = asyncio.create_task(stop())
    ended = await run.carry_out()
    await stopping
    assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.5)
    assert (ended.summary.exit, ended.summary.updated, ended.summary.in_doubt) == (143, len(api.sent), 0)


async def test_leaving_gives_up_what_is_on_its_way_and_says_so() -> None:
    api, file = FakeApi(updated, latency=5.0), MemoryLedger()
    run = make_run(api, rows(100), patient(1, concurrency=4), file=file)

    async def leave() -> None:
        await asyncio.sleep(7)
        run.leave(Interrupted(2))

    leaving = asyncio.create_task(leave())
    ended = await run.carry_out()
    await leaving
    assert asyncio.get_running_loop().time() == pytest.approx(7, abs=0.5)
    assert (ended.summary.exit, ended.summary.updated, ended.summary.in_doubt) == (130, 4, 4)
    assert ledger_of(bytes(file.data)).lines[-1]["type"] == "end"


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 1.0, 2.5])
async def test_attempts_that_never_left_are_not_counted(moment: float) -> None:
    api, file = FakeApi(updated, latency=0.5), MemoryLedger()
    run = make_run(api, rows(100), patient(1, rate=Rate(5, 1.0)), file=file)
    asyncio.get_running_loop().call_later(moment, lambda: run.stop(Interrupted(15)))
    ended = await run.carry_out()
    assert ended.summary.attempts == len(api.sent)
    assert len(ledger_of(bytes(file.data)).attempts) == len(api.sent)
    assert ended.summary.in_doubt == 0


async def test_what_was_announced_and_never_left_leaves_no_doubt_in_the_ledger() -> None:
    api, file = FakeApi(updated, connecting=lambda: 10.0), MemoryLedger()
    run = make_run(api, rows(20), patient(1, concurrency=4), file=file)
    asyncio.get_running_loop().call_later(5, lambda: run.stop(Interrupted(15)))
    ended = await run.carry_out()
    lines = ledger_of(bytes(file.data)).lines
    announced = {line["request"] for line in lines if line["type"] == "sending"}
    settled = {line["request"] for line in lines if line["type"] == "request" and line.get("settled")}
    assert announced == settled != set()
    assert (ended.summary.attempts, ended.summary.in_doubt, len(api.sent)) == (0, 0, 0)


# --------------------------------------------------------------------------- a ledger that breaks


@pytest.mark.parametrize("append", [1, 2, 3, 5, 9])
async def test_when_the_ledger_cannot_be_written_sending_stops_at_once(append: int) -> None:
    api, file = FakeApi(updated, latency=0.2), MemoryLedger(breaks_at=append, seconds=0.001)
    done = await carry_out_with(api, rows(200), patient(1, concurrency=4), file=file)
    assert isinstance(done.ended.reason, LedgerUnwritable)
    assert done.summary.exit == 3
    recorded = done.ledger.statuses.get("updated", 0)
    assert done.summary.updated == recorded
    assert done.summary.rows == recorded + done.summary.unsent
    assert len(api.sent) <= recorded + 2 * 4
    assert done.seconds < 2


async def test_no_request_leaves_before_the_ledger_holds_that_it_does() -> None:
    file = MemoryLedger(seconds=0.05)
    known: list[set[str]] = []

    def behave(sent: Sent) -> Answer | Fault:
        lines = ledger_of(bytes(file.data)).lines
        known.append({id_ for line in lines if line["type"] == "sending" for id_ in line["ids"]})
        assert set(sent.ids) <= known[-1]
        return updated(sent)

    await carry_out_with(FakeApi(behave), rows(50), patient(5), file=file)
    assert len(known) == 10


async def test_no_attempt_leaves_before_the_ledger_holds_the_one_before() -> None:
    """A run that dies must not hide attempts from the next one, which keeps the rate together with it."""
    file = MemoryLedger(seconds=3.0)
    known: list[int] = []

    def behave(sent: Sent) -> Answer | Fault:
        known.append(len(ledger_of(bytes(file.data)).attempts))
        return unavailable() if len(known) < 4 else updated(sent)

    await carry_out_with(FakeApi(behave), rows(1), patient(), file=file)
    assert known == [0, 1, 2, 3]


async def test_nobody_is_told_of_a_row_before_the_ledger_holds_its_result() -> None:
    file = MemoryLedger(seconds=0.05)
    api = FakeApi(updated, latency=0.01)
    run = make_run(api, rows(50), patient(5), file=file)
    told = 0

    async def watch() -> None:
        nonlocal told
        while True:
            await asyncio.sleep(0.003)
            counted = sum(run.snapshot().counts.values())
            assert counted <= ledger_of(bytes(file.data)).statuses.get("updated", 0)
            told = max(told, counted)

    watching = asyncio.create_task(watch())
    await run.carry_out()
    watching.cancel()
    assert told == 50
