import math
import random
from bisect import bisect_left, bisect_right
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulk_update.pure.pacing import JITTER, Rate, SlidingWindow

RATES = st.builds(Rate, st.integers(1, 12), st.sampled_from([0.1, 1.0, 7.5, 60.0, 3600.0]))
CLOCKS = st.sampled_from([0.0, 1e-9, 12345.678, 1.7e9])


def most_in_a_window(left: list[float], period: float) -> int:
    """Count the most that any window holds, both of its ends included."""
    return max((bisect_right(left, begin + period) - at for at, begin in enumerate(left)), default=0)


def run_greedily(window: SlidingWindow, begin: float, seconds: float) -> list[float]:
    """Let one leave whenever one may; each wait ends when it was said to end."""
    left, now = list[float](), begin
    while True:
        waits = 0
        while (wait := window.wait(now)) > 0:
            now += wait
            waits += 1
            assert waits < 3, "a wait that ends too early for ever"
        if now >= begin + seconds:
            return left
        window.leave(now)
        left.append(now)


# ------------------------------------------------------------------------------------------- the promise


@settings(max_examples=300)
@given(RATES, st.lists(st.floats(0, 2), max_size=150), CLOCKS, st.booleans())
def test_no_window_ever_holds_more_than_the_limit(rate: Rate, gaps: list[float], begin: float, patient: bool) -> None:
    window, now, left = SlidingWindow(rate), begin, list[float]()
    for gap in gaps:
        now += gap * rate.period / rate.limit
        while patient and (wait := window.wait(now)) > 0:
            now += wait
        if window.wait(now) == 0:
            window.leave(now)
            left.append(now)
    assert most_in_a_window(left, rate.period) <= rate.limit
    assert most_in_a_window(left, rate.period + JITTER * 0.9) <= rate.limit, "not even if they arrive unevenly"


@given(RATES, CLOCKS)
def test_what_is_allowed_is_used(rate: Rate, begin: float) -> None:
    """Of the rate, at least the share that the stretched window leaves: 98 % of a window of a second."""
    left = run_greedily(SlidingWindow(rate), begin, 20.5 * (rate.period + JITTER))
    assert len(left) == 21 * rate.limit
    assert rate.period / (rate.period + JITTER) > (0.98 if rate.period >= 1 else 0.89)


@pytest.mark.parametrize(("rate", "least"), [(Rate(5, 1.0), 0.98), (Rate(300, 60.0), 0.98), (Rate(1000, 1.0), 0.98)])
def test_the_share_of_a_rate_that_is_used_over_time(rate: Rate, least: float) -> None:
    windows = 100
    left = run_greedily(SlidingWindow(rate), 0.0, windows * rate.period)
    assert least * windows * rate.limit <= len(left) <= (windows + 1) * rate.limit


def test_the_edge_of_a_window_doubles_nothing() -> None:
    window = SlidingWindow(Rate(3, 1.0))
    for now in (0.8, 0.9, 0.99):
        assert window.wait(now) == 0
        window.leave(now)
    assert window.wait(1.0) == pytest.approx(0.8 + JITTER)
    assert window.wait(1.8 + JITTER - 1e-9) > 0
    assert window.wait(1.8 + JITTER) == pytest.approx(0)


def test_a_rest_earns_no_more_than_one_window() -> None:
    window = SlidingWindow(Rate(2, 1.0))
    window.leave(0.0)
    for _ in range(2):
        assert window.wait(1000.0) == 0
        window.leave(1000.0)
    assert window.wait(1000.0) > 0


def test_a_wait_that_is_waited_is_over() -> None:
    """Under a virtual clock a remainder of 2e-16 must not spin for ever."""
    chance = random.Random(3)
    for _ in range(20_000):
        rate = Rate(1, chance.choice([1.0, 0.1, 60.0, 1 / 3]))
        window = SlidingWindow(rate)
        now = chance.uniform(0, 10.0 ** chance.randint(0, 9))
        window.leave(now)
        now += chance.uniform(0, rate.period)
        for _ in range(3):
            now += window.wait(now)
        assert window.wait(now) == 0


def test_emptiness_is_told() -> None:
    window = SlidingWindow(Rate(2, 1.0))
    assert window.is_empty(0.0)
    window.leave(5.0)
    assert not window.is_empty(5.0)
    assert not window.is_empty(6.0)
    window.leave(5.5)
    assert not window.is_empty(6.4 + JITTER)
    assert window.is_empty(6.501 + JITTER)


def test_no_more_is_remembered_than_the_limit() -> None:
    window = SlidingWindow(Rate(10, 1.0))
    for now in range(1000):
        window.leave(float(now))
    assert len(window._left) == 10  # noqa: SLF001


# --------------------------------------------------------------------------------------- another rate meanwhile


@given(st.lists(st.tuples(st.integers(1, 8), st.lists(st.floats(0, 0.3), max_size=12)), min_size=1, max_size=8), CLOCKS)
@example([(5, [0.0] * 5), (2, []), (5, [0.0] * 5)], 0.0)
@example([(5, [0.0] * 5), (2, [0.0]), (3, [0.0] * 5)], 0.0)
def test_what_has_left_counts_for_another_limit(phases: list[tuple[int, list[float]]], begin: float) -> None:
    window, now, left = SlidingWindow(Rate(phases[0][0], 1.0)), begin, list[float]()
    for limit, gaps in phases:
        window.change(Rate(limit, 1.0))
        assert window.rate == Rate(limit, 1.0)
        for gap in gaps:
            now += gap
            if window.wait(now) == 0:
                window.leave(now)
                left.append(now)
                assert len(left) - bisect_left(left, now - 1.0) <= limit


def test_a_longer_window_counts_what_the_shorter_one_remembers() -> None:
    window = SlidingWindow(Rate(5, 1.0))
    for _ in range(5):
        window.leave(10.0)
    window.change(Rate(5, 60.0))
    assert window.wait(11.1) == pytest.approx(10 + 60 + JITTER - 11.1)


# ------------------------------------------------------------------------------------------- rates of any amount


@pytest.mark.parametrize(
    ("amount", "period", "rate"),
    [
        (5, 1.0, Rate(5, 1.0)),
        (1, 1.0, Rate(1, 1.0)),
        (2.5, 1.0, Rate(2, 1.0)),
        (1.999, 60.0, Rate(1, 60.0)),
        (0.5, 1.0, Rate(1, 2.0)),
        (0.2, 60.0, Rate(1, 300.0)),
        (0.001, 1.0, Rate(1, 1000.0)),
    ],
)
def test_a_rate_is_made_of_whole_requests(amount: float, period: float, rate: Rate) -> None:
    assert Rate.of(amount, period) == rate


@given(st.floats(1e-6, 1e5), st.sampled_from([1.0, 60.0, 3600.0]))
def test_a_rate_never_allows_more_than_the_amount(amount: float, period: float) -> None:
    rate = Rate.of(amount, period)
    assert rate.limit >= 1
    if amount >= 1:
        assert (rate.limit, rate.period) == (math.floor(amount), period)
    else:
        allowed = Fraction(amount) / Fraction(period) * (1 + Fraction(1, 2**50))
        assert Fraction(rate.limit) / Fraction(rate.period) <= allowed


@given(RATES)
def test_spacing_and_pace_are_those_of_the_stretched_window(rate: Rate) -> None:
    assert rate.spacing * rate.limit == pytest.approx(rate.period + JITTER)
    assert rate.per_second * rate.spacing == pytest.approx(1)
    assert rate.per_second * rate.period < rate.limit
