"""Organizations that have to wait, or that fail: senders are left to the others."""

import contextlib
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final

import anyio

from bulk_update.ports import Supply

_IN_A_ROW: Final = 2
"""Failures with no success between them after which batches make way, where all that are alive fail."""


class MadeWay(Exception):
    """A batch of which nothing was sent leaves its sender to another organization's."""


class Resting:
    """Let an organization rest while it would hold up the others.

    `most`: batches of one organization that may wait for it alone, or be alive while it fails, before no more are
    taken; fewer where many organizations do so. Where all fail of which batches are alive, those beyond that of which
    nothing was sent make way: else the organizations that come first, and are in trouble, would keep all senders from
    the others.
    """

    def __init__(self, supply: Supply, most: int) -> None:
        self._supply = supply
        self._most = most
        self._held_up: Counter[str] = Counter()
        self._alive: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._resting: set[str] = set()
        self._failures = 0
        self._unsent: dict[str, deque[anyio.CancelScope]] = {}
        self._making_way: Counter[str] = Counter()

    def alive(self, organization: str) -> contextlib.AbstractContextManager[None]:
        """Count a batch of an organization as being seen through, while the block lasts."""
        return self._counting(self._alive, organization)

    def held_up(self, organization: str) -> contextlib.AbstractContextManager[None]:
        """Count a batch as waiting for its organization alone, while the block lasts."""
        return self._counting(self._held_up, organization)

    def suspect(self, organization: str) -> None:
        """Take an organization as failing until it is answered again."""
        self._failing.add(organization)
        self._failures += 1
        self._rest_or_resume(organization)
        if self._failures >= _IN_A_ROW and self._failing.issuperset(self._alive):
            self._make_way()

    @contextlib.contextmanager
    def makes_way(self, organization: str) -> Iterator[None]:
        """Let a batch of which nothing was sent be interrupted while it waits: the block then raises `MadeWay`."""
        scope = anyio.CancelScope()
        self._unsent.setdefault(organization, deque()).append(scope)
        try:
            with scope:
                yield
        finally:
            if scope.cancel_called:
                self._making_way[organization] -= 1
            else:
                self._unsent[organization].remove(scope)
            self._tidy(organization)
        if scope.cancelled_caught:
            raise MadeWay

    def clear(self, organization: str) -> None:
        """Note that an organization is answered."""
        self._failures = 0
        if organization in self._failing:
            self._failing.discard(organization)
            self._rest_or_resume(organization)

    def _make_way(self) -> None:
        """Interrupt the batches beyond each organization's share, the last to come first."""
        share = self._failing_share()
        for organization, scopes in list(self._unsent.items()):
            excess = self._alive[organization] - self._making_way[organization] - share
            for scope in [scopes.pop() for _ in range(min(excess, len(scopes)))]:
                self._making_way[organization] += 1
                scope.cancel()

    def _tidy(self, organization: str) -> None:
        if not self._unsent.get(organization):
            self._unsent.pop(organization, None)
        if not self._making_way[organization]:
            del self._making_way[organization]

    def _share(self, organizations: int) -> int:
        """Tell how many batches each of so many organizations may have that keep a sender: the more, the fewer."""
        return max(1, min(self._most, 2 * self._most // max(1, organizations)))

    def _failing_share(self) -> int:
        return self._share(sum(name in self._failing for name in self._alive))

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
        must_rest = self._held_up[organization] >= self._share(len(self._held_up)) or (
            organization in self._failing and self._alive[organization] >= self._failing_share()
        )
        if must_rest and organization not in self._resting:
            self._resting.add(organization)
            self._supply.rest(organization)
        elif not must_rest and organization in self._resting:
            self._resting.discard(organization)
            self._supply.resume(organization)
