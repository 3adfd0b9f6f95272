"""Between the reader and the senders: who is ahead waits, and nothing waits for nothing."""

import asyncio
from collections.abc import Collection, Sequence

import pytest

from bulk_update.edge.outbox import LINGER, Outbox
from bulk_update.model import Batch, Change
from bulk_update.pure.batching import Batcher
from bulk_update.pure.group import Limits
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


def changes(count: int, organization: str = "org-1", first: int = 0) -> list[Change]:
    return [
        Change(organization, f"a{n}", n, 0, n, 1, b'{"id":"a%d","actionIcon":"x"}' % n)
        for n in range(first, first + count)
    ]


def outbox_of(size: int = 10, ahead: int = 4, buffer: int = 10**9) -> Outbox:
    return Outbox(Batcher(Limits(size, 10**6, buffer)), ahead)


async def done_with(outbox: Outbox, batch: Batch | None) -> int:
    """Settle all rows of a batch; tell how many they were."""
    assert batch is not None
    outbox.release(batch.organization, [change.id for change in batch.changes])
    outbox.finish(batch.organization)
    return len(batch.changes)


async def drain(outbox: Outbox, seconds: float = 0.0) -> list[int]:
    """Take batches until there are none any more."""
    sizes = []
    while (batch := await outbox.take()) is not None:
        await asyncio.sleep(seconds)
        sizes.append(await done_with(outbox, batch))
    return sizes


async def test_full_batches_leave_at_once_and_what_is_left_at_the_end() -> None:
    outbox = outbox_of()
    await outbox.put(changes(25))
    assert [len((await outbox.take()).changes) for _ in range(2)] == [10, 10]  # type: ignore[union-attr]
    assert asyncio.get_running_loop().time() < 0.1
    for batch in (changes(10), changes(10, first=10)):
        outbox.release("org-1", [change.id for change in batch])
        outbox.finish("org-1")
    outbox.close()
    assert await drain(outbox) == [5]


async def test_with_nothing_in_it_the_end_comes_at_once() -> None:
    outbox = outbox_of()
    outbox.close()
    assert await asyncio.gather(*(outbox.take() for _ in range(8))) == [None] * 8
    assert asyncio.get_running_loop().time() < 0.1


async def test_all_who_wait_are_told_of_the_end() -> None:
    outbox = outbox_of()
    takers = [asyncio.create_task(outbox.take()) for _ in range(8)]
    await asyncio.sleep(3)
    outbox.close()
    before = asyncio.get_running_loop().time()
    assert await asyncio.gather(*takers) == [None] * 8
    assert asyncio.get_running_loop().time() - before < 0.1


async def test_the_reader_waits_when_it_is_ahead_and_goes_on_when_a_batch_is_taken() -> None:
    outbox = outbox_of(ahead=3)
    putting = asyncio.create_task(outbox.put(changes(40)))
    await asyncio.sleep(5)
    assert not putting.done()
    for _ in range(2):
        await outbox.take()
    await asyncio.sleep(0.01)
    assert putting.done()


async def test_a_slow_input_does_not_hold_back_what_has_come() -> None:
    outbox = outbox_of()
    await outbox.put(changes(3))
    with outbox.reading():
        batch = await outbox.take()
    assert batch is not None
    assert len(batch.changes) == 3
    assert LINGER <= asyncio.get_running_loop().time() < 2 * LINGER + 0.1


async def test_a_fast_input_is_given_the_time_to_fill_its_batches() -> None:
    outbox = outbox_of(size=1_000)

    async def read() -> None:
        for block in range(20):
            await outbox.put(changes(100, first=100 * block))
            with outbox.reading():
                await asyncio.sleep(0.2)  # 500 rows a second
        outbox.close()

    reading = asyncio.create_task(read())
    assert await drain(outbox) == [1_000, 1_000]
    await reading


async def test_a_reader_that_is_busy_is_not_taken_for_a_slow_input() -> None:
    outbox = outbox_of()
    await outbox.put(changes(3))
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(20)  # it does not wait for the input
    assert not taking.done()
    outbox.close()
    assert len((await taking).changes) == 3  # type: ignore[union-attr]


