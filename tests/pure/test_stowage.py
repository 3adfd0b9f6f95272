import mmap
import random
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

import pytest

from bulk_update.model import Change
from bulk_update.pure.batching import Batcher
from bulk_update.pure.group import Limits
from tests.pure.waiting import (
    MemoryOverflow,
    change,
    changes,
    is_back_to_nothing,
    lines_of,
    numbered,
    start_resting,
    take_all,
)


class MappedOverflow:
    """Keep chunks where they are not counted as memory."""

    def __init__(self) -> None:
        self.map = mmap.mmap(-1, 20_000_000)

    def store(self, chunks: Sequence[bytes]) -> Sequence[int]:
        places = []
        for chunk in chunks:
            places.append(self.map.tell() << 24 | len(chunk))
            self.map.write(chunk)
        return places

    def load(self, place: int) -> bytes:
        begin = place >> 24
        return self.map[begin : begin + (place & 0xFFFFFF)]


@pytest.mark.parametrize("room", [float("inf"), 0, 7])
def test_memory_is_bounded(room: float) -> None:
    """Rows that wait in memory, whether the overflow has room, none, or runs out of it."""
    overflow = MemoryOverflow(room)
    limits = Limits(count=50, buffer=200_000)
    batcher = Batcher(limits, overflow)
    most = 0
    for line in range(20_000):
        batcher.add([change(f"id-{line}", line, f"org-{line * 7919 % 300}", size=100)])
        most = max(most, batcher._used)  # noqa: SLF001
        while batcher.ready > 32 and (batch := batcher.take()) is not None:
            batcher.release(batch.organization, [row.id for row in batch.changes])
    assert most <= limits.buffer * 1.25 + 1000
    batcher.close()
    take_all(batcher)
    assert is_back_to_nothing(batcher)


def test_an_organization_whose_rows_are_in_the_overflow_takes_few_bytes() -> None:
    batcher = Batcher(Limits(buffer=200_000), MappedOverflow())
    batcher.add([change("id", line, f"org-{line}") for line in range(1_000)])
    tracemalloc.start()
    try:
        for begin in range(1_000, 11_000, 500):
            batcher.add([change("id", line, f"org-{line}") for line in range(begin, begin + 500)])
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert batcher.rows == 11_000
    assert taken < 200_000 + 60 * 10_000
    batcher.close()
    assert sorted(row.line for batch in take_all(batcher) for row in batch.changes) == [*range(11_000)]
    assert is_back_to_nothing(batcher)


def test_rows_of_an_organization_that_is_in_the_overflow_go_behind_those_that_are_there() -> None:
    batcher = Batcher(Limits(count=3, buffer=1_000), MemoryOverflow())
    batcher.add([change("a", 1, "one"), change("b", 2, "one"), *changes("abcd", "two", size=300)])
    assert "one" not in batcher._groups  # noqa: SLF001
    batcher.add([change("a", 3, "one")])
    batcher.close()
    batches = [batch for batch in take_all(batcher) if batch.organization == "one"]
    assert lines_of(batches) == [[1, 2], [3]]


def test_what_is_in_the_overflow_leaves_early_first() -> None:
    batcher = Batcher(Limits(count=10, buffer=1_000), MemoryOverflow())
    batcher.add([*changes("abc", "one", size=300), change("a", 4, "two")])
    batcher.leave_early()
    assert lines_of(take_all(batcher)) == [[1, 2, 3]]
    batcher.leave_early()
    assert lines_of(take_all(batcher)) == [[4]]
    assert is_back_to_nothing(batcher)


def test_an_overflow_without_room_is_asked_once() -> None:
    overflow = MemoryOverflow(room=2)
    batcher = Batcher(Limits(buffer=2000), overflow)
    batcher.add(changes(numbered(90)))
    assert overflow.asked == 3


@pytest.mark.parametrize("closed", [False, True])
def test_rows_that_came_while_their_organization_rested_come_back_little_by_little(closed: bool) -> None:
    batcher = Batcher(Limits(count=5, buffer=100_000), MemoryOverflow())
    batcher.add(changes(numbered(5)))
    assert batcher.take() is not None
    batcher.rest("org")
    rows = [change(f"later-{line}", line, size=100) for line in range(20_002)]
    batcher.add(rows)
    if closed:
        batcher.close()
    assert batcher.ready == 0
    batcher.resume("org")
    lines = []
    while (batch := batcher.take()) is not None:
        assert batcher.ready < 100
        assert batcher._used < 200_000  # noqa: SLF001
        lines += [row.line for row in batch.changes]
        batcher.release("org", [row.id for row in batch.changes])
    assert lines == [*range(20_002 if closed else 20_000)]


