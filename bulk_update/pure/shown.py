"""What people are shown: text that is safe to be shown, durations, and amounts as they would type them."""

from collections.abc import Sequence
from typing import Final

LONGEST_MESSAGE: Final = 1_000
"""Characters of a message that are shown."""

ELLIPSIS: Final = "…"

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_TYPED_DURATIONS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s"))
_TYPED_PERIODS: Final = ((1.0, "s"), (60.0, "m"), (3_600.0, "h"))
_TYPED_SIZES: Final = (
    (10**9, "GB"),
    (10**6, "MB"),
    (10**3, "KB"),
    (2**30, "GiB"),
    (2**20, "MiB"),
    (2**10, "KiB"),
    (1, "B"),
)


def printable(message: str, longest: int = LONGEST_MESSAGE) -> str:
    r"""Make a message safe for a terminal: escape what does not print (`\x1b`), cut what is long."""
    head = message[: longest + 1]
    if not head.isprintable():
        head = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    return cut(head, longest, ELLIPSIS)


def cut(text: str, width: int, ellipsis: str) -> str:
    """Cut a text that is wider than `width` columns, 0 or more."""
    return text if len(text) <= width else (text[: max(0, width - len(ellipsis))] + ellipsis)[:width]


def format_duration(seconds: float) -> str:
    """Write a duration in its two largest units: `45 s`, `2 min 5 s`, `1 h 12 min`, `3 d 4 h`."""
    left, words = max(0, int(seconds)), list[str]()
    for length, unit in _UNITS:
        amount, left = divmod(left, length)
        if amount:
            words.append(f"{amount:,} {unit}")
        if words and (not amount or len(words) == 2):  # noqa: PLR2004 - the two largest
            break
    return " ".join(words) or "0 s"


def type_rate(limit: float, period: float) -> str:
    """Write a rate as a person types it: `5/s`, `300/m`, `0.2/m`. `period`: seconds."""
    whole = [f"{limit:.15g}/{unit}" for length, unit in _TYPED_PERIODS if length == period]
    # Below one in a unit, a rate is kept as one request in a longer period: that is how it was typed.
    parts = [f"{length / period:.6g}/{unit}" for length, unit in _TYPED_PERIODS if limit == 1 and length < period]
    exact = [text for text in parts if "e" not in text and _period(text) == period]
    return next(iter(whole), _shortest(exact) or f"{limit:.15g} in {type_duration(period)}")


def type_duration(seconds: float) -> str:
    """Write a duration as a person types it: `15m`, `90s`, `0.5s`."""
    whole = (f"{seconds / length:.0f}{unit}" for length, unit in _TYPED_DURATIONS if seconds % length == 0)
    return next(whole, f"{seconds:.15g}s") if seconds > 0 else "0s"


def type_size(amount: int) -> str:
    """Write bytes as a person types them: `1MB`, `1.5MB`, `64KiB`."""
    shown = ((f"{amount / factor:.15g}", factor, unit) for factor, unit in _TYPED_SIZES)
    return _shortest([f"{text}{unit}" for text, factor, unit in shown if _is(text, factor, amount)])


def _is(text: str, factor: int, amount: int) -> bool:
    """Tell whether a number of units is just the amount, and no fraction of one unit."""
    return (amount >= factor or factor == 1) and float(text) * factor == amount


def _period(text: str) -> float:
    """Read back the period of a rate below one in its unit."""
    amount, _, unit = text.partition("/")
    return next(length for length, name in _TYPED_PERIODS if name == unit) / float(amount)


def _shortest(texts: Sequence[str]) -> str:
    return min(texts, key=len, default="")
