"""Commands to run next, ready to be copied into a shell."""

import shlex
from collections.abc import Sequence
from typing import Final

SANDBOX: Final = "sandbox"
"""What stands in a ledger for the API when requests went to the embedded sandbox."""

_DEFAULT_API: Final = "https://api.velt.dev"
_ENDINGS: Final = (".sandbox.ledger.ndjson", ".ledger.ndjson")


def command(words: Sequence[str]) -> str:
    """Write a command of this program; each word is quoted where it has to be."""
    return " ".join(["bulk-update", *map(_word, words)])


def failures(ledger: str, *, is_csv: bool) -> str:
    """Write the command that lists the rows that are not updated, in the form of their input."""
    return command(["failures", ledger, *(["--format", "csv"] if is_csv else [])])


def main_job(ledger: str, inputs: Sequence[str]) -> list[str]:
    """Guess the words of the main job of a ledger, which knows its inputs by name, not where they lie."""
    folder, slash, name = ledger.rpartition("/")
    if inputs and name in [inputs[0] + ending for ending in _ENDINGS]:
        return [folder + slash + each for each in inputs]
    return [*inputs, "--ledger", ledger]


def target(api: str) -> list[str]:
    """Give the words that send requests to the API of a ledger."""
    if api == SANDBOX:
        return ["--sandbox"]
    return [] if api == _DEFAULT_API else ["--api-url", api]


def _word(word: str) -> str:
    """Quote a word for the shell; one that does not print is spelled out, so that it survives being copied."""
    if word.isprintable():
        return shlex.quote(word)
    letters = (_spelled(letter) for letter in word)
    return f"$'{''.join(letters)}'"


def _spelled(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    errors = "surrogateescape" if "\udc80" <= letter <= "\udcff" else "replace"
    return "".join(f"\\x{byte:02x}" for byte in letter.encode(errors=errors))
