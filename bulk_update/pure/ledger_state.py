"""What a ledger tells when it is read from its beginning: which rows are settled, and what is in doubt."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, repeat
from operator import attrgetter
from typing import Final, cast

from bulk_update.model import Status
from bulk_update.pure.doubts import Doubts
from bulk_update.pure.failure_groups import Failing
from bulk_update.pure.ledger_lines import (
    DOUBT,
    FORMAT,
    RETRY,
    CutLine,
    EndLine,
    Line,
    RequestLine,
    ResultLine,
    RunLine,
    SendingLine,
    decode_line,
    decode_lines,
    encode_line,
)
from bulk_update.pure.retrying import is_answer, trouble_of_error
from bulk_update.pure.seals import Append
from bulk_update.pure.settled import SettledRows, row_keys
from bulk_update.pure.tally import Tally

BYTES_A_ROW: Final = 170
"""What a row takes in a ledger, about: to guess the rows from the size."""

RECENT: Final = 5_000
"""Requests whose time is remembered, so that a second run keeps the rate together with the first."""


@dataclass(slots=True)
class LedgerState:
    """What earlier runs left behind.

    `main_run`: the last run of the main job. `seconds`: of all runs. `complete`: the main run read its input to the
    end. `is_all_settled`: and each row that it read had a result. `has_no_invalid`: and none of them was invalid.
    `mended`: lines to begin with, after a torn tail.
    """

    settled: SettledRows = field(default_factory=SettledRows)
    tally: Tally = field(default_factory=Tally)
    run: RunLine | None = None
    first_run: RunLine | None = None
    main_run: RunLine | None = None
    last_request: int = 0
    requests: int = 0
    attempts: int = 0
    seconds: float = 0.0
    complete: bool = False
    is_all_settled: bool = False
    has_no_invalid: bool = False
    mended: bytes = b""
    _sent: deque[tuple[str, float]] = field(default_factory=lambda: deque(maxlen=RECENT))
    _ended: str = ""
    _earlier: int = 0
    """The last request of the runs before the last one."""
    _doubts: Doubts = field(default_factory=Doubts)

    def fold(self, append: Append) -> None:
        """Take in what one append tells. ValueError when a line is not the ledger's."""
        for kind, lines in groupby(decode_lines(append.lines), type):
            if kind is ResultLine:
                self._fold_results(cast(list[ResultLine], list(lines)))
            else:
                for line in lines:
                    self._fold_line(line)

    def _fold_line(self, line: Line) -> None:
        match line:
            case SendingLine():
                self._fold_sending(line)
            case RequestLine():
                self._fold_request(line)
            case RunLine():
                self._fold_run(line)
            case EndLine():
                self._ended = line.time
                self.seconds += _number(line.summary.get("run_seconds"))
                if not self._is_retry:
                    self.complete = line.summary.get("complete") is True
                    self.is_all_settled = line.is_all_settled
                    self.has_no_invalid = line.has_no_invalid
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
                self._fold_sending(line)
                sendings.append(text + b"\n")
        self.mended = encode_line(cut) + b"".join(sendings)

    def doubtful_keys(self) -> set[int]:
        """Collect the rows that were on their way when a run ended; a later refusal must say so."""
        return self._doubts.keys

    def lost_keys(self) -> set[int]:
        """Collect those of them that the input may still have: none when each of its rows had a result."""
        return set() if self.is_all_settled else self._doubts.keys

    @property
    def _is_retry(self) -> bool:
        return self.run is not None and self.run.verb == RETRY

    def _fold_run(self, line: RunLine) -> None:
        if line.format != FORMAT:
            raise ValueError(f"it has format {line.format}, this version writes format {FORMAT}")
        # The new run may settle their rows: that they left must not be forgotten with them.
        self._sent.extend([(self._ended or line.time, 0.0)] * len(self._untold()))
        self._earlier = self.last_request
        self.run = line
        self.first_run = self.first_run or line
        self._ended = ""
        if not self._is_retry:
            self.main_run = line
            self.settled.runs += 1
            self.complete = self.is_all_settled = self.has_no_invalid = False

    def _fold_sending(self, line: SendingLine) -> None:
        self.last_request = max(self.last_request, line.request)
        rows = zip(repeat(line.organization_id, len(line.ids)), line.ids, line.checks, strict=True)
        self._doubts.send(line.request, set(row_keys(rows)))

    def ages(self, now: float) -> list[float]:
        """Tell how many seconds ago the last requests left, oldest first. `now`: seconds since 1970.

        Of requests that no line tells the end of, the latest time is taken that they may have left at: when
        the last run ended, and just now if no line tells that either.
        """
        left = [_epoch(time) - seconds for time, seconds in self._sent]
        left += [_epoch(self._ended) if self._ended else now] * len(self._untold())
        return [max(0.0, now - time) for time in sorted(left)]

    def _untold(self) -> list[int]:
        """List the requests of the last run whose last attempt may stand in no line."""
        return [request for request in self._doubts.requests if request > self._earlier]

    def _fold_results(self, lines: Sequence[ResultLine]) -> None:
        """Take in results that follow each other: those that are alike in what they say at once."""
        checks = map(int, map(_check, lines), repeat(16))
        keys = row_keys(zip(map(_organization, lines), map(_id, lines), checks, strict=False))
        self._doubts.have_results(keys)
        begin = 0
        for (status, was), alike in groupby(map(_what, lines)):
            end = begin + len(list(alike))
            self._fold_alike(lines[begin:end], keys[begin:end], Status(status), Status(was) if was else None)
            begin = end

    def _fold_alike(self, lines: Sequence[ResultLine], keys: Sequence[int], status: Status, was: Status | None) -> None:
        if was is None:
            self.settled.add_all(keys, status)
            if status is Status.UPDATED:
                return
        for line, key in zip(lines, keys, strict=True):
            if was is not None:
                self.settled.add(key, status, was, is_retry=self._is_retry)
                self.tally.forget(key)
            if line.error is not None and status is not Status.UPDATED:
                row = Failing(line.line, line.id or "", line.organization_id, line.input, self._order(line.input))
                self.tally.explain(status, line.error, row, key)
                if line.error.message.endswith(DOUBT):
                    self.settled.doubted.add(key)

    def _order(self, name: str | None) -> int:
        """Tell which of the inputs one is."""
        inputs = self.run.inputs if self.run is not None else []
        return inputs.index(name) if name in inputs else 0

    def _fold_request(self, line: RequestLine) -> None:
        if line.attempt:
            self.attempts += 1
            self._sent.append((line.time, line.ms / 1000))
        if line.settled:
            self._doubts.end(line.request)
        self.requests += is_answered(line)


def is_answered(line: RequestLine) -> bool:
    """Tell whether an attempt brought its request's answer."""
    if not line.attempt or line.http is None:
        return False
    error = line.error
    return (
        error is None
        or line.final
        or is_answer(trouble_of_error(error.code, line.http, error.message), line.activities)
    )


_organization: Final = attrgetter("organization_id")
_id: Final = attrgetter("id")
_check: Final = attrgetter("check")
_what: Final = attrgetter("status", "was")


def _epoch(stamp: str) -> float:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
