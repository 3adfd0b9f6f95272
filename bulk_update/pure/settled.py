"""Which rows have their result already: a few bytes a row, looked up by content (DESIGN section 2.3).

A row is known by its organization, its id and the checksum of its change. The n-th time that such a row
occurs in the input is matched with the n-th result. What is kept of a row is a 64-bit hash, salted anew in
each process; that two of a million rows share one by chance has odds of 1 in 37 million.
"""

from typing import Final

from bulk_update.model import Status

_MASK: Final = (1 << 64) - 1
_WIDTH: Final = 8
_ROWS_A_BUCKET: Final = 24


def row_key(organization: str | None, identifier: str | None, check: int) -> int:
    """Hash what a row is known by, to 64 bits."""
    return hash((organization, identifier, check)) & _MASK


class KeyBag:
    """A multiset of 64-bit keys that takes about 14 bytes a key.

    `expected`: how many keys there may be; more only make it slower.
    """

    def __init__(self, expected: int = 0) -> None:
        buckets = 1
        while buckets * _ROWS_A_BUCKET < expected:
            buckets *= 2
        self._mask = buckets - 1
        self._buckets: list[bytearray | None] = [None] * buckets
        self._size = 0

    def __len__(self) -> int:
        """Count the keys, each as often as it was added."""
        return self._size

    def add(self, key: int) -> None:
        """Put a key in once more."""
        at = key & self._mask
        bucket = self._buckets[at]
        if bucket is None:
            bucket = self._buckets[at] = bytearray()
        bucket += key.to_bytes(_WIDTH, "little")
        self._size += 1

    def __contains__(self, key: int) -> bool:
        """Tell whether a key is in at least once."""
        return self._find(key) >= 0

    def discard(self, key: int) -> bool:
        """Take a key out once; False when it is not in."""
        place = self._find(key)
        if place < 0:
            return False
        bucket = self._buckets[key & self._mask]
        assert bucket is not None
        bucket[place : place + _WIDTH] = bucket[-_WIDTH:]
        del bucket[-_WIDTH:]
        self._size -= 1
        return True

    def _find(self, key: int) -> int:
        bucket = self._buckets[key & self._mask]
        if bucket is None:
            return -1
        pattern = key.to_bytes(_WIDTH, "little")
        place = bucket.find(pattern)
        while place > 0 and place % _WIDTH:
            place = bucket.find(pattern, place + 1)
        return place


class SettledRows:
    """The rows that have a result in the ledger, by status."""

    def __init__(self, expected: int = 0) -> None:
        self._updated = KeyBag(expected)
        self._others: dict[Status, KeyBag] = {}

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._updated) + sum(map(len, self._others.values()))

    def counts(self) -> dict[Status, int]:
        """Count the rows of each status."""
        return {Status.UPDATED: len(self._updated)} | {key: len(bag) for key, bag in self._others.items()}

    def add(self, key: int, status: Status, was: Status | None = None) -> None:
        """Note a result; `was`: the status of the earlier result of the row that it replaces."""
        if was is not None:
            self._bag(was).discard(key)
        self._bag(status).add(key)

    def has(self, key: int) -> bool:
        """Tell whether a row has a result."""
        return key in self._updated or any(key in bag for bag in self._others.values())

    def take(self, key: int) -> Status | None:
        """Take out one result of a row and tell its status; None when there is none (left)."""
        if self._updated.discard(key):
            return Status.UPDATED
        for status, bag in self._others.items():
            if bag.discard(key):
                return status
        return None

    def _bag(self, status: Status) -> KeyBag:
        if status is Status.UPDATED:
            return self._updated
        return self._others.setdefault(status, KeyBag())
