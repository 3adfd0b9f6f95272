"""Rows that wait: an overflow for them, short ways to make them, and what a batcher holds of them."""

from collections.abc import Iterable, Sequence

from bulk_update.model import Batch, Change
from bulk_update.pure.batching import Batcher


class MemoryOverflow:
    """Keep chunks in memory; from the `room`-th write on there is no room."""

    def __init__(self, room: float = float("inf")) -> None:
        self.room = room
        self.chunks: dict[int, bytes] = {}
        self.stored = 0
        self.asked = 0
        self.loaded = 0

    def store(self, chunks: Sequence[bytes]) -> Sequence[int]:
        self.asked += 1
        if self.asked > self.room:
            raise OSError(28, "no space left on device")
        places = range(self.stored + 1, self.stored + 1 + len(chunks))
        self.stored += len(chunks)
        self.chunks.update(zip(places, chunks, strict=True))
        return places

    def load(self, place: int) -> bytes:
        self.loaded += 1
        return self.chunks[place]


def change(identifier: str = "a", line: int = 1, organization: str = "org", size: int = 0) -> Change:
    """Make a change whose activity is so many bytes longer than it must be."""
    activity = b'{"id":"%s","entityData":"%s"}' % (identifier.encode(), b"x" * size)
    return Change(organization, identifier, line, 0, line * 7, 2, activity, "failed" if line % 3 else "", line % 2 > 0)


def changes(ids: Iterable[str], organization: str = "org", size: int = 0) -> list[Change]:
    return [change(identifier, line, organization, size) for line, identifier in enumerate(ids, 1)]


def numbered(count: int) -> list[str]:
    return [f"id-{number:06}" for number in range(count)]


def take_all(batcher: Batcher, *, release: bool = True) -> list[Batch]:
    """Take batches until none may leave."""
    taken = []
    while (batch := batcher.take()) is not None:
        taken.append(batch)
        if release:
            batcher.release(batch.organization, [row.id for row in batch.changes])
    return taken


def start_resting(batcher: Batcher) -> None:
    """Let the organization rest; something of it must be under way."""
    batcher.add([change("under way", 0)])
    batcher.leave_early()
    assert batcher.take() is not None
    batcher.rest("org")


def lines_of(batches: Iterable[Batch]) -> list[list[int]]:
    return [[row.line for row in batch.changes] for batch in batches]


def is_back_to_nothing(batcher: Batcher) -> bool:
    """Tell whether the batcher believes that it holds nothing, and holds nothing."""
    accounts = (batcher._used, batcher._held, batcher.rows, batcher.ready)  # noqa: SLF001
    places = (batcher._groups, batcher._leaving, batcher._stowage, batcher._backlogged)  # noqa: SLF001
    return accounts == (0, 0, 0, 0) and not any(places)
