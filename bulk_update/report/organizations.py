"""Rows and attempts by organization, of which there may be more than memory has room for."""

import hashlib
from collections.abc import Sequence
from typing import Final

from bulk_update.model import Status
from bulk_update.report.data import OrganizationFacts
from bulk_update.report.series import PLACES, STATUSES

MOST: Final = 20_000
"""Organizations that are counted at once; when there are more, the small ones that are well are let go."""

_ATTEMPTS: Final = len(STATUSES)
_LONGEST_NAME: Final = 200
_AMISS: Final = tuple(PLACES[status] for status in (Status.FAILED, Status.INVALID, Status.UNKNOWN))


class OrganizationTally:
    """Count. `is_rough`: some were let go, and what is said of those that came back begins there."""

    def __init__(self) -> None:
        self._counts: dict[str | None, list[int]] = {}
        self._gone = 0
        self.is_rough = False

    def settle(self, name: str | None, place: int, rows: int) -> None:
        """Count results, those that are replaced with a minus; `place`: of the status."""
        self._of(name)[place] += rows

    def attempt(self, name: str) -> None:
        """Count an attempt."""
        self._of(name)[_ATTEMPTS] += 1

    def total(self) -> int:
        """Tell how many organizations there are; when `is_rough`, one that came back counts twice."""
        return self._gone + len(self._counts) - (None in self._counts)

    def facts(self, most: int, apart: Status | None = None) -> list[OrganizationFacts]:
        """List those with most rows amiss first, then those with most rows; rows of the status `apart` count not."""
        every = self._counts
        if apart is not None:
            out = PLACES[apart]
            every = {name: [*counts[:out], 0, *counts[out + 1 :]] for name, counts in every.items()}
        names = sorted(every, key=lambda name: _weight(every[name]), reverse=True)[:most]
        return [
            OrganizationFacts(
                name,
                {status: every[name][place] for place, status in enumerate(STATUSES)},
                every[name][_ATTEMPTS],
            )
            for name in names
        ]

    def _of(self, name: str | None) -> list[int]:
        if name is not None and len(name) > _LONGEST_NAME:
            digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=4).hexdigest()
            name = f"{name[:_LONGEST_NAME]}… ({len(name):,} characters, {digest})"
        counts = self._counts.get(name)
        if counts is None:
            if len(self._counts) >= MOST:
                self._let_go()
            counts = self._counts[name] = [0] * (_ATTEMPTS + 1)
        return counts

    def _let_go(self) -> None:
        kept = sorted(self._counts, key=lambda name: _weight(self._counts[name]), reverse=True)[: MOST // 2]
        self._gone += len(self._counts) - len(kept)
        self._counts = {name: self._counts[name] for name in kept}
        self.is_rough = True


def _weight(counts: Sequence[int]) -> tuple[int, int]:
    return sum(counts[place] for place in _AMISS), sum(counts[:_ATTEMPTS])
