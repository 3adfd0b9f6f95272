"""One process: what dies with it, and the moments at which it can die or be told to stop."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.simulation.world import World

MOMENTS: Final = (
    "opening", "reading", "writing", "written", "synced",
    "leaving", "left", "arrived", "applied", "answered", "delivered",
)  # fmt: skip
"""Where the world and the process touch: between two of them a crash changes nothing that can be seen."""


class End(StrEnum):
    """How a run is ended from outside."""

    NONE = "none"
    SIGNAL = "signal"
    TWO_SIGNALS = "two signals"
    CRASH = "crash"
    POWER_CUT = "power cut"


@dataclass(frozen=True, slots=True)
class Ending:
    """When and how: the `nth` time (from 1) that `moment` comes, or `after` seconds where there is no moment.

    `second_after`: seconds between two signals.
    """

    end: End = End.NONE
    moment: str = ""
    nth: int = 0
    after: float = 0.0
    second_after: float = 0.0


class Crashed(BaseException):
    """Leave plain code at the moment at which the process dies."""


class Process:
    """Be alive until the ending comes. `stop` and `leave` are what the two signals call."""

    def __init__(self, world: World, ending: Ending) -> None:
        self.world = world
        self.is_alive = True
        self.signalled_at: float | None = None
        self.left_at: float | None = None
        self.stop: Callable[[], None] = lambda: None
        self.leave: Callable[[], None] = lambda: None
        self.on_read: Callable[[], None] = lambda: None
        self._ending = ending
        self._seen: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        if ending.end is not End.NONE and not ending.moment:
            self._timer = world.loop.call_later(ending.after, self._end)

    def moment(self, name: str) -> bool:
        """Pass a moment; False when the process is dead, and whatever comes next does not happen."""
        if self.is_alive and name == self._ending.moment:
            self._seen[name] += 1
            if self._seen[name] == self._ending.nth:
                self._end()
        return self.is_alive

    async def wait_for_ever(self) -> None:
        """Do not go on: whoever calls is dead."""
        await asyncio.get_running_loop().create_future()

    def bury(self) -> None:
        """Let nothing more come of it: it has ended."""
        self.is_alive = False
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        if not self.is_alive:
            return
        end, loop = self._ending.end, self.world.loop
        self.world.tell(f"{end} at {self._ending.moment or 'its time'}")
        if end in (End.CRASH, End.POWER_CUT):
            self.is_alive = False
            loop.stop()
            return
        loop.call_soon(self._signal)
        if end is End.TWO_SIGNALS:
            self._timer = loop.call_later(self._ending.second_after, self._signal_again)

    def _signal(self) -> None:
        if self.is_alive:
            self.signalled_at = self.world.now()
            self.stop()

    def _signal_again(self) -> None:
        if self.is_alive:
            self.world.tell("second signal")
            self.left_at = self.world.now()
            self.leave()
