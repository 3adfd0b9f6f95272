"""The counts of a run, and the identity that must hold of them (DESIGN section 2.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bulk_update.model import RowError, Status
from bulk_update.pure.failure_groups import Failing, FailureGroups
from bulk_update.pure.settled import SettledRows


class Tally:
    """Count rows by what became of them.

    `settled` counts the results that the ledger holds of rows that were read: this run's and earlier
    ones'. `read` counts the rows of the input as far as it was read.
    """

    def __init__(self) -> None:
        self.read = 0
        self.settled: dict[Status, int] = dict.fromkeys(Status, 0)
        self.skipped = 0
        """Rows whose result the ledger had before this run."""
        self._failures = FailureGroups()

    @property
    def unsent(self) -> int:
        """Rows that have no result yet."""
        return self.read - sum(self.settled.values())

    def settle(self, status: Status, rows: int = 1) -> None:
        """Count rows whose result is on disk."""
        self.settled[status] += rows

    def replace(self, status: Status, was: Status) -> None:
        """Count a row whose result takes the place of an earlier one."""
        self.settled[was] -= 1
        self.settled[status] += 1

    def explain(self, status: Status, error: RowError, row: Failing, key: int | None = None) -> None:
        """Put a row that is not updated into the group of its reason.

        `key`: what the row is known by, if `forget` may be asked of it later.
        """
        self._failures.explain(status, error, row, key)

    def forget(self, key: int) -> None:
        """Take a row out of the group of its reason: another result takes the place of that one."""
        self._failures.forget(key)

    def forget_all(self, status: Status) -> None:
        """Take all rows of a status out of their groups."""
        self._failures.forget_all(status)

    def forget_absent(self, settled: SettledRows) -> None:
        """Take the rows out of their groups that the input no longer has: those that are left of the settled ones."""
        for key in self._failures.known():
            for _ in range(settled.count_amiss(key)):
                self._failures.forget(key)

    def describe_failures(self) -> list[Mapping[str, object]]:
        """List the groups of rows that are not updated, the largest first."""
        return self._failures.describe(self.settled)


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened, true of the whole ledger (DESIGN section 2.4).

    `rows` = `updated` + `failed` + `invalid` + `unknown` + `superseded` + `unsent`. `requests`: those
    that were answered, with verdicts or a refusal that was final. `attempts`: HTTP attempts. `seconds`: of all runs
    on this ledger together.
    `complete`: the input was read to its end. `in_doubt`: of the unsent, rows that were on their way when
    a run ended, so that they may have been applied. `absent`: results of rows that the input no longer has.
    `skipped`: rows that had their result before this run. `run_seconds`, `retries`, `pushbacks`: of this run
    alone, and so are `outages`, `outage_seconds`, and `last_outage`, the time of day since when nothing succeeded.
    `exit`: its exit code. `stopped`: why it ended early. `failures`: groups of rows that are not updated, the
    largest first.
    """

    rows: int
    updated: int
    failed: int
    invalid: int
    unknown: int
    superseded: int
    unsent: int
    requests: int
    attempts: int
    seconds: float
    ledger: str
    complete: bool
    in_doubt: int = 0
    absent: int = 0
    skipped: int = 0
    run_seconds: float = 0.0
    retries: int = 0
    pushbacks: int = 0
    outages: int = 0
    outage_seconds: float = 0.0
    last_outage: str | None = None
    exit: int = 0
    stopped: str | None = None
    failures: list[Mapping[str, object]] = field(default_factory=list)

    def is_balanced(self) -> bool:
        """Check that each row is counted once, and none less than not at all."""
        parts = (self.updated, self.failed, self.invalid, self.unknown, self.superseded, self.unsent)
        return self.rows == sum(parts) and min(parts) >= 0
