"""Fold the appends of a ledger into what a report tells, in bounded memory and about 1 us a row."""

import heapq
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, groupby
from operator import attrgetter
from typing import Final, cast

from bulk_update.model import RowError, Status
from bulk_update.pure.commands import SANDBOX, are_csv, main_job, positional, reading, target
from bulk_update.pure.ledger_lines import (
    CutLine,
    EndLine,
    Line,
    RateLine,
    RequestLine,
    ResultLine,
    RunLine,
    SendingLine,
    decode_lines,
)
from bulk_update.pure.ledger_state import is_answered
from bulk_update.pure.retrying import Trouble
from bulk_update.pure.seals import Append
from bulk_update.pure.shown import ELLIPSIS, cut
from bulk_update.report.attempts import OUTCOMES, AttemptOutcome, outcome_of
from bulk_update.report.data import OutageFacts, ReportData, SlowAttempt
from bulk_update.report.doubts import Doubts
from bulk_update.report.latency import Histogram
from bulk_update.report.organizations import OrganizationTally
from bulk_update.report.reasons import LONGEST, Reasons
from bulk_update.report.runs import RunRecord, begin_run
from bulk_update.report.series import PLACES, STATUSES, RunSeries, courses_of
from bulk_update.report.settings import settings_of

RUNS: Final = 100
"""Runs that are told of: the first and the latest."""

CHARTED: Final = 6
"""Runs that are charted: those with most attempts."""

STRETCHES: Final = 144
"""Stretches of time in a chart, about."""

SLOWEST: Final = 20
ORGANIZATIONS: Final = 25
REASONS: Final = 50

_COMMAND: Final = 2_000
"""Characters that the words of a command may have to be shown."""

_NO_RUN: Final = "it does not begin with a run"

_what: Final = attrgetter("organization_id", "status", "was")


