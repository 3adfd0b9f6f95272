import pytest

from bulk_update.pure.instants import time_text, timestamp_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "s", "1970-01-01T00:00:00"),
        (-1, "ms", "1969-12-31T23:59:59.999"),
        (1_795_408_913_045_000_001, "ns", "2026-11-23T04:41:53.045000001"),
        (1, "us", "1970-01-01T00:00:00.000001"),
        (253_402_300_799, "s", "9999-12-31T23:59:59"),
    ],
)
def test_a_timestamp_has_the_digits_of_its_unit(value: int, unit: str, text: str) -> None:
    assert timestamp_text(value, unit, is_utc=False) == text
    assert timestamp_text(value, unit, is_utc=True) == f"{text}Z"


@pytest.mark.parametrize("value", [253_402_300_800, -62_135_596_801, 2**62])
def test_what_no_calendar_has_is_an_overflow(value: int) -> None:
    with pytest.raises(OverflowError):
        timestamp_text(value, "s", is_utc=True)


def test_a_time_has_the_digits_of_its_unit() -> None:
    assert time_text(61, "s") == "00:01:01"
    assert time_text(86_399_999, "ms") == "23:59:59.999"
    assert time_text(1, "ns") == "00:00:00.000000001"
