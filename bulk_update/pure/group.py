"""The rows of one organization that wait for their batch, in the order in which they came."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from typing import Final, Protocol, Self

import msgspec

from bulk_update.model import Batch, Change
from bulk_update.pure.places import Place
from bulk_update.pure.shape import ENVELOPE

ROW_COST: Final = 300
"""Bytes that a waiting row takes in memory beyond its activity: its struct, id and numbers."""

GROUP_COST: Final = 500
"""Bytes that an organization takes in memory while it has rows there, or rows under way."""

_encode: Final = msgspec.json.Encoder().encode


class Overflow(Protocol):
    """Keep chunks of bytes out of memory."""

    def store(self, chunks: Sequence[bytes]) -> Sequence[int]:
        """Put chunks away; return where each is. OSError when there is no room: then none of them is there."""

    def load(self, place: int) -> bytes:
        """Bring back the chunk that `store` put at `place`."""


class Chunk(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Rows of one organization as they lie in the overflow.

    `before`: place of the chunk whose rows go before these, None where these are the first.
    """

    organization: str
    before: int | None
    rows: list[Change]


_pack: Final = msgspec.msgpack.Encoder().encode
unpack: Final = msgspec.msgpack.Decoder(Chunk).decode
"""Read a chunk that the overflow gave back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request and of the rows that wait.

    `count`: activities in a request. `body`: bytes of a request body, envelope included.
    `buffer`: bytes of memory for waiting rows. `ahead`: batches of one organization that may be ready; more of its
    rows wait, where they can be counted and put away.
    """

    count: int = 100
    body: int = 1_000_000
    buffer: int = 256_000_000
    ahead: int = 2

    def with_body(self, body: int) -> "Limits":
        """Bound the body by so many bytes, if that is less."""
        return replace(self, body=min(self.body, body))


def row_cost(change: Change) -> int:
    """Tell the bytes of memory that a waiting row takes."""
    return len(change.activity) + 1 + ROW_COST


def rows_cost(rows: Sequence[Change]) -> int:
    """Tell the bytes of memory that waiting rows take."""
    return sum([len(change.activity) for change in rows]) + (1 + ROW_COST) * len(rows)


