from collections.abc import Callable

import pytest

from bulk_update.model import Batch
from bulk_update.pure.ready import Ready
from tests.effort import count_steps


def ready_with(*names: str) -> Ready:
    """Make batches ready, each named `organization-number` by its only id."""
    ready = Ready()
    for name in names:
        ready.append(Batch(name.partition("-")[0], [], [name]))
    return ready


def take(ready: Ready, *passing_over: str) -> str | None:
    batch = ready.take(passing_over)
    return None if batch is None else batch.ids[0]


def take_all(ready: Ready) -> list[str | None]:
    return list(iter(lambda: take(ready), None))


def test_organizations_take_turns_and_each_keeps_its_order() -> None:
    ready = ready_with("big-1", "big-2", "big-3", "small-1", "other-1", "other-2")
    assert take_all(ready) == ["big-1", "small-1", "other-1", "big-2", "other-2", "big-3"]
    assert len(ready) == 0


def test_who_is_passed_over_keeps_its_turn() -> None:
    ready = ready_with("a-1", "a-2", "b-1", "b-2", "c-1")
    assert take(ready, "a", "b") == "c-1"
    assert take(ready, "a", "b") is None
    assert len(ready) == 4
    assert take_all(ready) == ["a-1", "b-1", "a-2", "b-2"]


def test_what_may_not_leave_is_given_back_in_its_order() -> None:
    ready = ready_with("a-1", "b-1", "a-2")
    assert [batch.ids for batch in ready.withdraw("a")] == [["a-1"], ["a-2"]]
    assert (len(ready), ready.count("a"), ready.count("b")) == (1, 0, 1)
    assert list(ready.withdraw("a")) == []
    assert take_all(ready) == ["b-1"]


@pytest.mark.parametrize(
    "work",
    [
        lambda ready: ready.take(()),
        lambda ready: ready.take({"big"}),
        lambda ready: ready.withdraw("big"),
        lambda ready: ready.append(Batch("new", [], [])),
    ],
    ids=["take", "pass over", "withdraw", "append"],
)
def test_many_batches_make_no_work(work: Callable[[Ready], object]) -> None:
    few, many = (ready_with(*(f"big-{number}" for number in range(count)), "small-1") for count in (3, 3000))
    assert count_steps(lambda: work(many)) == count_steps(lambda: work(few))
