"""Between the reader and the senders: rows go in by blocks, batches come out; who is ahead waits."""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import anyio

from bulk_update.model import Batch, Change
from bulk_update.pure.batching import Batcher

LINGER: Final = 0.5
"""Seconds that a sender must have been idle before a batch leaves that is not full."""

_SLOW: Final = 0.9
"""Share of a sender's idle time that the reader must have waited for the input, for the input to be slow."""


class Outbox:
    """Hold the rows that wait. `ahead`: batches that may be ready before reading waits for the senders."""

    def __init__(self, batcher: Batcher, ahead: int) -> None:
        self._batcher = batcher
        self._ahead = ahead
        self._under_way = 0
        self._closed = False
        self._changed = anyio.Event()
        self._waited = 0.0
        self._reading_since: float | None = None

    @property
    def rows(self) -> int:
        """Rows that wait."""
        return self._batcher.rows

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Measure how long the reader waits for the input, while the block lasts."""
        self._reading_since = anyio.current_time()
        try:
            yield
        finally:
            self._waited = self._waited_for_input()
            self._reading_since = None

    async def put(self, changes: Sequence[Change]) -> None:
        """Let changes wait; return when there is a use in reading on."""
        self._batcher.add(changes)
        self._wake()
        while self._batcher.ready >= self._ahead or self._batcher.is_full():
            await self._changed.wait()

    def close(self) -> None:
        """Let what is left leave: the input has ended."""
        self._closed = True
        self._batcher.close()
        self._wake()

    async def take(self) -> Batch | None:
        """Wait for the next batch; None when there is none any more. `release` its rows when they are final."""
        idle_since, waited = anyio.current_time(), self._waited_for_input()
        while (batch := self._batcher.take()) is None:
            if self._closed and not self._under_way and not self._batcher.rows:
                return None
            with anyio.move_on_after(LINGER):
                await self._changed.wait()
            idle = anyio.current_time() - idle_since
            if idle >= LINGER and self._waited_for_input() - waited >= _SLOW * idle:
                self._batcher.leave_early()
        self._under_way += 1
        self._wake()
        return batch

    def release(self, organization: str, ids: Collection[str]) -> None:
        """Let later changes to these ids leave."""
        self._batcher.release(organization, ids)
        self._wake()

    def finish(self) -> None:
        """Note that a batch that was taken is done with."""
        self._under_way -= 1
        self._wake()

    def _waited_for_input(self) -> float:
        if self._reading_since is None:
            return self._waited
        return self._waited + anyio.current_time() - self._reading_since

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
