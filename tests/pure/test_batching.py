import itertools
import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulk_update.model import Batch, Change
from bulk_update.pure.batching import Batcher
from bulk_update.pure.group import Limits
from bulk_update.pure.wire import encode_request
from tests.effort import count_steps
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


def next_fit(rows: Sequence[Change], limits: Limits) -> int:
    """Count the requests for rows of one organization that leave in order: no count is smaller."""
    requests, batch = 0, list[Change]()
    for row in rows:
        body = len(encode_request(Batch(row.organization, [*batch, row])))
        if batch and (len(batch) == limits.count or body > limits.body):
            batch = []
        requests += not batch
        batch.append(row)
    return requests


# -------------------------------------------------------------------------------------- whatever may happen


class Course:
    """Drive a batcher at random, as a reader and senders would, and hold it to its promises."""

    def __init__(
        self, rows: Sequence[Change], limits: Limits, overflow: MemoryOverflow | None, chance: random.Random
    ) -> None:
        self.batcher = Batcher(limits, overflow)
        self.organizations = sorted({row.organization for row in rows})
        self.limits = limits
        self.chance = chance
        self.to_add = deque(rows)
        self.expected: defaultdict[tuple[str, str], deque[Change]] = defaultdict(deque)
        for row in rows:
            self.expected[row.organization, row.id].append(row)
        self.added = 0
        self.out: dict[tuple[str, str], Change] = {}
        self.unsent: list[Batch] = []
        self.taken = 0
        self.resting: set[str] = set()

    def run(self, steps: Sequence[Callable[["Course"], None]]) -> None:
        while self.to_add:
            self.chance.choice(steps)(self)
            if self.batcher.is_full():
                self.unblock()
        self.batcher.close()
        while self.taken < self.added:
            self.chance.choice([Course.take, Course.release, *steps])(self)
            self.must_go_on()
        for organization in [*self.resting]:
            self.batcher.resume(organization)
        while self.out:
            self.release()
        assert not any(self.expected.values())
        assert self.batcher.take() is None
        assert is_back_to_nothing(self.batcher)

    def add(self) -> None:
        """Add what comes next, unless there is no use in it."""
        if self.batcher.is_full():
            return
        block = [self.to_add.popleft() for _ in range(min(len(self.to_add), self.chance.choice([1, 2, 7])))]
        self.batcher.add(block)
        self.added += len(block)

    def take(self) -> None:
        passed_over = set(self.chance.sample(self.organizations, self.chance.randrange(len(self.organizations))))
        batch = self.batcher.take(passed_over) or self.batcher.take()
        if batch is None:
            return
        assert batch.changes
        assert self.batcher.ready <= (self.limits.ahead + 1) * len(self.organizations) + len(self.unsent)
        assert batch.organization not in self.resting
        assert len(batch.changes) <= self.limits.count
        assert len(batch.changes) == 1 or len(encode_request(batch)) <= self.limits.body
        ids = [row.id for row in batch.changes]
        assert len(set(ids)) == len(ids), "an id twice in one batch"
        for row in batch.changes:
            assert row.organization == batch.organization
            assert (row.organization, row.id) not in self.out, "an id in two batches under way"
            assert row == self.expected[row.organization, row.id].popleft(), "out of order, or twice"
            self.out[row.organization, row.id] = row
        self.taken += len(ids)
        self.unsent.append(batch)
        assert self.batcher.rows == self.added - self.taken

    def release(self) -> None:
        """Let some of the rows of an organization that are out be final."""
        if not self.out:
            return
        organization = self.chance.choice([*self.out])[0]
        ids = [identifier for name, identifier in self.out if name == organization]
        final = self.chance.sample(ids, self.chance.randint(1, len(ids)))
        for identifier in final:
            del self.out[organization, identifier]
        self.unsent = [each for each in self.unsent if each.organization != organization or not {*each.ids} & {*final}]
        self.batcher.release(organization, final)

    def take_back(self) -> None:
        """Let a batch of which nothing was sent wait again."""
        if not self.unsent:
            return
        batch = self.unsent.pop(self.chance.randrange(len(self.unsent)))
        for row in batch.changes:
            del self.out[row.organization, row.id]
            self.expected[row.organization, row.id].appendleft(row)
        self.taken -= len(batch.changes)
        self.batcher.take_back(batch)
        assert self.batcher.rows == self.added - self.taken

    def leave_early(self) -> None:
        self.batcher.leave_early()

    def rest(self) -> None:
        if self.out:
            organization = self.chance.choice([*self.out])[0]
            self.batcher.rest(organization)
            self.resting.add(organization)

    def resume(self) -> None:
        if self.resting:
            organization = self.chance.choice(sorted(self.resting))
            self.resting.discard(organization)
            self.batcher.resume(organization)

    def unblock(self) -> None:
        """Go on when nothing is added any more, as the senders alone would."""
        while self.batcher.is_full():
            self.must_go_on()

    def must_go_on(self) -> None:
        """Take what may leave; where nothing may, something is out whose end lets others leave."""
        before = self.taken
        self.take()
        if self.taken > before or self.taken == self.added:
            return
        if self.out:
            self.release()
        else:
            assert self.resting, "nothing may leave, and nothing is out: a deadlock"
            self.resume()


