"""So many at a time, and no organization twice in a row while another waits."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable


class Turns:
    """Let so many at a time pass; the organizations that wait take turns.

    What looks like trouble for all may be that of one organization, whose batches are many. `most`: how many may
    have a turn at once, which may change. `goes_last`: tells of an organization whether others go first, which may
    change as well.
    """

    def __init__(self, most: Callable[[], int] = lambda: 1, goes_last: Callable[[str], bool] = lambda _: False) -> None:
        self._most = most
        self._goes_last = goes_last
        self._taken = 0
        self._last = ""
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        """Those that wait, by organization; the organization that has waited longest for a turn comes first."""

    def take(self, organization: str) -> bool:
        """Have a turn at once, which `release` gives back; False when one has to wait for it."""
        if self._lines or self._taken >= self._most():
            return False
        self._taken += 1
        self._last = organization
        return True

    async def acquire(self, organization: str, *, goes_first: bool = False) -> None:
        """Wait for a turn, which `release` gives back. `goes_first`: before the others of its organization."""
        if self.take(organization):
            return
        turn = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(organization, deque())
        if goes_first:
            line.appendleft(turn)
        else:
            line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            else:
                self._leave_line(organization, turn)
            raise

    def release(self) -> None:
        """Give a turn to the next."""
        self._taken -= 1
        self.wake()

    def wake(self) -> None:
        """Let those pass that may now."""
        while self._lines and self._taken < self._most():
            organization = self._next()
            line = self._lines.pop(organization)
            turn = line.popleft()
            if line:
                self._lines[organization] = line
            # One that is being cancelled is so at once, and only hears of it later.
            if not turn.done():
                self._taken += 1
                self._last = organization
                turn.set_result(None)

    def gives_way(self, organization: str) -> bool:
        """Tell whether one that has a turn should leave it to another organization that waits."""
        return self._goes_last(organization) and not all(map(self._goes_last, self._lines))

    @contextlib.asynccontextmanager
    async def turn(self, organization: str) -> AsyncIterator[None]:
        """Have a turn while the block lasts."""
        await self.acquire(organization)
        try:
            yield
        finally:
            self.release()

    def _next(self) -> str:
        lines, last = self._lines, self._last
        for name in lines:
            if name != last and not self._goes_last(name):
                return name
        if last in lines and (len(lines) == 1 or not self._goes_last(last)):
            return last
        return next(name for name in lines if name != last)

    def _leave_line(self, organization: str, turn: "asyncio.Future[None]") -> None:
        line = self._lines.get(organization)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._lines[organization]
