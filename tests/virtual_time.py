"""An asyncio event loop whose clock jumps to the next timer: hours pass in milliseconds, the same each time.

    run_virtually(main())                                   # beside pytest
    @pytest.fixture                                         # in a test module: for each of its async tests
    def anyio_backend() -> tuple[str, dict[str, object]]:
        return VIRTUAL_BACKEND

What is ready runs before time passes. Nothing outside is waited for: a loop that has no timer left, and
nothing to do, raises `Stuck` instead of hanging. So threads and sockets have no place in it.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")

TURN: Final = 1e-9
"""Seconds that each turn of the loop takes: who waits for a remainder too small to add up still gets on."""


class Stuck(Exception):
    """Everything waits for something that will never happen."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that begins at time 0 and never waits.

    `lateness`: seconds by which it wakes up too late, as real ones do.
    """

    def __init__(self, lateness: float = 0.0) -> None:
        self._jumps = _Jumps(lateness)
        super().__init__(self._jumps)

    def time(self) -> float:
        """Tell the seconds since the loop was made, by its own clock."""
        return self._jumps.now


VIRTUAL_BACKEND: Final[tuple[str, dict[str, object]]] = ("asyncio", {"loop_factory": VirtualTimeLoop})
"""What the fixture `anyio_backend` returns in a test module that lives in virtual time."""


def run_virtually(main: Coroutine[Any, Any, T], lateness: float = 0.0) -> T:
    """Run a coroutine in a loop of its own."""
    with asyncio.Runner(loop_factory=partial(VirtualTimeLoop, lateness)) as runner:
        return runner.run(main)


class _Jumps(selectors.BaseSelector):
    """Wait for nothing: where the loop would wait, let the time pass at once."""

    def __init__(self, lateness: float) -> None:
        self.now = 0.0
        self._lateness = lateness
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # The loop's own pipe is looked at, since signals come through it.
        ready = self._real.select(0)
        if timeout is None and not ready:
            raise Stuck("everything waits for something that will never happen")
        self.now += TURN if ready or not timeout else max(timeout, TURN) + self._lateness
        return ready

    def register(self, fileobj: "FileDescriptorLike", events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping["FileDescriptorLike", selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
