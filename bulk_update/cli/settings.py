"""Words become settings, checked: what cannot be used is refused here, before anything is opened."""

import argparse
import ipaddress
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bulk_update.cli.amounts import AUTO, option, read_inputs, read_limits, read_rate
from bulk_update.cli.sources import SECRETS, Source, is_flag
from bulk_update.edge.books import MaxFailures
from bulk_update.edge.sender import Persistence
from bulk_update.errors import SettingsError, UsageError
from bulk_update.jobs import Api, Job, Rehearsal
from bulk_update.model import Credentials
from bulk_update.plan import Plan
from bulk_update.pure.names import file_name, is_url
from bulk_update.pure.quantities import parse_duration, parse_rate, parse_whole

DEFAULT_URL: Final = "https://api.velt.dev"

_WHOLE: Final = 100.0
_MAY_HIDE: Final = {"@": "a URL with a user name", "?": "a URL with a query", "#": "a URL with a fragment"}
"""Parts of a URL that may hold a secret, by the sign before them: they are not repeated."""


def read_job(options: argparse.Namespace, environ: Mapping[str, str]) -> Job:
    """Make the job of the main job's words. UsageError or SettingsError says what cannot be used."""
    inputs, ledger, plan = read_inputs(options), ledger_path(options), read_plan(options)
    return Job(inputs, ledger, _target(options, environ, None), plan, origins_of(options))


def read_retry(options: argparse.Namespace, environ: Mapping[str, str], recorded_api: str | None) -> Job:
    """Make the job of `retry`'s words. `recorded_api`: the API's URL in the ledger, which is the default."""
    plan = read_plan(options)
    return Job(None, Path(options.ledger), _target(options, environ, recorded_api), plan, origins_of(options))


def origins_of(options: argparse.Namespace) -> dict[str, str]:
    """Tell where each setting came from, by its name in the ledger; files without their folders."""
    sources: Mapping[str, Source] = getattr(options, "sources", {})
    return {re.sub("_(.)", lambda match: match[1].upper(), dest): each.short_words for dest, each in sources.items()}


def read_plan(options: argparse.Namespace) -> Plan:
    """Make what a run is to keep to of the words that say it. UsageError says what cannot be used."""
    limit = getattr(options, "limit", None)
    return Plan(
        limits=read_limits(options),
        rate=read_rate(options),
        explores=options.rate == AUTO,
        organization_rate=option("--organization-rate", parse_rate, options.organization_rate),
        persistence=Persistence(
            option("--concurrency", lambda text: parse_whole(text, 1, 1_000), options.concurrency),
            option("--max-attempts", lambda text: parse_whole(text, 1, 1_000), options.max_attempts),
            option("--give-up-after", parse_duration, options.give_up_after),
        ),
        max_failures=_max_failures(options.max_failures),
        limit=None if limit is None else option("--limit", parse_whole, limit),
    )


def _max_failures(text: str | None) -> MaxFailures:
    if text is None:
        return MaxFailures()
    if text.endswith("%"):
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,15})?%", text) or float(text[:-1]) > _WHOLE:
            raise UsageError(f"--max-failures: found {text!r}, expected a number of rows, or a share such as 5%")
        return MaxFailures(share=float(text[:-1]) / 100)
    return MaxFailures(rows=option("--max-failures", lambda word: parse_whole(word, 0), text))


def ledger_path(options: argparse.Namespace) -> Path:
    """Tell where the ledger of the main job is. UsageError when nothing tells."""
    if options.ledger is not None:
        return Path(options.ledger)
    first: str = options.inputs[0]
    if "-" in options.inputs:
        raise UsageError("--ledger: found none, expected a path: with standard input the ledger has no name of its own")
    if is_url(first):
        first = file_name(first)  # in the current folder
    return Path(f"{first}.sandbox.ledger.ndjson" if options.sandbox else f"{first}.ledger.ndjson")


