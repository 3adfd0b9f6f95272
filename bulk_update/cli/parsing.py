"""Words become options, with the value of each and where it came from."""

import argparse
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

from bulk_update.cli.help_texts import ENVIRONMENT, EXAMPLES, EXIT_CODES, OVERVIEW, VERBS
from bulk_update.cli.options import PARSERS, SETTING_VERBS
from bulk_update.cli.streams import give
from bulk_update.errors import UsageError
from bulk_update.pure.names import nearest
from bulk_update.version import VERSION

_NOWHERE: Final[Mapping[str, str]] = MappingProxyType({})


def parse(words: Sequence[str], environ: Mapping[str, str] = _NOWHERE) -> argparse.Namespace | None:
    """Read the words; None when they only asked to be told something, and it was told.

    A first word that is no verb belongs to the main job. What the words do not say comes from the environment,
    from a settings file, or is the default: `sources` tells by option. UsageError and SettingsError say what is wrong.
    """
    if not words:
        raise UsageError("expected an input, such as changes.ndjson. See bulk-update --help")
    if words[0] in ("-h", "--help", "help"):
        give(f"{OVERVIEW}\n\n{VERBS}\n\n{EXAMPLES}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
        return None
    if words[0] in ("-V", "--version"):
        give(f"bulk-update {VERSION}")
        return None
    verb, rest = (words[0], words[1:]) if words[0] in PARSERS else ("run", words)
    if words[0] not in PARSERS:
        _refuse_misspelt_verb(words[0])
    parser = PARSERS[verb]()
    options = _read(parser, rest, has_settings=verb in SETTING_VERBS)
    if options is None:
        return None
    if verb in SETTING_VERBS:
        from bulk_update.cli.precedence import add_settings

        add_settings(options, verb, environ)
    options.verb = verb
    options.words = list(words)
    return options


def _refuse_misspelt_verb(word: str) -> None:
    """Name the verb that was most likely meant, where there is no input of this name."""
    meant = None if "." in word or word.startswith("-") or os.path.lexists(word) else nearest(word, PARSERS)
    if meant is not None:
        raise UsageError(f"found {word}, which is neither a file nor a verb; did you mean the verb {meant}?")


def _read(parser: argparse.ArgumentParser, words: Sequence[str], *, has_settings: bool) -> argparse.Namespace | None:
    """Read the words alone. `has_settings`: without defaults, so that what was said can be told from what was not."""
    if has_settings:
        for action in parser._actions:  # noqa: SLF001 - argparse has no other list of them
            action.default = argparse.SUPPRESS
    try:
        options, unknown = parser.parse_known_args(words)
    except SystemExit:  # --help has been printed
        return None
    if unknown:
        _refuse(unknown[0], parser)
    return options


def _refuse(word: str, parser: argparse.ArgumentParser) -> NoReturn:
    """Name the option that a misspelt one was most likely meant to be."""
    known = [option for action in parser._actions for option in action.option_strings]  # noqa: SLF001
    name = word.split("=", maxsplit=1)[0]  # what follows may be a secret that no option takes
    meant = nearest(name, known)
    hint = f"; did you mean {meant}?" if meant else "."
    raise UsageError(f"unknown option {name}{hint} See {parser.prog} --help")
