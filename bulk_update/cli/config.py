"""`config`: the value of each setting and where it comes from; of secrets, only whether they are set."""

import argparse
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bulk_update.cli.grammar import Option, read_verb
from bulk_update.cli.settings import DEFAULT_URL, is_path, is_secret_set, read_job
from bulk_update.cli.sources import DEFAULT, SECRETS, Kind, Source, is_flag, source_of
from bulk_update.cli.streams import give, give_json, safe
from bulk_update.errors import SettingsError

_URL = "api_url"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting to show. `value`: as JSON has it; `words`: as a person reads it."""

    key: str
    value: object
    words: str
    source: Source


def config(options: argparse.Namespace) -> int:
    """Show each setting; 0. SettingsError or UsageError, after all is shown, when one cannot be used."""
    settings = [_setting(option, options) for option in read_verb("config").options]
    settings = [setting for setting in settings if setting.key != "help"]
    problem: SettingsError | None = None
    for dest, variable in SECRETS.items():
        try:
            secret = "set" if is_secret_set(dest, options, os.environ) else "not set"
        except SettingsError as error:
            secret, problem = "cannot be read", problem or error
        settings.append(Setting(_secret_key(dest), secret, secret, _secret_source(dest, variable, options)))
    if is_flag(options, "json"):
        give_json({"settings": {each.key: {"value": each.value, "from": each.source.words} for each in settings}})
    else:
        give("\n".join(_columns(settings)))
    if problem is not None:
        raise problem
    _check(options)
    return 0


def _setting(option: Option, options: argparse.Namespace) -> Setting:
    value = getattr(options, option.dest, None)
    if option.dest == _URL and value is None:
        value = DEFAULT_URL
    if option.metavar == "URL" and isinstance(value, str):
        value = url_shown(value, has_path=option.dest == _URL)
    if option.dest in SECRETS and isinstance(value, str) and not is_path(value):
        value = "what is no file, and may be a secret"
    return Setting(option.key, value, _words(value, option), source_of(options, option.dest))


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
    """See that the main job would take the settings, whatever its inputs and its credentials."""
    stand_ins = {"inputs": ["-"], "ledger": "-", **dict.fromkeys(SECRETS)}
    read_job(argparse.Namespace(**vars(options) | stand_ins), dict.fromkeys(SECRETS.values(), "-"))