def _target(options: argparse.Namespace, environ: Mapping[str, str], recorded_api: str | None) -> Api | Rehearsal:
    timeout = option("--timeout", parse_duration, options.timeout)
    if options.sandbox:
        if is_flag(options, "api_url"):
            raise UsageError("--sandbox and --api-url exclude each other: the sandbox is inside this process")
        if options.sandbox_faults is not None:
            from bulk_update.sandbox import read_faults

            option("--sandbox-faults", read_faults, options.sandbox_faults)
        return Rehearsal(Path(options.sandbox_seed) if options.sandbox_seed else None, timeout, options.sandbox_faults)
    for name in ("sandbox_seed", "sandbox_faults"):
        if is_flag(options, name):
            raise UsageError(f"--{name.replace('_', '-')}: expected together with --sandbox")
    url = options.api_url if options.api_url is not None else recorded_api or DEFAULT_URL
    reload = None
    if options.api_key_file is not None or options.auth_token_file is not None:
        reload = partial(_credentials, options, environ)
    return Api(_base_url(url), _credentials(options, environ), timeout, options.accept_new_key, reload)


def _base_url(text: str) -> str:
    """Check a base URL: the secrets go there."""
    expected = "expected a base URL such as https://api.velt.dev"
    try:
        url = urlsplit(text.strip())
        host, _ = url.hostname, url.port
    except ValueError:
        raise SettingsError(f"--api-url: found {text!r}, {expected}") from None
    is_whole = url.scheme in ("http", "https") and host is not None and is_host(host)
    if not is_whole or host is None or url.query or url.fragment or url.username is not None:
        hidden = next((what for sign, what in _MAY_HIDE.items() if sign in text), None)
        raise SettingsError(f"--api-url: found {hidden or repr(text)}, {expected}")
    if url.scheme == "http" and not is_loopback(host):
        raise SettingsError(
            f"--api-url: found {text!r}: plain http would show the credentials to the network, so it is allowed only "
            "to this machine; use https"
        )
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


def is_host(host: str) -> bool:
    """Tell whether it is a name or an address; what is none would look like an outage that never ends."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        return all(re.fullmatch(r"(?!-)[\w-]{1,63}(?<!-)", label) for label in labels)
    return True


def is_loopback(host: str) -> bool:
    """Tell whether what is sent there stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _credentials(options: argparse.Namespace, environ: Mapping[str, str]) -> Credentials:
    return Credentials(
        _secret("API key", options.api_key_file, "--api-key-file", environ, "VELT_API_KEY"),
        _secret("auth token", options.auth_token_file, "--auth-token-file", environ, "VELT_AUTH_TOKEN"),
    )


def _secret(what: str, path: str | None, option: str, environ: Mapping[str, str], variable: str) -> str:
    """Find a secret in its file or in the environment; it is never shown."""
    if path is not None:
        secret, where = read_secret(path, option), path
    else:
        secret, where = environ.get(variable, "").strip(), variable
    if not secret and path is not None:
        raise SettingsError(f"{option}: {path} is empty, expected the {what}")
    if not secret:
        raise SettingsError(f"found no {what}: set {variable}, or give {option} PATH (or rehearse with --sandbox)")
    if not re.fullmatch(r"[\x21-\x7e]+", secret):
        raise SettingsError(f"the {what} in {where} has spaces or other characters that no {what} has")
    return secret


def read_secret(path: str, option: str) -> str:
    """Read a secret from a file. SettingsError when it cannot be read."""
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"{option}: {path if is_path(path) else 'the file'} cannot be read: {reason}") from None


def is_secret_set(dest: str, options: argparse.Namespace, environ: Mapping[str, str]) -> bool:
    """Tell of an option's secret whether it is set, and nothing else. SettingsError: its file cannot be read."""
    path: str | None = getattr(options, dest)
    found = environ.get(SECRETS[dest], "").strip() if path is None else read_secret(path, f"--{dest.replace('_', '-')}")
    return bool(found)


def is_path(text: str) -> bool:
    """Tell whether it is a path, and not the secret itself that somebody gave where its file belongs."""
    try:
        return text.startswith(("/", "./", "../", "~")) or Path(text).exists()
    except (OSError, ValueError):  # as with a name that is longer than any can be
        return False
