"""Whose limit a push-back shows: everyone's, or that of one organization alone."""

import bisect
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WITNESSES: Final = 5
"""Requests of other organizations that must have been accepted for a push-back to be one organization's own."""

_UNLIKELY: Final = 0.05
"""How unlikely it must be that a limit for all has hit one organization alone."""

_RECENT: Final = 64
_LATELY: Final = 1.0
_LONG_AGO: Final = 10.0


@dataclass(slots=True)
class _Losing:
    """An organization that was refused, and of which nothing was accepted since.

    `first`, `last`: when the requests of it left that were refused first and last. `recovered`: how many organizations
    were accepted again after they had been refused, when it was refused first.
    """

    first: float
    last: float
    recovered: int


@dataclass(slots=True)
class _Series:
    """Refusals in a row that were all of one organization, from the second on.

    `answered`, `own`: how many of all, and of it, were accepted meanwhile. `is_new`: something was since the last.
    """

    organization: str = ""
    refusals: int = 0
    answered: int = 0
    own: int = 0
    is_new: bool = False

    def accepted(self, organization: str) -> None:
        self.answered += 1
        self.own += organization == self.organization
        self.is_new = True

    def refused(self) -> None:
        self.refusals += self.is_new
        self.is_new = False

    def likelihood(self) -> float:
        """Tell how likely it is that a limit for all has hit this one alone so often."""
        return float(((self.own + self.refusals + 1) / (self.answered + self.refusals + 1)) ** self.refusals)


class Blame:
    """Tell whose limit refusals show, by what is accepted meanwhile.

    Times are seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        self._recent: deque[tuple[float, str]] = deque(maxlen=_RECENT)
        self._refused: dict[str, float] = {}
        self._departures = [-math.inf] * WITNESSES
        """When the last of the requests left that were accepted, in order."""
        self._recovered = 0
        self._losing: dict[str, _Losing] = {}
        self._series = _Series()

    def accepted(self, organization: str, now: float, left: float) -> None:
        """Note an answer that is no push-back, to a request that left at `left`."""
        self._recent.append((now, organization))
        bisect.insort(self._departures, left)
        del self._departures[0]
        self._series.accepted(organization)
        if self._losing.pop(organization, None) is not None:
            self._recovered += 1

    def refused(self, organization: str, now: float, left: float) -> bool:
        """Note a push-back on a request that left at `left`; tell whether this organization alone is limited."""
        if organization != self._series.organization:
            self._series = _Series(organization)
        self._series.refused()
        is_its_own = self._is_its_own(organization, now) or self._series.likelihood() < _UNLIKELY
        self._refused[organization] = now
        losing = self._losing.setdefault(organization, _Losing(left, left, self._recovered))
        losing.first, losing.last = min(losing.first, left), max(losing.last, left)
        return is_its_own

    def accepted_lately(self, organization: str, now: float) -> Iterator[float]:
        """Tell when requests of an organization were accepted of late."""
        return (at for at, name in self._recent if name == organization and at > now - _LATELY)

    def goes_last(self, organization: str) -> bool:
        """Tell whether others should go first: only they can tell whether the last push-back was meant for all."""
        losing = self._losing.get(organization)
        return losing is not None and not self._is_witnessed(losing.last)

    def _is_witnessed(self, since: float) -> bool:
        """Tell whether enough was accepted that left later: what was on its way before, a limit had let through."""
        return self._departures[0] > since

    def _is_its_own(self, organization: str, now: float) -> bool:
        losing = self._losing.get(organization)
        if losing is not None and self._is_witnessed(losing.first):
            # A limit for all would have refused some of those that were accepted.
            return self._recovered == losing.recovered
        self._refused = {name: at for name, at in self._refused.items() if at > now - _LONG_AGO}
        if any(name != organization for name in self._refused):
            return False
        lately = [name for at, name in self._recent if at > now - _LATELY]
        own = lately.count(organization)
        # Whoever sends much is hit first by a limit for all.
        return len(lately) - own >= WITNESSES * (1 + own)
