"""Whole runs in virtual time against servers that allow less than is asked for, or fail now and then."""

import asyncio
import math
import random
from dataclasses import dataclass, replace

import pytest

from bulk_update import Limits, Plan, Rate
from bulk_update.errors import Interrupted
from bulk_update.model import Answer
from bulk_update.pure.retrying import Backoff, Fault, Trouble
from tests.fake_api import FakeApi, Sent, carry_out_with, failing, make_run, throttled, unavailable, updated
from tests.runs import plan, row, rows
from tests.servers.throttling import KINDS, Throttle
from tests.servers.window import busiest_window
from tests.virtual_time import VIRTUAL_BACKEND

SETTLED = 10.0
"""Seconds after which the pace should have found what is allowed."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


def patient(rate: Rate | None, *, size: int = 1, concurrency: int = 16) -> Plan:
    """Make a plan as the command line does, with its real pauses."""
    how = plan(size, concurrency=concurrency)
    return replace(how, rate=rate, persistence=replace(how.persistence, backoff=Backoff()))


def throttling(throttle: Throttle, latency: float, *, says_when: bool = False) -> FakeApi:
    """Make an API that takes what a throttle does, in the order in which requests leave."""
    waits: dict[int, float] = {}

    def arrive(sent: Sent) -> float:
        waits[sent.number] = throttle.ask(sent.time)
        return latency

    def behave(sent: Sent) -> Answer:
        wait = waits[sent.number]
        return updated(sent) if wait == 0 else throttled(str(math.ceil(wait)) if says_when else None)

    return FakeApi(behave, latency=arrive)


def is_pushback(outcome: Answer | Fault) -> bool:
    return isinstance(outcome, Answer) and outcome.status == 429


@dataclass(frozen=True, slots=True)
class Use:
    """What became of the attempts that were answered in some seconds."""

    through: int
    refused: int

    @classmethod
    def of(cls, api: FakeApi, begin: float, end: float, organization: str | None = None) -> "Use":
        """Count."""
        refusals = [
            is_pushback(outcome)
            for at, sent, outcome in api.answered
            if begin <= at < end and organization in (None, sent.organization)
        ]
        return cls(refusals.count(False), refusals.count(True))

    @property
    def share_refused(self) -> float:
        """Tell the share of the attempts that were refused."""
        return self.refused / (self.through + self.refused)


# ---------------------------------------------------------------------------- what a server allows is used


@pytest.mark.parametrize("says_when", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rate", "latency"), [(2, 0.005), (2, 0.3), (10, 0.005), (10, 0.05), (10, 0.3), (50, 0.05), (50, 0.3)]
)
async def test_most_of_what_a_server_allows_is_used_and_little_is_refused(
    *, rate: int, latency: float, kind: str, says_when: bool
) -> None:
    seconds = 130.0 if rate < 10 else 70.0
    api = throttling(KINDS[kind](rate), latency, says_when=says_when)
    run = make_run(api, rows(int(rate * seconds * 1.1)), patient(Rate(5 * rate, 1.0), concurrency=64), seed=rate)
    asyncio.get_running_loop().call_later(seconds, lambda: run.stop(Interrupted(15)))
    await run.carry_out()
    use = Use.of(api, SETTLED, seconds)
    assert use.through >= 0.9 * rate * (seconds - SETTLED)
    assert use.share_refused <= 0.03


@pytest.mark.parametrize("organizations", [2, 5])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_limit_for_all_is_not_taken_for_one_organizations_own(kind: str, organizations: int) -> None:
    api, seconds = throttling(KINDS[kind](10), 0.05), 70.0
    changes = [row(f"a{n}", f"org-{n % organizations}") for n in range(800)]
    run = make_run(api, changes, patient(Rate(50, 1.0), concurrency=64))
    asyncio.get_running_loop().call_later(seconds, lambda: run.stop(Interrupted(15)))
    await run.carry_out()
    use = Use.of(api, SETTLED, seconds)
    assert use.through >= 0.9 * 10 * (seconds - SETTLED)
    assert use.share_refused <= 0.03


@pytest.mark.parametrize("others", [1, 20])
async def test_a_limit_of_one_organization_slows_no_other_where_requests_are_few(others: int) -> None:
    """At five a second, witnesses come slowly: that no other is ever refused is what shows it."""
    throttle = KINDS["sliding window"](1)

    def behave(sent: Sent) -> Answer:
        is_taken = sent.organization != "small" or throttle.ask(sent.time) == 0
        return updated(sent) if is_taken else throttled()

    changes = [row(f"a{n}", f"org-{n % others}" if n % 3 else "small") for n in range(300)]
    api = FakeApi(behave, latency=0.05)
    done = await carry_out_with(api, changes, patient(Rate(5, 1.0)))
    assert done.summary.updated == 300
    assert max(sent.time for sent in api.sent if sent.organization != "small") <= 1.2 * 200 / 4
    assert done.seconds <= 2 * 100


async def test_a_limit_of_one_organization_slows_that_one_alone() -> None:
    throttle = KINDS["sliding window"](5)

    def behave(sent: Sent) -> Answer:
        is_taken = sent.organization != "small" or throttle.ask(sent.time) == 0
        return updated(sent) if is_taken else throttled()

    changes = [row(f"a{n}", f"org-{n % 20}" if n % 8 else "small") for n in range(2_000)]
    api = FakeApi(behave, latency=0.05)
    done = await carry_out_with(api, changes, patient(Rate(50, 1.0), concurrency=64))
    assert done.summary.updated == 2_000
    others = [sent.time for sent in api.sent if sent.organization != "small"]
    assert max(others) <= 1.05 * 2_000 / 50
    assert done.seconds <= 2 * 250 / 5
    assert Use.of(api, SETTLED, done.seconds, "small").share_refused <= 0.1


# ----------------------------------------------------------------------------------------- faults of every kind

KINDS_OF_FAULTS = (
    "500",
    "502 as a page",
    "503",
    "reset before it is applied",
    "reset after it is applied",
    "half an answer",
    "no answer",
)


def hit(sent: Sent, kind: str, applied: set[str]) -> Answer | Fault:
    """Answer with a fault; tell in `applied` what took effect all the same."""
    if kind in ("reset after it is applied", "half an answer", "no answer"):
        applied.update(sent.ids)
    match kind:
        case "500":
            return failing("INTERNAL", 500)
        case "502 as a page":
            return Answer(502, b"<html>Bad Gateway</html>")
        case "503":
            return unavailable()
        case "no answer":
            return Fault(Trouble.TIMEOUT, "no answer within 30 s")
        case _:
            return Fault(Trouble.UNANSWERED, kind)


@pytest.mark.parametrize("size", [1, 20])
@pytest.mark.parametrize("seed", range(6))
async def test_one_in_ten_attempts_that_fails_costs_no_row_and_few_attempts(seed: int, size: int) -> None:
    """A change that is sent again after it was applied is applied twice, which changes nothing."""
    chance, applied, kinds = random.Random(seed), set[str](), dict[int, str]()

    def latency(sent: Sent) -> float:
        if chance.random() < 0.1:
            kinds[sent.number] = chance.choice(KINDS_OF_FAULTS)
        return 30.0 if kinds.get(sent.number) == "no answer" else 0.1

    def behave(sent: Sent) -> Answer | Fault:
        kind = kinds.get(sent.number)
        if kind is not None:
            return hit(sent, kind, applied)
        applied.update(sent.ids)
        return updated(sent)

    api, requests = FakeApi(behave, latency=latency), 1_000
    changes = [row(f"a{n}", f"org-{n % 7}") for n in range(requests * size)]
    how = replace(patient(Rate(20, 1.0), size=size, concurrency=64), limits=Limits(count=size))
    done = await carry_out_with(api, changes, how, seed=seed)
    assert len(set(kinds.values())) == len(KINDS_OF_FAULTS)
    assert (done.summary.updated, done.summary.exit) == (requests * size, 0)
    assert len(applied) == requests * size
    assert api.clashes == []
    fewest = sum(math.ceil(len(range(first, len(changes), 7)) / size) for first in range(7))
    assert len(api.sent) <= 1.25 * fewest
    assert done.seconds <= 1.25 * fewest / 20 + 3 * 30
    assert sum(time < fewest / 20 for time in api.times) >= 0.97 * fewest  # what is not answered holds up nobody
    assert busiest_window(api.times, 1.0) <= 20


async def test_a_pause_longer_than_it_is_to_be_waited_out_ends_the_run_in_time() -> None:
    api = FakeApi(lambda sent: throttled("300") if sent.number >= 10 else updated(sent))
    how = patient(Rate(5, 1.0))
    done = await carry_out_with(api, rows(50), replace(how, persistence=replace(how.persistence, give_up_after=60.0)))
    assert (done.summary.exit, done.summary.updated, done.summary.failed) == (3, 10, 0)
    assert "nothing has succeeded for 1 min" in str(done.ended.reason)
    refused = next(time for time, _, outcome in api.answered if is_pushback(outcome))
    assert 60 <= done.seconds - refused <= 62


async def test_a_rate_slower_than_it_is_waited_for_ends_no_run() -> None:
    api = FakeApi(lambda sent: unavailable() if sent.number == 0 else updated(sent))
    how = patient(Rate(1, 120.0))
    done = await carry_out_with(api, rows(5), replace(how, persistence=replace(how.persistence, give_up_after=60.0)))
    assert (done.summary.exit, done.summary.updated) == (0, 5)


async def test_what_was_refused_at_the_end_of_a_run_is_not_tried_again_one_a_second() -> None:
    """Retries that are answered count for no storm: nothing else goes out then that would earn them."""
    api = throttling(KINDS["sliding window"](400), 0.3)
    done = await carry_out_with(api, rows(1_400), patient(Rate(2_000, 1.0), concurrency=600))
    assert done.summary.updated == 1_400
    assert sum(is_pushback(outcome) for _, _, outcome in api.answered) > 100
    assert done.seconds <= 30
