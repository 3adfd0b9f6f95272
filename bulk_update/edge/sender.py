"""Bring batches to the API: attempts, waits and splits, until each row has its result.

What follows a trouble is decided in `pure.retrying`; here it is done. A request is recorded before it goes
out; its results are recorded before they are counted, and counted before they are told.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio
from msgspec.structs import replace

from bulk_update.errors import BulkUpdateError, CredentialsRefused, NotThisApi, OutageOutlasted
from bulk_update.model import Answer, Attempted, Batch, Change, Halted, RowError, Settled, Status
from bulk_update.pure.ledger_lines import RequestLine, ResultWriter, encode_line, sending_line
from bulk_update.pure.retrying import POLICIES, Backoff, Chance, Fault, Health, Step, Trouble, parse_retry_after
from bulk_update.pure.settled import row_key
from bulk_update.pure.wire import Judgement, encode_request, judge

_DOUBT: Final = "; an earlier request with this change got no answer, so it may have been applied"


class Transport(Protocol):
    """Carry one request body to the API."""

    async def post(self, body: bytes, leave: Callable[[], Awaitable[None]]) -> Answer | Fault:
        """Send a body and read its answer; await `leave` last, right before the bytes leave."""


class Recorder(Protocol):
    """Keep lines of the ledger."""

    def note(self, lines: bytes) -> None:
        """Add lines, without waiting for them to be on disk."""

    async def record(self, lines: bytes) -> None:
        """Add lines and return when they are on disk."""


class Pacing(Protocol):
    """Keep the rates."""

    async def organization_token(self, organization: str) -> None:
        """Wait for the turn of this request among those of its organization."""

    async def token(self) -> None:
        """Wait for the turn of this request among all."""

    async def leave(self, organization: str) -> None:
        """Wait until one more request may leave, and note that it leaves now."""


class Stopping(Protocol):
    """Ask for the end of the run, and be interrupted by it."""

    def request(self, reason: BulkUpdateError | None = None) -> None:
        """Stop the run in good order."""

    def interrupts(self) -> contextlib.AbstractContextManager[None]:
        """Let a stop interrupt the block, which then raises `Halted`."""


class Clock(Protocol):
    """Tell the time of day."""

    def stamp(self) -> str:
        """Tell the time as ISO 8601 in UTC."""

    def seconds(self) -> float:
        """Tell the seconds since 1970."""


class Witness(Protocol):
    """See what happens, when it is recorded."""

    def attempted(self, attempt: Attempted) -> None:
        """Take note of an attempt."""

    def settled(self, settled: Settled) -> None:
        """Take note of rows that have their result."""

    def outage_changed(self, since: float | None) -> None:
        """Take note that nothing succeeds any more since so many loop seconds; None: that it is over."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """How hard it is tried.

    `concurrency`: attempts in flight, at most. `max_attempts`: of a batch that the server answers badly
    while it answers others well. `give_up_after`: seconds that an outage is waited out.
    """

    concurrency: int = 16
    max_attempts: int = 5
    give_up_after: float = 900.0
    backoff: Backoff = Backoff()


@dataclass(frozen=True, slots=True)
class Means:
    """What a sender works with."""

    transport: Transport
    recorder: Recorder
    results: ResultWriter
    pace: Pacing
    stop: Stopping
    chance: Chance
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Part:
    """A batch, or what is left of it. `doubtful`: an earlier attempt may have been applied.

    `asked`: how often its rows were asked for and left out of the answer.
    """

    batch: Batch
    doubtful: bool = False
    asked: int = 0


@dataclass(slots=True)
class _Exchange:
    """One recorded request and its attempts.

    `doubtful`: some attempt may have been applied. `counted`: failures while the API answered others.
    `successes`: how many requests had succeeded when this one failed first. `is_out`: an attempt has left
    and is not answered.
    """

    number: int
    batch: Batch
    doubtful: bool
    attempts: int = 0
    failures: int = 0
    counted: int = 0
    successes: int = 0
    is_out: bool = False


class Sender:
    """Deliver batches. `doubtful`: keys of rows that may have been applied and have no result; kept current."""

    def __init__(
        self,
        means: Means,
        persistence: Persistence,
        witness: Witness,
        *,
        first_request: int = 1,
        doubtful: set[int] | None = None,
    ) -> None:
        self._means = means
        self._persistence = persistence
        self._witness = witness
        self.doubtful = set() if doubtful is None else doubtful
        self._numbers = itertools.count(first_request)
        self._health = Health()
        self._gate = _Gate(self._health, means, persistence)

    async def deliver(self, batch: Batch) -> None:
        """See a batch through: each of its rows has its result, unless the run stops before.

        Stopping leaves the rows without a result, to be sent by the next run.
        """
        parts = deque((_Part(batch),))
        with contextlib.suppress(Halted):
            while parts:
                parts.extendleft(reversed(await self._exchange(parts.popleft())))

    async def _exchange(self, part: _Part) -> list[_Part]:
        """Send one part until it is answered or given up; return the parts that are left to send."""
        exchange = _Exchange(next(self._numbers), part.batch, part.doubtful)
        try:
            return await self._see_through(exchange, part)
        except (Halted, asyncio.CancelledError):
            if exchange.doubtful or exchange.is_out:
                self.doubtful.update(_keys(exchange.batch.changes))
            raise

    async def _see_through(self, exchange: _Exchange, part: _Part) -> list[_Part]:
        while True:
            outcome, seconds = await self._attempt(exchange)
            judgement = _judge(outcome, part.batch)
            line = self._attempted(exchange, judgement, seconds)
            match self._next_step(exchange, judgement):
                case None:
                    return await self._conclude(exchange, part.asked + 1, judgement, line)
                case Step.RETRY:
                    self._means.recorder.note(encode_line(line))
                    await self._pause(exchange, outcome)
                case Step.STOP:
                    self._close(exchange, line)
                    self._means.stop.request(_reason(judgement))
                    raise Halted
                case Step.SPLIT if len(part.batch.changes) > 1:
                    self._close(exchange, line)
                    return _halves(part, doubtful=exchange.doubtful)
                case _:
                    await self._give_up(exchange, judgement, line)
                    return []

    def _next_step(self, exchange: _Exchange, judgement: Judgement) -> Step | None:
        """Decide what follows an attempt; None when it was answered."""
        trouble = judgement.trouble
        if trouble is None:
            self._succeeded()
            return None
        policy = POLICIES[trouble]
        exchange.doubtful |= policy.may_be_applied
        if policy.step is not Step.RETRY:
            if policy.step is not Step.STOP:
                self._succeeded()
            return policy.step
        self._failed(exchange)
        return Step.RETRY if exchange.counted < self._persistence.max_attempts else Step.SPLIT

    async def _attempt(self, exchange: _Exchange) -> tuple[Answer | Fault, float]:
        """Make one attempt in its turn; return what came back, and how many seconds it took."""
        means, now = self._means, asyncio.get_running_loop().time
        left: float | None = None

        async def leave() -> None:
            nonlocal left
            with means.stop.interrupts():
                await means.pace.leave(exchange.batch.organization)
            left = now()
            exchange.is_out = True

        with means.stop.interrupts():
            await means.pace.organization_token(exchange.batch.organization)
        async with self._gate.pass_through():
            if exchange.attempts == 0:
                await self._announce(exchange)
            try:
                with means.stop.interrupts():
                    await means.pace.token()
                began = now()
                outcome = await means.transport.post(encode_request(exchange.batch), leave)
            except Halted:
                self._withdraw(exchange)
                raise
            exchange.is_out = False
            exchange.attempts += 1
            return outcome, now() - (left or began)

    async def _announce(self, exchange: _Exchange) -> None:
        """Record that the request goes out, before it does."""
        batch, clock = exchange.batch, self._means.clock
        line = sending_line(exchange.number, clock.stamp(), batch.organization, batch.changes)
        await self._means.recorder.record(line)

    def _withdraw(self, exchange: _Exchange) -> None:
        """Note that a request which was announced never left."""
        if exchange.attempts == 0:
            error = RowError("not_sent", "the run stopped before the request left")
            self._close(exchange, self._line(exchange, 0.0, None, error))

    def _close(self, exchange: _Exchange, line: RequestLine) -> None:
        """Note the end of a request that brought its rows no result."""
        self._means.recorder.note(encode_line(replace(line, settled=not exchange.doubtful)))

    def _attempted(self, exchange: _Exchange, judgement: Judgement, seconds: float) -> RequestLine:
        """Tell the witness of an attempt, and make the ledger's line of it."""
        batch = exchange.batch
        self._witness.attempted(
            Attempted(batch.organization, len(batch.changes), seconds, judgement.http, judgement.trouble)
        )
        error = None
        if judgement.trouble is not None:
            error = RowError(judgement.code, judgement.message)
        return self._line(exchange, seconds, judgement.http, error)

    def _line(self, exchange: _Exchange, seconds: float, http: int | None, error: RowError | None) -> RequestLine:
        return RequestLine(
            exchange.number,
            exchange.batch.organization,
            len(exchange.batch.changes),
            exchange.attempts,
            round(seconds * 1000, 1),
            self._means.clock.stamp(),
            http,
            error,
        )

    async def _conclude(self, exchange: _Exchange, asked: int, judgement: Judgement, line: RequestLine) -> list[_Part]:
        """Record the verdicts; what the answer left out is asked for again, a bounded number of times."""
        others = [
            (change, Status.FAILED, self._with_doubt(change, error, is_doubtful=exchange.doubtful))
            for change, error in judgement.refused
        ]
        again: list[_Part] = []
        if judgement.unanswered and asked < self._persistence.max_attempts:
            left = Batch(exchange.batch.organization, judgement.unanswered)
            again = [_Part(left, doubtful=True, asked=asked)]
        else:
            error = RowError(judgement.code, judgement.message, judgement.http)
            others += [(change, Status.UNKNOWN, error) for change in judgement.unanswered]
        await self._record(replace(line, settled=not again), judgement.updated, others)
        return again

    async def _give_up(self, exchange: _Exchange, judgement: Judgement, line: RequestLine) -> None:
        """Record that the rows of a request could not be updated."""
        trouble = judgement.trouble
        is_refusal = trouble is not None and POLICIES[trouble].step is not Step.RETRY
        status = Status.UNKNOWN if exchange.doubtful and not is_refusal else Status.FAILED
        error = RowError(judgement.code, judgement.message, judgement.http)
        others = [
            (change, status, self._with_doubt(change, error, is_doubtful=exchange.doubtful and is_refusal))
            for change in exchange.batch.changes
        ]
        await self._record(replace(line, settled=True), (), others)

    async def _record(
        self,
        line: RequestLine,
        updated: Sequence[Change],
        others: Sequence[tuple[Change, Status, RowError]],
    ) -> None:
        results = self._means.results
        lines = [encode_line(line), results.updated(line.organization_id, updated)]
        lines += [results.result(change, status, error) for change, status, error in others]
        await self._means.recorder.record(b"".join(lines))
        if self.doubtful:
            self.doubtful.difference_update(_keys(updated), (_key(change) for change, _, _ in others))
        self._witness.settled(Settled(line.organization_id, updated, others))

    def _with_doubt(self, change: Change, error: RowError, *, is_doubtful: bool) -> RowError:
        """Say of a refusal when an earlier request may have been applied: a clean refusal would be a lie."""
        if is_doubtful or (self.doubtful and _key(change) in self.doubtful):
            return replace(error, message=error.message + _DOUBT)
        return error

    async def _pause(self, exchange: _Exchange, outcome: Answer | Fault) -> None:
        """Wait before the next attempt, drawn at random above what the server asked for."""
        means = self._means
        floor = 0.0
        if isinstance(outcome, Answer):
            floor = parse_retry_after(outcome.retry_after, means.clock.seconds())
        self._gate.hold_until(asyncio.get_running_loop().time() + floor)
        delay = floor + self._persistence.backoff.delay(exchange.failures, means.chance)
        with means.stop.interrupts():
            await anyio.sleep(delay)

    def _succeeded(self) -> None:
        if self._health.is_outage:
            self._witness.outage_changed(None)
        self._health.succeeded()

    def _failed(self, exchange: _Exchange) -> None:
        """Count a failure against the batch, if the API has answered others since it first failed."""
        if exchange.failures == 0:
            exchange.successes = self._health.successes
        exchange.failures += 1
        exchange.counted += self._health.successes > exchange.successes
        was_outage = self._health.is_outage
        self._health.failed(asyncio.get_running_loop().time())
        if self._health.is_outage and not was_outage:
            self._witness.outage_changed(self._health.failing_since)


