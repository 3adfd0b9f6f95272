"""Where the rows of organizations lie that have none in memory: 26 bytes for each, and not their names."""

from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple

_BUCKETS: Final = 4096
_KEY: Final = 10
"""Bytes of a name's hash: that any two of a million organizations share one has odds of 1 in 2,400,000,000,000."""

_place: Final = Struct("<QII")
_WIDTH: Final = _KEY + _place.size

_MOST: Final = 2**32 - 1


class Place(NamedTuple):
    """Where the newest rows of an organization lie, and how many rows and bytes of activities it has in all."""

    newest: int
    rows: int
    size: int


class Places:
    """Places by organization."""

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(_BUCKETS)]
        self._count = 0
        self._first = 0

    def __len__(self) -> int:
        """Count the organizations."""
        return self._count

    def add(self, organization: str, place: Place) -> bool:
        """Note where the rows of an organization are that has no place yet; False when its numbers are too large."""
        if max(place.rows, place.size) > _MOST:
            return False
        key, bucket = self._bucket(organization)
        bucket += key + _place.pack(*place)
        self._count += 1
        self._first = 0
        return True

    def take(self, organization: str) -> Place | None:
        """Give the place of an organization and forget it; None where it has none."""
        key, bucket = self._bucket(organization)
        at = bucket.find(key)
        while at > 0 and at % _WIDTH:
            at = bucket.find(key, at + 1)
        return None if at < 0 else self._take(bucket, at)

    def take_any(self) -> Place | None:
        """Give the place of some organization and forget it; None where there are none."""
        if not self._count:
            return None
        while not self._buckets[self._first]:
            self._first += 1
        bucket = self._buckets[self._first]
        return self._take(bucket, len(bucket) - _WIDTH)

    def _take(self, bucket: bytearray, at: int) -> Place:
        place = Place(*_place.unpack_from(bucket, at + _KEY))
        bucket[at : at + _WIDTH] = bucket[-_WIDTH:]
        del bucket[-_WIDTH:]
        self._count -= 1
        return place

    def _bucket(self, organization: str) -> tuple[bytes, bytearray]:
        key = blake2b(organization.encode(), digest_size=_KEY).digest()
        return key, self._buckets[(key[0] << 8 | key[1]) % _BUCKETS]
