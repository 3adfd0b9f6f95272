"""So many at a time, and no organization twice in a row while another waits."""

import asyncio
import contextlib
import heapq
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import NamedTuple


class _Place(NamedTuple):
    """A place in an organization's line. `number`: how many came before, of all."""

    number: int
    turn: asyncio.Future[None]


class Turns:
    """Let so many at a time pass; the next is of another organization than the last, where one waits.

    What looks like trouble for all may be that of one organization, whose batches are many. `most`: how many may
    have a turn at once, which may change.
    """

    def __init__(self, most: Callable[[], int] = lambda: 1) -> None:
        self._most = most
        self._taken = 0
        self._last = ""
        self._numbers = count()
        self._waiting = 0
        self._lines: dict[str, deque[_Place]] = {}
        self._first: list[tuple[int, str]] = []
        """A heap of the first place of each line."""

    def take(self, organization: str) -> bool:
        """Have a turn at once, which `release` gives back; False when one has to wait for it."""
        if self._waiting or self._taken >= self._most():
            return False
        self._taken += 1
        self._last = organization
        return True

    async def acquire(self, organization: str) -> None:
        """Wait for a turn, which `release` gives back."""
        if self.take(organization):
            return
        turn = self._line_up(organization)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting -= 1
                self.wake()  # who came before this one was heard of has lined up behind it
            else:
                self.release()
            raise

    def release(self) -> None:
        """Give a turn to the next."""
        self._taken -= 1
        self.wake()

    def wake(self) -> None:
        """Let those pass that may now."""
        while self._first and self._taken < self._most():
            organization, turn = self._next()
            # One that is being cancelled is so at once, and only hears of it later.
            if not turn.done():
                self._taken += 1
                self._waiting -= 1
                self._last = organization
                turn.set_result(None)

    @contextlib.asynccontextmanager
    async def turn(self, organization: str) -> AsyncIterator[None]:
        """Have a turn while the block lasts."""
        await self.acquire(organization)
        try:
            yield
        finally:
            self.release()

    def _line_up(self, organization: str) -> asyncio.Future[None]:
        place = _Place(next(self._numbers), asyncio.get_running_loop().create_future())
        line = self._lines.get(organization)
        if line is None:
            self._lines[organization] = deque((place,))
            heapq.heappush(self._first, (place.number, organization))
        else:
            line.append(place)
        self._waiting += 1
        return place.turn

    def _next(self) -> tuple[str, asyncio.Future[None]]:
        """Take the first place whose organization has not had the last turn; if there is none, the first of all."""
        first = heapq.heappop(self._first)
        if first[1] == self._last and self._first:
            first = heapq.heapreplace(self._first, first)
        organization = first[1]
        line = self._lines[organization]
        turn = line.popleft().turn
        if line:
            heapq.heappush(self._first, (line[0].number, organization))
        else:
            del self._lines[organization]
        return organization, turn