STEPS = (Course.add, Course.add, Course.take, Course.take, Course.release, Course.leave_early)
TROUBLED = (*STEPS, Course.rest, Course.resume, Course.take_back)


@st.composite
def rows_of_few_names(draw: st.DrawFn) -> list[Change]:
    """Draw changes with names that repeat."""
    organizations = draw(st.sampled_from(["o", "op", "opé", "o\x01\x02"]))
    ids = draw(st.sampled_from(["a", "abc", "abcdefghijklmnop"]))
    names = draw(st.lists(st.tuples(st.sampled_from(organizations), st.sampled_from(ids)), max_size=60))
    sizes = draw(st.sampled_from([[0], [0, 1, 2], [0, 30, 90]]))
    return [
        change(identifier, line, organization, sizes[line * 5 % len(sizes)])
        for line, (organization, identifier) in enumerate(names, 1)
    ]


LIMITS = st.builds(
    Limits,
    count=st.sampled_from([1, 2, 3, 5, 100]),
    body=st.sampled_from([200, 201, 260, 400, 100_000]),
    buffer=st.sampled_from([0, 400, 1000, 3000, 100_000]),
    ahead=st.sampled_from([1, 2, 8]),
)
OVERFLOWS = st.sampled_from([None, 0, 1, 3, float("inf"), float("inf")]).map(
    lambda room: None if room is None else MemoryOverflow(room)
)


@settings(max_examples=600)
@given(rows_of_few_names(), LIMITS, OVERFLOWS, st.sampled_from([STEPS, TROUBLED]), st.integers(0, 2**32))
@example([change("a", line) for line in range(1, 6)], Limits(), None, STEPS, 0)
@example([change("a", line) for line in range(1, 40)], Limits(buffer=1000), None, (Course.add, Course.take), 0)
@example(
    [change("a", line, organization) for line, organization in enumerate("oppo", 1)],
    Limits(count=2, body=200, buffer=0, ahead=1),
    MemoryOverflow(3),
    STEPS,
    574,
)
def test_every_change_leaves_once_in_order_and_within_the_limits(
    rows: list[Change],
    limits: Limits,
    overflow: MemoryOverflow | None,
    steps: tuple[Callable[[Course], None], ...],
    seed: int,
) -> None:
    Course(rows, limits, overflow, random.Random(seed)).run(steps)


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from("abc"), max_size=80),
    st.sampled_from([[0], [0, 40], [3, 0, 90, 150]]),
    LIMITS.filter(lambda limits: limits.body > 250),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_the_requests_are_the_fewest_with_an_overflow_or_room_enough(
    organizations: list[str], sizes: list[int], limits: Limits, has_overflow: bool, seed: int
) -> None:
    rows = [
        change(f"id-{line}", line, organization, sizes[line % len(sizes)])
        for line, organization in enumerate(organizations, 1)
    ]
    if not has_overflow:
        limits = Limits(limits.count, limits.body)
    chance = random.Random(seed)
    batcher = Batcher(limits, MemoryOverflow() if has_overflow else None)
    batches = []
    for row in rows:
        batcher.add([row])
        if chance.random() < 0.3 and (batch := batcher.take()) is not None:
            batches.append(batch)
            batcher.release(batch.organization, [row.id for row in batch.changes])
    batcher.close()
    batches += take_all(batcher)
    best = sum(next_fit([row for row in rows if row.organization == name], limits) for name in "abc")
    assert len(batches) == best
    assert is_back_to_nothing(batcher)


