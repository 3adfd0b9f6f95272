"""Organizations that have to wait, or that fail: senders are left to the others."""

import contextlib
from collections import Counter
from collections.abc import Iterator

from bulk_update.ports import Supply


class Resting:
    """Let an organization rest while it would hold up the others.

    `most`: batches of one organization that may wait for it alone, or be alive while it fails, before no more are
    taken.
    """

    def __init__(self, supply: Supply, most: int) -> None:
        self._supply = supply
        self._most = most
        self._held_up: Counter[str] = Counter()
        self._alive: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._resting: set[str] = set()

    def alive(self, organization: str) -> contextlib.AbstractContextManager[None]:
        """Count a batch of an organization as being seen through, while the block lasts."""
        return self._counting(self._alive, organization)

    def held_up(self, organization: str) -> contextlib.AbstractContextManager[None]:
        """Count a batch as waiting for its organization alone, while the block lasts."""
        return self._counting(self._held_up, organization)

    def suspect(self, organization: str) -> None:
        """Take an organization as failing until it is answered again."""
        self._failing.add(organization)
        self._rest_or_resume(organization)

    def clear(self, organization: str) -> None:
        """Note that an organization is answered."""
        if organization in self._failing:
            self._failing.discard(organization)
            self._rest_or_resume(organization)

    def _share(self) -> int:
        """Tell how many batches of each failing organization may be alive: the more of them fail, the fewer."""
        failing = sum(name in self._failing for name in self._alive)
        return max(1, min(self._most, 2 * self._most // max(1, failing)))

    @contextlib.contextmanager
    def _counting(self, counter: Counter[str], organization: str) -> Iterator[None]:
        counter[organization] += 1
        self._rest_or_resume(organization)
        try:
            yield
        finally:
            counter[organization] -= 1
            if not counter[organization]:
                del counter[organization]
            self._rest_or_resume(organization)

    def _rest_or_resume(self, organization: str) -> None:
        must_rest = self._held_up[organization] >= self._most or (
            organization in self._failing and self._alive[organization] >= self._share()
        )
        if must_rest and organization not in self._resting:
            self._resting.add(organization)
            self._supply.rest(organization)
        elif not must_rest and organization in self._resting:
            self._resting.discard(organization)
            self._supply.resume(organization)
