"""A report for a terminal."""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from bulk_update.model import Status
from bulk_update.pure.formats import place_of
from bulk_update.pure.plural import counted
from bulk_update.pure.shown import printable, type_rate
from bulk_update.pure.wrapping import wrapped
from bulk_update.report import figures
from bulk_update.report.advice import remarks_of, steps_of
from bulk_update.report.data import Course, Reason, ReportData, RunFacts
from bulk_update.report.latency import Percentiles

SHOWN: Final = 10
"""Reasons, organizations, requests and runs that are shown; the page and --json have more."""

_HANGING: Final = 4
"""Columns by which a line is indented that goes on with the one before."""

_NAME: Final = 60
_MESSAGE: Final = 200
_STOPPED: Final = 500
"""Letters of why a run stopped: what to do stands at the end."""

_SPARKS: Final = {True: "▁▂▃▄▅▆▇█", False: "_.-=+*#@"}
_SPARK_WIDTH: Final = 60


def describe(data: ReportData, *, is_unicode: bool = True, columns: int | None = None) -> str:
    """Write the report; `is_unicode`: it may hold letters beyond ASCII that draw a line.

    `columns`: of the terminal, None without one.
    """
    parts = [
        _head(data),
        _rows(data),
        _requests(data, is_unicode=is_unicode),
        _reasons(data, columns),
        _organizations(data),
        _slowest(data),
        _settings(data),
        _runs(data, columns),
    ]
    fitting = [[short for line in part for short in wrapped(line, columns, _HANGING)] for part in parts if part]
    return "\n\n".join("\n".join(part) for part in [*fitting, _next(data, columns)])


def _head(data: ReportData) -> list[str]:
    first, last = data.runs[0], data.last
    until = f"to {figures.stamp(last.ended)} UTC" if last.ended is not None else "UTC, no end yet"
    names = ", ".join(printable(name, _NAME) for name in data.inputs)
    return [
        f"{printable(data.ledger)}: {names} to {printable(last.api)}",
        f"{figures.count(data.runs_total, 'run')}, {figures.stamp(first.began)} {until}",
    ]


def _rows(data: ReportData) -> list[str]:
    counts = [*data.counts.items(), ("unsent", data.unsent or 0)]
    said = ", ".join(f"{rows:,} {status}" for status, rows in counts if rows)
    updated = data.counts[Status.UPDATED]
    is_known = data.unsent is not None
    share = f" ({figures.share(updated, data.rows)} updated)" if is_known and 0 < updated < data.rows else ""
    rows = figures.count(data.rows, "row") if is_known or not said else figures.having_result(data.settled)
    lines = [f"{rows}: {said or 'none has a result'}{share}"]
    lines += [f"  {remark}" for remark in remarks_of(data)]
    return [*lines, "the input was read to its end" if data.complete else "the input was not read to its end"]


def _requests(data: ReportData, *, is_unicode: bool) -> list[str]:
    retries = f", {counted(data.retries, 'of them a retry', 'of them retries')}" if data.retries else ""
    effort = f"{data.requests:,} answered, {figures.count(data.attempts, 'attempt')}{retries}"
    lines = [f"requests: {effort}, in {figures.duration(data.at_work)}"]
    if not data.attempts:
        return lines
    lines += _columns(
        [
            [f"{attempts:,}", outcome.value, figures.share(attempts, data.attempts)]
            for outcome, attempts in data.outcomes.items()
            if attempts
        ],
        right=(0, 2),
    )
    if data.latency.attempts:
        lines.append(f"  latency of verdicts: {_percentiles(data.latency)}")
    lines += [_sparkline(course, is_unicode=is_unicode) for course in data.courses]
    return lines