# -------------------------------------------------------------------------------------------- what is full


def test_a_batch_leaves_when_it_is_full_by_count() -> None:
    batcher = Batcher(Limits(count=3))
    batcher.add(changes("ab"))
    assert batcher.take() is None
    batcher.add([change("c", 3)])
    assert (batcher.ready, batcher.rows) == (1, 3)
    assert lines_of(take_all(batcher)) == [[1, 2, 3]]
    assert (batcher.ready, batcher.rows) == (0, 0)


@pytest.mark.parametrize("organization", ["o", "org-1", "é", "😀", "\x01", "\x00\x1f\x7f", '"\\', "\u2028" * 40])
@pytest.mark.parametrize("rows", [1, 2, 3, 10])
def test_a_body_is_full_to_the_byte(organization: str, rows: int) -> None:
    full = changes(numbered(rows), organization, size=11)
    body = len(encode_request(Batch(organization, full)))
    more = [*full, change("last", 99, organization)]
    batcher = Batcher(Limits(body=body))
    batcher.add(more)
    batcher.close()
    assert [len(encode_request(batch)) for batch in take_all(batcher)][0] == body
    batcher = Batcher(Limits(body=body - 1))
    batcher.add(full)
    batcher.close()
    sizes = [len(batch.changes) for batch in take_all(batcher)]
    assert sizes == ([rows - 1, 1] if rows > 1 else [1])


def test_a_batch_is_ready_as_soon_as_the_next_row_does_not_fit() -> None:
    rows = changes(numbered(4))
    batcher = Batcher(Limits(body=len(encode_request(Batch("org", rows[:3])))))
    batcher.add(rows[:3])
    assert batcher.ready == 0
    batcher.add(rows[3:])
    assert batcher.ready == 1
    assert lines_of(take_all(batcher)) == [[1, 2, 3]]


def test_many_waiting_rows_are_cut_to_the_byte() -> None:
    rows = changes(numbered(8))
    batcher = Batcher(Limits(body=len(encode_request(Batch("org", rows[:3])))))
    start_resting(batcher)
    batcher.add(rows)
    batcher.resume("org")
    batcher.close()
    assert lines_of(take_all(batcher)) == [[1, 2, 3], [4, 5, 6], [7, 8]]


def test_a_row_that_is_too_large_alone_travels_alone() -> None:
    batcher = Batcher(Limits(body=200))
    batcher.add([change("a", 1), change("b", 2, size=500), change("c", 3)])
    batcher.close()
    assert lines_of(take_all(batcher)) == [[1], [2], [3]]


def test_an_organization_whose_name_alone_is_too_large_ends_too() -> None:
    batcher = Batcher(Limits(body=200))
    batcher.add([change("a", 1, "o" * 300), change("b", 2, "o" * 300)])
    batcher.close()
    assert lines_of(take_all(batcher)) == [[1], [2]]
    assert is_back_to_nothing(batcher)


def test_smaller_bodies_are_made_after_larger_ones_were_refused() -> None:
    batcher = Batcher(Limits(count=10, body=1000))
    batcher.add(changes(numbered(8), size=20))
    batcher.lower_body(300)
    batcher.add([change("last", 9)])
    batcher.close()
    batches = take_all(batcher)
    assert all(len(encode_request(batch)) <= 300 for batch in batches)
    assert [line for lines in lines_of(batches) for line in lines] == [*range(1, 10)]
    batcher.lower_body(2000)
    batcher.add(changes(numbered(8), size=20))
    batcher.close()
    assert all(len(encode_request(batch)) <= 300 for batch in take_all(batcher)), "a body never grows again"


