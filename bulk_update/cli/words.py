"""What a person is told at the end: counts, reasons, and the one command to run next."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bulk_update.cli.streams import LONGEST, safe
from bulk_update.pure.tally import Summary

if TYPE_CHECKING:
    from bulk_update.pipeline import Ended

SHOWN: Final = 10
"""Groups of failures that are shown; the ledger has them all."""


def describe_summary(ended: "Ended", again: str | None) -> str:
    """Write the digest of a run."""
    summary = ended.summary
    lines = [_counts(summary), _effort(summary)]
    if summary.skipped:
        lines.append(f"{summary.skipped:,} of them had their result before this run")
    if summary.in_doubt:
        lines.append(f"{summary.in_doubt:,} rows were on their way when a run ended and may have been applied")
    if summary.absent:
        lines.append(f"{summary.absent:,} results in the ledger are of rows that the input no longer has")
    if summary.failures:
        lines += ["not updated:", *describe_failures(summary.failures)]
    if ended.reason is not None:
        lines.append(f"stopped: {safe(str(ended.reason), LONGEST)}")
    elif not summary.complete:
        lines.append("stopped at --limit; the same command without it goes on from there")
    lines.append(f"ledger: {safe(summary.ledger, LONGEST)}")
    if again is not None:
        lines.append(f"next: {again}")
    return "\n".join(lines)


def next_command(ended: "Ended", words: Sequence[str], *, is_retry: bool) -> str | None:
    """Tell the one command to run next, ready to be copied; None when all is done."""
    summary = ended.summary
    same = shlex.join(["bulk-update", *words])
    ledger = shlex.quote(summary.ledger)
    if ended.reason is not None or (summary.unsent and not is_retry):
        return same
    if summary.failed or summary.unknown:
        if is_retry:
            return f"bulk-update failures {ledger}"
        return shlex.join(["bulk-update", "retry", summary.ledger, *_target_words(words)])
    if summary.invalid:
        return f"bulk-update failures {ledger} > mend.ndjson"
    if not summary.complete and not is_retry:
        return shlex.join(["bulk-update", *_without_limit(words)])
    return None


def _counts(summary: Summary) -> str:
    parts = [f"{summary.updated:,} updated"]
    others = ("failed", "invalid", "unknown", "superseded", "unsent")
    parts += [f"{count:,} {name}" for name in others if (count := getattr(summary, name))]
    return f"{summary.rows:,} rows: {', '.join(parts)}"


def _effort(summary: Summary) -> str:
    attempts = f" ({summary.attempts:,} attempts)" if summary.attempts != summary.requests else ""
    return f"{summary.requests:,} requests{attempts}, {summary.seconds:.1f} s"


def describe_failures(groups: Sequence[Mapping[str, object]]) -> list[str]:
    """List the largest groups of rows that are not updated, a line each."""
    lines = [
        f"  {group['count']:>7,} {group['status']}: {safe(str(group['message']))} "
        f"({group['code']}; first at line {group['first_line']:,}, {safe(str(group['example'])) or 'no id'})"
        for group in groups[:SHOWN]
    ]
    if len(groups) > SHOWN:
        lines.append(f"  and {len(groups) - SHOWN} more reasons")
    return lines


def _target_words(words: Sequence[str]) -> list[str]:
    """Pick the words that say where requests go: a retry must go there, too."""
    picked: list[str] = []
    takes_value = ("--api-url", "--api-key-file", "--auth-token-file", "--sandbox-faults")
    for at, word in enumerate(words):
        if word in takes_value and at + 1 < len(words):
            picked += [word, words[at + 1]]
        elif word == "--sandbox" or word.startswith(tuple(f"{name}=" for name in takes_value)):
            picked.append(word)
    return picked


def _without_limit(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "--limit":
            skip = True
        elif not word.startswith("--limit="):
            kept.append(word)
    return kept
