"""Bring batches to the API: attempts, waits and splits, until each row has its result.

What follows a trouble is decided in `pure.retrying`; here it is done. A request is recorded before it goes
out; its results are recorded before they are counted, and counted before they are told.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio
from msgspec.structs import replace

from bulk_update.edge.sender.minutes import Minutes
from bulk_update.edge.sender.parts import Delivery, Exchange, Part, halves
from bulk_update.edge.sender.recourse import Recourse
from bulk_update.edge.sender.resting import MadeWay, Resting
from bulk_update.errors import BulkUpdateError, CredentialsRefused, LedgerUnwritable, NotThisApi
from bulk_update.model import Answer, Batch, Halted, RowError, Status
from bulk_update.ports import Clock, Pacing, Passage, Recorder, Stopping, Supply, Transport, Witness
from bulk_update.pure.answer_form import Judge
from bulk_update.pure.ledger_lines import RequestLine, ResultWriter
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
from bulk_update.pure.wire import Judgement, encode_request

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


class Sender:
    """Deliver batches. `doubtful`: keys of rows that may have been applied and have no result."""

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
        doubtful = set() if doubtful is None else doubtful
        self._minutes = Minutes(means.recorder, means.results, means.witness, means.clock, doubtful)
        self._answers = Judge()
        self._numbers = itertools.count(first_request)
        self._resting = Resting(means.supply, min(_HELD_UP, persistence.concurrency))
        self._recourse = Recourse(health, self._resting, means.supply, means.witness)

    @property
    def doubtful(self) -> set[int]:
        """Keys of rows that may have been applied and have no result."""
        return self._minutes.doubtful

    async def deliver(self, batch: Batch) -> None:
        """See a batch through: each of its rows has its result, unless the run stops before.

        Stopping leaves the rows without a result, to be sent by the next run.
        """
        delivery = Delivery(len(batch.changes))
        parts = deque((Part(batch, self._persistence.max_attempts),))
        with contextlib.suppress(Halted), self._resting.alive(batch.organization):
            try:
                while parts:
                    part = parts.popleft()
                    pieces = halves(part) if self._recourse.is_too_large(part) else delivery.cut(part)
                    if len(pieces) > 1:
                        delivery.is_fresh = False
                        parts.extendleft(reversed(pieces))
                        continue
                    delivery.others, delivery.sets_aside = len(parts), False
                    left = await self._exchange(part, delivery)
                    delivery.is_fresh = False
                    parts = deque((*parts, *left) if delivery.sets_aside else (*left, *parts))
            except MadeWay:
                self._means.supply.take_back(batch)
            finally:
                for part in parts:
                    if part.doubtful:
                        self._minutes.doubt(part.batch)

    async def _exchange(self, part: Part, delivery: Delivery) -> list[Part]:
        """Send one part until it is answered or given up; return the parts that are left to send."""
        exchange = Exchange(
            next(self._numbers), part.batch, part.doubtful, successes=part.successes, is_fresh=delivery.is_fresh
        )
        try:
            return await self._see_through(exchange, part, delivery)
        except (Halted, LedgerUnwritable, asyncio.CancelledError):
            if exchange.doubtful or exchange.is_out:
                self._minutes.doubt(exchange.batch)
            elif exchange.is_open:
                self._minutes.withdraw(exchange)
            raise

    async def _see_through(self, exchange: Exchange, part: Part, delivery: Delivery) -> list[Part]:
        while True:
            outcome, seconds = await self._attempt(exchange)
            judgement = self._judge(outcome, part.batch)
            retry_after = round(self._heed(exchange, outcome, judgement), 3) or None
            line = replace(self._minutes.attempted(exchange, judgement, seconds), retry_after=retry_after)
            match self._recourse.next_step(exchange, judgement, part.patience):
                case None:
                    delivery.taken()
                    if exchange.attempts > 1:
                        self._means.gate.retry_answered()
                    return await self._conclude(exchange, part.asked + 1, judgement, line)
                case Step.RETRY if self._recourse.may_be_told_apart(exchange, judgement, part, delivery):
                    self._minutes.close(exchange, line)
                    return self._recourse.set_aside(part, exchange, delivery)
                case Step.RETRY:
                    await self._minutes.failed(line)
                    await self._pause(exchange, judgement)
                case Step.STOP:
                    await self._renew_or_stop(exchange, judgement, line)
                case Step.SPLIT if len(part.batch.changes) > 1 and not self._recourse.is_hopeless(
                    judgement, part, delivery
                ):
                    self._minutes.close(exchange, line)
                    return self._recourse.split(part, exchange, judgement, delivery)
                case _:
                    self._recourse.refused(judgement, part, delivery)
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

    async def _attempt(self, exchange: Exchange) -> tuple[Answer | Fault, float]:
        """Make one attempt in its turn; return what came back, and how many seconds it took."""
        means, now = self._means, asyncio.get_running_loop().time
        organization = exchange.batch.organization
        is_probe = exchange.is_probe = await self._wait_for_turn(exchange)
        try:
            exchange.left = began = now()
            with means.pace.flight(organization):
                if exchange.attempts == 0:
                    await self._minutes.announce(exchange)
                with means.gate.flight(partial(self._resting.suspect, organization)) as has_left:
                    leave = partial(self._leave, exchange, has_left)
                    outcome = await means.transport.post(partial(encode_request, exchange.batch), leave)
            exchange.is_out = False
            exchange.attempts += 1
            if isinstance(outcome, Answer):
                means.gate.answered(now() - began)
            return outcome, now() - exchange.left
        finally:
            means.gate.leave(is_probe=is_probe)

    async def _wait_for_turn(self, exchange: Exchange) -> bool:
        """Wait for a slot, which is to be given back, and for the turn; tell whether the attempt is a probe.

        `MadeWay` when the batch is to leave its sender to another organization's: nothing of it was sent.
        """
        await self._means.gate.admit(is_retry=exchange.attempts > 0)
        if not exchange.is_fresh or exchange.attempts > 0:
            return await self._come_to_turn(exchange)
        with self._resting.makes_way(exchange.batch.organization):
            return await self._come_to_turn(exchange)

    async def _come_to_turn(self, exchange: Exchange) -> bool:
        means, organization = self._means, exchange.batch.organization
        while True:
            if means.pace.is_slowed(organization):
                with self._resting.held_up(organization), means.stop.interrupts():
                    await means.pace.organization_turn(organization)
            # In an outage that rows at fault may be, what is left of a batch that was tried tells most.
            async with means.gate.doorway(organization, probes_first=not exchange.is_fresh) as is_probe:
                await means.pace.turn()
                # Meanwhile this organization may have to wait by itself: it must not do so in a slot.
                steps_back = means.pace.must_wait(organization) or means.gate.gives_way(organization)
            if is_probe or not steps_back:
                return is_probe
            means.pace.pass_on(organization)
            means.gate.leave(is_probe=False)

    async def _leave(self, exchange: Exchange, has_left: Callable[[], None]) -> None:
        """Wait until the bytes of an attempt may leave, and note that they do."""
        pace, organization = self._means.pace, exchange.batch.organization
        if exchange.is_out:  # its connection was found closed before a byte had left
            exchange.is_out = False
            pace.take_back(organization, exchange.left)
        with self._means.stop.interrupts():
            exchange.left = await pace.leave(organization)
        exchange.is_out = True
        has_left()

    def _heed(self, exchange: Exchange, outcome: Answer | Fault, judgement: Judgement) -> float:
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

    async def _conclude(self, exchange: Exchange, asked: int, judgement: Judgement, line: RequestLine) -> list[Part]:
        """Record the verdicts; what the answer left out is asked for again, a bounded number of times."""
        others = [
            (change, Status.FAILED, self._minutes.with_doubt(change, error, is_doubtful=exchange.doubtful))
            for change, error in judgement.refused
        ]
        again: list[Part] = []
        if judgement.unanswered and asked < self._persistence.max_attempts:
            left = Batch(exchange.batch.organization, judgement.unanswered)
            again = [Part(left, self._persistence.max_attempts, doubtful=True, asked=asked)]
        else:
            error = RowError(judgement.code, judgement.message, judgement.http)
            others += [(change, Status.UNKNOWN, error) for change in judgement.unanswered]
        exchange.doubtful = True  # should the ledger break now: what was answered is told nowhere
        await self._minutes.settle(exchange.batch, replace(line, settled=not again), judgement.updated, others)
        return again

    async def _give_up(self, exchange: Exchange, judgement: Judgement, line: RequestLine) -> None:
        """Record that the rows of a request could not be updated."""
        trouble = judgement.trouble
        is_refusal = trouble is not None and POLICIES[trouble].step is not Step.RETRY
        status = Status.UNKNOWN if exchange.doubtful and not is_refusal else Status.FAILED
        error = RowError(judgement.code, judgement.message, judgement.http)
        others = [
            (change, status, self._minutes.with_doubt(change, error, is_doubtful=exchange.doubtful and is_refusal))
            for change in exchange.batch.changes
        ]
        line = replace(line, settled=True, final=is_refusal and len(others) > 1)
        await self._minutes.settle(exchange.batch, line, (), others)

    async def _pause(self, exchange: Exchange, judgement: Judgement) -> None:
        """Wait before the next attempt. After a push-back the pace does the waiting, for everyone alike."""
        means = self._means
        means.gate.check_patience()
        if judgement.trouble is not None and POLICIES[judgement.trouble].pushback:
            return
        delay = self._persistence.backoff.delay(exchange.failures, means.chance)
        with self._resting.held_up(exchange.batch.organization), means.stop.interrupts():
            await anyio.sleep(delay)

    async def _renew_or_stop(self, exchange: Exchange, judgement: Judgement, line: RequestLine) -> None:
        """Go on with other credentials where there are some; else stop the run."""
        is_renewed = False
        try:
            if judgement.trouble is Trouble.CREDENTIALS:
                is_renewed = await self._means.transport.renew(exchange.left)
        finally:
            # The attempt is told of also when the run is left at this very moment.
            if not is_renewed:
                self._minutes.close(exchange, line)
        if not is_renewed:
            self._means.stop.request(_reason(judgement))
            raise Halted
        await self._minutes.failed(line)


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