@pytest.mark.parametrize("sizes", [[500], [0, 500], [0, 500, 0], [500, 500]])
def test_rows_that_are_too_large_for_smaller_bodies_leave_one_by_one_after_a_rest(sizes: list[int]) -> None:
    batcher = Batcher(Limits(body=1000))
    start_resting(batcher)
    batcher.lower_body(300)
    batcher.add([change(f"id-{line}", line, size=size) for line, size in enumerate(sizes, 1)])
    batcher.resume("org")
    batcher.close()
    assert lines_of(take_all(batcher)) == [[line] for line in range(1, len(sizes) + 1)]


# --------------------------------------------------------------------------------------- the same id again


def test_a_later_change_waits_until_the_earlier_one_is_final() -> None:
    batcher = Batcher(Limits(count=2))
    batcher.add([change("a", 1), change("b", 2), change("a", 3), change("c", 4)])
    assert lines_of(take_all(batcher, release=False)) == [[1, 2]]
    batcher.add([change("d", 5)])
    assert lines_of(take_all(batcher, release=False)) == [[4, 5]]
    batcher.release("org", ["b"])
    assert batcher.take() is None
    batcher.release("org", ["a"])
    batcher.close()
    assert lines_of(take_all(batcher, release=False)) == [[3]]


@pytest.mark.parametrize("times", [2, 3, 4, 50])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("count", [1, 2, 100])
def test_many_changes_to_one_activity_leave_one_after_the_other(times: int, closed: bool, count: int) -> None:
    batcher = Batcher(Limits(count=count, buffer=0))
    batcher.add(changes("a" * times))
    batches = take_all(batcher) if not closed else []
    batcher.close()
    batches += take_all(batcher)
    assert lines_of(batches) == [[line] for line in range(1, times + 1)]
    assert is_back_to_nothing(batcher)


def test_a_change_that_comes_while_earlier_ones_are_held_goes_behind_them() -> None:
    batcher = Batcher(Limits(count=2))
    batcher.add([change("a", 1), change("b", 2), change("a", 3), change("a", 4), change("c", 5)])
    first = batcher.take()
    assert first is not None
    batcher.release("org", ["a", "b"])
    batcher.add([change("a", 6), change("d", 7)])
    batcher.close()
    lines = lines_of(take_all(batcher))
    assert [line for line in [line for batch in lines for line in batch] if line in {3, 4, 6}] == [3, 4, 6]


def test_the_same_id_of_two_organizations_is_two_activities() -> None:
    batcher = Batcher(Limits(count=1))
    batcher.add([change("a", 1, "one"), change("a", 2, "two")])
    assert lines_of(take_all(batcher, release=False)) == [[1], [2]]


def test_held_rows_take_no_place_in_a_body() -> None:
    rows = [*changes("aaa"), change("b", 4), change("c", 5)]
    batcher = Batcher(Limits(count=3, body=len(encode_request(Batch("org", rows[:3])))))
    batcher.add(rows)
    assert lines_of(take_all(batcher)) == [[1, 4, 5]]


def test_a_body_that_a_freed_row_makes_full_is_ready() -> None:
    batcher = Batcher(Limits(count=3, body=300))
    batcher.add([change("a", 1), change("b", 2), change("a", 3, size=150), change("c", 4)])
    assert lines_of(take_all(batcher, release=False)) == [[1, 2, 4]]
    batcher.add([change("d", 5, size=50)])
    batcher.release("org", ["a"])
    assert lines_of(take_all(batcher)) == [[3]]


def test_batches_are_filled_past_held_rows_with_what_is_in_the_overflow() -> None:
    batcher = Batcher(Limits(count=4, buffer=1000), MemoryOverflow())
    start_resting(batcher)
    batcher.add(changes("aabcde"))
    batcher.resume("org")
    assert lines_of(take_all(batcher, release=False)) == [[1, 3, 4, 5]]


