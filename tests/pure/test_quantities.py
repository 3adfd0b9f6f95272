from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.errors import UsageError
from bulk_update.pure.pacing import Rate
from bulk_update.pure.quantities import parse_duration, parse_rate, parse_size, parse_whole


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1b", 1),
        ("500", 500),
        ("1k", 1_000),
        ("1KB", 1_000),
        ("1 kB", 1_000),
        (" 1MB ", 1_000_000),
        ("1m", 1_000_000),
        ("1MiB", 1_048_576),
        ("1KiB", 1_024),
        ("1GiB", 1_073_741_824),
        ("2gb", 2_000_000_000),
        ("2G", 2_000_000_000),
        ("256MB", 256_000_000),
        ("1.5KB", 1_500),
        ("32.3KB", 32_300),
        ("0.5KiB", 512),
        ("0.001KB", 1),
        ("1.9B", 1),
        ("0.1GiB", 107_374_182),
        ("007KB", 7_000),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(
    st.integers(0, 10**6),
    st.integers(0, 999),
    st.sampled_from([("KB", 10**3), ("MB", 10**6), ("GB", 10**9), ("KiB", 2**10), ("MiB", 2**20)]),
)
def test_no_byte_of_a_size_is_lost_to_arithmetic(whole: int, thousandths: int, unit: tuple[str, int]) -> None:
    number = f"{whole}.{thousandths:03}"
    exact = int(Fraction(number) * unit[1])
    if exact:
        assert parse_size(number + unit[0]) == exact


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1d", 86_400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("0.5", 0.5),
        (" 3 M ", 180),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5", Rate(5, 1)),
        ("5/s", Rate(5, 1)),
        ("300/m", Rate(300, 60)),
        ("1000/h", Rate(1000, 3600)),
        ("1000/H", Rate(1000, 3600)),
        (" 5/s ", Rate(5, 1)),
        ("2.5/s", Rate(2, 1)),
        ("1.999", Rate(1, 1)),
        ("0.5/s", Rate(1, 2)),
        ("0.5/m", Rate(1, 120)),
        ("100000/s", Rate(100_000, 1)),
        ("200000/h", Rate(200_000, 3600)),
        ("none", None),
        (" None ", None),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(("text", "number"), [("1", 1), (" 12 ", 12), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_a_whole_number_is_read(text: str, number: int) -> None:
    assert parse_whole(text) == number


def test_a_whole_number_is_within_its_bounds() -> None:
    assert [parse_whole(str(number), 0, 3) for number in range(4)] == [0, 1, 2, 3]
    for text, least, most in (("4", 0, 3), ("0", 1, 3), ("0", 1, None), ("1", 0, 0), ("2", 3, None)):
        with pytest.raises(UsageError, match="expected a whole number"):
            parse_whole(text, least, most)


NEVER = [
    "", " ", "-1", "+1", "1e3", ".5", "5.", "1,000", "1_000", "nan", "inf", "Infinity", "0x10", "five", "/", "/s", "٣",
    "1 2", "1..2", "1.2.3", "--", "1\n2", "9" * 400, "9" * 5000, "0." + "0" * 400 + "1", "\x00", "1\x00",
]  # fmt: skip


@pytest.mark.parametrize("parse", [parse_size, parse_duration, parse_rate, parse_whole])
@pytest.mark.parametrize("text", NEVER)
def test_what_is_no_amount_is_a_usage_error(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError, match="^found .*, expected a"):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_size, "0"),
        (parse_size, "0.9"),
        (parse_size, "0KB"),
        (parse_size, "1TB"),
        (parse_size, "1s"),
        (parse_size, "1/s"),
        (parse_size, "none"),
        (parse_duration, "0"),
        (parse_duration, "0.0s"),
        (parse_duration, "1w"),
        (parse_duration, "1mb"),
        (parse_duration, "none"),
        (parse_rate, "0"),
        (parse_rate, "0/h"),
        (parse_rate, "5/d"),
        (parse_rate, "5/ms"),
        (parse_rate, "5s"),
        (parse_rate, "5//s"),
        (parse_rate, "5/s/s"),
        (parse_rate, "5/2s"),
        (parse_rate, "100001/s"),
        (parse_whole, "1.0"),
        (parse_whole, "0"),
    ],
)
def test_an_amount_of_another_kind_is_a_usage_error(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError, match="^found '.*', expected a"):
        parse(text)


@given(st.text() | st.from_regex(r"[0-9]{1,400}(\.[0-9]{1,400})?[a-zA-Z/ ]{0,4}", fullmatch=True))
def test_any_text_is_an_amount_or_a_usage_error(text: str) -> None:
    for parse in (parse_size, parse_duration, parse_whole):
        try:
            amount = parse(text)
        except UsageError:
            continue
        assert 0 < amount < 10**30
    try:
        rate = parse_rate(text)
    except UsageError:
        return
    assert rate is None or (rate.limit >= 1 and 0 < rate.period < 10**30)
