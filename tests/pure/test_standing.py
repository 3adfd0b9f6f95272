"""How a run stands, in numbers and in words."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import Snapshot, Status
from bulk_update.pure.progress_line import (
    ASCII,
    UNICODE,
    Part,
    Tone,
    bar_width,
    describe,
    draw_bar,
    fit,
    format_estimate,
    format_pace,
)
from bulk_update.pure.shown import format_duration, printable
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

BEGUN = Snapshot(
    read=0,
    counts=dict.fromkeys(Status, 0),
    unsent=0,
    waiting=0,
    skipped=0,
    attempts=0,
    retries=0,
    seconds=0.0,
    allowed=(5, 1.0),
    outage=None,
    bytes_read=0,
    bytes_total=1_000_000,
    is_read_whole=False,
)


def run_at(seconds: float, *, updated: int = 0, unsent: int = 0, **others: object) -> Snapshot:
    """Make a snapshot of a run whose rows have 100 bytes each."""
    read = updated + unsent
    snapshot = replace(
        BEGUN,
        read=read,
        counts={**BEGUN.counts, Status.UPDATED: updated},
        unsent=unsent,
        attempts=updated // 100,
        seconds=seconds,
        bytes_read=read * 100,
    )
    return replace(snapshot, **others)  # type: ignore[arg-type]


def say(standing: Standing) -> str:
    """Join the parts of a line as they are shown."""
    return UNICODE.separator.join(part.text for part in describe(standing))


def say_in(standing: Standing, width: int) -> str:
    """Join the parts that are kept in so many columns."""
    return UNICODE.separator.join(part.text for part in fit(describe(standing), width))


def standing_of(snapshot: Snapshot, **others: float) -> Standing:
    settled = sum(snapshot.counts.values())
    return replace(Standing(snapshot, settled, in_flight=0), **others)  # type: ignore[arg-type]


MIDWAY = standing_of(
    run_at(600, counts={**BEGUN.counts, Status.UPDATED: 12_400, Status.FAILED: 3}, retries=2),
    share=0.639,
    requests_per_second=4.94,
    seconds_left=236,
)
OUTAGE = replace(MIDWAY, snapshot=replace(MIDWAY.snapshot, outage=125.0), requests_per_second=None)


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


# ------------------------------------------------------------------------------------------ in words


def test_the_line() -> None:
    assert say(MIDWAY) == ("12,400 updated · 3 failed · 4.9 of 5 requests/s · 2 retries · 63 % · 4 min left")


def test_an_outage_stands_in_place_of_the_time_left() -> None:
    assert say(OUTAGE) == (
        "12,400 updated · 3 failed · 2 retries · 63 % · no success for 2 min 5 s · one request at a time"
    )


def test_in_an_outage_the_next_try_is_announced() -> None:
    waiting = replace(OUTAGE, snapshot=replace(OUTAGE.snapshot, next_probe=11.2))
    assert say(waiting).endswith("no success for 2 min 5 s · next try in 12 s")


def test_what_is_amiss_is_named() -> None:
    counts = dict.fromkeys(Status, 1) | {Status.UPDATED: 0}
    standing = standing_of(run_at(5, counts=counts, retries=1, skipped=1_234), share=0.5)
    assert say(replace(standing, snapshot=replace(standing.snapshot, flying=16))) == (
        "0 updated · 1,234 done before · 1 failed · 1 invalid · 1 unknown · 1 superseded · 1 retry · "
        "16 in flight · 50 %"
    )


def test_without_an_end_in_sight_the_time_so_far_is_told() -> None:
    assert say(standing_of(run_at(125))) == "0 updated · 0 failed · 2 min 5 s so far"


def test_a_hundred_percent_is_told_of_nothing_but_the_end() -> None:
    assert "99 %" in say(standing_of(BEGUN, share=0.9999))
    assert "100 %" in say(standing_of(BEGUN, share=1.0))


def test_no_time_is_left_at_the_end() -> None:
    assert say(standing_of(BEGUN, share=1.0, seconds_left=0.0)) == "0 updated · 0 failed · 100 %"


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (200, "12,400 updated · 3 failed · 4.9 of 5 requests/s · 2 retries · 63 % · 4 min left"),
        (79, "12,400 updated · 3 failed · 4.9 of 5/s · 2 retries · 63 % · 4 min left"),
        (59, "12,400 updated · 3 failed · 4.9 of 5/s · 63 % · 4 min left"),
        (48, "12,400 updated · 3 failed · 4.9 of 5/s · 63 %"),
        (40, "12,400 updated · 3 failed · 4.9 of 5/s"),
        (37, "12,400 updated · 3 failed"),
        (14, "12,400 updated"),
        (10, "12,400 up…"),
        (1, "…"),
        (0, ""),
    ],
)
def test_a_narrow_line_keeps_what_matters_most(width: int, line: str) -> None:
    assert say_in(MIDWAY, width) == line


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            95,
            "12,400 updated · 3 failed · 2 retries · 63 % · no success for 2 min 5 s · one request at a time",
        ),
        (65, "12,400 updated · 3 failed · 63 % · no success for 2 min 5 s"),
        (48, "12,400 updated · 3 failed · stalled 2 min 5 s"),
        (34, "12,400 updated · stalled 2 min 5 s"),
    ],
)
def test_a_narrow_line_keeps_the_outage(width: int, line: str) -> None:
    assert say_in(OUTAGE, width) == line


SIXTY: Final = 59
"""Columns of a line on a terminal of sixty: the last one stays free."""


@pytest.mark.parametrize(
    ("hindrance", "words"),
    [
        ({}, ["4.9 of 5"]),
        ({"pushbacks": 12}, ["4.9 of 5", "12 pushbacks"]),
        ({"outage": 725.0, "next_probe": 11.2}, ["stalled 12 min 5 s"]),
        ({"pause": 90.0, "pushbacks": 12}, ["waits 1 min 30 s"]),
    ],
)
def test_sixty_columns_have_room_for_the_rate_and_for_what_stands_in_the_way(
    hindrance: dict[str, float], words: list[str]
) -> None:
    many = {**BEGUN.counts, Status.UPDATED: 123_456, Status.FAILED: 1_234}
    snapshot = replace(MIDWAY.snapshot, counts=many, retries=7, flying=16, **hindrance)  # type: ignore[arg-type]
    pace = None if "outage" in hindrance else 4.94
    line = say_in(replace(MIDWAY, snapshot=snapshot, requests_per_second=pace), SIXTY)
    assert [word for word in words if word not in line] == []
    assert line.startswith("123,456 updated · 1,234 failed · ")


def test_nothing_comes_and_goes_as_the_time_left_changes() -> None:
    lines = {say_in(replace(MIDWAY, seconds_left=left), 61).rsplit(" · ", 1)[0] for left in range(5, 3_600, 5)}
    assert len(lines) == 1


def test_a_cut_line_ends_in_what_the_stream_can_write() -> None:
    (part,) = fit([Part("12,400 updated", rank=0)], 8, ASCII)
    assert part.text == "12,40..."


def test_failures_and_trouble_are_told_apart() -> None:
    tones = {part.text: part.tone for part in describe(OUTAGE)}
    assert tones["3 failed"] is Tone.FAILURE
    assert tones["no success for 2 min 5 s"] is Tone.TROUBLE
    assert tones["12,400 updated"] is Tone.PLAIN


@pytest.mark.parametrize(
    ("share", "bar"),
    [
        (0.0, "──────────"),
        (0.05, "╾─────────"),
        (0.5, "━━━━━─────"),
        (0.559, "━━━━━╾────"),
        (0.999, "━━━━━━━━━╾"),
        (1.0, "━━━━━━━━━━"),
        (7.0, "━━━━━━━━━━"),
        (-1.0, "──────────"),
    ],
)
def test_the_bar(share: float, bar: str) -> None:
    assert "".join(draw_bar(share, 10)) == bar


def test_the_bar_in_ascii() -> None:
    assert draw_bar(0.5, 10, ASCII) == ("#####", "-----")


@pytest.mark.parametrize(("columns", "width"), [(1, 0), (59, 0), (71, 0), (72, 12), (80, 13), (200, 33), (999, 40)])
def test_the_width_of_the_bar(columns: int, width: int) -> None:
    assert bar_width(columns) == width


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (4_325, "1 h 12 min"),
        (86_400, "1 d"),
        (273_700, "3 d 4 h"),
        (86_400 * 1_234.0, "1,234 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.1, "5 s"),
        (5.1, "10 s"),
        (60, "1 min"),
        (60.1, "2 min"),
        (236, "4 min"),
        (3_599, "1 h"),
        (4_325, "1 h 20 min"),
        (86_399, "1 d"),
        (86_401, "1 d 1 h"),
    ],
)
def test_estimates_are_rounded_up(seconds: float, text: str) -> None:
    assert format_estimate(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "allowed", "text"),
    [
        (4.94, (5, 1.0), "4.9 of 5 requests/s"),
        (0.0, (5, 1.0), "0.0 of 5 requests/s"),
        (49.4, (50, 1.0), "49 of 50 requests/s"),
        (1_234.5, (2_000, 1.0), "1,234 of 2,000 requests/s"),
        (4.8, (300, 60.0), "288 of 300 requests/min"),
        (1_000 / 3_600, (1_000, 3_600.0), "1,000 of 1,000 requests/h"),
        (0.5, (1, 2.0), "30 of 30 requests/min"),
        (1 / 300, (1, 300.0), "12 of 12 requests/h"),
        (1 / 9_000, (1, 9_000.0), "0.4 of 0.4 requests/h"),
        (4.94, None, "4.9 requests/s"),
        (512.3, None, "512 requests/s"),
    ],
)
def test_the_pace_is_told_in_the_unit_in_which_it_is_allowed(
    per_second: float, allowed: tuple[int, float] | None, text: str
) -> None:
    assert format_pace(per_second, allowed) == text


# ------------------------------------------------------------------------------------ safe messages


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("naïve 日本語, fine", "naïve 日本語, fine"),
        ("red \x1b[31mtext", r"red \x1b[31mtext"),
        ("two\r\nlines\ttab", r"two\r\nlines\ttab"),
        ("c1 \x9b2J", r"c1 \x9b2J"),
        ("bidi \u202eevil\u202c \u200f", r"bidi \u202eevil\u202c \u200f"),
        ("line\u2028 sep, bom\ufeff", r"line\u2028 sep, bom\ufeff"),
        ("alone \udc80", r"alone \udc80"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_escaped(message: str, shown: str) -> None:
    assert printable(message) == shown


def test_a_long_message_is_cut() -> None:
    assert printable("x" * 1_000) == "x" * 1_000
    assert printable("x" * 1_001) == "x" * 999 + "…"
    assert printable("\n" * 10, longest=10) == r"\n\n\n\n" + "\\…"


@given(st.text(), st.integers(1, 50))
def test_any_message_is_printable_and_short(message: str, longest: int) -> None:
    shown = printable(message, longest)
    assert shown.isprintable()
    assert len(shown) <= longest


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


# ------------------------------------------------------------------------------------------ push-back


def test_a_pause_that_the_server_asked_for_is_told_in_place_of_the_time_left() -> None:
    snapshot = replace(MIDWAY.snapshot, pause=75.0, pushbacks=3)
    told = [part.text for part in describe(replace(MIDWAY, snapshot=snapshot))]
    assert "the server asked to wait 1 min 15 s" in told
    assert "pushed back 3 times" in told


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 retry · pushed back 1 time"), (2, "2 retries · pushed back 2 times")]
)
def test_nouns_go_with_their_numbers(count: int, words: str) -> None:
    assert words in say(replace(MIDWAY, snapshot=replace(MIDWAY.snapshot, retries=count, pushbacks=count)))
