"""`sandbox`: serve the emulator until a signal ends it."""

import argparse
from pathlib import Path

import anyio

from bulk_update.cli.settings import read_secret
from bulk_update.edge.signals import heed_signals
from bulk_update.errors import Interrupted
from bulk_update.pure.quantities import parse_whole
from bulk_update.sandbox import run_sandbox


def sandbox(options: argparse.Namespace) -> int:
    """Serve until SIGINT, SIGTERM or SIGHUP, which are the way to end it: 0."""
    anyio.run(_serve, options)
    return 0


async def _serve(options: argparse.Namespace) -> None:
    stop = anyio.Event()

    def end(_reason: Interrupted) -> None:
        stop.set()

    key = read_secret(options.api_key_file, "--api-key-file") if options.api_key_file else None
    token = read_secret(options.auth_token_file, "--auth-token-file") if options.auth_token_file else None
    port = parse_whole(options.port, 0, 65_535)
    seed = Path(options.seed) if options.seed else None
    async with anyio.create_task_group() as beside:
        beside.start_soon(heed_signals, end, end)
        await run_sandbox(port, seed, key, token, stop, lambda line: print(line, flush=True))
        beside.cancel_scope.cancel()
