"""Rows wait here, per organization, until a batch is full: the fewest requests that the input allows.

A batch is full by count or by the exact bytes of its body. An id is never twice in a batch, nor in two
batches under way: a later change is held until the earlier one is final, so changes to one activity
leave in input order (DESIGN, invariant 3).

Memory is bounded by `Limits.buffer`. When it is full, the fullest groups move to the `Overflow`, a place
on disk, and come back when their batch is full or the input has ended. So the number of requests stays the
fewest possible however many organizations are interleaved. What is left of such a group in memory is 26
bytes, in `Places`. Where there is no overflow (or no more room in it), batches leave early instead: those
of the groups that hold many rows and have held them long.
"""

from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

from bulk_update.model import Batch, Change
from bulk_update.pure.group import GROUP_COST, ROW_COST, Group, Limits, Overflow, rows_cost
from bulk_update.pure.ready import Ready
from bulk_update.pure.stowage import Stowage

_LEAVING_EARLY: Final = 16
"""The share of the buffer that is made free by batches that leave early: small, as each leaves with fewer rows."""


class Batcher:
    """Collect changes into batches.

    Call `add` with changes in input order; `take` for the next batch that may leave; `release` for ids
    whose result is final; `close` when the input has ended, after which partial batches may leave.
    """

    def __init__(self, limits: Limits, overflow: Overflow | None = None) -> None:
        self._limits = limits
        self._groups: dict[str, Group] = {}
        self._ready = Ready()
        self._leaving: deque[Group] = deque()
        self._backlogged: set[str] = set()
        """Organizations with more batches than may be ready, of those that do not rest."""
        self._closed = False
        self._used = 0
        self._held = 0
        self._stowage = Stowage(overflow, limits)
        self._make_room_at = limits.buffer
        self.rows = 0
        """Rows that were added and not yet taken."""

    @property
    def ready(self) -> int:
        """Batches that wait only to be taken."""
        return len(self._ready)

    @property
    def has_next(self) -> bool:
        """Tell whether there may be a batch to take, also one that is put together only then."""
        return bool(self._ready or self._leaving)

    def is_full(self) -> bool:
        """Tell whether to stop adding: rows that may not leave now, and have nowhere else to be, fill the buffer."""
        return self._holds_many() or self._is_crammed()

    def has_ahead(self, batches: int) -> bool:
        """Tell whether there are so many batches that wait for nothing but their turn, ready or still to be made."""
        found = self.ready
        for organization in self._backlogged:
            if found >= batches:
                break
            found += max(1, self._groups[organization].rows // self._limits.count)
        return found >= batches

    def add(self, changes: Sequence[Change]) -> None:
        """Let changes wait, a block at once; batches that they fill become ready."""
        groups, count = self._groups, self._limits.count
        self.rows += len(changes)
        for change in changes:
            group = groups.get(change.organization)
            if group is None:
                group = self._open(change.organization)
            size = len(change.activity) + 1
            if group.size + size > group.most and group.rows and not group.is_backlogged:
                self._seal(group, early=True)
            group.size += size
            if group.overflowed:
                group.append_recent(change)
            else:
                group.waiting.append(change)
            self._used += size + ROW_COST
            if not group.is_backlogged and (len(group.waiting) >= count or (group.overflowed and group.rows >= count)):
                self._seal(group)
            if self._used > self._make_room_at:
                self._make_room()
        if self.is_full():
            self._let_out()

    def take(self, passing_over: Collection[str] = ()) -> Batch | None:
        """Hand out the next batch, or None when none may leave yet."""
        while (batch := self._ready.take(passing_over)) is None:
            group = self._next_leaving(passing_over)
            if group is None:
                break
            self._seal(group, early=self._closed)
        if batch is None and not self._ready and self.is_full():
            self._let_out()
            batch = self._ready.take(passing_over)
        if batch is not None:
            self.rows -= len(batch.changes)
            if batch.organization in self._backlogged and not self._ready.count(batch.organization):
                self._seal(self._groups[batch.organization], early=self._closed or self._is_crammed())
        return batch

    def take_back(self, batch: Batch) -> None:
        """Let the rows of a batch that was taken wait again, before all others: nothing of it was sent."""
        group = self._groups[batch.organization]
        self._used += group.take_back(batch)
        self.rows += len(batch.changes)
        if not group.is_resting:
            self._let_leave(group)

    def leave_early(self) -> None:
        """Let the group that has waited longest go as it is: senders are idle and the input is slow."""
        away = self._any_away()
        if away is not None:
            self._seal(away, early=True)
            return
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
            self._forget(group)

    def rest(self, organization: str) -> None:
        """Keep back the batches of an organization that is in trouble; the others go on."""
        group = self._groups.get(organization) or self._open(organization)
        group.is_resting = True
        self._backlogged.discard(organization)
        for batch in reversed(self._ready.withdraw(organization)):
            self._used += group.take_back(batch)
        if self._used > self._make_room_at:
            self._make_room()

    def resume(self, organization: str) -> None:
        """Let the batches of an organization leave again."""
        group = self._groups.get(organization)
        if group is None or not group.is_resting:
            return
        group.is_resting = group.is_backlogged = False
        self._let_leave(group)
        if group.is_idle():
            self._forget(group)

    def lower_body(self, most: int) -> None:
        """Make the bodies of batches to come smaller: the server has refused larger ones."""
        self._limits = self._limits.with_body(most)
        for group in self._groups.values():
            group.bound(self._limits.body)

    def _holds_many(self) -> bool:
        """Tell whether rows that are held behind earlier ones fill the buffer."""
        return self._held > self._limits.buffer // 2

    def _is_crammed(self) -> bool:
        """Tell whether the buffer is full of rows that may not leave now, and there is no room for them elsewhere."""
        # Organizations do not count here: they go when their rows have gone, and those may lie in the overflow.
        rows = self._used - GROUP_COST * len(self._groups)
        return not self._stowage.has_room and rows > self._limits.buffer + self._limits.buffer // 8

    def _let_leave(self, group: Group) -> None:
        is_early = self._closed or self._is_crammed()
        if is_early or group.fills(self._limits.count):
            self._seal(group, early=is_early)

    def _open(self, organization: str) -> Group:
        group = self._stowage.open(organization, self._limits.body)
        self._remember(group)
        return group

    def _remember(self, group: Group) -> None:
        self._groups[group.organization] = group
        self._used += GROUP_COST

    def _forget(self, group: Group) -> None:
        del self._groups[group.organization]
        self._used -= GROUP_COST

    def _any_away(self) -> Group | None:
        """Bring back some group whose rows are all in the overflow; None where there is none."""
        group, size = self._stowage.bring_any(self._limits.body)
        if group is not None:
            self._used += size
            self._remember(group)
        return group

    def _next_leaving(self, passing_over: Collection[str]) -> Group | None:
        """Find a group with rows whose turn it is to leave."""
        for _ in range(len(self._leaving)):
            group = self._leaving.popleft()
            if group.rows and self._groups.get(group.organization) is group:
                if group.organization not in passing_over:
                    return group
                self._leaving.append(group)
        return self._any_away() if self._closed else None

    def _seal(self, group: Group, *, early: bool = False) -> None:
        """Make batches of the waiting rows, as many as may be ready; those behind an earlier change are held back.

        `early`: also of rows that do not fill a batch.
        """
        limits = self._limits
        room = 0 if group.is_resting else limits.ahead - self._ready.count(group.organization)
        while room > 0 and group.rows and (early or group.fills(limits.count)):
            self._used += self._stowage.bring_back(group, limits)
            most = room * limits.count
            ids = group.fresh_ids(most)
            if ids is None:
                ids, held = group.hold_back(most)
                self._held += held
            if group.overflowed and len(group.waiting) < limits.count:
                continue
            batches = group.cut(limits, ids, room, early=early and not group.overflowed)
            for batch in batches:
                self._used -= rows_cost(batch.changes)
                self._ready.append(batch)
            room -= len(batches)
        self._note_backlog(group, is_backlogged=room <= 0 and (early or group.fills(limits.count)))
        # To the end of the line: the first group is the one that has waited longest.
        self._groups[group.organization] = self._groups.pop(group.organization)

    def _note_backlog(self, group: Group, *, is_backlogged: bool) -> None:
        group.is_backlogged = is_backlogged and group.rows > 0
        if group.is_backlogged and not group.is_resting:
            self._backlogged.add(group.organization)
        else:
            self._backlogged.discard(group.organization)

    def _unhold(self, group: Group, ids: Collection[str]) -> None:
        freed = group.unhold(ids)
        if not freed:
            return
        self._held -= freed
        if self._closed:
            self._leaving.append(group)
        else:
            is_early = self.is_full()
            if is_early or group.fills(self._limits.count):
                self._seal(group, early=is_early)

    def _let_out(self) -> None:
        """Let leave what may, where nothing is added until there is room: also what held rows wait for."""
        if self._is_crammed():
            self._let_go(0)
        if not self._holds_many():
            return
        for group in [group for group in self._groups.values() if group.held and group.rows]:
            self._seal(group, early=True)

    def _make_room(self) -> None:
        """Bring the use of memory well below the buffer: into the overflow, or on the way."""
        buffer = self._limits.buffer
        if self._stowage.has_room:
            freed, gone = self._stowage.put_away(self._groups.values(), self._used - buffer // 2)
            self._used -= freed
            for group in gone:
                self._forget(group)
        if self._stowage.has_room and self._used > buffer // 2:
            self._used -= self._stowage.put_away_first(self._groups.values(), self._used - buffer // 2)
        if not self._stowage.has_room:
            self._let_go(buffer - buffer // _LEAVING_EARLY)
        # What is left cannot leave now; try again when as much as an eighth of the buffer has come.
        self._make_room_at = max(buffer, self._used + buffer // 8)

    def _let_go(self, target: int) -> None:
        """Let groups leave as they are, until so many bytes are in use.

        With a group goes what it holds, for one request; and the longer that has taken to come, the longer it
        would take to be worth more.
        """
        groups = list(self._groups.values())
        rows = [group.in_memory() for group in groups]
        # A group that is cut or opened goes to the end: the place in line stands for the age.
        worth = [count * age for count, age in zip(rows, range(len(rows), 0, -1), strict=True)]
        for at in sorted(range(len(groups)), key=worth.__getitem__, reverse=True):
            if self._used <= target or not rows[at]:
                return
            self._seal(groups[at], early=True)
