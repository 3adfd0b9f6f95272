"""Commands to run next, ready to be copied into a shell."""

import shlex
from collections.abc import Sequence
from typing import Final

from bulk_update.pure.formats import are_tables
from bulk_update.pure.ledger_lines import RunLine
from bulk_update.pure.transcoding import UTF8

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


def reading(run: RunLine) -> list[str]:
    """Give the words that say how the inputs of a run are to be read, as far as it tells: those that are not usual."""
    columns = run.tables[0].columns if run.tables else {}
    words = [word for field, header in columns.items() for word in ("--column", f"{field}={header}")]
    for name, usual in (("encoding", UTF8), ("empty", "omit")):
        told = run.settings.get(name)
        value = told.get("value") if isinstance(told, dict) else told
        if isinstance(value, str) and value != usual:
            words += [f"--{name}", value]
    return words


def are_csv(run: RunLine) -> bool:
    """Tell whether all inputs of a run are CSV: by their headers where it has seen them, else by their names."""
    return len(run.tables) == len(run.inputs) if run.tables else are_tables(run.inputs)


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
