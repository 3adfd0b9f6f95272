"""The process is killed, or the disk fails, at every single write and sync of the ledger.

strace puts the kill and the error there. Where it cannot (no strace, no ptrace), these tests are skipped.
"""

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from random import Random

import pytest

from tests.crash.world import KILLED, many_rows, open_world

ONE_BY_ONE = ("--rate", "none", "--batch-size", "4", "--concurrency", "1")
SIDE_BY_SIDE = 3

NO_SPACE = "the ledger cannot be written: No space left on device"
BROKEN = "the ledger cannot be written: Input/output error"


@cache
def why_not() -> str | None:
    """Tell why strace cannot be used, None where it can."""
    if shutil.which("strace") is None:
        return "LEDGER WRITES ARE NOT TESTED: strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else f"LEDGER WRITES ARE NOT TESTED: strace fails: {probe.stderr!r}"


@pytest.fixture(autouse=True)
def _strace() -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)


def strace(ledger: Path, call: str, what: str, nth: int) -> list[str]:
    """Write the command that runs another and meddles with the nth call that a thread makes on the ledger."""
    quiet = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-P", str(ledger)]
    return [*quiet, "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={nth}"]


async def at_every_call(try_nth: Callable[[int], Awaitable[bool]]) -> int:
    """Try call after call, a few side by side, until one is never made; return how many there are."""
    nth = 0
    while True:
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(_call(try_nth, nth + at + 1)) for at in range(SIDE_BY_SIDE)]
        struck = [attempt.result() for attempt in tries]
        nth += sum(struck)
        if not all(struck):
            return nth


async def _call(try_nth: Callable[[int], Awaitable[bool]], nth: int) -> bool:
    return await try_nth(nth)


@pytest.mark.parametrize("call", ["write", "fdatasync"])
async def test_a_kill_at_any_write_or_sync_loses_nothing(tmp_path: Path, call: str) -> None:
    async def killed_at(nth: int) -> bool:
        folder = tmp_path / str(nth)
        folder.mkdir()
        async with open_world(folder, many_rows(Random(7), 9), ONE_BY_ONE) as world:
            ended = await world.run(prefix=strace(world.ledger, call, "signal=KILL", nth))
            is_killed = ended.code in (KILLED, 137)
            if not is_killed:
                world.check_finished(ended)
            world.check_finished(await world.run())
            return is_killed

    assert await at_every_call(killed_at) >= 6


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("write", "ENOSPC", NO_SPACE),
        ("fdatasync", "EIO", BROKEN),
        ("write", "EIO", BROKEN),
        ("fdatasync", "ENOSPC", NO_SPACE),
    ],
)
async def test_a_disk_that_fails_at_any_write_or_sync_ends_the_run_at_once(
    tmp_path: Path, call: str, error: str, words: str
) -> None:
    async def failed_at(nth: int) -> bool:
        folder = tmp_path / str(nth)
        folder.mkdir()
        async with open_world(folder, many_rows(Random(7), 9), ONE_BY_ONE) as world:
            ended = await world.run(prefix=strace(world.ledger, call, f"error={error}", nth))
            has_failed = ended.code == 3
            if has_failed:
                assert words in ended.err
            else:
                world.check_finished(ended)
            world.check_finished(await world.run())
            return has_failed

    assert await at_every_call(failed_at) >= 6
