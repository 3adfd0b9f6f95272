"""What a ledger tells and what an intake passes on, the plain way: a line and a row at a time, everything remembered.

The program does it for many at once and remembers little; it must come to the same.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from bulk_update.model import Change, Invalid, Status
from bulk_update.pure.failure_groups import Failing
from bulk_update.pure.ledger_lines import DOUBT, EndLine, Line, RequestLine, ResultLine, RunLine, SendingLine
from bulk_update.pure.settled import row_key
from bulk_update.pure.tally import Tally


@dataclass
class PlainState:
    """What lines tell. `results`: of each row, the runs and statuses of its results that were not replaced."""

    results: defaultdict[int, list[tuple[int, Status]]] = field(default_factory=lambda: defaultdict(list))
    carriers: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    open: dict[int, set[int]] = field(default_factory=dict)
    left: list[float] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    doubted: set[int] = field(default_factory=set)
    is_retry: bool = False
    runs: int = 0
    attempts: int = 0
    earlier: int = 0
    last_request: int = 0
    ended: str = ""

    def fold(self, line: Line) -> None:
        """Take in a line."""
        if isinstance(line, RunLine):
            left = _epoch(self.ended or line.time)
            self.left += [left for request in self.open if request > self.earlier]
            self.earlier, self.ended, self.is_retry = self.last_request, "", line.verb == "retry"
            self.runs += not self.is_retry
        elif isinstance(line, SendingLine):
            self.last_request = max(self.last_request, line.request)
            pairs = zip(line.ids, line.checks, strict=True)
            keys = {row_key(line.organization_id, identifier, check) for identifier, check in pairs}
            self.open[line.request] = keys
            for key in keys:
                self.carriers[key].append(line.request)
        elif isinstance(line, RequestLine):
            self._fold_request(line)
        elif isinstance(line, ResultLine):
            self._fold_result(line)
        elif isinstance(line, EndLine):
            self.ended = line.time

    def doubtful(self) -> set[int]:
        """Tell which rows were on their way and have no result since."""
        return {key for key, requests in self.carriers.items() if requests}

    def ages(self, now: float) -> list[float]:
        """Tell how long ago requests left, those of which no line tells the end included."""
        untold = [_epoch(self.ended) if self.ended else now for request in self.open if request > self.earlier]
        return [max(0.0, now - time) for time in sorted([*self.left, *untold])]

    def _fold_request(self, line: RequestLine) -> None:
        if line.attempt:
            self.attempts += 1
            self.left.append(_epoch(line.time) - line.ms / 1000)
        if line.settled:
            for key in self.open.pop(line.request, ()):
                self.carriers[key].remove(line.request)

    def _fold_result(self, line: ResultLine) -> None:
        key, status, run = row_key(line.organization_id, line.id, int(line.check, 16)), Status(line.status), self.runs
        if line.was:
            replaced = [result for result in self.results[key] if result[1] == line.was]
            if replaced:
                self.results[key].remove(min(replaced, key=lambda result: result[0]))
                run = min(replaced, key=lambda result: result[0])[0] if self.is_retry else run
            self.tally.forget(key)
        self.results[key].append((run, status))
        for request in self.carriers.pop(key, ()):
            self.open[request].discard(key)
            if not self.open[request]:
                del self.open[request]
        if line.error is not None and status is not Status.UPDATED:
            row = Failing(line.line, line.id or "", line.organization_id, line.input)
            self.tally.explain(status, line.error, row, key)
            if line.error.message.endswith(DOUBT):
                self.doubted.add(key)


class PlainIntake:
    """Pass on the rows that have no result, and the later changes that have to follow them. `results`: as above."""

    def __init__(self, state: PlainState) -> None:
        order = {status: place for place, status in enumerate(Status)}
        self.results = {key: sorted(held, key=lambda r: (r[0], order[r[1]])) for key, held in state.results.items()}
        self.doubted = state.doubted
        self.next_run = state.runs + 1
        self.latest: dict[tuple[str, str], int] = {}
        self.counts: Counter[Status] = Counter()

    def admit(self, rows: Sequence[Change | Invalid]) -> list[Change | Invalid]:
        """Tell what is to be sent, or recorded."""
        return [kept for row in rows if (kept := self._unless_settled(row)) is not None]

    def _unless_settled(self, row: Change | Invalid) -> Change | Invalid | None:
        key = row_key(row.organization, row.id, row.check)
        held = self.results.get(key)
        run, status = held.pop(0) if held else (self.next_run, None)
        if status is not None:
            self.counts[status] += 1
        if isinstance(row, Invalid):
            return row if status is None else None
        latest = self.latest.get((row.organization, row.id), 0)
        if status in (Status.UPDATED, Status.FAILED, Status.UNKNOWN) and latest > run:
            assert status is not None
            row = replace(row, was=status.value, doubt=status is Status.UNKNOWN or key in self.doubted)
            run, status = self.next_run, None
        if status is not Status.SUPERSEDED:
            self.latest[row.organization, row.id] = max(run, latest)
        return row if status is None else None


def _epoch(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
