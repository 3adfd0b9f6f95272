"""The charts of the page: what each shows of the runs, and what it says in words."""

from collections.abc import Callable, Sequence
from typing import Final

from bulk_update.pure.shown import type_rate
from bulk_update.report import figures
from bulk_update.report.attempts import OUTCOMES
from bulk_update.report.chart import Chart, Segment, Series, draw, lay_out
from bulk_update.report.data import Course, ReportData, Stretch
from bulk_update.report.markup import Markup, join, tag
from bulk_update.report.series import STATUSES


def _allowed(course: Course) -> float | None:
    return course.rate[0] / course.rate[1] if course.rate is not None else None


def _at_once(course: Course) -> float | None:
    return course.concurrency


def _row_count(place: int) -> Callable[[Stretch], float]:
    return lambda stretch: stretch.rows[place]


def _outcome_rate(place: int) -> Callable[[Stretch], float]:
    return lambda stretch: stretch.outcome_rates[place]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _compact(value: float) -> str:
    """Write a count of rows short enough for a scale."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if unit == 'k' else size):.4g}{unit}"
    return f"{value:,.0f}"


THROUGHPUT: Final = Chart(
    "throughput",
    "Requests against the limit",
    "requests a second",
    (
        Series("first attempts", "first", lambda stretch: stretch.first_rate),
        Series("retries", "retry", lambda stretch: stretch.retry_rate),
    ),
    figures.rate,
    _allowed,
)
LATENCY: Final = Chart(
    "latency",
    "Latency",
    "milliseconds",
    (
        Series("p99", "p99", lambda stretch: stretch.latency.p99),
        Series("p90", "p90", lambda stretch: stretch.latency.p90),
        Series("p50", "p50", lambda stretch: stretch.latency.p50),
    ),
    figures.rate,
    as_lines=True,
)
OUTCOME: Final = Chart(
    "outcomes",
    "Attempts by outcome",
    "attempts a second",
    tuple(
        Series(outcome.value, outcome.value.replace(" ", "-"), _outcome_rate(place))
        for place, outcome in enumerate(OUTCOMES)
    ),
    figures.rate,
)
IN_FLIGHT: Final = Chart(
    "in-flight",
    "Requests in flight",
    "at once, on average",
    (Series("in flight", "first", lambda stretch: stretch.in_flight),),
    figures.rate,
    _at_once,
    "--concurrency",
    gap=0.0,
)
ROWS: Final = Chart(
    "settled",
    "Rows with a result",
    "rows so far",
    tuple(Series(status.value, status.value, _row_count(place)) for place, status in enumerate(STATUSES)),
    _compact,
    is_whole=True,
    gap=0.0,
)


def chart_section(data: ReportData) -> Markup:
    """Draw all of them; nothing when no attempt was made."""
    segments = lay_out(data.courses)
    if not segments:
        return tag("p", "No request has been sent yet.", class_="note")
    left_out = data.runs_total - len(segments)
    about = "Times are UTC. Limits are those that a run began with." + (
        f" Shown are {len(segments)} of {data.runs_total:,} runs: those with most attempts." if left_out else ""
    )
    drawn = [
        draw(ROWS, segments, _rows_note(data)),
        draw(THROUGHPUT, segments, _throughput_note(segments)),
        draw(LATENCY, segments, _latency_note(data)),
        draw(OUTCOME, segments, _outcome_note(data)),
        draw(IN_FLIGHT, segments, _in_flight_note(segments)),
    ]
    return join([tag("p", about, class_="note"), *drawn])


def _rows_note(data: ReportData) -> str:
    return f"{figures.having_result(data.settled)}, {figures.share(data.counts[STATUSES[0]], data.settled)} updated."


def _throughput_note(segments: Sequence[Segment]) -> str:
    words = []
    for segment in segments:
        course = segment.course
        most = max(stretch.first_rate + stretch.retry_rate for stretch in course.stretches)
        whose = f"{course.verb} {course.run}: up to" if len(segments) > 1 else "up to"
        allowed = "no limit"
        if course.rate is not None:
            allowed = f"allowed {type_rate(*course.rate)}"
        words.append(f"{whose} {figures.rate(most)} a second ({allowed})")
    text = ", ".join(words)
    return f"{text[:1].upper()}{text[1:]}."


def _latency_note(data: ReportData) -> str:
    latency = data.latency
    if not latency.attempts:
        return "No attempt brought verdicts."
    return (
        f"Of the attempts that brought verdicts half took at most {figures.latency(latency.p50)}, "
        f"90 % {figures.latency(latency.p90)}, "
        f"99 % {figures.latency(latency.p99)}; the slowest {figures.latency(latency.most)}."
    )


def _outcome_note(data: ReportData) -> str:
    words = [
        f"{attempts:,} {outcome.value} ({figures.share(attempts, data.attempts)})"
        for outcome, attempts in data.outcomes.items()
        if attempts
    ]
    return f"{figures.count(data.attempts, 'attempt')}: {', '.join(words)}."


def _in_flight_note(segments: Sequence[Segment]) -> str:
    most = max(stretch.in_flight for segment in segments for stretch in segment.course.stretches)
    return f"Each bar is an average; the highest is {figures.rate(most)} at once."
