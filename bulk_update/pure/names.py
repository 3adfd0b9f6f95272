"""Names: the one that was most likely meant, and those of files."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known name that `word` was most likely meant to be, or None."""
    folded = {name.lower().replace("_", "").replace("-", ""): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("_", "").replace("-", ""), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def readable(name: str) -> str:
    """Write a file's name as text: bytes of it that are no UTF-8 are escaped."""
    return name.encode(errors="backslashreplace").decode()
