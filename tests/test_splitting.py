"""Requests that are refused whole: the culprits are found, each at its price, and nobody else pays."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Collection, Iterable

import pytest

from bulk_update.model import Answer
from tests.fake_api import FakeApi, Sent, carry_out_with, failing, updated
from tests.runs import plan, row, rows
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


def most_requests(count: int, culprits: int) -> float:
    """Tell what no culprits exceed, wherever they are: those in which they part from each other included."""
    if culprits == 0:
        return 1
    levels = math.log2(count / culprits)
    return min(2 * culprits * math.ceil(levels) + 2 * culprits - 1, 1 + 2 * culprits * levels + 2 * culprits)


def few_requests(count: int, culprits: int) -> float:
    """Tell what few culprits take: the first request, and 2k·log2(n/k) + k in which they are found."""
    return 1 + 2 * culprits * math.log2(count / culprits) + culprits


async def requests_for(count: int, culprits: Iterable[int]) -> int:
    """Send one batch; tell how many requests it took. Every row ends right, and is applied once at most."""
    bad = {f"a{number}" for number in culprits}

    def behave(sent: Sent) -> Answer:
        return failing("INVALID_ARGUMENT", 400, "bad") if bad & {*sent.ids} else updated(sent)

    api = FakeApi(behave, latency=0.01)
    done = await carry_out_with(api, rows(count), plan(1_000))
    statuses = {result["id"]: result["status"] for result in done.ledger.results.values()}
    assert statuses == {f"a{n}": "failed" if f"a{n}" in bad else "updated" for n in range(count)}
    applied = Counter(identifier for sent in api.sent if not bad & {*sent.ids} for identifier in sent.ids)
    assert applied == Counter({f"a{n}": 1 for n in range(count) if f"a{n}" not in bad})
    return len(api.sent)


def subsets(count: int) -> Iterable[Collection[int]]:
    return itertools.chain.from_iterable(itertools.combinations(range(count), size) for size in range(count + 1))


@pytest.mark.parametrize("count", range(1, 7))
async def test_any_culprits_of_a_small_batch_are_found_at_their_price(count: int) -> None:
    for culprits in subsets(count):
        assert await requests_for(count, culprits) <= most_requests(count, len(culprits))


@pytest.mark.parametrize("count", [9, 31, 64, 100, 128, 1_000])
async def test_culprits_anywhere_in_a_batch_are_found_at_their_price(count: int) -> None:
    chance = random.Random(count)
    for size in sorted({1, 2, 3, count // 10, min(count, 64)} - {0}):
        clustered = range(first := chance.randrange(count - size + 1), first + size)
        spread = [number * count // size for number in range(size)]
        for culprits in (clustered, spread, chance.sample(range(count), size)):
            assert await requests_for(count, culprits) <= most_requests(count, size)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10])
async def test_few_culprits_are_found_in_few_requests(size: int) -> None:
    chance = random.Random(size)
    for _ in range(20):
        first = chance.randrange(100 - size + 1)
        spread = [number * 100 // size + chance.randrange(100 // size) for number in range(size)]
        for culprits in (range(first, first + size), spread, chance.sample(range(100), size)):
            assert await requests_for(100, culprits) <= few_requests(100, size)


async def test_what_was_refused_with_a_half_that_is_fine_is_not_asked_for_whole() -> None:
    """The culprit is the last row: of the halves in which it must be, only the last is sent, the row itself."""
    assert await requests_for(128, [127]) == 1 + 7 + 1


async def test_where_every_row_is_refused_it_takes_little_more_than_a_request_for_each() -> None:
    assert await requests_for(100, range(100)) <= 107
    assert await requests_for(100, range(40, 90)) <= 80


@pytest.mark.parametrize("place", [0, 1, 49, 50, 98, 99])
async def test_a_row_that_is_too_large_by_itself_fails_alone(place: int) -> None:
    def behave(sent: Sent) -> Answer:
        return Answer(413, b"") if sum(map(len, sent.activities)) > 5_000 else updated(sent)

    changes = [row(f"a{n}", entityData="x" * (6_000 if n == place else 10)) for n in range(100)]
    api = FakeApi(behave, latency=0.01)
    done = await carry_out_with(api, changes, plan(100, concurrency=1))
    assert (done.summary.updated, done.summary.failed) == (99, 1)
    assert done.ledger.error(place + 1)["http"] == 413
    assert len(api.sent) <= most_requests(100, 1)


async def test_requests_that_follow_one_that_is_too_large_are_half_as_large_at_most() -> None:
    sizes: list[int] = []

    def behave(sent: Sent) -> Answer:
        sizes.append(sum(map(len, sent.activities)))
        return Answer(413, b"") if sizes[-1] > 10_000 else updated(sent)

    changes = [row(f"a{n}", entityData="x" * 200) for n in range(1_000)]
    done = await carry_out_with(FakeApi(behave, latency=0.01), changes, plan(100, concurrency=1))
    assert done.summary.updated == 1_000
    # A batch and its halves, of each of two senders at most; those that were ready by then are cut before they leave.
    assert sum(size > 10_000 for size in sizes) <= 4
    assert len(sizes) <= 2.5 * sum(size for size in sizes if size <= 10_000) / 10_000 + 4
