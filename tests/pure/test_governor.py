"""The governor against servers that allow less than is asked for: most of it is used, and little is refused."""

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field

import pytest

from bulk_update.pure.governor import Governor
from tests.servers.throttling import KINDS, Bucket, Sliding, Throttle

SETTLED = 10.0
"""Seconds after which the pace should have found what is allowed."""

RATES = [2, 10, 50, 400]
LATENCIES = [0.005, 0.05, 0.3]
CHANCE = random.Random(5)


@dataclass(order=True)
class Event:
    """Something that happens to a request: it arrives, or its answer does."""

    time: float
    number: int
    left: float = field(compare=False)
    wait: float | None = field(compare=False, default=None)


@dataclass
class Drive:
    """Send whenever a governor lets one, and answer as a throttle says. `says_when`: with Retry-After."""

    governor: Governor
    throttle: Throttle
    latency: float
    says_when: bool = False
    unsteady: float = 0.1
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    now: float = 0.0
    _events: list[Event] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _in_flight: int = 0

    def go_on(self, until: float) -> None:
        """Let time pass."""
        while True:
            leaves = self._next_departure()
            if min(leaves, self._events[0].time if self._events else math.inf) >= until:
                self.now = until
                return
            if self._events and self._events[0].time <= leaves:
                self._take(heapq.heappop(self._events))
            else:
                self._leave(leaves)

    def through(self, since: float = SETTLED) -> int:
        """Count what was accepted from a time on."""
        return sum(time >= since for time in self.accepted)

    def share_refused(self, since: float = SETTLED) -> float:
        """Tell the share of the attempts that were refused from a time on."""
        refused = sum(time >= since for time in self.refused)
        return refused / (refused + self.through(since))

    def _next_departure(self) -> float:
        governor = self.governor
        if self._in_flight >= (1 if governor.is_probing else 5_000):
            return math.inf
        last = self.left[-1] if self.left else -math.inf
        return max(governor.not_before, last + 1 / governor.pace, self.now)

    def _leave(self, now: float) -> None:
        self.now = now
        self.left.append(now)
        self._in_flight += 1
        way = self.latency * (0.5 + self.unsteady * (CHANCE.random() - 0.5))
        heapq.heappush(self._events, Event(now + way, next(self._numbers), now))

    def _take(self, event: Event) -> None:
        self.now = event.time
        if event.wait is None:
            wait = self.throttle.ask(event.time)
            heapq.heappush(self._events, Event(event.left + self.latency, event.number, event.left, wait))
            return
        self._in_flight -= 1
        if event.wait == 0:
            self.accepted.append(event.time)
            self.governor.accepted(event.time, event.left)
        else:
            self.refused.append(event.time)
            retry_after = math.ceil(event.wait) if self.says_when else 0
            self.governor.refused(event.time, event.left, retry_after, CHANCE)


def seconds_of(rate: int) -> float:
    """Choose for how long to look: long enough to count refusals, where requests are few."""
    return 130.0 if rate < 10 else 70.0


CASES = [
    *itertools.product(RATES, LATENCIES, KINDS, (False, True)),
    *itertools.product([2_000], LATENCIES[1:], ["sliding window", "small token bucket"], (False, True)),
]


@pytest.mark.parametrize(("rate", "latency", "kind", "says_when"), CASES)
def test_what_a_server_allows_is_used_and_little_is_refused(
    *, rate: int, latency: float, kind: str, says_when: bool
) -> None:
    CHANCE.seed(rate)
    # A bucket for one request bears none that comes early, so that even a perfect pace is refused now and then.
    has_room = not (rate == 2 and kind == "small token bucket")
    drive = Drive(Governor(5.0 * rate), KINDS[kind](rate), latency, says_when, unsteady=0.1 if has_room else 0.0)
    seconds = seconds_of(rate)
    drive.go_on(seconds)
    assert drive.through() >= 0.9 * rate * (seconds - SETTLED)
    assert drive.share_refused() <= 0.03


@pytest.mark.parametrize("says_when", [False, True])
@pytest.mark.parametrize(("before", "after"), [(2, 10), (10, 50), (50, 500)])
def test_what_a_server_allows_anew_is_used_within_two_minutes(*, before: int, after: int, says_when: bool) -> None:
    CHANCE.seed(before)
    drive = Drive(Governor(5.0 * after), Sliding(before), 0.05, says_when)
    drive.go_on(60.0)
    drive.throttle = Sliding(after)
    drive.go_on(180.0)
    assert drive.governor.pace >= 0.9 * after
    drive.go_on(240.0)
    assert drive.through(180.0) >= 0.85 * after * 60


