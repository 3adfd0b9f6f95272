"""Where attempts wait for a slot, and in an outage for their turn to probe."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Protocol

import anyio

from bulk_update.errors import BulkUpdateError, OutageOutlasted
from bulk_update.model import Halted
from bulk_update.pure.concurrency import Concurrency
from bulk_update.pure.names import readable
from bulk_update.pure.retrying import Backoff, Chance, Health, RetryBudget
from bulk_update.pure.shown import format_duration
from bulk_update.turns import Turns


class Stopping(Protocol):
    """Ask for the end of the run, and be interrupted by it."""

    def request(self, reason: BulkUpdateError | None = None) -> None:
        """Stop the run in good order."""

    def interrupts(self) -> AbstractContextManager[object]:
        """Let a stop interrupt the block, which then raises `Halted`."""


class Gate:
    """Let attempts pass: as many at once as `concurrency` allows, and one at a time while nothing succeeds.

    `give_up_after`: seconds for which nothing may succeed before the run stops. `goes_last`: tells of an organization
    whether others go first. Times are the event loop's.
    """

    def __init__(
        self,
        health: Health,
        concurrency: Concurrency,
        stop: Stopping,
        chance: Chance,
        give_up_after: float,
        *,
        goes_last: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._health = health
        self._concurrency = concurrency
        self._stop = stop
        self._chance = chance
        self._give_up_after = give_up_after
        self._backoff = Backoff()
        self._budget = RetryBudget()
        self._next_retry = asyncio.Lock()
        self._given_back = asyncio.Event()
        self._door = Turns(goes_last=goes_last)
        self._slots = Turns(lambda: concurrency.limit)
        self._probe = Turns()
        self._failed_probes = 0
        self.next_probe_at: float | None = None
        """When it is tried again in an outage, None while that is under way."""

    async def admit(self, *, is_retry: bool) -> None:
        """Wait while retries are more than their share of the traffic."""
        if not is_retry:
            self._budget.earn()
            return
        now = asyncio.get_running_loop().time
        with self._stop.interrupts():
            async with self._next_retry:  # of hundreds that wait, one looks
                while not self._health.is_outage and (wait := self._budget.spend(now())) > 0:
                    self._given_back.clear()
                    with anyio.move_on_after(wait):
                        await self._given_back.wait()

    def retry_answered(self) -> None:
        """Note that a retry was answered: it is no part of their share any more."""
        self._budget.give_back()
        self._given_back.set()

    @contextlib.asynccontextmanager
    async def doorway(self, organization: str, *, probes_first: bool = False) -> AsyncIterator[bool]:
        """Have a slot for one attempt, which `leave` gives back, and wait in it for the turn while the block lasts.

        One at a time waits there, so that slots are for what is out, and the next one can be of any organization.
        Tells whether the attempt is a probe. `probes_first`: before the others of its organization.
        """
        with self._stop.interrupts():
            is_probe = await self._reach_doorway(organization, probes_first=probes_first)
            try:
                yield is_probe
            except BaseException:
                self.leave(is_probe=is_probe)
                raise
            finally:
                self._door.release()

    def gives_way(self, organization: str) -> bool:
        """Tell whether one in the doorway should leave its turn to another organization, which waits before it."""
        return self._door.gives_way(organization)

    def leave(self, *, is_probe: bool) -> None:
        """Give the slot back."""
        if is_probe:
            self._failed_probes = self._failed_probes + 1 if self._health.is_outage else 0
            self._probe.release()
        self._slots.release()

    def flight(self, when_overdue: Callable[[], None]) -> "_Flight":
        """Watch an attempt, from the call of what is given on: one that is overdue keeps no other from passing."""
        return _Flight(self._concurrency, self._slots.wake, when_overdue)

    def answered(self, seconds: float) -> None:
        """Note how long an answer took: what is enough at once depends on it."""
        self._concurrency.answered(seconds)

    def check_patience(self) -> None:
        """Stop the run when nothing has succeeded for too long."""
        since = self._health.failing_since
        if since is None or asyncio.get_running_loop().time() < since + self._give_up_after:
            return
        self._stop.request(OutageOutlasted(self._why_given_up()))
        raise Halted

    def _why_given_up(self) -> str:
        health, duration = self._health, format_duration(self._give_up_after)
        if health.only_failing is not None:
            return (
                f"nothing has succeeded for {duration} (--give-up-after): organization {readable(health.only_failing)} "
                f"alone was left to try, and fails, though others succeeded; the last time {health.why}. No row was "
                "given up. Find out what is wrong with this organization, then run the same command again"
            )
        return (
            f"nothing has succeeded for {duration} (--give-up-after); the last time {health.why}. No row was given up. "
            "Run the same command again when the API is back"
        )

    async def _reach_doorway(self, organization: str, *, probes_first: bool) -> bool:
        """Wait for the doorway and a slot, in an outage for the turn to probe as well; tell whether it is a probe."""
        while True:
            is_probe = self._health.is_outage
            if is_probe:
                await self._probe.acquire(organization, goes_first=probes_first)
            try:
                if is_probe:
                    await self._wait_to_probe()
                await self._wait_for_slot(organization)
            except BaseException:
                if is_probe:
                    self._probe.release()
                raise
            if is_probe and not self._health.is_outage:
                is_probe = False
                self._probe.release()
            if is_probe or not self._health.is_outage:
                return is_probe
            # The outage began while this one waited for its slot.
            self._slots.release()
            self._door.release()

    async def _wait_for_slot(self, organization: str) -> None:
        await self._door.acquire(organization)
        try:
            await self._slots.acquire(organization)
        except BaseException:
            self._door.release()
            raise

    async def _wait_to_probe(self) -> None:
        """Wait between probes, longer each time; give up when the outage has lasted too long."""
        since = self._health.failing_since
        if since is None:
            return
        now = asyncio.get_running_loop().time()
        delay = self._backoff.delay(self._failed_probes + 1, self._chance)
        self.next_probe_at = now + max(0.0, min(delay, since + self._give_up_after - now))
        try:
            await anyio.sleep(self.next_probe_at - now)
        finally:
            self.next_probe_at = None
        if self._health.is_outage:
            self.check_patience()


class _Flight:
    """One attempt on its way; `wake` lets others pass when its answer is overdue."""

    def __init__(self, concurrency: Concurrency, wake: Callable[[], None], when_overdue: Callable[[], None]) -> None:
        self._concurrency = concurrency
        self._wake = wake
        self._when_overdue = when_overdue
        self._timer: asyncio.TimerHandle | None = None
        self._is_overdue = False

    def __enter__(self) -> Callable[[], None]:
        return self._begin

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._is_overdue:
            self._concurrency.overdue(-1)

    def _begin(self) -> None:
        """Note that it leaves; it may have to leave again, over another connection."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._concurrency.patience, self._be_overdue)

    def _be_overdue(self) -> None:
        self._is_overdue = True
        self._concurrency.overdue(1)
        self._when_overdue()
        self._wake()
