"""The network between one process and the API, as a transport. What it loses, it loses for good."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from bulk_update.model import Answer
from bulk_update.pure.retrying import Fault as Failed
from bulk_update.pure.retrying import Trouble
from tests.simulation.api import Api, Attempt, Reply
from tests.simulation.process import Process
from tests.simulation.weather import Fault

Watch = Callable[[Attempt], None]

_ON_THE_WAY: Final = 0.01
"""Seconds by which the time on the way to the API varies, at most."""


@dataclass(slots=True)
class _Connection:
    """A connection that is kept open. `late`: whole answers that lie in it already, to earlier requests."""

    late: deque[tuple[Reply, Attempt]] = field(default_factory=deque)
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True


class SimulatedTransport:
    """Carry requests. Implements `Transport` of `edge.sender`. `watch` sees each attempt when it leaves."""

    def __init__(self, process: Process, api: Api, run: int, timeout: float, watch: Watch) -> None:
        self._process = process
        self._api = api
        self._run = run
        self._timeout = timeout
        self._watch = watch
        self._world = process.world
        self._chance: Random = process.world.chance(f"network {run}")
        self._began = process.world.now()
        self._idle: list[_Connection] = []
        self._last: tuple[Reply, Attempt] | None = None
        self._renewed_at: float | None = None

    async def post(self, encode: Callable[[], bytes], leave: Callable[[], Awaitable[None]]) -> Answer | Failed:
        """Send a body and read its answer."""
        process, chance = self._process, self._chance
        if not process.is_alive:
            await process.wait_for_ever()
        fault = self._api.weather.fault(self._world.now() - self._began, chance)
        if fault is Fault.NO_CREDENTIALS and self._renewed_at is not None:
            fault = Fault.NONE
        if fault is Fault.UNREACHED:
            await asyncio.sleep(chance.random() * self._api.weather.latency)
            self._api.read(encode(), self._run, fault).ended = self._world.now()
            self._world.tell("no connection")
            return Failed(Trouble.UNREACHED, "connection refused")
        connection = self._idle.pop() if self._idle else _Connection()
        await leave()
        if not process.moment("leaving"):
            await process.wait_for_ever()
        attempt = self._api.read(encode(), self._run, fault)
        self._world.tell(f"#{attempt.number} leaves: {_describe(attempt)}")
        self._watch(attempt)
        try:
            return await self._wait_for_answer(attempt, connection)
        finally:
            if process.is_alive:
                attempt.ended = self._world.now()

    async def renew(self, left: float) -> bool:
        """Read the credentials again; whether there are others is up to the weather."""
        await asyncio.sleep(self._chance.random() * 0.1)
        if self._api.weather.renews and self._renewed_at is None:
            self._renewed_at = self._world.now()
            self._world.tell("there are other credentials")
        return self._renewed_at is not None and left < self._renewed_at

    async def _wait_for_answer(self, attempt: Attempt, connection: _Connection) -> Answer | Failed:
        loop, process = self._world.loop, self._process
        answer: asyncio.Future[tuple[Reply, bool] | Failed] = loop.create_future()
        gone = Failed(Trouble.TIMEOUT, f"no answer within {self._timeout:g} s")
        timer = loop.call_later(self._timeout, _settle, answer, gone)
        loop.call_later(0.01 + _ON_THE_WAY * self._chance.random(), self._arrive, attempt, connection, answer)
        if not process.moment("left"):
            await process.wait_for_ever()
        try:
            outcome = await answer
        finally:
            timer.cancel()
        if not process.moment("delivered"):
            await process.wait_for_ever()
        if isinstance(outcome, Failed):
            attempt.outcome = outcome.trouble.value
            self._world.tell(f"#{attempt.number}: {attempt.outcome}")
            return outcome
        reply, is_own = outcome
        attempt.outcome = reply.outcome if is_own else "foreign"
        if is_own:
            attempt.verdicts, attempt.refused, attempt.hold = reply.verdicts, reply.refused, reply.hold
        self._world.tell(f"#{attempt.number}: {reply.status} {attempt.outcome}")
        connection.is_closed = False
        self._idle.append(connection)
        return Answer(reply.status, reply.body, reply.retry_after, lambda: self._close(connection))

    def _close(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def _arrive(
        self, attempt: Attempt, connection: _Connection, answer: "asyncio.Future[tuple[Reply, bool] | Failed]"
    ) -> None:
        """Let a request arrive, or not. What has left goes its way, whatever becomes of whoever sent it."""
        chance, fault, later = self._chance, attempt.fault, self._world.loop.call_later
        reset = Failed(Trouble.UNANSWERED, "connection reset by peer")
        if fault is Fault.LOST:
            later(chance.random() * 0.05, _settle, answer, reset)
        if fault in (Fault.LOST, Fault.VANISHED):
            return
        self._process.moment("arrived")
        reply = self._api.receive(attempt)
        self._process.moment("applied")
        if fault is Fault.ANSWER_VANISHED:
            return
        wait = self._api.weather.latency * (0.5 + chance.random())
        if chance.random() < self._api.weather.stall:
            wait = chance.uniform(0, 2 * self._timeout)
        if fault in (Fault.ANSWER_LOST, Fault.FROZEN):
            later(wait, _settle, answer, reset)
        else:
            later(wait, self._deliver, attempt, connection, reply, answer)

    def _deliver(
        self,
        attempt: Attempt,
        connection: _Connection,
        reply: Reply,
        answer: "asyncio.Future[tuple[Reply, bool] | Failed]",
    ) -> None:
        """Let an answer come back, behind those that lie in the connection already."""
        if not self._process.moment("answered"):
            return
        late, fault = connection.late, attempt.fault
        if fault is Fault.ANSWER_CUT and reply.verdicts is not None:
            half = reply.body[: self._chance.randrange(len(reply.body))]
            _settle(answer, (Reply(reply.status, half, "cut"), True))
            return
        if fault is Fault.ANSWER_FOREIGN and self._last is not None and not late:
            late.append(self._last)
        if reply.verdicts is not None:
            self._last = (reply, attempt)
        if late and reply.verdicts is not None and _is_foreign(late[0][1], attempt):
            late.append((reply, attempt))
            _settle(answer, (late.popleft()[0], False))
            return
        late.clear()
        _settle(answer, (reply, True))


def _is_foreign(earlier: Attempt, attempt: Attempt) -> bool:
    """Tell whether an answer to the earlier request can be told from one to this."""
    sent = {identifier for identifier, _ in attempt.activities}
    answered = earlier.verdicts if earlier.verdicts is not None else dict.fromkeys(i for i, _ in earlier.activities)
    return not answered.keys() <= sent


def _settle(answer: "asyncio.Future[tuple[Reply, bool] | Failed]", outcome: tuple[Reply, bool] | Failed) -> None:
    if not answer.done():
        answer.set_result(outcome)


def _describe(attempt: Attempt) -> str:
    ids = " ".join(identifier for identifier, _ in attempt.activities)
    return f"{attempt.organization} [{ids}]" + ("" if attempt.fault is Fault.NONE else f", {attempt.fault}")
