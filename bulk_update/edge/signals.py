"""Signals: the first asks the run to stop in good order, the second ends it at once."""

import signal
from collections.abc import Callable
from typing import Final

import anyio

from bulk_update.errors import Interrupted

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def heed_signals(drain: Callable[[Interrupted], None], leave: Callable[[Interrupted], None]) -> None:
    """Call `drain` on the first signal and `leave` on the second; run it as a task of its own."""
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        act = drain
        async for number in signals:
            act(Interrupted(number))
            act = leave
