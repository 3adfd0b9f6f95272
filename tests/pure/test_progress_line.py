"""The progress line: its words, and which of them fit."""

from dataclasses import replace
from typing import Final

import pytest

from bulk_update.model import Status
from bulk_update.pure.progress_line import (
    ASCII,
    Part,
    Tone,
    bar_width,
    describe,
    draw_bar,
    fit,
    format_estimate,
    format_pace,
)
from tests.pure.standings import BEGUN, MIDWAY, OUTAGE, run_at, say, say_in, standing_of


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


def test_requests_in_flight_are_told_also_while_there_are_none() -> None:
    standing = standing_of(run_at(5, attempts=3), share=0.5)
    assert say(standing) == "0 updated · 0 failed · 0 in flight · 50 %"
    busy = replace(standing, snapshot=replace(standing.snapshot, flying=1))
    assert say(busy) == "0 updated · 0 failed · 1 in flight · 50 %"


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