def test_a_server_that_allows_less_than_before_is_followed() -> None:
    drive = Drive(Governor(500.0), Sliding(100), 0.05)
    drive.go_on(60.0)
    drive.throttle = Sliding(10)
    drive.go_on(130.0)
    assert drive.through(70.0) >= 0.9 * 10 * 60
    assert drive.share_refused(70.0) <= 0.03


def test_a_push_back_that_comes_once_costs_little() -> None:
    drive = Drive(Governor(5.0), Sliding(1_000), 0.05)
    drive.go_on(20.0)
    drive.governor.refused(20.0, 19.9, 3.0, CHANCE)
    drive.go_on(30.0)
    assert drive.governor.pace >= 0.8 * 5
    drive.go_on(90.0)
    assert drive.governor.pace >= 0.97 * 5


def test_latency_lowers_no_pace() -> None:
    drive = Drive(Governor(50.0), Sliding(60), 0.05, unsteady=0.0)
    drive.go_on(10.0)
    drive.latency = 5.0
    drive.go_on(60.0)
    assert drive.governor.pace == 50.0
    assert not drive.refused


def test_a_server_that_refuses_everything_is_asked_by_one_at_a_time_and_ever_more_seldom() -> None:
    drive = Drive(Governor(100.0), Bucket(1e-9, 0), 0.1)
    drive.go_on(600.0)
    assert len(drive.refused) < 60
    late = [time for time in drive.left if time > 60]
    assert min(later - earlier for earlier, later in itertools.pairwise(late)) >= 15
    assert max(later - earlier for earlier, later in itertools.pairwise(late)) <= 60


@pytest.mark.parametrize("most", [math.inf, 5.0])
def test_a_first_answer_that_is_a_push_back_stops_nobody_for_good(most: float) -> None:
    governor = Governor(most)
    governor.refused(1.0, 0.9, 0.0, CHANCE)
    assert governor.pace >= 2
    assert governor.not_before <= 2
    governor.accepted(3.0, 2.9)
    assert governor.pace >= 2


def test_retry_after_is_a_floor_with_chance_above_it() -> None:
    waits = set[float]()
    for _ in range(100):
        governor = Governor(10.0)
        governor.refused(5.0, 4.9, 20.0, CHANCE)
        waits.add(governor.not_before - 5.0)
    assert len(waits) > 90
    assert 20 <= min(waits) < 20.5
    assert 21.5 < max(waits) <= 22


def test_refusals_of_what_had_left_before_the_pace_was_lowered_tell_nothing_new() -> None:
    governor = Governor(10.0)
    for number in range(20):
        governor.accepted(number / 10, number / 10 - 0.05)
    governor.refused(2.0, 1.9, 0.0, CHANCE)
    pace = governor.pace
    for number in range(10):
        governor.refused(2.1 + number / 100, 1.95, 0.0, CHANCE)
    assert governor.pace == pace
    assert not governor.is_probing


def test_a_pace_that_nobody_keeps_is_not_raised() -> None:
    """A ramp by the clock alone would reward idling."""
    busy, idle = (Drive(Governor(500.0), Sliding(100), 0.01) for _ in range(2))
    for drive in (busy, idle):
        drive.go_on(30.0)
    pace = idle.governor.pace
    for second in range(31, 91):  # one request a second, for a minute
        idle.governor.accepted(float(second), second - 0.01)
    assert idle.governor.pace <= pace * 1.06
    busy.throttle = Sliding(500)
    busy.go_on(90.0)
    assert busy.governor.pace > pace * 2


def test_another_limit_of_the_user_holds_at_once() -> None:
    governor = Governor(10.0)
    governor.allow(100.0)
    assert (governor.pace, governor.is_slowed) == (100.0, False)
    governor.accepted(1.0, 0.9)
    governor.refused(1.1, 1.0, 0.0, CHANCE)
    slowed = governor.pace
    governor.allow(1_000.0)
    assert (governor.pace, governor.is_slowed) == (slowed, True)
    governor.allow(1.0)
    assert governor.pace == 1.0
