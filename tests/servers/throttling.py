"""The ways in which servers bound what they take, as values of time: no clock, no socket.

Each is asked at the time at which a request arrives, and tells the seconds after which it would take one more;
0: it has taken this one. Times never go back.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Throttle(Protocol):
    """One way of bounding."""

    def ask(self, now: float) -> float:
        """Take a request that arrives now, and return 0; or tell how many seconds it has to wait."""


class Sliding:
    """At most so many requests in any `period` seconds."""

    def __init__(self, limit: int, period: float = 1.0) -> None:
        self._limit = limit
        self._period = period
        self._taken: deque[float] = deque()

    def ask(self, now: float) -> float:
        """Take one when the window that ends now has room."""
        while self._taken and self._taken[0] <= now - self._period:
            self._taken.popleft()
        if len(self._taken) >= self._limit:
            return self._taken[0] + self._period - now
        self._taken.append(now)
        return 0.0


class Bucket:
    """So many tokens a second, and at most `burst` of them saved up; it begins full."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._then = 0.0

    def ask(self, now: float) -> float:
        """Take one for a token."""
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._per_second)
        self._then = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0


class Fixed:
    """At most so many requests in each `period` seconds of the server's clock, which is `ahead` of ours."""

    def __init__(self, limit: int, period: float = 1.0, ahead: float = 0.0) -> None:
        self._limit = limit
        self._period = period
        self._ahead = ahead
        self._window = -1
        self._taken = 0

    def ask(self, now: float) -> float:
        """Take one when this window has room."""
        window = math.floor((now + self._ahead) / self._period)
        if window != self._window:
            self._window, self._taken = window, 0
        if self._taken >= self._limit:
            return (window + 1) * self._period - self._ahead - now
        self._taken += 1
        return 0.0


KINDS: dict[str, Callable[[int], Throttle]] = {
    "sliding window": Sliding,
    "token bucket": lambda rate: Bucket(rate, rate),
    "small token bucket": lambda rate: Bucket(rate, max(1.0, rate / 5)),
    "fixed window": lambda rate: Fixed(rate, ahead=0.37),
}
"""What allows so many requests a second, by name."""
