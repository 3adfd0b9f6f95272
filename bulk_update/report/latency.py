"""How long attempts took: a histogram on a log scale that never grows large, and its percentiles."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_LEAST: Final = 0.1
_MOST: Final = 1e9
_BUCKETS_AN_OCTAVE: Final = 16


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How long `attempts` took, in milliseconds, each to about 2 %; None where there were none."""

    attempts: int = 0
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    most: float | None = None


class Histogram:
    """Count durations in buckets, sixteen to each doubling from 0.1 ms to 11 days."""

    __slots__ = ("counts", "most", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        """Durations by bucket."""
        self.most = 0.0
        """The longest, in milliseconds."""
        self.total = 0

    def add(self, milliseconds: float) -> None:
        """Count one duration."""
        bounded = min(max(milliseconds, _LEAST), _MOST)
        bucket = int(math.log2(bounded / _LEAST) * _BUCKETS_AN_OCTAVE)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.most = max(self.most, milliseconds)
        self.total += 1

    def merge(self, other: "Histogram") -> None:
        """Add what another has counted."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.most = max(self.most, other.most)
        self.total += other.total

    def percentiles(self) -> Percentiles:
        """Tell what half, nine tenths and 99 of a hundred took at most."""
        if not self.total:
            return Percentiles()
        half, most_of_them, nearly_all = self._at((0.5, 0.9, 0.99))
        return Percentiles(self.total, half, most_of_them, nearly_all, self.most)

    def _at(self, shares: Iterable[float]) -> list[float]:
        """Find the duration that each share (ascending, 0 to 1) of all stays below."""
        buckets = sorted(self.counts)
        found, place, seen = list[float](), -1, 0
        for share in shares:
            rank = max(1, math.ceil(share * self.total))
            while seen < rank:
                place += 1
                seen += self.counts[buckets[place]]
            middle = _LEAST * 2.0 ** ((buckets[place] + 0.5) / _BUCKETS_AN_OCTAVE)
            found.append(min(middle, self.most))
        return found
