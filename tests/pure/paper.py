"""A run on paper: the real ledger lines, intake and retry plan, with a dict in the place of the API.

Rows go one by one, in the order in which the intake passes them on. A crash can be put at every step: an
append to the ledger or a change that takes effect is a step.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from bulk_update.model import Batch, Change, Invalid, RowError, Status
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.intake import Intake, RetryIntake, RunIntake
from bulk_update.pure.ledger_lines import (
    CutLine,
    EndLine,
    RequestLine,
    ResultLine,
    ResultWriter,
    RunLine,
    decode_line,
    encode_line,
    sending_line,
)
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.ndjson import NdjsonReader
from bulk_update.pure.retry_plan import RetryPlan, change_again
from bulk_update.pure.seals import Append, Seal, SealedReader

TIME: Final = "2026-01-02T03:04:05.678Z"

OK: Final = "ok"
REFUSED: Final = "refused"
APPLIED_UNTOLD: Final = "applied, untold"
LOST_UNTOLD: Final = "lost, untold"

Verdict = Callable[[Change], str]
Fields = dict[str, Any]


class Crash(Exception):
    """The process is gone."""


def all_ok(change: Change) -> str:
    """Update every row."""
    del change
    return OK


def record(identifier: str, organization: str = "org", **fields: object) -> str:
    """Write a row of an input."""
    return json.dumps({"organizationId": organization, "id": identifier} | (fields or {"actionIcon": "icon"}))


def read_rows(records: Sequence[str]) -> list[Change | Invalid]:
    """Read an input, a record a line."""
    reader = NdjsonReader(ActivityReader().read, 0)
    return [*reader.feed("".join(f"{text}\n" for text in records).encode()), *reader.finish()]


def values_of(change: Change) -> Fields:
    """Tell what a change sets."""
    values: Fields = json.loads(change.activity)
    del values["id"]
    return values


def run_line(verb: str = "run", *, inputs: Sequence[str] = ("in.ndjson",), form: int = 1) -> RunLine:
    """Begin a run."""
    return RunLine(form, "0", TIME, verb, list(inputs), "https://api.example", "00" * 16, "key")


def request_line(number: int, rows: int, *, attempt: int = 1, http: int | None = 200, settled: bool = True) -> bytes:
    """End an attempt."""
    error = None if http is not None else RowError("unanswered", "no answer")
    return encode_line(RequestLine(number, "org", rows, attempt, 1.5, TIME, http, error, settled))


def sealed(*appends: bytes, after: Seal | None = None) -> bytes:
    """Seal appends, one after the other."""
    seal, text = after or Seal(), b""
    for append in appends:
        seal = seal.next(append)
        text += append + seal.encode()
    return text


@dataclass
class Paper:
    """A ledger, and the API that it speaks of. `seen`: every change that was sent, in order."""

    ledger: bytes = b""
    api: dict[tuple[str, str], Fields] = field(default_factory=dict)
    seen: list[Change] = field(default_factory=list)
    state: LedgerState = field(default_factory=LedgerState)
    seal: Seal = field(default_factory=Seal)
    steps: Iterator[int] = field(default_factory=lambda: iter(range(0)))

    def run(
        self, records: Sequence[str], verdict: Verdict = all_ok, steps: int = 1_000_000, most: int = 1_000_000
    ) -> "Paper":
        """Run the main job; after `steps` steps the process is gone; after `most` changes it stops in good order."""
        self._begin("run", steps)
        with suppress(Crash):
            self._send(RunIntake(self.state.settled, self.state.tally), read_rows(records), verdict, most)
        return self

    def retry(self, verdict: Verdict = all_ok, steps: int = 1_000_000) -> "Paper":
        """Run `retry`; after `steps` steps the process is gone."""
        plan = self._begin("retry", steps)
        rows = []
        for row in plan.rows(self.state.lost_keys()):
            line = decode_line(self.ledger[row.offset : row.offset + row.size])
            assert isinstance(line, ResultLine)
            rows.append(change_again(row, line, 0))
        with suppress(Crash):
            self._send(RetryIntake(self.state), rows, verdict)
        return self

    @property
    def sent(self) -> list[tuple[str, Fields]]:
        """What the last run sent: ids, and what was to be set."""
        return [(change.id, values_of(change)) for change in self.seen]

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status, as the last run's summary would tell; zeros left out."""
        counts = {status.value: rows for status, rows in self.state.tally.settled.items() if rows}
        return counts | ({"unsent": self.state.tally.unsent} if self.state.tally.unsent else {})

    def reread(self) -> LedgerState:
        """Read the ledger anew, as the next run would."""
        return read_back(self.ledger)[0]

    def _begin(self, verb: str, steps: int) -> RetryPlan:
        self.steps, self.seen = iter(range(steps)), []
        self.state, plan, reader = read_back(self.ledger)
        self.seal, tail = reader.seal, reader.finish()
        if tail:
            self.ledger = self.ledger[: -len(tail)]
            self.state.mend(tail, CutLine(len(tail), "torn", TIME))
            plan.fold(Append(0, self.state.mended, len(self.ledger)))
        try:
            self._append(encode_line(run_line(verb)) + self.state.mended)
        except Crash:
            self.steps = iter(())
        return plan

    def _step(self) -> None:
        if next(self.steps, None) is None:
            raise Crash

    def _append(self, lines: bytes) -> None:
        self._step()
        self.ledger += sealed(lines, after=self.seal)
        self.seal = self.seal.next(lines)

    def _send(self, intake: Intake, rows: Sequence[Change | Invalid], verdict: Verdict, most: int = 1_000_000) -> None:
        writer, tally = ResultWriter(["in.ndjson"]), self.state.tally
        admitted = intake.admit(rows)
        for invalid in admitted.invalid:
            self._append(writer.invalid(invalid))
            tally.settle(Status.INVALID)
        for change in admitted.superseded:
            self._append(writer.superseded(change))
            tally.replace(Status.SUPERSEDED, Status(change.was))
        number = self.state.last_request
        for change in admitted.changes[:most]:
            number += 1
            self._append(sending_line(number, TIME, Batch(change.organization, [change])))
            self._step()
            self.seen.append(change)
            word = verdict(change)
            if word in (OK, APPLIED_UNTOLD):
                self.api.setdefault((change.organization, change.id), {}).update(values_of(change))
            self._append(
                request_line(number, 1, http=None if "untold" in word else 200) + _result(writer, change, word)
            )
            status = _STATUSES[word]
            if change.was:
                tally.replace(status, Status(change.was))
            else:
                tally.settle(status)
        stopped = "a signal" if most < len(admitted.changes) else None
        summary: dict[str, object] = {"run_seconds": 1.0, "complete": True, "unsent": tally.unsent, "stopped": stopped}
        summary["invalid"] = tally.settled[Status.INVALID]
        self._append(encode_line(EndLine(TIME, 0, summary)))


