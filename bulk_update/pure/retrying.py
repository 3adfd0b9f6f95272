"""What follows when a request does not succeed: one table, and the arithmetic of waiting.

The table is DESIGN section 4. `error.status` (google.rpc) decides first and the HTTP number second, as
API.md tells; what the network did decides where there was no answer.
"""

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, Protocol


class Trouble(StrEnum):
    """What went wrong with one attempt; the values stand in the ledger as error codes."""

    REFUSED = "refused"
    """The whole request was refused; nothing was applied."""
    NO_SUCH_PLACE = "no_such_place"
    """The organization does not exist, or the API does not know the call."""
    TOO_LARGE = "too_large"
    CREDENTIALS = "credentials"
    NOT_THIS_API = "not_this_api"
    """An answer that no Velt API gives: a redirect, a login page, a path that is not routed."""
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    """The server said that it could not serve the request now."""
    SERVER_ERROR = "server_error"
    """The server failed; what it had applied by then is not known."""
    UNREADABLE = "unreadable"
    """An answer came, and it cannot be read, or is another request's."""
    WEB_PAGE = "web_page"
    """A page came, for people, as if all were well: of a login, a proxy, a front end."""
    UNANSWERED = "unanswered"
    """The request left, and no whole answer came."""
    TIMEOUT = "timeout"
    UNREACHED = "unreached"
    """No connection could be made: nothing left."""


class Step(StrEnum):
    """What is done next with the batch."""

    RETRY = "retry"
    """Send it again, later."""
    SPLIT = "split"
    """Halve it until the rows at fault stand alone; a row that is refused alone has failed."""
    STOP = "stop"
    """End the run: no row is at fault."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows a trouble.

    `may_be_applied`: some of the request's changes may stand in the API all the same.
    `counts`: it counts as one of `--max-attempts`, where the API answers others meanwhile.
    `pushback`: the server asks for a lower pace; any other answer with Retry-After asks so, too.
    `at_first`: what is done instead while no request of the run has succeeded.
    """

    step: Step
    may_be_applied: bool
    counts: bool = True
    pushback: bool = False
    at_first: Step | None = None


POLICIES: Final[dict[Trouble, Policy]] = {
    Trouble.REFUSED: Policy(Step.SPLIT, may_be_applied=False),
    Trouble.NO_SUCH_PLACE: Policy(Step.SPLIT, may_be_applied=False),
    Trouble.TOO_LARGE: Policy(Step.SPLIT, may_be_applied=False),
    Trouble.CREDENTIALS: Policy(Step.STOP, may_be_applied=False),
    Trouble.NOT_THIS_API: Policy(Step.RETRY, may_be_applied=False, at_first=Step.STOP),
    Trouble.THROTTLED: Policy(Step.RETRY, may_be_applied=False, counts=False, pushback=True),
    Trouble.UNAVAILABLE: Policy(Step.RETRY, may_be_applied=True),
    Trouble.SERVER_ERROR: Policy(Step.RETRY, may_be_applied=True),
    Trouble.UNREADABLE: Policy(Step.RETRY, may_be_applied=True),
    Trouble.WEB_PAGE: Policy(Step.RETRY, may_be_applied=True, at_first=Step.STOP),
    Trouble.UNANSWERED: Policy(Step.RETRY, may_be_applied=True),
    Trouble.TIMEOUT: Policy(Step.RETRY, may_be_applied=True),
    Trouble.UNREACHED: Policy(Step.RETRY, may_be_applied=False, counts=False),
}
"""DESIGN section 4, a row each."""

