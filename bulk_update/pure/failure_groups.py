"""Why rows are not updated: groups of those that failed for the same reason, each with its first row."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bulk_update.model import RowError, Status

MAX_GROUPS: Final = 200
"""Groups of failures that are told apart; what comes after is counted as one more group."""

MAX_FORGETTABLE: Final = 100_000
"""Rows that are remembered one by one, so that their group is without them when they are retried."""

MAX_ORGANIZATIONS: Final = 1_000
"""Organizations of a group that are told apart; there may be more."""

_VARYING: Final = re.compile(r'"[^"]*"|(?<![\w.-])[\w.-]*\d[\w.,-]*|\b[0-9a-f]{8,}\b')
"""What is quoted, words with a digit in them, and hexadecimal ones."""

_Row: TypeAlias = tuple[int, int, str, str, str]
"""A row, where it stands first: index of its input, line, id, input and message. The least is a group's first."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A row that is not updated: where it stands, and whose it is.

    `input`: None where there is only one. `order`: index of the input among all.
    """

    line: int
    id: str = ""
    organization: str | None = None
    input: str | None = None
    order: int = 0


@dataclass(slots=True)
class _Group:
    """Rows that failed for the same reason.

    `first`: of those that are not remembered one by one. `varies`: their messages differ in names or numbers.
    `organizations`: those of all rows that were ever counted, by their hashes.
    """

    number: int
    status: Status
    code: str
    message: str
    count: int = 0
    first: _Row | None = None
    varies: bool = False
    organizations: set[int] = field(default_factory=set)

    def describe(self, first: _Row, count: int) -> dict[str, object]:
        """Tell of it under stable names."""
        _, line, example, name, message = first
        described: dict[str, object] = {
            "status": self.status,
            "code": self.code,
            "message": message,
            "varies": self.varies,
            "first_line": line,
            "example": example,
            "count": count,
            "organizations": len(self.organizations),
        }
        return described | {"input": name} if name else described


class FailureGroups:
    """Group rows that are not updated. A row that has a key can be forgotten, should it get another result."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str], _Group] = {}
        self._rows: dict[int, deque[tuple[_Group, _Row]] | tuple[_Group, _Row]] = {}
        """Remembered rows; equal ones, which are few, stand in line."""
        self._remembered = 0
        self._is_sure = True

    def known(self) -> Iterable[int]:
        """List what the remembered rows are known by."""
        return list(self._rows)

    def explain(self, status: Status, error: RowError, row: Failing, key: int | None = None) -> None:
        """Put a row into the group of its reason. `key`: what it is known by, if `forget` may be asked of it later."""
        group, message = self._group_of(status, error)
        group.count += 1
        group.varies |= message != group.message
        if row.organization is not None and len(group.organizations) < MAX_ORGANIZATIONS:
            group.organizations.add(hash(row.organization))
        place = (row.order, row.line, row.id, row.input or "", message)
        if key is not None and self._remembered < MAX_FORGETTABLE:
            self._remember(key, (group, place))
            return
        self._is_sure &= key is None
        group.first = place if group.first is None else min(group.first, place)

    def forget(self, key: int) -> None:
        """Take a row out of the group of its reason: another result takes the place of that one."""
        known = self._rows.get(key)
        if known is None:
            return
        group, _ = known.popleft() if isinstance(known, deque) else known
        if not isinstance(known, deque) or not known:
            del self._rows[key]
        group.count -= 1
        self._remembered -= 1

    def forget_all(self, status: Status) -> None:
        """Take all rows of a status out of their groups."""
        for group in self._groups.values():
            if group.status is status:
                group.count = 0

    def describe(self, counts: Mapping[Status, int]) -> list[Mapping[str, object]]:
        """List the groups, the largest first.

        `counts`: rows of each status that are not updated, beyond which nothing is told where there were more rows
        than could be remembered.
        """
        firsts = {group.number: group.first for group in self._groups.values()}
        for known in self._rows.values():
            for group, place in known if isinstance(known, deque) else (known,):
                first = firsts[group.number]
                if first is None or place < first:
                    firsts[group.number] = place
        left = Counter(counts)
        described: list[Mapping[str, object]] = []
        for group in sorted(self._groups.values(), key=lambda group: -group.count):
            first = firsts[group.number]
            count = group.count if self._is_sure else min(group.count, left[group.status])
            left[group.status] -= count
            if count > 0 and first is not None:
                described.append(group.describe(first, count))
        return described

    def are_outdated(self, counts: Mapping[Status, int]) -> bool:
        """Tell whether some of the rows that were counted got another result, and could not be forgotten."""
        told = Counter[Status]()
        for group in self._groups.values():
            told[group.status] += group.count
        return any(told[status] > counts[status] > 0 for status in told)

    def _group_of(self, status: Status, error: RowError) -> tuple[_Group, str]:
        """Find the group of a reason; tell the message under which it is there."""
        code, message = error.code, error.message
        place = (status.value, code, _VARYING.sub("…", message))
        if place not in self._groups and len(self._groups) >= MAX_GROUPS:
            code, message = "other", "other reasons"
            place = (status.value, code, message)
        group = self._groups.get(place)
        if group is None:
            group = self._groups[place] = _Group(len(self._groups), status, code, message)
        return group, message

    def _remember(self, key: int, row: tuple[_Group, _Row]) -> None:
        self._remembered += 1
        known = self._rows.get(key)
        if known is None:
            self._rows[key] = row
        elif isinstance(known, deque):
            known.append(row)
        else:
            self._rows[key] = deque((known, row))
