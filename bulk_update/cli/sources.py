"""Where a setting comes from: the command line, else the environment, else a settings file, else its default."""

import argparse
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Final, NoReturn

from bulk_update.cli.grammar import Option, listed
from bulk_update.cli.streams import safe
from bulk_update.errors import SettingsError
from bulk_update.pure.names import nearest, readable

PREFIX: Final = "BULK_UPDATE_"

COMMAND_ALONE: Final[Mapping[str, str]] = {
    "ledger": "a ledger belongs to one set of inputs, so it is named where they are",
    "dry-run": "a setting left behind must not keep rows from being sent",
    "limit": "a setting left behind must not cut a run short",
    "sandbox": "a setting left behind must not turn a run into a rehearsal",
    "accept-new-key": "whether a new key is right has to be decided each time",
}
"""Options that are said in the command or not at all, and why. All others can be settings."""

CHOOSING: Final = ("config", "profile")
"""Options that say which settings hold: they can come from the environment, and from no file."""

SECRETS: Final[Mapping[str, str]] = {"api_key_file": "VELT_API_KEY", "auth_token_file": "VELT_AUTH_TOKEN"}
"""Files of secrets, and the variable that holds the secret itself: it ranks as the environment does."""

_ELSEWHERE: Final[Mapping[str, str]] = {"api_url": "VELT_API_URL"}
"""Variables with names of their own; that with the prefix goes before them."""

_YES: Final = ("1", "true", "yes")
_NO: Final = ("0", "false", "no")
_SECRET: Final = re.compile(r"key$|token$|secret|passw|credential|authorization|bearer")
_OF_KUBERNETES: Final = re.compile(r"(.*_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?)")
"""What Kubernetes sets in each pod for a service whose name begins as the prefix does."""

Value = str | bool | list[str]


class Kind(StrEnum):
    """The ranks of sources, the first before all."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from. `name`: the variable, or the file's path. `profile`: in which of its profiles."""

    kind: Kind
    name: str = ""
    profile: str = ""

    @property
    def words(self) -> str:
        """Say it to a person."""
        return self._words(safe(readable(self.name)))

    @property
    def short_words(self) -> str:
        """Say it without the file's folders."""
        return self._words(safe(readable(PurePath(self.name).name)))

    def _words(self, name: str) -> str:
        profile = f" [profile {safe(self.profile)}]" if self.profile else ""
        return f"{self.kind.value} {name}{profile}".rstrip()


FLAG: Final = Source(Kind.FLAG)
DEFAULT: Final = Source(Kind.DEFAULT)

Found = Mapping[str, tuple[Value, Source]]
"""Values by the option's `dest`."""


def variable_of(option: Option) -> str:
    """Name the environment variable of an option."""
    return PREFIX + option.key.upper().replace("-", "_")


def read_environment(settings: Iterable[Option], environ: Mapping[str, str]) -> dict[str, tuple[Value, Source]]:
    """Find settings in the environment; a variable that is empty is not set. SettingsError names a bad one."""
    found: dict[str, tuple[Value, Source]] = {}
    for option in settings:
        for variable in (variable_of(option), _ELSEWHERE.get(option.dest, "")):
            if environ.get(variable):
                found[option.dest] = _value(option, environ[variable], variable), Source(Kind.ENVIRONMENT, variable)
                break
    return found


def check_variables(settings: Iterable[Option], environ: Mapping[str, str]) -> None:
    """See that every variable with the prefix is a setting. SettingsError: what is misspelt would do nothing."""
    known = {variable_of(option): option.key for option in settings}
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or not environ[variable] or variable in known or _OF_KUBERNETES.fullmatch(name):
            continue
        refuse_name(safe(variable), name.lower().replace("_", "-"), known)


def refuse_name(place: str, key: str, known: Mapping[str, str]) -> NoReturn:
    """Refuse what is no setting; its value is not shown. `known`: names as they are spelled there, and keys."""
    option = key.lower().replace("_", "-")
    if option in COMMAND_ALONE:
        raise SettingsError(f"{place}: --{option} stands in the command or nowhere: {COMMAND_ALONE[option]}")
    if option in CHOOSING:
        variable = PREFIX + option.upper()
        raise SettingsError(f"{place}: --{option} says which settings hold: give it in the command, or set {variable}")
    meant = nearest(key, known.values())
    if (meant is None or not _is_same(key, meant)) and may_be_secret(key):
        raise SettingsError(
            f"{place}: found what may be a secret, and no setting holds one: set VELT_API_KEY and VELT_AUTH_TOKEN, "
            "or name files with api-key-file and auth-token-file"
        )
    spelled = next((name for name, each in known.items() if each == meant), None)
    hint = f"; did you mean {spelled}?" if spelled else f"; known are {', '.join(sorted(known))}"
    raise SettingsError(f"{place}: found an unknown setting{hint}")


def may_be_secret(key: str) -> bool:
    """Tell whether what somebody calls so may be a secret."""
    return _SECRET.search(key.lower().replace("_", "-")) is not None


def is_flag(options: argparse.Namespace, dest: str) -> bool:
    """Tell whether an option was said in the command."""
    return source_of(options, dest) == FLAG


def source_of(options: argparse.Namespace, dest: str) -> Source:
    """Tell where an option's value came from."""
    sources: Mapping[str, Source] = getattr(options, "sources", {})
    return sources.get(dest, DEFAULT)


def with_sources(message: str, options: argparse.Namespace) -> str:
    """Say of each option that a message begins with where its value came from, if not from the command."""
    if not message.startswith("--"):
        return message
    head, colon, rest = message.partition(": ")

    def told(match: re.Match[str]) -> str:
        source = source_of(options, match[1].replace("-", "_"))
        return f"{match[0]} ({source.words})" if source.kind in (Kind.ENVIRONMENT, Kind.FILE) else match[0]

    return re.sub(r"--([a-z][a-z-]*)", told, head) + colon + rest


def check_choice(option: Option, text: str, place: str) -> str:
    """See that a value is one of those that there are. SettingsError names them."""
    if option.choices and text not in option.choices:
        meant = nearest(text, option.choices)
        hint = f"; did you mean {meant}?" if meant else ""
        raise SettingsError(f"{place}: found {safe(text)!r}, expected {listed(option.choices)}{hint}")
    return text


def _value(option: Option, text: str, variable: str) -> Value:
    if option.metavar is None:
        word = text.strip().lower()
        if word not in _YES + _NO:
            raise SettingsError(f"{variable}: found {safe(text)!r}, expected one of {', '.join(_YES + _NO)}")
        return word in _YES
    if option.is_repeatable:
        return [line for line in text.split("\n") if line]
    return check_choice(option, text, variable)


def _is_same(one: str, other: str) -> bool:
    return re.sub("[-_]", "", one).lower() == re.sub("[-_]", "", other).lower()
