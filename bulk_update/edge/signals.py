"""Signals: the first asks the run to stop in good order, the second ends it at once."""

import signal
from collections.abc import Callable
from typing import Final

import anyio

from bulk_update.errors import Interrupted

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def heed_signals(drain: Callable[[Interrupted], None], leave: Callable[[Interrupted], None]) -> None:
    """Call `drain` on the first signal and `leave` on the second; run it as a task of its own.

    What is ignored stays ignored: `nohup` means that SIGHUP ends nothing, and so does a shell of a job in
    its background with SIGINT.
    """
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    with anyio.open_signal_receiver(*heeded) as signals:
        act = drain
        async for number in signals:
            act(Interrupted(number))
            act = leave
