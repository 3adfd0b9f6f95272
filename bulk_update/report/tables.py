"""The tables of the page: reasons, organizations, slow requests, runs and settings."""

from collections.abc import Sequence

from bulk_update.model import Status
from bulk_update.pure.formats import place_of
from bulk_update.pure.shown import printable
from bulk_update.report import figures
from bulk_update.report.data import OrganizationFacts, RateChange, Reason, ReportData, RunFacts, SlowAttempt
from bulk_update.report.markup import LONGEST, NOTHING, Column, Markup, join, table, tag
from bulk_update.report.overview import SIGNS

_FIGURE = "figure"
_SHOWN_ID = 120
_SHOWN_CODE = 60
_SHOWN_STOP = 320
_AT_ONCE = 160
"""Characters of a message that are shown before it is opened."""


def reasons_section(data: ReportData) -> Markup:
    """List why rows are not updated."""
    if not data.reasons:
        return tag("p", "No row has failed, is invalid or of unknown fate.", class_="note")
    most = max(reason.count for reason in data.reasons)
    columns = [Column("rows", _FIGURE), Column("what"), Column("why", "wide"), Column("first", "id")]
    notes = []
    if data.reasons_left:
        notes.append(f"{figures.count(data.reasons_left, 'more reason')}: bulk-update failures lists every row.")
    if data.reasons_outdated:
        notes.append("Some of the rows counted here have been updated since: there were too many to follow each.")
    return join(
        [
            table(
                "Rows that are not updated, by reason",
                columns,
                [_reason(each, most, data.inputs) for each in data.reasons],
                is_cards=True,
            ),
            *(tag("p", note, class_="note") for note in notes),
        ]
    )


def _reason(reason: Reason, most: int, inputs: Sequence[str]) -> Sequence[str]:
    place = place_of(reason.first_line, reason.input or next(iter(inputs), ""))
    places = "" if reason.input is None else f" of {printable(reason.input, _SHOWN_CODE)}"
    if reason.organizations and reason.organizations > 1:
        places += f", in {figures.count(reason.organizations, 'organization')}"
    such = "such as: " if reason.varies else ""
    return (
        _measured(reason.count, most, reason.status),
        _status(reason.status),
        join(
            [
                _message(such + reason.message),
                tag("code", printable(reason.code, _SHOWN_CODE)),
            ]
        ),
        join([tag("span", f"{place}{places}"), _identifier(reason.example)]),
    )


def organizations_section(data: ReportData) -> Markup:
    """List the organizations, those with most rows amiss first."""
    if not data.organizations:
        return tag("p", "No row has a result yet.", class_="note")
    most = max(each.amiss for each in data.organizations)
    columns = [
        Column("organization", "wide"),
        Column("not updated", _FIGURE),
        *(
            Column(status.value, _FIGURE)
            for status in Status
            if any(each.counts[status] for each in data.organizations)
        ),
        Column("attempts", _FIGURE),
    ]
    shown, total = len(data.organizations), data.organizations_total
    note = f"{figures.count(total, 'organization')}" + (f"; shown are {shown}" if total > shown else "") + "."
    if data.is_rough:
        note = f"More than {total:,} organizations: too many to count each exactly, so these are lower bounds."
    rows = [_organization(each, most, columns) for each in data.organizations]
    return join([table("Rows by organization", columns, rows, is_cards=True), tag("p", note, class_="note")])


def _organization(each: OrganizationFacts, most: int, columns: Sequence[Column]) -> Sequence[str]:
    name = tag("bdi", printable(each.name, _SHOWN_ID)) if each.name else tag("i", "none named")
    shown = {column.name for column in columns}
    counts = [f"{rows:,}" for status, rows in each.counts.items() if status.value in shown]
    return name, _measured(each.amiss, most, Status.FAILED), *counts, f"{each.attempts:,}"


def slowest_section(data: ReportData) -> Markup:
    """List the attempts that took longest."""
    if not data.slowest:
        return tag("p", "No request has been sent yet.", class_="note")
    columns = [
        Column("took", _FIGURE),
        Column("outcome", "wide"),
        Column("request", _FIGURE),
        Column("attempt", _FIGURE),
        Column("rows", _FIGURE),
        Column("organization", "id"),
        Column("ended (UTC)"),
    ]
    most = max(attempt.milliseconds for attempt in data.slowest)
    return table("The slowest attempts", columns, [_slow(attempt, most) for attempt in data.slowest], is_cards=True)


