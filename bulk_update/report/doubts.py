"""Rows that were on their way when a run ended, so that they may have been applied.

A request is watched row by row only when it is in trouble: when an attempt did not settle it, or a new run
begins while it is open. All others are closed by their `request` line, and cost nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from bulk_update.pure.ledger_lines import RequestLine, ResultLine, SendingLine
from bulk_update.pure.settled import row_key


class Doubts:
    """Follow the requests of a ledger, in its order."""

    def __init__(self) -> None:
        self._flying: dict[int, SendingLine] = {}
        self._watched: dict[int, set[int]] = {}
        self._carriers: dict[int, set[int]] = {}
        """The watched requests the other way round: which of them carry a row."""
        self._organizations: Counter[str | None] = Counter()
        """Watched requests by organization."""
        self._again: set[int] = set()
        """Requests of `retry`: their rows have a result already."""

    def begin(self) -> None:
        """Note that a run begins: whatever is open was left so."""
        for request in list(self._flying):
            self._watch(request)

    def send(self, line: SendingLine, *, is_retry: bool) -> None:
        """Note that a request goes out."""
        self._flying[line.request] = line
        if is_retry:
            self._again.add(line.request)

    def attempt(self, line: RequestLine) -> None:
        """Note that an attempt has ended."""
        if not line.settled:
            self._watch(line.request)
            return
        self._again.discard(line.request)
        keys = self._watched.pop(line.request, None)
        if self._flying.pop(line.request, None) is None and keys is not None:
            self._let_go(line.organization_id)
            for key in keys:
                self._release(key, line.request)

    def are_about(self, organizations: Iterable[str | None]) -> bool:
        """Tell whether rows of one of these organizations may be among those that are watched."""
        return bool(self._organizations) and any(name in self._organizations for name in organizations)

    def settle(self, results: Sequence[ResultLine]) -> None:
        """Note that rows have a result; such as came before their request went out are not to be told of."""
        for line in results:
            key = row_key(line.organization_id, line.id, int(line.check, 16))
            for request in self._carriers.pop(key, ()):
                self._watched[request].discard(key)
                if not self._watched[request]:
                    del self._watched[request]
                    self._again.discard(request)
                    self._let_go(line.organization_id)

    def count(self) -> tuple[int, int]:
        """Count the rows in doubt: those without any result, and those that had one before."""
        new, again = set[int](), set[int]()
        for request, keys in self._watched.items():
            (again if request in self._again else new).update(keys)
        for request, line in self._flying.items():
            (again if request in self._again else new).update(_keys(line))
        return len(new), len(again - new)

    def _watch(self, request: int) -> None:
        line = self._flying.pop(request, None)
        if line is None:
            return
        keys = self._watched[request] = _keys(line)
        self._organizations[line.organization_id] += 1
        for key in keys:
            self._carriers.setdefault(key, set()).add(request)

    def _let_go(self, organization: str | None) -> None:
        self._organizations[organization] -= 1
        if not self._organizations[organization]:
            del self._organizations[organization]

    def _release(self, key: int, request: int) -> None:
        carriers = self._carriers[key]
        carriers.discard(request)
        if not carriers:
            del self._carriers[key]


def _keys(line: SendingLine) -> set[int]:
    return {
        row_key(line.organization_id, identifier, check)
        for identifier, check in zip(line.ids, line.checks, strict=True)
    }
