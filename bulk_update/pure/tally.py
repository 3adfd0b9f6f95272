"""The counts of a run, and the identity that must hold of them (DESIGN section 2.4)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bulk_update.model import RowError, Status

MAX_GROUPS: Final = 200
"""Groups of failures that are told apart; what comes after is counted as one more group."""

MAX_FORGETTABLE: Final = 100_000
"""Rows whose group is remembered, so that it shrinks when they are retried."""

MAX_ORGANIZATIONS: Final = 1_000
"""Organizations of a group that are told apart; there may be more."""

_MAX_ALIKE: Final = 8
"""Equal rows whose groups are remembered one by one."""

_VARYING: Final = re.compile(r'"[^"]*"|(?<![\w.-])[\w.-]*\d[\w.,-]*|\b[0-9a-f]{8,}\b')
"""What is quoted, words with a digit in them, and hexadecimal ones."""


@dataclass(slots=True)
class FailureGroup:
    """Rows that failed for the same reason.

    `message`, `first_line`, `example` and `input` are of the first of them; `input` is None where there is only one.
    `varies`: others have another message, which differs in names or numbers. `organizations`: those of all rows that
    were ever counted, by their hashes.
    """

    status: Status
    code: str
    message: str
    first_line: int
    example: str
    input: str | None = None
    count: int = 0
    varies: bool = False
    organizations: set[int] = field(default_factory=set)

    def describe(self) -> dict[str, object]:
        """Tell of it under stable names."""
        described: dict[str, object] = {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "varies": self.varies,
            "first_line": self.first_line,
            "example": self.example,
            "count": self.count,
            "organizations": len(self.organizations),
        }
        return described if self.input is None else described | {"input": self.input}


@dataclass(frozen=True, slots=True)
class Failing:
    """A row that is not updated: where it stands, and whose it is. `input`: None where there is only one."""

    line: int
    id: str = ""
    organization: str | None = None
    input: str | None = None


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
        self.groups: dict[tuple[str, str, str], FailureGroup] = {}
        self._reasons: dict[int, tuple[FailureGroup, ...]] = {}

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
        code, message = error.code, error.message
        place = (status.value, code, _VARYING.sub("…", message))
        if place not in self.groups and len(self.groups) >= MAX_GROUPS:
            code, message = "other", "other reasons"
            place = (status.value, code, message)
        group = self.groups.get(place)
        if group is None:
            group = self.groups[place] = FailureGroup(status, code, message, row.line, row.id, row.input)
        group.count += 1
        group.varies |= message != group.message
        if row.organization is not None and len(group.organizations) < MAX_ORGANIZATIONS:
            group.organizations.add(hash(row.organization))
        if key is not None and len(self._reasons) < MAX_FORGETTABLE:
            known = self._reasons.get(key, ())
            self._reasons[key] = (*known, group) if len(known) < _MAX_ALIKE else known

    def forget(self, key: int) -> None:
        """Take a row out of the group of its reason: another result takes the place of that one."""
        groups = self._reasons.pop(key, ())
        if groups:
            groups[0].count -= 1
        if len(groups) > 1:
            self._reasons[key] = groups[1:]

    def describe_failures(self) -> list[Mapping[str, object]]:
        """List the groups of rows that are not updated, the largest first."""
        groups = sorted(self.groups.values(), key=lambda group: -group.count)
        return [group.describe() for group in groups if group.count > 0]


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
