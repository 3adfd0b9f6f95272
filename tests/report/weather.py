"""The ledger of a whole migration with its weather: throttling, an outage, slow answers, rows that are refused.

`python -m tests.report.weather FILE [ROWS]` writes one.
"""

import heapq
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulk_update.model import Change, RowError, Status
from tests.report.ledgers import SETTINGS, Came, LedgerMaker, change

_REFUSALS: Final = (
    ("not_updated", "Activity not found"),
    ("not_updated", "Activity is immutable and cannot be updated"),
    ("not_updated", "Failed to update activity log: document 48213 is locked by another writer"),
    ("INVALID_ARGUMENT", "displayMessageTemplateData.user: Expected object, received string"),
)
_INVALID: Final = (
    ("unknown_field", '"displayMessageTemplte": found an unknown field; did you mean "displayMessageTemplate"?'),
    ("missing_field", "id: found nothing, expected a non-empty string"),
    ("not_json", "found a line that ends before its JSON does, expected one whole JSON object on the line"),
)
_THROTTLED: Final = (429, RowError("RESOURCE_EXHAUSTED", "Quota exceeded for this workspace", 429))
_UNAVAILABLE: Final = (503, RowError("UNAVAILABLE", "The service is currently unavailable", 503))
_TIMEOUT: Final = (None, RowError("timeout", "no answer within 30 s"))
_UNREACHED: Final = (None, RowError("unreached", "no connection: Connection refused"))

Trouble = tuple[int | None, RowError]


@dataclass(frozen=True, slots=True)
class Migration:
    """What is to be made: so many rows of so many organizations at so many requests a second."""

    rows: int = 60_000
    organizations: int = 300
    rate: float = 5.0
    rows_a_request: int = 40
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Run:
    """One run of it: rows up to line `until`, `length` seconds as planned, with an outage or without."""

    began: float
    until: int
    rate: float
    length: float
    has_outage: bool


@dataclass(order=True, slots=True)
class _Request:
    """A request that is to leave when it is `ready`."""

    ready: float
    number: int
    rows: Sequence[Change] = field(compare=False)
    attempts: int = field(default=0, compare=False)


