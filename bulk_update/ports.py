"""What the stages expect of each other: each names here what it needs, and `pipeline` brings them together."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from bulk_update.errors import BulkUpdateError
from bulk_update.model import Answer, Attempted, Batch, Settled
from bulk_update.pure.retrying import Fault


class Transport(Protocol):
    """Carry one request body to the API."""

    async def post(self, encode: Callable[[], bytes], leave: Callable[[], Awaitable[None]]) -> Answer | Fault:
        """Send a body and read its answer; await `leave` last, right before the bytes leave.

        `encode`: makes the body, which is kept only until it has left.
        """

    async def renew(self, left: float) -> bool:
        """Read the credentials again, after those were refused that a request left with at loop time `left`.

        True when there are others now, or have been since; False when there are none.
        """


class Recorder(Protocol):
    """Keep lines of the ledger."""

    def note(self, lines: bytes) -> None:
        """Add lines, without waiting for them to be on disk."""

    async def record(self, lines: bytes) -> None:
        """Add lines and return when they are on disk."""


class Pacing(Protocol):
    """Keep the rates, and the pace that the server allows."""

    def is_slowed(self, organization: str) -> bool:
        """Tell whether the organization has a pace of its own to wait for."""

    def must_wait(self, organization: str) -> bool:
        """Tell whether the organization alone may send nothing now: by its own rate, or as the server has asked."""

    async def organization_turn(self, organization: str) -> None:
        """Wait for the turn of this request among those of its organization."""

    async def turn(self) -> None:
        """Wait for the turn of this request among all."""

    def pass_on(self, organization: str) -> None:
        """Leave a turn that is not used to the next of all, and to the next of its organization."""

    def flight(self, organization: str) -> contextlib.AbstractContextManager[None]:
        """Count a request as in flight."""

    async def leave(self, organization: str) -> float:
        """Wait until one more request may leave, and note that it leaves now; tell when that is, in loop time."""

    def take_back(self, organization: str, left: float) -> None:
        """Forget a request that was to leave at `left`, and of which no byte did."""

    def accepted(self, organization: str, left: float) -> None:
        """Note an answer that is no push-back, to a request that left at `left`."""

    def refused(self, organization: str, left: float, retry_after: float) -> None:
        """Note that the server asked for a lower pace."""


class Passage(Protocol):
    """Let attempts pass, as many at once as is right."""

    async def admit(self, *, is_retry: bool) -> None:
        """Wait while retries are more than their share of the traffic."""

    def retry_answered(self) -> None:
        """Note that a retry was answered: it is no part of that share any more."""

    def doorway(self, organization: str, *, probes_first: bool = False) -> contextlib.AbstractAsyncContextManager[bool]:
        """Have a slot for one attempt, which `leave` gives back, and wait in it for the turn while the block lasts.

        Tells whether the attempt is a probe. `probes_first`: before the others of its organization.
        """

    def gives_way(self, organization: str) -> bool:
        """Tell whether one in the doorway should leave its turn to another organization, which waits before it."""

    def leave(self, *, is_probe: bool) -> None:
        """Give the slot back."""

    def flight(self, when_overdue: Callable[[], None]) -> contextlib.AbstractContextManager[Callable[[], None]]:
        """Watch an attempt, from the call of what is given on: one that is overdue keeps no other from passing."""

    def answered(self, seconds: float) -> None:
        """Note how long an answer took."""

    def check_patience(self) -> None:
        """Stop the run when nothing has succeeded for too long."""


class Stopping(Protocol):
    """Ask for the end of the run, and be interrupted by it."""

    def request(self, reason: BulkUpdateError | None = None) -> None:
        """Stop the run in good order."""

    def interrupts(self) -> contextlib.AbstractContextManager[object]:
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

    def outage_changed(self, since: float | None, why: str = "") -> None:
        """Take note that nothing succeeds any more since so many loop seconds, and why; None: that it is over."""


class Supply(Protocol):
    """Where batches come from."""

    def rest(self, organization: str) -> None:
        """Hand out no more batches of an organization for now."""

    def resume(self, organization: str) -> None:
        """Hand out batches of an organization again."""

    def take_back(self, batch: Batch) -> None:
        """Let the rows of a batch that was handed out wait again: nothing of it was sent."""

    def lower_body(self, most: int) -> None:
        """Make the bodies of batches to come smaller."""
