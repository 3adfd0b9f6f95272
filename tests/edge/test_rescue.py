"""A ledger that somebody takes away from a run: it is found, or saved, and the message says where it is."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from bulk_update.edge.ledger import LedgerFile
from bulk_update.edge.rescue import rescue
from bulk_update.errors import LedgerGone
from tests.fake_api import FakeApi, MemoryLedger, make_run, updated
from tests.runs import ledger_of, plan, rows

HELD = b"what it held\n" * 100_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerFile]:
    """Open a ledger in a folder of its own."""
    path = tmp_path / "folder" / "ledger"
    path.parent.mkdir()
    path.write_bytes(HELD)
    descriptor = os.open(path, os.O_RDWR)
    yield LedgerFile(path, descriptor)
    os.close(descriptor)


def saved(ledger: LedgerFile) -> LedgerGone:
    assert not ledger.is_in_place()
    return rescue(ledger.path, ledger.descriptor)


def test_a_ledger_that_nobody_touched_is_in_place(ledger: LedgerFile) -> None:
    assert ledger.is_in_place()
    ledger.path.chmod(0o400)
    os.link(ledger.path, ledger.path.with_name("other"))
    assert ledger.is_in_place()


def test_a_ledger_that_was_deleted_comes_back(ledger: LedgerFile) -> None:
    ledger.path.unlink()
    gone = saved(ledger)
    assert gone.is_back
    assert "it is back" in str(gone)
    assert ledger.path.read_bytes() == HELD
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in ledger.path.parent.iterdir()] == ["ledger"]


@dataclass
class Full:
    """A ledger file whose disk is full from an append on, and that is deleted before."""

    file: LedgerFile
    appends: int = 0
    control: None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    async def append(self, data: bytes) -> None:
        self.appends += 1
        if self.appends == 6:
            self.file.path.unlink()
            raise OSError(errno.ENOSPC, "No space left on device")
        await self.file.append(data)


async def test_a_ledger_that_is_deleted_comes_back_also_when_it_can_no_longer_be_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.touch()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    file = Full(LedgerFile(path, descriptor))
    done = await make_run(FakeApi(updated), rows(50), plan(1), file=cast(MemoryLedger, file)).carry_out()
    os.close(descriptor)
    assert isinstance(done.reason, LedgerGone)
    assert done.reason.is_back
    assert done.summary.updated == ledger_of(path.read_bytes()).statuses["updated"] > 0


def test_a_ledger_that_was_moved_is_left_where_it_is(ledger: LedgerFile) -> None:
    there = ledger.path.with_name("elsewhere")
    ledger.path.rename(there)
    gone = saved(ledger)
    assert not gone.is_back
    assert f"was moved to {there}" in str(gone)
    assert [path.name for path in ledger.path.parent.iterdir()] == ["elsewhere"]


@pytest.mark.parametrize("before", [0, 2])
def test_a_ledger_that_was_replaced_is_saved_beside_what_took_its_place(ledger: LedgerFile, before: int) -> None:
    for number in range(1, before + 1):
        ledger.path.with_name(f"ledger.saved-{number}").write_text("an older one")
    ledger.path.with_name("new").write_text("another's")
    ledger.path.with_name("new").rename(ledger.path)
    gone = saved(ledger)
    copy = ledger.path.with_name(f"ledger.saved-{before + 1}")
    assert str(copy) in str(gone)
    assert copy.read_bytes() == HELD
    assert ledger.path.read_text() == "another's"


def test_a_ledger_whose_folder_is_gone_is_saved_among_temporary_files(
    ledger: LedgerFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ledger.path.unlink()
    ledger.path.parent.rmdir()
    gone = saved(ledger)
    assert str(tmp_path / "ledger.saved-1") in str(gone)
    assert (tmp_path / "ledger.saved-1").read_bytes() == HELD


def test_a_ledger_that_can_be_saved_nowhere_is_told_so(
    ledger: LedgerFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    ledger.path.unlink()
    ledger.path.parent.rmdir()
    assert "could not be saved (No such file or directory)" in str(saved(ledger))


def test_a_path_that_cannot_be_looked_at_tells_nothing(ledger: LedgerFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    stat: Callable[[Path], os.stat_result] = refuse
    monkeypatch.setattr(Path, "stat", stat)
    assert ledger.is_in_place()
