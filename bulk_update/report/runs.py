"""The runs of a ledger: when each began and ended, how, and what it was told to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bulk_update.pure.ledger_lines import FORMAT, RETRY, EndLine, RateLine, RunLine
from bulk_update.pure.shown import ELLIPSIS, cut
from bulk_update.report.data import OutageFacts, RateChange, RunFacts
from bulk_update.report.reasons import LONGEST
from bulk_update.report.series import RunSeries
from bulk_update.report.settings import rate_of, typed, whole_of

_NAMES: Final = 20
"""Inputs of a run that are named."""

_RATES: Final = 20
"""Changes of a run's rate that are told of: the last."""


@dataclass(slots=True)
class RunRecord:
    """One run as far as it is known. `now`: the last time that a line told, seconds since 1970."""

    number: int
    line: RunLine
    series: RunSeries
    now: float
    settled: int = 0
    ended: float | None = None
    end: EndLine | None = None
    rates: list[RateChange] = field(default_factory=list)

    @property
    def is_retry(self) -> bool:
        """Tell whether it sent again what the ledger had."""
        return self.line.verb == RETRY

    @property
    def inputs(self) -> list[str]:
        """Name its inputs, as many as a person reads."""
        return [name[:LONGEST] for name in self.line.inputs[:_NAMES]]

    @property
    def seconds(self) -> float:
        """Tell how long it took by its own word; 0 as long as it has said none."""
        value = self._summary.get("run_seconds")
        return float(value) if isinstance(value, int | float) else 0.0

    @property
    def seconds_unended(self) -> float:
        """Tell for how long it was heard of, if it has no end; else 0."""
        return self.series.seconds if self.end is None else 0.0

    @property
    def is_complete(self) -> bool:
        """Tell whether it read its input to the end."""
        return self._summary.get("complete") is True

    def hear(self, time: str) -> None:
        """Note the time of day; what cannot be read as one counts as no time having passed."""
        self.now = seconds_of(time, self.now)
        self.series.heard_of(self.now)

    def change_rate(self, line: RateLine) -> None:
        """Note another rate; the course is drawn under the highest of them."""
        self.hear(line.time)
        self.rates = [*self.rates, RateChange(self.now, typed(line.rate[:LONGEST]))][-_RATES:]
        rate = rate_of({"rate": line.rate})
        if self.series.rate is not None and (rate is None or _per_second(rate) > _per_second(self.series.rate)):
            self.series.rate = rate

    def close(self, line: EndLine) -> None:
        """Note its end."""
        self.hear(line.time)
        self.ended, self.end = self.now, line

    def facts(self) -> RunFacts:
        """Tell what is known."""
        stopped = self._summary.get("stopped")
        return RunFacts(
            number=self.number,
            verb=self.line.verb[:LONGEST],
            version=self.line.version[:LONGEST],
            api=self.line.api[:LONGEST],
            began=self.series.began,
            seconds=self.seconds or self.series.seconds,
            ended=self.ended,
            exit=self.end.exit if self.end is not None else None,
            stopped=cut(stopped, LONGEST, ELLIPSIS) if isinstance(stopped, str) else None,
            complete=self.is_complete,
            attempts=self.series.attempts,
            settled=self.settled,
            skipped=self._whole("skipped") or 0,
            unsent=self.unsent,
            absent=self._whole("absent"),
            process=whole_of(self.line.settings, "pid"),
            outages=self.outages,
            rates=tuple(self.rates),
        )

    @property
    def unsent(self) -> int | None:
        """Tell how many rows it has read and left without a result; None as long as it has not said so."""
        return self._whole("unsent")

    @property
    def outages(self) -> OutageFacts:
        """Tell of the outages that its summary has."""
        seconds, last = self._summary.get("outage_seconds"), self._summary.get("last_outage")
        return OutageFacts(
            self._whole("outages") or 0,
            float(seconds) if isinstance(seconds, int | float) else 0.0,
            seconds_of(last, self.series.began) if isinstance(last, str) else None,
        )

    @property
    def _summary(self) -> Mapping[str, object]:
        return self.end.summary if self.end is not None else {}

    def _whole(self, name: str) -> int | None:
        value = self._summary.get(name)
        return value if isinstance(value, int) else None


def begin_run(number: int, line: RunLine, rows_before: list[int], now: float) -> RunRecord:
    """Begin to record a run. ValueError when its ledger has a format that this version does not know."""
    if line.format != FORMAT:
        raise ValueError(f"it has format {line.format}, this version reads format {FORMAT}")
    began = seconds_of(line.time, now)
    series = RunSeries(number, line.verb[:LONGEST], began, rows_before)
    series.rate, series.concurrency = rate_of(line.settings), whole_of(line.settings, "concurrency")
    return RunRecord(number, line, series, began)


def _per_second(rate: tuple[float, float]) -> float:
    return rate[0] / rate[1]


def seconds_of(time: str, otherwise: float) -> float:
    """Read a time of day as seconds since 1970; `otherwise` when it is none."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError, OSError):
        return otherwise