class Gathering:
    """Take in a ledger, append by append, in order; then tell."""

    def __init__(self) -> None:
        self._rows = [0] * len(STATUSES)
        self._reasons = Reasons()
        self._doubts = Doubts()
        self._organizations = OrganizationTally()
        self._latency = Histogram()
        self._outcomes = dict.fromkeys(OUTCOMES, 0)
        self._slowest: list[tuple[float, int, SlowAttempt]] = []
        self._runs: list[RunRecord] = []
        self._charted: list[RunSeries] = []
        self._requests = 0
        self._retries = 0
        self._seconds = 0.0
        self._unended = 0.0
        self._complete = False
        self._is_in_order = False
        self._has_no_invalid = False
        self._main: RunLine | None = None
        self._unsent: int | None = None
        self._outages = OutageFacts()
        self._cut = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether no run has been found."""
        return not self._runs

    def fold(self, append: Append) -> None:
        """Take in what one append tells. ValueError when a line is not the ledger's, or comes before any run."""
        for kind, lines in groupby(decode_lines(append.lines), type):
            if kind is ResultLine:
                self._settle(cast(list[ResultLine], list(lines)))
            else:
                for line in lines:
                    self._take(line)

    def data(self, ledger: str, torn: int = 0, here: str = "") -> ReportData:
        """Tell what was gathered. `ledger`: its path. `torn`: bytes after its last whole append.

        `here`: the folder where commands are to run, "" where that is not known.
        """
        in_doubt, doubtful = self._doubts.count()
        counts = dict(zip(STATUSES, self._rows, strict=True))
        apart = Status.INVALID if self._has_no_invalid else None  # mended: they are not in the input any more
        if apart is not None:
            counts[apart] = 0
        reasons, are_outdated = self._reasons.list(counts)
        series = sorted(self._busiest(), key=lambda each: each.run)
        last = self._runs[-1].line
        main = self._main or last
        return ReportData(
            ledger=ledger,
            inputs=self._runs[-1].inputs,
            is_csv=are_csv(main),
            main_job=_within_bounds([*main_job(ledger, main, here), *reading(main), *target(last, here)]),
            retry=_within_bounds(["retry", positional(ledger), *(target(last, here) if last.api == SANDBOX else ())]),
            counts=counts,
            unsent=self._unsent,
            in_doubt=0 if self._is_in_order else in_doubt,  # what is left of them the input no longer has
            doubtful=doubtful,
            requests=self._requests,
            attempts=sum(self._outcomes.values()),
            retries=self._retries,
            seconds=self._seconds,
            at_work=self._unended + self._seconds + self._runs[-1].seconds_unended,
            complete=self._complete,
            outcomes=dict(self._outcomes),
            latency=self._latency.percentiles(),
            courses=courses_of(series, STRETCHES),
            reasons=reasons[:REASONS],
            reasons_left=len(reasons[REASONS:]),
            reasons_outdated=are_outdated,
            organizations=self._organizations.facts(ORGANIZATIONS, apart),
            organizations_total=self._organizations.total(),
            is_rough=self._organizations.is_rough,
            slowest=[attempt for _, _, attempt in sorted(self._slowest, key=lambda each: (-each[0], each[1]))],
            settings=settings_of([run.line.settings for run in self._runs]),
            runs=[run.facts() for run in self._runs],
            runs_total=self._runs[-1].number,
            outages=self._outages,
            torn=torn,
            cut=self._cut,
        )

    def _take(self, line: Line) -> None:
        if type(line) is RunLine:
            self._begin(line)
        elif not self._runs:
            raise ValueError(_NO_RUN)
        elif type(line) is SendingLine:
            self._doubts.send(line, is_retry=self._runs[-1].is_retry)
        elif type(line) is RequestLine:
            self._attempt(line)
        elif type(line) is EndLine:
            self._end(line)
        elif type(line) is RateLine:
            self._runs[-1].change_rate(line)
        elif type(line) is CutLine:
            self._cut += line.bytes

    def _settle(self, results: Sequence[ResultLine]) -> None:
        """Count results; only where some are not plainly updated are they looked at one by one."""
        if not self._runs:
            raise ValueError(_NO_RUN)
        run, change = self._runs[-1], [0] * len(STATUSES)
        kinds = Counter(map(_what, results))
        for (organization, status, was), rows in kinds.items():
            moves = [(status, rows), (was, -rows)] if was else [(status, rows)]
            for name, rows_moved in moves:
                place = PLACES[Status(name)]
                change[place] += rows_moved
                self._organizations.settle(organization, place, rows_moved)
        for place, won in enumerate(change):
            self._rows[place] += won
        if change != [len(results), 0, 0, 0, 0]:
            self._reasons.take(results)
        if self._doubts.are_about(organization for organization, _, _ in kinds):
            self._doubts.settle(results)
        run.settled += len(results)
        run.series.settle(run.now, change)

    def _attempt(self, line: RequestLine) -> None:
        self._doubts.attempt(line)
        outcome = outcome_of(line)
        if outcome is None:
            return
        run = self._runs[-1]
        run.hear(line.time)
        self._outcomes[outcome] += 1
        self._requests += is_answered(line)
        self._retries += line.attempt > 1
        self._organizations.attempt(line.organization_id)
        if outcome is AttemptOutcome.VERDICTS:
            self._latency.add(line.ms)
        has_left = line.error is None or line.error.code != Trouble.UNREACHED
        run.series.attempt(run.now, line.ms, outcome, is_retry=line.attempt > 1, has_left=has_left)
        if len(self._slowest) < SLOWEST or line.ms > self._slowest[0][0]:
            self._keep_slow(line, outcome, run.now)

    def _keep_slow(self, line: RequestLine, outcome: AttemptOutcome, ended: float) -> None:
        error = line.error or RowError("", "")
        attempt = SlowAttempt(
            line.ms,
            line.request,
            line.attempt,
            line.organization_id[:LONGEST],
            line.activities,
            ended,
            outcome,
            line.http,
            error.code[:LONGEST],
            cut(error.message, LONGEST, ELLIPSIS),
        )
        place = (line.ms, sum(self._outcomes.values()), attempt)
        if len(self._slowest) < SLOWEST:
            heapq.heappush(self._slowest, place)
        else:
            heapq.heapreplace(self._slowest, place)

    def _begin(self, line: RunLine) -> None:
        self._reasons.inputs = line.inputs
        candidates, self._charted = [*self._charted, *self._latest()], self._busiest()
        for series in candidates:
            if series not in self._charted:
                series.forget()
        number, now = 0, 0.0
        if self._runs:
            number, now = self._runs[-1].number, self._runs[-1].now
            self._unended += self._runs[-1].seconds_unended
        self._runs.append(begin_run(number + 1, line, self._rows, now))
        if len(self._runs) > RUNS:
            del self._runs[1]
        self._doubts.begin()
        if not self._runs[-1].is_retry:
            self._complete, self._is_in_order, self._unsent = False, False, None
            self._has_no_invalid = False
            self._main = line

    def _end(self, line: EndLine) -> None:
        run = self._runs[-1]
        run.close(line)
        self._seconds += run.seconds
        self._outages = _together(self._outages, run.outages)
        if not run.is_retry:
            self._complete, self._is_in_order, self._unsent = run.is_complete, line.is_in_order, run.unsent
            self._has_no_invalid = line.has_no_invalid
        elif self._unsent is not None:  # a retry finds rows that were lost; of rows that never left it knows nothing
            self._unsent = max(self._unsent, run.unsent or 0)

    def _busiest(self) -> list[RunSeries]:
        """Keep the runs with most attempts; one that has ended can only fall behind."""
        busy = [series for series in [*self._charted, *self._latest()] if series.attempts]
        return heapq.nlargest(CHARTED, busy, key=lambda series: series.attempts)

    def _latest(self) -> list[RunSeries]:
        return [self._runs[-1].series] if self._runs else []


def _within_bounds(words: Sequence[str]) -> list[str]:
    """Keep the words of a command that a person can still read; the rest is left to be filled in."""
    lengths = accumulate(map(len, words))
    kept = [word for word, length in zip(words, lengths, strict=True) if length <= _COMMAND]
    return kept if len(kept) == len(words) else [*kept, ELLIPSIS]


def _together(before: OutageFacts, more: OutageFacts) -> OutageFacts:
    last = before.last if more.last is None else more.last
    return OutageFacts(before.count + more.count, before.seconds + more.seconds, last)
