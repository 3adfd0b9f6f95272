import random

import pytest

from bulk_update.pure.concurrency import Concurrency

MOST = 16


def after(answers: int, latency: list[float], seed: int = 0) -> Concurrency:
    """Give what is enough after so many answers whose latencies are drawn from these."""
    chance, concurrency = random.Random(seed), Concurrency(MOST, None)
    for _ in range(answers):
        concurrency.answered(chance.choice(latency))
    return concurrency


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "latency",
    [[0.2], [0.02, *[0.2] * 19], [0.05, 0.1, 0.15, 0.2, 0.25, 0.3], [0.001, *[0.3] * 30], [0.1, 0.1, 0.1, 2.0]],
    ids=["steady", "seldom quick", "anything", "hardly ever quick", "often slow"],
)
def test_latency_that_varies_keeps_nobody_from_the_concurrency_that_is_allowed(latency: list[float], seed: int) -> None:
    assert after(400, latency, seed).limit == MOST


def test_where_more_at_once_only_take_longer_few_more_are_sent() -> None:
    """The server serves 4 at a time."""
    concurrency = Concurrency(100, None)
    for _ in range(5_000):
        concurrency.answered(0.1 * max(1.0, concurrency.limit / 4))
    assert concurrency.limit <= 40
