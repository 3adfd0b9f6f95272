"""Figures as people read them."""

import math
from datetime import UTC, datetime
from typing import Final

from bulk_update.pure.plural import counted
from bulk_update.pure.shown import format_duration

_SHORT: Final = 60.0
_SECOND: Final = 1000.0
_KILO: Final = 1000
_PLAIN: Final = 100.0
_TENTHS: Final = 10.0
_LAST_SECOND: Final = 253_402_300_799

count: Final = counted


def share(part: int, whole: int) -> str:
    """Write a share in percent; 100 % and 0 % are said only of all and of nothing."""
    if whole <= 0:
        return "none"
    percent = 100 * part / whole
    if part in (0, whole):
        return f"{percent:.0f} %"
    if percent < 0.1:  # noqa: PLR2004 - what is written with one digit
        return "< 0.1 %"
    tenths = percent * 10 if percent < 50 else math.floor(percent * 10)  # noqa: PLR2004 - never more than there is
    return f"{min(999, round(tenths)) / 10:g} %"


def duration(seconds: float) -> str:
    """Write a duration: `0.4 s`, `12.3 s`, `2 min 5 s`."""
    return f"{max(0.0, seconds):.1f} s" if seconds < _SHORT else format_duration(seconds)


def latency(milliseconds: float | None) -> str:
    """Write how long an attempt took: `0.8 ms`, `180 ms`, `1.24 s`, `2 min 5 s`."""
    if milliseconds is None:
        return "none"
    if milliseconds < _SECOND:
        return f"{milliseconds:.1f} ms" if milliseconds < _TENTHS else f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.3g} s" if seconds < _SHORT else format_duration(seconds)


def rate(per_second: float) -> str:
    """Write a frequency as short as its size allows: `0.25`, `4.9`, `120`, `1,200`."""
    if per_second >= _PLAIN or per_second == int(per_second):
        return f"{per_second:,.0f}"
    return f"{per_second:.1f}" if per_second >= 1 else f"{per_second:.2g}"


def size(amount: int) -> str:
    """Write bytes in the largest decimal unit that leaves a whole one."""
    value, unit = float(amount), "bytes"
    for larger in ("kB", "MB", "GB"):
        if value < _KILO:
            break
        value, unit = value / _KILO, larger
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= _TENTHS else f"{value:.1f} {unit}"


def having_result(rows: int) -> str:
    """Write how many rows have a result."""
    return f"{count(rows, 'row has', 'rows have')} a result"


def moment(seconds: float) -> datetime:
    """Make a time of day, in UTC, of seconds since 1970; what no calendar has becomes its last second."""
    return datetime.fromtimestamp(min(max(0.0, seconds), _LAST_SECOND), UTC)


def stamp(seconds: float) -> str:
    """Write a time of day in UTC: `2026-11-23 04:38:42`."""
    return f"{moment(seconds):%Y-%m-%d %H:%M:%S}"
