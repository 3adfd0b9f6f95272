"""Long lines on a terminal: parted between words, so that what belongs together is seen to."""

from textwrap import wrap
from typing import Final

_LEAST_ROOM: Final = 20


def wrapped(line: str, columns: int | None, indent: int = 2) -> list[str]:
    """Part a line that is wider than the terminal between words; what follows the first is indented.

    Where there is no terminal (`columns` is None), or hardly any room, it stays one line: for `grep`.
    """
    if columns is None or len(line) < columns or columns < indent + _LEAST_ROOM:
        return [line]
    return wrap(line, columns - 1, subsequent_indent=" " * indent, break_on_hyphens=False)