class Group:
    """The rows of one organization that wait, are held back, or are under way.

    The oldest are `waiting`; then come those in the overflow, `overflowed` in number; then the `recent` ones,
    which are none where none are in the overflow. `size`: bytes of the activities of all these, a comma for
    each; `most`: of those that fit in one request. `newest`: place of the last chunk in the overflow, from
    which the others are found. `under_way`: ids in batches that are ready or sent. `held`: changes behind an
    earlier one of their id. `is_resting`: no batch of it becomes ready. `is_backlogged`: its rows fill more
    batches than may be ready now.
    """

    __slots__ = (
        "_older",
        "held",
        "is_backlogged",
        "is_resting",
        "most",
        "newest",
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
        self.newest: int | None = None
        self._older: deque[int] | None = None
        self.overflowed = 0
        self.recent: list[Change] | None = None
        self.size = 0
        self.under_way: set[str] | None = None
        self.held: dict[str, deque[Change]] | None = None
        self.is_resting = False
        self.is_backlogged = False

    @classmethod
    def returned(cls, chunk: Chunk, place: Place, body: int) -> Self:
        """Make the group whose rows were all in the overflow, with those of the chunk at its place in memory."""
        group = cls(chunk.organization, body)
        group.newest, group.overflowed, group.size = chunk.before, place.rows - len(chunk.rows), place.size
        if group.overflowed:
            group.recent = chunk.rows
        else:
            group.waiting = chunk.rows
        return group

    def take_over(self, place: Place) -> None:
        """Take over the rows that lie at its place in the overflow: it has no others."""
        self.newest, self.overflowed, self.size = place

    @property
    def rows(self) -> int:
        """Rows that wait, wherever they are."""
        return len(self.waiting) + self.overflowed + len(self.recent or ())

    def fills(self, count: int) -> bool:
        """Tell whether its rows fill a batch of so many."""
        return self.rows >= count or self.size > self.most

    def is_idle(self) -> bool:
        """Tell whether there is nothing left to remember."""
        return not (self.rows or self.under_way or self.held or self.is_resting)

    def is_away(self) -> bool:
        """Tell whether all that is to be remembered is in the overflow."""
        at_hand = self.waiting or self.recent or self.under_way or self.held or self._older or self.is_resting
        return self.overflowed > 0 and not at_hand

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

    def newest_rows(self) -> list[Change]:
        """Give the rows in memory that may move to the overflow."""
        return (self.recent or []) if self.overflowed else self.waiting

    def pack(self, size: int) -> tuple[bytes, int]:
        """Make a chunk of about so many bytes, to move to the overflow: of the newest rows, the first.

        Return it and how many rows it has.
        """
        rows = self.newest_rows()
        count = len(rows)
        if self.size > size:
            sizes = accumulate(len(change.activity) for change in rows)
            count = min(count, 1 + sum(1 for _ in takewhile(size.__gt__, sizes)))
        return _pack(Chunk(self.organization, self.newest, rows[:count])), count

    def put_away(self, place: int, count: int) -> int:
        """Let go of the first of the newest rows, which are in the overflow now; return the bytes that are free."""
        rows = self.newest_rows()
        if self._older is not None:
            self._older.appendleft(place)
        if not self.overflowed:
            self.waiting = []
        self.newest = place
        self.overflowed += count
        self.recent = rows[count:] or None
        return rows_cost(rows[:count])

    def pack_first(self) -> bytes:
        """Make a chunk of the rows that go before those in the overflow, to move there: it has them all."""
        return _pack(Chunk(self.organization, None, self.waiting))

    def put_away_first(self, place: int, overflow: Overflow) -> int:
        """Let go of the rows that go before those in the overflow; return the bytes that are free."""
        self.remember_chunks(overflow)
        assert self._older is not None
        self._older.append(place)
        free, self.overflowed, self.waiting = rows_cost(self.waiting), self.overflowed + len(self.waiting), []
        return free

    def remember_chunks(self, overflow: Overflow) -> None:
        """Note where its chunks are, before they are many: the newest tells only of the one before it."""
        if self._older is None:
            self._older = deque(place for place, _ in self._chunks(overflow))

    def bring_back(self, overflow: Overflow, limits: Limits) -> int:
        """Bring rows back, the oldest first, until a batch is full; return the bytes of memory they take."""
        before = len(self.waiting)
        if self._older is None and self.overflowed <= limits.count:
            for rows in reversed([chunk.rows for _, chunk in self._chunks(overflow)]):
                self.waiting += rows
            self.overflowed = 0
        else:
            self._bring_some(overflow, limits.count)
        used = rows_cost(self.waiting[before:])
        if not self.overflowed:
            self.newest = self._older = None
            if self.recent:
                self.waiting += self.recent
                self.recent = None
        return used

    def _bring_some(self, overflow: Overflow, count: int) -> None:
        """Bring chunks back until there are so many rows: there may be many more than fit in memory."""
        self.remember_chunks(overflow)
        while self._older and len(self.waiting) < count:
            rows = unpack(overflow.load(self._older.pop())).rows
            self.waiting += rows
            self.overflowed -= len(rows)

    def _chunks(self, overflow: Overflow) -> Iterator[tuple[int, Chunk]]:
        """Follow the chunks from the newest to the oldest."""
        place = self.newest
        while place is not None:
            chunk = unpack(overflow.load(place))
            assert chunk.organization == self.organization, "rows of another organization"
            yield place, chunk
            place = chunk.before

    def fresh_ids(self, most: int) -> list[str] | None:
        """Give the ids of the first waiting rows; None if one of these is behind an earlier change of its id."""
        order = [change.id for change in self.waiting[:most]]
        ids = set(order)
        if len(ids) < len(order):
            return None
        if self.under_way and not ids.isdisjoint(self.under_way):
            return None
        if self.held and not ids.isdisjoint(self.held):
            return None
        return order

    def hold_back(self, most: int) -> tuple[list[str], int]:
        """Hold those of the first rows that are behind an earlier change of their id.

        Return the ids of the others of these, which are the first rows now, and the bytes of memory that is held.
        """
        staying: list[Change] = []
        taken = set(self.under_way or ())
        held = self.held = self.held if self.held is not None else {}
        used = 0
        for change in self.waiting[:most]:
            if change.id not in taken:
                taken.add(change.id)
                staying.append(change)
                continue
            held.setdefault(change.id, deque()).append(change)
            self.size -= len(change.activity) + 1
            used += row_cost(change)
        self.waiting[:most] = staying
        return [change.id for change in staying], used

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
        self.waiting[:0] = freed
        self.size += sum([len(change.activity) + 1 for change in freed])
        return rows_cost(freed)

    def cut(self, limits: Limits, ids: list[str], most: int, *, early: bool) -> list[Batch]:
        """Take the first waiting rows, in their order, in as many requests as they fill; at most so many.

        `ids`: of the first rows, none twice: no others are taken. `early`: also those at the end that do not fill one.
        """
        rows, begin, last = self.waiting, 0, len(ids)
        is_early = early and last == len(rows)
        batches: list[Batch] = []
        while begin < last and len(batches) < most:
            end = self._end_of_batch(begin, last, limits.count)
            if end == last and not is_early and not self._is_full(begin, end, limits.count):
                break
            batches.append(Batch(self.organization, rows[begin:end], ids[begin:end]))
            begin = end
        if begin < len(rows):
            del rows[:begin]
        else:
            self.waiting = []
        self.size = self.size - sum(map(_size_of, batches)) if self.rows else 0
        if self.under_way:
            self.under_way.update(ids[:begin])
        else:
            self.under_way = set(ids[:begin])
        return batches

    def take_back(self, batch: Batch) -> int:
        """Put the rows of a batch, of which nothing was sent, in front of all; return the bytes of memory they take."""
        if self.under_way is not None:
            self.under_way.difference_update(batch.ids)
        self.waiting[:0] = batch.changes
        self.size += _size_of(batch)
        return rows_cost(batch.changes)

    def _is_full(self, begin: int, end: int, count: int) -> bool:
        """Tell whether no other row fits: also behind one that is too large by itself, as bodies may get smaller."""
        return end - begin >= count or (end - begin == 1 and len(self.waiting[begin].activity) + 1 > self.most)

    def _end_of_batch(self, begin: int, last: int, count: int) -> int:
        """Find where the request ends that begins with a waiting row: it holds at least this one."""
        rows, end = self.waiting, min(begin + count, last)
        if self.size <= self.most:
            return end
        size = 0
        for at in range(begin, end):
            size += len(rows[at].activity) + 1
            if size > self.most:
                return max(begin + 1, at)
        return end


def _size_of(batch: Batch) -> int:
    return sum([len(change.activity) + 1 for change in batch.changes])
