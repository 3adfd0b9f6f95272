"""The run: rows are read, collected into batches, sent, and recorded.

    rows ──> intake ──> outbox ──> senders ──> API
               │                     │
               └─ invalid ─> ledger <┴─ sending, request, result

The only file that names every stage. What ends a run early is an exception of `errors`; what ends a row is
a result in the ledger.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Final

import anyio

from bulk_update.edge.books import Books
from bulk_update.edge.gate import Gate
from bulk_update.edge.group_commit import Ledger
from bulk_update.edge.outbox import Outbox
from bulk_update.edge.overflow import TemporaryOverflow
from bulk_update.edge.pace import Pace
from bulk_update.edge.sender import Means, Sender
from bulk_update.edge.stop import Stop
from bulk_update.errors import BulkUpdateError, InputBroken, InputError, LedgerUnwritable
from bulk_update.model import Halted, Snapshot, Status
from bulk_update.plan import Plan, Stage
from bulk_update.pure.batching import Batcher
from bulk_update.pure.concurrency import Concurrency
from bulk_update.pure.instants import stamp
from bulk_update.pure.ledger_lines import RETRY, EndLine, ResultWriter, RunLine, encode_line
from bulk_update.pure.names import readable
from bulk_update.pure.pacing import Rate
from bulk_update.pure.retrying import Health
from bulk_update.pure.tally import Summary
from bulk_update.watch import LedgerWatch, PatienceWatch, RateWatch

_AHEAD: Final = 4
"""Batches that may be ready, at least, before reading waits; with many senders half as many as there are attempts."""

_MOST_LINES: Final = 256
"""Batches that may wait at once for their organizations' own rates, beyond those that are alive anyway."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `reason`: what stopped it early, None when nothing did.

    `begin`: what the run was; `main`: what the main job was last. `is_input_left`: that has not read its input
    to the end. `waiting`: rows that this retry left for the main job to settle first.
    """

    summary: Summary
    reason: BulkUpdateError | None
    begin: RunLine
    main: RunLine
    is_input_left: bool
    waiting: int = 0


class Run:
    """One run over one ledger. `carry_out` does it; `stop` and `leave` end it early."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self._plan = plan
        self._stage = stage
        self._stop = Stop()
        self._work = anyio.CancelScope()
        self._began = 0.0
        self._is_read_whole = False
        self._ledger = Ledger(stage.file, stage.file.seal)
        self._watch = LedgerWatch(stage.file, self._stop, self._say)
        self._overflow = TemporaryOverflow()
        # Few batches need to be ready, since each sender has one besides.
        concurrency = plan.persistence.concurrency
        self._outbox = Outbox(
            Batcher(plan.limits, self._overflow), ahead=max(_AHEAD, concurrency // 2), most=2 * concurrency
        )
        self._books = Books(
            stage.state.tally,
            self._outbox.release,
            self._stop.request,
            plan.max_failures,
            stage.observer,
            stage.begin.inputs,
        )
        self._results = ResultWriter(stage.begin.inputs)
        self._health = Health()
        self._concurrency = Concurrency(
            plan.persistence.concurrency, None if plan.rate is None else plan.rate.per_second
        )
        self._pace = Pace(plan.rate, plan.organization_rate, chance=stage.chance, explores=plan.explores)
        self._gate = Gate(
            self._health,
            self._concurrency,
            self._stop,
            stage.chance,
            plan.persistence.give_up_after,
            goes_last=self._pace.goes_last,
        )
        self._sender = self._make_sender()

    def _make_sender(self) -> Sender:
        stage, persistence = self._stage, self._plan.persistence
        means = Means(
            transport=stage.transport,
            recorder=self._ledger,
            results=self._results,
            pace=self._pace,
            gate=self._gate,
            stop=self._stop,
            supply=self._outbox,
            witness=self._books,
            chance=stage.chance,
            clock=stage.clock,
        )
        return Sender(
            means,
            persistence,
            self._health,
            first_request=stage.state.last_request + 1,
            doubtful=stage.state.doubtful_keys(),
        )

    async def carry_out(self) -> Ended:
        """Do all of it; what stops it early is told in `Ended.reason`."""
        self._began = anyio.current_time()
        self._pace.remember(self._stage.state.ages(self._stage.clock.seconds()))
        try:
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._ledger.keep_writing)
                await self._ledger.record(encode_line(self._stage.begin) + self._stage.state.mended)
                with self._work, self._overflow:
                    async with anyio.create_task_group() as beside:
                        if self._stage.control is not None:
                            watch = RateWatch(
                                self._stage.control, self._ledger, self._stage.clock, self._keep, self._say
                            )
                            beside.start_soon(watch.heed)
                        beside.start_soon(self._watch.watch)
                        beside.start_soon(PatienceWatch(self._pace, self._gate).watch)
                        await self._read_and_send()
                        beside.cancel_scope.cancel()
                self._watch.notice()
                ended = self._end()
                with anyio.CancelScope(shield=True):
                    await self._ledger.record(self._end_line(ended))
                self._ledger.close()
                ended = self._saved(ended)
        except* LedgerUnwritable as broken:
            self._stop.reason = _broken(broken)
            self._watch.notice()  # what it holds would be lost with this process
            ended = self._saved(self._end())
        return ended

    def stop(self, reason: BulkUpdateError) -> None:
        """Stop in good order: nothing new is sent, what is on its way is waited for and recorded."""
        self._stop.request(reason)

    def leave(self, reason: BulkUpdateError) -> None:
        """End at once: what is on its way is given up; the ledger stays whole."""
        self._stop.request(reason)
        self._work.cancel()

    def snapshot(self) -> Snapshot:
        """Tell how the run stands."""
        now, books, tally = anyio.current_time(), self._books, self._stage.state.tally
        rows, pace = self._stage.rows, self._pace
        return Snapshot(
            read=tally.read,
            counts=dict(tally.settled),
            unsent=tally.unsent,
            waiting=self._outbox.rows,
            skipped=tally.skipped,
            attempts=books.attempts,
            retries=books.retries,
            seconds=now - self._began,
            allowed=self._allowed(),
            pushbacks=pace.pushbacks,
            pause=max(0.0, pace.paused_until - now),
            outage=now - books.outages.since if books.outages.since is not None else None,
            next_probe=None if self._gate.next_probe_at is None else max(0.0, self._gate.next_probe_at - now),
            bytes_read=rows.bytes_read,
            bytes_total=rows.bytes_total,
            is_read_whole=self._is_read_whole,
            answered=books.answered,
            flying=pace.flying,
            again=books.again,
            resending=books.resending,
            to_resend=rows.to_resend,
        )

    def _allowed(self) -> tuple[float, float] | None:
        """Tell what may leave now: in the unit of the rate, or in a second where the server allows less."""
        rate, pace = self._pace.rate, self._pace.allowed
        if rate is not None and pace >= rate.per_second:
            return rate.limit, rate.period
        return None if pace == math.inf else (pace, 1.0)

    def _keep(self, rate: Rate | None) -> None:
        self._pace.change(rate)
        self._concurrency.allow(None if rate is None else rate.per_second)

    def _saved(self, ended: Ended) -> Ended:
        reason = self._watch.save(ended.reason)
        if reason is ended.reason:
            return ended
        return replace(ended, summary=replace(ended.summary, stopped=str(reason)), reason=reason)

    def _say(self, message: str) -> None:
        if self._stage.observer is not None:
            self._stage.observer.notice(message)

    async def _read_and_send(self) -> None:
        async with anyio.create_task_group() as senders:
            for _ in range(_count_senders(self._plan)):
                senders.start_soon(self._send)
            try:
                await self._read()
            except Halted:
                pass
            except InputError as error:
                self._stop.request(error)
            finally:
                self._outbox.close()

    async def _read(self) -> None:
        """Read rows, record the invalid ones, and let the others wait for their batch."""
        left = self._plan.limit
        while left is None or left > 0:
            with self._outbox.reading(), self._stop.interrupts():
                rows = await self._stage.rows.read()
            if rows is None:
                self._is_read_whole = True
                self._stage.intake.conclude()
                return
            if left is not None:
                rows = rows[:left]
                left -= len(rows)
            admitted = self._stage.intake.admit(rows)
            if self._stage.state.run is not None:
                again = sum(change.was != "" for change in admitted.changes) + len(admitted.superseded)
                self._books.expect_again(again)
            # What is on disk is counted, also when the run is left at this very moment.
            with anyio.CancelScope(shield=True):
                if admitted.invalid:
                    await self._ledger.record(b"".join(map(self._results.invalid, admitted.invalid)))
                    self._books.invalid(admitted.invalid)
                if admitted.superseded:
                    await self._ledger.record(b"".join(map(self._results.superseded, admitted.superseded)))
                    self._books.superseded(admitted.superseded)
            with self._stop.interrupts():
                await self._outbox.put(admitted.changes)

    async def _send(self) -> None:
        """Take batches and see each through, until there are no more or the run stops."""
        observer = self._stage.observer
        try:
            while True:
                with self._stop.interrupts():
                    if observer is not None:
                        await observer.room()
                    batch = await self._outbox.take()
                if batch is None:
                    return
                await self._sender.deliver(batch)
                self._outbox.finish(batch.organization)
        except Halted:
            return

    def _end(self) -> Ended:
        summary, reason = self._summary(), self._stop.reason
        if isinstance(reason, InputError) and self._books.attempts:
            end = "" if str(reason).endswith((".", "?")) else "."
            broken = InputBroken(f"{reason}{end} What was read before has been sent or is counted as unsent")
            broken.__cause__ = reason.__cause__
            reason = broken
        if not summary.is_balanced():
            raise AssertionError(f"the books do not balance: {summary}")
        stopped = None if reason is None else str(reason)
        is_whole = self._stage.state.complete if self._stage.begin.verb == RETRY else summary.complete
        unread = 0 if summary.complete else self._stage.intake.amiss()
        summary = replace(summary, exit=_exit_code(summary, reason, unread), stopped=stopped)
        begin, last = self._stage.begin, self._stage.state.main_run
        main = last if begin.verb == RETRY and last is not None else begin
        return Ended(summary, reason, begin, main, is_input_left=not is_whole, waiting=self._stage.waiting)

    def _summary(self) -> Summary:
        state, books = self._stage.state, self._books
        counts, outages, now = state.tally.settled, books.outages, anyio.current_time()
        not_unsent = self._stage.intake.not_unsent() if self._is_read_whole else ()
        seconds = now - self._began
        return Summary(
            rows=state.tally.read,
            updated=counts[Status.UPDATED],
            failed=counts[Status.FAILED],
            invalid=counts[Status.INVALID],
            unknown=counts[Status.UNKNOWN],
            superseded=counts[Status.SUPERSEDED],
            unsent=state.tally.unsent,
            requests=state.requests + books.answered,
            attempts=state.attempts + books.attempts,
            seconds=round(state.seconds + seconds, 3),
            ledger=readable(str(self._stage.file.path)),
            complete=self._is_read_whole,
            in_doubt=len(self._sender.doubtful.difference(not_unsent)),
            absent=self._stage.intake.absent(),
            skipped=state.tally.skipped,
            run_seconds=round(seconds, 3),
            retries=books.retries,
            pushbacks=self._pace.pushbacks,
            outages=outages.count,
            outage_seconds=round(outages.seconds(now), 3),
            last_outage=None if outages.last is None else stamp(self._stage.clock.seconds() - (now - outages.last)),
            failures=state.tally.describe_failures(),
        )

    def _end_line(self, ended: Ended) -> bytes:
        line = EndLine(self._stage.clock.stamp(), ended.summary.exit, asdict(ended.summary))
        return encode_line(line)


def _count_senders(plan: Plan) -> int:
    """Tell how many batches may be alive.

    More than there are attempts in flight: one that waits for its retry holds up no other. More than one organization
    may have: there is a sender left when all of its batches are in trouble. And as many besides as it takes
    organizations, each at its own rate, to use the rate of all.
    """
    concurrency, rate, each = plan.persistence.concurrency, plan.rate, plan.organization_rate
    lines = 0 if rate is None or each is None else math.ceil(rate.per_second / each.per_second)
    return 2 * concurrency + max(1, concurrency // 4) + min(lines, _MOST_LINES)


def _exit_code(summary: Summary, reason: BulkUpdateError | None, unread: int) -> int:
    """Let the ledger speak, not this run alone (DESIGN section 2.1).

    `unread`: results in the ledger of rows that were not read, and are not updated.
    """
    if reason is not None:
        return reason.exit_code
    if summary.unsent:
        return 3
    is_amiss = summary.failed or summary.invalid or summary.unknown or unread
    return 1 if is_amiss else 0


def _broken(group: BaseExceptionGroup[LedgerUnwritable]) -> LedgerUnwritable:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, LedgerUnwritable)
    return first
