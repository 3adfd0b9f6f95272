"""The busiest window, against counting by hand."""

import pytest

from tests.servers.window import busiest_window


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 1.0, 2.0], 1),  # half-open: a window of one second holds one of two that are a second apart
        ([0.0, 0.5, 0.75, 1.0], 3),
        ([1.0, 0.75, 0.0, 0.5], 3),
        ([0.0] * 7 + [1.0], 7),
        ([0.9, 0.95, 1.05, 1.1, 3.0], 4),  # what a count by whole seconds would miss
    ],
)
def test_counts_the_most_in_any_second(times: list[float], expected: int) -> None:
    """Hold what counting each window by hand gives."""
    assert busiest_window(times, 1.0) == expected


def test_agrees_with_counting_every_window() -> None:
    """Hold for a longer list and a window that is no whole number of steps."""
    times = [(n * n * 7919 % 1000) / 100 for n in range(200)]
    by_hand = max(sum(start <= time < start + 0.37 for time in times) for start in times)
    assert busiest_window(times, 0.37) == by_hand
