"""So many at a time, and no organization twice in a row while another waits."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable


class Turns:
    """Let so many at a time pass; the next is of another organization than the last, where one waits.

    What looks like trouble for all may be that of one organization, whose batches are many. `most`: how many may
    have a turn at once, which may change.
    """

    def __init__(self, most: Callable[[], int] = lambda: 1) -> None:
        self._most = most
        self._taken = 0
        self._last = ""
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

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
        turn = asyncio.get_running_loop().create_future()
        place = organization, turn
        self._waiting.append(place)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def release(self) -> None:
        """Give a turn to the next."""
        self._taken -= 1
        self.wake()

    def wake(self) -> None:
        """Let those pass that may now."""
        while self._waiting and self._taken < self._most():
            place = next((at for at, (name, _) in enumerate(self._waiting) if name != self._last), 0)
            organization, turn = self._waiting[place]
            del self._waiting[place]
            # One that is being cancelled is so at once, and only hears of it later.
            if not turn.done():
                self._taken += 1
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
