"""What a person is told at the end: counts, reasons, and what to run next."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bulk_update.cli.next_step import NextStep
from bulk_update.cli.streams import LONGEST, safe
from bulk_update.errors import InputBroken
from bulk_update.pure.failure_groups import MAX_ORGANIZATIONS
from bulk_update.pure.formats import place_of
from bulk_update.pure.plural import counted
from bulk_update.pure.shown import format_duration
from bulk_update.pure.tally import Summary
from bulk_update.pure.wrapping import wrapped

if TYPE_CHECKING:
    from bulk_update.pipeline import Ended

_HANGING: Final = len("  1234567 ")

SHOWN: Final = 10
"""Groups of failures that are shown; the ledger has them all."""


def describe_summary(ended: "Ended", following: NextStep | None, columns: int | None = None) -> str:
    """Write the digest of a run. `following`: what to run next. `columns`: of the terminal, None without one."""
    summary = ended.summary
    lines = [_counts(summary), _effort(summary), *_asides(summary), *_waiting(ended)]
    lines = [part for line in lines for part in wrapped(line, columns)]
    if summary.failures:
        lines += [_heading(summary), *describe_failures(summary.failures, ended.begin.inputs, columns)]
    if ended.reason is not None:
        lines += wrapped(f"stopped: {safe(str(ended.reason), LONGEST)}", columns, len("stopped: "))
    elif not summary.complete:
        lines.append("stopped at --limit; the same command without it goes on from there")
    # What may be copied is never parted.
    lines.append(f"ledger: {safe(summary.ledger, LONGEST)}")
    if following is not None:
        if isinstance(ended.reason, InputBroken):
            lines.append("first mend the input: it would break off at the same place")
        if following.listing:
            mended = counted(summary.invalid, "invalid row")
            lines.append(f"first mend {mended} in the input; to list {_them(summary.invalid)}: {following.listing}")
        lines.append(f"next: {following.command}")
    return "\n".join(lines)


def _asides(summary: Summary) -> list[str]:
    """Say what counts alone do not tell, a line each."""
    lines = []
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
    return lines


def _waiting(ended: "Ended") -> list[str]:
    """Say which rows a retry has left out."""
    if not ended.waiting:
        return []
    rows = counted(ended.waiting, "row was", "rows were")
    return [f"{rows} not sent again: only the main job can tell the order of these changes and others"]


def describe_briefly(ended: "Ended") -> str:
    """Write what nobody goes without, in a line: the counts, why the run stopped, and where the ledger is."""
    summary = ended.summary
    stopped = "" if ended.reason is None else f"; stopped: {safe(str(ended.reason), LONGEST)}"
    return f"{_counts(summary)}; ledger: {safe(summary.ledger, LONGEST)}{stopped}"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


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


def describe_failures(
    groups: Sequence[Mapping[str, object]], inputs: Sequence[str], columns: int | None = None
) -> list[str]:
    """List the largest groups of rows that are not updated, a line each unless `columns` are too few.

    `inputs`: their names. `columns`: of the terminal, None without one.
    """
    lines = [line for group in groups[:SHOWN] for line in wrapped(_describe_group(group, inputs), columns, _HANGING)]
    if len(groups) > SHOWN:
        lines.append(f"  and {counted(len(groups) - SHOWN, 'more reason')}")
    return lines


def _describe_group(group: Mapping[str, object], inputs: Sequence[str]) -> str:
    such = "such as: " if group["varies"] else ""
    organizations = group["organizations"]
    places = ""
    if isinstance(organizations, int) and organizations > 1:
        places = f"in {counted(organizations, 'organization')}{' or more' * (organizations >= MAX_ORGANIZATIONS)}; "
    source = f" of {safe(str(group['input']))}" if "input" in group else ""
    place = place_of(int(str(group["first_line"])), str(group.get("input") or next(iter(inputs), "")))
    first = f"first at {place}{source}, {safe(str(group['example'])) or 'no id'}"
    message = f"{such}{safe(str(group['message']))}"
    return f"  {group['count']:>7,} {group['status']}: {message} ({group['code']}; {places}{first})"
