"""Rows in the overflow: which of them go there, and where those lie whose organizations have none in memory."""

from collections.abc import Iterable, Sequence
from typing import Final

from bulk_update.pure.group import GROUP_COST, Group, Limits, Overflow, rows_cost, unpack
from bulk_update.pure.places import Place, Places

_PIECE: Final = 262_144
"""Bytes that are written at once, or a little more."""


class _Nowhere:
    """An overflow that has no room from the first."""

    def store(self, chunks: Sequence[bytes]) -> Sequence[int]:
        """Refuse."""
        raise OSError(f"nowhere to put {len(chunks)} chunks")

    def load(self, place: int) -> bytes:
        """Refuse: nothing was ever stored."""
        raise LookupError(place)


class Stowage:
    """Put waiting rows of groups away, and begin groups whose rows lie there.

    `has_room` is False where there is no overflow, and from the first write on that it refuses.
    """

    def __init__(self, overflow: Overflow | None, limits: Limits) -> None:
        self._overflow: Overflow = _Nowhere() if overflow is None else overflow
        self._piece = min(_PIECE, limits.buffer // 8)
        self._count = limits.count
        self._away = Places()
        self.has_room = overflow is not None

    def __len__(self) -> int:
        """Count the organizations of which all that is to be remembered lies in the overflow."""
        return len(self._away)

    def open(self, organization: str, body: int) -> Group:
        """Begin the group of an organization, with the rows that it has in the overflow."""
        group = Group(organization, body)
        place = self._away.take(organization) if self._away else None
        if place is not None:
            group.take_over(place)
        return group

    def bring_any(self, body: int) -> tuple[Group | None, int]:
        """Begin the group of some organization, with its newest rows in memory; None where there is none.

        Return it with the bytes that these rows take.
        """
        place = self._away.take_any()
        if place is None:
            return None, 0
        chunk = unpack(self._overflow.load(place.newest))
        return Group.returned(chunk, place, body), rows_cost(chunk.rows)

    def bring_back(self, group: Group, limits: Limits) -> int:
        """Bring rows of a group back until a batch is full; return the bytes of memory they take."""
        return group.bring_back(self._overflow, limits) if group.overflowed else 0

    def put_away(self, groups: Iterable[Group], excess: int) -> tuple[int, list[Group]]:
        """Move rows to the overflow, those of the fullest groups first, until so many bytes of memory are free.

        Return the bytes of their rows, and the groups of which nothing is left to remember in memory.
        """
        fullest = sorted((group for group in groups if group.newest_rows()), key=Group.in_memory, reverse=True)
        freed, gone = 0, list[Group]()
        moving: list[tuple[Group, int]] = []
        chunks: list[bytes] = []
        size = 0
        for group in fullest:
            is_whole = False
            while not is_whole:
                chunk, rows = group.pack(self._piece)
                is_whole = rows == len(group.newest_rows())
                moving.append((group, rows))
                chunks.append(chunk)
                size += len(chunk)
                if size >= self._piece:
                    freed += self._store(moving, chunks, gone)
                    if not self.has_room or freed + GROUP_COST * len(gone) >= excess:
                        return freed, gone
                    moving, chunks, size = [], [], 0
        if moving:
            freed += self._store(moving, chunks, gone)
        return freed, gone

    def put_away_first(self, groups: Iterable[Group], excess: int) -> int:
        """Move the rows of resting groups that go before others of theirs there; return the bytes that are free."""
        freed = 0
        for group in [group for group in groups if group.is_resting and group.overflowed and group.waiting]:
            places = self._places([group.pack_first()])
            if places is None:
                break
            freed += group.put_away_first(places[0], self._overflow)
            if freed >= excess:
                break
        return freed

    def _store(self, moving: Sequence[tuple[Group, int]], chunks: Sequence[bytes], gone: list[Group]) -> int:
        """Put a chunk of so many rows of each group away; return the bytes that are free."""
        places = self._places(chunks)
        if places is None:
            return 0
        freed = 0
        for (group, rows), place in zip(moving, places, strict=True):
            freed += group.put_away(place, rows)
            if group.overflowed >= self._count:
                group.remember_chunks(self._overflow)
            elif group.is_away() and self._away.add(group.organization, Place(place, group.overflowed, group.size)):
                gone.append(group)
        return freed

    def _places(self, chunks: Sequence[bytes]) -> Sequence[int] | None:
        try:
            return self._overflow.store(chunks)
        except OSError:
            self.has_room = False
            return None
