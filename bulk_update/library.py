"""What the command line does, as functions to call: changes go in, outcomes come out as they settle.

    api = Api("https://api.velt.dev", Credentials(api_key, auth_token))
    summary = await update(Changes(rows, "backfill"), ledger="backfill.ledger.ndjson", target=api)

    async with open_updates("changes.ndjson", ledger="changes.ledger.ndjson", target=api) as updates:
        async for outcome in updates:
            ...
    print(updates.summary)

Memory is bounded: changes are taken as there is room for them, and when outcomes are not taken, sending waits.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio

from bulk_update.errors import InputBroken, InputError, NothingSent, StoppedEarly
from bulk_update.jobs import Api, Changes, Job, Rehearsal, open_run
from bulk_update.model import Outcome
from bulk_update.pipeline import Ended, Run
from bulk_update.plan import Plan
from bulk_update.pure.tally import Summary
from bulk_update.reading import Inputs

Source = Inputs | Changes | str | PathLike[str] | None

_AHEAD: Final = 10_000
"""Outcomes that may wait to be taken before sending waits for that."""


async def update(
    source: Source,
    *,
    ledger: str | PathLike[str],
    target: Api | Rehearsal,
    plan: Plan | None = None,
    on_outcomes: Callable[[Sequence[Outcome]], None] | None = None,
) -> Summary:
    """Send every change and return the summary of the whole ledger.

    `source`: a path, `Inputs`, `Changes`, or None to send again what the ledger does not show as updated.
    `on_outcomes`: called from the event loop with rows whose results have just got on disk.

    What stops the run early is told in `Summary.stopped` and `Summary.exit`, as the command line tells it;
    running the same again goes on. `NothingSent` errors are raised: nothing was begun. So is what the
    iterable of `Changes` raises, when all that had left by then is recorded.
    """
    listener = _Listener(on_outcomes)
    async with open_run(_job(source, ledger, target, plan), listener) as run:
        return _summary(await run.carry_out())


def open_updates(
    source: Source,
    *,
    ledger: str | PathLike[str],
    target: Api | Rehearsal,
    plan: Plan | None = None,
) -> "Updates":
    """Send every change and hand out the outcomes as they settle; parameters are those of `update`."""
    return Updates(_job(source, ledger, target, plan))


class _Listener:
    """Pass outcomes on at once."""

    def __init__(self, on_outcomes: Callable[[Sequence[Outcome]], None] | None) -> None:
        self._on_outcomes = on_outcomes

    @property
    def wants_outcomes(self) -> bool:
        """Tell whether somebody takes them."""
        return self._on_outcomes is not None

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Pass on rows that have their result."""
        if self._on_outcomes is not None:
            self._on_outcomes(outcomes)

    def notice(self, message: str) -> None:
        """Log a sentence for a person."""
        logging.getLogger("bulk_update").warning("%s", message)

    async def room(self) -> None:
        """Let sending go on: whoever is called at once is never behind."""


class _Queue(_Listener):
    """Keep outcomes until they are taken; sending waits when too many are kept."""

    def __init__(self) -> None:
        super().__init__(self._keep)
        self._outcomes: deque[Outcome] = deque()
        self._arrived = anyio.Event()
        self._taken = anyio.Event()
        self._is_open = True

    def _keep(self, outcomes: Sequence[Outcome]) -> None:
        if self._is_open:
            self._outcomes.extend(outcomes)
        self._arrived.set()

    async def room(self) -> None:
        """Wait until outcomes have been taken."""
        while self._is_open and len(self._outcomes) >= _AHEAD:
            if self._taken.is_set():
                self._taken = anyio.Event()
            await self._taken.wait()  # of all senders that wait for room, on one event

    async def take(self, has_ended: Callable[[], bool]) -> Outcome | None:
        """Wait for an outcome; None when there is none and the run has ended."""
        while not self._outcomes:
            if has_ended():
                return None
            self._arrived = anyio.Event()
            await self._arrived.wait()
        self._taken.set()
        return self._outcomes.popleft()

    def wake(self) -> None:
        """Let who waits for an outcome look again."""
        self._arrived.set()

    def close(self) -> None:
        """Keep no more: nobody takes any."""
        self._is_open = False
        self._outcomes.clear()
        self._taken.set()


class Updates:
    """A run whose outcomes can be taken one by one: `async with`, then `async for`.

    Leaving the context before the end stops the run in good order: what is on its way is recorded.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._queue = _Queue()
        self._task: asyncio.Task[Ended] | None = None
        self._run: Run | None = None
        self._has_left = False

    @property
    def summary(self) -> Summary:
        """Tell how the run ended. RuntimeError while it goes on."""
        if self._task is None or not self._task.done():
            raise RuntimeError("the run has not ended")
        return _summary(self._task.result())

    async def __aenter__(self) -> Self:
        """Begin the run. `NothingSent` errors are raised when the first outcome is asked for."""
        self._task = asyncio.create_task(self._carry_out())
        self._task.add_done_callback(lambda _: self._queue.wake())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the run if it goes on, and wait for its end."""
        assert self._task is not None
        self._queue.close()
        self._has_left = True
        if error is not None and not isinstance(error, Exception):
            self._task.cancel()
        elif self._run is not None:
            self._run.stop(_left())
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])
        if error is None:
            _summary(self._task.result())
        elif not self._task.cancelled():
            self._task.exception()  # it has been told of: the error of the block goes before it

    def __aiter__(self) -> Self:
        """Iterate over outcomes, in the order in which they settle."""
        return self

    async def __anext__(self) -> Outcome:
        """Wait for the next outcome."""
        assert self._task is not None
        outcome = await self._queue.take(self._task.done)
        if outcome is None:
            _summary(self._task.result())
            raise StopAsyncIteration
        return outcome

    async def _carry_out(self) -> Ended:
        async with open_run(self._job, self._queue) as run:
            self._run = run
            if self._has_left:
                run.stop(_left())
            return await run.carry_out()


def _left() -> StoppedEarly:
    return StoppedEarly("no more outcomes were asked for")


def _summary(ended: Ended) -> Summary:
    """Give the summary; raise what the iterable of changes has raised, and what was found before all sending."""
    reason = ended.reason
    if isinstance(reason, InputError | InputBroken) and reason.__cause__ is not None:
        raise reason.__cause__
    if isinstance(reason, NothingSent):
        raise reason
    return ended.summary


def _job(source: Source, ledger: str | PathLike[str], target: Api | Rehearsal, plan: Plan | None) -> Job:
    if isinstance(source, str | PathLike):
        source = Inputs((fspath(source),))
    return Job(source, Path(ledger), target, plan or Plan())
