"""The pace that a server allows, found by what it refuses.

Only explicit push-back (429, RESOURCE_EXHAUSTED, 503 with Retry-After) lowers the pace; latency never does.
After a refusal the pace goes just below what was accepted before it. Then it climbs towards the pace that was
refused: fast at first, and slowly near it, where the next refusal is to be expected; beyond it, ever faster, for
the server then allows more than it did. How long a climb takes follows from what a refusal costs: a server that
asks everyone to wait is not to be asked often. Refusals of requests that had left before the pace was lowered
tell nothing new. A refusal right after it was lowered means that the server's window is longer than ours: then
everyone waits, longer each time, and one request at a time tries.
"""

import math
from collections import deque
from copy import copy
from dataclasses import dataclass
from typing import Final

from bulk_update.pure.retrying import Chance

_DROP: Final = 0.05
"""Share of the accepted pace that is given up after a refusal."""

_MOST_DROP: Final = 0.15
"""Share that is given up when the climb was short: a reserve of the server may hide how little it allows for long."""

_SHORT: Final = 0.3
"""Share of its period up to which a climb is short."""

_KEPT_AGAIN: Final = 0.7
"""Share that is kept when the lowered pace is refused as well."""

_KEPT_OF_FEW: Final = 0.6
"""Share that is kept at least, when too few were accepted to tell what is allowed."""

_SAMPLE: Final = 12
"""Requests that a measurement of the accepted pace should rest on."""

_SUSTAINED: Final = 1.5
"""Seconds of a climb after which the pace itself tells what is accepted, better than a count does."""

_ASKED: Final = 5.0
"""How many times what is accepted may have been asked for: the pace says more where something else slows down."""

_SHORTEST_CLIMB: Final = 6.0
_LONGEST_CLIMB: Final = 90.0
_PAUSE_COST: Final = 70.0
"""Seconds of a climb for each second that its refusal will cost."""

_REFUSAL_COST: Final = 100.0
"""Requests of a climb for each that will be refused at its end."""

_FAR: Final = 1.5
"""How far the refused pace is above the pace for a climb to be a search, which is quick."""

_SEARCH_COST: Final = 25.0
_LONGEST_SEARCH: Final = 30.0
_BEYOND: Final = 8.0
"""Seconds beyond the refused pace in which the climb gains as much again."""

_BEYOND_REQUESTS: Final = 30.0

