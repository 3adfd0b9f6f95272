"""`completion`: a script that completes the program's words in a shell, made of what the parsers know."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bulk_update.cli.completion_bash import bash_script
from bulk_update.cli.completion_fish import fish_script
from bulk_update.cli.completion_zsh import zsh_script
from bulk_update.cli.grammar import Verb
from bulk_update.cli.options import VERBS
from bulk_update.cli.streams import give

_SCRIPTS: Final[Mapping[str, Callable[[Sequence[Verb]], str]]] = {
    "bash": bash_script,
    "zsh": zsh_script,
    "fish": fish_script,
}


def completion(options: argparse.Namespace) -> int:
    """Print the script; 0."""
    give(_SCRIPTS[options.shell](list(VERBS.values())).rstrip("\n"))
    return 0
