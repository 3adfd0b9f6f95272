"""Let requests leave evenly, never more of them than the rates allow, and no faster than the server takes them.

Three stages, since none does it all. aiolimiter spaces the requests. The governor slows them when the server
pushes back. And as both may be delayed on the way to the socket, so that two requests come close together,
the sliding windows are asked last of all, when a connection is there and the bytes are about to leave: they
never let too many through.
"""

import asyncio
import contextlib
import math
from collections.abc import Iterable, Iterator
from typing import Final

import aiolimiter

from bulk_update.pure.blame import Blame
from bulk_update.pure.governor import Governor, Standing
from bulk_update.pure.pacing import Rate, SlidingWindow
from bulk_update.pure.retrying import Chance

_LOOK_AGAIN: Final = 1.0
"""Seconds after which one that waits looks whether another rate is to be kept."""

_TIMER: Final = 0.005
"""Seconds that a timer may be late, and between two tokens at least; faster rates leave in small bursts."""

_FORGET_AT: Final = 10_000
"""Organizations whose pace is remembered before those that have rested are forgotten."""

_RESTED: Final = 10.0
"""Seconds after which an organization that sent nothing has rested."""


class Pace:
    """Keep the rate of all requests and that of each organization's; None lets everything through.

    `explores`: raise the rate by what succeeds, until the server first pushes back. Times are those of the
    running event loop.
    """

    def __init__(
        self,
        rate: Rate | None,
        organization_rate: Rate | None = None,
        *,
        chance: Chance,
        explores: bool = False,
    ) -> None:
        self._chance = chance
        self._all = _Lane(rate)
        self._organization_rate = organization_rate
        self._lanes: dict[str, _Lane] = {}
        self._forget_at = _FORGET_AT
        self._blame = Blame()
        self._slowed_by: dict[str, float] = {}
        """Organizations whose refusals slowed everyone, and until when each was told to wait."""
        self._before: Standing | None = None
        """How everyone stood before that, None when it was not theirs alone."""
        self._explores = explores
        self.pushbacks = 0
        """Attempts that the server pushed back, so far."""

    @property
    def rate(self) -> Rate | None:
        """The rate of all requests."""
        return self._all.window.rate if self._all.window is not None else None

    @property
    def allowed(self) -> float:
        """Requests a second that may leave now; infinite where nothing bounds them."""
        return self._all.governor.pace

    @property
    def flying(self) -> int:
        """Requests that are out now."""
        return self._all.flying

    @property
    def paused_until(self) -> float:
        """When the next request may leave at the earliest, as far as the server asked for a pause."""
        return self._all.governor.not_before

    def change(self, rate: Rate | None) -> None:
        """Keep another rate from now on."""
        self._explores = False
        self._all.change(rate)

    def remember(self, ages: Iterable[float]) -> None:
        """Count requests that left so many seconds ago, oldest first: an earlier run's."""
        now = asyncio.get_running_loop().time()
        for age in ages:
            self._all.remember(now - age)

    def is_slowed(self, organization: str) -> bool:
        """Tell whether the organization has a pace of its own to wait for."""
        return self._organization_rate is not None or organization in self._lanes

    def must_wait(self, organization: str) -> bool:
        """Tell whether the organization alone may send nothing now: by its own rate, or as the server has asked."""
        lane = self._lanes.get(organization)
        return lane is not None and lane.wait_to_leave(asyncio.get_running_loop().time()) > 0

    def is_held(self) -> bool:
        """Tell whether everyone, or some organization, may send nothing for now, whatever the rate."""
        now = asyncio.get_running_loop().time()
        return any(lane.governor.not_before > now for lane in (self._all, *self._lanes.values()))

    async def organization_turn(self, organization: str) -> None:
        """Wait for the turn of this request among those of its organization."""
        lane = self._lane(organization)
        if lane is None:
            return
        await lane.turn()
        # Those before it may have left later than in their turn.
        while (wait := lane.wait_to_leave(asyncio.get_running_loop().time())) > 0:
            await asyncio.sleep(min(wait, _LOOK_AGAIN))

    def goes_last(self, organization: str) -> bool:
        """Tell whether others should go first: only they can tell whether a push-back was meant for all."""
        return self._blame.goes_last(organization)

    @contextlib.contextmanager
    def flight(self, organization: str) -> Iterator[None]:
        """Count a request as in flight: while even a lowered pace is refused, one at a time tries."""
        lanes = self._lanes_of(organization)
        for lane in lanes:
            lane.flying += 1
        try:
            yield
        finally:
            for lane in lanes:
                lane.flying -= 1

    async def turn(self) -> None:
        """Wait for the turn of this request among all."""
        await self._all.turn()

    def pass_on(self, organization: str) -> None:
        """Leave a turn that is not used to the next of all, and to the next of its organization."""
        self._all.pass_on()
        if (lane := self._lanes.get(organization)) is not None:
            lane.pass_on()

    async def leave(self, organization: str) -> float:
        """Wait until one more request may leave, and note that it leaves now; tell when that is."""
        now = asyncio.get_running_loop().time
        # While one waits, the server may ask for a pause, and the user for another rate.
        while (wait := max(lane.wait_to_leave(now()) for lane in self._lanes_of(organization))) > 0:
            await asyncio.sleep(min(wait, _LOOK_AGAIN))
        left = now()
        for lane in self._lanes_of(organization):
            lane.remember(left)
        return left

    def take_back(self, organization: str, left: float) -> None:
        """Forget a request that was to leave at `left`, and of which no byte did."""
        for lane in self._lanes_of(organization):
            lane.forget(left)

    def _lanes_of(self, organization: str) -> "list[_Lane]":
        lane = self._lane(organization)
        return [self._all] if lane is None else [self._all, lane]

    def accepted(self, organization: str, left: float) -> None:
        """Note an answer that is no push-back, to a request that left at `left`."""
        now = asyncio.get_running_loop().time()
        self._blame.accepted(organization, now, left)
        self._acquit(organization)
        self._all.governor.accepted(now, left)
        if (lane := self._lanes.get(organization)) is not None:
            lane.governor.accepted(now, left)
        if self._explores:
            self._all.raise_rate()

    def refused(self, organization: str, left: float, retry_after: float) -> None:
        """Note that the server asked for a lower pace, after `retry_after` seconds if it said so."""
        now = asyncio.get_running_loop().time()
        self.pushbacks += 1
        self._explores = False
        if self._blame.refused(organization, now, left):
            governor = self._own_lane(organization, now).governor
            governor.refused(now, left, retry_after, self._chance)
            # What it was told while that held for everyone still holds for it.
            governor.hold(self._slowed_by.get(organization, now))
            self._forgive(organization)
            return
        everyone = self._all.governor
        if not self._slowed_by:
            self._before = everyone.standing()
        self._slowed_by[organization] = max(now + retry_after, self._slowed_by.get(organization, now))
        everyone.refused(now, left, retry_after, self._chance)

    def _acquit(self, organization: str) -> None:
        """Note that an organization is accepted again: it was not alone to blame that everyone was slowed."""
        if organization in self._slowed_by and len(self._slowed_by) > 1:
            self._slowed_by.clear()
            self._before = None

    def _forgive(self, organization: str) -> None:
        """Let everyone go on as before, when all that slowed them was one organization's own, or is by now."""
        self._slowed_by.pop(organization, None)
        if not self._slowed_by and self._before is not None:
            self._all.governor.resume(self._before)
            self._before = None

    def _lane(self, organization: str) -> "_Lane | None":
        lane = self._lanes.get(organization)
        if lane is None and self._organization_rate is not None:
            self._forget_rested()
            lane = self._lanes[organization] = _Lane(self._organization_rate)
        return lane

    def _own_lane(self, organization: str, now: float) -> "_Lane":
        lane = self._lanes.get(organization)
        if lane is None:
            # Nothing of one organization leaves faster than everything, so that is where its pace comes down from.
            lane = self._lanes[organization] = _Lane(self._organization_rate, self._all.governor.most)
            for at in self._blame.accepted_lately(organization, now):
                lane.governor.accepted(at, at)
        return lane

    def _forget_rested(self) -> None:
        """Drop the lanes that nothing has left by of late: they are as good as new."""
        if len(self._lanes) < self._forget_at:
            return
        now = asyncio.get_running_loop().time()
        self._lanes = {name: lane for name, lane in self._lanes.items() if not lane.is_rested(now)}
        self._forget_at = max(_FORGET_AT, 2 * len(self._lanes))


