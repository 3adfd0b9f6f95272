"""Ledgers made by hand, line by line, and sealed as real ones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from bulk_update.model import Batch, Change, Invalid, RowError, Status
from bulk_update.pure.ledger_lines import FORMAT, EndLine, RequestLine, ResultWriter, RunLine, encode_line, sending_line
from bulk_update.pure.seals import Seal, SealedReader
from bulk_update.report.data import ReportData
from bulk_update.report.gather import Gathering

BEGAN: Final = 1_795_399_200.0
"""2026-11-23 02:00:00 UTC."""

SETTINGS: Final[dict[str, object]] = {
    "batchSize": {"value": 100, "from": "default"},
    "batchBytes": {"value": 1_000_000, "from": "default"},
    "rate": {"value": "5 in 1 s", "from": "--rate"},
    "concurrency": {"value": 16, "from": "BULK_UPDATE_CONCURRENCY"},
    "maxAttempts": {"value": 5, "from": "default"},
    "giveUpAfter": {"value": "15m", "from": "profile nightly in bulk-update.toml"},
    "limit": {"value": None, "from": "default"},
    "pid": 4711,
}


def stamp(at: float) -> str:
    """Write a time as ledgers do; `at`: seconds after `BEGAN`."""
    moment = datetime.fromtimestamp(BEGAN + at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def change(number: int, organization: str = "org-1", was: str = "") -> Change:
    """Make the change of row `number`, which stands in that line."""
    activity = b'{"id":"activity-%06d","actionIcon":"icon"}' % number
    return Change(organization, f"activity-{number:06d}", number, 0, number * 7919 & 0xFFFFFFFF, 1, activity, was)


@dataclass(frozen=True, slots=True)
class Came:
    """What attempt `number` came to. `settled` None: it settles its request unless there is an error."""

    number: int = 1
    ms: float = 180.0
    http: int | None = 200
    error: RowError | None = None
    settled: bool | None = None


@dataclass(slots=True)
class LedgerMaker:
    """Write a ledger through `write`, which takes whole appends."""

    write: Callable[[bytes], object]
    inputs: Sequence[str] = ("changes.ndjson",)
    _lines: list[bytes] = field(default_factory=list)
    _seal: Seal = field(default_factory=Seal)

    def run(self, at: float = 0.0, verb: str = "run", settings: dict[str, object] | None = None) -> None:
        """Begin a run."""
        words = SETTINGS if settings is None else settings
        api = "https://api.velt.dev"
        self.line(encode_line(RunLine(FORMAT, "0.1.0", stamp(at), verb, list(self.inputs), api, "00", "k", words)))
        self.seal()

    def sending(self, request: int, at: float, changes: Sequence[Change]) -> None:
        """Note that a request goes out."""
        self.line(sending_line(request, stamp(at), Batch(changes[0].organization, changes)))

    def attempt(
        self,
        request: int,
        at: float,
        changes: Sequence[Change],
        came: Came = Came(),
    ) -> None:
        """Note that an attempt has ended."""
        organization, error = changes[0].organization, came.error
        closes = error is None if came.settled is None else came.settled
        line = RequestLine(
            request, organization, len(changes), came.number, came.ms, stamp(at), came.http, error, closes
        )
        self.line(encode_line(line))

    def updated(self, changes: Iterable[Change]) -> None:
        """Record changes of one organization as updated."""
        rows = list(changes)
        if rows:
            self.line(self._results().updated(rows[0].organization, rows))

    def result(self, row: Change, status: Status, error: RowError) -> None:
        """Record one change."""
        self.line(self._results().result(row, status, error))

    def invalid(self, line: int, organization: str | None, code: str, message: str, raw: bytes = b"{}") -> None:
        """Record an invalid row."""
        self.line(self._results().invalid(Invalid(line, 0, line, organization, None, code, message, raw)))

    def end(self, at: float, code: int, summary: dict[str, object]) -> None:
        """End a run."""
        self.line(encode_line(EndLine(stamp(at), code, summary)))
        self.seal()

    def line(self, text: bytes) -> None:
        """Add a line to the append."""
        self._lines.append(text)

    def seal(self) -> None:
        """Close the append."""
        append = b"".join(self._lines)
        self._lines = []
        self._seal = self._seal.next(append)
        self.write(append + self._seal.encode())

    def _results(self) -> ResultWriter:
        return ResultWriter(self.inputs)


def gather(ledger: bytes, name: str = "changes.ndjson.ledger.ndjson") -> ReportData:
    """Read a ledger as the command line does."""
    gathering, reader = Gathering(), SealedReader()
    for append in reader.feed(ledger):
        gathering.fold(append)
    return gathering.data(name, len(reader.finish()))


def many_runs() -> bytes:
    """Make the ledger of nine runs, days apart, long and short; all but the last stopped early."""
    appends: list[bytes] = []
    maker, line, request, now = LedgerMaker(appends.append), 0, 0, 0.0
    for number, requests in enumerate((400, 30, 5, 60, 3, 200, 12, 9, 0)):
        began = now
        verb = "retry" if number in (3, 7) else "run"
        maker.run(now, verb, {"rate": "300 in 60 s" if number % 2 else "5 in 1 s", "concurrency": 4})
        for _ in range(requests):
            request, now = request + 1, now + (0.25 if number % 2 else 40.0)
            rows = [change(line + place, f"org-{request % 9}") for place in range(1, 11)]
            line += 10
            maker.sending(request, now, rows)
            maker.attempt(request, now + 0.3, rows, Came(ms=20.0 + request * 7919 % 4_000))
            maker.updated(rows)
            maker.seal()
        code, stopped = (3, "nothing succeeded for 15 min") if number < 8 else (0, None)
        summary: dict[str, object] = {"run_seconds": now - began + 1.0, "complete": number == 8, "stopped": stopped}
        maker.end(now + 1.0, code, summary)
        now += 172_800.0
    return b"".join(appends)
