"""Which of the rows that were read are to be sent: not those that are settled already (DESIGN section 2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from bulk_update.model import Change, Invalid, Status
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.settled import KeyBag, SettledRows, row_key
from bulk_update.pure.tally import Tally


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

    def absent(self) -> int:
        """Count the results of rows that the input no longer has, when it was read to its end."""


class RunIntake:
    """Pass on the rows that have no result yet.

    Where an earlier row of an id is new, later ones of that id are sent again although they are settled:
    else the earlier change would end up over the later one (DESIGN, invariant 3).
    """

    def __init__(self, settled: SettledRows, tally: Tally) -> None:
        self._settled = settled
        self._tally = tally
        self._resumes = len(settled) > 0
        self._passed_on = KeyBag(len(settled) if self._resumes else 0)

    def admit(self, rows: Sequence[Change | Invalid]) -> Admitted:
        """Tell which rows are new, and count all."""
        self._tally.read += len(rows)
        if self._resumes:
            rows = [kept for row in rows if (kept := self._unless_settled(row)) is not None]
        invalid = [row for row in rows if type(row) is Invalid]
        changes = [row for row in rows if type(row) is Change] if invalid else rows
        return Admitted(changes, invalid)  # type: ignore[arg-type]

    def absent(self) -> int:
        """Count the results that no row of the input was matched with."""
        return len(self._settled)

    def _unless_settled(self, row: Change | Invalid) -> Change | Invalid | None:
        status = self._settled.take(row_key(row.organization, row.id, row.check))
        if status is not None:
            self._tally.settle(status)
            self._tally.skipped += 1
        if type(row) is Invalid:
            return row if status is None else None
        identity = row_key(row.organization, row.id, 0)
        if status is None:
            if identity not in self._passed_on:
                self._passed_on.add(identity)
            return row
        if status is Status.UPDATED and identity in self._passed_on:
            return replace(row, was=status.value)
        return None


class RetryIntake:
    """Pass on the rows of a ledger; all of its rows count, whether they are sent again or not."""

    def __init__(self, state: LedgerState) -> None:
        tally, settled = state.tally, state.settled
        for status, rows in settled.counts().items():
            tally.settle(status, rows)
        lost = sum(not settled.has(key) for key in state.doubtful_keys())
        tally.read = sum(tally.settled.values()) + lost

    def absent(self) -> int:
        """Count none: the ledger is the input."""
        return 0

    def admit(self, rows: Sequence[Change | Invalid]) -> Admitted:
        """Pass on all rows of which something is left to send; the others are superseded."""
        changes = [row for row in rows if type(row) is Change]
        return Admitted(
            [change for change in changes if change.fields],
            superseded=[change for change in changes if not change.fields],
        )
