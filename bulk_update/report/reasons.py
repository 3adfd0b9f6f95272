"""Why rows are not updated: grouped as the summary groups them."""

from collections.abc import Iterable, Mapping
from typing import Final

from bulk_update.model import RowError, Status
from bulk_update.pure.failure_groups import Failing, FailureGroups
from bulk_update.pure.ledger_lines import ResultLine
from bulk_update.pure.settled import row_key
from bulk_update.pure.shown import ELLIPSIS, cut
from bulk_update.report.data import Reason

LONGEST: Final = 600
"""Characters that are kept of a message or an id: a server can send a megabyte, many times."""


class Reasons:
    """Group the rows that are not updated."""

    def __init__(self) -> None:
        self.inputs: list[str] = []
        """Of the run whose results come."""
        self._groups = FailureGroups()

    def take(self, results: Iterable[ResultLine]) -> None:
        """Take in results, among them such as are updated."""
        for line in results:
            if line.error is None and not line.was:
                continue
            key = row_key(line.organization_id, line.id, int(line.check, 16))
            if line.was:
                self._groups.forget(key)
            if line.error is not None and line.status != Status.UPDATED:
                error = RowError(line.error.code[:LONGEST], cut(line.error.message, LONGEST, ELLIPSIS), line.error.http)
                order = self.inputs.index(line.input) if line.input in self.inputs else 0
                row = Failing(line.line, (line.id or "")[:LONGEST], line.organization_id, line.input, order)
                self._groups.explain(Status(line.status), error, row, key)

    def list(self, counts: Mapping[Status, int]) -> tuple[list[Reason], bool]:
        """List them, the largest first; and tell whether some of the rows they count are updated since.

        That is so when there were more rows than the tally can remember one by one. `counts`: what is true.
        """
        reasons = [_reason(group) for group in self._groups.describe(counts)]
        return [reason for reason in reasons if counts[reason.status]], self._groups.are_outdated(counts)


def _reason(group: Mapping[str, object]) -> Reason:
    organizations = group.get("organizations")
    return Reason(
        status=Status(str(group["status"])),
        code=str(group["code"]),
        message=str(group["message"]),
        count=_whole(group["count"]),
        first_line=_whole(group["first_line"]),
        example=str(group["example"]),
        organizations=organizations if isinstance(organizations, int) else None,
        input=str(group["input"]) if "input" in group else None,
        varies=group["varies"] is True,
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
