"""A report for programs: one JSON object."""

from dataclasses import asdict
from typing import Final

from bulk_update.model import Status
from bulk_update.report.advice import steps_of
from bulk_update.report.data import Course, OrganizationFacts, OutageFacts, ReportData, RunFacts, SlowAttempt
from bulk_update.report.figures import moment

_SAID_OTHERWISE: Final = frozenset(
    ("ledger", "inputs", "counts", "outcomes", "courses", "organizations", "slowest", "runs")
)
_NOT_SAID: Final = frozenset(("is_csv", "main_job", "retry"))

_DIGITS: Final = 6


def facts_of(data: ReportData) -> dict[str, object]:
    """Make what JSON can hold; times are ISO 8601 in UTC, durations seconds, latencies milliseconds."""
    rest = {name: value for name, value in asdict(data).items() if name not in _SAID_OTHERWISE | _NOT_SAID}
    reasons = rest.pop("reasons")
    facts: dict[str, object] = {
        "ledger": data.ledger,
        "inputs": list(data.inputs),
        "api": data.last.api,
        "rows": data.rows,
        "counts": _counts(data.counts),
        "unsent": data.unsent,
        "outcomes": {outcome.value: attempts for outcome, attempts in data.outcomes.items() if attempts},
        **rest,
        "outages": _outages(data.outages),
        "seconds": round(data.seconds, 3),
        "at_work": round(data.at_work, 3),
        "failures": reasons,
        "next": [step.command for step in steps_of(data)],
        "organizations": [_organization(organization) for organization in data.organizations],
        "slowest": [_slow(attempt) for attempt in data.slowest],
        "runs": [_run(run) for run in data.runs],
        "courses": [_course(course) for course in data.courses],
    }
    return {name: _rounded(value) for name, value in facts.items()}


def _rounded(value: object) -> object:
    """Leave out the digits that sums of binary fractions bring: 0.30000000000000004 is 0.3."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def _counts(counts: object) -> dict[str, int]:
    assert isinstance(counts, dict)
    return {Status(status).value: rows for status, rows in counts.items() if rows}


def _organization(organization: OrganizationFacts) -> dict[str, object]:
    return {"id": organization.name, **_counts(organization.counts), "attempts": organization.attempts}


def _slow(attempt: SlowAttempt) -> dict[str, object]:
    return asdict(attempt) | {"ended": _time(attempt.ended)}


def _run(run: RunFacts) -> dict[str, object]:
    ended = None if run.ended is None else _time(run.ended)
    rates = [{"time": _time(change.time), "rate": change.rate} for change in run.rates]
    return asdict(run) | {"began": _time(run.began), "ended": ended, "rates": rates, "outages": _outages(run.outages)}


def _outages(outages: OutageFacts) -> dict[str, object]:
    return asdict(outages) | {"last": None if outages.last is None else _time(outages.last)}


def _course(course: Course) -> dict[str, object]:
    return asdict(course) | {"began": _time(course.began)}


def _time(seconds: float) -> str:
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