class Weather:
    """Make the ledger: a run that is interrupted, one that goes on at twice the rate, and a retry."""

    def __init__(self, maker: LedgerMaker, plan: Migration) -> None:
        self._maker = maker
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._requests = 0
        self._line = 0
        self._waiting: list[_Request] = []
        self._ends: list[tuple[float, int, Callable[[], None]]] = []
        self._failed: list[Change] = []
        self.counts = dict.fromkeys(Status, 0)

    def make(self) -> None:
        """Write all of it; `counts` then has the rows by what became of them."""
        plan = self._plan
        first = plan.rows * 6 // 10
        length = first / plan.rows_a_request / plan.rate
        end = self._run(Run(0.0, first, plan.rate, length, has_outage=True), 130)
        end = self._run(Run(end + 5_400.0, plan.rows, 2 * plan.rate, length / 3, has_outage=False), 1)
        self._retry(end + 600.0)

    def _run(self, run: Run, code: int) -> float:
        """Let requests leave in their turn, and come back in theirs; return the time of its end."""
        self._maker.run(run.began, settings=SETTINGS | {"rate": {"value": f"{run.rate:g} in 1 s", "from": "--rate"}})
        for place in range(max(3, (run.until - self._line) // 20_000)):
            self._refuse_record(place)
        now = run.began
        while self._line < run.until or self._waiting or self._ends:
            if self._ends and (self._ends[0][0] <= now or not (self._line < run.until or self._waiting)):
                heapq.heappop(self._ends)[2]()
                continue
            if self._waiting and (self._waiting[0].ready <= now or self._line >= run.until):
                request = heapq.heappop(self._waiting)
                now = max(now, request.ready)
            else:
                request = self._announce(now, self._batch(run.until))
            self._send(run, now, request)
            now += self._random.uniform(2.0, 12.0) if self._is_outage(run, now) else 1.012 / run.rate
        stopped = "interrupted by SIGINT" if code > 1 else None
        self._end(run, now + 1.0, code, stopped)
        return now + 1.0

    def _batch(self, until: int) -> list[Change]:
        wanted = round(self._random.expovariate(1 / self._plan.rows_a_request))
        size = min(until - self._line, max(1, min(100, wanted)))
        place = min(int(self._random.paretovariate(0.7)), self._plan.organizations)
        self._line += size
        return [change(line, f"org-{place:04d}") for line in range(self._line - size + 1, self._line + 1)]

    def _announce(self, now: float, rows: Sequence[Change]) -> _Request:
        self._requests += 1
        self._maker.sending(self._requests, now, rows)
        return _Request(now, self._requests, rows)

    def _send(self, run: Run, left: float, request: _Request) -> None:
        trouble = self._trouble(run, left) if request.attempts < 4 else None
        ms = self._milliseconds(run, left, trouble)
        request.attempts += 1

        def come_back() -> None:
            if trouble is None:
                self._answer(request, left + ms / 1000, ms)
            else:
                self._fail(request, left + ms / 1000, ms, trouble)

        heapq.heappush(self._ends, (left + ms / 1000, request.number * 10 + request.attempts, come_back))

    def _trouble(self, run: Run, at: float) -> Trouble | None:
        draw, elapsed = self._random.random(), (at - run.began) / run.length
        if self._is_outage(run, at):
            return _UNREACHED
        if 0.2 < elapsed < 0.35 and draw < 0.4:
            return _THROTTLED
        if draw < 0.01:
            return _UNAVAILABLE
        return _TIMEOUT if draw < 0.013 else None

    def _is_outage(self, run: Run, at: float) -> bool:
        return run.has_outage and 0.6 < (at - run.began) / run.length < 0.75

    def _milliseconds(self, run: Run, at: float, trouble: Trouble | None) -> float:
        if trouble is _TIMEOUT:
            return 30_000.0
        elapsed = (at - run.began) / run.length
        base = 45.0 if trouble else 140.0 + 60.0 * min(elapsed, 1.0) + (220.0 if 0.2 < elapsed < 0.37 else 0.0)
        return round(self._random.lognormvariate(0.0, 0.35) * base, 1)

    def _fail(self, request: _Request, at: float, ms: float, trouble: Trouble) -> None:
        http, error = trouble
        self._maker.attempt(request.number, at, request.rows, Came(request.attempts, ms, http, error))
        self._maker.seal()
        request.ready = at + self._random.uniform(0.2, 4.0)
        heapq.heappush(self._waiting, request)

    def _answer(self, request: _Request, at: float, ms: float) -> None:
        maker, rows = self._maker, request.rows
        bad = [row for row in rows if self._random.random() < 0.012]
        maker.attempt(request.number, at, rows, Came(request.attempts, ms))
        maker.updated([row for row in rows if row not in bad] if bad else rows)
        self.counts[Status.UPDATED] += len(rows) - len(bad)
        for row in bad:
            self._refuse(row)
        maker.seal()

    def _refuse(self, row: Change) -> None:
        code, message = self._random.choices(_REFUSALS, (60, 10, 5, 3))[0]
        status, error = Status.FAILED, RowError(code, message, 200)
        if self._random.random() < 0.03:
            status, error = Status.UNKNOWN, RowError("no_verdict", "the answer does not tell", 200)
        self._maker.result(row, status, error)
        self.counts[status] += 1
        if len(self._failed) < 4_000:
            self._failed.append(change(row.line, row.organization, status.value))

    def _refuse_record(self, place: int) -> None:
        code, message = _INVALID[place % len(_INVALID)]
        self._line += 1
        self._maker.invalid(self._line, f"org-{1 + place % 5:04d}", code, message)
        self.counts[Status.INVALID] += 1

    def _retry(self, began: float) -> None:
        """Send again what failed; a part of it is mended."""
        self._maker.run(began, verb="retry")
        now = began
        for organization in sorted({row.organization for row in self._failed}):
            rows = [row for row in self._failed if row.organization == organization][:100]
            now += 1.012 / 5
            request = self._announce(now, rows)
            self._maker.attempt(request.number, now + 0.17, rows, Came(ms=170.0))
            for row in rows:
                is_mended = self._random.random() < 0.4
                self.counts[Status(row.was)] -= 1
                self.counts[Status.UPDATED if is_mended else Status.FAILED] += 1
                if is_mended:
                    self._maker.updated([row])
                else:
                    self._maker.result(row, Status.FAILED, RowError("not_updated", "Activity not found", 200))
            self._maker.seal()
        self._end(Run(began, 0, 5.0, 1.0, has_outage=False), now + 1.0, 1, None)

    def _end(self, run: Run, at: float, code: int, stopped: str | None) -> None:
        counts: dict[str, object] = {status.value: rows for status, rows in self.counts.items()}
        summary: dict[str, object] = {
            "run_seconds": at - run.began,
            "complete": code == 1,
            "stopped": stopped,
            "unsent": 0,
            "absent": 0,
        }
        self._maker.end(at, code, summary | counts)


def migration(plan: Migration = Migration()) -> tuple[bytes, dict[Status, int]]:
    """Make the ledger of a migration; return it and its rows by what became of them."""
    appends: list[bytes] = []
    weather = Weather(LedgerMaker(appends.append), plan)
    weather.make()
    return b"".join(appends), weather.counts


def _main(words: Sequence[str]) -> None:
    rows = int(words[1]) if len(words) > 1 else Migration().rows
    with Path(words[0]).open("wb") as file:
        Weather(LedgerMaker(file.write), Migration(rows=rows)).make()


if __name__ == "__main__":
    _main(sys.argv[1:])
