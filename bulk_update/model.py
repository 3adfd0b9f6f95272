"""The nouns that pass between the stages: frozen, slotted, and told nothing of each other's makers.

What exists once a row is a `msgspec.Struct` with `gc=False`: slotted and frozen like the dataclasses,
a third of a dataclass's cost to make, and nothing for the garbage collector to visit. Such a struct
holds only atomic values, so it can never be part of a cycle.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec


class Change(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one record wants for one activity.

    `line`: physical line where the record begins, from 1. `input`: index of its input, from 0.
    `check`: CRC-32 of `activity`. `fields`: bit mask of the fields it sets, in the order of
    `pure.shape.FIELDS`. `activity`: the JSON object that goes into `activities[]`, values as they
    stood in the input. `was`: the status of the result that this row already has in the ledger and that
    its next one replaces, or "". `doubt`: an earlier request with this change may have been applied, although
    the row is not updated.
    """

    organization: str
    id: str
    line: int
    input: int
    check: int
    fields: int
    activity: bytes
    was: str = ""
    doubt: bool = False


class Invalid(msgspec.Struct, frozen=True, gc=False):
    """A record that will never be sent, and why.

    `check`: CRC-32 of the whole raw record. `raw`: the record as read, cut at 64 KiB.
    `organization` and `id` are given where they could be read.
    """

    line: int
    input: int
    check: int
    organization: str | None
    id: str | None
    code: str
    message: str
    raw: bytes


class RowError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a row is not updated: `code` is stable, `message` is for a person, `http` the status of the answer."""

    code: str
    message: str
    http: int | None = None


class Status(StrEnum):
    """What became of a row (DESIGN section 2.3)."""

    UPDATED = "updated"
    FAILED = "failed"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of one organization that travel in one request: no id twice, in input order.

    `ids`: those of the changes, in step; taken from them where they are not given.
    """

    organization: str
    changes: Sequence[Change]
    ids: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.ids:
            object.__setattr__(self, "ids", [change.id for change in self.changes])


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP, whole, and with the secrets that it may repeat.

    `close` gives up the connection that it came over. `redact` strikes the secrets out of a text: what is taken from
    an answer to be shown or recorded goes through it first.
    """

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = field(default=None, repr=False)
    close: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)
    redact: Callable[[str], str] = field(default=lambda text: text, compare=False, repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """The API key and the auth token; neither is ever shown."""

    api_key: str
    auth_token: str


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """An API: its base URL, and who we are there. `reload` reads the credentials again, if they are in files."""

    base_url: str
    credentials: Credentials
    reload: Callable[[], Credentials] | None = None


class Halted(Exception):
    """Leave what was being waited for: the run is stopping."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one row, as it stands in the ledger. `error` tells why, of every status but updated."""

    line: int
    input: int
    organization: str | None
    id: str | None
    status: Status
    error: RowError | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """An HTTP attempt that has ended.

    `seconds`: from the moment its bytes left. `http`: status of the answer, None where there was none.
    `trouble`: what went wrong (a `pure.retrying.Trouble`), None when it was answered.
    """

    organization: str
    activities: int
    seconds: float
    http: int | None
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Settled:
    """Rows of one organization whose results are on disk. `ids`: of all of them.

    `is_final`: they are several, and one refusal was the answer to all.
    """

    organization: str
    updated: Sequence[Change]
    others: Sequence[tuple[Change, Status, RowError]]
    ids: Sequence[str]
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a run stands.

    `counts`: rows by what became of them. `unsent`: rows that were read and have no result. `waiting`: rows
    of them that wait for their batch. `attempts`, `retries`, `pushbacks`: of this run. `seconds`: since it began.
    `allowed`: at most so many requests in so many seconds, just now; None where nothing bounds them. `pause`:
    seconds until the next may leave, where the server asked for a pause.
    `outage`: seconds since nothing succeeds any more, None when all is well. `next_probe`: seconds until it is
    tried again, None while that is under way. `bytes_read`, `bytes_total`: of the input as it lies on disk, None
    when that cannot be told. `answered`: requests of this run whose answer
    told what became of their rows. `flying`: requests that are out now. `again`: rows with an earlier result that
    have got another one in this run. `resending`: such rows that have not yet, whether they wait or are on their
    way. `to_resend`: such rows that a retry begins with; None for the main job.
    """

    read: int
    counts: Mapping[Status, int]
    unsent: int
    waiting: int
    skipped: int
    attempts: int
    retries: int
    seconds: float
    allowed: tuple[float, float] | None
    outage: float | None
    bytes_read: int | None
    bytes_total: int | None
    is_read_whole: bool
    pushbacks: int = 0
    pause: float = 0.0
    answered: int = 0
    flying: int = 0
    again: int = 0
    resending: int = 0
    to_resend: int | None = None
    next_probe: float | None = None
