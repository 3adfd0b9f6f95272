"""What people are shown: amounts as they would type them, and text that is safe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.cli.streams import safe
from bulk_update.pure.quantities import parse_duration, parse_rate, parse_size
from bulk_update.pure.shown import format_duration, printable, type_duration, type_rate, type_size


@pytest.mark.parametrize("typed", ["5/s", "300/m", "1000/h", "0.2/m", "0.5/s", "0.1/h", "1/s", "120/s"])
def test_a_rate_is_shown_as_it_was_typed(typed: str) -> None:
    rate = parse_rate(typed)
    assert rate is not None
    assert type_rate(rate.limit, rate.period) == typed


def test_a_rate_that_nobody_types_is_shown_all_the_same() -> None:
    assert type_rate(7, 90.0) == "7 in 90s"


@given(st.integers(1, 10_000), st.sampled_from(["s", "m", "h"]), st.booleans())
def test_a_rate_that_is_shown_can_be_typed(amount: int, unit: str, is_fraction: bool) -> None:
    rate = parse_rate(f"{amount / 10_000 if is_fraction else amount}/{unit}")
    assert rate is not None
    shown = type_rate(rate.limit, rate.period)
    assert " in " in shown or parse_rate(shown) == rate


@pytest.mark.parametrize("typed", ["15m", "90s", "1h", "2d", "0.5s", "30s", "12.25s"])
def test_a_duration_is_shown_as_it_was_typed(typed: str) -> None:
    assert type_duration(parse_duration(typed)) == typed


@given(st.integers(1, 10**9), st.sampled_from([1, 0.001]))
def test_a_duration_that_is_shown_can_be_typed(amount: int, factor: float) -> None:
    assert parse_duration(type_duration(amount * factor)) == pytest.approx(amount * factor)


@pytest.mark.parametrize("typed", ["1MB", "256MB", "1.5MB", "64KiB", "1MiB", "500KB", "1234B", "10GB"])
def test_a_size_is_shown_as_it_was_typed(typed: str) -> None:
    assert type_size(parse_size(typed)) == typed


@given(st.integers(1, 10**13) | st.integers(1, 10**4).map(lambda amount: amount * 2**20))
def test_a_size_that_is_shown_can_be_typed(amount: int) -> None:
    assert parse_size(type_size(amount)) == amount


def test_nothing_is_an_amount_too() -> None:
    assert (type_size(0), type_duration(0.0)) == ("0B", "0s")


@given(st.text(alphabet=st.characters(), max_size=60))
def test_all_that_came_from_elsewhere_is_shown_in_one_way(text: str) -> None:
    assert safe(text) == printable(text)
    assert safe(text).isprintable()


def test_control_characters_and_marks_are_spelled_out() -> None:
    assert safe("a\x1b[2J\u202e\n") == r"a\x1b[2J\u202e\n"
    assert safe("x" * 300) == "x" * 199 + "…"


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
