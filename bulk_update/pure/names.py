"""Names: the one that was most likely meant, and those of files."""

import difflib
from collections.abc import Iterable
from typing import Final

_CLOSE: Final = 0.6
"""Share of the characters that two names must have in common to be close."""

_FAR: Final = 2 / _CLOSE - 1
"""A word so many times as long as a name has no such share in common with it."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known name that `word` was most likely meant to be, or None."""
    folded = {_fold(name): name for name in known}
    plain = _fold(word)
    if len(plain) > _FAR * max(map(len, folded), default=0):
        return None
    close = difflib.get_close_matches(plain, folded, n=1, cutoff=_CLOSE)
    return folded[close[0]] if close else None


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def readable(name: str) -> str:
    """Write a file's name as text: bytes of it that are no UTF-8 are escaped."""
    return name.encode(errors="backslashreplace").decode()
