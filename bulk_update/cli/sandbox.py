"""`sandbox`: serve the emulator until a signal ends it, for as long as a command runs, or write out its store."""

import argparse
import sys
from pathlib import Path

import anyio

from bulk_update.cli.amounts import option
from bulk_update.cli.settings import read_secret
from bulk_update.edge.signals import heed_signals
from bulk_update.errors import InputError, Interrupted, SettingsError, UsageError
from bulk_update.pure.pacing import Rate
from bulk_update.pure.quantities import parse_rate, parse_whole
from bulk_update.sandbox.admin import export
from bulk_update.sandbox.faults.presets import read_faults
from bulk_update.sandbox.faults.rules import NO_FAULTS, Faults
from bulk_update.sandbox.limits import Limits
from bulk_update.sandbox.running import Setup, execute, run_sandbox
from bulk_update.sandbox.server import Access, check_host, store_for
from bulk_update.sandbox.service import Conduct
from bulk_update.sandbox.summary import describe
from bulk_update.sandbox.switches import Switches, read_switches


def sandbox(options: argparse.Namespace) -> int:
    """Do what the words say; the exit code of `exec` is the command's, or 4 when violations were counted."""
    if options.action == "export":
        return _export(options)
    setup = read_setup(options)
    if options.action == "exec":
        return _execute(setup, options)
    anyio.run(_serve, setup)
    return 0


def read_setup(options: argparse.Namespace) -> Setup:
    """Make the setup of the words; UsageError or SettingsError says what cannot be used."""
    access = Access(options.host, options.allow_remote, not options.no_admin)
    check_host(access)
    return Setup(
        Path(options.db) if options.db else None,
        Path(options.seed) if options.seed else None,
        _port(options),
        _secret("--api-key-file", options.api_key_file),
        _secret("--auth-token-file", options.auth_token_file),
        Conduct(_switches(options), _limits(options), _faults(options)),
        access,
    )


def _secret(name: str, path: str | None) -> str | None:
    """Read the only secret that is accepted, if one is. SettingsError when its file holds none."""
    secret = None if path is None else read_secret(path, name)
    if secret == "":
        raise SettingsError(f"{name}: {path} is empty, expected what is to be accepted")
    return secret


def _port(options: argparse.Namespace) -> int:
    if options.port is None:
        return 0 if options.action == "exec" else 8787
    return option("--port", lambda text: parse_whole(text, 0, 65_535), options.port)


def _switches(options: argparse.Namespace) -> Switches:
    immutable = ["immutable=yes"] if options.immutable else []
    return read_switches([*immutable, *options.switch])


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(
        _rates("--rate-limit", options.rate_limit),
        _rates("--organization-rate-limit", options.organization_rate_limit),
    )


def _rates(name: str, words: list[str]) -> tuple[Rate, ...]:
    rates = (option(name, parse_rate, word) for word in words)
    return tuple(rate for rate in rates if rate is not None)


def _faults(options: argparse.Namespace) -> Faults:
    given: str | None = options.faults_seed
    seed = None if given is None else option("--faults-seed", lambda text: parse_whole(text, 0), given)
    faults: str | None = options.faults
    return NO_FAULTS if faults is None else option("--faults", lambda text: read_faults(text, seed), faults)


async def _serve(setup: Setup) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, which are the way to end it."""
    stop = anyio.Event()

    def end(_reason: Interrupted) -> None:
        stop.set()

    async with anyio.create_task_group() as beside:
        beside.start_soon(heed_signals, end, end)
        statistics = await run_sandbox(setup, stop, lambda line: print(line, flush=True))
        beside.cancel_scope.cancel()
    _say(describe(statistics))


def _execute(setup: Setup, options: argparse.Namespace) -> int:
    ended = anyio.run(execute, setup, options.command)
    lines = describe(ended.statistics)
    if ended.exit_code != ended.code:
        lines.append(f"exit code {ended.exit_code} for the violations; the command's own was {ended.code}")
    _say([*lines, *([f"the command could not be run: {options.command[0]}"] if ended.code in {126, 127} else [])])
    return ended.exit_code


def _export(options: argparse.Namespace) -> int:
    if options.db is None:
        raise UsageError("sandbox export: expected --db FILE, the store to write out")
    path = Path(options.db)
    if not path.exists():
        raise InputError(f"cannot open the sandbox's store {path}: there is no such file")
    with store_for(read_switches(options.switch), path) as store:
        if options.output is None:
            for lines in export(store):
                sys.stdout.buffer.write(lines)
            sys.stdout.flush()
            return 0
        try:
            with Path(options.output).open("wb") as file:
                file.writelines(export(store))
        except OSError as error:
            raise SettingsError(f"--output: {options.output} cannot be written: {error.strerror}") from None
    return 0


def _say(lines: list[str]) -> None:
    print("\n".join(f"sandbox: {line}" for line in lines), file=sys.stderr, flush=True)
