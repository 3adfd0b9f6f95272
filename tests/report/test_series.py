"""A run over time: what was counted stays counted, however its bins are merged."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import Status
from bulk_update.report.attempts import OUTCOMES, AttemptOutcome
from bulk_update.report.series import MOST_BINS, RunSeries, courses_of

attempts = st.lists(
    st.tuples(st.floats(-10, 1e6), st.floats(0, 1e7), st.sampled_from(OUTCOMES), st.booleans(), st.integers(0, 100)),
    max_size=60,
)


def series(rate: tuple[float, float] | None = (5.0, 1.0), before: int = 0) -> RunSeries:
    made = RunSeries(1, "run", 1000.0, [before, 0, 0, 0, 0])
    made.rate = rate
    return made


@given(attempts, st.integers(1, 200))
def test_nothing_is_lost_or_doubled(made: list[tuple[float, float, AttemptOutcome, bool, int]], most: int) -> None:
    run = series(before=7)
    for at, ms, outcome, is_retry, rows in made:
        run.attempt(1000.0 + at, ms, outcome, is_retry=is_retry)
        run.settle(1000.0 + at, [rows, 0, 0, 0, 0])
    for course in (run.course(most), run.course(most)):
        stretches = course.stretches
        assert len(stretches) <= most
        assert sum(stretch.first + stretch.retries for stretch in stretches) == len(made)
        assert sum(sum(stretch.outcomes) for stretch in stretches) == len(made)
        assert sum(stretch.latency.attempts for stretch in stretches) == sum(
            outcome is AttemptOutcome.VERDICTS for _, _, outcome, _, _ in made
        )
        if stretches:
            assert stretches[-1].rows[0] == 7 + sum(rows for *_, rows in made)
            busy = sum(stretch.in_flight * stretch.seconds for stretch in stretches)
            flown = sum(min(ms / 1000, max(0.0, at)) for at, ms, *_ in made)
            assert busy == pytest.approx(flown, rel=1e-6, abs=1e-6)
        for before, after in pairwise(stretches):
            assert after.begin == pytest.approx(before.begin + before.seconds)


@given(st.integers(1, 50), st.floats(0.0, 5.0), st.integers(20, 400))
def test_what_keeps_to_the_limit_is_never_shown_above_it(limit: int, late: float, count: int) -> None:
    run = series((float(limit), 1.0))
    for number in range(count):
        left = 1000.0 + late + number * 1.012 / limit
        run.attempt(left + 0.25, 250.0, AttemptOutcome.VERDICTS, is_retry=False)
    for most in (144, 20, 3):
        assert max(each.first_rate for each in run.course(most).stretches) <= limit + 1e-6


def test_a_limit_by_the_minute_is_compared_by_the_minute() -> None:
    run = series((300.0, 60.0))
    for number in range(300):  # all at once, as is allowed
        run.attempt(1010.0 + number * 0.01, 100.0, AttemptOutcome.VERDICTS, is_retry=False)
    run.heard_of(1030.0)
    assert max(each.first_rate for each in run.course(144).stretches) <= 5.0


def test_bins_are_few_however_long_a_run_is() -> None:
    run = series()
    for number in range(5_000):
        run.attempt(1000.0 + number * 97.0, 50.0, AttemptOutcome.VERDICTS, is_retry=False)
    assert MOST_BINS / 4 < len(run.course(1000).stretches) <= MOST_BINS


def test_runs_share_the_stretches_by_how_long_they_took() -> None:
    long, short = series(), series()
    for number in range(1000):
        long.attempt(1000.0 + number, 50.0, AttemptOutcome.VERDICTS, is_retry=False)
    for number in range(30):
        short.attempt(1000.0 + number / 10, 50.0, AttemptOutcome.VERDICTS, is_retry=False)
    counts = [len(course.stretches) for course in courses_of([long, short], 144)]
    assert 60 <= counts[0] <= 144
    assert 18 <= counts[1] <= 72
    assert courses_of([], 144) == []


def test_statuses_keep_their_places() -> None:
    run = series()
    run.settle(1001.0, [0, 2, 0, 1, 0])
    run.settle(1002.0, [1, -1, 0, 0, 0])
    assert dict(zip(Status, run.course(9).stretches[-1].rows, strict=True)) == {
        Status.UPDATED: 1,
        Status.FAILED: 1,
        Status.INVALID: 0,
        Status.UNKNOWN: 1,
        Status.SUPERSEDED: 0,
    }
