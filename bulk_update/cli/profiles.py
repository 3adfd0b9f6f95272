"""Settings files: TOML whose top level holds for all runs, with profiles that go before it."""

import re
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Final, NamedTuple

from bulk_update.cli.grammar import Option
from bulk_update.cli.sources import Kind, Source, Value, check_choice, may_be_secret, refuse_name
from bulk_update.cli.streams import safe
from bulk_update.errors import SettingsError
from bulk_update.pure.names import nearest

_PROFILES: Final = "profile"
_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a number"),
    (float, "a number"),
    (list, "an array"),
    (dict, "a table"),
    (date, "a date"),
    (time, "a time"),
)

_HEADER: Final = re.compile(r"\s*\[+\s*([^]]+?)\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*[.=]")
_QUOTES: Final = re.compile(r"[\"']|(?<=\.)\s+|\s+(?=\.)")

Table = Mapping[str, object]


def read_settings_file(
    path: str, profile: str | None, settings: Mapping[str, Option]
) -> dict[str, tuple[Value, Source]]:
    """Read the values that hold for a profile, by the option's `dest`.

    `settings`: the options that a file may set, by key. The whole file is checked, other profiles as well.
    SettingsError says what cannot be used, in which file and under which key; it shows no value that may be a secret.
    """
    shown = safe(path)
    text = _read(path, shown)
    top = _parse(text, shown)
    profiles = top.pop(_PROFILES, {})
    place = _Place(shown, text)
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise SettingsError(f"{place.of(_PROFILES)}: expected a table for each, such as [profile.nightly]")
    _refuse_tables(top, settings, place)
    found = _values(top, settings, Source(Kind.FILE, path), place)
    named = {
        name: _values(table, settings, Source(Kind.FILE, path, name), _Place(shown, text, name))
        for name, table in profiles.items()
    }
    if profile is None:
        return found
    if profile not in named:
        raise SettingsError(f"--profile: {shown} has no profile {safe(profile)!r}{_hint(profile, named)}")
    return found | named[profile]


class _Place(NamedTuple):
    """Where in a settings file something stands. `profile`: in which of its tables; None: at its top level."""

    path: str
    text: str
    profile: str | None = None

    def of(self, key: str) -> str:
        """Name the file, the line as far as it can be found, the profile and the key."""
        table = "" if self.profile is None else f"[{_PROFILES}.{safe(self.profile)}]: "
        return f"{self.line_of(key)}: {table}{safe(key)}"

    def line_of(self, key: str) -> str:
        """Name the file, and the line of a key or table as far as it can be found."""
        line = self._line(key)
        return self.path if line is None else f"{self.path}: line {line}"

    def _line(self, key: str) -> int | None:
        table: str | None = None
        wanted = f"{_PROFILES}.{self.profile}" if self.profile is not None else None
        for number, line in enumerate(self.text.split("\n"), start=1):
            if header := _HEADER.match(line):
                table = _QUOTES.sub("", header[1])
                if wanted is None and table.partition(".")[0] == key:
                    return number
            elif table == wanted and (named := _KEY.match(line)) and _QUOTES.sub("", named[1]) == key:
                return number
        return None


def _refuse_tables(top: Table, settings: Mapping[str, Option], place: _Place) -> None:
    """Refuse a table that is none of ours and was most likely meant to be a profile."""
    for key, value in top.items():
        if key in settings or not isinstance(value, dict) or may_be_secret(key):
            continue
        inner = next((name for name, each in value.items() if isinstance(each, dict)), None)
        is_misspelt = nearest(key, [_PROFILES]) is not None
        name = key if inner is None or not is_misspelt else inner
        found = f"[{safe(key)}.{safe(inner)}]" if inner is not None else f"[{safe(key)}]"
        meant = f"[{_PROFILES}.{safe('nightly' if is_misspelt and inner is None else name)}]"
        raise SettingsError(f"{place.line_of(key)}: found the unknown table {found}; did you mean {meant}?")


def _read(path: str, shown: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            line = error.object[: error.start].count(b"\n") + 1
            raise SettingsError(f"{shown}: line {line}: found what is no UTF-8, expected TOML, which is text") from None
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(f"--config: {shown} cannot be read: {reason}") from None


def _parse(text: str, shown: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SettingsError(f"{shown}: found what is no TOML: it is nested too deeply") from None
    except ValueError as error:
        last = f"at line {text.rstrip().count(chr(10)) + 1}, the last"
        reason = str(error).replace("at end of document", last)
        raise SettingsError(f"{shown}: found what is no TOML: {safe(reason)}") from None


def _values(
    table: Table, settings: Mapping[str, Option], source: Source, place: _Place
) -> dict[str, tuple[Value, Source]]:
    values: dict[str, tuple[Value, Source]] = {}
    for key, value in table.items():
        where = place.of(key)
        if key not in settings:
            refuse_name(where, key, {name: name for name in settings})
        option = settings[key]
        values[option.dest] = _value(option, value, where), source
    return values


def _value(option: Option, value: object, place: str) -> Value:
    """Make a value what the words of a command would have been."""
    if "\0" in str(value):
        raise SettingsError(f"{place}: found a NUL character, which no word of a command can have")
    if option.metavar is None:
        if isinstance(value, bool):
            return value
    elif option.is_repeatable:
        listed = _pairs(value) if isinstance(value, dict) and option.takes_pairs else value
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            return listed
    elif isinstance(value, str):
        return check_choice(option, value, place)
    elif option.takes_numbers and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise SettingsError(f"{place}: found {_kind(value)}, expected {_expected(option)}")


def _pairs(table: Table) -> list[object]:
    return [f"{name}={value}" if isinstance(value, str) else value for name, value in table.items()]


def _kind(value: object) -> str:
    return next((words for kind, words in _KINDS if isinstance(value, kind)), type(value).__name__)


def _expected(option: Option) -> str:
    if option.metavar is None:
        return "true or false"
    if option.is_repeatable:
        pairs = "a table of texts, or " if option.takes_pairs else ""
        return f"{pairs}an array of texts {option.metavar}"
    if option.choices:
        return " or ".join(option.choices)
    return f"{'a number or text' if option.takes_numbers else 'text'}: {option.metavar}"


def _hint(profile: str, named: Mapping[str, object]) -> str:
    if not named:
        return "; it has none. They begin with a line such as [profile.nightly]"
    meant = nearest(profile, named)
    return f"; did you mean {safe(meant)}?" if meant else f"; it has {', '.join(map(safe, named))}"