def _slow(attempt: SlowAttempt, most: float) -> Sequence[str]:
    took = join([tag("span", figures.latency(attempt.milliseconds)), bar(attempt.milliseconds, most, "first")])
    http = f" (HTTP {attempt.http})" if attempt.http is not None else ""
    why = _message(attempt.message, " small") if attempt.message else NOTHING
    return (
        took,
        join([tag("span", f"{attempt.outcome}{http}"), why]),
        f"{attempt.request}",
        f"{attempt.attempt}",
        f"{attempt.activities:,}",
        _identifier(attempt.organization),
        figures.stamp(attempt.ended),
    )


def runs_section(data: ReportData) -> Markup:
    """List every run on the ledger."""
    columns = [
        Column("run", _FIGURE),
        Column("verb"),
        Column("began (UTC)"),
        Column("took", _FIGURE),
        Column("results", _FIGURE),
        Column("attempts", _FIGURE),
        Column("end", "wide"),
    ]
    left = data.runs_total - len(data.runs)
    note = (
        tag("p", f"{figures.count(left, 'run')} after the first are left out here.", class_="note") if left else NOTHING
    )
    return join([table("Runs", columns, [_run(run, data.last) for run in data.runs], is_cards=True), note])


def _run(run: RunFacts, last: RunFacts) -> Sequence[str]:
    return (
        f"{run.number}",
        run.verb,
        figures.stamp(run.began),
        figures.duration(run.seconds),
        f"{run.settled:,}",
        f"{run.attempts:,}",
        join([_end(run, last), *(_rate(change) for change in run.rates)]),
    )


def _rate(change: RateChange) -> Markup:
    words = f"the rate was {printable(change.rate, _SHOWN_CODE)} from {figures.stamp(change.time)} on"
    return tag("bdi", words, class_="message small")


def _end(run: RunFacts, last: RunFacts) -> Markup:
    if run.ended is None:
        # A ledger has one run at a time: only the last can still be at work.
        return tag("span", "no end recorded: " + ("still going, or killed" if run.number == last.number else "killed"))
    meanings = {0: "every row is updated", 1: "finished; some rows are not updated", 3: "stopped early"}
    meaning = meanings.get(run.exit or 0, "interrupted" if (run.exit or 0) > 128 else "")  # noqa: PLR2004 - a signal
    said = printable(run.stopped, _SHOWN_STOP) if run.stopped else meaning
    return join([tag("b", f"exit {run.exit}"), Markup(" "), tag("bdi", said, class_="message small")])


def settings_section(data: ReportData) -> Markup:
    """List the settings of the latest run, with where each came from if the ledger tells."""
    has_source = any(setting.source for setting in data.settings)
    has_before = any(setting.before for setting in data.settings)
    columns = [Column("setting"), Column("value", "id")]
    columns += [Column("from")] * has_source + [Column("before")] * has_before
    rows = []
    for setting in data.settings:
        cells: list[str] = [tag("code", printable(setting.name, _SHOWN_CODE)), tag("bdi", setting.value)]
        cells += [setting.source] * has_source + [tag("bdi", setting.before)] * has_before
        rows.append(cells)
    return join(
        [
            table("Settings of the latest run", columns, rows),
            tag("p", f"Recorded by bulk-update {data.last.version}; the ledger holds no secret.", class_="note"),
        ]
    )


def bar(value: float, most: float, kind: str) -> Markup:
    """Draw how much a value is of the most; the figure stands beside it."""
    width = f"{100 * value / most if most else 0:.1f}%"
    return tag("svg", tag("rect", class_=f"t-{kind}", width=width, height=5, rx=1), class_="bar", aria_hidden="true")


def _message(text: str, kind: str = "") -> Markup:
    """Show a message; of a long one the beginning, and the whole when it is opened."""
    shown = printable(text, LONGEST)
    if len(shown) <= _AT_ONCE:
        return tag("bdi", shown, class_=f"message{kind}")
    short = tag("bdi", printable(text, _AT_ONCE), class_=f"message{kind}")
    return tag("details", tag("summary", short), tag("bdi", shown, class_=f"message{kind}"), class_="more")


def _measured(count: int, most: int, status: Status) -> Markup:
    return join([tag("span", f"{count:,}"), bar(count, most, status)])


def _status(status: Status) -> Markup:
    return tag("span", f"{SIGNS[status]} {status}", class_=f"status s-{status}")


def _identifier(text: str) -> Markup:
    return tag("bdi", printable(text, _SHOWN_ID), class_="identifier") if text else NOTHING
