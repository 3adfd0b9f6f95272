"""Stop a run in good order: nothing new begins, what is on its way ends."""

import asyncio
from types import TracebackType
from typing import Self

from bulk_update.errors import BulkUpdateError
from bulk_update.model import Halted


class Stop:
    """Ask once to stop, from anywhere; the first reason counts."""

    def __init__(self) -> None:
        self.reason: BulkUpdateError | None = None
        self.is_requested = False
        self._blocks: set[_Interruptible] = set()

    def request(self, reason: BulkUpdateError | None = None) -> None:
        """Stop the run; `reason` None means that it was wanted (a limit was reached)."""
        if self.is_requested:
            return
        self.is_requested = True
        self.reason = reason
        for block in self._blocks:
            block.interrupt()

    def interrupts(self) -> "_Interruptible":
        """Let a stop interrupt a `with` block: it then raises `Halted`."""
        return _Interruptible(self, self._blocks)


class _Interruptible:
    """A block that a stop cancels, as `asyncio.timeout` cancels one: whoever else cancels the task is heeded."""

    __slots__ = ("_blocks", "_cancelling", "_is_interrupted", "_stop", "_task")

    def __init__(self, stop: Stop, blocks: "set[_Interruptible]") -> None:
        self._stop = stop
        self._blocks = blocks
        self._is_interrupted = False
        self._cancelling = 0
        self._task: asyncio.Task[object] | None = None

    def interrupt(self) -> None:
        """Cancel what the block waits for; who stops the run from within it waits for nothing."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._is_interrupted = True
            self._task.cancel()

    def __enter__(self) -> Self:
        """Begin the block. `Halted` when the stop was asked for before."""
        if self._stop.is_requested:
            raise Halted
        task = self._task = asyncio.current_task()
        assert task is not None
        self._cancelling = task.cancelling()
        self._blocks.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the block."""
        self._blocks.discard(self)
        if not self._is_interrupted or self._task is None:
            return
        is_ours_alone = self._task.uncancel() <= self._cancelling
        if kind is not None and issubclass(kind, asyncio.CancelledError) and is_ours_alone:
            raise Halted from error