class _Gate:
    """Where attempts wait: for a slot, for what the server asked for, and in an outage for their turn to probe."""

    def __init__(self, health: Health, means: Means, persistence: Persistence) -> None:
        self._health = health
        self._means = means
        self._persistence = persistence
        self._slots = anyio.Semaphore(persistence.concurrency)
        self._probe = anyio.Lock()
        self._probes = 0
        self._not_before = 0.0

    def hold_until(self, time: float) -> None:
        """Let no attempt pass before a time of the event loop's clock."""
        self._not_before = max(self._not_before, time)

    @contextlib.asynccontextmanager
    async def pass_through(self) -> AsyncIterator[None]:
        """Hold a slot for one attempt; while nothing succeeds, one attempt passes at a time."""
        async with contextlib.AsyncExitStack() as stack:
            is_probe = await self._enter(stack)
            yield
            self._probes = self._probes + 1 if is_probe and self._health.is_outage else 0

    async def _enter(self, stack: contextlib.AsyncExitStack) -> bool:
        interrupts = self._means.stop.interrupts
        while True:
            is_probe = self._health.is_outage
            if is_probe:
                with interrupts():
                    await stack.enter_async_context(self._probe)
                    await self._wait_to_probe()
                is_probe = self._health.is_outage
            with interrupts():
                while (wait := self._not_before - asyncio.get_running_loop().time()) > 0:
                    await anyio.sleep(wait)
                await stack.enter_async_context(self._slots)
            if is_probe or not self._health.is_outage:
                return is_probe
            await stack.aclose()

    async def _wait_to_probe(self) -> None:
        """Wait between probes; give up when the outage has lasted too long."""
        now = asyncio.get_running_loop().time
        since = self._health.failing_since
        if since is None:
            return
        give_up = since + self._persistence.give_up_after
        delay = self._persistence.backoff.delay(self._probes + 1, self._means.chance) if self._probes else 0.0
        await anyio.sleep(max(0.0, min(delay, give_up - now())))
        if now() >= give_up and self._health.is_outage:
            minutes = self._persistence.give_up_after / 60
            self._means.stop.request(
                OutageOutlasted(
                    f"the API has answered nothing useful for {minutes:g} minutes (--give-up-after); "
                    "no row was given up. Run the same command again when it is back"
                )
            )
            raise Halted


