"""A sandbox as a program: serve until told to stop, or for as long as a command runs."""

import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import anyio
from anyio.abc import Process

from bulk_update.sandbox.journal import Statistics
from bulk_update.sandbox.server import Access, Sandbox, open_sandbox, store_for
from bulk_update.sandbox.service import Conduct

VIOLATED: Final = 4
"""Exit code of a command that did what no client may do, whatever its own."""
NOT_FOUND: Final = 127
"""Exit code of a command that does not exist, as a shell has it."""
NOT_EXECUTABLE: Final = 126


@dataclass(frozen=True, slots=True)
class Setup:
    """What a sandbox is started with.

    `db`: the store's file; None for memory. `seed`: read into a store that is empty. `port`: 0 for any that is free.
    `api_key`, `auth_token`: the only ones accepted; None for any.
    """

    db: Path | None = None
    seed: Path | None = None
    port: int = 0
    api_key: str | None = field(default=None, repr=False)
    auth_token: str | None = field(default=None, repr=False)
    conduct: Conduct = field(default_factory=Conduct)
    access: Access = field(default_factory=Access)


@dataclass(frozen=True, slots=True)
class Execution:
    """How a command ended. `code`: its own, 128 + N where signal N ended it."""

    code: int
    statistics: Statistics

    @property
    def exit_code(self) -> int:
        """The command's code, or `VIOLATED`."""
        return VIOLATED if self.statistics.violations else self.code


class Stop(Protocol):
    """What ends a sandbox when it is set; anyio.Event and asyncio.Event are such."""

    async def wait(self) -> object:
        """Return when it is set."""


@asynccontextmanager
async def start(setup: Setup) -> AsyncIterator[Sandbox]:
    """Open the store, fill it, and serve. Raise InputError for the store and the seed, SettingsError for the port."""
    with store_for(setup.conduct.switches, setup.db) as store:
        seed = setup.seed

        def reseed() -> int:
            return store.seed_file(seed) if seed is not None else 0

        if store.count() == 0:
            reseed()
        async with open_sandbox(
            store,
            port=setup.port,
            api_key=setup.api_key,
            auth_token=setup.auth_token,
            conduct=setup.conduct,
            access=replace(setup.access, reseed=reseed),
        ) as sandbox:
            yield sandbox


async def run_sandbox(setup: Setup, stop: Stop, announce: Callable[[str], None]) -> Statistics:
    """Serve until `stop`; return what was seen.

    `announce` is told, in a line, when the sandbox listens and where. Raise as `start` does.
    """
    async with start(setup) as sandbox:
        announce(f"sandbox: listening on {sandbox.url}, {sandbox.store.count()} records")
        await stop.wait()
        return sandbox.statistics


async def execute(setup: Setup, command: Sequence[str]) -> Execution:
    """Serve while a command runs, with the sandbox's URL and credentials in its environment.

    Credentials that `setup` does not name are made up. SIGTERM and SIGHUP are passed on; SIGINT is not, since a
    terminal gives it to the command as well.
    """
    made_up = [secrets.token_urlsafe(24) for _ in range(2)]
    setup = replace(setup, api_key=setup.api_key or made_up[0], auth_token=setup.auth_token or made_up[1])
    async with start(setup) as sandbox, anyio.create_task_group() as beside:
        environment = {**os.environ, **client_environment(sandbox.url, setup.api_key or "", setup.auth_token or "")}
        try:
            process = await anyio.open_process(command, stdin=None, stdout=None, stderr=None, env=environment)
        except FileNotFoundError:
            return Execution(NOT_FOUND, sandbox.statistics)
        except OSError:
            return Execution(NOT_EXECUTABLE, sandbox.statistics)
        async with process:
            beside.start_soon(_pass_signals_on, process)
            code = await process.wait()
        beside.cancel_scope.cancel()
        statistics = sandbox.statistics
    return Execution(code if code >= 0 else 128 - code, statistics)


def client_environment(url: str, api_key: str, auth_token: str) -> dict[str, str]:
    """Make the variables that lead a client to a sandbox, and to nothing else.

    What bulk-update would take before them, from the environment that it is called in, is set to nothing.
    """
    leading_elsewhere = ("BULK_UPDATE_API_URL", "BULK_UPDATE_API_KEY_FILE", "BULK_UPDATE_AUTH_TOKEN_FILE")
    return {
        "VELT_API_URL": url,
        "VELT_API_KEY": api_key,
        "VELT_AUTH_TOKEN": auth_token,
        **dict.fromkeys(leading_elsewhere, ""),
    }


async def _pass_signals_on(process: Process) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP, signal.SIGINT) as signals:
        async for number in signals:
            if number is not signal.SIGINT:
                process.send_signal(number)
