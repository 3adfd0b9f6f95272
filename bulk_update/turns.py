"""One at a time, and no organization twice in a row while another waits."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator


class Turns:
    """Let one at a time pass; the next is of another organization than the last, where one waits.

    What looks like trouble for all may be that of one organization, whose batches are many.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._last = ""
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    async def acquire(self, organization: str) -> None:
        """Wait for the turn, which `release` gives back."""
        if not self._is_taken:
            self._is_taken, self._last = True, organization
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((organization, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            else:
                self._waiting.remove((organization, turn))
            raise

    def release(self) -> None:
        """Give the turn to the next."""
        self._is_taken = False
        others = (place for place, (name, turn) in enumerate(self._waiting) if name != self._last and not turn.done())
        same = (place for place, (_, turn) in enumerate(self._waiting) if not turn.done())
        place = next(others, next(same, None))
        if place is not None:
            self._last, turn = self._waiting[place]
            del self._waiting[place]
            self._is_taken = True
            turn.set_result(None)

    @contextlib.asynccontextmanager
    async def turn(self, organization: str) -> AsyncIterator[None]:
        """Have the turn while the block lasts."""
        await self.acquire(organization)
        try:
            yield
        finally:
            self.release()
