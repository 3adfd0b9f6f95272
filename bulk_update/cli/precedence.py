"""Which source of a setting counts: the command line, else the environment, else a settings file, else its default."""

import argparse
from collections.abc import Iterable, Iterator, Mapping

from bulk_update.cli.grammar import Option
from bulk_update.cli.options import SETTING_VERBS, VERBS
from bulk_update.cli.profiles import read_settings_file
from bulk_update.cli.sources import (
    CHOOSING,
    COMMAND_ALONE,
    DEFAULT,
    FLAG,
    SECRETS,
    Found,
    Source,
    Value,
    check_variables,
    read_environment,
    with_sources,
)
from bulk_update.errors import SettingsError


def add_settings(options: argparse.Namespace, verb: str, environ: Mapping[str, str]) -> None:
    """Give each option of a verb that the words did not say its value. SettingsError says what cannot be used.

    `options`: what the words said, and nothing else. Beside the values they get `sources`, by option, and
    `notices`: sentences for a person.
    """
    options_of = {name: VERBS[name].options for name in SETTING_VERBS}
    known = {option.key: option for each in options_of.values() for option in _settings(each)}
    check_variables(known.values(), environ)
    environment = read_environment(_settings(options_of[verb]), environ)
    file = _read_file(options, known, environment)
    options.notices = list(_overruled(environment, file) if "api_url" not in options else ())
    _fill_in(options, options_of[verb], environment, _without_secrets_set(file, environ))


def _settings(options: Iterable[Option]) -> list[Option]:
    return [option for option in options if option.key not in COMMAND_ALONE and option.dest != "help"]


def _read_file(options: argparse.Namespace, known: Mapping[str, Option], environment: Found) -> Found:
    """Read the settings file that is chosen, if one is."""
    chosen = argparse.Namespace(**{dest: getattr(options, dest) for dest in CHOOSING if dest in options})
    _fill_in(chosen, [known[dest] for dest in CHOOSING], environment, {})
    if chosen.config is None:
        if chosen.profile is not None:
            nowhere = "--profile: found no file to look in; name it with --config or BULK_UPDATE_CONFIG"
            raise SettingsError(with_sources(nowhere, chosen))
        return {}
    in_file = {key: option for key, option in known.items() if key not in CHOOSING}
    try:
        return read_settings_file(chosen.config, chosen.profile, in_file)
    except SettingsError as error:
        raise SettingsError(with_sources(str(error), chosen)) from None


def _without_secrets_set(file: Found, environ: Mapping[str, str]) -> dict[str, tuple[Value, Source]]:
    """Put the environment's own secrets before the files of secrets that a settings file names."""
    found = dict(file)
    for dest in SECRETS.keys() & file.keys():
        if environ.get(SECRETS[dest], "").strip():
            del found[dest]
    return found


def _overruled(environment: Found, file: Found) -> Iterator[str]:
    """Say aloud that requests go elsewhere than a settings file says: nobody should find out afterwards."""
    (here, source), (there, named) = environment.get("api_url", ("", DEFAULT)), file.get("api_url", ("", DEFAULT))
    if here and there and here != there:
        yield f"WARNING: {source.words} goes before api-url of {named.words}: requests go there"


def _fill_in(options: argparse.Namespace, known: Iterable[Option], environment: Found, file: Found) -> None:
    sources: dict[str, Source] = {}
    for option in known:
        value, source = option.default, DEFAULT
        if option.dest in options:
            value, source = getattr(options, option.dest), FLAG
        elif option.dest in environment:
            value, source = environment[option.dest]
        elif option.dest in file:
            value, source = file[option.dest]
        if option.dest != "help":
            setattr(options, option.dest, list(value) if isinstance(value, list) else value)
            sources[option.dest] = source
    options.sources = sources
