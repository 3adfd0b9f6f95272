"""The pace that a server allows, found by what it refuses.

Only explicit push-back (429, RESOURCE_EXHAUSTED, 503 with Retry-After) lowers the pace; latency never does.
After a refusal the pace goes just below what was accepted before it. Then it climbs, quickly as far as is
known to be accepted, slowly beyond, and the faster the longer nothing is refused. Refusals of requests that
had left before the pace was lowered tell nothing new. A refusal right after it was lowered means that the
server's window is longer than ours: then everyone waits, longer each time, and one request at a time tries.
"""

from collections import deque
from typing import Final

from bulk_update.pure.retrying import Chance

_KEPT: Final = 0.94
"""Share of the accepted pace that is kept after a refusal."""

_KEPT_AGAIN: Final = 0.7
"""Share that is kept when the lowered pace is refused as well."""

_SAMPLE: Final = 12
"""Requests that a measurement of the accepted pace should rest on."""

_MOST_GROWTH: Final = 1_000.0
"""Steps of growth by time at once: enough for any pace, and few enough for a float."""

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 30.0
_JITTER: Final = 0.1
"""Share of Retry-After that is waited beyond it, at most, drawn at random."""


class Governor:
    """Find the pace. Times are seconds of a clock that never goes back; paces are requests a second.

    `most`: never above this. `least`: never below this.
    """

    def __init__(self, most: float, least: float = 0.02) -> None:
        self.most = most
        self.pace = most
        """Requests that may leave in a second."""
        self.not_before = 0.0
        """Nothing may leave before this time."""
        self.refusals = 0
        self._least = least
        self._chance_to_grow_since = 0.0
        self._known = most
        self._accepted: deque[float] = deque()
        self._sight = 1.0
        self._steady_since: float | None = None
        self._lowered_at = float("-inf")
        self._accepted_since = 0
        self._refused_in_a_row = 0

    @property
    def is_probing(self) -> bool:
        """Tell whether one request at a time should try: even the lowered pace is refused."""
        return self._refused_in_a_row > 1

    @property
    def is_slowed(self) -> bool:
        """Tell whether the pace is below what was asked for."""
        return self.pace < self.most

    def allow(self, most: float) -> None:
        """Change what is asked for."""
        self.pace = most if self.pace >= self.most else min(self.pace, most)
        self.most = most
        self._known = min(self._known, most)

    def accepted(self, now: float, left: float) -> None:
        """Note an answer that is no push-back, to a request that left at `left`."""
        elapsed = min(now - self._chance_to_grow_since, 1.0)
        self._chance_to_grow_since = now
        self._see(now)
        self._accepted.append(now)
        if self._steady_since is None:
            self._steady_since = left
        if left < self._lowered_at:
            return
        if self.is_probing:
            self._steady_since = now
        self._refused_in_a_row = 0
        self._accepted_since += 1
        self._grow(now, max(0.0, elapsed))

    def refused(self, now: float, left: float, retry_after: float, chance: Chance) -> None:
        """Note a push-back on a request that left at `left`; `retry_after`: seconds, 0 where none were said."""
        self.refusals += 1
        self._chance_to_grow_since = now
        if retry_after > 0:
            self._hold(now + retry_after * (1 + _JITTER * chance.random()))
        if left < self._lowered_at:
            return
        self._see(now)
        if self._refused_in_a_row == 0 and self._accepted:
            self._lower_to(self._measured(now) * _KEPT)
            self._hold(now + 1 / self.pace)
        else:
            self.pace = max(self._least, self.pace * _KEPT_AGAIN)
            bound = min(_LONGEST_PAUSE, _FIRST_PAUSE * 3.0 ** max(0, self._refused_in_a_row - 1))
            self._hold(now + bound * (0.5 + 0.5 * chance.random()))
        self._refused_in_a_row += 1
        self._lowered_at = now
        self._accepted_since = 0

    def _grow(self, now: float, elapsed: float) -> None:
        if self.pace >= self.most:
            return
        if self.pace < self._known:
            self.pace = min(self._known, self.pace * 1.5**elapsed)
            return
        # Both the time and the requests since the last refusal bound the growth: a fast pace would
        # overshoot far by requests alone, a slow one by time alone.
        by_time = 1.02 ** min(_MOST_GROWTH, elapsed * (1 + ((now - self._lowered_at) / 6) ** 2))
        by_requests = 1 + 0.0012 * (1 + (self._accepted_since / 80) ** 2)
        self.pace = min(self.most, self.pace * min(by_time, by_requests))

    def _measured(self, now: float) -> float:
        """Measure the pace that was accepted of late, as far as requests left without a pause."""
        since = now if self._steady_since is None else self._steady_since
        span = min(self._sight, max(now - since, 0.05))
        return min(self.pace, len(self._accepted) / span)

    def _lower_to(self, pace: float) -> None:
        self.pace = self._known = max(self._least, pace)
        self._sight = min(30.0, max(1.0, _SAMPLE / self.pace))

    def _see(self, now: float) -> None:
        while self._accepted and self._accepted[0] <= now - self._sight:
            self._accepted.popleft()

    def _hold(self, until: float) -> None:
        self.not_before = max(self.not_before, until)
