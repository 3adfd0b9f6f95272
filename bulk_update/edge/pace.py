"""Let requests leave evenly, and never more of them than the rates allow.

Two stages, since neither does both. aiolimiter spaces the requests; but what it has let go may be delayed
on its way to the socket, and then two come close together. So the sliding windows are asked last of all,
when a connection is there and the bytes are about to leave. They never let too many through.
"""

import asyncio
import math
from typing import Final

import aiolimiter

from bulk_update.pure.pacing import Rate, SlidingWindow

_TIMER: Final = 0.005
"""Seconds between two tokens, at least: timers are no finer; faster rates leave in small bursts."""

_FORGET_AT: Final = 10_000
"""Organizations whose pace is remembered before those that have rested long enough are forgotten."""


class Pace:
    """Keep the rate of all requests and that of each organization's; None lets everything through.

    Times are those of the running event loop.
    """

    def __init__(self, rate: Rate | None, organization_rate: Rate | None = None) -> None:
        self._all = _Lane(rate) if rate is not None else None
        self._organization_rate = organization_rate
        self._lanes: dict[str, _Lane] = {}
        self._forget_at = _FORGET_AT

    async def organization_token(self, organization: str) -> None:
        """Wait for the turn of this request among those of its organization."""
        if self._organization_rate is not None:
            await self._lane(organization, self._organization_rate).limiter.acquire()

    async def token(self) -> None:
        """Wait for the turn of this request among all; first come, first served."""
        if self._all is not None:
            await self._all.limiter.acquire()

    async def leave(self, organization: str) -> None:
        """Wait until one more request may leave, and note that it leaves now."""
        windows = [self._all.window] if self._all is not None else []
        if self._organization_rate is not None:
            windows.append(self._lane(organization, self._organization_rate).window)
        now = asyncio.get_running_loop().time
        while (wait := max((window.wait(now()) for window in windows), default=0.0)) > 0:
            await asyncio.sleep(wait)
        for window in windows:
            window.leave(now())

    def _lane(self, organization: str, rate: Rate) -> "_Lane":
        lane = self._lanes.get(organization)
        if lane is None:
            self._forget_rested()
            lane = self._lanes[organization] = _Lane(rate)
        return lane

    def _forget_rested(self) -> None:
        """Drop the lanes that nothing has left by for a whole window: they are as good as new."""
        if len(self._lanes) < self._forget_at:
            return
        now = asyncio.get_running_loop().time()
        self._lanes = {name: lane for name, lane in self._lanes.items() if not lane.is_rested(now)}
        self._forget_at = max(_FORGET_AT, 2 * len(self._lanes))


class _Lane:
    """One rate: the limiter that spaces, and the window that promises."""

    def __init__(self, rate: Rate) -> None:
        burst = max(1, math.ceil(_TIMER / rate.spacing))
        self.limiter = aiolimiter.AsyncLimiter(burst, burst * rate.spacing)
        self.window = SlidingWindow(rate)

    def is_rested(self, now: float) -> bool:
        return self.window.is_empty(now) and self.limiter.has_capacity(self.limiter.max_rate)