def test_rows_that_come_back_from_the_overflow_are_cut_to_the_body() -> None:
    batcher = Batcher(Limits(count=2, body=300, buffer=1000), MemoryOverflow())
    start_resting(batcher)
    batcher.add(changes("abcdef", size=100))
    batcher.add(changes("ghijkl"))
    batcher.resume("org")
    batcher.close()
    batches = take_all(batcher)
    assert all(len(encode_request(batch)) <= 300 for batch in batches)
    assert [len(batch.changes) for batch in batches] == [1] * 5 + [2] * 3 + [1]


def test_the_size_of_rows_in_the_overflow_is_not_forgotten() -> None:
    rows = [change("a", 1), change("b", 2), change("c", 3, size=300), change("d", 4, size=300)]
    body = len(encode_request(Batch("org", rows[2:]))) - 1
    batcher = Batcher(Limits(count=2, body=body, buffer=1000), MemoryOverflow())
    start_resting(batcher)
    batcher.add(rows[:3])
    batcher.resume("org")
    assert lines_of(take_all(batcher)) == [[1, 2]]
    batcher.add(rows[3:])
    batcher.close()
    assert lines_of(take_all(batcher)) == [[3], [4]]


def test_rows_held_while_their_organization_rested_block_nothing() -> None:
    batcher = Batcher(Limits(count=3, buffer=20_000))
    start_resting(batcher)
    batcher.add(changes("a" * 50))
    assert not batcher.is_full()
    batcher.resume("org")
    assert batcher.is_full()
    assert lines_of(take_all(batcher, release=False)) == [[1]]


def test_held_rows_fill_the_buffer_and_the_senders_alone_empty_it() -> None:
    batcher = Batcher(Limits(buffer=10_000))
    added = 0
    while not batcher.is_full():
        batcher.add([change("a", added)])
        added += 1
    assert added < 40
    lines = []
    while batcher.is_full():
        batch = batcher.take()
        assert batch is not None
        lines += [row.line for row in batch.changes]
        batcher.release("org", ["a"])
    assert lines == [*range(len(lines))]


def test_a_row_that_held_ones_wait_for_is_ready_at_once_when_the_buffer_is_full() -> None:
    """Senders are woken by what is ready: what is made ready only when they ask makes them wait."""
    batcher = Batcher(Limits(count=2, buffer=20_000))
    batcher.add(changes("a" * 50))
    assert batcher.is_full()
    for _ in range(10):
        assert batcher.ready == 1
        assert batcher.take() is not None
        batcher.release("org", ["a"])


# ------------------------------------------------------------------------------------------- early and late


def test_the_group_that_has_waited_longest_leaves_early() -> None:
    batcher = Batcher(Limits(count=2))
    batcher.add([change("a", 1, "one"), change("a", 2, "two"), change("b", 3, "one"), change("c", 4, "one")])
    assert lines_of(take_all(batcher)) == [[1, 3]]
    batcher.leave_early()
    assert lines_of(take_all(batcher)) == [[2]]
    batcher.leave_early()
    assert lines_of(take_all(batcher)) == [[4]]
    batcher.leave_early()
    assert batcher.take() is None


def test_an_organization_that_rests_keeps_no_other_from_leaving_early() -> None:
    batcher = Batcher(Limits())
    start_resting(batcher)
    batcher.add([change("a", 1), change("b", 2, "two")])
    batcher.leave_early()
    assert lines_of(take_all(batcher)) == [[2]]


def test_nothing_leaves_early_by_itself() -> None:
    batcher = Batcher(Limits(count=3))
    batcher.add(changes("ab"))
    assert batcher.take() is None
    batcher.close()
    assert lines_of(take_all(batcher)) == [[1, 2]]


