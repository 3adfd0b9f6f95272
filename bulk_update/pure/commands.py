"""Commands to run next, ready to be copied into a shell."""

import shlex
from collections.abc import Sequence
from posixpath import join, normpath
from typing import Final

from bulk_update.pure.formats import are_tables
from bulk_update.pure.ledger_lines import RunLine
from bulk_update.pure.names import file_name, is_url
from bulk_update.pure.transcoding import UTF8

SANDBOX: Final = "sandbox"
"""What stands in a ledger for the API when requests went to the embedded sandbox."""

SANDBOX_SEED: Final = "sandboxSeed"
SANDBOX_FAULTS: Final = "sandboxFaults"
"""Settings of a run line, as the embedded sandbox was asked for."""

ORGANIZATION: Final = "organizationId"
INPUT_FORMAT: Final = "format"
"""Settings of a run line that tell of its inputs, where they were asked for."""

_READING: Final = (
    (ORGANIZATION, "--organization-id", None),
    (INPUT_FORMAT, "--format", None),
    ("encoding", "--encoding", UTF8),
    ("empty", "--empty", "omit"),
)
"""Settings, their options, and what they usually are."""

_DEFAULT_API: Final = "https://api.velt.dev"
_ENDING: Final = ".ledger.ndjson"
_SANDBOX_ENDING: Final = ".sandbox.ledger.ndjson"


def command(words: Sequence[str]) -> str:
    """Write a command of this program; each word is quoted where it has to be."""
    return " ".join(["bulk-update", *map(_word, words)])


def failures(ledger: str, *, is_csv: bool) -> str:
    """Write the command that lists the rows that are not updated, in the form of their input."""
    return command(["failures", positional(ledger), *(["--format", "csv"] if is_csv else [])])


def positional(path: str) -> str:
    """Write a path so that it is not taken for an option."""
    return f"./{path}" if path.startswith("-") and path != "-" else path


def main_job(ledger: str, run: RunLine, here: str = "") -> list[str]:
    """Give the words that begin the main job of a ledger anew: its inputs, and where the ledger is.

    `ledger`: its path as it is named now. `here`: the folder where the command is to run, "" where that is not known.
    The inputs lie where they lay when the run began; or beside the ledger where that is what it is named after, for
    both may have been moved.
    """
    paths = [_seen_from(here, run.folder, path) for path in run.paths] or run.inputs
    ending = _SANDBOX_ENDING if run.api == SANDBOX else _ENDING
    if paths and normpath(join(here, ledger)) == normpath(join(here, _place(paths[0]) + ending)):
        return [positional(path) for path in paths]
    folder, slash, name = ledger.rpartition("/")
    is_one_folder = len({path.rpartition("/")[0] for path in paths}) == 1 and not is_url(paths[0])
    if is_one_folder and name == run.inputs[0] + ending:
        return [positional(folder + slash + each) for each in run.inputs]
    return [*map(positional, paths), "--ledger", ledger]


def _seen_from(here: str, folder: str, path: str) -> str:
    """Name a path from another folder than the one where it was named."""
    if not folder or not here or folder == here or is_url(path) or path == "-":
        return path
    whole = normpath(join(folder, path))
    return whole.removeprefix(f"{here.rstrip('/')}/")


def _place(path: str) -> str:
    """Tell beside what the ledger of an input lies: of what was fetched, in the folder where that was done."""
    return file_name(path) if is_url(path) else path


def reading(run: RunLine) -> list[str]:
    """Give the words that say how the inputs of a run are to be read, as far as it tells: those that are not usual."""
    columns = run.tables[0].columns if run.tables else {}
    words = [word for field, header in columns.items() for word in ("--column", f"{field}={header}")]
    for name, option, usual in _READING:
        value = _setting(run, name)
        if value is not None and value != usual:
            words += [option, value]
    return words


def are_csv(run: RunLine) -> bool:
    """Tell whether all inputs of a run are CSV: by their headers where it has seen them, else by their names."""
    return len(run.tables) == len(run.inputs) if run.tables else are_tables(run.inputs)


def target(run: RunLine, here: str = "") -> list[str]:
    """Give the words that send requests where a run sent them; `here` as of `main_job`."""
    if run.api != SANDBOX:
        return [] if run.api == _DEFAULT_API else ["--api-url", run.api]
    words = ["--sandbox"]
    for name, option in ((SANDBOX_SEED, "--sandbox-seed"), (SANDBOX_FAULTS, "--sandbox-faults")):
        value = _setting(run, name)
        if value is not None:
            is_path = name == SANDBOX_SEED or "." in value  # no preset of faults has a dot in its name
            words += [option, _seen_from(here, run.folder, value) if is_path else value]
    return words


def _setting(run: RunLine, name: str) -> str | None:
    """Find a setting that is text; None when there is none."""
    told = run.settings.get(name)
    value = told.get("value") if isinstance(told, dict) else told
    return value if isinstance(value, str) else None


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
