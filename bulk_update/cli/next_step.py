"""The one command to run next, ready to be copied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bulk_update.edge.folder import current_folder
from bulk_update.errors import LedgerGone, TooManyFailures
from bulk_update.pure.commands import are_csv, command, failures, main_job, positional, reading, target
from bulk_update.pure.ledger_lines import RETRY
from bulk_update.pure.names import without_secrets

if TYPE_CHECKING:
    from bulk_update.pipeline import Ended

_KEPT: Final = (
    "--api-url",
    "--api-key-file",
    "--auth-token-file",
    "--sandbox-seed",
    "--sandbox-faults",
    "--config",
    "--profile",
    "--rate",
    "--organization-rate",
    "--concurrency",
)
"""Options that a retry takes over from the run before."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to run next. `listing`: what lists the rows that are to be mended in the input first, "" of none."""

    command: str
    listing: str = ""


def next_step(ended: "Ended", words: Sequence[str]) -> NextStep | None:
    """Tell what to run next; None when all is done.

    `words`: those of this run. What names a place to be told of the run, `--ping-url`, is left out: it is a secret.
    """
    summary, words = ended.summary, [without_secrets(word) for word in _without(words, "--ping-url")]
    if isinstance(ended.reason, TooManyFailures):
        return NextStep(_listing(ended))
    if isinstance(ended.reason, LedgerGone) and not ended.reason.is_back:
        return None
    if ended.reason is not None or summary.unsent:
        is_lost = ended.reason is None and ended.begin.verb == RETRY
        return NextStep(_main_job(ended, words) if is_lost else command(words))
    return _next_of_retry(ended, words) if ended.begin.verb == RETRY else _next_of_run(ended, words)


def _next_of_run(ended: "Ended", words: Sequence[str]) -> NextStep | None:
    summary = ended.summary
    if summary.failed or summary.unknown:
        return NextStep(command(["retry", positional(summary.ledger), *_target_words(words)]))
    if summary.invalid:
        return NextStep(command(words), _listing(ended))
    return None if summary.complete else NextStep(command(_without(words, "--limit")))


def _next_of_retry(ended: "Ended", words: Sequence[str]) -> NextStep | None:
    """Tell what follows a retry. Rows that were never read are for the main job: only the input has them.

    So is the order of changes that a run of it has sent which did not go to its end.
    """
    summary = ended.summary
    if ended.waiting:
        return NextStep(_main_job(ended, words))
    if summary.failed or summary.unknown:
        return NextStep(_listing(ended))
    if summary.invalid:
        return NextStep(_main_job(ended, words), _listing(ended))
    return NextStep(_main_job(ended, words)) if ended.is_input_left else None


def _listing(ended: "Ended") -> str:
    """Write the command that lists the rows that are not updated, as the input was."""
    return failures(ended.summary.ledger, is_csv=are_csv(ended.main))


def _main_job(ended: "Ended", words: Sequence[str]) -> str:
    """Write the main job of the ledger that a retry has worked on."""
    main, to = ended.main, _target_words(words)
    here = current_folder()
    job = [*main_job(ended.summary.ledger, main, here), *reading(main)]
    return command([*job, *to, *(() if {"--sandbox", "--api-url"} & _names(to) else target(ended.begin, here))])


def _target_words(words: Sequence[str]) -> list[str]:
    """Pick the words that say where requests go, how fast, and with which settings: a retry must do so, too."""
    picked: list[str] = []
    for at, word in enumerate(words):
        if word in _KEPT and at + 1 < len(words):
            picked += [word, words[at + 1]]
        elif word == "--sandbox" or word.startswith(tuple(f"{name}=" for name in _KEPT)):
            picked.append(word)
    return picked


def _names(words: Sequence[str]) -> set[str]:
    return {word.partition("=")[0] for word in words}


def _without(words: Sequence[str], option: str) -> list[str]:
    """Leave out an option that takes a value, and its value."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == option:
            skip = True
        elif not word.startswith(f"{option}="):
            kept.append(word)
    return kept