_BY_STATUS: Final[dict[str, Trouble]] = {
    "INVALID_ARGUMENT": Trouble.REFUSED,
    "FAILED_PRECONDITION": Trouble.REFUSED,
    "OUT_OF_RANGE": Trouble.REFUSED,
    "NOT_FOUND": Trouble.NO_SUCH_PLACE,
    "ALREADY_EXISTS": Trouble.REFUSED,
    "UNIMPLEMENTED": Trouble.NO_SUCH_PLACE,
    "UNAUTHENTICATED": Trouble.CREDENTIALS,
    "PERMISSION_DENIED": Trouble.CREDENTIALS,
    "ABORTED": Trouble.SERVER_ERROR,
    "CANCELLED": Trouble.SERVER_ERROR,
    "INTERNAL": Trouble.SERVER_ERROR,
    "UNKNOWN": Trouble.SERVER_ERROR,
    "DATA_LOSS": Trouble.SERVER_ERROR,
    "DEADLINE_EXCEEDED": Trouble.SERVER_ERROR,
    "UNAVAILABLE": Trouble.UNAVAILABLE,
    "RESOURCE_EXHAUSTED": Trouble.THROTTLED,
}

_BY_HTTP: Final[dict[int, Trouble]] = {
    401: Trouble.CREDENTIALS,
    403: Trouble.CREDENTIALS,
    404: Trouble.NOT_THIS_API,
    405: Trouble.NOT_THIS_API,
    407: Trouble.NOT_THIS_API,
    408: Trouble.SERVER_ERROR,
    410: Trouble.NOT_THIS_API,
    413: Trouble.TOO_LARGE,
    425: Trouble.UNAVAILABLE,
    429: Trouble.THROTTLED,
    499: Trouble.SERVER_ERROR,
    503: Trouble.UNAVAILABLE,
}
"""Answers without a google.rpc status come from what stands before the API."""

_TROUBLES: Final = frozenset(Trouble)

_READ: Final = 2_000
"""Characters of a message that are looked at."""

_QUOTED: Final = re.compile(r'"[^"]*(?:"|$)|`[^`]*(?:`|$)|\{+[^}]*(?:\}+|$)|(?<!\w)\'[^\']*\'(?!\w)')
_BARE_NAME: Final = re.compile(r"[\"'`](x-velt-)?(api[ -]?key|auth[ -]?token)[\"'`]", re.IGNORECASE)

_CREDENTIAL_WORDS: Final = re.compile(
    r"\b(invalid|missing|expired|unknown|wrong|no)\b.{0,20}\b(api[ -]?key|auth[ -]?token)"
    r"|\b(api[ -]?key|auth[ -]?token)\b.{0,20}\b(required|invalid|missing|expired|not)\b",
    re.IGNORECASE,
)


def _without_quotes(message: str) -> str:
    """Leave out what a message repeats of a row, but for the bare names of credentials: those are no row's."""
    return _QUOTED.sub(lambda quoted: quoted[0] if _BARE_NAME.fullmatch(quoted[0]) else "…", message)


def trouble_of_status(status: str, http: int, message: str) -> Trouble:
    """Classify a failure by its google.rpc `status` ("" where there is none), then by the HTTP number.

    INVALID_ARGUMENT whose message speaks of the token or the key is about credentials (API.md).
    """
    known = _BY_STATUS.get(status)
    if known is Trouble.REFUSED and _CREDENTIAL_WORDS.search(_without_quotes(message[:_READ])[:200]):
        return Trouble.CREDENTIALS
    if known is not None:
        return known
    if http in _BY_HTTP:
        return _BY_HTTP[http]
    if 300 <= http < 400:
        return Trouble.NOT_THIS_API
    if 400 <= http < 500:
        return Trouble.REFUSED
    return Trouble.SERVER_ERROR if http >= 500 else Trouble.UNREADABLE


def trouble_of_error(code: str, http: int | None, message: str) -> Trouble:
    """Find the trouble behind the error of a `request` line: its code is a google.rpc status, or the trouble's name."""
    if code in _TROUBLES:
        return Trouble(code)
    return Trouble.UNANSWERED if http is None else trouble_of_status(code, http, message)


def is_answer(trouble: Trouble | None, activities: int) -> bool:
    """Tell whether an attempt brought its request's answer: verdicts, or a refusal that is final for its rows.

    What is tried again was not answered; what is split is answered in its parts.
    """
    if trouble is None:
        return True
    step = POLICIES[trouble].step
    return step is Step.SPLIT and activities == 1


