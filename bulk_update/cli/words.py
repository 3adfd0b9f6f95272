"""What a person is told at the end: counts, reasons, and the one command to run next."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bulk_update.cli.streams import LONGEST, safe
from bulk_update.errors import LedgerGone, TooManyFailures
from bulk_update.pure.commands import command, main_job, target
from bulk_update.pure.ledger_lines import RETRY
from bulk_update.pure.names import is_url, public_name
from bulk_update.pure.plural import counted
from bulk_update.pure.shown import format_duration
from bulk_update.pure.tally import MAX_ORGANIZATIONS, Summary

if TYPE_CHECKING:
    from bulk_update.pipeline import Ended

SHOWN: Final = 10
"""Groups of failures that are shown; the ledger has them all."""


_KEPT: Final = (
    "--api-url",
    "--api-key-file",
    "--auth-token-file",
    "--sandbox-faults",
    "--config",
    "--profile",
    "--rate",
    "--organization-rate",
    "--concurrency",
)
"""Options that a retry takes over from the run before."""


def describe_summary(ended: "Ended", again: str | None) -> str:
    """Write the digest of a run."""
    summary = ended.summary
    lines = [_counts(summary), _effort(summary)]
    if summary.outages:
        lines.append(_outages(summary))
    if summary.skipped:
        lines.append(counted(summary.skipped, "row had its", "rows had their") + " result before this run")
    if summary.in_doubt:
        ways = counted(summary.in_doubt, "row was on its way", "rows were on their way")
        lines.append(f"{ways} when a run ended and may have been applied")
    if summary.absent:
        results = counted(summary.absent, "result in the ledger is of a row", "results in the ledger are of rows")
        lines.append(f"{results} that the input no longer has")
    if summary.failures:
        lines += [_heading(summary), *describe_failures(summary.failures)]
    if ended.reason is not None:
        lines.append(f"stopped: {safe(str(ended.reason), LONGEST)}")
    elif not summary.complete:
        lines.append("stopped at --limit; the same command without it goes on from there")
    lines.append(f"ledger: {safe(summary.ledger, LONGEST)}")
    if again is not None:
        lines.append(f"next: {again}")
    return "\n".join(lines)


def next_command(ended: "Ended", words: Sequence[str]) -> str | None:
    """Tell the one command to run next, ready to be copied; None when all is done.

    `words`: those of this run. What names a place to be told of the run, `--ping-url`, is left out: it is a secret.
    """
    summary, words = ended.summary, [_without_secrets(word) for word in _without(words, "--ping-url")]
    if isinstance(ended.reason, TooManyFailures):
        return command(["failures", summary.ledger])
    if isinstance(ended.reason, LedgerGone) and not ended.reason.is_back:
        return None
    if ended.reason is not None:
        return command(words)
    return _next_of_retry(ended, words) if ended.begin.verb == RETRY else _next_of_run(summary, words)


def _next_of_run(summary: Summary, words: Sequence[str]) -> str | None:
    if summary.unsent:
        return command(words)
    if summary.failed or summary.unknown:
        return command(["retry", summary.ledger, *_target_words(words)])
    if summary.invalid:
        return _mend(summary)
    return None if summary.complete else command(_without(words, "--limit"))


def _next_of_retry(ended: "Ended", words: Sequence[str]) -> str | None:
    """Tell what follows a retry. Rows that were lost, or never read, are for the main job: only the input has them."""
    summary, begin = ended.summary, ended.begin
    to = _target_words(words)
    job = main_job(summary.ledger, begin.inputs)
    main = command([*job, *to, *(() if {"--sandbox", "--api-url"} & _names(to) else target(begin.api))])
    if summary.unsent:
        return main
    if summary.failed or summary.unknown:
        return command(["failures", summary.ledger])
    if summary.invalid:
        return _mend(summary)
    return main if ended.is_input_left else None


def _mend(summary: Summary) -> str:
    return f"{command(['failures', summary.ledger])} > mend.ndjson"


def _heading(summary: Summary) -> str:
    """Say whose reasons follow: the ledger may hold more rows than this run has read."""
    told = sum(count for group in summary.failures if isinstance(count := group["count"], int))
    is_more = told > summary.failed + summary.invalid + summary.unknown + summary.superseded
    return "not updated, of all the rows in the ledger:" if is_more else "not updated:"


def _counts(summary: Summary) -> str:
    parts = [f"{summary.updated:,} updated"]
    others = ("failed", "invalid", "unknown", "superseded", "unsent")
    parts += [f"{count:,} {name}" for name in others if (count := getattr(summary, name))]
    return f"{counted(summary.rows, 'row')}: {', '.join(parts)}"


def _effort(summary: Summary) -> str:
    attempts = f" ({counted(summary.attempts, 'attempt')})" if summary.attempts != summary.requests else ""
    return f"{counted(summary.requests, 'request')}{attempts}, {summary.seconds:.1f} s"


def _outages(summary: Summary) -> str:
    """Say how often and how long nothing succeeded, and since when the last time."""
    since = "" if summary.last_outage is None else f"; the last began {summary.last_outage[:19].replace('T', ' ')} UTC"
    times = counted(summary.outages, "outage")
    return f"{times}: nothing succeeded for {format_duration(summary.outage_seconds)}{since}"


def describe_failures(groups: Sequence[Mapping[str, object]]) -> list[str]:
    """List the largest groups of rows that are not updated, a line each."""
    lines = [_describe_group(group) for group in groups[:SHOWN]]
    if len(groups) > SHOWN:
        lines.append(f"  and {counted(len(groups) - SHOWN, 'more reason')}")
    return lines


def _describe_group(group: Mapping[str, object]) -> str:
    such = "such as: " if group["varies"] else ""
    organizations = group["organizations"]
    places = ""
    if isinstance(organizations, int) and organizations > 1:
        places = f"in {counted(organizations, 'organization')}{' or more' * (organizations >= MAX_ORGANIZATIONS)}; "
    source = f" of {safe(str(group['input']))}" if "input" in group else ""
    first = f"first at line {group['first_line']:,}{source}, {safe(str(group['example'])) or 'no id'}"
    message = f"{such}{safe(str(group['message']))}"
    return f"  {group['count']:>7,} {group['status']}: {message} ({group['code']}; {places}{first})"


def _without_secrets(word: str) -> str:
    """Leave out of a URL what may be a secret; that there was more is shown."""
    shown = public_name(word)
    return shown if shown == word or not is_url(word) else f"{shown}?..."


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
