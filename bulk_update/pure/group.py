"""The rows of one organization that wait for their batch, in the order in which they came."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from bulk_update.model import Batch, Change
from bulk_update.pure.activity import ENVELOPE

ROW_COST: Final = 300
"""Bytes that a waiting row takes in memory beyond its activity: its struct, id and numbers."""

_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[Change]).decode


class Overflow(Protocol):
    """Keep chunks of bytes out of memory."""

    def store(self, chunk: bytes) -> int:
        """Put a chunk away; return where it is. OSError when there is no room."""

    def load(self, place: int) -> bytes:
        """Bring back the chunk that `store` put at `place`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request and of the rows that wait.

    `count`: activities in a request. `body`: bytes of a request body, envelope included.
    `buffer`: bytes of memory for waiting rows.
    """

    count: int = 100
    body: int = 1_000_000
    buffer: int = 256_000_000

    def with_body(self, body: int) -> "Limits":
        """Bound the body by so many bytes, if that is less."""
        return replace(self, body=min(self.body, body))


def row_cost(change: Change) -> int:
    """Tell the bytes of memory that a waiting row takes."""
    return len(change.activity) + 1 + ROW_COST


class Group:
    """The rows of one organization that wait, are held back, or are under way.

    The oldest are `waiting`; then come those in the `chunks` of the overflow, `overflowed` in number; then
    the `recent` ones, which are none where there are no chunks. `size`: bytes of the activities of all
    these, a comma for each; `most`: of those that fit in one request. `under_way`: ids in batches that are
    ready or sent. `held`: changes behind an earlier one of their id. `is_resting`: no batch of it becomes
    ready.
    """

    __slots__ = (
        "chunks",
        "held",
        "is_resting",
        "most",
        "organization",
        "overflowed",
        "recent",
        "size",
        "under_way",
        "waiting",
    )

    def __init__(self, organization: str, body: int) -> None:
        self.organization = organization
        self.most = 0
        self.bound(body)
        self.waiting: list[Change] = []
        self.chunks: deque[tuple[int, int]] | None = None
        self.overflowed = 0
        self.recent: list[Change] | None = None
        self.size = 0
        self.under_way: set[str] | None = None
        self.held: dict[str, deque[Change]] | None = None
        self.is_resting = False

    @property
    def rows(self) -> int:
        """Rows that wait, wherever they are."""
        return len(self.waiting) + self.overflowed + len(self.recent or ())

    def is_idle(self) -> bool:
        """Tell whether there is nothing left to remember."""
        return not (self.rows or self.under_way or self.held)

    def in_memory(self) -> int:
        """Count the waiting rows that are in memory."""
        return len(self.waiting) + len(self.recent or ())

    def bound(self, body: int) -> None:
        """Bound the bodies of its requests by so many bytes, envelope included."""
        # Each activity counts with a comma, and there is one comma less than there are activities.
        self.most = body - ENVELOPE - len(_encode(self.organization)) + 1

    def append_recent(self, change: Change) -> None:
        """Let a change wait behind those in the overflow."""
        if self.recent is None:
            self.recent = []
        self.recent.append(change)

    def put_away(self, overflow: Overflow) -> int:
        """Move the newest rows to the overflow; return the bytes of memory that are free now. OSError."""
        rows = self.recent if self.chunks else self.waiting
        if not rows:
            return 0
        place = overflow.store(_pack(rows))
        self.chunks = self.chunks or deque()
        self.chunks.append((place, len(rows)))
        self.overflowed += len(rows)
        if rows is self.waiting:
            self.waiting = []
        self.recent = None
        return sum(map(row_cost, rows))

    def bring_back(self, overflow: Overflow, limits: Limits) -> int:
        """Bring rows back, the oldest first, until a batch is full; return the bytes of memory they take."""
        before = len(self.waiting)
        while self.chunks and len(self.waiting) < limits.count:
            place, rows = self.chunks.popleft()
            self.waiting += _unpack(overflow.load(place))
            self.overflowed -= rows
        used = sum(map(row_cost, self.waiting[before:]))
        if not self.chunks and self.recent:
            self.waiting += self.recent
            self.recent = None
        return used

    def fresh_ids(self) -> list[str] | None:
        """Give the ids of the waiting rows in memory; None if one is behind an earlier change of its id."""
        order = [change.id for change in self.waiting]
        ids = set(order)
        if len(ids) < len(order):
            return None
        if self.under_way and not ids.isdisjoint(self.under_way):
            return None
        if self.held and not ids.isdisjoint(self.held):
            return None
        return order

    def hold_back(self) -> int:
        """Hold the rows behind an earlier change of their id; return the bytes of memory they take."""
        staying: list[Change] = []
        taken = set(self.under_way or ())
        held = self.held = self.held if self.held is not None else {}
        used = 0
        for change in self.waiting:
            if change.id not in taken:
                taken.add(change.id)
                staying.append(change)
                continue
            held.setdefault(change.id, deque()).append(change)
            self.size -= len(change.activity) + 1
            used += row_cost(change)
        self.waiting = staying
        return used

    def unhold(self, ids: Collection[str]) -> int:
        """Put the next change of each id in front of all; return the bytes of memory they take."""
        if not self.held:
            return 0
        freed: list[Change] = []
        for identifier in ids:
            queue = self.held.get(identifier)
            if queue is not None:
                freed.append(queue.popleft())
                if not queue:
                    del self.held[identifier]
        # Later changes of these ids may wait already; none may pass an earlier one.
        self.waiting = freed + self.waiting
        self.size += sum(len(change.activity) + 1 for change in freed)
        return sum(map(row_cost, freed))

    def cut(self, limits: Limits, ids: list[str]) -> Batch:
        """Take the first waiting rows that fit in one request; at least one. `ids`: of all waiting rows."""
        rows = self.waiting
        if len(rows) > limits.count or self.chunks or self.size > self.most:
            kept = self._fitting(limits)
            rows, self.waiting = rows[:kept], rows[kept:]
            ids = ids[:kept]
            self.size -= sum(len(change.activity) + 1 for change in rows)
        else:
            self.waiting = []
            self.size = 0
        if self.under_way:
            self.under_way.update(ids)
        else:
            self.under_way = set(ids)
        return Batch(self.organization, rows, ids)

    def _fitting(self, limits: Limits) -> int:
        size = 0
        for count, change in enumerate(self.waiting[: limits.count]):
            size += len(change.activity) + 1
            if size > self.most:
                return max(1, count)
        return min(len(self.waiting), limits.count)
