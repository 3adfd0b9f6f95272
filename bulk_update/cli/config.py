"""`config`: the value of each setting and where it comes from; of secrets, only whether they are set."""

import argparse
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bulk_update.cli.amounts import read_inputs, read_limits, read_rate
from bulk_update.cli.grammar import Option
from bulk_update.cli.options import VERBS
from bulk_update.cli.run import recorded_api
from bulk_update.cli.settings import DEFAULT_URL, is_path, is_secret_set, ledger_path, read_job, read_retry
from bulk_update.cli.sources import DEFAULT, SECRETS, Kind, Source, is_flag, source_of
from bulk_update.cli.streams import give, give_json, safe
from bulk_update.errors import BulkUpdateError, NothingSent

_URL = "api_url"

Place = tuple[str, Source]
"""A file or a URL, and what says so."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting to show. `value`: as JSON has it; `words`: as a person reads it."""

    key: str
    value: object
    words: str
    source: Source


def config(options: argparse.Namespace) -> int:
    """Show each setting; 0. SettingsError or UsageError, after all is shown, when one cannot be used."""
    problems: list[BulkUpdateError] = []
    places = _places(options, problems)
    settings = [_setting(option, options, places) for option in VERBS[options.asked].options if option.dest != "help"]
    settings += _secrets(options, problems)
    if is_flag(options, "json"):
        give_json({"settings": {each.key: {"value": each.value, "from": each.source.words} for each in settings}})
    else:
        give("\n".join(_columns(settings)))
    if problems:
        raise problems[0]
    _check(options)
    return 0


def _places(options: argparse.Namespace, problems: list[BulkUpdateError]) -> Mapping[str, Place]:
    """Find what the words alone do not say: where results are recorded, and where requests go."""
    if options.asked == "check":
        return {}
    found: dict[str, Place] = {}
    if options.asked == "run" and options.inputs and options.ledger is None:
        found["ledger"] = "none", DEFAULT
        with _noted(problems):
            found["ledger"] = str(ledger_path(options)), DEFAULT
    if options.sandbox and not is_flag(options, _URL):
        found[_URL] = "the sandbox inside this process", source_of(options, "sandbox")
    elif options.api_url is None:
        found[_URL] = DEFAULT_URL, DEFAULT
        if options.asked == "retry" and options.ledger is not None:
            with _noted(problems):
                found[_URL] = recorded_api(Path(options.ledger)) or DEFAULT_URL, DEFAULT
    return found


@contextmanager
def _noted(problems: list[BulkUpdateError]) -> Iterator[None]:
    """Keep what cannot be used for later, so that the rest is shown."""
    try:
        yield
    except NothingSent as problem:
        problems.append(problem)


def _secrets(options: argparse.Namespace, problems: list[BulkUpdateError]) -> Iterator[Setting]:
    """Tell of each secret that the verb needs whether it is set."""
    for dest, variable in SECRETS.items():
        if dest in options:
            found = "cannot be read"
            with _noted(problems):
                found = "set" if is_secret_set(dest, options, os.environ) else "not set"
            yield Setting(_secret_key(dest), found, found, _secret_source(dest, variable, options))


def _setting(option: Option, options: argparse.Namespace, places: Mapping[str, Place]) -> Setting:
    value, source = places.get(option.dest, (getattr(options, option.dest, None), source_of(options, option.dest)))
    if option.metavar == "URL" and isinstance(value, str) and option.dest not in places:
        value = url_shown(value, has_path=option.dest == _URL)
    if option.dest in SECRETS and isinstance(value, str) and not is_path(value):
        value = "what is no file, and may be a secret"
    return Setting(option.key, value, _words(value, option), source)


def _words(value: object, option: Option) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(safe(str(each)) for each in value) or "none"
    if value is None:
        otherwise = re.search(r"\[([^]]+)\]$", option.meaning)
        return otherwise[1] if otherwise else "none"
    return safe(str(value))


def url_shown(text: str, *, has_path: bool) -> str:
    """Show a URL without what may be a secret in it: a user's name and password, a query, a path that is a token."""
    try:
        url = urlsplit(text)
        port = f":{url.port}" if url.port is not None else ""
    except ValueError:
        return "what is no URL"
    is_plain = not (url.username or url.password or url.query or url.fragment) and (has_path or url.path in ("", "/"))
    return text if is_plain else f"{url.scheme}://{url.hostname or ''}{port}/…"


def _secret_key(dest: str) -> str:
    return dest.removesuffix("_file").replace("_", "-")


def _secret_source(dest: str, variable: str, options: argparse.Namespace) -> Source:
    if getattr(options, dest) is not None:
        return source_of(options, dest)
    return Source(Kind.ENVIRONMENT, variable) if os.environ.get(variable, "").strip() else DEFAULT


def _columns(settings: list[Setting]) -> Iterator[str]:
    names, words = (
        max(len(text) for text in column) for column in zip(*((s.key, s.words) for s in settings), strict=True)
    )
    for setting in settings:
        yield f"{setting.key:{names}}  {setting.words:{words}}  {setting.source.words}"


def _check(options: argparse.Namespace) -> None:
    """See that the verb would take the settings, whatever its inputs and its credentials."""
    if options.asked == "check":
        read_inputs(options)
        read_limits(options)
        read_rate(options)
        return
    secrets = dict.fromkeys(SECRETS.values(), "-")
    stand_ins: dict[str, object] = dict.fromkeys(SECRETS)
    if options.asked == "retry":
        read_retry(argparse.Namespace(**vars(options) | stand_ins | {"ledger": "-"}), secrets, None)
        return
    if not options.inputs:
        stand_ins |= {"inputs": ["-"], "ledger": "-"}
    read_job(argparse.Namespace(**vars(options) | stand_ins), secrets)
