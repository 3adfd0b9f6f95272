"""What the parsers know of each verb, as plain values: one reading of argparse for all who need it."""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bulk_update.cli.options import PARSERS

LEDGER: Final = "LEDGER"
LEDGER_NAMES: Final = "*.ledger.ndjson"

_AMOUNTS: Final = frozenset({"N", "SIZE", "SECONDS", "DURATION", "P"})
_FILES: Final = frozenset({"PATH", "FILE"})
_LITERAL: Final = re.compile(r"[a-z][a-z-]*")
_UNITS: Final = re.compile(r"\[[^]]*\]")


@dataclass(frozen=True, slots=True)
class Option:
    """An option. `metavar` None: it takes no value. `default`: as words, none where there is no such thing."""

    names: tuple[str, ...]
    dest: str
    metavar: str | None
    meaning: str
    choices: tuple[str, ...] = ()
    default: object = None
    is_repeatable: bool = False

    @property
    def name(self) -> str:
        """Its long name."""
        return self.names[-1]

    @property
    def key(self) -> str:
        """Its name in a settings file."""
        return self.name.removeprefix("--")

    @property
    def takes_pairs(self) -> bool:
        """Tell whether a value is a name, `=` and what belongs to it."""
        return self.metavar is not None and "=" in self.metavar

    @property
    def takes_numbers(self) -> bool:
        """Tell whether a plain number can be a value."""
        return not self.choices and bool(_AMOUNTS & self._kinds)

    @property
    def takes_files(self) -> bool:
        """Tell whether a value can be the path of a file."""
        return not self.choices and bool(_FILES & self._kinds)

    @property
    def words(self) -> tuple[str, ...]:
        """The values that have a name."""
        return self.choices or tuple(kind for kind in sorted(self._kinds) if _LITERAL.fullmatch(kind))

    @property
    def _kinds(self) -> frozenset[str]:
        return frozenset(re.split(r"[|%]", _UNITS.sub("", self.metavar or "")))


@dataclass(frozen=True, slots=True)
class Operand:
    """A word that is no option. `choices`: what it can be; none: it names a file. `usage`: how often it can stand."""

    metavar: str
    meaning: str
    usage: str
    choices: tuple[str, ...] = ()
    is_repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """What can be said. `name`: one word, or two as in `sandbox exec`. `meaning`: a sentence or more."""

    name: str
    meaning: str
    options: tuple[Option, ...]
    operands: tuple[Operand, ...]
    actions: tuple["Verb", ...] = ()
    epilog: str = ""


def all_verbs() -> list[Verb]:
    """List what each verb's parser knows."""
    return [read_verb(name) for name in PARSERS]


def read_verb(name: str) -> Verb:
    """Tell what the parser of a verb knows."""
    return _read(name, PARSERS[name]())


def _read(name: str, parser: argparse.ArgumentParser) -> Verb:
    # argparse tells what it was told in no other way.
    actions = parser._actions  # noqa: SLF001
    return Verb(
        name,
        (parser.description or "").strip(),
        tuple(_options(actions)),
        tuple(_operands(actions)),
        tuple(_subverbs(name, actions)),
        parser.epilog or "",
    )


def _options(actions: list[argparse.Action]) -> Iterator[Option]:
    for action in actions:
        if action.option_strings:
            names = tuple(action.option_strings)
            choices = tuple(map(str, action.choices or ()))
            takes_value = action.nargs != 0
            metavar = "|".join(choices) or str(action.metavar or action.dest.upper())
            meaning = "show this help and exit" if action.dest == "help" else action.help or ""
            yield Option(
                names,
                action.dest,
                metavar if takes_value else None,
                meaning,
                choices,
                action.default,
                isinstance(action, argparse._AppendAction),  # noqa: SLF001
            )


def _operands(actions: list[argparse.Action]) -> Iterator[Operand]:
    for action in actions:
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            choices = tuple(map(str, action.choices or ()))
            name = "|".join(choices) or str(action.metavar or action.dest)
            usages = {"+": f"{name}...", "*": f"[{name}...]"}
            is_repeatable = action.nargs in usages
            usage = usages[str(action.nargs)] if is_repeatable else name
            yield Operand(name, action.help or "", usage, choices, is_repeatable)


def _subverbs(name: str, actions: list[argparse.Action]) -> Iterator[Verb]:
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for word, parser in action.choices.items():
                verb = _read(f"{name} {word}", parser)
                yield Verb(verb.name, helps.get(word, ""), verb.options, verb.operands)
