"""The rate limit: so many requests in any second or minute, of a key or of an organization. Pure.

What is known: limits are by API key, in windows of a minute, and answered with RESOURCE_EXHAUSTED and without
Retry-After. Here a window slides: the strictest reading, so that who passes here passes everywhere.
A request that was refused takes no place in the window.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from email.utils import formatdate
from math import ceil
from typing import Literal

from bulk_update.pure.pacing import Rate


@dataclass(frozen=True, slots=True)
class Limits:
    """The rates that hold at once, for each API key and for each organization."""

    key: tuple[Rate, ...] = ()
    organization: tuple[Rate, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self.key or self.organization)


class Limiter:
    """Remember when requests came. Times are seconds of any clock that never goes back."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._windows: dict[tuple[Hashable, Rate], deque[float]] = {}

    def admit(self, key: Hashable, organization: str | None, now: float) -> float | None:
        """Let a request in, or return the seconds until one more may come."""
        windows = [self._window(("key", key), rate) for rate in self._limits.key]
        if organization is not None:
            windows += [self._window(("organization", organization), rate) for rate in self._limits.organization]
        wait = max((_wait(window, rate, now) for window, rate in windows), default=0.0)
        if wait > 0:
            return wait
        for window, _ in windows:
            window.append(now)
        return None

    def _window(self, whose: Hashable, rate: Rate) -> tuple[deque[float], Rate]:
        window = self._windows.get((whose, rate))
        if window is None:
            window = self._windows[whose, rate] = deque(maxlen=rate.limit)
        return window, rate


def retry_after(form: Literal["none", "seconds", "date"], wait: float, clock: int) -> tuple[tuple[str, str], ...]:
    """Write the header of a refusal. `wait`: seconds. `clock`: milliseconds since 1970."""
    if form == "none":
        return ()
    text = str(ceil(wait)) if form == "seconds" else formatdate(ceil(clock / 1000 + wait), usegmt=True)
    return (("Retry-After", text),)


def _wait(window: deque[float], rate: Rate, now: float) -> float:
    return max(0.0, window[0] + rate.period - now) if len(window) == rate.limit else 0.0
