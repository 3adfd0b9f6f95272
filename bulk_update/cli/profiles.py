"""Settings files: TOML whose top level holds for all runs, with profiles that go before it."""

from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Final

from bulk_update.cli.grammar import Option
from bulk_update.cli.sources import Kind, Source, Value, check_choice, refuse_name
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

Table = Mapping[str, object]


def read_settings_file(
    path: str, profile: str | None, settings: Mapping[str, Option]
) -> dict[str, tuple[Value, Source]]:
    """Read the values that hold for a profile, by the option's `dest`.

    `settings`: the options that a file may set, by key. The whole file is checked, other profiles as well.
    SettingsError says what cannot be used, in which file and under which key; it shows no value that may be a secret.
    """
    shown = safe(path)
    top = _parse(path, shown)
    profiles = top.pop(_PROFILES, {})
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise SettingsError(f"{shown}: {_PROFILES}: expected a table for each, such as [profile.nightly]")
    found = _values(top, settings, Source(Kind.FILE, path), shown)
    named = {
        name: _values(table, settings, Source(Kind.FILE, path, name), f"{shown}: [profile.{safe(name)}]")
        for name, table in profiles.items()
    }
    if profile is None:
        return found
    if profile not in named:
        raise SettingsError(f"--profile: {shown} has no profile {safe(profile)!r}{_hint(profile, named)}")
    return found | named[profile]


def _parse(path: str, shown: str) -> dict[str, object]:
    import tomllib

    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"--config: {shown} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{shown}: line {line}: found what is no UTF-8, expected TOML, which is text") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SettingsError(f"{shown}: found what is no TOML: it is nested too deeply") from None
    except ValueError as error:
        last = f"at line {text.rstrip().count(chr(10)) + 1}, the last"
        reason = str(error).replace("at end of document", last)
        raise SettingsError(f"{shown}: found what is no TOML: {safe(reason)}") from None


def _values(
    table: Table, settings: Mapping[str, Option], source: Source, place: str
) -> dict[str, tuple[Value, Source]]:
    values: dict[str, tuple[Value, Source]] = {}
    for key, value in table.items():
        where = f"{place}: {safe(key)}"
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
