"""What the sandbox has seen: counts of everything, and the latest requests. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from bulk_update.sandbox.answers import Reply
from bulk_update.sandbox.manners import Violations

_KEPT: Final = 2_000
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the sandbox has seen so far: counts of HTTP requests, and of the verdicts of updates."""

    requests: int = 0
    """Requests answered or dropped, on any path of the API."""
    refused: int = 0
    """Requests among them that were answered with an error."""
    dropped: int = 0
    """Requests among them whose connection was closed without a whole answer."""
    updated: int = 0
    """Verdicts `success: true` of updates, told or not."""
    failed: int = 0
    """Verdicts `success: false` of updates, told or not."""
    duplicates: int = 0
    """Ids that stood in an update after they had stood in it before: the answer has one place for them."""
    faults: int = 0
    """Requests that a fault befell."""
    manners: Violations = field(default_factory=Violations)
    """How often a client did what no client may do, by kind."""

    @property
    def violations(self) -> int:
        """How often a client did what no client may do; a correct one leaves this at 0."""
        return self.manners.total


@dataclass(frozen=True, slots=True)
class Entry:
    """A request in the log. `time`: ms since 1970. `status`: None for a connection that was closed.

    `seconds`: from its arrival until its answer had left. `bytes`: of its body.
    """

    number: int
    time: int
    method: str
    path: str
    organization: str | None
    activities: int
    bytes: int
    status: int | None
    error: str | None
    updated: int
    failed: int
    seconds: float
    faults: tuple[str, ...]
    violations: tuple[str, ...]


class Journal:
    """Count requests, and keep the latest of them."""

    def __init__(self) -> None:
        self.statistics = Statistics()
        self._entries: deque[Entry] = deque(maxlen=_KEPT)

    def note(self, entry: Entry, reply: Reply | None, *, is_whole: bool) -> None:
        """Write down a request that has ended. `reply`: None for none. `is_whole`: all of it went out."""
        seen = self.statistics
        self._entries.append(entry)
        self.statistics = replace(
            seen,
            requests=seen.requests + 1,
            refused=seen.refused + (reply is not None and reply.status != _OK),
            dropped=seen.dropped + (not is_whole),
            updated=seen.updated + entry.updated,
            failed=seen.failed + entry.failed,
            duplicates=seen.duplicates + (reply.duplicates if reply is not None else 0),
            faults=seen.faults + bool(entry.faults),
        )

    def latest(self, after: int = 0, limit: int = _KEPT) -> Sequence[Entry]:
        """Return the latest requests with a number above `after`, the last one first."""
        return [entry for entry in islice(reversed(self._entries), limit) if entry.number > after]
