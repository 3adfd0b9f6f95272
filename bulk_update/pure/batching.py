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
from collections.abc import Collection, Sequence
from typing import Final

from bulk_update.model import Batch, Change
from bulk_update.pure.group import ROW_COST, Group, Limits, Overflow, row_cost

_GROUP_COST: Final = 500
"""Bytes that an organization takes in memory while it has rows waiting or under way."""


_AHEAD: Final = 32
"""Batches that may be ready before rows of an organization stay in the overflow until there is need of more."""


class Batcher:
    """Collect changes into batches.

    Call `add` with changes in input order; `take` for the next batch that may leave; `release` for ids
    whose result is final; `close` when the input has ended, after which partial batches may leave.
    """

    def __init__(self, limits: Limits, overflow: Overflow | None = None) -> None:
        self._limits = limits
        self._overflow = overflow
        self._groups: dict[str, Group] = {}
        self._ready: deque[Batch] = deque()
        self._parked: dict[str, list[Batch]] = {}
        self._leaving: deque[Group] = deque()
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

    def add(self, changes: Sequence[Change]) -> None:
        """Let changes wait, a block at once; batches that they fill become ready."""
        groups, count = self._groups, self._limits.count
        self.rows += len(changes)
        for change in changes:
            group = groups.get(change.organization)
            if group is None:
                group = self._open(change.organization)
            size = len(change.activity) + 1
            if group.size + size > group.most and group.rows:
                self._seal(group, early=True)
            group.size += size
            if group.chunks:
                group.append_recent(change)
            else:
                group.waiting.append(change)
            self._used += size + ROW_COST
            if len(group.waiting) >= count or (group.chunks and group.rows >= count):
                self._seal(group)
            if self._used > self._make_room_at:
                self._make_room()
        if self.is_full():
            self._unblock()

    def take(self) -> Batch | None:
        """Hand out the next batch, or None when none may leave yet."""
        while not self._ready and self._leaving:
            group = self._leaving.popleft()
            if group.rows:
                self._seal(group, early=self._closed)
        if not self._ready and self.is_full():
            self._unblock()
        if not self._ready:
            return None
        batch = self._ready.popleft()
        self.rows -= len(batch.changes)
        return batch

    def leave_early(self) -> None:
        """Let the group that has waited longest go as it is: senders are idle and the input is slow."""
        for group in self._groups.values():
            if group.rows and not group.is_resting:
                self._seal(group, early=True)
                return

    def close(self) -> None:
        """Let partial batches leave: the input has ended."""
        self._closed = True
        self._leaving.extend(group for group in self._groups.values() if group.rows)

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

    def rest(self, organization: str) -> None:
        """Keep back the batches of an organization that is in trouble; the others go on."""
        group = self._groups.get(organization)
        if group is None or group.is_resting:
            return
        group.is_resting = True
        parked = [batch for batch in self._ready if batch.organization == organization]
        if parked:
            self._parked[organization] = parked
            self._ready = deque(batch for batch in self._ready if batch.organization != organization)

    def resume(self, organization: str) -> None:
        """Let the batches of an organization leave again."""
        group = self._groups.get(organization)
        if group is None or not group.is_resting:
            return
        group.is_resting = False
        self._ready.extend(self._parked.pop(organization, ()))
        if self._closed and group.rows:
            self._leaving.append(group)
        elif group.rows >= self._limits.count:
            self._seal(group)

    def lower_body(self, most: int) -> None:
        """Make the bodies of batches to come smaller: the server has refused larger ones."""
        self._limits = self._limits.with_body(most)
        for group in self._groups.values():
            group.bound(self._limits.body)

    def _open(self, organization: str) -> Group:
        group = self._groups[organization] = Group(organization, self._limits.body)
        self._used += _GROUP_COST
        return group

    def _seal(self, group: Group, *, early: bool = False) -> None:
        """Make batches of the waiting rows; those behind an earlier change of their id are held back.

        `early`: also of rows that do not fill a batch.
        """
        if group.is_resting:
            return
        limits = self._limits
        while group.rows:
            if group.chunks and self._overflow is not None:
                self._used += group.bring_back(self._overflow, limits)
            ids = group.fresh_ids()
            if ids is None:
                self._held += group.hold_back()
                ids = [change.id for change in group.waiting]
            is_full = len(group.waiting) >= limits.count or group.size > group.most
            if not group.waiting or not (is_full or early or group.chunks):
                break
            if not is_full and group.chunks:
                continue
            batch = group.cut(limits, ids)
            self._used -= sum(map(row_cost, batch.changes))
            self._ready.append(batch)
            if group.chunks and len(self._ready) >= _AHEAD:
                self._leaving.append(group)
                break
        # To the end of the line: the first group is the one that has waited longest.
        self._groups[group.organization] = self._groups.pop(group.organization)

    def _unhold(self, group: Group, ids: Collection[str]) -> None:
        freed = group.unhold(ids)
        if not freed:
            return
        self._held -= freed
        if self._closed:
            self._leaving.append(group)
        elif self.is_full() or group.rows >= self._limits.count or group.size > group.most:
            self._seal(group, early=self.is_full())

    def _unblock(self) -> None:
        """Send on their way the rows that held ones wait for: nothing is added until those are final."""
        for group in [group for group in self._groups.values() if group.held and group.rows]:
            self._seal(group, early=True)

    def _make_room(self) -> None:
        """Bring the use of memory well below the buffer: into the overflow, or on the way."""
        target = self._limits.buffer // 2
        groups = [group for group in self._groups.values() if group.waiting or group.recent]
        if self._has_room:
            groups.sort(key=Group.in_memory, reverse=True)
        for group in groups:
            if self._used <= target:
                break
            if not self._put_away(group):
                self._seal(group, early=True)
        # What is left cannot leave now; try again when as much as an eighth of the buffer has come.
        self._make_room_at = max(self._limits.buffer, self._used + self._limits.buffer // 8)

    def _put_away(self, group: Group) -> bool:
        """Move a group's rows to the overflow; False when there is no room in it."""
        if self._overflow is None or not self._has_room:
            return False
        try:
            self._used -= group.put_away(self._overflow)
        except OSError:
            self._has_room = False
            return False
        return True
