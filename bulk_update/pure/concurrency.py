"""How many requests are enough at once: what the rate needs at the latency seen, and no more."""

import math
from typing import Final

_SPARE: Final = 2.0
"""How many times what Little's law asks for: latency varies."""

_FIRST: Final = 4
"""Requests at once to begin with, where no rate tells how many are needed."""

_SLOWER: Final = 2.0
"""How many times its best the latency may be for the number to grow."""

_TELLING: Final = 20
"""Answers after which their latency, smoothed, tells something: a few may be quick by chance."""

_MEMORY: Final = 0.1

_OVERDUE: Final = 4.0
"""How many times the latency an answer may take before its request no longer counts as one that is enough."""

_LEAST_PATIENCE: Final = 1.0


class Concurrency:
    """Follow the need. `most`: never more. `per_second`: the rate, None without one.

    Latency that rises only stops growth; it never lowers the number, which would drift. Requests whose answer
    is overdue come on top, or a few that are never answered would keep the others from using the rate.
    """

    def __init__(self, most: int, per_second: float | None) -> None:
        self._most = most
        self._per_second = per_second
        self._latency: float | None = None
        self._best = math.inf
        self._answers = 0
        self._enough = most if per_second is not None else min(most, _FIRST)
        self._overdue = 0

    @property
    def limit(self) -> int:
        """Requests at once."""
        return min(self._most, self._enough + self._overdue)

    @property
    def patience(self) -> float:
        """Seconds after which an answer is overdue."""
        return max(_LEAST_PATIENCE, _OVERDUE * (self._latency or 0.0))

    def overdue(self, number: int) -> None:
        """Note that so many more answers are overdue, or fewer."""
        self._overdue += number

    def allow(self, per_second: float | None) -> None:
        """Follow another rate."""
        self._per_second = per_second
        self._follow()

    def answered(self, seconds: float) -> None:
        """Note how long an answer took."""
        before = self._latency
        self._latency = seconds if before is None else before + _MEMORY * (seconds - before)
        self._answers += 1
        if self._answers >= _TELLING:
            self._best = min(self._best, self._latency)
        self._follow()

    def _follow(self) -> None:
        if self._latency is None:
            return
        if self._per_second is None:
            if self._latency <= _SLOWER * max(self._best, 0.001):
                self._enough = min(self._most, self._enough + 1)
            return
        # Those that wait for their turn hold a slot as well, so there is always one more than is needed.
        need = math.ceil(_SPARE * self._per_second * self._latency) + 1
        self._enough = min(self._most, max(2, need))
