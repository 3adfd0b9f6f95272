"""The pipeline with nothing real around it: an API, a ledger and chance in memory, for virtual time.

api = FakeApi(lambda sent: unavailable() if sent.number < 3 else updated(sent))
done = await carry_out_with(api, rows(10), plan())
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from bulk_update.edge.control import RateFile
from bulk_update.edge.ledger import LedgerFile
from bulk_update.edge.rows import IterableRows
from bulk_update.model import Answer, Change, Invalid, Outcome
from bulk_update.pipeline import Ended, Run
from bulk_update.plan import Plan, Stage
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.intake import RunIntake
from bulk_update.pure.ledger_lines import RunLine
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.retrying import Fault, Trouble
from bulk_update.pure.seals import Seal
from tests.runs import Ledger, ledger_of

START: Final = 1_700_000_000.0
"""What the wall clock says when the loop's clock says 0."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that has left: its number from 0, when, and what is in it."""

    number: int
    time: float
    organization: str
    ids: tuple[str, ...]
    activities: tuple[bytes, ...]


Behaviour = Callable[[Sent], Answer | Fault]
Seconds = Callable[[Sent], float]


class FakeApi:
    """An API that answers as it is told, `latency` seconds after a request left.

    `connecting`: seconds that it takes to get a connection, before the request's turn to leave is asked for.
    """

    def __init__(
        self,
        behave: Behaviour,
        *,
        latency: float | Seconds = 0.1,
        connecting: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._behave = behave
        self._latency: Seconds = latency if callable(latency) else lambda _: latency
        self._connecting = connecting
        self.sent: list[Sent] = []
        self.answered: list[tuple[float, Sent, Answer | Fault]] = []
        self.in_flight: set[tuple[str, str]] = set()
        self.clashes: list[tuple[str, str]] = []
        """Ids that were in flight twice at once."""
        self.peak = 0
        self.renewals = 0
        self.renews = False
        self._posting = 0

    @property
    def times(self) -> list[float]:
        """When requests left."""
        return [sent.time for sent in self.sent]

    async def post(self, encode: Callable[[], bytes], leave: Callable[[], Awaitable[None]]) -> Answer | Fault:
        """Take a request. Implements `ports.Transport`."""
        await asyncio.sleep(self._connecting())
        await leave()
        data = json.loads(encode())["data"]
        ids = tuple(activity["id"] for activity in data["activities"])
        activities = tuple(json.dumps(activity).encode() for activity in data["activities"])
        now = asyncio.get_running_loop().time
        sent = Sent(len(self.sent), now(), data["organizationId"], ids, activities)
        self.sent.append(sent)
        keys = {(sent.organization, id_) for id_ in ids}
        self.clashes += keys & self.in_flight
        self.in_flight |= keys
        self._posting += 1
        self.peak = max(self.peak, self._posting)
        try:
            await asyncio.sleep(self._latency(sent))
        finally:
            self._posting -= 1
            self.in_flight -= keys
        outcome = self._behave(sent)
        self.answered.append((now(), sent, outcome))
        return outcome

    async def renew(self, left: float) -> bool:
        """Say that there are no other credentials, unless told."""
        self.renewals += 1
        return self.renews


def updated(sent: Sent, *, refused: Collection[str] = (), missing: Collection[str] = ()) -> Answer:
    """Answer with a verdict for each id."""
    verdicts = {
        id_: {"success": id_ not in refused, "message": "Failed." if id_ in refused else "Activity updated."}
        for id_ in sent.ids
        if id_ not in missing
    }
    return Answer(200, json.dumps({"result": {"status": "success", "data": verdicts}}).encode())


def failing(status: str, http: int, message: str = "no", retry_after: str | None = None) -> Answer:
    """Answer with a google.rpc status."""
    return Answer(http, json.dumps({"error": {"status": status, "message": message}}).encode(), retry_after)


def unavailable() -> Answer:
    """Answer that the server cannot serve now."""
    return failing("UNAVAILABLE", 503)


def throttled(retry_after: str | None = None) -> Answer:
    """Ask for a lower pace."""
    return failing("RESOURCE_EXHAUSTED", 429, retry_after=retry_after)


def unreached() -> Fault:
    """Tell that no connection could be made."""
    return Fault(Trouble.UNREACHED, "connection refused")


class VirtualClock:
    """The time of day, in step with the event loop's clock."""

    def stamp(self) -> str:
        """Tell the time as ISO 8601."""
        return f"2023-11-14T22:13:{asyncio.get_running_loop().time():013.6f}Z"

    def seconds(self) -> float:
        """Tell the seconds since 1970."""
        return START + asyncio.get_running_loop().time()


@dataclass
class MemoryLedger:
    """A ledger in memory. `breaks_at`: the number of the append, from 1, that no longer fits on the disk.

    `control`: what lies beside it and may tell another rate.
    """

    path: Path = Path("test.ledger.ndjson")
    seal: Seal = field(default_factory=Seal)
    data: bytearray = field(default_factory=bytearray)
    appends: int = 0
    breaks_at: int | None = None
    seconds: float = 0.0
    control: RateFile | None = None

    def is_in_place(self) -> bool:
        """Nobody takes it away."""
        return True

    async def append(self, data: bytes) -> None:
        """Keep an append. Implements `edge.group_commit.Store`."""
        self.appends += 1
        await asyncio.sleep(self.seconds)
        if self.breaks_at is not None and self.appends >= self.breaks_at:
            raise OSError(28, "No space left on device")
        self.data += data


class Listener:
    """Take what is told of a run."""

    wants_outcomes = True

    def __init__(self) -> None:
        self.told: list[Outcome] = []
        self.notices: list[str] = []

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes."""
        self.told += outcomes

    def notice(self, message: str) -> None:
        """Take a sentence."""
        self.notices.append(message)

    async def room(self) -> None:
        """Let sending go on."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that has ended."""

    ended: Ended
    ledger: Ledger
    listener: Listener
    seconds: float

    @property
    def summary(self) -> Any:
        """How it ended, in counts."""
        return self.ended.summary


def make_run(
    api: FakeApi,
    changes: Iterable[Mapping[str, object]],
    how: Plan,
    *,
    file: MemoryLedger | None = None,
    seed: int = 1,
    listener: Listener | None = None,
) -> Run:
    """Put a run together."""
    reader, state = ActivityReader(), LedgerState()

    def read(change: object, number: int) -> Change | Invalid:
        return reader.read(json.dumps(change).encode(), number)

    begin = RunLine(1, "0", "2023-11-14T22:13:20.000Z", "run", ["test"], "https://api.test", "00", "00")
    stage = Stage(
        rows=IterableRows(changes, read),
        intake=RunIntake(state.settled, state.tally),
        state=state,
        file=cast(LedgerFile, file or MemoryLedger()),
        begin=begin,
        transport=api,
        observer=listener,
        control=None if file is None else file.control,
        clock=cast(Any, VirtualClock()),
        chance=random.Random(seed),
    )
    return Run(how, stage)


async def carry_out_with(
    api: FakeApi,
    changes: Iterable[Mapping[str, object]],
    how: Plan,
    *,
    file: MemoryLedger | None = None,
    seed: int = 1,
) -> Ran:
    """Carry out a run to its end."""
    file, listener = file or MemoryLedger(), Listener()
    began = asyncio.get_running_loop().time()
    ended = await make_run(api, changes, how, file=file, seed=seed, listener=listener).carry_out()
    return Ran(ended, ledger_of(bytes(file.data)), listener, asyncio.get_running_loop().time() - began)
