"""How fast requests may leave: no sliding window ever holds more of them than the rate allows.

Buckets and fixed windows double at their edges, so the promise is kept by remembering when the last
requests left: one more may leave when the oldest of the last `limit` is a whole window ago.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

JITTER: Final = 0.012
"""Seconds by which a window is stretched: what leaves evenly arrives a little unevenly."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` requests in any window of `period` seconds."""

    limit: int
    period: float

    @classmethod
    def of(cls, amount: float, period: float) -> "Rate":
        """Make whole requests of any amount: 0.2 a minute is 1 in five minutes; 2.5 a second is 2.

        `amount`: above 0. `period`: seconds.
        """
        return cls(int(amount), period) if amount >= 1 else cls(1, period / amount)

    def __str__(self) -> str:
        """Write it as the ledger has it: `5 in 1 s`."""
        return f"{self.limit} in {self.period:g} s"

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.limit / (self.period + JITTER)

    @property
    def spacing(self) -> float:
        """Seconds between requests that leave evenly and as fast as is allowed."""
        return (self.period + JITTER) / self.limit


class SlidingWindow:
    """Remember when the last requests left. Times are seconds of any clock that never goes back."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._window = rate.period + JITTER
        self._left: deque[float] = deque(maxlen=rate.limit)

    def change(self, rate: Rate) -> None:
        """Keep another rate from now on; what has left counts for it."""
        self.rate = rate
        self._window = rate.period + JITTER
        self._left = deque(self._left, maxlen=max(rate.limit, len(self._left)))

    def wait(self, now: float) -> float:
        """Tell the seconds until one more may leave; 0 when it may now."""
        left, limit = self._left, self.rate.limit
        return max(0.0, left[-limit] + self._window - now) if len(left) >= limit else 0.0

    def leave(self, now: float) -> None:
        """Note that a request leaves now."""
        self._left.append(now)

    def take_back(self, left: float) -> None:
        """Forget a request that was noted at `left` and did not leave."""
        if left in self._left:
            self._left.remove(left)

    def is_empty(self, now: float) -> bool:
        """Tell whether nothing has left within the last window."""
        return not self._left or self._left[-1] + self._window <= now
