"""What an HTTP attempt came to, in the few words that a chart can show."""

from enum import StrEnum
from typing import Final

from bulk_update.pure.ledger_lines import RequestLine
from bulk_update.pure.retrying import Trouble, trouble_of_error


class AttemptOutcome(StrEnum):
    """What an attempt came to; the order is that of the charts."""

    VERDICTS = "with verdicts"
    """The API told of the rows what became of each."""
    THROTTLED = "throttled"
    """The API asked for a lower pace."""
    REFUSED = "refused"
    """The API took the request for wrong, or did not let it in."""
    SERVER_ERROR = "server error"
    """The server failed, or what it answered cannot be read."""
    NO_ANSWER = "no answer"
    """No whole answer came: no connection, broken off, or timed out."""


OUTCOMES: Final = tuple(AttemptOutcome)
ORDER: Final = {outcome: place for place, outcome in enumerate(OUTCOMES)}

_BY_TROUBLE: Final = {
    Trouble.REFUSED: AttemptOutcome.REFUSED,
    Trouble.NO_SUCH_PLACE: AttemptOutcome.REFUSED,
    Trouble.TOO_LARGE: AttemptOutcome.REFUSED,
    Trouble.CREDENTIALS: AttemptOutcome.REFUSED,
    Trouble.NOT_THIS_API: AttemptOutcome.REFUSED,
    Trouble.THROTTLED: AttemptOutcome.THROTTLED,
    Trouble.UNANSWERED: AttemptOutcome.NO_ANSWER,
    Trouble.TIMEOUT: AttemptOutcome.NO_ANSWER,
    Trouble.UNREACHED: AttemptOutcome.NO_ANSWER,
}


def outcome_of(line: RequestLine) -> AttemptOutcome | None:
    """Tell what an attempt came to; None when it never left."""
    if line.attempt < 1:
        return None
    if line.error is None:
        return AttemptOutcome.VERDICTS if line.http is not None else AttemptOutcome.NO_ANSWER
    trouble = trouble_of_error(line.error.code, line.http, line.error.message)
    return _BY_TROUBLE.get(trouble, AttemptOutcome.SERVER_ERROR)
