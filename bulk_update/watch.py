"""What is looked after while a run is at work: the rate, the ledger's place, and how long nothing is to be tried."""

import contextlib
from collections.abc import Callable
from typing import Final

import anyio

from bulk_update.edge.control import RateFile
from bulk_update.edge.gate import Gate
from bulk_update.edge.group_commit import Ledger
from bulk_update.edge.ledger import LedgerFile
from bulk_update.edge.pace import Pace
from bulk_update.edge.rescue import rescue
from bulk_update.edge.stop import Stop
from bulk_update.errors import BulkUpdateError, LedgerGone, UsageError
from bulk_update.model import Halted
from bulk_update.ports import Clock
from bulk_update.pure.ledger_lines import RateLine, encode_line
from bulk_update.pure.pacing import Rate
from bulk_update.pure.shown import type_rate

_LOOK: Final = 1.0
"""Seconds between looks."""


class RateWatch:
    """Keep another rate when the control file says so. `keep`: lets the run follow it; `say`: tells a person."""

    def __init__(
        self,
        control: RateFile,
        ledger: Ledger,
        clock: Clock,
        keep: Callable[[Rate | None], None],
        say: Callable[[str], None],
    ) -> None:
        self._control = control
        self._ledger = ledger
        self._clock = clock
        self._keep = keep
        self._say = say

    async def heed(self) -> None:
        """Look now and then, for as long as the task lasts."""
        while True:
            await anyio.sleep(_LOOK)
            try:
                is_new, rate = self._control.look()
            except UsageError as error:
                self._say(f"WARNING: {error}; the rate stays as it was")
                continue
            if is_new:
                self._keep(rate)
                words = "none" if rate is None else str(rate)
                self._ledger.note(encode_line(RateLine(words, self._clock.stamp())))
                self._say(f"the rate is {'none' if rate is None else type_rate(rate.limit, rate.period)} now")


class PatienceWatch:
    """Stop the run when the server asks for a pause that outlasts --give-up-after: no attempt would notice."""

    def __init__(self, pace: Pace, gate: Gate) -> None:
        self._pace = pace
        self._gate = gate

    async def watch(self) -> None:
        """Look now and then, for as long as the task lasts."""
        while True:
            await anyio.sleep(_LOOK)
            if self._pace.is_held():
                with contextlib.suppress(Halted):
                    self._gate.check_patience()


class LedgerWatch:
    """Stop in good order when the ledger is no longer at its place: nobody would find what is recorded."""

    def __init__(self, file: LedgerFile, stop: Stop, say: Callable[[str], None]) -> None:
        self._file = file
        self._stop = stop
        self._say = say

    async def watch(self) -> None:
        """Look now and then, until it is gone."""
        while not self.notice():
            await anyio.sleep(_LOOK)
        self._say(f"ERROR: {self._stop.reason}; waiting for the answers that are on their way")

    def notice(self) -> bool:
        """Tell whether the ledger was deleted, moved or replaced; if so, this is what stops the run."""
        if self._file.is_in_place():
            return False
        gone = LedgerGone(f"the ledger {self._file.path} was deleted, moved or replaced while the run was at work")
        self._stop.request(gone)
        self._stop.reason = gone
        return True

    def save(self, reason: BulkUpdateError | None) -> BulkUpdateError | None:
        """Save a ledger that is gone, now that its last line is in it; tell where it is, in the reason for the end."""
        return rescue(self._file.path, self._file.descriptor) if isinstance(reason, LedgerGone) else reason
