"""Which rows have their result already: a few bytes a row, looked up by content (DESIGN section 2.3).

A row is known by its organization, its id and the checksum of its change. The n-th time that such a row
occurs in the input is matched with the n-th result. What is kept of a row is a 64-bit hash, salted anew in
each process; that two of a million rows share one by chance has odds of 1 in 37 million.
"""

from typing import Final

from bulk_update.model import Status

_MASK: Final = (1 << 64) - 1
_KEY: Final = 8
_WIDTH: Final = 10
_ROWS_A_BUCKET: Final = 32
_LOOKED_AT: Final = 64

_STATUSES: Final = tuple(Status)
_CODES: Final = {status: code for code, status in enumerate(_STATUSES)}
_LAST_RUN: Final = 8_000


def row_key(organization: str | None, identifier: str | None, check: int) -> int:
    """Hash what a row is known by, to 64 bits."""
    return hash((organization, identifier, check)) & _MASK


class KeyBag:
    """A multiset of 64-bit keys, each with a mark from 0 to 65535; an entry takes about 15 bytes.

    It grows by splitting one bucket at a time (linear hashing), so that no addition takes long.
    `expected`: how many entries there may be; more only cost the splits.
    """

    def __init__(self, expected: int = 0) -> None:
        buckets = 1
        while 2 * buckets * _ROWS_A_BUCKET <= expected:
            buckets *= 2
        self._whole = buckets
        self._buckets: list[bytearray | None] = [None] * buckets
        self._size = 0

    def __len__(self) -> int:
        """Count the entries."""
        return self._size

    def __contains__(self, key: int) -> bool:
        """Tell whether a key is in at least once."""
        return bool(self.marks(key))

    def add(self, key: int, mark: int = 0) -> None:
        """Put a key in once more."""
        at = self._at(key)
        bucket = self._buckets[at]
        if bucket is None:
            bucket = self._buckets[at] = bytearray()
        bucket += key.to_bytes(_KEY, "little") + mark.to_bytes(_WIDTH - _KEY, "little")
        self._size += 1
        if self._size > len(self._buckets) * _ROWS_A_BUCKET:
            self._split()

    def marks(self, key: int) -> list[int]:
        """List the marks of a key's entries; of very many, some."""
        bucket = self._buckets[self._at(key)]
        marks: list[int] = []
        if bucket is None:
            return marks
        pattern = key.to_bytes(_KEY, "little")
        place = bucket.find(pattern)
        while place >= 0 and len(marks) < _LOOKED_AT:
            if place % _WIDTH == 0:
                marks.append(bucket[place + _KEY] | bucket[place + _KEY + 1] << 8)
            place = bucket.find(pattern, place + 1)
        return marks

    def take(self, key: int) -> int | None:
        """Take out the entry of a key that has the lowest mark, and tell the mark; None when there is none."""
        bucket = self._buckets[self._at(key)]
        if bucket is None:
            return None
        pattern = key.to_bytes(_KEY, "little")
        place = bucket.find(pattern)
        if place < 0:
            return None
        if place % _WIDTH or bucket.find(pattern, place + 1) >= 0:
            lowest = min(self.marks(key), default=None)
            if lowest is not None:
                self.discard(key, lowest)
            return lowest
        mark = bucket[place + _KEY] | bucket[place + _KEY + 1] << 8
        bucket[place : place + _WIDTH] = bucket[-_WIDTH:]
        del bucket[-_WIDTH:]
        self._size -= 1
        return mark

    def discard(self, key: int, mark: int = 0) -> bool:
        """Take one entry out; False when it is not in."""
        bucket = self._buckets[self._at(key)]
        if bucket is None:
            return False
        entry = key.to_bytes(_KEY, "little") + mark.to_bytes(_WIDTH - _KEY, "little")
        place = bucket.find(entry)
        while place > 0 and place % _WIDTH:
            place = bucket.find(entry, place + 1)
        if place < 0:
            return False
        bucket[place : place + _WIDTH] = bucket[-_WIDTH:]
        del bucket[-_WIDTH:]
        self._size -= 1
        return True

    def _at(self, key: int) -> int:
        at = key & (self._whole - 1)
        return at if at >= len(self._buckets) - self._whole else key & (2 * self._whole - 1)

    def _split(self) -> None:
        """Share the entries of the next bucket with a new one."""
        at = len(self._buckets) - self._whole
        bucket = self._buckets[at] or b""
        staying, leaving = bytearray(), bytearray()
        for place in range(0, len(bucket), _WIDTH):
            entry = bucket[place : place + _WIDTH]
            moves = int.from_bytes(entry[:_KEY], "little") & self._whole
            (leaving if moves else staying).extend(entry)
        self._buckets[at] = staying or None
        self._buckets.append(leaving or None)
        if len(self._buckets) == 2 * self._whole:
            self._whole *= 2


class SettledRows:
    """The rows that have a result in the ledger: its status, and the number of the run that sent the row.

    `runs`: how many runs of the main job have begun. `doubted`: keys of rows that failed in doubt: an earlier
    request with such a row got no answer.
    """

    def __init__(self, expected: int = 0) -> None:
        self._rows = KeyBag(expected)
        self._counts = dict.fromkeys(Status, 0)
        self.runs = 0
        self.doubted: set[int] = set()

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    @property
    def next_run(self) -> int:
        """Number of the run that begins now, from 1; runs beyond the 8000th are not told apart."""
        return min(self.runs + 1, _LAST_RUN)

    def counts(self) -> dict[Status, int]:
        """Count the rows of each status."""
        return dict(self._counts)

    def add(self, key: int, status: Status, was: Status | None = None, *, is_retry: bool = False) -> None:
        """Note a result; `was`: the status of the earlier result of the row that it replaces.

        `is_retry`: the row keeps its place among the runs: what a retry sends overwrites nothing newer.
        """
        run = min(self.runs, _LAST_RUN)
        if was is not None:
            replaced = [mark for mark in self._rows.marks(key) if mark % len(_STATUSES) == _CODES[was]]
            if replaced:
                self._rows.discard(key, min(replaced))
                self._counts[was] -= 1
                run = min(replaced) // len(_STATUSES) if is_retry else run
        self._rows.add(key, run * len(_STATUSES) + _CODES[status])
        self._counts[status] += 1

    def has(self, key: int) -> bool:
        """Tell whether a row has a result."""
        return key in self._rows

    def take(self, key: int) -> tuple[Status, int] | None:
        """Take out the oldest result of a row and tell its status and its run; None when there is none (left)."""
        mark = self._rows.take(key)
        if mark is None:
            return None
        run, code = divmod(mark, len(_STATUSES))
        self._counts[_STATUSES[code]] -= 1
        return _STATUSES[code], run
