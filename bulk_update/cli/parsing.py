"""Words become options, with the value of each and where it came from."""

import argparse
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from textwrap import fill
from types import MappingProxyType
from typing import Final, NoReturn

from bulk_update.cli.grammar import Operand, Option, Verb, listed
from bulk_update.cli.help_texts import ENVIRONMENT, EXAMPLES, EXIT_CODES, OVERVIEW
from bulk_update.cli.help_texts import VERBS as OF_VERBS
from bulk_update.cli.options import SETTING_VERBS, VERBS
from bulk_update.cli.streams import give, safe
from bulk_update.errors import UsageError
from bulk_update.pure.names import nearest
from bulk_update.version import VERSION

_NOWHERE: Final[Mapping[str, str]] = MappingProxyType({})
_HELP: Final = ("-h", "--help")
_NAMES: Final = 20
"""Letters of the column of names in a help, where they fit."""

_WIDTH: Final = 78
_DASHES: Final = ("-", "\u2013", "\u2014")
"""What an option begins with, also where an editor has made one dash of two."""

_BELOW_ZERO: Final = re.compile(r"-\.?[0-9].*")


def parse(words: Sequence[str], environ: Mapping[str, str] = _NOWHERE) -> argparse.Namespace | None:
    """Read the words; None when they only asked to be told something, and it was told.

    A first word that is no verb belongs to the main job. What the words do not say comes from the environment,
    from a settings file, or is the default: `sources` tells by option. UsageError and SettingsError say what is wrong.
    """
    if not words:
        raise UsageError("found no words, expected an input, such as changes.ndjson. See bulk-update --help")
    if words[0] == "help" and words[1:]:
        if words[1] not in VERBS:
            raise UsageError(_with_help("help: " + _refused(words[1], list(VERBS)), "bulk-update --help"))
        words = [*words[1:], "--help"]
    if words[0] in (*_HELP, "help"):
        give(f"{OVERVIEW}\n\n{OF_VERBS}\n\n{EXAMPLES}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
        return None
    if words[0] in ("-V", "--version"):
        give(f"bulk-update {VERSION}")
        return None
    if words[0] not in VERBS:
        _refuse_misspelt_verb(words[0])
    name, rest = (words[0], words[1:]) if words[0] in VERBS else ("run", words)
    options = _read(VERBS[name], rest, is_named=words[0] in VERBS)
    if options is None:
        return None
    if name in SETTING_VERBS:
        from bulk_update.cli.precedence import add_settings

        add_settings(options, _asked(options) if name == "config" else name, environ)
    options.verb = name
    options.words = list(words)
    return options


def _asked(options: argparse.Namespace) -> str:
    """Tell of which verb `config` is to show the settings."""
    options.asked = options.action or "run"
    return str(options.asked)


def _refuse_misspelt_verb(word: str) -> None:
    """Name the verb that was most likely meant, where there is no input of this name."""
    meant = None if "." in word or word.startswith("-") or os.path.lexists(word) else nearest(word, VERBS)
    if meant is not None:
        found = safe(word)
        raise UsageError(f"found {found}, which is neither a file nor a verb; did you mean the verb {meant}?")


def _read(verb: Verb, words: Sequence[str], *, is_named: bool) -> argparse.Namespace | None:
    """Read what stands behind a verb; None when it was help that was asked for.

    Options of verbs that have settings have a value only where one was said. `is_named`: the verb was said.
    """
    end = words.index("--") if "--" in words else len(words)
    before, behind = list(words[:end]), list(words[end + 1 :])
    asks_for_help = any(word in _HELP for word in before)
    if not asks_for_help:
        _refuse_unknown(verb, before)
    action, before = _take_action(verb, before, behind)
    told = action or verb
    if asks_for_help:
        give(_parser(told).format_help().rstrip("\n"))
        return None
    options, operands = _split(told, before)
    operands += behind
    if told.word != "exec" and "" in operands:
        _refuse(told, "found an empty word, expected the name of a file")
    if not is_named:
        _refuse_late_verb(operands)
    for operand in told.operands:
        setattr(options, operand.dest, _operand(told, operand, operands))
    if operands and not told.operands:
        _refuse(told, f"{told.name}: found {safe(operands[0])!r}, expected no such word")
    options.action = "" if action is None else action.word
    if verb.name not in SETTING_VERBS:
        for option in told.options:
            if option.dest not in options:
                setattr(options, option.dest, option.default)
    return options


def _refuse_unknown(verb: Verb, words: Sequence[str]) -> None:
    """Refuse a misspelt option before its value is taken for something else."""
    verbs = (verb, *verb.actions)
    known = {name: option for each in verbs for option in each.options for name in option.names}
    before = ""
    for word in words:
        name = word.split("=", maxsplit=1)[0]  # what follows may be a secret that no option takes
        is_value = before in known and known[before].metavar is not None and _BELOW_ZERO.fullmatch(word)
        if word.startswith(_DASHES) and word != "-" and name not in known and not is_value:
            _refuse(verb, f"unknown option {safe(name)}{_meant_by(name, known, verb)}")
        before = word


def _meant_by(name: str, known: Collection[str], verb: Verb) -> str:
    """Say what somebody may have meant by a word that looks like an option and is none of a verb's."""
    if os.path.lexists(name):
        return f". If the file is meant, write {safe(f'./{name}')}"
    others = [
        other.name
        for other in VERBS.values()
        if other.name != "config" and any(name in option.names for option in other.options)
    ]
    if others:
        return f" of {verb.name}; it is one of {' and '.join(others)}"
    meant = nearest(name, known)
    return f"; did you mean {meant}?" if meant else ""


def _take_action(verb: Verb, words: list[str], behind: Sequence[str]) -> tuple[Verb | None, list[str]]:
    """Find the action among the words, wherever it stands; return it and the other words."""
    actions = {action.word: action for action in verb.actions}
    at = next(_operand_places(verb, words), None)
    if at is None or words[at] not in actions:
        if actions and not verb.operands and (at is not None or behind):
            found = behind[0] if at is None else words[at]
            _refuse(verb, f"{verb.name}: {_refused(found, list(actions))}")
        return None, words
    return actions[words[at]], [*words[:at], *words[at + 1 :]]


def _operand_places(verb: Verb, words: Sequence[str]) -> Iterator[int]:
    """Find the words that are neither options nor values of them."""
    valued = {
        name for each in (verb, *verb.actions) for option in each.options if option.metavar for name in option.names
    }
    is_value = False
    for at, word in enumerate(words):
        if not is_value and (word == "-" or not word.startswith("-")):
            yield at
        is_value = not is_value and word in valued


def _split(verb: Verb, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Tell options and operands apart. UsageError when an option has no value, or one too many."""
    known = {name: option for option in verb.options for name in option.names}
    try:
        options, operands = _parser(verb).parse_known_args(words)
    except argparse.ArgumentError as error:
        name = (error.argument_name or "").rpartition("/")[2]
        _refuse_value(verb, known[name], words)
    for option in verb.options:
        text = getattr(options, option.dest, None)
        if text in ("", [""]):  # most likely a variable of the shell that is not set
            _refuse(verb, f"{option.name}: found an empty word, expected {option.metavar}")
        if option.choices and text is not None and text not in option.choices:
            _refuse(verb, f"{option.name}: {_refused(text, option.choices)}")
    for word in operands:
        if word.startswith("-") and word != "-":
            name = word.split("=", maxsplit=1)[0]
            _refuse(verb, f"unknown option {safe(name)}{_meant_by(name, known, verb)}")
    return options, operands


def _refuse_value(verb: Verb, option: Option, words: Sequence[str]) -> NoReturn:
    if option.metavar is None:
        _refuse(verb, f"{option.name}: found a value, expected none: saying it is enough")
    behind = [following for word, following in zip(words, [*words[1:], ""], strict=True) if word == option.name]
    bad = next((word for word in behind if word.startswith("-")), "")
    found = f"found {safe(bad)!r}" if bad else "found nothing behind it"
    _refuse(verb, f"{option.name}: {found}, expected {option.metavar}")


def _refuse_late_verb(operands: Sequence[str]) -> None:
    """Say that a verb stands first, where the first input is none and would be one."""
    if operands and operands[0] in VERBS and not os.path.lexists(operands[0]):
        raise UsageError(
            f"found the verb {operands[0]} behind options, expected it first: bulk-update {operands[0]} ..."
        )


def _operand(verb: Verb, operand: Operand, words: list[str]) -> object:
    """Take an operand's value from the words that are no options."""
    if operand.is_repeatable:
        if operand.is_required and not words:
            _refuse_absence(verb, operand)
        return words
    if not words:
        if operand.is_required:
            _refuse_absence(verb, operand)
        return None
    if len(words) > 1:
        found = f"found {safe(words[1])!r} behind {safe(words[0])!r}"
        _refuse(verb, f"{verb.name}: {found}, expected one {operand.metavar}")
    if operand.choices and words[0] not in operand.choices:
        _refuse(verb, f"{verb.name}: {_refused(words[0], operand.choices)}")
    return words[0]


def _refuse_absence(verb: Verb, operand: Operand) -> NoReturn:
    example = f", such as {operand.example}" if operand.example else ""
    _refuse(verb, f"{verb.name}: found no {operand.metavar}, expected one{example}")


def _refused(word: str, choices: Sequence[str]) -> str:
    """Say what was found in the place of a choice, and what may have been meant."""
    meant = nearest(word, choices)
    hint = f"; did you mean {meant}?" if meant else ""
    return f"found {safe(word)!r}, expected {listed(choices)}{hint}"


def _refuse(verb: Verb, message: str) -> NoReturn:
    """Say what was found and expected, and where to read more."""
    raise UsageError(_with_help(message, f"bulk-update {verb.name} --help"))


def _with_help(message: str, where: str) -> str:
    end = "" if message.endswith("?") else "."
    return f"{message}{end} See {where}"


def _parser(verb: Verb) -> argparse.ArgumentParser:
    """Make what takes options and their values apart, and writes the help. No option has a default there."""
    parser = argparse.ArgumentParser(
        prog=f"bulk-update {verb.name}",
        usage=f"bulk-update {verb.usage}",
        description=_described(verb),
        epilog=verb.epilog,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,
        exit_on_error=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    titles = dict.fromkeys(option.title for option in verb.options)
    groups = {title: parser.add_argument_group(title) for title in titles}
    for option in verb.options:
        meaning = option.meaning.replace("%", "%%")
        if option.metavar is None:
            groups[option.title].add_argument(*option.names, action="store_true", help=meaning)
        else:
            action = "append" if option.is_repeatable else "store"
            groups[option.title].add_argument(*option.names, action=action, metavar=option.metavar, help=meaning)
    return parser


def _described(verb: Verb) -> str:
    """Say what a verb does, and what its operands and actions are."""
    told = [(operand.metavar, operand.meaning) for operand in verb.operands if operand.meaning]
    told += [(action.word, action.meaning) for action in verb.actions]
    lines = [f"  {name:{_NAMES}}  {meaning}" for name, meaning in told]
    columns = "\n".join(fill(line, _WIDTH, subsequent_indent=" " * (_NAMES + 4)) for line in lines)
    return f"{fill(verb.meaning, _WIDTH)}\n\n{columns}".rstrip()