class Chance(Protocol):
    """Draw numbers: `random.Random` is one."""

    def random(self) -> float:
        """Draw a number from 0 up to, not including, 1."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting between attempts with full jitter: evenly drawn from 0 to a bound that doubles.

    `base` and `cap` are seconds.
    """

    base: float = 0.5
    cap: float = 30.0

    def delay(self, failures: int, chance: Chance) -> float:
        """Draw the seconds to wait after so many failures in a row (from 1)."""
        bound = min(self.cap, self.base * 2.0 ** min(failures - 1, 30))
        return bound * chance.random()


@dataclass(frozen=True, slots=True)
class Fault:
    """An attempt that brought no answer. `message` says what the network did, without secrets."""

    trouble: Trouble
    message: str


class Health:
    """Tell an outage from a batch that fails by itself.

    While nothing succeeds, failing is nobody's fault: after `tolerated` failures in a row it is an outage.
    A failure counts against a batch only when some request has succeeded since the batch first failed. A
    server that throttles is there: that is no outage, however often it happens; but nothing succeeds.
    Times are seconds of a clock that never goes back.
    """

    def __init__(self, tolerated: int = 5) -> None:
        self._tolerated = tolerated
        self._failures = 0
        self.successes = 0
        """Requests that got an answer about their rows, so far."""
        self.failing_since: float | None = None
        """When the first of the failures in a row was seen, None after a success."""
        self.why = ""
        """What went wrong last, in short."""
        self._answered: set[str] = set()
        """Organizations of which a request succeeded: two of them, to know of one another."""
        self._failing: set[str] = set()
        """Organizations that failed since the last success: two of them, to know whether it is one alone."""

    @property
    def only_failing(self) -> str | None:
        """Name the one organization that fails, where no other does and another has been answered; else None."""
        if len(self._failing) != 1 or not self._answered - self._failing:
            return None
        return next(iter(self._failing))

    @property
    def is_outage(self) -> bool:
        """Tell whether nothing succeeds any more."""
        return self._failures >= self._tolerated

    def succeeded(self, organization: str = "") -> None:
        """Note that the API answered for the rows of a request."""
        _keep_two(self._answered, organization)
        self._failing.clear()
        self.successes += 1
        self._failures = 0
        self.failing_since = None

    def failed(self, now: float, why: str = "", *, organization: str = "", is_throttled: bool = False) -> None:
        """Note that an attempt failed in a way that is about no row, and why."""
        _keep_two(self._failing, organization)
        self.why = why
        self._failures += not is_throttled
        if self.failing_since is None:
            self.failing_since = now


def _keep_two(names: set[str], name: str) -> None:
    if len(names) < 2:
        names.add(name)


class RetryBudget:
    """Keep retries to a share of the traffic, so that a storm of them cannot feed itself.

    Each request earns `share` of a retry, up to `most` saved; `trickle` retries a second are always free. One that is
    answered costs nothing: it feeds no storm.
    """

    def __init__(self, share: float = 0.2, most: float = 20.0, trickle: float = 1.0) -> None:
        self._share = share
        self._most = most
        self._trickle = trickle
        self._saved = most
        self._seen = 0.0

    def earn(self) -> None:
        """Note that a request goes out for the first time."""
        self._saved = min(self._most, self._saved + self._share)

    def give_back(self) -> None:
        """Note that a retry was answered."""
        self._saved = min(self._most, self._saved + 1)

    def spend(self, now: float) -> float:
        """Take a retry; return 0 when there is one, else the seconds after which to ask again."""
        self._saved = min(self._most, self._saved + max(0.0, now - self._seen) * self._trickle)
        self._seen = now
        if self._saved >= 1:
            self._saved -= 1
            return 0.0
        return (1 - self._saved) / self._trickle


def parse_retry_after(value: str | None, now: float, cap: float = 300.0) -> float:
    """Read Retry-After, seconds or a date, as seconds to wait: from 0 to `cap`; 0 when it makes no sense.

    `now`: seconds since 1970. Source: RFC 9110, section 10.2.3.
    """
    if value is None:
        return 0.0
    text = value.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), cap)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return 0.0
    if date.tzinfo is None:  # asctime's form, which is in GMT, too
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, date.timestamp() - now), cap)
