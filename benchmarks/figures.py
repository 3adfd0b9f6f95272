"""Figures: a median with its spread, and tables of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """What several runs showed."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return median(self.values)

    def against(self, other: "Figure") -> "Figure":
        """Divide run by run, so that what slowed both of a round down cancels out."""
        return Figure([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])

    def words(self, digits: int = 2, factor: float = 1.0) -> str:
        """Write the median, and the least and the most where there are several."""
        shown = f"{self.median * factor:,.{digits}f}"
        if len(self.values) == 1:
            return shown
        return f"{shown} ({min(self.values) * factor:,.{digits}f} to {max(self.values) * factor:,.{digits}f})"


def digits_for(value: float) -> int:
    """Choose how many decimals tell enough of a value."""
    return 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - three figures say enough


def counted(number: int, noun: str) -> str:
    """Write how many there are of something."""
    return f"{number:,} {noun}" + ("s" if number != 1 else "")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table, in Markdown: the first column is words, the others are numbers."""
    cells = [list(headers), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    lines = [_line(row, widths) for row in cells]
    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {' | '.join([first, *others])} |"
