"""Which rows have their result already: a few bytes a row, looked up by content (DESIGN section 2.3).

A row is known by its organization, its id and the checksum of its change. The n-th time that such a row
occurs in the input is matched with the n-th result. What is kept of a row is a 64-bit hash, salted anew in
each process; that two of a million rows share one by chance has odds of 1 in 37 million.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
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


def row_keys(rows: Iterable[tuple[str | None, str | None, int]]) -> list[int]:
    """Hash many rows: organization, id and checksum of each."""
    return [number & _MASK for number in map(hash, rows)]


class KeyBag:
    """A multiset of 64-bit keys, each with a mark from 0 to 65535; an entry takes about 15 bytes.

    It grows by splitting one bucket at a time (linear hashing), so that no addition takes long.
    `expected`: how many entries there may be; more only cost the splits.
    """

    def __init__(self, expected: int = 0) -> None:
        buckets = max(1, expected // _ROWS_A_BUCKET)
        self._whole = 1 << buckets.bit_length() - 1
        self._buckets: list[bytearray | None] = [None] * buckets
        self._size = 0
        self._mark: int | None = 0
        """The mark of all entries that there have been; None where they differ."""

    def __len__(self) -> int:
        """Count the entries."""
        return self._size

    def __contains__(self, key: int) -> bool:
        """Tell whether a key is in at least once."""
        return bool(self.marks(key))

    def add(self, key: int, mark: int = 0) -> None:
        """Put a key in once more."""
        self.add_all((key,), mark)

    def add_all(self, keys: Sequence[int], mark: int = 0) -> None:
        """Put keys in, each once more, all with one mark."""
        if mark != self._mark:
            self._mark = None if self._size else mark
        buckets, whole, above = self._buckets, self._whole, mark << 8 * _KEY
        split = len(buckets) - whole
        for key in keys:
            at = key & (whole - 1)
            if at < split:
                at = key & (2 * whole - 1)
            bucket = buckets[at]
            if bucket is None:
                buckets[at] = bytearray((key | above).to_bytes(_WIDTH, "little"))
            else:
                bucket += (key | above).to_bytes(_WIDTH, "little")
        self._size += len(keys)
        while self._size > len(buckets) * _ROWS_A_BUCKET:
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
        lowest = min(self.marks(key), default=None)
        if lowest is not None:
            self.discard(key, lowest)
        return lowest

    def take_all(self, keys: Iterable[int]) -> list[int | None]:
        """Do for each key, in order, what `take` does for one."""
        buckets, whole, mark = self._buckets, self._whole, self._mark
        split = len(buckets) - whole
        marks: list[int | None] = []
        for key in keys:
            at = key & (whole - 1)
            bucket = buckets[at if at >= split else key & (2 * whole - 1)]
            pattern = key.to_bytes(_KEY, "little")
            place = -1 if bucket is None else bucket.find(pattern)
            if bucket is None or place < 0:
                marks.append(None)
                continue
            # Where all marks are equal, any entry of a key will do.
            if place % _WIDTH or (mark is None and bucket.find(pattern, place + 1) >= 0):
                marks.append(self.take(key))
                continue
            marks.append(bucket[place + _KEY] | bucket[place + _KEY + 1] << 8 if mark is None else mark)
            bucket[place : place + _WIDTH] = bucket[-_WIDTH:]
            del bucket[-_WIDTH:]
            self._size -= 1
        return marks

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
        self._counts: Counter[int] = Counter()
        """Rows by their mark; never a zero."""
        self.runs = 0
        self.doubted: set[int] = set()

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    @property
    def next_run(self) -> int:
        """Number of the run that begins now, from 1; runs beyond the 8000th are not told apart."""
        return min(self.runs + 1, _LAST_RUN)

    @property
    def oldest_run(self) -> int:
        """Number of the first run of those that sent the rows; the next one when there are none (left)."""
        return explain(min(self._counts))[1] if self._counts else self.next_run

    def counts(self) -> dict[Status, int]:
        """Count the rows of each status."""
        counts = dict.fromkeys(Status, 0)
        for mark, rows in self._counts.items():
            counts[explain(mark)[0]] += rows
        return counts

    def add(self, key: int, status: Status, was: Status | None = None, *, is_retry: bool = False) -> None:
        """Note a result; `was`: the status of the earlier result of the row that it replaces.

        `is_retry`: the row keeps its place among the runs: what a retry sends overwrites nothing newer.
        """
        run = min(self.runs, _LAST_RUN)
        if was is not None:
            replaced = [mark for mark in self._rows.marks(key) if mark % len(_STATUSES) == _CODES[was]]
            if replaced:
                self._rows.discard(key, min(replaced))
                self._uncount(min(replaced), 1)
                run = min(replaced) // len(_STATUSES) if is_retry else run
        mark = run * len(_STATUSES) + _CODES[status]
        self._rows.add(key, mark)
        self._counts[mark] += 1

    def add_all(self, keys: Sequence[int], status: Status) -> None:
        """Note results of one status, none of which replaces an earlier one."""
        mark = min(self.runs, _LAST_RUN) * len(_STATUSES) + _CODES[status]
        self._rows.add_all(keys, mark)
        self._counts[mark] += len(keys)

    def has(self, key: int) -> bool:
        """Tell whether a row has a result."""
        return key in self._rows

    def count_amiss(self, key: int) -> int:
        """Count the results of a row that are none of an update."""
        return sum(explain(mark)[0] is not Status.UPDATED for mark in self._rows.marks(key))

    def take(self, key: int) -> tuple[Status, int] | None:
        """Take out the oldest result of a row and tell its status and its run; None when there is none (left)."""
        mark = self.take_all((key,))[0]
        return None if mark is None else explain(mark)

    def take_all(self, keys: Iterable[int]) -> list[int | None]:
        """Take out the oldest result of each row, in order; `explain` tells what a mark says; None: there is none."""
        marks = self._rows.take_all(keys)
        for mark, rows in Counter(marks).items():
            if mark is not None:
                self._uncount(mark, rows)
        return marks

    def _uncount(self, mark: int, rows: int) -> None:
        self._counts[mark] -= rows
        if not self._counts[mark]:
            del self._counts[mark]


def explain(mark: int) -> tuple[Status, int]:
    """Tell what a mark says: a status, and the number of a run."""
    run, code = divmod(mark, len(_STATUSES))
    return _STATUSES[code], run