_LEAST_PAUSE: Final = 0.05
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 30.0
_JITTER: Final = 0.1
"""Share of Retry-After that is waited beyond it, at most, drawn at random."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How fast it goes at some time, and how it came there: to be gone back to."""

    pace: float
    is_slowed: bool
    not_before: float
    climb: "_Climb"
    refused_in_a_row: int
    lowered_at: float


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
        self._climb = _Climb(most, most, _SHORTEST_CLIMB, 0.0)
        self._accepted: deque[float] = deque()
        self._sight = min(30.0, max(1.0, _SAMPLE / most))
        self._steady_since: float | None = None
        self._answered_at = 0.0
        self._lowered_at = -math.inf
        self._refused_at = 0.0
        self._refused_since = 0
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

    def standing(self) -> Standing:
        """Tell how things stand, for `resume`."""
        climb = copy(self._climb)
        return Standing(self.pace, self.is_slowed, self.not_before, climb, self._refused_in_a_row, self._lowered_at)

    def resume(self, before: Standing) -> None:
        """Go on as before: what was refused since tells nothing of this pace."""
        self.pace = min(before.pace, self.most) if before.is_slowed else self.most
        self.not_before = before.not_before
        self._climb = before.climb
        self._refused_in_a_row = before.refused_in_a_row
        self._lowered_at = before.lowered_at

    def hold(self, until: float) -> None:
        """Let nothing leave before a time."""
        self.not_before = max(self.not_before, until)

    def accepted(self, now: float, left: float) -> None:
        """Note an answer that is no push-back, to a request that left at `left`."""
        elapsed = max(0.0, now - self._answered_at)
        self._answered_at = now
        self._see(now)
        self._accepted.append(now)
        if self._steady_since is None:
            self._steady_since = left
        if left < self._lowered_at:
            return
        if self._refused_in_a_row:
            if self.is_probing:
                self._steady_since = now
            self._climb = self._new_climb(now, left)
            self._refused_in_a_row = 0
        elif self.pace < self.most:
            self.pace = min(self.most, self._climb.go_on(elapsed, self.pace))

    def refused(self, now: float, left: float, retry_after: float, chance: Chance) -> None:
        """Note a push-back on a request that left at `left`; `retry_after`: seconds, 0 where none were said."""
        self.refusals += 1
        self._answered_at = now
        if retry_after > 0:
            self.hold(now + retry_after * (1 + _JITTER * chance.random()))
        self._refused_since += 1
        if left < self._lowered_at:
            return
        self._see(now)
        if self._refused_in_a_row == 0:
            self._refused_at, self._refused_since = now, 1
        if self._refused_in_a_row == 0 and self._accepted:
            self._lower(now)
            self.hold(now + max(1 / self.pace, _LEAST_PAUSE))
        else:
            self.pace = max(self._least, self.pace * _KEPT_AGAIN)
            bound = min(_LONGEST_PAUSE, _FIRST_PAUSE * 3.0 ** max(0, self._refused_in_a_row - 1))
            self.hold(now + bound * (0.5 + 0.5 * chance.random()))
        self._refused_in_a_row += 1
        self._lowered_at = now

    def _lower(self, now: float) -> None:
        """Go below what was accepted, and remember what was refused."""
        climb, accepted = self._climb, self._measured(now)
        drop = _MOST_DROP - (_MOST_DROP - _DROP) * min(1.0, climb.age / (_SHORT * climb.period))
        refused = min(self.pace, _ASKED * accepted)
        if climb.age > 1 and now - climb.began >= max(_SUSTAINED, 4 / self.pace):
            accepted = climb.mean
        elif len(self._accepted) < _SAMPLE:
            accepted = max(accepted, _KEPT_OF_FEW * refused)
        self._climb.refused = refused
        self.pace = max(self._least, min(refused * (1 - drop), accepted * (1 - _DROP)))
        self._sight = min(30.0, max(1.0, _SAMPLE / self.pace))

    def _new_climb(self, now: float, left: float) -> "_Climb":
        """Begin to climb from where requests are accepted again."""
        cost, refused = now - self._refused_at, self._climb.refused
        period = max(_SHORTEST_CLIMB, _PAUSE_COST * cost, _REFUSAL_COST * self._refused_since / self.pace)
        if refused > _FAR * self.pace:
            period = min(period, max(_SHORTEST_CLIMB, min(_LONGEST_SEARCH, _SEARCH_COST * cost)))
        return _Climb(self.pace, refused, min(period, _LONGEST_CLIMB), left)

    def _measured(self, now: float) -> float:
        """Measure the pace that was accepted of late, as far as requests left without a pause."""
        since = now if self._steady_since is None else self._steady_since
        span = min(self._sight, max(now - since, 0.05))
        return min(self.pace, len(self._accepted) / span)

    def _see(self, now: float) -> None:
        while self._accepted and self._accepted[0] <= now - self._sight:
            self._accepted.popleft()


class _Climb:
    """The way from a pace that is accepted to the one that was refused, and beyond.

    `period`: seconds to the refused pace. `began`: when the first request of it left.
    """

    def __init__(self, base: float, refused: float, period: float, began: float) -> None:
        self.refused = refused
        self.period = period
        self.began = began
        self.age = 0.0
        """Seconds of it that were used: a pace that nobody keeps is not raised."""
        self.mean = base
        """The pace of the last second, about."""
        self._gap = refused - base
        self._credit = 0.0

    def go_on(self, elapsed: float, pace: float) -> float:
        """Tell the pace after one more request was accepted, `elapsed` seconds after the answer before it."""
        self._credit = min(self._credit + 2 / pace, max(1.0, 4 / pace))
        step = min(elapsed, self._credit)
        self._credit -= step
        self.age += step
        self.mean += (pace - self.mean) * min(1.0, step)
        if self.age < self.period:
            return self.refused - self._gap * (1 - self.age / self.period) ** 3
        beyond = min(self.period, max(_BEYOND, _BEYOND_REQUESTS / pace))
        return self.refused + self._gap * ((self.age - self.period) / beyond) ** 3
