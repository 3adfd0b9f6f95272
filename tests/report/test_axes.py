"""Scales and marks: round, few, and with room for all that is drawn."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bulk_update.report.axes import Scale, ticks_of

values = st.floats(1e-6, 1e12)


@given(values, values, st.booleans(), st.booleans())
def test_a_scale_has_room_for_everything(one: float, other: float, may_be_log: bool, is_whole: bool) -> None:
    least, most = sorted((one, other))
    scale = Scale.of(least, most, may_be_log=may_be_log, is_whole=is_whole)
    assert scale.least <= least
    assert most <= scale.most * (1 + 1e-9)
    assert 2 <= len(scale.ticks) <= 20
    assert list(scale.ticks) == sorted(set(scale.ticks))
    assert 0.0 <= scale.share(least) <= scale.share(most) <= 1.0


def test_nothing_has_a_scale_too() -> None:
    assert Scale.of(0.0, 0.0).ticks == (0.0, 1.0)
    assert Scale.of(0.0, float("inf")).ticks == (0.0, 1.0)


def test_rows_are_marked_whole() -> None:
    assert Scale.of(0.0, 1.0, is_whole=True).ticks == (0.0, 1.0)


def test_latencies_far_apart_are_drawn_by_decades() -> None:
    assert Scale.of(8.0, 30_000.0, may_be_log=True).ticks == (1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
    assert not Scale.of(100.0, 400.0, may_be_log=True).is_log


@given(st.floats(0, 4e9), st.floats(0.1, 1e9), st.floats(0.05, 1.0))
def test_times_do_not_touch(began: float, seconds: float, room: float) -> None:
    ticks = ticks_of(began, seconds, room)
    assert ticks[0].offset == 0.0
    assert len(ticks) <= 1 / room + 2
    for before, after in pairwise(ticks):
        assert after.offset - before.offset >= 0.99 * room * seconds - 1e-6


def test_times_are_round() -> None:
    ticks = ticks_of(1_795_399_230.0, 300.0, 0.15)  # 02:00:30 UTC
    assert [tick.label for tick in ticks][:4] == ["02:00", "02:02", "02:03", "02:04"]
    assert [tick.label for tick in ticks_of(1_795_399_200.0, 864_000.0, 0.1)][:3] == ["Nov 23", "Nov 25", "Nov 26"]
