"""What people write for amounts: sizes, rates, durations, shares."""

import re
from collections.abc import Sequence
from typing import Final

from bulk_update.errors import UsageError
from bulk_update.pure.pacing import Rate

_SIZES: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZES_SHORT: Final = {"k": "kb", "m": "mb", "g": "gb"}
_SECONDS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FASTEST: Final = 100_000.0
_PERIODS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_AMOUNT: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-z]*)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Read bytes: `1MB` is 1,000,000, `1MiB` is 1,048,576. UsageError if it is no size above 0."""
    amount, unit = _parts(text, "a size such as 500KB, 1MB or 1MiB")
    # Rounded first: 32.3 * 1000 is 32299.999999999996.
    size = round(amount * _SIZES.get(_SIZES_SHORT.get(unit, unit), 0), 3)
    if size < 1:
        raise UsageError(f"found {text!r}, expected a size such as 500KB, 1MB or 1MiB")
    return int(size)


def parse_duration(text: str) -> float:
    """Read seconds: `90`, `90s`, `15m`, `2h`. UsageError if it is no duration above 0."""
    amount, unit = _parts(text, "a duration such as 90s, 15m or 2h")
    factor = _SECONDS.get(unit)
    if factor is None or amount <= 0:
        raise UsageError(f"found {text!r}, expected a duration such as 90s, 15m or 2h")
    return amount * factor


def parse_rate(text: str, words: Sequence[str] = ("none",)) -> Rate | None:
    """Read a rate: `5`, `5/s`, `300/m`, `1000/h`; None for `none`. UsageError if it is no rate above 0.

    `words`: those that are understood in the place of a rate, for the error.
    """
    if text.strip().lower() == "none":
        return None
    *most, last = ("5/s", "300/m", "1000/h", *words)
    wanted = f"a rate such as {', '.join(most)} or {last}"
    number, _, unit = text.strip().lower().partition("/")
    amount, rest = _parts(number, wanted)
    period = _PERIODS.get(unit)
    if period is None or rest or amount <= 0 or amount / period > _FASTEST:
        raise UsageError(f"found {text!r}, expected {wanted}")
    return Rate.of(amount, period)


def parse_whole(text: str, least: int = 1, most: int | None = None) -> int:
    """Read a whole number from `least` to `most`. UsageError if it is none."""
    wanted = f"a whole number from {least}" + (f" to {most:,}" if most is not None else "")
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()) or not least <= int(text) <= (
        int(text) if most is None else most
    ):
        raise UsageError(f"found {text!r}, expected {wanted}")
    return int(text)


def _parts(text: str, wanted: str) -> tuple[float, str]:
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"found {text!r}, expected {wanted}")
    return float(match[1]), match[2].lower()
