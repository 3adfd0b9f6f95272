"""Bring batches to the API: attempts, waits and splits, until each row has its result.

What follows a trouble is decided in `pure.retrying`; here it is done. A request is recorded before it goes
out; its results are recorded before they are counted, and counted before they are told.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio
from msgspec.structs import replace

from bulk_update.errors import BulkUpdateError, CredentialsRefused, LedgerUnwritable, NotThisApi
from bulk_update.model import Answer, Attempted, Batch, Change, Halted, RowError, Settled, Status
from bulk_update.ports import Clock, Pacing, Passage, Recorder, Stopping, Supply, Transport, Witness
from bulk_update.pure.answer_form import Judge
from bulk_update.pure.ledger_lines import DOUBT, RequestLine, ResultWriter, encode_line, sending_line
from bulk_update.pure.retrying import (
    POLICIES,
    Backoff,
    Chance,
    Fault,
    Health,
    Step,
    Trouble,
    parse_retry_after,
)
from bulk_update.pure.settled import row_key
from bulk_update.pure.wire import Judgement, encode_request

_PATIENCE_WITH_HALVES: Final = 2
"""Attempts of a part of a batch that has used up its own."""

_HELD_UP: Final = 8
"""Batches of one organization that may wait for it alone, or be alive while it fails, before no more are taken."""


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
    gate: Passage
    stop: Stopping
    supply: Supply
    witness: Witness
    chance: Chance
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Part:
    """A batch, or what is left of it.

    `doubtful`: an earlier attempt may have been applied. `asked`: how often its rows were asked for and left
    out of the answer. `patience`: failures that count, until it is given up or split. `successes`: how many
    requests had succeeded when what it is a part of last failed, None if it has not.
    """

    batch: Batch
    patience: int
    doubtful: bool = False
    asked: int = 0
    successes: int | None = None


@dataclass(slots=True)
class _Exchange:
    """One recorded request and its attempts.

    `doubtful`: some attempt may have been applied. `counted`: failures while the API answered others.
    `successes`: how many requests had succeeded when this one failed first. `left`: loop time at which the
    last attempt left. `is_out`: it has left and is not answered. `is_open`: the ledger knows that it goes out,
    and not how it ended.
    """

    number: int
    batch: Batch
    doubtful: bool
    attempts: int = 0
    failures: int = 0
    counted: int = 0
    successes: int | None = None
    left: float = 0.0
    is_out: bool = False
    is_open: bool = False


@dataclass(slots=True)
class _Delivery:
    """One batch on its way.

    `fruitless`: parts in a row that were given up or split for the server's failures. `others`: parts that
    wait for the one under way. `sets_aside`: what is left of that one waits for them.
    """

    rows: int
    fruitless: int = 0
    others: int = 0
    sets_aside: bool = False

    def is_hopeless(self) -> bool:
        """Tell that no single row can be the culprit: it would have been found by now."""
        return self.fruitless > self.rows.bit_length() + 3


class Sender:
    """Deliver batches. `doubtful`: keys of rows that may have been applied and have no result; kept current."""

    def __init__(
        self,
        means: Means,
        persistence: Persistence,
        health: Health,
        *,
        first_request: int = 1,
        doubtful: set[int] | None = None,
    ) -> None:
        self._means = means
        self._persistence = persistence
        self._health = health
        self.doubtful = set() if doubtful is None else doubtful
        self._answers = Judge()
        self._numbers = itertools.count(first_request)
        self._held_up: Counter[str] = Counter()
        self._alive: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._resting: set[str] = set()
        self._sick: set[str] = set()
        self._most_bytes = sys.maxsize

    async def deliver(self, batch: Batch) -> None:
        """See a batch through: each of its rows has its result, unless the run stops before.

        Stopping leaves the rows without a result, to be sent by the next run.
        """
        delivery = _Delivery(len(batch.changes))
        parts = deque((_Part(batch, self._persistence.max_attempts),))
        with contextlib.suppress(Halted), self._counting(self._alive, batch.organization):
            try:
                while parts:
                    part = parts.popleft()
                    if self._is_too_large(part):
                        parts.extendleft(reversed(_halves(part)))
                        continue
                    delivery.others, delivery.sets_aside = len(parts), False
                    left = await self._exchange(part, delivery)
                    parts = deque((*parts, *left) if delivery.sets_aside else (*left, *parts))
            finally:
                for part in parts:
                    if part.doubtful:
                        self.doubtful.update(_keys(part.batch.changes))

    async def _exchange(self, part: _Part, delivery: _Delivery) -> list[_Part]:
        """Send one part until it is answered or given up; return the parts that are left to send."""
        exchange = _Exchange(next(self._numbers), part.batch, part.doubtful, successes=part.successes)
        try:
            return await self._see_through(exchange, part, delivery)
        except (Halted, LedgerUnwritable, asyncio.CancelledError):
            if exchange.doubtful or exchange.is_out:
                self.doubtful.update(_keys(exchange.batch.changes))
            elif exchange.is_open:
                self._withdraw(exchange)
            raise

    async def _see_through(self, exchange: _Exchange, part: _Part, delivery: _Delivery) -> list[_Part]:
        while True:
            outcome, seconds = await self._attempt(exchange)
            judgement = self._judge(outcome, part.batch)
            retry_after = self._heed(exchange, outcome, judgement)
            line = replace(self._attempted(exchange, judgement, seconds), retry_after=round(retry_after, 3) or None)
            match self._next_step(exchange, judgement, part.patience):
                case None:
                    delivery.fruitless = 0
                    return await self._conclude(exchange, part.asked + 1, judgement, line)
                case Step.RETRY if self._may_be_told_apart(exchange, judgement, part, delivery):
                    self._close(exchange, line)
                    return self._set_aside(part, exchange, delivery)
                case Step.RETRY:
                    # On disk before the next attempt: a later run counts both, to keep the rate.
                    await self._means.recorder.record(encode_line(line))
                    await self._pause(exchange, judgement)
                case Step.STOP:
                    await self._renew_or_stop(exchange, judgement, line)
                case Step.SPLIT if len(part.batch.changes) > 1 and not self._is_hopeless(judgement, part, delivery):
                    self._close(exchange, line)
                    return self._split(part, exchange, judgement)
                case _:
                    await self._give_up(exchange, judgement, line)
                    return []

    def _judge(self, outcome: Answer | Fault, batch: Batch) -> Judgement:
        if isinstance(outcome, Fault):
            return Judgement((), (), batch.changes, outcome.trouble, outcome.trouble.value, outcome.message)
        judgement = self._answers.judge(outcome, batch)
        if judgement.trouble in (Trouble.UNREADABLE, Trouble.WEB_PAGE):
            # What came may be another request's answer; the next one over this connection would be, too.
            outcome.close()
        return judgement

    def _next_step(self, exchange: _Exchange, judgement: Judgement, patience: int) -> Step | None:
        """Decide what follows an attempt; None when it was answered."""
        trouble = judgement.trouble
        if trouble is None:
            self._succeeded(exchange)
            return None
        policy = POLICIES[trouble]
        exchange.doubtful |= policy.may_be_applied
        step = policy.at_first if policy.at_first is not None and not self._health.successes else policy.step
        if step is not Step.RETRY:
            if step is not Step.STOP:
                self._succeeded(exchange)
            return step
        self._failed(exchange, trouble)
        return Step.RETRY if exchange.counted < patience else Step.SPLIT

    def _is_hopeless(self, judgement: Judgement, part: _Part, delivery: _Delivery) -> bool:
        """Tell whether splitting would find no culprit: the server fails for this organization as a whole."""
        if judgement.trouble is None or POLICIES[judgement.trouble].step is not Step.RETRY:
            return False
        delivery.fruitless += 1
        if delivery.is_hopeless():
            self._sick.add(part.batch.organization)
        return part.batch.organization in self._sick

    def _may_be_told_apart(self, exchange: _Exchange, judgement: Judgement, part: _Part, delivery: _Delivery) -> bool:
        """Tell whether something else of the batch should be tried, when nothing succeeds any more.

        It may be an outage, or rows at fault with nothing else to send: only another part can tell.
        """
        if judgement.trouble is None or not POLICIES[judgement.trouble].counts:
            return False
        return exchange.failures >= part.patience and (len(part.batch.changes) > 1 or delivery.others > 0)

    def _set_aside(self, part: _Part, exchange: _Exchange, delivery: _Delivery) -> list[_Part]:
        """Let the other parts of the batch go first; what succeeds by then counts against this one."""
        delivery.sets_aside = True
        changes, organization = part.batch.changes, part.batch.organization
        middle = len(changes) // 2
        patience, successes = min(part.patience, _PATIENCE_WITH_HALVES), self._health.successes
        return [
            _Part(Batch(organization, rows), patience, exchange.doubtful, part.asked, successes)
            for rows in (changes[:middle], changes[middle:])
            if rows
        ]

    def _split(self, part: _Part, exchange: _Exchange, judgement: Judgement) -> list[_Part]:
        """Halve a part to find the rows at fault, or because it is too large for the server."""
        trouble, patience, successes = judgement.trouble, part.patience, None
        if trouble is Trouble.TOO_LARGE:
            self._most_bytes = min(self._most_bytes, len(encode_request(part.batch)) // 2)
            self._means.supply.lower_body(self._most_bytes)
        if trouble is not None and POLICIES[trouble].step is Step.RETRY:
            patience, successes = min(patience, _PATIENCE_WITH_HALVES), self._health.successes
        tried = _Part(part.batch, patience, exchange.doubtful, part.asked, successes)
        return _halves(tried)

    def _is_too_large(self, part: _Part) -> bool:
        """Tell whether it should be cut before it leaves: it was ready before a smaller one was too large."""
        is_bounded = self._most_bytes < sys.maxsize
        return is_bounded and len(part.batch.changes) > 1 and len(encode_request(part.batch)) > self._most_bytes

    async def _attempt(self, exchange: _Exchange) -> tuple[Answer | Fault, float]:
        """Make one attempt in its turn; return what came back, and how many seconds it took."""
        means, now = self._means, asyncio.get_running_loop().time
        is_probe = await self._wait_for_turn(exchange)
        try:
            exchange.left = began = now()
            if exchange.attempts == 0:
                await self._announce(exchange)
            when_overdue = partial(self._suspect, exchange.batch.organization)
            with means.pace.flight(), means.gate.flight(when_overdue) as has_left:
                leave = partial(self._leave, exchange, has_left)
                outcome = await means.transport.post(encode_request(exchange.batch), leave)
            exchange.is_out = False
            exchange.attempts += 1
            if isinstance(outcome, Answer):
                means.gate.answered(now() - began)
            return outcome, now() - exchange.left
        finally:
            means.gate.leave(is_probe=is_probe)

    async def _wait_for_turn(self, exchange: _Exchange) -> bool:
        """Wait for a slot, which is to be given back, and for the turn; tell whether the attempt is a probe."""
        means, organization = self._means, exchange.batch.organization
        is_retry = exchange.attempts > 0
        while True:
            if means.pace.is_slowed(organization):
                with self._holding_up(organization), means.stop.interrupts():
                    await means.pace.organization_turn(organization)
            is_probe = await means.gate.enter(is_retry=is_retry)
            try:
                with means.stop.interrupts():
                    await means.pace.turn()
            except BaseException:
                means.gate.leave(is_probe=is_probe)
                raise
            # Meanwhile the server may have asked this organization to wait: it must not do so in a slot.
            if is_probe or not means.pace.is_paused(organization):
                return is_probe
            means.gate.leave(is_probe=False)
            is_retry = False

    async def _leave(self, exchange: _Exchange, has_left: Callable[[], None]) -> None:
        """Wait until the bytes of an attempt may leave, and note that they do."""
        with self._means.stop.interrupts():
            await self._means.pace.leave(exchange.batch.organization)
        exchange.left = asyncio.get_running_loop().time()
        exchange.is_out = True
        has_left()

    async def _announce(self, exchange: _Exchange) -> None:
        """Record that the request goes out, before it does."""
        batch, clock = exchange.batch, self._means.clock
        line = sending_line(exchange.number, clock.stamp(), batch)
        exchange.is_open = True
        await self._means.recorder.record(line)

    def _withdraw(self, exchange: _Exchange) -> None:
        """Note that nothing of a request which was announced can have been applied."""
        error = RowError("not_sent", "the run stopped before the request left")
        self._close(exchange, replace(self._line(exchange, 0.0, None, error), attempt=0))

    def _close(self, exchange: _Exchange, line: RequestLine) -> None:
        """Note the end of a request that brought its rows no result."""
        exchange.is_open = False
        self._means.recorder.note(encode_line(replace(line, settled=not exchange.doubtful)))

    def _attempted(self, exchange: _Exchange, judgement: Judgement, seconds: float) -> RequestLine:
        """Tell the witness of an attempt, and make the ledger's line of it."""
        batch = exchange.batch
        self._means.witness.attempted(
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

    def _heed(self, exchange: _Exchange, outcome: Answer | Fault, judgement: Judgement) -> float:
        """Let the pace follow what the server says of it; tell the seconds for which it asked to send nothing."""
        if isinstance(outcome, Fault):
            return 0.0
        organization, pace = exchange.batch.organization, self._means.pace
        retry_after = parse_retry_after(outcome.retry_after, self._means.clock.seconds())
        trouble = judgement.trouble
        if trouble is not None and (POLICIES[trouble].pushback or retry_after > 0):
            pace.refused(organization, exchange.left, retry_after)
        else:
            pace.accepted(organization, exchange.left)
        return retry_after

    async def _conclude(self, exchange: _Exchange, asked: int, judgement: Judgement, line: RequestLine) -> list[_Part]:
        """Record the verdicts; what the answer left out is asked for again, a bounded number of times."""
        others = [
            (change, Status.FAILED, self._with_doubt(change, error, is_doubtful=exchange.doubtful))
            for change, error in judgement.refused
        ]
        again: list[_Part] = []
        if judgement.unanswered and asked < self._persistence.max_attempts:
            left = Batch(exchange.batch.organization, judgement.unanswered)
            again = [_Part(left, self._persistence.max_attempts, doubtful=True, asked=asked)]
        else:
            error = RowError(judgement.code, judgement.message, judgement.http)
            others += [(change, Status.UNKNOWN, error) for change in judgement.unanswered]
        exchange.doubtful = True  # should the ledger break now: what was answered is told nowhere
        await self._record(exchange.batch, replace(line, settled=not again), judgement.updated, others)
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
        await self._record(exchange.batch, replace(line, settled=True), (), others)

    async def _record(
        self,
        batch: Batch,
        line: RequestLine,
        updated: Sequence[Change],
        others: Sequence[tuple[Change, Status, RowError]],
    ) -> None:
        results, ids = self._means.results, batch.ids
        if len(updated) < len(ids):
            ids = [change.id for change in (*updated, *(change for change, _, _ in others))]
        lines = [encode_line(line), results.updated(batch.organization, updated)]
        lines += [results.result(change, status, error) for change, status, error in others]
        # What is on disk is counted, also when the run is left at this very moment.
        with anyio.CancelScope(shield=True):
            await self._means.recorder.record(b"".join(lines))
        if self.doubtful:
            self.doubtful.difference_update(_keys(updated), (_key(change) for change, _, _ in others))
        self._means.witness.settled(Settled(batch.organization, updated, others, ids))

    def _with_doubt(self, change: Change, error: RowError, *, is_doubtful: bool) -> RowError:
        """Say of a refusal when an earlier request may have been applied: a clean refusal would be a lie."""
        if is_doubtful or change.doubt or (self.doubtful and _key(change) in self.doubtful):
            return replace(error, message=error.message + DOUBT)
        return error

    async def _pause(self, exchange: _Exchange, judgement: Judgement) -> None:
        """Wait before the next attempt. After a push-back the pace does the waiting, for everyone alike."""
        means = self._means
        means.gate.check_patience()
        if judgement.trouble is not None and POLICIES[judgement.trouble].pushback:
            return
        delay = self._persistence.backoff.delay(exchange.failures, means.chance)
        with self._holding_up(exchange.batch.organization), means.stop.interrupts():
            await anyio.sleep(delay)

    @contextlib.contextmanager
    def _holding_up(self, organization: str) -> Iterator[None]:
        """Count a batch that waits for its organization alone; where they are many, no more are taken."""
        with self._counting(self._held_up, organization):
            yield

    @contextlib.contextmanager
    def _counting(self, counter: Counter[str], organization: str) -> Iterator[None]:
        counter[organization] += 1
        self._rest_or_resume(organization)
        try:
            yield
        finally:
            counter[organization] -= 1
            if not counter[organization]:
                del counter[organization]
            self._rest_or_resume(organization)

    def _suspect(self, organization: str) -> None:
        """Take an organization as failing until it is answered again."""
        self._failing.add(organization)
        self._rest_or_resume(organization)

    def _rest_or_resume(self, organization: str) -> None:
        """Leave senders to the others, where an organization has to wait, or fails."""
        most = min(_HELD_UP, self._persistence.concurrency)
        failing = self._alive[organization] if organization in self._failing else 0
        must_rest = max(self._held_up[organization], failing) >= most
        if must_rest and organization not in self._resting:
            self._resting.add(organization)
            self._means.supply.rest(organization)
        elif not must_rest and organization in self._resting:
            self._resting.discard(organization)
            self._means.supply.resume(organization)

    async def _renew_or_stop(self, exchange: _Exchange, judgement: Judgement, line: RequestLine) -> None:
        """Go on with other credentials where there are some; else stop the run."""
        is_renewed = False
        try:
            if judgement.trouble is Trouble.CREDENTIALS:
                is_renewed = await self._means.transport.renew(exchange.left)
        finally:
            # The attempt is told of also when the run is left at this very moment.
            if not is_renewed:
                self._close(exchange, line)
        if not is_renewed:
            self._means.stop.request(_reason(judgement))
            raise Halted
        await self._means.recorder.record(encode_line(line))

    def _succeeded(self, exchange: _Exchange) -> None:
        organization = exchange.batch.organization
        self._sick.discard(organization)
        if organization in self._failing:
            self._failing.discard(organization)
            self._rest_or_resume(organization)
        if self._health.is_outage:
            self._means.witness.outage_changed(None)
        self._health.succeeded()

    def _failed(self, exchange: _Exchange, trouble: Trouble) -> None:
        """Count a failure against the batch, if the API has answered others since it first failed."""
        policy, health, organization = POLICIES[trouble], self._health, exchange.batch.organization
        self._suspect(organization)
        if exchange.successes is None:
            exchange.successes = health.successes
        exchange.failures += 1
        exchange.counted += policy.counts and health.successes > exchange.successes
        was_outage = health.is_outage
        health.failed(asyncio.get_running_loop().time(), is_throttled=policy.pushback)
        if health.is_outage and not was_outage:
            self._means.witness.outage_changed(health.failing_since)


def _halves(part: _Part) -> list[_Part]:
    changes, organization = part.batch.changes, part.batch.organization
    middle = len(changes) // 2
    return [dataclasses.replace(part, batch=Batch(organization, half)) for half in (changes[:middle], changes[middle:])]


def _key(change: Change) -> int:
    return row_key(change.organization, change.id, change.check)


def _keys(changes: Sequence[Change]) -> set[int]:
    return {_key(change) for change in changes}


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