def _key(change: Change) -> int:
    return row_key(change.organization, change.id, change.check)


def _keys(changes: Sequence[Change]) -> set[int]:
    return {_key(change) for change in changes}


def _judge(outcome: Answer | Fault, batch: Batch) -> Judgement:
    if isinstance(outcome, Fault):
        return Judgement((), (), batch.changes, outcome.trouble, outcome.trouble.value, outcome.message)
    judgement = judge(outcome, batch)
    if judgement.trouble is Trouble.UNREADABLE:
        # What came may be another request's answer; the next one over this connection would be, too.
        outcome.close()
    return judgement


def _halves(part: _Part, *, doubtful: bool) -> list[_Part]:
    changes, organization = part.batch.changes, part.batch.organization
    middle = len(changes) // 2
    return [_Part(Batch(organization, half), doubtful, part.asked) for half in (changes[:middle], changes[middle:])]


def _reason(judgement: Judgement) -> BulkUpdateError:
    if judgement.trouble is Trouble.CREDENTIALS:
        return CredentialsRefused(
            f"the API refused the credentials ({judgement.message}); no row is at fault. Check the API key, "
            "the auth token and --api-url, then run the same command again"
        )
    return NotThisApi(
        f"what answers is not the Velt API ({judgement.message}); check --api-url: a wrong base URL, a proxy or "
        "a login page looks like this. Then run the same command again"
    )