def test_an_organization_that_rests_holds_up_no_other() -> None:
    batcher = Batcher(Limits(count=1))
    batcher.add([change("a", 1, "one"), change("b", 2, "one"), change("a", 3, "two")])
    first = batcher.take()
    assert first is not None
    batcher.rest("one")
    batcher.add([change("c", 4, "one"), change("b", 5, "two")])
    assert lines_of(take_all(batcher)) == [[3], [5]]
    batcher.leave_early()
    batcher.close()
    assert batcher.take() is None
    assert batcher.rows == 2
    batcher.resume("one")
    batcher.release("one", ["a"])
    assert lines_of(take_all(batcher)) == [[2], [4]]
    assert is_back_to_nothing(batcher)


@pytest.mark.parametrize("is_resting", [True, False])
@pytest.mark.parametrize("closed", [True, False])
def test_what_was_taken_and_not_sent_leaves_first_of_all_as_soon_as_it_may(is_resting: bool, closed: bool) -> None:
    batcher = Batcher(Limits(count=2))
    batcher.add([change("a", 1), change("b", 2), change("a", 3), change("c", 4)])
    batch = batcher.take()
    assert batch is not None
    if is_resting:
        batcher.rest("org")
    if closed:
        batcher.close()
    batcher.take_back(batch)
    assert batcher.rows == 4
    if is_resting:
        assert batcher.take() is None
        batcher.resume("org")
    batcher.close()
    first, *others = lines_of(take_all(batcher))
    assert first == [1, 2]
    assert sorted(itertools.chain(*others)) == [3, 4]
    assert is_back_to_nothing(batcher)


def test_organizations_are_passed_over_and_keep_their_place() -> None:
    batcher = Batcher(Limits(1, 10**6, 10**9))
    batcher.add([change("a", 1, "big"), change("b", 2, "big"), change("c", 3, "small"), change("d", 4, "big")])
    assert batcher.take({"big", "small"}) is None
    assert batcher.take({"big"}).ids == ["c"]  # type: ignore[union-attr]
    assert batcher.take({"big"}) is None
    batcher.rest("big")
    assert batcher.take() is None
    batcher.resume("big")
    assert batcher.take({"big"}) is None
    assert [batcher.take({"small"}).ids for _ in range(3)] == [["a"], ["b"], ["d"]]  # type: ignore[union-attr]
    for identifier, name in (("a", "big"), ("b", "big"), ("c", "small"), ("d", "big")):
        batcher.release(name, [identifier])
    assert is_back_to_nothing(batcher)


@pytest.mark.parametrize("has_overflow", [False, True])
def test_others_leave_at_the_end_while_one_organization_is_passed_over(has_overflow: bool) -> None:
    overflow = MemoryOverflow() if has_overflow else None
    batcher = Batcher(Limits(count=2, buffer=3000), overflow)
    batcher.add(changes(["under way"], "big"))
    batcher.leave_early()
    assert batcher.take() is not None
    batcher.rest("big")
    batcher.add([*changes(numbered(100), "big"), *changes(["x"], "small"), *changes(["y"], "other")])
    batcher.close()
    batcher.resume("big")
    assert sorted(batch.ids[0] for batch in iter(lambda: batcher.take({"big"}), None)) == ["x", "y"]
    assert sum(len(batch.changes) for batch in take_all(batcher)) == 100


@pytest.mark.parametrize("size", [0, 30])
def test_rows_that_waited_long_cost_no_more_than_others(size: int) -> None:
    def steps_per_row(rows: int) -> float:
        batcher = Batcher(Limits(count=10, body=400))
        start_resting(batcher)
        batcher.add(changes(numbered(rows), size=size))
        return count_steps(lambda: batcher.resume("org")) / rows

    assert steps_per_row(5_000) <= 1.05 * steps_per_row(500)


@pytest.mark.parametrize("organization", ["other", "never seen"])
def test_resting_and_going_on_of_an_organization_without_rows_is_nothing(organization: str) -> None:
    batcher = Batcher(Limits(count=1))
    batcher.resume(organization)
    batcher.rest(organization)
    batcher.resume(organization)
    batcher.add([change("a", 1, organization)])
    assert lines_of(take_all(batcher)) == [[1]]