def test_rows_that_come_while_their_organization_is_slow_stay_within_the_buffer() -> None:
    """Each time that it may go on it sends one batch, and more rows of it come than that."""
    overflow = MemoryOverflow()
    batcher = Batcher(Limits(count=5, buffer=100_000, ahead=3), overflow)
    sent = 0
    for block in range(400):
        batcher.add([change(f"{block}-{line}", line, size=100) for line in range(50)])
        batcher.resume("org")
        batch = batcher.take()
        assert batch is not None
        assert (batch.ids[0], batcher.ready) == (f"{sent // 50}-{sent % 50}", 3 - 1)
        sent += len(batch.changes)
        batcher.rest("org")
        batcher.release("org", batch.ids)
        assert batcher._used <= 140_000, "more than the buffer and a chunk that came back"  # noqa: SLF001
    assert max(map(len, overflow.chunks.values())) < 30_000
    batcher.resume("org")
    batcher.close()
    assert sum(len(batch.changes) for batch in take_all(batcher)) == 400 * 50 - sent
    assert is_back_to_nothing(batcher)


def test_rows_of_many_slow_organizations_stay_within_the_buffer() -> None:
    """Each in its turn sends a batch; what was made ready for it is counted again while it rests."""
    batcher = Batcher(Limits(count=5, buffer=100_000), MemoryOverflow())
    names = [f"org-{number}" for number in range(60)]
    for block in range(30):
        for name in names:
            batcher.add([change(f"{block}-{line}", line, name, size=100) for line in range(40)])
            batcher.resume(name)
            batch = batcher.take()
            assert batch is not None
            assert batch.ids == [f"{number // 40}-{number % 40}" for number in range(5 * block, 5 * block + 5)]
            batcher.rest(name)
            batcher.release(name, batch.ids)
            assert batcher.ready == 0
            assert batcher._used <= 140_000, "more than the buffer and a chunk that came back"  # noqa: SLF001


@pytest.mark.parametrize("room", [None, 0, 1])
def test_rows_of_a_slow_organization_that_cannot_be_put_away_stay_within_the_buffer(room: int | None) -> None:
    """There is nowhere else to put them: the others leave, and nothing is added until some of them have left."""
    overflow = None if room is None else MemoryOverflow(room)
    batcher = Batcher(Limits(count=5, buffer=100_000), overflow)
    start_resting(batcher)
    added = 0
    while not batcher.is_full():
        added += 40
        batcher.add([change(f"{added}-{line}", line, size=100) for line in range(40)])
        batcher.add([change(f"{added}-{line}", line, "other") for line in range(3)])
        assert batcher._used <= 140_000, "more than the buffer and a block"  # noqa: SLF001
    assert {batch.organization for batch in take_all(batcher)} == {"other"}
    assert batcher.is_full()
    batcher.resume("org")
    while batcher.is_full():
        batch = batcher.take()
        assert batch is not None
        batcher.release("org", batch.ids)
    batcher.close()
    take_all(batcher)
    batcher.release("org", ["under way"])
    assert is_back_to_nothing(batcher)


def test_where_chunks_are_is_not_looked_up_by_reading_them_all() -> None:
    overflow = MemoryOverflow()
    batcher = Batcher(Limits(count=5, buffer=20_000), overflow)
    start_resting(batcher)
    batcher.add(changes(numbered(5_000), size=100))
    overflow.loaded = 0
    batcher.resume("org")
    assert 1 <= overflow.loaded <= 4


def test_rows_come_back_from_the_overflow_as_they_were() -> None:
    batcher = Batcher(Limits(count=100, buffer=3000), MemoryOverflow())
    rows = changes(numbered(99), "é\x00")
    batcher.add(rows)
    batcher.close()
    assert [row for batch in take_all(batcher) for row in batch.changes] == rows


def zipf_rows(rows: int, organizations: int) -> list[Change]:
    """Draw rows whose organizations follow Zipf's law with the exponent 1.1 (TRAPS, Batching)."""
    chance = random.Random(20_240)
    weights = [*accumulate(1 / rank**1.1 for rank in range(1, organizations + 1))]
    names = chance.choices([f"org-{rank}" for rank in range(organizations)], cum_weights=weights, k=rows)
    activity = b'{"id":"activity-000001","actionIcon":"https://example.com/icon.svg"}'
    return [Change(name, f"a{line}", line, 0, 0, 32, activity) for line, name in enumerate(names)]


@pytest.mark.parametrize(("has_overflow", "most"), [(True, 1.0), (False, 1.55)])
def test_interleaved_organizations_cost_few_requests(has_overflow: bool, most: float) -> None:
    rows = zipf_rows(200_000, 5_000)
    room = 20_000 * (len(rows[0].activity) + 301) + 5_000 * 500
    overflow = MemoryOverflow()
    batcher = Batcher(Limits(buffer=room), overflow if has_overflow else None)
    requests = 0
    for begin in range(0, len(rows), 500):
        batcher.add(rows[begin : begin + 500])
        requests += len(take_all(batcher))
    batcher.close()
    requests += len(take_all(batcher))
    best = sum(-(-count // 100) for count in Counter(row.organization for row in rows).values())
    assert best <= requests <= most * best
    assert overflow.stored < 8_000, "the fullest groups are put away, so that few have to be"
