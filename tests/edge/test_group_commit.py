"""Lines are written in groups, told when they are on disk, and given up at the first failure."""

import errno
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from bulk_update.edge.group_commit import Ledger
from bulk_update.edge.ledger import open_ledger_file
from bulk_update.errors import LedgerUnwritable
from bulk_update.pure.ledger_lines import encode_line
from bulk_update.pure.seals import Seal, SealedReader
from tests.pure.paper import request_line, run_line, sealed

RUN = encode_line(run_line())


class Disk:
    """A store that writes to memory, as slowly as it is told, until it fails."""

    def __init__(self) -> None:
        self.appends: list[bytes] = []
        self.error: OSError | None = None
        self.calls = 0
        self.gate: Callable[[], Awaitable[None]] | None = None

    async def append(self, data: bytes) -> None:
        self.calls += 1
        if self.gate is not None:
            await self.gate()
        if self.error is not None:
            raise self.error
        self.appends.append(data)

    @property
    def lines(self) -> list[bytes]:
        return [append.lines for append in SealedReader().feed(b"".join(self.appends))]


@asynccontextmanager
async def keep_writing(ledger: Ledger) -> AsyncIterator[None]:
    """Write a ledger for as long as the context lasts; all that was added is on disk when it ends."""
    async with anyio.create_task_group() as group:
        group.start_soon(ledger.keep_writing)
        try:
            yield
        finally:
            ledger.close()


async def test_what_comes_while_a_write_is_under_way_goes_to_disk_in_one_more() -> None:
    disk, release = Disk(), anyio.Event()
    disk.gate = release.wait
    ledger = Ledger(disk, Seal())
    told: list[int] = []

    async def record(number: int) -> None:
        await ledger.record(b"%d\n" % number)
        told.append(number)

    async with keep_writing(ledger), anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(record, number)
        ledger.note(b"noted\n")
        await anyio.wait_all_tasks_blocked()
        assert told == []
        release.set()
    assert told == list(range(10))
    assert b"".join(disk.lines) == b"noted\n" + b"".join(b"%d\n" % number for number in range(10))
    assert len(disk.appends) <= 2


async def test_nothing_is_told_before_it_is_on_disk() -> None:
    disk, release = Disk(), anyio.Event()
    disk.gate = release.wait
    ledger = Ledger(disk, Seal())
    async with keep_writing(ledger):
        with anyio.move_on_after(0) as scope:
            await ledger.record(b"a\n")
        assert scope.cancelled_caught
        release.set()
    # Who waited has gone; the lines are written all the same.
    assert disk.lines == [b"a\n"]


async def test_lines_that_were_only_noted_are_on_disk_when_the_ledger_is_closed() -> None:
    disk = Disk()
    ledger = Ledger(disk, Seal())
    async with keep_writing(ledger):
        ledger.note(b"a\n")
        ledger.note(b"b\n")
    assert b"".join(disk.lines) == b"a\nb\n"


async def test_the_seals_go_on_where_the_ledger_ended() -> None:
    before = sealed(RUN)
    disk = Disk()
    async with keep_writing(ledger := Ledger(disk, Seal().next(RUN))):
        await ledger.record(request_line(1, 1))
        await ledger.record(request_line(2, 1))
    assert len(SealedReader().feed(before + b"".join(disk.appends))) == 3


async def test_an_append_under_way_is_finished_when_the_writer_is_cancelled() -> None:
    disk, release = Disk(), anyio.Event()
    disk.gate = release.wait
    ledger = Ledger(disk, Seal())
    async with anyio.create_task_group() as group:
        group.start_soon(ledger.keep_writing)
        ledger.note(b"a\n")
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
        release.set()
    assert disk.lines == [b"a\n"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.ESTALE])
async def test_a_write_that_fails_ends_the_ledger_for_everyone_and_is_not_tried_again(number: int) -> None:
    disk, release = Disk(), anyio.Event()
    disk.gate = release.wait
    disk.error = OSError(number, os.strerror(number))
    ledger = Ledger(disk, Seal())
    refused: list[str] = []

    async def record(line: bytes) -> None:
        try:
            await ledger.record(line)
        except LedgerUnwritable as broken:
            refused.append(str(broken))

    async def write() -> None:
        with pytest.raises(LedgerUnwritable, match="Sending has stopped"):
            await ledger.keep_writing()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        group.start_soon(record, b"in the append\n")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(record, b"in the next one\n")
        await anyio.wait_all_tasks_blocked()
        release.set()
    await record(b"later\n")
    assert len(refused) == 3
    assert all(os.strerror(number) in words for words in refused)
    assert disk.calls == 1
    assert disk.appends == []


async def test_appends_are_written_and_synced_off_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int, bytes]] = []
    path = tmp_path / "ledger"
    sync = os.fdatasync

    def synced(descriptor: int) -> None:
        sync(descriptor)
        calls.append(("sync", threading.get_ident(), path.read_bytes()))

    monkeypatch.setattr(os, "fdatasync", synced)
    with open_ledger_file(path) as file:
        async with keep_writing(ledger := Ledger(file, file.seal)):
            await ledger.record(RUN)
            assert [(name, data) for name, _, data in calls] == [("sync", sealed(RUN))]
    assert calls[0][1] != threading.get_ident()
