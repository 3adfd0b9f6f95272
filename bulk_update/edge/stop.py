"""Stop a run in good order: nothing new begins, what is on its way ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from bulk_update.errors import BulkUpdateError
from bulk_update.model import Halted


class Stop:
    """Ask once to stop, from anywhere; the first reason counts."""

    def __init__(self) -> None:
        self.reason: BulkUpdateError | None = None
        self.is_requested = False
        self._scopes: set[anyio.CancelScope] = set()

    def request(self, reason: BulkUpdateError | None = None) -> None:
        """Stop the run; `reason` None means that it was wanted (a limit was reached)."""
        if self.is_requested:
            return
        self.is_requested = True
        self.reason = reason
        for scope in self._scopes:
            scope.cancel()

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Let a stop interrupt the block: it then raises `Halted`."""
        if self.is_requested:
            raise Halted
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise Halted
