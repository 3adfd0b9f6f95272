"""Signals: the first drains, the second leaves, and what is ignored stays ignored."""

import asyncio
import signal
from collections.abc import Iterator

import anyio
import pytest

from bulk_update.edge.signals import SIGNALS, heed_signals
from bulk_update.errors import Interrupted

CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}


class Heard:
    """Note what is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.changed = asyncio.Event()

    def drain(self, reason: Interrupted) -> None:
        self._note("drain", reason)

    def leave(self, reason: Interrupted) -> None:
        self._note("leave", reason)

    def _note(self, what: str, reason: Interrupted) -> None:
        self.calls.append((what, reason.exit_code))
        self.changed.set()

    async def once_more(self) -> None:
        """Wait for the next call."""
        await self.changed.wait()
        self.changed.clear()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put the handlers of signals back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def listening(heard: Heard, group: anyio.abc.TaskGroup) -> None:
    """Let the task begin to listen."""
    group.start_soon(heed_signals, heard.drain, heard.leave)
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_the_first_signal_drains_and_each_later_one_leaves(number: signal.Signals) -> None:
    heard = Heard()
    async with anyio.create_task_group() as group:
        await listening(heard, group)
        for _ in range(3):
            signal.raise_signal(number)
            await heard.once_more()
        group.cancel_scope.cancel()
    code = CODES[number]
    assert heard.calls == [("drain", code), ("leave", code), ("leave", code)]


async def test_two_signals_of_different_kinds_are_two() -> None:
    heard = Heard()
    async with anyio.create_task_group() as group:
        await listening(heard, group)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
            await heard.once_more()
        group.cancel_scope.cancel()
    assert heard.calls == [("drain", 143), ("leave", 130)]


async def test_a_signal_that_is_ignored_stays_ignored() -> None:
    heard = Heard()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    async with anyio.create_task_group() as group:
        await listening(heard, group)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        await heard.once_more()
        group.cancel_scope.cancel()
    assert heard.calls == [("drain", 143)]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


async def test_with_all_ignored_it_waits_like_any_other() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with anyio.move_on_after(0.05) as scope:
        await heed_signals(Heard().drain, Heard().leave)
    assert scope.cancelled_caught


async def test_when_it_ends_signals_do_what_they_did_before() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    async with anyio.create_task_group() as group:
        await listening(Heard(), group)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        group.cancel_scope.cancel()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
