"""The disk: one ledger, of which what is synced is kept apart from what is only written.

A process that dies leaves all that it has written. A power cut keeps what is synced, and of the last write
whatever it likes: nothing, all, a beginning, a beginning and zeros, any sectors of it.
"""

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final

from bulk_update.edge.ledger import LedgerFile
from tests.simulation.process import Crashed, Process
from tests.simulation.world import World

_SECTOR: Final = 64
"""Bytes that a power cut keeps or loses together: small, since the writes here are small."""


class DiskFault(StrEnum):
    """What goes wrong with one append."""

    FULL = "full"
    BAD_SYNC = "bad sync"


@dataclass(frozen=True, slots=True)
class DiskTrouble:
    """The `nth` append (from 1) of a run goes wrong; 0: none does. `slowest`: seconds that a sync takes, at most."""

    fault: DiskFault = DiskFault.FULL
    nth: int = 0
    slowest: float = 0.01


class Disk:
    """Keep a ledger. `data` is what a process that reads it sees; its first `synced` bytes survive everything."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.data = bytearray()
        self.synced = 0
        self.kept: dict[str, bytes] = {}
        self.chance = world.chance("disk")

    def cut_power(self) -> None:
        """Keep of what is not synced what chance keeps."""
        torn = bytes(self.data[self.synced :])
        left = _torn(torn, self.chance)
        self.data[self.synced :] = left
        self.synced = len(self.data)
        self.world.tell(f"of {len(torn)} bytes that were not synced {len(left)} are left")

    def settle(self) -> None:
        """Let what is written reach the disk: time has passed."""
        self.synced = len(self.data)


class SimulatedFile(LedgerFile):
    """The ledger as one process has it open. `on_synced` is given each append when it is on disk for good."""

    def __init__(self, disk: Disk, process: Process, trouble: DiskTrouble, on_synced: Callable[[bytes], None]) -> None:
        self._disk = disk
        self._process = process
        self._trouble = trouble
        self._on_synced = on_synced
        self._appends = 0
        # What reads a ledger reads a file; this one has no name and is only as old as the run.
        self._copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as the ledger
        self._copy.write(disk.data)
        super().__init__(Path("changes.ledger.ndjson"), self._copy.fileno())

    def close(self) -> None:
        """Close the file."""
        self._copy.close()

    def is_in_place(self) -> bool:
        """Nobody takes it away here."""
        return True

    def sync(self) -> None:
        """Sync what an earlier process has written; this one can die before."""
        if not self._process.moment("opening"):
            raise Crashed
        self._disk.settle()

    def cut(self, tail: bytes, keep: Path) -> None:
        """Cut off a torn tail; a process can die right before and right after."""
        disk, moment = self._disk, self._process.moment
        if not moment("writing"):
            raise Crashed
        disk.kept[keep.name] = tail
        del disk.data[len(disk.data) - len(tail) :]
        disk.settle()
        os.ftruncate(self._copy.fileno(), len(disk.data))
        disk.world.tell(f"a torn tail of {len(tail)} bytes is cut off")
        if not moment("written"):
            raise Crashed

    async def append(self, data: bytes) -> None:
        """Write, then sync; the process can die in the midst of it."""
        disk, process, trouble = self._disk, self._process, self._trouble
        if not process.is_alive:
            await process.wait_for_ever()
        self._appends += 1
        if not process.moment("writing"):
            self._write(data[: disk.chance.randrange(len(data) + 1)])
            await process.wait_for_ever()
        if trouble.nth == self._appends and trouble.fault is DiskFault.FULL:
            self._write(data[: disk.chance.randrange(len(data))])
            raise OSError(errno.ENOSPC, "No space left on device")
        self._write(data)
        if not process.moment("written"):
            await process.wait_for_ever()
        await asyncio.sleep(disk.chance.random() * trouble.slowest)
        if not process.is_alive:
            await process.wait_for_ever()
        if trouble.nth == self._appends:
            disk.cut_power()
            raise OSError(errno.EIO, "Input/output error")
        disk.settle()
        self._on_synced(data)
        if not process.moment("synced"):
            await process.wait_for_ever()

    def _write(self, data: bytes) -> None:
        self._disk.data += data
        os.pwrite(self._copy.fileno(), data, len(self._disk.data) - len(data))


def _torn(data: bytes, chance: Random) -> bytes:
    """Tear what was written and not synced."""
    how = chance.randrange(6)
    cut = chance.randrange(len(data) + 1)
    if how == 0:
        return b""
    if how == 1:
        return data
    if how == 2:
        return data[:cut]
    if how == 3:
        return data[:cut].ljust(len(data), b"\0")
    sectors = [data[at : at + _SECTOR] for at in range(0, len(data), _SECTOR)]
    return b"".join(sector if chance.random() < 0.6 else bytes(len(sector)) for sector in sectors)