class _Lane:
    """One pace: the limiter that spaces, the governor that slows, the window that promises."""

    def __init__(self, rate: Rate | None, most: float = math.inf) -> None:
        self.window: SlidingWindow | None = None
        self.governor = Governor(rate.per_second if rate is not None else most)
        self.flying = 0
        self._limiter: aiolimiter.AsyncLimiter | None = None
        self._first = asyncio.Lock()
        self._last = -math.inf
        self._is_left_over = False
        self._is_spaced = False
        """One that was interrupted has waited for the limiter already."""
        self._set(rate)

    async def turn(self) -> None:
        """Wait for a turn: first come, first served."""
        governor = self.governor
        now = asyncio.get_running_loop().time
        if self._limiter is None and not governor.is_slowed and governor.not_before <= now():
            self._last = now()
            return
        async with self._first:  # so that who looks again keeps the place in line
            if not (self._is_left_over or self._is_spaced):
                await self._space()
                self._is_spaced = True
            while (wait := self._wait(now())) > 0:
                # The pace may change meanwhile, so a long wait looks again.
                await asyncio.sleep(min(wait, _LOOK_AGAIN))
            self._last = self._turn_at(now())
            self._is_left_over = self._is_spaced = False

    def pass_on(self) -> None:
        """Leave a turn to the next: who had it does not use it."""
        self._is_left_over = True

    async def _space(self) -> None:
        """Wait for the limiter; who waits long looks whether there is another one by now."""
        while (limiter := self._limiter) is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN):
                    await limiter.acquire()
                return

    def change(self, rate: Rate | None) -> None:
        """Keep another rate."""
        self._set(rate)
        self.governor.allow(rate.per_second if rate is not None else math.inf)

    def raise_rate(self) -> None:
        """Allow a little more, for a request that was accepted."""
        if self.window is None:
            return
        rate = self.window.rate
        self.governor.allow(self.governor.most * 1.002)
        if (limit := int(self.governor.most * rate.period)) >= rate.limit * 1.1:
            self._set(Rate(limit, rate.period))

    def wait_to_leave(self, now: float) -> float:
        """Tell the seconds until what has had its turn may leave; 0 or less when it may now."""
        pause = self.governor.not_before - now
        return pause if self.window is None else max(pause, self.window.wait(now))

    def remember(self, left: float) -> None:
        """Note that a request left."""
        if self.window is not None:
            self.window.leave(left)

    def forget(self, left: float) -> None:
        """Note that a request did not leave after all."""
        if self.window is not None:
            self.window.take_back(left)

    def is_rested(self, now: float) -> bool:
        if now - self._last <= _RESTED or self.governor.is_slowed or self.governor.not_before > now:
            return False
        return self.window is None or self.window.is_empty(now)

    def _wait(self, now: float) -> float:
        governor = self.governor
        if governor.is_probing and self.flying > 0:
            return 0.05
        return max(governor.not_before, self._last + self._spacing()) - now

    def _turn_at(self, now: float) -> float:
        """Tell when the turn was that is had now: who comes late is made up for, as far as timers are late."""
        if not self.governor.is_slowed:
            return now
        return max(min(now, self._last + self._spacing()), now - _TIMER)

    def _spacing(self) -> float:
        return 1 / self.governor.pace if self.governor.is_slowed and not self._is_left_over else 0.0

    def _set(self, rate: Rate | None) -> None:
        if rate is None:
            self._limiter = self.window = None
            return
        # One more than a timer needs: who comes late is made up for, else each delay would cost some of the rate.
        burst = 1 + math.ceil(_TIMER / rate.spacing)
        self._limiter = aiolimiter.AsyncLimiter(burst, burst * rate.spacing)
        if self.window is None:
            self.window = SlidingWindow(rate)
        else:
            self.window.change(rate)
