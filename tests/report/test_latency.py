"""Percentiles from a histogram of a few hundred buckets."""

import random

import pytest

from bulk_update.report.latency import Histogram, Percentiles


def histogram(*durations: float) -> Histogram:
    made = Histogram()
    for duration in durations:
        made.add(duration)
    return made


def test_nothing_has_no_percentiles() -> None:
    assert histogram().percentiles() == Percentiles()


def test_one_duration_is_every_percentile() -> None:
    told = histogram(182.5).percentiles()
    assert told.attempts == 1
    assert told.p50 == told.p90 == told.p99 == pytest.approx(182.5, rel=0.03)
    assert told.most == 182.5


def test_percentiles_are_right_to_three_percent() -> None:
    chance = random.Random(1)
    durations = sorted(chance.lognormvariate(5, 1.2) for _ in range(20_000))
    told = histogram(*durations).percentiles()
    for value, share in ((told.p50, 0.5), (told.p90, 0.9), (told.p99, 0.99)):
        assert value == pytest.approx(durations[int(share * len(durations)) - 1], rel=0.03)
    assert told.most == durations[-1]


def test_histograms_add_up() -> None:
    both = histogram(*range(1, 500))
    both.merge(histogram(*range(500, 1000)))
    whole = histogram(*range(1, 1000))
    assert both.percentiles() == whole.percentiles()


@pytest.mark.parametrize("odd", [0.0, -5.0, 1e-9, 1e300])
def test_what_no_clock_measures_is_counted_all_the_same(odd: float) -> None:
    assert histogram(odd, 10.0).total == 2
    assert len(histogram(*[odd] * 1000).counts) == 1