def read_back(ledger: bytes) -> tuple[LedgerState, RetryPlan, SealedReader]:
    """Read a ledger from its beginning. `Damage` or ValueError when it cannot be used."""
    state, plan, reader = LedgerState(), RetryPlan(), SealedReader()
    for append in reader.feed(ledger):
        state.fold(append)
        plan.fold(append)
    return state, plan, reader


def expected_api(records: Sequence[str], verdict: Verdict = all_ok) -> dict[tuple[str, str], Fields]:
    """Tell what an input makes of an empty API when it is applied in its order."""
    api: dict[tuple[str, str], Fields] = {}
    for row in read_rows(records):
        if isinstance(row, Change) and verdict(row) == OK:
            api.setdefault((row.organization, row.id), {}).update(values_of(row))
    return api


_STATUSES: Final = {
    OK: Status.UPDATED,
    REFUSED: Status.FAILED,
    APPLIED_UNTOLD: Status.UNKNOWN,
    LOST_UNTOLD: Status.UNKNOWN,
}


def _result(writer: ResultWriter, change: Change, word: str) -> bytes:
    status = _STATUSES[word]
    if status is Status.UPDATED:
        return writer.updated(change.organization, [change])
    error = RowError("not_updated", "Failed to update activity.") if word == REFUSED else RowError("timeout", "none")
    return writer.result(change, status, error)
