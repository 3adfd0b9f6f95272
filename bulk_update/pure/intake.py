"""Which of the rows that were read are to be sent: not those that are settled already (DESIGN section 2.3)."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter
from typing import Final, Protocol

from msgspec.structs import replace

from bulk_update.model import Change, Invalid, Status
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.settled import KeyBag, SettledRows, explain, row_key, row_keys
from bulk_update.pure.tally import Tally

_known_by: Final = attrgetter("organization", "id", "check")
_REPEATABLE: Final = (Status.UPDATED, Status.FAILED, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is left to do of a block of rows: `changes` to send, and results to record without sending."""

    changes: Sequence[Change]
    invalid: Sequence[Invalid] = ()
    superseded: Sequence[Change] = ()


class Intake(Protocol):
    """Sift the rows that were read, and count them."""

    def admit(self, rows: Sequence[Change | Invalid]) -> Admitted:
        """Tell which rows are to be sent and which are to be recorded as invalid."""

    def conclude(self) -> None:
        """Note that all was read."""

    def absent(self) -> int:
        """Count the results of rows that the input no longer has, as far as that is known."""

    def amiss(self) -> int:
        """Count the results of rows that were not read, so far, and that are none of an update."""

    def not_unsent(self) -> Collection[int]:
        """Give the keys of rows in doubt that are not to be sent, when the input was read to its end."""


class RunIntake:
    """Pass on the rows that have no result yet.

    Where an earlier row of an id was sent by a later run than a row behind it (it is new, or was new to a run
    that broke off), the row behind is sent again although it is settled: else the earlier change would end up
    over the later one (DESIGN, invariant 3).
    """

    def __init__(self, settled: SettledRows, tally: Tally, doubtful: Collection[int] = ()) -> None:
        self._settled = settled
        self._tally = tally
        self._is_whole = False
        self._not_unsent = set(doubtful)
        self._run = settled.next_run
        self._latest = KeyBag()
        """Activities of which a row was read that an earlier run did not send, and the last run that sent one."""
        self._newest = 0
        """The last of these runs."""

    def admit(self, rows: Sequence[Change | Invalid]) -> Admitted:
        """Tell which rows are new, and count all."""
        self._tally.read += len(rows)
        if len(self._settled):
            rows = self._unsettled(rows, self._settled.oldest_run)
        invalid = [row for row in rows if type(row) is Invalid]
        changes = [row for row in rows if type(row) is Change] if invalid else rows
        if self._not_unsent:
            self._not_unsent.difference_update(row_keys(map(_known_by, changes)))
        return Admitted(changes, invalid)  # type: ignore[arg-type]

    def conclude(self) -> None:
        """Let the failures be those of rows that the input has."""
        self._is_whole = True
        self._tally.forget_absent(self._settled)

    def absent(self) -> int:
        """Count the results that no row of the input was matched with."""
        return len(self._settled) if self._is_whole else 0

    def amiss(self) -> int:
        """Count what is left of the results that ask for something to be done."""
        counts = self._settled.counts()
        return counts[Status.FAILED] + counts[Status.INVALID] + counts[Status.UNKNOWN]

    def not_unsent(self) -> Collection[int]:
        """Give the keys of rows in doubt that were not read, or have a result."""
        return self._not_unsent

    def _unsettled(self, rows: Sequence[Change | Invalid], oldest: int) -> Sequence[Change | Invalid]:
        """Pass on the rows of a block that are to be sent.

        `oldest`: no row of it, nor any behind it, was sent by an earlier run.
        """
        if self._newest <= oldest and len(self._latest):
            self._latest, self._newest = KeyBag(), 0
        keys = row_keys(map(_known_by, rows))
        marks = self._settled.take_all(keys)
        found = {mark: (*explain(mark), count) for mark, count in Counter(marks).items() if mark is not None}
        for status, _, count in found.values():
            self._tally.settle(status, count)
            self._tally.skipped += count
        if None not in marks and not self._newest and all(run <= oldest for _, run, _ in found.values()):
            return []
        results = [(None, self._run) if mark is None else explain(mark) for mark in marks]
        kept = map(self._unless_settled, rows, keys, results, repeat(oldest))
        return [row for row in kept if row is not None]

    def _unless_settled(
        self, row: Change | Invalid, key: int, result: tuple[Status | None, int], oldest: int
    ) -> Change | Invalid | None:
        status, run = result
        if type(row) is Invalid:
            return row if status is None else None
        if status is not None and run <= oldest and not self._newest:
            return None
        activity = row_key(row.organization, row.id, 0)
        latest = next(iter(self._latest.marks(activity)), 0)
        if status in _REPEATABLE and latest > run:
            row = replace(row, was=status.value, doubt=status is Status.UNKNOWN or key in self._settled.doubted)
            status, run = None, self._run
        if run > max(latest, oldest) and status is not Status.SUPERSEDED:
            self._latest.discard(activity, latest)
            self._latest.add(activity, run)
            self._newest = max(self._newest, run)
        return row if status is None else None


class RetryIntake:
    """Pass on the rows of a ledger; all of its rows count, whether they are sent again or not.

    Results of invalid rows that have been mended in the input since are none of its rows.
    """

    def __init__(self, state: LedgerState) -> None:
        tally, settled = state.tally, state.settled
        counts = settled.counts()
        self._absent = counts[Status.INVALID] if state.has_no_invalid else 0
        counts[Status.INVALID] -= self._absent
        if self._absent:
            tally.forget_all(Status.INVALID)
        for status, rows in counts.items():
            tally.settle(status, rows)
        lost = {key for key in state.lost_keys() if not settled.has(key)}
        tally.read = sum(tally.settled.values()) + len(lost)
        self._not_unsent = state.doubtful_keys() - lost

    def conclude(self) -> None:
        """Do nothing: the ledger is the input."""

    def absent(self) -> int:
        """Count the results of invalid rows that have been mended since; else the ledger is the input."""
        return self._absent

    def amiss(self) -> int:
        """Count none: all are counted from the beginning."""
        return 0

    def not_unsent(self) -> Collection[int]:
        """Give the keys of rows in doubt that are not sent again, nor in the input any more."""
        return self._not_unsent

    def admit(self, rows: Sequence[Change | Invalid]) -> Admitted:
        """Pass on all rows of which something is left to send; the others are superseded."""
        changes = [row for row in rows if type(row) is Change]
        to_send = [change for change in changes if change.fields]
        if self._not_unsent:
            self._not_unsent.difference_update(row_keys(map(_known_by, to_send)))
        return Admitted(to_send, superseded=[change for change in changes if not change.fields])
