"""What can be said to the program, as plain values: parsing, help, completion and the manual page are made of them.

Loaded for every `--help`: so it imports nothing that takes time.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

LEDGER: Final = "LEDGER"
LEDGER_NAMES: Final = "*.ledger.ndjson"
PROFILE: Final = "profile"
"""The option whose values are the profiles of a settings file: only that file can tell them."""

PROFILE_NAMES: Final = r"""sed -n 's/^[[:space:]]*\[profile\.["'\'']\{0,1\}\([^]"'\'']*\).*/\1/p'"""
"""A command that lists the profiles of the file that is its last word."""

_AMOUNTS: Final = frozenset({"N", "SIZE", "SECONDS", "DURATION", "P"})
_FILES: Final = frozenset({"PATH", "FILE"})
_LITERAL: Final = re.compile(r"[a-z][a-z-]*")
_UNITS: Final = re.compile(r"\[[^]]*\]")


class Option(NamedTuple):
    """An option.

    `metavar` None: it takes no value. `default`: as words, none where there is no such thing. `title`: the part of
    the help in which it stands. `choices`: all values that there are. `offers`: values worth naming, among others.
    """

    names: tuple[str, ...]
    metavar: str | None
    meaning: str
    default: object = None
    title: str = "options"
    choices: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
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
    def dest(self) -> str:
        """Its name among the values that were read."""
        return self.key.replace("-", "_")

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
        literal = (kind for kind in sorted(self._kinds) if _LITERAL.fullmatch(kind))
        return self.choices or self.offers or tuple(literal)

    @property
    def _kinds(self) -> frozenset[str]:
        return frozenset(re.split(r"[|%]", _UNITS.sub("", self.metavar or "")))


class Operand(NamedTuple):
    """A word that is no option. `choices`: what it can be; none: it names a file. `example`: one that fits."""

    dest: str
    metavar: str
    meaning: str
    example: str = ""
    choices: tuple[str, ...] = ()
    is_repeatable: bool = False
    is_required: bool = True

    @property
    def usage(self) -> str:
        """Tell how often it can stand."""
        usage = f"{self.metavar}..." if self.is_repeatable else self.metavar
        return usage if self.is_required else f"[{usage}]"


class Verb(NamedTuple):
    """What can be said behind a verb. `name`: one word, or two as in `sandbox exec`. `meaning`: a sentence or more.

    `actions`: verbs of the second word. `epilog`: what its help says behind the options.
    """

    name: str
    meaning: str
    options: tuple[Option, ...]
    operands: tuple[Operand, ...] = ()
    actions: tuple["Verb", ...] = ()
    epilog: str = ""

    @property
    def usage(self) -> str:
        """Tell what can stand behind the program's name."""
        actions = ["[" + "|".join(action.word for action in self.actions) + "]"] if self.actions else []
        options = ["[OPTION...]"] if len(self.options) > 1 else []
        name = "[run]" if self.name == "run" else self.name
        return " ".join([name, *options, *actions, *(operand.usage for operand in self.operands)])

    @property
    def word(self) -> str:
        """The last word of its name."""
        return self.name.rpartition(" ")[2]


def listed(words: Iterable[str]) -> str:
    """List words of which one is to be chosen: `a, b or c`."""
    *firsts, last = words
    return f"{', '.join(firsts)} or {last}" if firsts else last
