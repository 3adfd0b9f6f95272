"""Rows that have their result, by content: counted right, found again, a few bytes each."""

import tracemalloc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import Status
from bulk_update.pure.settled import KeyBag, SettledRows, row_key

MOST_BYTES_A_ROW = 32

keys = st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1))
marks = st.integers(0, 3)
steps = st.lists(st.tuples(st.sampled_from(["add", "discard", "take"]), keys, marks), max_size=120)


@given(steps, st.integers(0, 200))
def test_a_bag_is_a_multiset_of_keys_and_marks(ops: list[tuple[str, int, int]], expected: int) -> None:
    bag, model = KeyBag(expected), Counter[tuple[int, int]]()
    for kind, key, mark in ops:
        held = sorted(m for k, m in model.elements() if k == key)
        if kind == "add":
            bag.add(key, mark)
            model[key, mark] += 1
        elif kind == "discard":
            assert bag.discard(key, mark) == (mark in held)
            model[key, mark] -= mark in held
        else:
            assert bag.take(key) == (held[0] if held else None)
            if held:
                model[key, held[0]] -= 1
        assert len(bag) == model.total()
        assert sorted(bag.marks(key)) == sorted(m for k, m in model.elements() if k == key)
        assert (key in bag) == any(k == key for k, _ in model.elements())


@given(st.lists(st.tuples(st.booleans(), st.lists(keys, max_size=30), marks), max_size=12), st.integers(0, 2_000))
def test_many_keys_go_in_and_out_as_one_by_one(ops: list[tuple[bool, list[int], int]], expected: int) -> None:
    bag, plain = KeyBag(expected), KeyBag()
    for adds, many, mark in ops:
        if adds:
            bag.add_all(many, mark)
            for key in many:
                plain.add(key, mark)
        else:
            assert bag.take_all(many) == [plain.take(key) for key in many]
        assert len(bag) == len(plain)
    assert all(sorted(bag.marks(key)) == sorted(plain.marks(key)) for _, many, _ in ops for key in many)


def test_a_bag_finds_every_key_however_far_it_outgrows_what_was_expected() -> None:
    bag = KeyBag(expected=1)
    numbers = [row_key("org", f"id-{number}", number) for number in range(20_000)]
    for number, key in enumerate(numbers):
        bag.add(key, number % 5)
    assert all(bag.marks(key) == [number % 5] for number, key in enumerate(numbers))
    assert all(bag.discard(key, number % 5) for number, key in enumerate(numbers))
    assert len(bag) == 0


def test_a_key_within_two_neighbours_is_not_found() -> None:
    bag = KeyBag()
    bag.add(int.from_bytes(b"\1\2\3\4\5\6\7\x08", "little"), 0x0A09)
    bag.add(int.from_bytes(b"\x0b\x0c\x0d\x0e\x0f\x10\x11\x12", "little"))
    assert int.from_bytes(b"\3\4\5\6\7\x08\x09\x0a", "little") not in bag
    assert bag.take(int.from_bytes(b"\7\x08\x09\x0a\x0b\x0c\x0d\x0e", "little")) is None


def test_a_row_takes_less_memory_than_is_promised() -> None:
    rows = 20_000
    for expected in (0, rows // 2, rows, 2 * rows):
        tracemalloc.start()
        settled = SettledRows(expected)
        for number in range(rows):
            settled.add(row_key("org", f"id-{number}", number), Status.FAILED if number % 3 else Status.UPDATED)
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        # The intake keeps as much again of the activities that a later run has sent.
        assert 2 * used / rows < MOST_BYTES_A_ROW, expected


def test_looking_up_rows_takes_no_longer_where_many_have_failed_or_are_alike() -> None:
    # Looked at are buckets, not seconds: none may hold more than a few times what it should.
    bag = KeyBag()
    for number in range(50_000):
        bag.add(row_key("org", f"id-{number}", number))
    longest = max(len(bucket or b"") for bucket in bag._buckets)  # noqa: SLF001
    assert longest < 64 * 6 * 10
    alike = SettledRows()
    for _ in range(20_000):
        alike.add(row_key(None, None, 7), Status.INVALID)
    taken = [alike.take(row_key(None, None, 7)) for _ in range(20_001)]
    assert taken == [(Status.INVALID, 0)] * 20_000 + [None]


def test_a_result_takes_the_place_of_the_one_that_it_replaces() -> None:
    settled = SettledRows()
    key = row_key("org", "a", 1)
    settled.add(key, Status.FAILED)
    settled.add(key, Status.UNKNOWN, Status.FAILED)
    assert len(settled) == 1
    assert settled.counts() == dict.fromkeys(Status, 0) | {Status.UNKNOWN: 1}


def test_the_oldest_result_of_equal_rows_is_taken_first() -> None:
    settled = SettledRows()
    key = row_key("org", "a", 1)
    settled.runs = 1
    settled.add(key, Status.FAILED)
    settled.runs = 2
    settled.add(key, Status.UPDATED)
    assert [settled.take(key) for _ in range(3)] == [(Status.FAILED, 1), (Status.UPDATED, 2), None]


def test_the_oldest_run_is_that_of_the_results_that_are_left() -> None:
    settled = SettledRows()
    assert settled.oldest_run == settled.next_run == 1
    for run in (1, 2, 3):
        settled.runs = run
        settled.add_all([row_key("org", "a", run)], Status.UPDATED)
    settled.take(row_key("org", "a", 2))
    assert settled.oldest_run == 1
    settled.add(row_key("org", "a", 1), Status.FAILED, Status.UPDATED)
    assert settled.oldest_run == 3
    settled.take_all([row_key("org", "a", 1), row_key("org", "a", 3)])
    assert settled.oldest_run == settled.next_run == 4


def test_a_retry_leaves_a_row_in_the_run_that_sent_it_first() -> None:
    settled = SettledRows()
    key = row_key("org", "a", 1)
    settled.runs = 1
    settled.add(key, Status.FAILED)
    settled.runs = 3
    settled.add(key, Status.UPDATED, Status.FAILED, is_retry=True)
    assert settled.take(key) == (Status.UPDATED, 1)


def test_runs_beyond_what_a_mark_can_hold_count_as_one() -> None:
    settled = SettledRows()
    settled.runs = 1_000_000
    settled.add(1, Status.SUPERSEDED)
    assert settled.take(1) == (Status.SUPERSEDED, settled.next_run)
    assert KeyBag().discard(1, settled.next_run) is False
