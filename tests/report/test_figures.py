"""Figures as people read them, and none that says more than is so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.report import figures


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (999_999, 1_000_000, "99.9 %"),
        (1, 1_000_000, "< 0.1 %"),
        (1, 3, "33.3 %"),
        (2, 3, "66.6 %"),
        (1, 0, "none"),
    ],
)
def test_a_share_is_whole_only_when_it_is(part: int, whole: int, text: str) -> None:
    assert figures.share(part, whole) == text


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_part_is_never_all_and_never_nothing(one: int, other: int) -> None:
    assert figures.share(one, one + other) not in ("0 %", "100 %")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0.84, "0.8 ms"),
        (180.4, "180 ms"),
        (1_240.0, "1.24 s"),
        (30_000.0, "30 s"),
        (125_000.0, "2 min 5 s"),
        (None, "none"),
    ],
)
def test_latencies(milliseconds: float | None, text: str) -> None:
    assert figures.latency(milliseconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.031, "0.031"), (4.94, "4.9"), (5.0, "5"), (1_234.5, "1,234")]
)
def test_rates(value: float, text: str) -> None:
    assert figures.rate(value) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(1, "1 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (25_000_000, "25 MB")]
)
def test_sizes(amount: int, text: str) -> None:
    assert figures.size(amount) == text


@pytest.mark.parametrize("seconds", [-1e300, 0.0, 1e300, 253_402_300_799.5])
def test_no_time_is_beyond_the_calendar(seconds: float) -> None:
    assert len(figures.stamp(seconds)) == 19
