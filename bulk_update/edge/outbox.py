"""Between the reader and the senders: rows go in by blocks, batches come out; who is ahead waits."""

import contextlib
import sys
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import anyio

from bulk_update.model import Batch, Change
from bulk_update.pure.batching import Batcher

LINGER: Final = 0.5
"""Seconds that a sender must have been idle before a batch leaves that is not full."""

SLOW: Final = 200.0
"""Rows a second below which an input is slow: then what is there leaves, rather than wait for more."""


class Outbox:
    """Hold the rows that wait.

    `ahead`: batches that may be ready before reading waits for the senders. `most`: batches of one organization that
    may be under way at once: should it turn out to be in trouble, there are senders left for the others.
    """

    def __init__(self, batcher: Batcher, ahead: int, most: int = sys.maxsize) -> None:
        self._batcher = batcher
        self._ahead = ahead
        self._most = most
        self._under_way: Counter[str] = Counter()
        self._crowding: set[str] = set()
        self._added = 0
        self._is_reading = False
        self._closed = False
        self._room = anyio.Event()
        self._idle: deque[anyio.Event] = deque()

    @property
    def rows(self) -> int:
        """Rows that wait."""
        return self._batcher.rows

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Tell that the reader waits for the input, while the block lasts."""
        self._is_reading = True
        try:
            yield
        finally:
            self._is_reading = False

    async def put(self, changes: Sequence[Change]) -> None:
        """Let changes wait; return when there is a use in reading on."""
        self._batcher.add(changes)
        self._added += len(changes)
        self._wake_one()
        while self._batcher.has_ahead(self._ahead) or self._batcher.is_full():
            self._room = anyio.Event()
            await self._room.wait()

    def close(self) -> None:
        """Let what is left leave: the input has ended."""
        self._closed = True
        self._batcher.close()
        self._wake_one()

    async def take(self) -> Batch | None:
        """Wait for the next batch; None when there is none any more.

        `release` its rows when they are final, and `finish` when nothing of it is left to send.
        """
        since, added = anyio.current_time(), self._added
        while (batch := self._batcher.take(self._crowding)) is None:
            if self._closed and not self._under_way and not self._batcher.rows:
                self._wake_one()
                return None
            await self._wait()
            idle = anyio.current_time() - since
            if self._is_reading and idle >= LINGER and self._added - added < SLOW * idle:
                self._batcher.leave_early()
        self._under_way[batch.organization] += 1
        if self._under_way[batch.organization] >= self._most:
            self._crowding.add(batch.organization)
        self._room.set()
        self._wake_one()
        return batch

    def release(self, organization: str, ids: Collection[str]) -> None:
        """Let later changes to these ids leave."""
        self._batcher.release(organization, ids)
        self._room.set()
        self._wake_one()

    def rest(self, organization: str) -> None:
        """Hand out no more batches of an organization for now."""
        self._batcher.rest(organization)
        self._room.set()

    def resume(self, organization: str) -> None:
        """Hand out batches of an organization again."""
        self._batcher.resume(organization)
        self._wake_one()

    def take_back(self, batch: Batch) -> None:
        """Let the rows of a batch that was taken wait again: nothing of it was sent."""
        self._batcher.take_back(batch)
        self._wake_one()

    def lower_body(self, most: int) -> None:
        """Make the bodies of batches to come smaller."""
        self._batcher.lower_body(most)

    def finish(self, organization: str) -> None:
        """Note that a batch of an organization that was taken is done with."""
        self._under_way[organization] -= 1
        if not self._under_way[organization]:
            del self._under_way[organization]
        self._crowding.discard(organization)
        self._wake_one()

    async def _wait(self) -> None:
        event = anyio.Event()
        self._idle.append(event)
        # Once the input has ended nothing lingers: whatever makes a batch ready wakes who waits.
        with anyio.move_on_after(None if self._closed else LINGER):
            await event.wait()
        if not event.is_set():
            self._idle.remove(event)

    def _wake_one(self) -> None:
        """Wake the sender that has waited longest; it wakes the next when it has found what to do.

        All at once would be many for a single batch, each time: there are as many as attempts in flight, and more.
        """
        if self._idle and (self._closed or self._batcher.has_next):
            self._idle.popleft().set()
