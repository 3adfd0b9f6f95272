"""What a ledger tells when it is read from its beginning: which rows are settled, and what is in doubt."""

from dataclasses import dataclass, field

from bulk_update.model import Status
from bulk_update.pure.ledger_lines import (
    Append,
    CutLine,
    EndLine,
    RequestLine,
    ResultLine,
    RunLine,
    SendingLine,
    decode_line,
    encode_line,
)
from bulk_update.pure.settled import SettledRows, row_key
from bulk_update.pure.tally import Tally

BYTES_A_ROW = 170
"""What a row takes in a ledger, about: to guess the rows from the size."""


@dataclass(slots=True)
class LedgerState:
    """What earlier runs left behind.

    `open`: requests that went out and of which some row has no result; by number. `seconds`: of all runs.
    `complete`: the last run read its input to the end. `mended`: lines to begin with, after a torn tail.
    """

    settled: SettledRows = field(default_factory=SettledRows)
    tally: Tally = field(default_factory=Tally)
    open: dict[int, SendingLine] = field(default_factory=dict)
    run: RunLine | None = None
    first_run: RunLine | None = None
    last_request: int = 0
    requests: int = 0
    attempts: int = 0
    seconds: float = 0.0
    complete: bool = False
    mended: bytes = b""

    def fold(self, append: Append) -> None:
        """Take in what one append tells. ValueError when a line is not the ledger's."""
        for text in append.lines.split(b"\n")[:-1]:
            line = decode_line(text)
            match line:
                case ResultLine():
                    self._fold_result(line)
                case SendingLine():
                    self.open[line.request] = line
                    self.last_request = max(self.last_request, line.request)
                case RequestLine():
                    self._fold_request(line)
                case RunLine():
                    self.run = line
                    self.first_run = self.first_run or line
                case EndLine():
                    self.seconds += _number(line.summary.get("run_seconds"))
                    self.complete = line.summary.get("complete") is True
                case _:
                    pass

    def mend(self, tail: bytes, cut: CutLine) -> None:
        """Take what a torn tail tells of requests: they may have gone out, should it be more than torn."""
        sendings = []
        for text in tail.split(b"\n")[:-1]:
            try:
                line = decode_line(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, SendingLine):
                self.open[line.request] = line
                self.last_request = max(self.last_request, line.request)
                sendings.append(text + b"\n")
        self.mended = encode_line(cut) + b"".join(sendings)

    def doubtful_keys(self) -> set[int]:
        """Collect the rows that were on their way when a run ended; a later refusal must say so."""
        return {
            row_key(sending.organization_id, identifier, check)
            for sending in self.open.values()
            for identifier, check in zip(sending.ids, sending.checks, strict=True)
        }

    def _fold_result(self, line: ResultLine) -> None:
        status = Status(line.status)
        key = row_key(line.organization_id, line.id, int(line.check, 16))
        self.settled.add(key, status, Status(line.was) if line.was else None)
        if line.was:
            self.tally.forget(key)
        if line.error is not None and status is not Status.UPDATED:
            self.tally.explain(status, line.error, line.line, line.id or "", key)

    def _fold_request(self, line: RequestLine) -> None:
        self.attempts += 1
        if line.settled:
            self.open.pop(line.request, None)
        if line.http is not None:
            self.requests += 1


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
