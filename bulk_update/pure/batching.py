"""Rows wait here, per organization, until a batch is full: the fewest requests that the input allows.

A batch is full by count or by the exact bytes of its body. An id is never twice in a batch, nor in two
batches under way: a later change is held until the earlier one is final, so changes to one activity
leave in input order (DESIGN, invariant 3).

Memory is bounded by `Limits.buffer`. When it is full, the fullest groups move to the `Overflow`, a place
on disk, and come back when their batch is full or the input has ended. So the number of requests stays the
fewest possible however many organizations are interleaved. Where there is no overflow (or no more room in
it), batches leave early instead, those of the oldest groups first.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from bulk_update.model import Batch, Change
from bulk_update.pure.activity import ENVELOPE

_ROW_COST: Final = 300
"""Bytes that a waiting row takes in memory beyond its activity: its struct, id and numbers."""

_GROUP_COST: Final = 500
"""Bytes that an organization takes in memory while it has rows waiting or under way."""

_json: Final = msgspec.json.Encoder()
_pack: Final = msgspec.msgpack.Encoder()


class _Chunk(msgspec.Struct, array_like=True, gc=False):
    """Rows of one group in the overflow, and where the rows before them are (-1: nowhere)."""

    previous: int
    changes: list[Change]


_unpack: Final = msgspec.msgpack.Decoder(_Chunk)


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


class _Group:
    """The rows of one organization that wait, are held back, or are under way.

    `size`: bytes of the activities that wait, in memory and in the overflow, a comma for each.
    `overflowed`: rows in the overflow. `place`: where the last chunk of them is, or -1.
    `under_way`: ids in batches that are ready or sent. `held`: changes behind an earlier one of their id.
    """

    __slots__ = ("held", "organization", "overflowed", "place", "size", "under_way", "waiting")

    def __init__(self, organization: str) -> None:
        self.organization = organization
        self.waiting: list[Change] = []
        self.size = 0
        self.overflowed = 0
        self.place = -1
        self.under_way: set[str] | None = None
        self.held: dict[str, deque[Change]] | None = None

    def is_idle(self) -> bool:
        return not (self.waiting or self.overflowed or self.under_way or self.held)


class Batcher:
    """Collect changes into batches.

    Call `add` with changes in input order; `take` for the next batch that may leave; `release` for ids
    whose result is final; `close` when the input has ended, after which partial batches may leave.
    """

    def __init__(self, limits: Limits, overflow: Overflow | None = None) -> None:
        self._limits = limits
        self._overflow = overflow
        self._groups: dict[str, _Group] = {}
        self._ready: deque[Batch] = deque()
        self._leaving: deque[_Group] = deque()
        self._closed = False
        self._used = 0
        self._held = 0
        self._make_room_at = limits.buffer
        self._has_room = overflow is not None
        self.rows = 0
        """Rows that were added and not yet taken."""

    @property
    def ready(self) -> int:
        """Batches that wait only to be taken."""
        return len(self._ready)

    def is_full(self) -> bool:
        """Tell whether to stop adding: rows held behind earlier ones fill the buffer."""
        return self._held > self._limits.buffer // 2

    def add(self, changes: Iterable[Change]) -> None:
        """Let changes wait; batches that they fill become ready."""
        groups, count = self._groups, self._limits.count
        body = self._limits.body - ENVELOPE
        for change in changes:
            group = groups.get(change.organization)
            if group is None:
                group = self._open(change.organization)
            size = len(change.activity) + 1
            # An organization's JSON takes at most six bytes a character; only near the limit is it encoded.
            if group.size + size > body - 6 * len(change.organization) and not self._fits(group, size):
                self._seal(group, early=True)
            group.waiting.append(change)
            group.size += size
            self.rows += 1
            self._used += size + _ROW_COST
            if len(group.waiting) + group.overflowed >= count:
                self._seal(group)
            if self._used > self._make_room_at:
                self._make_room()
        if self.is_full():
            self._unblock()

    def take(self) -> Batch | None:
        """Hand out the next batch, or None when none may leave yet."""
        while not self._ready and self._leaving:
            group = self._leaving.popleft()
            if group.waiting or group.overflowed:
                self._seal(group, early=True)
        if not self._ready:
            return None
        batch = self._ready.popleft()
        self.rows -= len(batch.changes)
        return batch

    def leave_early(self) -> None:
        """Let the group that has waited longest go as it is: senders are idle and the input is slow."""
        for group in self._groups.values():
            if group.waiting or group.overflowed:
                self._seal(group, early=True)
                return

    def close(self) -> None:
        """Let partial batches leave: the input has ended."""
        self._closed = True
        self._leaving.extend(group for group in self._groups.values() if group.waiting or group.overflowed)

    def release(self, organization: str, ids: Collection[str]) -> None:
        """Let later changes to these ids leave: the earlier ones are final."""
        group = self._groups[organization]
        if group.under_way is not None:
            group.under_way.difference_update(ids)
        if group.held:
            self._unhold(group, ids)
        if group.is_idle():
            del self._groups[organization]
            self._used -= _GROUP_COST

    def _open(self, organization: str) -> _Group:
        group = self._groups[organization] = _Group(organization)
        self._used += _GROUP_COST
        return group

    def _fits(self, group: _Group, size: int) -> bool:
        body = ENVELOPE + len(_json.encode(group.organization)) + group.size + size - 1
        return body <= self._limits.body

    def _seal(self, group: _Group, *, early: bool = False) -> None:
        """Make batches of the waiting rows; those behind an earlier change of their id are held back.

        `early`: also of rows that do not fill a batch.
        """
        self._bring_back(group)
        ids = {change.id for change in group.waiting}
        if len(ids) < len(group.waiting) or group.held or not ids.isdisjoint(group.under_way or ()):
            self._hold_back(group)
        while len(group.waiting) >= self._limits.count or not self._fits(group, 0) or (early and group.waiting):
            self._ready.append(self._cut(group))
        # To the end of the line: the first group is the one that has waited longest.
        self._groups[group.organization] = self._groups.pop(group.organization)

    def _cut(self, group: _Group) -> Batch:
        """Take the first rows that fit in one request."""
        rows = group.waiting
        size, rest = group.size, 0
        if len(rows) > self._limits.count or not self._fits(group, 0):
            kept = self._fitting(group)
            rows, group.waiting = rows[:kept], rows[kept:]
            size = sum(len(change.activity) + 1 for change in rows)
            rest = group.size - size
        else:
            group.waiting = []
        group.size = rest
        self._used -= size + _ROW_COST * len(rows)
        group.under_way = group.under_way or set()
        group.under_way.update([change.id for change in rows])
        return Batch(group.organization, rows)

    def _fitting(self, group: _Group) -> int:
        """Count the first rows that fit in one request together; at least one."""
        body = ENVELOPE + len(_json.encode(group.organization)) - 1
        for count, change in enumerate(group.waiting[: self._limits.count]):
            body += len(change.activity) + 1
            if body > self._limits.body:
                return max(1, count)
        return min(len(group.waiting), self._limits.count)

    def _hold_back(self, group: _Group) -> None:
        """Move rows behind an earlier change of their id out of the way."""
        staying: list[Change] = []
        taken = set(group.under_way or ())
        held = group.held = group.held if group.held is not None else {}
        for change in group.waiting:
            if change.id not in taken and change.id not in held:
                taken.add(change.id)
                staying.append(change)
                continue
            held.setdefault(change.id, deque()).append(change)
            group.size -= len(change.activity) + 1
            self._held += len(change.activity) + 1 + _ROW_COST
        group.waiting = staying

    def _unhold(self, group: _Group, ids: Collection[str]) -> None:
        """Put the next change of each id in front, before later ones of that id that wait already."""
        assert group.held is not None
        freed: list[Change] = []
        for identifier in ids:
            queue = group.held.get(identifier)
            if queue is not None:
                freed.append(queue.popleft())
                if not queue:
                    del group.held[identifier]
        if not freed:
            return
        self._bring_back(group)
        group.waiting = freed + group.waiting
        size = sum(len(change.activity) + 1 for change in freed)
        group.size += size
        self._held -= size + _ROW_COST * len(freed)
        if self._closed:
            self._leaving.append(group)
        elif len(group.waiting) >= self._limits.count or not self._fits(group, 0):
            self._seal(group)

    def _unblock(self) -> None:
        """Send on their way the rows that held ones wait for: nothing is added until those are final."""
        for group in [group for group in self._groups.values() if group.held and group.waiting]:
            self._seal(group, early=True)

    def _make_room(self) -> None:
        """Bring the use of memory well below the buffer: into the overflow, or on the way."""
        target = self._limits.buffer // 2
        groups = [group for group in self._groups.values() if group.waiting]
        if self._has_room:
            groups.sort(key=lambda group: len(group.waiting), reverse=True)
        for group in groups:
            if self._used <= target:
                break
            if group.held or not self._put_away(group):
                self._seal(group, early=True)
        # What is left cannot leave now; try again when as much as an eighth of the buffer has come.
        self._make_room_at = max(self._limits.buffer, self._used + self._limits.buffer // 8)

    def _put_away(self, group: _Group) -> bool:
        """Move a group's rows to the overflow; False when there is no room in it."""
        if self._overflow is None or not self._has_room:
            return False
        try:
            group.place = self._overflow.store(_pack.encode(_Chunk(group.place, group.waiting)))
        except OSError:
            self._has_room = False
            return False
        group.overflowed += len(group.waiting)
        self._used -= sum(len(change.activity) + 1 + _ROW_COST for change in group.waiting)
        group.waiting = []
        return True

    def _bring_back(self, group: _Group) -> None:
        """Bring a group's rows back from the overflow, the oldest first."""
        if not group.overflowed or self._overflow is None:
            return
        chunks: list[list[Change]] = [group.waiting]
        place = group.place
        while place >= 0:
            chunk = _unpack.decode(self._overflow.load(place))
            chunks.append(chunk.changes)
            place = chunk.previous
        before = len(group.waiting)
        group.waiting = [change for rows in reversed(chunks) for change in rows]
        group.overflowed, group.place = 0, -1
        returned = group.waiting[: len(group.waiting) - before]
        self._used += sum(len(change.activity) + 1 + _ROW_COST for change in returned)
