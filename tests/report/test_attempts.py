"""What an attempt came to, from the code and the HTTP status in its line."""

import pytest

from bulk_update.model import RowError
from bulk_update.pure.ledger_lines import RequestLine
from bulk_update.pure.retrying import Trouble
from bulk_update.report.attempts import AttemptOutcome, outcome_of


def line(code: str | None, http: int | None, attempt: int = 1) -> RequestLine:
    error = None if code is None else RowError(code, "why")
    return RequestLine(1, "org-1", 5, attempt, 10.0, "2026-11-23T02:00:00Z", http, error)


@pytest.mark.parametrize(
    ("code", "http", "outcome"),
    [
        (None, 200, AttemptOutcome.VERDICTS),
        (None, None, AttemptOutcome.NO_ANSWER),
        ("RESOURCE_EXHAUSTED", 429, AttemptOutcome.THROTTLED),
        ("RESOURCE_EXHAUSTED", 200, AttemptOutcome.THROTTLED),
        ("throttled", 429, AttemptOutcome.THROTTLED),
        ("INVALID_ARGUMENT", 400, AttemptOutcome.REFUSED),
        ("too_large", 413, AttemptOutcome.REFUSED),
        ("UNAUTHENTICATED", 401, AttemptOutcome.REFUSED),
        ("UNAVAILABLE", 503, AttemptOutcome.SERVER_ERROR),
        ("unreadable", 200, AttemptOutcome.SERVER_ERROR),
        ("timeout", None, AttemptOutcome.NO_ANSWER),
        ("unreached", None, AttemptOutcome.NO_ANSWER),
        ("never heard of", 429, AttemptOutcome.THROTTLED),
        ("never heard of", 500, AttemptOutcome.SERVER_ERROR),
        ("never heard of", 404, AttemptOutcome.REFUSED),
        ("never heard of", None, AttemptOutcome.NO_ANSWER),
    ],
)
def test_an_attempt_comes_to_one_outcome(code: str | None, http: int | None, outcome: AttemptOutcome) -> None:
    assert outcome_of(line(code, http)) is outcome


def test_an_attempt_that_never_left_has_none() -> None:
    assert outcome_of(line("not_sent", None, attempt=0)) is None


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_has_an_outcome(trouble: Trouble) -> None:
    assert outcome_of(line(trouble.value, 500)) not in (None, AttemptOutcome.VERDICTS)
