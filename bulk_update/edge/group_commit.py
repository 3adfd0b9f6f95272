"""Group commit: lines that come while the disk is busy go there together, sealed and synced before anyone is told.

A failed write or sync ends the run: what the disk holds then is not known, and it is never tried again as if
nothing had happened.
"""

from typing import Protocol

import anyio

from bulk_update.errors import LedgerUnwritable
from bulk_update.pure.seals import Seal


class Store(Protocol):
    """Put whole appends on disk, in order."""

    async def append(self, data: bytes) -> None:
        """Return when the data is on disk for good. OSError when it cannot be told to be."""


class Ledger:
    """Collect lines and put them on disk in groups: one write and one sync for all that came meanwhile."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal
        self._lines: list[bytes] = []
        self._ticket = _Ticket()
        self._wake = anyio.Event()
        self._closed = False
        self._broken: LedgerUnwritable | None = None

    def note(self, lines: bytes) -> None:
        """Add lines to the next append, without waiting for it."""
        self._lines.append(lines)
        self._wake.set()

    async def record(self, lines: bytes) -> None:
        """Add lines and return when they are on disk. LedgerUnwritable when that cannot be told."""
        if self._broken is not None:
            raise self._broken
        self.note(lines)
        ticket = self._ticket
        await ticket.done.wait()
        if ticket.broken is not None:
            raise ticket.broken

    def close(self) -> None:
        """Let `keep_writing` end when all is written."""
        self._closed = True
        self._wake.set()

    async def keep_writing(self) -> None:
        """Write what comes until `close`; run it as a task of its own. LedgerUnwritable ends it."""
        while True:
            await self._wake.wait()
            if not self._lines:
                if self._closed:
                    return
                self._wake = anyio.Event()
                continue
            append, ticket = b"".join(self._lines), self._ticket
            self._lines, self._ticket = [], _Ticket()
            seal = self._seal.next(append)
            try:
                with anyio.CancelScope(shield=True):
                    await self._store.append(append + seal.encode())
            except OSError as error:
                broken = LedgerUnwritable(
                    f"the ledger cannot be written: {error.strerror or type(error).__name__}. Sending has stopped"
                )
                self._broken = ticket.broken = broken
                ticket.done.set()
                self._ticket.broken = broken
                self._ticket.done.set()
                raise broken from error
            self._seal = seal
            ticket.done.set()


class _Ticket:
    """Wait for one append."""

    __slots__ = ("broken", "done")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.broken: LedgerUnwritable | None = None
