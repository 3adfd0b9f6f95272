"""Keep the books of a run: count what is on disk, let later rows leave, and tell who wants to know."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

from bulk_update.errors import BulkUpdateError, TooManyFailures
from bulk_update.model import Attempted, Change, Invalid, Outcome, RowError, Settled, Status
from bulk_update.pure.failure_groups import Failing
from bulk_update.pure.ledger_lines import SUPERSEDED
from bulk_update.pure.outages import Outages
from bulk_update.pure.plural import counted
from bulk_update.pure.retrying import Trouble, is_answer
from bulk_update.pure.settled import row_key
from bulk_update.pure.tally import Tally

FAIR_SAMPLE: Final = 500
"""Rows that must have their result before a share of failures can stop the run."""


TELLING: Final = 2
"""Rows of the first answers that tell something of all rows when none of them is updated."""

TELLING_AGAIN: Final = 10
"""The same where the rows were not updated before either, so that one or two more failures are no news."""


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """When to stop for rows that the API refused: more than `rows` of them, or more than `share` of all (0 to 1)."""

    rows: int | None = None
    share: float | None = None

    def is_exceeded(self, failed: int, settled: int) -> bool:
        """Tell whether it is too many; a share is judged from `FAIR_SAMPLE` rows on."""
        if self.rows is not None and failed > self.rows:
            return True
        return self.share is not None and settled >= FAIR_SAMPLE and failed > self.share * settled


class Observer(Protocol):
    """See what happens in a run. `outcomes` and `notice` are called from the event loop and return at once."""

    @property
    def wants_outcomes(self) -> bool:
        """Tell whether `outcomes` does something."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Take rows that have just got their result; it is on disk."""

    def notice(self, message: str) -> None:
        """Take a sentence for a person."""

    async def room(self) -> None:
        """Wait until more outcomes can be taken; sending waits for it."""


class Books:
    """Witness what the senders do. `release` lets later changes of final rows leave. `inputs`: their names."""

    def __init__(
        self,
        tally: Tally,
        release: Callable[[str, Collection[str]], None],
        stop: Callable[[BulkUpdateError], None],
        max_failures: MaxFailures,
        observer: Observer | None,
        inputs: Sequence[str] = (),
    ) -> None:
        self._inputs = inputs
        self._tally = tally
        self._release = release
        self._stop = stop
        self._max_failures = max_failures
        self._observer = observer
        self._first_answers = self._first_rows = 0
        self._is_first_told = False
        self.attempts = 0
        self.answered = 0
        self.retries = 0
        self.outages = Outages()
        self.again = 0
        """Rows that have got another result in the place of an earlier one."""
        self.resending = 0
        """Rows that are to get one."""

    def expect_again(self, rows: int) -> None:
        """Take note of rows that have a result and are to get another one."""
        self.resending += rows

    def attempted(self, attempt: Attempted) -> None:
        """Count an attempt."""
        self.attempts += 1
        trouble = None if attempt.trouble is None else Trouble(attempt.trouble)
        self.answered += is_answer(trouble, attempt.activities)
        self.retries += attempt.trouble is not None

    def settled(self, settled: Settled) -> None:
        """Count rows whose results are on disk."""
        tally = self._tally
        self.answered += settled.is_final
        replaced = [change for change in settled.updated if change.was]
        tally.settle(Status.UPDATED, len(settled.updated) - len(replaced))
        for change in replaced:
            self._replace(change, Status.UPDATED)
        for change, status, error in settled.others:
            self._count(change, status, error)
        self._release(settled.organization, settled.ids)
        self._say_if_all_failed(settled)
        self._check_failures()
        if self._observer is not None and self._observer.wants_outcomes:
            self._observer.outcomes(_outcomes(settled.updated, settled.others))

    def invalid(self, rows: Sequence[Invalid]) -> None:
        """Count invalid records, which are on disk."""
        self._tally.settle(Status.INVALID, len(rows))
        for row in rows:
            error = RowError(row.code, row.message)
            failing = Failing(row.line, row.id or "", row.organization, self._name(row), row.input)
            self._tally.explain(Status.INVALID, error, failing)
        if self._observer is not None:
            self._observer.outcomes(
                [
                    Outcome(
                        row.line,
                        row.input,
                        row.organization,
                        row.id,
                        Status.INVALID,
                        RowError(row.code, row.message),
                    )
                    for row in rows
                ]
            )

    def superseded(self, changes: Sequence[Change]) -> None:
        """Count rows of which nothing was left to send; that is on disk."""
        for change in changes:
            self._replace(change, Status.SUPERSEDED)
        if self._observer is not None:
            self._observer.outcomes(_outcomes((), [(change, Status.SUPERSEDED, SUPERSEDED) for change in changes]))

    def outage_changed(self, since: float | None, why: str = "") -> None:
        """Say when nothing succeeds any more and what came last, and when that is over."""
        if since is None:
            self.outages.end(anyio.current_time())
        else:
            self.outages.begin(since)
        if self._observer is not None:
            self._observer.notice(
                "the API answers again; going on"
                if since is None
                else f"nothing succeeds any more ({why}); trying one request at a time until it does"
            )

    def _count(self, change: Change, status: Status, error: RowError) -> None:
        if change.was:
            self._replace(change, status)
        else:
            self._tally.settle(status)
        failing = Failing(change.line, change.id, change.organization, self._name(change), change.input)
        self._tally.explain(status, error, failing)

    def _name(self, row: Change | Invalid) -> str | None:
        return self._inputs[row.input] if len(self._inputs) > 1 else None

    def _replace(self, change: Change, status: Status) -> None:
        self.again += 1
        self.resending -= 1
        self._tally.replace(status, Status(change.was))
        self._tally.forget(row_key(change.organization, change.id, change.check))

    def _say_if_all_failed(self, settled: Settled) -> None:
        """Warn when no row of the first answers is updated, as soon as they are of rows enough to tell anything."""
        if self._is_first_told or not (settled.updated or settled.others):
            return
        self._first_answers += 1
        self._first_rows += len(settled.others)
        if not settled.updated:
            change, status, error = settled.others[0]
            if self._first_rows < (TELLING_AGAIN if change.was else TELLING):
                return
            self._say_first_failed(status, error)
        self._is_first_told = True

    def _say_first_failed(self, status: Status, error: RowError) -> None:
        if self._observer is None:
            return
        answers = "answer" if self._first_answers == 1 else f"{self._first_answers:,} answers"
        self._observer.notice(
            f"WARNING: no row of the first {answers} is updated ({status}: {error.message}). The run goes on; "
            "stop it with Ctrl-C if that is not what you expect"
        )

    def _check_failures(self) -> None:
        failed = self._tally.settled[Status.FAILED]
        settled = sum(self._tally.settled.values())
        if self._max_failures.is_exceeded(failed, settled):
            # More may fail until the run ends: what is on its way is still answered.
            had = counted(failed, "row had", "rows had")
            self._stop(TooManyFailures(f"{had} failed by then, more than --max-failures allows"))


def _outcomes(updated: Sequence[Change], others: Sequence[tuple[Change, Status, RowError]]) -> list[Outcome]:
    outcomes = [
        Outcome(change.line, change.input, change.organization, change.id, Status.UPDATED) for change in updated
    ]
    return outcomes + [
        Outcome(change.line, change.input, change.organization, change.id, status, error)
        for change, status, error in others
    ]
