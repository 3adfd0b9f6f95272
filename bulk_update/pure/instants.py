"""Points in time as text: ISO 8601, with as many digits as their unit has."""

from datetime import UTC, datetime, timedelta
from typing import Final

_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DIGITS: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the zone is written by whoever knows it


def stamp(seconds: float) -> str:
    """Write seconds since 1970 as lines of a ledger have them: in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_text(value: int, unit: str, *, is_utc: bool) -> str:
    """Write a number of units since 1970: `2026-11-23T04:41:53.045Z`, without the Z where no zone is known.

    OverflowError beyond the years 1 to 9999.
    """
    seconds, rest = divmod(value, _PER_SECOND[unit])
    when = _EPOCH + timedelta(seconds=seconds)
    return when.isoformat() + _fraction(rest, unit) + ("Z" if is_utc else "")


def time_text(value: int, unit: str) -> str:
    """Write a number of units since midnight: `04:41:53.045`."""
    seconds, rest = divmod(value, _PER_SECOND[unit])
    return (_EPOCH + timedelta(seconds=seconds)).time().isoformat() + _fraction(rest, unit)


def _fraction(rest: int, unit: str) -> str:
    return f".{rest:0{_DIGITS[unit]}d}" if _DIGITS[unit] else ""
