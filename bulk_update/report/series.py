"""A run over time in bins whose width doubles: as fine as can be, and never more than 128 of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bulk_update.model import Status
from bulk_update.report.attempts import ORDER, OUTCOMES, AttemptOutcome
from bulk_update.report.data import Course, Stretch
from bulk_update.report.latency import Histogram

MOST_BINS: Final = 128
FINEST: Final = 0.125
"""Seconds of a bin, at least."""

STATUSES: Final = tuple(Status)
PLACES: Final = {status: place for place, status in enumerate(STATUSES)}

_SCRAP: Final = 0.3
"""Share of a bin that a run must fill, at least, for its last bin to stand by itself."""


@dataclass(slots=True)
class _Bin:
    """What happened in one bin. `busy`: seconds of attempts in flight. `rows`: results won and lost."""

    first: int = 0
    retries: int = 0
    busy: float = 0.0
    outcomes: list[int] = field(default_factory=lambda: [0] * len(OUTCOMES))
    rows: list[int] = field(default_factory=lambda: [0] * len(STATUSES))
    latency: Histogram = field(default_factory=Histogram)

    def merge(self, other: "_Bin") -> None:
        """Add what happened in another."""
        self.first += other.first
        self.retries += other.retries
        self.busy += other.busy
        self.outcomes = [mine + theirs for mine, theirs in zip(self.outcomes, other.outcomes, strict=True)]
        self.rows = [mine + theirs for mine, theirs in zip(self.rows, other.rows, strict=True)]
        self.latency.merge(other.latency)


class RunSeries:
    """Follow one run. `rows_before`: results that the ledger had when it began, in the order of `Status`."""

    def __init__(self, run: int, verb: str, began: float, rows_before: Sequence[int]) -> None:
        self.run = run
        self.verb = verb
        self.began = began
        self.rate: tuple[float, float] | None = None
        self.concurrency: int | None = None
        self.attempts = 0
        self.seconds = 0.0
        self._rows_before = list(rows_before)
        self._width = FINEST
        self._bins: list[_Bin] = []

    def attempt(
        self, ended: float, milliseconds: float, outcome: AttemptOutcome, *, is_retry: bool, has_left: bool = True
    ) -> None:
        """Count an attempt. `ended`: seconds since 1970; a clock that goes back counts as standing still.

        `has_left`: it came as far as a connection; else it is none of those that the rate is about.
        """
        end = max(0.0, ended - self.began)
        left = max(0.0, end - max(0.0, milliseconds) / 1000)
        self.attempts += 1
        ending = self._at(end)
        ending.outcomes[ORDER[outcome]] += 1
        if outcome is AttemptOutcome.VERDICTS:
            ending.latency.add(milliseconds)
        leaving = self._bins[int(left / self._width)]
        if is_retry:
            leaving.retries += has_left
        else:
            leaving.first += has_left
        if leaving is ending:
            ending.busy += end - left
        else:
            self._occupy(left, end)

    def settle(self, at: float, rows: Sequence[int]) -> None:
        """Count results won (and, where they replace others, lost), in the order of `Status`."""
        bin_ = self._at(max(0.0, at - self.began))
        for place, change in enumerate(rows):
            if change:
                bin_.rows[place] += change

    def heard_of(self, at: float) -> None:
        """Note that the run went on until then."""
        self.seconds = max(self.seconds, at - self.began)

    def course(self, most: int) -> Course:
        """Draw up the run in at most so many stretches (from 1)."""
        factor = 1
        while len(self._bins) > most * factor:
            factor *= 2
        width = self._width * factor
        bins = [_merged(self._bins[at : at + factor]) for at in range(0, len(self._bins), factor)]
        if len(bins) > 1 and self.seconds - (len(bins) - 1) * width < _SCRAP * width:
            bins[-2].merge(bins.pop())
        stretches = self._stretches(bins, width)
        return Course(self.run, self.verb, self.began, self.seconds, self.rate, self.concurrency, stretches)

    def forget(self) -> None:
        """Let go of the bins: this run is not to be charted."""
        self._bins = []

    def _at(self, offset: float) -> _Bin:
        self.seconds = max(self.seconds, offset)
        place = int(offset / self._width)
        while place >= MOST_BINS:
            self._bins = [_merged(self._bins[at : at + 2]) for at in range(0, len(self._bins), 2)]
            self._width *= 2
            place = int(offset / self._width)
        while len(self._bins) <= place:
            self._bins.append(_Bin())
        return self._bins[place]

    def _occupy(self, left: float, end: float) -> None:
        width = self._width
        for place in range(int(left / width), int(end / width) + 1):
            self._bins[place].busy += max(0.0, min(end, (place + 1) * width) - max(left, place * width))

    def _stretches(self, bins: Sequence[_Bin], width: float) -> list[Stretch]:
        window = self.rate[1] if self.rate is not None else 1.0
        reach = max(1, int(window / width))
        rows, stretches = self._rows_before, list[Stretch]()
        for place, bin_ in enumerate(bins):
            begin = place * width
            end = max(begin + FINEST, self.seconds) if place == len(bins) - 1 else begin + width
            since = max(0, place - reach + 1)
            recent = bins[since : place + 1]
            # A whole number of seconds, in which no more can have left than the rate allows in each.
            over = max(window, math.ceil(end - since * width))
            rows = [had + won for had, won in zip(rows, bin_.rows, strict=True)]
            stretches.append(
                Stretch(
                    begin,
                    end - begin,
                    bin_.first,
                    bin_.retries,
                    tuple(bin_.outcomes),
                    sum(each.first for each in recent) / over,
                    sum(each.retries for each in recent) / over,
                    tuple(sum(ended) / over for ended in zip(*(each.outcomes for each in recent), strict=True)),
                    bin_.busy / (end - begin),
                    bin_.latency.percentiles(),
                    tuple(rows),
                )
            )
        return stretches


def courses_of(series: Sequence[RunSeries], most: int) -> list[Course]:
    """Draw up runs beside each other, in about `most` stretches together; each has some."""
    if not series:
        return []
    fair = max(4, most // (2 * len(series)))
    total = sum(each.seconds for each in series) or 1.0
    return [each.course(max(fair, round(most * each.seconds / total))) for each in series]


def _merged(bins: Sequence[_Bin]) -> _Bin:
    merged = _Bin()
    for each in bins:
        merged.merge(each)
    return merged
