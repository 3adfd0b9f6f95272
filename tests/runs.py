"""What tests of whole runs share: rows to send, a run against a server of the tests, and a ledger to look into."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bulk_update import Api, Changes, Credentials, Inputs, Limits, Outcome, Persistence, Plan, Summary, update
from bulk_update.pure.retrying import Backoff

KEY: Final = "key-9fQ2-SECRET-a71bE"
TOKEN: Final = "token-Zx81-SECRET-77cD0"

HASTY: Final = Plan(rate=None, persistence=Persistence(backoff=Backoff(0.002, 0.01)))
"""As fast as the server lets it, with retries that come at once."""

Row = dict[str, Any]


def row(identifier: str, organization: str = "org-1", **fields: object) -> Row:
    """Make a row that changes something; `fields` in the place of what it sets."""
    return {"organizationId": organization, "id": identifier} | (fields or {"actionIcon": f"icon-{identifier}"})


def rows(count: int, organization: str = "org-1") -> list[Row]:
    """Make rows of one organization: a0, a1, ..."""
    return [row(f"a{number}", organization) for number in range(count)]


def ndjson(records: Iterable[Mapping[str, object]]) -> str:
    """Write rows as an input."""
    return "".join(json.dumps(record) + "\n" for record in records)


def plan(size: int = 100, *, concurrency: int = 16, max_attempts: int = 5, give_up_after: float = 900.0) -> Plan:
    """Vary the hasty plan: `size` activities in a request."""
    persistence = Persistence(concurrency, max_attempts, give_up_after, HASTY.persistence.backoff)
    return replace(HASTY, limits=Limits(count=size), persistence=persistence)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The lines of a ledger, seals left out."""

    lines: Sequence[Mapping[str, Any]]

    @property
    def results(self) -> dict[int, Mapping[str, Any]]:
        """The last result of each row, by line."""
        return {line["line"]: line for line in self.lines if line["type"] == "result"}

    @property
    def statuses(self) -> dict[str, int]:
        """Rows by the status of their last result."""
        return dict(Counter(result["status"] for result in self.results.values()))

    @property
    def attempts(self) -> list[Mapping[str, Any]]:
        """The HTTP attempts, in the order in which they ended."""
        return [line for line in self.lines if line["type"] == "request" and line["attempt"]]

    def departures(self, organization: str | None = None) -> list[float]:
        """Tell when requests left, in seconds: a busy server notes some of them late, and so together."""
        return [
            datetime.fromisoformat(attempt["time"]).timestamp() - attempt["ms"] / 1000
            for attempt in self.attempts
            if organization in (None, attempt["organizationId"])
        ]

    def status(self, line: int) -> str:
        """Tell what became of a row."""
        return str(self.results[line]["status"])

    def error(self, line: int) -> Mapping[str, Any]:
        """Tell why a row is not updated."""
        error: Mapping[str, Any] = self.results[line]["error"]
        return error


def read_ledger(path: Path) -> Ledger:
    """Read a ledger as `jq` would."""
    return ledger_of(path.read_bytes())


def ledger_of(data: bytes) -> Ledger:
    """Take the bytes of a ledger apart."""
    lines = [json.loads(line) for line in data.split(b"\n")[:-1]]
    return Ledger([line for line in lines if line["type"] != "seal"])


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has ended, and what it left behind."""

    summary: Summary
    ledger: Ledger
    outcomes: Sequence[Outcome]


async def carry_out(
    url: str,
    changes: Iterable[Mapping[str, object]] | Path,
    folder: Path,
    how: Plan = HASTY,
    timeout: float = 10.0,
) -> Done:
    """Send rows to the API at `url` with the ledger in `folder`; running it again goes on."""
    ledger = folder / "test.ledger.ndjson"
    source = Inputs((str(changes),)) if isinstance(changes, Path) else Changes(list(changes), "test")
    outcomes: list[Outcome] = []
    api = Api(url, Credentials(KEY, TOKEN), timeout)
    summary = await update(source, ledger=ledger, target=api, plan=how, on_outcomes=outcomes.extend)
    return Done(summary, read_ledger(ledger), outcomes)