def _percentiles(latency: Percentiles) -> str:
    named = (("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("longest", latency.most))
    return ", ".join(f"{name} {figures.latency(value)}" for name, value in named)


def _sparkline(course: Course, *, is_unicode: bool) -> str:
    """Draw requests over time in one line."""
    rates = [stretch.first_rate + stretch.retry_rate for stretch in course.stretches]
    factor = -(-len(rates) // _SPARK_WIDTH)
    rates = [max(rates[at : at + factor]) for at in range(0, len(rates), factor)]
    most, sparks = max(rates), _SPARKS[is_unicode]
    line = "".join(sparks[round(value / most * (len(sparks) - 1))] if most else sparks[0] for value in rates)
    allowed = "" if course.rate is None else f" of {type_rate(*course.rate)} allowed"
    return f"  run {course.run} {line} up to {figures.rate(most)}/s{allowed}"


def _reasons(data: ReportData, columns: int | None) -> list[str]:
    if not data.reasons:
        return []
    cells = [_reason(reason, data.inputs) for reason in data.reasons[:SHOWN]]
    lines = ["not updated:", *_columns(cells, columns=columns)]
    left = len(data.reasons[SHOWN:]) + data.reasons_left
    if left:
        lines.append(f"  and {figures.count(left, 'more reason')}")
    if data.reasons_outdated:
        lines.append("  (some of these rows have been updated since: there were too many to follow each)")
    return lines


def _reason(reason: Reason, inputs: Sequence[str]) -> list[str]:
    place = place_of(reason.first_line, reason.input or next(iter(inputs), ""))
    source = "" if reason.input is None else f" of {printable(reason.input, _NAME)}"
    where = f"first at {place}{source}, {printable(reason.example, _NAME) or 'no id'}"
    if reason.organizations and reason.organizations > 1:
        where = f"in {figures.count(reason.organizations, 'organization')}; {where}"
    such = "such as: " if reason.varies else ""
    text = f"{such}{printable(reason.message, _MESSAGE)} ({printable(reason.code, _NAME)}; {where})"
    return [f"{reason.count:,}", reason.status.value, text]


def _organizations(data: ReportData) -> list[str]:
    amiss = [organization for organization in data.organizations if organization.amiss]
    if not amiss:
        return []
    least = "more than " if data.is_rough else ""
    total = f"{least}{data.organizations_total:,}"
    cells = [
        [f"{each.amiss:,}", f"of {figures.count(each.rows, 'row')}", _name(each.name, "no organization")]
        for each in amiss[:SHOWN]
    ]
    return [f"by organization, of {total}:", *_columns(cells, right=(0, 1))]


def _slowest(data: ReportData) -> list[str]:
    cells = [
        [
            figures.latency(each.milliseconds),
            f"request {each.request}",
            f"attempt {each.attempt}",
            f"{each.outcome.value}{f' {each.http}' if each.http is not None else ''}",
            figures.count(each.activities, "row"),
            _name(each.organization, ""),
        ]
        for each in data.slowest[:5]
    ]
    return ["slowest attempts:", *_columns(cells)] if cells else []


def _settings(data: ReportData) -> list[str]:
    cells = [
        [
            printable(setting.name, _NAME),
            printable(setting.value, _NAME),
            printable(setting.source, _NAME),
            f"before: {printable(setting.before, _NAME)}" if setting.before else "",
        ]
        for setting in data.settings
    ]
    return ["settings of the latest run:", *_columns(cells, right=())] if cells else []


def _runs(data: ReportData, columns: int | None) -> list[str]:
    shown = data.runs[-SHOWN:]
    cells = [
        [
            str(run.number),
            printable(run.verb, 10),
            figures.stamp(run.began),
            figures.duration(run.seconds),
            figures.count(run.settled, "result"),
            figures.count(run.attempts, "attempt"),
            _how_it_ended(run, data.last),
        ]
        for run in shown
    ]
    more = f" (the latest {len(shown)} of {data.runs_total:,})" if data.runs_total > len(shown) else ""
    return [f"runs{more}:", *_columns(cells, (0, 3, 4, 5), columns), *(line for run in shown for line in _rates(run))]


def _rates(run: RunFacts) -> list[str]:
    return [
        f"  run {run.number}: the rate was {printable(change.rate, _NAME)} from {figures.stamp(change.time)} on"
        for change in run.rates
    ]


def _how_it_ended(run: RunFacts, last: RunFacts) -> str:
    """Say how a run ended, in a few words; they are safe to be shown."""
    if run.ended is None:
        return "no end: still going, or killed" if run.number == last.number else "no end: killed"
    return f"exit {run.exit}" + (f": {printable(run.stopped, _STOPPED)}" if run.stopped else "")


def _next(data: ReportData, columns: int | None) -> list[str]:
    """Say what to run next; a command is never parted, since it may be copied."""
    steps = steps_of(data)
    if not steps:
        return ["next: nothing is left to do"]
    lines = ([f"  {step.command}", *wrapped(f"    {step.reason}", columns, _HANGING)] for step in steps)
    return ["next:", *chain.from_iterable(lines)]


def _name(name: str | None, otherwise: str) -> str:
    return printable(name, _NAME) if name else otherwise


def _columns(rows: Sequence[Sequence[str]], right: Sequence[int] = (0,), columns: int | None = None) -> list[str]:
    """Align cells under each other, to the left but for those (from 0) in `right`.

    The last cell of a row hangs under itself where the terminal has too few `columns` for it.
    """
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "  "
        + "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    hanging = sum(width + 2 for width in widths[:-1]) + 2
    return [short for line in lines for short in wrapped(line, columns, hanging)]
