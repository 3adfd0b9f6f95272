"""The head of the page: how it stands, what to run next, and the figures that matter."""

from typing import Final

from bulk_update.model import Status
from bulk_update.report import figures
from bulk_update.report.advice import remarks_of, steps_of
from bulk_update.report.attempts import AttemptOutcome
from bulk_update.report.chart import swatch
from bulk_update.report.data import ReportData
from bulk_update.report.markup import NOTHING, Markup, join, tag

UNSENT: Final = "unsent"
MEANINGS: Final[dict[str, str]] = {
    Status.UPDATED: "the API said so for this id",
    Status.FAILED: "the API refused it",
    Status.INVALID: "never sent: the record is wrong",
    Status.UNKNOWN: "sent, and no answer tells",
    Status.SUPERSEDED: "a later row of the same id has said it all",
    UNSENT: "read, and without a result yet",
}
SIGNS: Final[dict[str, str]] = {
    Status.UPDATED: "✓",
    Status.FAILED: "✕",
    Status.INVALID: "!",
    Status.UNKNOWN: "?",
    Status.SUPERSEDED: "↷",
    UNSENT: "…",
}
"""A sign each, so that no meaning hangs on a colour alone."""


def header(data: ReportData) -> Markup:
    """Say whose report it is and how it stands, in one sentence."""
    first, last = data.runs[0], data.last
    sign, state = ("!", "amiss") if data.is_amiss else ("…", "open") if data.is_open else ("✓", "well")
    until = f"to {figures.stamp(last.ended)} UTC" if last.ended is not None else "UTC, no end yet"
    inputs = join(_comma_separated([tag("bdi", name) for name in data.inputs]))
    lines = [tag("p", _rest(data), class_="rest")] if _rest(data) else []
    return tag(
        "header",
        tag("p", "bulk-update report", class_="kicker"),
        tag("h1", tag("span", sign, class_="sign", aria_hidden="true"), _verdict(data)),
        *lines,
        tag(
            "dl",
            _fact("Input", inputs),
            _fact("API", tag("bdi", last.api)),
            _fact("Ledger", tag("bdi", data.ledger)),
            _fact("Runs", f"{data.runs_total:,}, from {figures.stamp(first.began)} {until}"),
            class_="facts",
        ),
        class_=state,
    )


def _verdict(data: ReportData) -> str:
    updated, superseded = data.counts[Status.UPDATED], data.counts[Status.SUPERSEDED]
    so_far = " so far" if data.is_open else ""
    if updated == data.rows:
        if not data.rows:
            return "No row has a result yet"
        every = figures.count(data.rows, "row")
        return f"{every} updated so far" if data.is_open else f"All done: {every} updated"
    if updated + superseded == data.rows:
        return f"{figures.count(updated, 'row')} updated{so_far}, {superseded:,} superseded"
    if data.unsent is None:  # of how many nobody knows
        return f"{figures.count(updated, 'row')} updated so far"
    return f"{updated:,} of {figures.count(data.rows, 'row')} updated{so_far}"


def _rest(data: ReportData) -> str:
    """Say what is amiss."""
    counts, last = data.counts, data.last
    said = [
        (counts[Status.FAILED], "failed"),
        (counts[Status.INVALID], "invalid"),
        (counts[Status.UNKNOWN], "of unknown fate"),
        (data.unsent or 0, "unsent"),
    ]
    words = [", ".join(f"{rows:,} {name}" for rows, name in said if rows)]
    if last.ended is None:
        words.append("the last run has not recorded its end")
    elif not data.complete:
        words.append("the input was not read to its end")
    words += remarks_of(data)
    text = "; ".join(word for word in words if word)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def next_section(data: ReportData) -> Markup:
    """Tell what to run next; a click selects a whole command."""
    steps = steps_of(data)
    if not steps:
        return tag("p", "Nothing is left to do.", class_="note")
    return tag(
        "ol",
        join(
            tag("li", tag("p", f"This {step.reason}:"), tag("pre", tag("code", step.command, tabindex=0)))
            for step in steps
        ),
        class_="steps",
    )


def rows_section(data: ReportData) -> Markup:
    """Show the rows by what became of them, as a bar and as a list."""
    counts: list[tuple[str, int]] = [*data.counts.items(), (UNSENT, data.unsent or 0)]
    shown = [(status, rows) for status, rows in counts if rows]
    bars, left = list[Markup](), 0.0
    for status, rows in shown:
        width = 100 * rows / data.rows
        bars.append(tag("rect", class_=f"f-{status}", x=f"{left:.2f}%", width=f"{width:.2f}%", height=22))
        left += width
    items = [
        tag(
            "li",
            swatch(status),
            tag("b", f"{rows:,}"),
            tag("span", f"{SIGNS[status]} {status}", class_="name"),
            tag("span", figures.share(rows, data.rows), class_="share"),
            tag("span", MEANINGS[status], class_="meaning"),
        )
        for status, rows in shown
    ]
    bar = tag("svg", join(bars), width="100%", height=22, class_="whole", aria_hidden="true")
    return join([bar if shown else NOTHING, tag("ul", join(items), class_="statuses")])


def tiles_section(data: ReportData) -> Markup:
    """Show the figures that matter at a glance."""
    latency, throttled = data.latency, data.outcomes[AttemptOutcome.THROTTLED]
    pace = data.settled / data.at_work if data.at_work else 0.0
    tiles = [
        ("Time at work", figures.duration(data.at_work), f"{figures.rate(pace)} rows a second" if pace else ""),
        ("Attempts", f"{data.attempts:,}", f"{figures.count(data.requests, 'request')} answered"),
        (
            "Retries",
            f"{data.retries:,}",
            f"{figures.count(throttled, 'attempt')} throttled" if throttled else "none throttled",
        ),
        ("Median latency", figures.latency(latency.p50), f"99 %: {figures.latency(latency.p99)}"),
    ]
    return tag("dl", join(_tile(*tile) for tile in tiles), class_="tiles")


def _tile(name: str, value: str, aside: str) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value, class_="value"), tag("dd", aside))


def _fact(name: str, value: str) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value))


def _comma_separated(parts: list[Markup]) -> list[Markup]:
    return [part for each in parts for part in (each, Markup(", "))][:-1]