async def test_a_later_change_of_an_id_leaves_when_the_earlier_one_is_final() -> None:
    outbox = outbox_of(size=2)
    await outbox.put([*changes(2), *changes(2)])
    first = await outbox.take()
    second = asyncio.create_task(outbox.take())
    await asyncio.sleep(10)
    assert not second.done()
    await done_with(outbox, first)
    assert [change.id for change in (await second).changes] == ["a0", "a1"]  # type: ignore[union-attr]


async def test_the_end_is_not_told_while_a_batch_on_its_way_holds_back_another() -> None:
    outbox = outbox_of()
    await outbox.put([*changes(1), *changes(1)])
    outbox.close()
    first = await outbox.take()
    others = [asyncio.create_task(outbox.take()) for _ in range(5)]
    await asyncio.sleep(10)
    assert not any(other.done() for other in others)
    await done_with(outbox, first)
    await asyncio.sleep(0.01)
    (second,) = [other.result() for other in others if other.done()]
    assert await done_with(outbox, second) == 1
    assert [taken for taken in await asyncio.gather(*others) if taken is not None] == [second]


async def test_rows_held_behind_others_do_not_grow_without_bound() -> None:
    outbox, fed = outbox_of(size=10, buffer=50_000), 0

    async def read() -> None:
        nonlocal fed
        for _ in range(400):
            await outbox.put(changes(10))  # the same ten ids, again and again
            fed += 10
        outbox.close()

    reading = asyncio.create_task(read())
    await asyncio.sleep(10)
    assert fed < 1_000
    assert sum(await drain(outbox)) == 4_000
    await reading


async def test_an_organization_that_rests_lets_others_pass_and_is_not_forgotten() -> None:
    outbox = outbox_of(size=5)
    await outbox.put([*changes(5, "sick"), *changes(5, "well")])
    outbox.rest("sick")
    batch = await outbox.take()
    assert batch is not None
    assert batch.organization == "well"
    await done_with(outbox, batch)
    outbox.close()
    resting = asyncio.create_task(outbox.take())
    await asyncio.sleep(10)
    assert not resting.done()
    outbox.resume("sick")
    batch = await resting
    assert batch is not None
    assert batch.organization == "sick"


@pytest.mark.parametrize("senders", [1, 3, 32])
async def test_every_row_leaves_once_however_many_take(senders: int) -> None:
    outbox = outbox_of(size=7, ahead=5)
    everything = [change for n in range(11) for change in changes(50, f"org-{n % 4}", first=30 * n)]

    async def read() -> None:
        for at in range(0, len(everything), 23):
            await outbox.put(everything[at : at + 23])
        outbox.close()

    seen: list[Sequence[Change]] = []

    async def send() -> None:
        while (batch := await outbox.take()) is not None:
            seen.append(batch.changes)
            await asyncio.sleep(0.1)
            await done_with(outbox, batch)

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        for _ in range(senders):
            group.create_task(send())
    assert sorted(change.line for batch in seen for change in batch) == sorted(change.line for change in everything)
    assert outbox.rows == 0


class CountingBatcher(Batcher):
    """Count how often somebody asks for a batch."""

    asked = 0

    def take(self, passing_over: Collection[str] = ()) -> Batch | None:
        self.asked += 1
        return super().take(passing_over)


async def test_a_batch_that_is_done_wakes_one_sender_however_many_have_nothing_to_do() -> None:
    batcher = CountingBatcher(Limits(10, 10**6, 10**9))
    outbox = Outbox(batcher, 500)
    await outbox.put(changes(200))
    batches = [await outbox.take() for _ in range(20)]
    idle = [asyncio.ensure_future(outbox.take()) for _ in range(300)]
    outbox.close()
    await asyncio.sleep(0.1)
    before = batcher.asked
    for batch in batches[1:]:
        await done_with(outbox, batch)
        await asyncio.sleep(0.1)
    assert batcher.asked - before <= 2 * len(batches)
    await done_with(outbox, batches[0])
    assert await asyncio.gather(*idle) == [None] * 300


async def test_batches_that_become_ready_at_once_are_taken_at_once() -> None:
    outbox = outbox_of(ahead=100)
    takers = [asyncio.ensure_future(outbox.take()) for _ in range(20)]
    await asyncio.sleep(LINGER / 2)
    await outbox.put(changes(200))
    began = asyncio.get_running_loop().time()
    assert all(await asyncio.gather(*takers))
    assert asyncio.get_running_loop().time() - began < 0.001
