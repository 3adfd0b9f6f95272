"""Names: the one that was most likely meant, and those of files."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

_CLOSE: Final = 0.6
"""Share of the characters that two names must have in common to be close."""

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

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


def is_url(name: str) -> bool:
    """Tell whether an input is not a path but a URL."""
    return _URL.match(name) is not None


def public_name(name: str) -> str:
    """Leave out of a URL what may be a secret: user and password, query and fragment. A path stays as it is."""
    if not is_url(name):
        return name
    scheme, _, rest = name.partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = place.partition("/")
    return f"{scheme.lower()}://{host.rpartition('@')[2]}{slash}{path}"


def without_secrets(name: str) -> str:
    """Leave out of a URL what may be a secret; that there was more is shown. A path stays as it is."""
    shown = public_name(name)
    return shown if shown == name or not is_url(name) else f"{shown}?..."


def file_name(name: str) -> str:
    """Name an input without its folders: the last part of its path, or the host of a URL that has no path."""
    return public_name(name).rstrip("/").rpartition("/")[2]


def is_text(name: str) -> bool:
    """Tell whether a word is text: bytes of it that are no UTF-8 arrive as marks that no text has."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def readable(name: str) -> str:
    """Write a file's name as text: bytes of it that are no UTF-8 are escaped."""
    return name.encode(errors="backslashreplace").decode()
