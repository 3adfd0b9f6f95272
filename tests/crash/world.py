"""One input, one ledger and one API, and what must be true of them whatever happens to the process."""

import json
import os
import signal
import sys
import zlib
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Final

from bulk_update.model import Change
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.ledger_lines import DOUBT, RequestLine, ResultLine, SendingLine, decode_line
from bulk_update.pure.ndjson import NdjsonReader
from bulk_update.pure.seals import SealedReader
from tests.servers.actions import Action
from tests.servers.exchange import Exchange
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.model import Request
from tests.servers.replies import Verdicts

ROOT: Final = Path(__file__).parent.parent.parent
KILLED: Final = -signal.SIGKILL

Key = tuple[str, str, int]
"""A row: organization, id, and the checksum of its change."""


class Point(StrEnum):
    """Where in an exchange the process ends."""

    RECEIVED = "received"
    APPLIED = "applied"
    HALF_ANSWERED = "half answered"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Strike:
    """Act on the process when the server is at `point` with request number `request` (from 0) of its run."""

    request: int
    point: Point
    act: Callable[[Process], None] = Process.kill


@dataclass(frozen=True, slots=True)
class _Struck:
    """Answer as told, and strike on the way."""

    inner: Verdicts
    point: Point
    strike: Callable[[], None]

    async def perform(self, exchange: Exchange) -> None:
        """Apply and answer up to the point, strike, and go on: whoever still listens gets it all."""
        request = exchange.request
        if self.point is Point.RECEIVED:
            self.strike()
            await self.inner.perform(exchange)
            return
        exchange.apply(self.inner.applies(request))
        if self.point is Point.APPLIED:
            self.strike()
            await self.inner.perform(exchange)
            return
        answer = self.inner.response(request, exchange.earlier).encode()
        if self.point is Point.HALF_ANSWERED:
            await exchange.send(answer[: len(answer) // 2])
            self.strike()
            await exchange.finish(answer[len(answer) // 2 :])
            return
        await exchange.finish(answer)
        self.strike()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the process ended."""

    code: int
    out: str
    err: str


@dataclass
class Tale:
    """What the ledger tells."""

    data: bytes
    whole: bytes
    results: list[ResultLine] = field(default_factory=list)
    requests: int = 0
    """Requests that were announced."""
    maybe: set[Key] = field(default_factory=set)
    """Rows of requests that stand in a torn tail: the next run says that they may have gone out."""
    announced: dict[int, set[Key]] = field(default_factory=dict)
    """Rows of the requests of which something is open, without those that have a result since."""

    @property
    def on_their_way(self) -> set[Key]:
        """The rows that may have gone out and have no result since."""
        return {key for keys in self.announced.values() for key in keys}

    @property
    def done(self) -> Counter[Key]:
        """The rows that have a result, once for each that replaces none."""
        return Counter(_key_of(line) for line in self.results if not line.was)


class World:
    """What the process acts on, and what is expected of it."""

    def __init__(self, folder: Path, records: Sequence[str], server: MisbehavingServer, options: Sequence[str]) -> None:
        self.input = folder / "changes.ndjson"
        self.ledger = folder / "changes.ledger.ndjson"
        self.server = server
        self.input.write_text("".join(f"{text}\n" for text in records))
        reader = NdjsonReader(ActivityReader().read, 0)
        rows = [*reader.feed(self.input.read_bytes()), *reader.finish()]
        self.changes = [row for row in rows if isinstance(row, Change)]
        self.invalid = len(rows) - len(self.changes)
        self.kills = 0
        self.options = list(options)
        self.environ = {"VELT_API_KEY": "key-1", "VELT_AUTH_TOKEN": "token-1", "PYTHONPATH": str(ROOT)}
        self._began_at = 0
        self._strike: Strike | None = None
        self.process: Process | None = None

    # ------------------------------------------------------------------------------------ running

    def command(self, *, verb: str = "run") -> list[str]:
        """Write the command that is run again and again."""
        source = self.input if verb == "run" else self.ledger
        command = [sys.executable, "-m", "bulk_update", verb, str(source), "--api-url", self.server.url]
        if verb == "run":
            command += ["--ledger", str(self.ledger)]
        return [*command, "--json", "--no-progress", *self.options]

    async def start(self, prefix: Sequence[str] = (), *, verb: str = "run", **how: Any) -> Process:
        """Start the process; `prefix`: what runs it."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("VELT_")}
        self._began_at = len(self.server.requests)
        self.process = await create_subprocess_exec(
            *prefix, *self.command(verb=verb), env=environ | self.environ, stdout=PIPE, stderr=PIPE, **how
        )
        return self.process

    async def run(
        self,
        strike: Strike | None = None,
        prefix: Sequence[str] = (),
        *,
        verb: str = "run",
        **how: Any,
    ) -> Ended:
        """Run the process to its end, and check what it left behind."""
        before = self.tale()
        self._strike = strike
        process = await self.start(prefix, verb=verb, **how)
        out, err = await process.communicate()
        self._strike = None
        assert process.returncode is not None
        ended = Ended(process.returncode, out.decode(), err.decode())
        self.kills += ended.code in (KILLED, 128 + signal.SIGKILL)
        self._check_run(before, ended)
        return ended

    def script(self, index: int, request: Request) -> Action:
        """Answer a request: ids that begin with `missing` are refused."""
        reply = Verdicts(dict.fromkeys((id_ for id_ in request.ids if id_.startswith("missing")), False))
        strike, process = self._strike, self.process
        if strike is None or process is None or index - self._began_at != strike.request:
            return reply
        return _Struck(reply, strike.point, lambda: _act(strike, process))

    # ----------------------------------------------------------------------------------- checking

    def tale(self) -> Tale:
        """Read the ledger, as far as it is whole."""
        data = self.ledger.read_bytes() if self.ledger.exists() else b""
        reader, tale = SealedReader(), Tale(data, b"")
        for append in reader.feed(data):
            for text in append.lines.split(b"\n")[:-1]:
                line = decode_line(text)
                if isinstance(line, SendingLine):
                    tale.requests += 1
                    tale.announced[line.request] = _keys_of(line)
                elif isinstance(line, RequestLine) and line.settled:
                    del tale.announced[line.request]
                elif isinstance(line, ResultLine):
                    tale.results.append(line)
                    for keys in tale.announced.values():
                        keys.discard(_key_of(line))
        tale.whole = data[: reader.size]
        for text in reader.finish().split(b"\n")[:-1]:
            with suppress(ValueError):
                line = decode_line(text)
                if isinstance(line, SendingLine):
                    tale.maybe |= _keys_of(line)
        return tale

    def _check_run(self, before: Tale, ended: Ended) -> None:
        """Check what must hold after any run, however it ended."""
        after, said = self.tale(), f"{ended.code}\n{ended.err}"
        assert after.data.startswith(before.whole), f"lines that were in the ledger have changed: {said}"
        sent = Counter(
            (request.organization or "", id_, zlib.crc32(activity))
            for request in self.server.requests[self._began_at :]
            for id_, activity in zip(request.ids, request.activities, strict=True)
        )
        arrived = len(self.server.requests) - self._began_at
        assert arrived <= after.requests - before.requests, f"a request went out that was not announced: {said}"
        wanted = Counter(map(_key, self.changes))
        repeated = sent - (wanted - before.done)
        assert not repeated, f"rows were sent that had their result: {repeated} {said}"
        assert not self.server.violations, said
        applied = Counter((one.organization, one.id, zlib.crc32(one.activity)) for one in self.server.applied)
        told = Counter(_key_of(line) for line in after.results if line.status == "updated")
        assert not told - applied, f"told updated, and was not: {told - applied} {said}"
        assert all(line.status in ("updated", "failed", "invalid") for line in after.results), said
        doubted = set(before.on_their_way)
        for line in after.results[len(before.results) :]:
            if line.status == "failed":
                assert line.error is not None
                assert (line.id or "").startswith("missing"), said
                says_so, key = line.error.message.endswith(DOUBT), _key_of(line)
                assert says_so == (key in doubted) or (says_so and key in before.maybe), (line, said)
            doubted.discard(_key_of(line))

    def check_finished(self, ended: Ended) -> None:
        """Check what must hold when the same command has come to its end."""
        refused = [change for change in self.changes if change.id.startswith("missing")]
        assert ended.code == (1 if refused or self.invalid else 0), ended
        summary = json.loads(ended.out)
        counts = {name: summary[name] for name in ("rows", "updated", "failed", "invalid", "unknown", "unsent")}
        assert counts == {
            "rows": len(self.changes) + self.invalid,
            "updated": len(self.changes) - len(refused),
            "failed": len(refused),
            "invalid": self.invalid,
            "unknown": 0,
            "unsent": 0,
        }, ended
        tale = self.tale()
        assert tale.data == tale.whole
        assert not tale.on_their_way
        assert Counter(_key_of(line) for line in tale.results if line.status != "invalid") == Counter(
            map(_key, self.changes)
        )
        assert self.final_state() == self.expected_state()

    def final_state(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Tell what the API holds."""
        state: dict[tuple[str, str], dict[str, Any]] = {}
        for one in self.server.applied:
            state.setdefault((one.organization, one.id), {}).update(json.loads(one.activity))
        return state

    def expected_state(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Tell what the API must hold in the end."""
        state: dict[tuple[str, str], dict[str, Any]] = {}
        for change in self.changes:
            if not change.id.startswith("missing"):
                state.setdefault((change.organization, change.id), {}).update(json.loads(change.activity))
        return state


def many_rows(random: Random, rows: int = 80) -> list[str]:
    """Draw rows of three organizations; ids come again, changes toggle, some are refused, some invalid."""
    drawn = []
    for _ in range(rows):
        identifier = f"{random.choice(['a', 'a', 'a', 'missing'])}{random.randrange(rows // 3)}"
        fields = {
            name: random.choice("AB") for name in ("actionIcon", "displayMessageTemplate") if random.random() < 0.8
        }
        row = {"organizationId": f"org-{random.randrange(3)}", "id": identifier} | fields
        drawn.append(json.dumps(row))
    return drawn


SMALL_BATCHES: Final = ("--rate", "none", "--batch-size", "3", "--concurrency", "4")


@asynccontextmanager
async def open_world(
    folder: Path, records: Sequence[str], options: Sequence[str] = SMALL_BATCHES
) -> AsyncIterator[World]:
    """Make an input and serve the API for it."""
    folder.mkdir(parents=True, exist_ok=True)
    worlds: list[World] = []

    def script(index: int, request: Request) -> Action:
        return worlds[0].script(index, request)

    async with open_misbehaving(script) as server:
        worlds.append(World(folder, records, server, options))
        yield worlds[0]


def _act(strike: Strike, process: Process) -> None:
    if process.returncode is None:
        strike.act(process)


def _key(change: Change) -> Key:
    return change.organization, change.id, change.check


def _keys_of(line: SendingLine) -> set[Key]:
    return {(line.organization_id, id_, check) for id_, check in zip(line.ids, line.checks, strict=True)}


def _key_of(line: ResultLine) -> Key:
    return line.organization_id or "", line.id or "", int(line.check, 16)
