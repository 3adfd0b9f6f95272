"""The world of one seed: its time, its chance, and the story of all that happens in it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Final

from tests.virtual_time import VirtualTimeLoop

_EPOCH: Final = 1_800_000_000.0
"""The time of day at which every world begins, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What must never happen and did. `invariant`: its number in DESIGN section 3, or a word."""

    invariant: str
    words: str

    def __str__(self) -> str:
        return f"[{self.invariant}] {self.words}"


class World:
    """Outlive the runs. Implements the clock of a run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.loop = VirtualTimeLoop()
        self.story: list[str] = []
        self.violations: list[Violation] = []

    def chance(self, of: str) -> Random:
        """Make a source of chance of its own, so that one draw more here changes nothing there."""
        return Random(f"{self.seed}/{of}")

    def now(self) -> float:
        """Tell the seconds since the world began."""
        return self.loop.time()

    def seconds(self) -> float:
        """Tell the seconds since 1970."""
        return _EPOCH + self.now()

    def stamp(self) -> str:
        """Tell the time of day as ISO 8601."""
        return datetime.fromtimestamp(self.seconds(), UTC).isoformat(timespec="milliseconds")

    def tell(self, what: str) -> None:
        """Add to the story."""
        self.story.append(f"{self.now():.6f} {what}")

    def accuse(self, invariant: int | str, words: str) -> None:
        """Note that something happened which must not."""
        violation = Violation(str(invariant), words)
        self.violations.append(violation)
        self.tell(f"VIOLATION {violation}")

    def story_hash(self) -> str:
        """Tell one story from another in few letters."""
        return hashlib.blake2b("\n".join(self.story).encode(), digest_size=8).hexdigest()
