"""The figures that ARCHITECTURE.md gives of batching and resuming are what the code does."""

import math
import random
import re
import tracemalloc
from collections import Counter
from collections.abc import Sequence

import pytest

from bulk_update.edge.overflow import TemporaryOverflow
from bulk_update.model import Change, Status
from bulk_update.pure.batching import Batcher
from bulk_update.pure.group import Limits, Overflow, row_cost
from bulk_update.pure.settled import SettledRows, row_key
from tests.docs.markdown import ROOT

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
ORGANIZATIONS, ROWS, SIZE, ROOM = 5_000, 200_000, 100, 20_000
A_GROUP = 500  # bytes, as `pure.batching` counts them


class FullDisk:
    """An overflow that has no room."""

    def store(self, chunks: Sequence[bytes]) -> Sequence[int]:
        raise OSError(28, "No space left on device")

    def load(self, place: int) -> bytes:
        raise AssertionError(place)


@pytest.fixture(scope="module")
def changes() -> Sequence[Change]:
    """Draw the rows that the figures are about: the organization of rank r has a share of r to the -1.1."""
    weights = [1 / rank**1.1 for rank in range(1, ORGANIZATIONS + 1)]
    drawn = random.Random(1).choices(range(ORGANIZATIONS), weights, k=ROWS)
    activity = b'{"id":"activity-000000","displayMessageTemplate":"' + b"x" * 200 + b'"}'
    return [Change(f"org-{drawn[at]}", f"a{at}", at + 1, 0, at, 8, activity) for at in range(ROWS)]


def requests(changes: Sequence[Change], overflow: Overflow | None) -> int:
    """Count the batches that the rows make."""
    batcher = Batcher(Limits(SIZE, 1_000_000, ROOM * row_cost(changes[0]) + ORGANIZATIONS * A_GROUP), overflow)
    count = 0
    for begin in range(0, len(changes), 500):
        batcher.add(changes[begin : begin + 500])
        count += drain(batcher)
    batcher.close()
    return count + drain(batcher)


def drain(batcher: Batcher) -> int:
    """Take what is ready, as if it were answered at once."""
    count = 0
    while (batch := batcher.take()) is not None:
        batcher.release(batch.organization, [change.id for change in batch.changes])
        count += 1
    return count


def told(row: str) -> int:
    """Find a number of requests in the table."""
    match = re.search(rf"^\| {row} \| ([\d,]+) \|", ARCHITECTURE, re.MULTILINE)
    assert match is not None
    return int(match[1].replace(",", ""))


def test_the_fewest_requests_are_what_is_told(changes: Sequence[Change]) -> None:
    rows = Counter(change.organization for change in changes)
    assert sum(math.ceil(count / SIZE) for count in rows.values()) == told("the fewest possible")


def test_the_requests_with_a_temporary_file_are_what_is_told(changes: Sequence[Change]) -> None:
    with TemporaryOverflow() as overflow:
        assert requests(changes, overflow) == told("with the temporary file")


def test_the_requests_without_a_temporary_file_are_what_is_told(changes: Sequence[Change]) -> None:
    assert requests(changes, None) == told("without it")


def test_the_requests_with_a_full_disk_are_what_is_told(changes: Sequence[Change]) -> None:
    match = re.search(r"refuses every write needs ([\d,]+) requests", ARCHITECTURE)
    assert match is not None
    assert requests(changes, FullDisk()) == int(match[1].replace(",", ""))


def test_the_memory_to_resume_is_what_is_told() -> None:
    match = re.search(r"a multiset that takes (\d+) bytes a row", ARCHITECTURE)
    assert match is not None
    rows = 20_000
    tracemalloc.start()
    try:
        settled = SettledRows(rows)
        for at in range(rows):
            settled.add(row_key("org", f"activity-{at}", at), Status.UPDATED)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken / rows == pytest.approx(int(match[1]), abs=1.5)
