"""How a run stands, in numbers."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import Snapshot, Status
from bulk_update.pure.standing import (
    Cadence,
    Course,
    Standing,
    as_event,
    expected_rows,
    requests_per_second,
    rows_done,
    seconds_left,
    share_done,
)
from tests.pure.standings import BEGUN, MIDWAY, run_at, say_in, standing_of

# ---------------------------------------------------------------------------------------- share done


@pytest.mark.parametrize(
    ("snapshot", "limit", "expected"),
    [
        (BEGUN, None, None),
        (run_at(1, updated=100, unsent=400), None, 10_000),
        (run_at(1, updated=100, unsent=400, bytes_total=None), None, None),
        (run_at(1, updated=100, unsent=400, bytes_total=0), None, None),
        (run_at(1, updated=100, unsent=400, bytes_total=20_000), None, 500),
        (run_at(1, updated=100, unsent=400, is_read_whole=True), None, 500),
        (BEGUN, 1_000, 1_000),
        (run_at(1, updated=100, unsent=400), 1_000, 1_000),
        (run_at(1, updated=100, unsent=400), 50_000, 10_000),
        (run_at(1, updated=100, unsent=400, bytes_total=None), 1_000, 1_000),
        (run_at(1, updated=100, unsent=400, is_read_whole=True), 1_000, 500),
    ],
)
def test_rows_are_estimated_by_bytes_and_exact_when_all_are_read(
    snapshot: Snapshot, limit: int | None, expected: float | None
) -> None:
    assert expected_rows(snapshot, limit) == expected


@pytest.mark.parametrize(
    ("snapshot", "limit", "expected"),
    [
        (BEGUN, None, None),
        (replace(BEGUN, is_read_whole=True), None, 1.0),
        (BEGUN, 100, 0.0),
        (run_at(1, updated=2_500, unsent=500), None, 0.25),
        (run_at(1, updated=9_999, unsent=1, is_read_whole=True), None, 0.999),
        (run_at(1, updated=10_000), None, 0.999),
        (run_at(1, updated=10_000, is_read_whole=True), None, 1.0),
        (run_at(1, updated=1_000), 1_000, 1.0),
        (run_at(1, updated=900, unsent=100), 1_000, 0.9),
        (run_at(1, updated=1_000, resending=400, is_read_whole=True), None, 0.6),
        (run_at(1, updated=1_000, unsent=100, resending=400, is_read_whole=True), None, 600 / 1_100),
        (run_at(1, updated=9_000, to_resend=400), None, 0.0),
        (run_at(1, updated=9_000, again=100, resending=300, to_resend=400, is_read_whole=True), None, 0.25),
        (run_at(1, updated=9_000, unsent=7, again=400, to_resend=400, is_read_whole=True), None, 1.0),
        (run_at(1, updated=9_000, to_resend=0, is_read_whole=True), None, 1.0),
    ],
)
def test_the_share_counts_rows_settled_not_rows_read(
    snapshot: Snapshot, limit: int | None, expected: float | None
) -> None:
    assert share_done(snapshot, limit) == expected


def test_rows_that_are_sent_again_are_not_done() -> None:
    assert rows_done(run_at(1, updated=1_000, resending=400)) == 600
    assert rows_done(run_at(1, updated=1_000, unsent=500, resending=400)) == 600


def test_a_retry_is_told_by_the_rows_that_it_sends_again() -> None:
    course = Course()
    course.follow(run_at(0, updated=9_000, resending=400, waiting=300, to_resend=400))
    standing = course.follow(
        run_at(10, updated=9_050, again=100, resending=300, waiting=200, unsent=7, to_resend=400, is_read_whole=True)
    )
    assert (standing.share, standing.seconds_left, standing.in_flight) == (0.25, 30, 100)


# ------------------------------------------------------------------------------ speed and time left


@pytest.mark.parametrize(
    ("seconds", "attempts", "allowed", "expected"),
    [
        (10, 49, (5, 1.0), 4.9),
        (10, 75, (5, 1.0), 5.0),
        (10, 75, None, 7.5),
        (60, 40, (60, 60.0), 40 / 60),
        (3, 12, (5, 1.0), 4.0),
        (2.9, 12, (5, 1.0), None),
    ],
)
def test_requests_per_second(
    seconds: float, attempts: int, allowed: tuple[int, float] | None, expected: float | None
) -> None:
    earlier = run_at(100, attempts=500, allowed=allowed)
    later = run_at(100 + seconds, attempts=500 + attempts, allowed=allowed)
    assert requests_per_second(earlier, later) == (None if expected is None else pytest.approx(expected))


def test_time_left_is_rows_left_at_the_speed_of_late() -> None:
    earlier, later = run_at(0), run_at(10, updated=2_000, unsent=500)
    assert seconds_left(earlier, later) == pytest.approx(8_000 / 200)
    assert seconds_left(earlier, later, limit=2_500) == pytest.approx(500 / 200)


def test_rows_of_earlier_runs_tell_nothing_of_the_speed() -> None:
    earlier, later = run_at(0), run_at(10, updated=6_000, skipped=4_000)
    assert seconds_left(earlier, later) == pytest.approx(4_000 / 200)
    assert seconds_left(earlier, run_at(10, updated=6_000, skipped=6_000)) is None


def test_time_left_is_not_told_without_a_speed_or_an_end() -> None:
    assert seconds_left(run_at(0), run_at(2.9, updated=500)) is None
    assert seconds_left(run_at(0), run_at(10)) is None
    assert seconds_left(run_at(0), run_at(10, updated=500, bytes_total=None)) is None


# ---------------------------------------------------------------------------------------- the course


def follow_steadily(course: Course, until: float, *, rows_per_second: int = 490) -> Standing:
    """Look five times a second at a run that goes on steadily."""
    ticks = range(round(until * 5) + 1)
    return [course.follow(run_at(tick / 5, updated=rows_per_second * tick // 5)) for tick in ticks][-1]


def test_a_steady_run_is_told_rightly() -> None:
    standing = follow_steadily(Course(), 15)
    assert standing.settled == 7_350
    assert standing.requests_per_second == pytest.approx(4.9, abs=0.1)
    assert standing.share == pytest.approx(0.735)
    assert standing.seconds_left == pytest.approx((10_000 - 7_350) / 490, abs=0.1)


def test_nothing_is_told_of_the_speed_at_first() -> None:
    standing = follow_steadily(Course(), 2.8)
    assert (standing.requests_per_second, standing.seconds_left) == (None, None)


def test_the_pace_is_that_of_the_last_ten_seconds() -> None:
    course = Course()
    for second in range(61):
        course.follow(run_at(second, attempts=5 * min(second, 40)))
    assert course.follow(run_at(61, attempts=200)).requests_per_second == 0


def test_the_pace_changes_once_a_second_at_most() -> None:
    course = Course()
    paces = [course.follow(run_at(tick / 5, attempts=tick + tick % 3)).requests_per_second for tick in range(100)]
    assert sum(earlier != later for earlier, later in pairwise(paces)) <= 20


def test_the_time_left_follows_the_speed_of_the_last_minute() -> None:
    course = Course()
    updated = [10 * second if second < 60 else 600 + 50 * (second - 60) for second in range(121)]
    standings = [course.follow(run_at(second, updated=rows)) for second, rows in enumerate(updated)]
    assert standings[-1].seconds_left == pytest.approx((10_000 - 3_600) / 50)


def test_a_slow_rate_is_measured_over_twenty_requests() -> None:
    course = Course()
    paces = [
        course.follow(run_at(second, attempts=second // 60, allowed=(60, 3_600.0))).requests_per_second
        for second in range(3_600)
    ]
    assert paces[-1] == pytest.approx(1 / 60, rel=0.06)


def test_what_was_before_an_outage_does_not_tell_the_time_left() -> None:
    course = Course()
    follow_steadily(course, 10)
    outage = course.follow(run_at(200, updated=4_900, outage=180.0))
    assert (outage.requests_per_second, outage.seconds_left) == (None, None)
    back = [course.follow(run_at(201 + second, updated=4_900 + 400 * second)) for second in range(6)][-1]
    assert back.seconds_left == pytest.approx((10_000 - 6_900) / 400)


def test_the_size_of_a_closed_input_is_remembered() -> None:
    course = Course()
    course.follow(run_at(1, updated=5_000, unsent=4_000))
    closed = run_at(2, updated=6_000, unsent=4_000, bytes_total=None)
    assert course.follow(closed).share == pytest.approx(0.6)


def test_rows_in_flight_are_unsent_and_do_not_wait() -> None:
    assert Course().follow(run_at(1, updated=5, unsent=300, waiting=120)).in_flight == 180
    assert Course().follow(run_at(1, updated=500, unsent=0, waiting=120)).in_flight == 0


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    updated, failed, unsent = (draw(st.integers(0, 10**6)) for _ in range(3))
    sizes = st.none() | st.integers(0, 10**9)
    return run_at(
        draw(st.floats(0, 10**6)),
        read=updated + failed + unsent,
        counts={**BEGUN.counts, Status.UPDATED: updated, Status.FAILED: failed},
        unsent=unsent,
        waiting=draw(st.integers(0, updated + failed + unsent)),
        skipped=draw(st.integers(0, updated + failed)),
        attempts=draw(st.integers(0, 10**6)),
        allowed=draw(st.none() | st.tuples(st.integers(1, 10**5), st.sampled_from([1.0, 60.0, 300.0, 3_600.0]))),
        outage=draw(st.none() | st.floats(0, 10**6)),
        bytes_read=draw(sizes),
        bytes_total=draw(sizes),
        is_read_whole=draw(st.booleans()),
    )


@given(st.lists(snapshots(), min_size=1, max_size=20), st.none() | st.integers(1, 10**6), st.integers(1, 250))
def test_any_course_can_be_told(course_of: list[Snapshot], limit: int | None, width: int) -> None:
    course, shares = Course(limit), []
    for snapshot in sorted(course_of, key=lambda snapshot: snapshot.seconds):
        standing = course.follow(snapshot)
        shares.append(standing.share or 0.0)
        assert 0 <= shares[-1] <= 1
        assert len(say_in(standing, width)) <= width
        json.dumps(as_event(standing), allow_nan=False)
    known = [share for share in shares if share]
    assert all(earlier <= later for earlier, later in pairwise(known))


# --------------------------------------------------------------------------------------- the cadence


def lines_at(cadence: Cadence, shares: Sequence[float | None], interval: float = 0.2) -> list[float]:
    """Ask once an interval; tell the seconds at which a line is due."""
    return [round(i * interval, 1) for i, share in enumerate(shares) if cadence.is_due(share, 1_000 + i * interval)]


def test_a_line_is_due_every_half_minute() -> None:
    assert lines_at(Cadence(), [None] * 500) == [30.0, 60.0, 90.0]
    assert lines_at(Cadence(), [0.05] * 500) == [30.0, 60.0, 90.0]


def test_a_line_is_due_at_each_tenth() -> None:
    shares = [second / 100 for second in range(100)]
    assert lines_at(Cadence(), shares, interval=1.0) == [10.0 * tenth for tenth in range(1, 10)]


def test_the_half_minute_begins_anew_with_each_line() -> None:
    assert lines_at(Cadence(), [0.0] * 25 + [0.1] * 200) == [5.0, 35.0]


def test_tenths_that_rush_by_make_one_line_a_second() -> None:
    shares = [i / 20 for i in range(21)]
    assert lines_at(Cadence(), shares, interval=0.1) == [1.0, 2.0]


def test_a_run_that_ends_at_once_makes_no_line() -> None:
    assert lines_at(Cadence(), [0.0, 0.5, 1.0]) == []


# -------------------------------------------------------------------------------------------- events


def test_an_event_has_stable_names() -> None:
    assert as_event(replace(MIDWAY, snapshot=replace(MIDWAY.snapshot, flying=6), in_flight=600, expected=19_000.4)) == {
        "rows": 0,
        "settled": 12_403,
        "updated": 12_400,
        "failed": 3,
        "invalid": 0,
        "unknown": 0,
        "superseded": 0,
        "unsent": 0,
        "waiting": 0,
        "in_flight": 6,
        "rows_in_flight": 600,
        "skipped": 0,
        "attempts": 0,
        "retries": 2,
        "requests_per_second": 4.94,
        "requests_per_second_allowed": 5.0,
        "done": 0,
        "expected": 19_000,
        "share": 0.639,
        "seconds": 600,
        "seconds_left": 236,
        "outage_seconds": None,
        "next_probe_seconds": None,
        "pushbacks": 0,
        "pause_seconds": 0.0,
        "complete": False,
    }


def test_an_event_of_an_unlimited_run_in_an_outage() -> None:
    event = as_event(standing_of(run_at(1, allowed=None, outage=12.3456, next_probe=3.25)))
    assert event["next_probe_seconds"] == 3.25
    assert event["requests_per_second_allowed"] is None
    assert event["outage_seconds"] == 12.346
