import itertools
import random
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from http import HTTPStatus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_update.pure.retrying import (
    POLICIES,
    Backoff,
    Health,
    Policy,
    RetryBudget,
    Step,
    Trouble,
    parse_retry_after,
    trouble_of_status,
)

# ------------------------------------------------------------------------------------------------ the table

# Of each trouble: what is done, whether some of the request may stand in the API all the same, and whether it
# counts as one of --max-attempts.
TABLE = {
    Trouble.REFUSED: (Step.SPLIT, False, True),
    Trouble.NO_SUCH_PLACE: (Step.SPLIT, False, True),
    Trouble.TOO_LARGE: (Step.SPLIT, False, True),
    Trouble.CREDENTIALS: (Step.STOP, False, True),
    Trouble.NOT_THIS_API: (Step.RETRY, False, True),
    Trouble.THROTTLED: (Step.RETRY, False, False),
    Trouble.UNAVAILABLE: (Step.RETRY, True, True),
    Trouble.SERVER_ERROR: (Step.RETRY, True, True),
    Trouble.UNREADABLE: (Step.RETRY, True, True),
    Trouble.WEB_PAGE: (Step.RETRY, True, True),
    Trouble.UNANSWERED: (Step.RETRY, True, True),
    Trouble.TIMEOUT: (Step.RETRY, True, True),
    Trouble.UNREACHED: (Step.RETRY, False, False),
}


@pytest.mark.parametrize("trouble", Trouble)
def test_each_trouble_has_its_policy(trouble: Trouble) -> None:
    policy = POLICIES[trouble]
    assert (policy.step, policy.may_be_applied, policy.counts) == TABLE[trouble]
    assert policy.pushback == (trouble is Trouble.THROTTLED)
    stops_at_first = trouble in (Trouble.WEB_PAGE, Trouble.NOT_THIS_API)
    assert policy.at_first == (Step.STOP if stops_at_first else None)


def test_only_a_request_that_was_answered_with_a_refusal_or_never_left_is_surely_not_applied() -> None:
    surely_not = {trouble for trouble, policy in POLICIES.items() if not policy.may_be_applied}
    assert surely_not == {
        Trouble.REFUSED,
        Trouble.NO_SUCH_PLACE,
        Trouble.TOO_LARGE,
        Trouble.CREDENTIALS,
        Trouble.NOT_THIS_API,
        Trouble.THROTTLED,
        Trouble.UNREACHED,
    }


def test_what_is_not_told_counts_and_asks_for_no_lower_pace() -> None:
    assert Policy(Step.RETRY, may_be_applied=True) == Policy(Step.RETRY, True, True, False, None)


# API.md, "Statuses (google.rpc -> HTTP) and what each means here", row by row.
STATUSES = [
    ("INVALID_ARGUMENT", 400, Trouble.REFUSED),
    ("FAILED_PRECONDITION", 400, Trouble.REFUSED),
    ("OUT_OF_RANGE", 400, Trouble.REFUSED),
    ("UNAUTHENTICATED", 401, Trouble.CREDENTIALS),
    ("PERMISSION_DENIED", 403, Trouble.CREDENTIALS),
    ("NOT_FOUND", 404, Trouble.NO_SUCH_PLACE),
    ("ALREADY_EXISTS", 409, Trouble.REFUSED),
    ("ABORTED", 409, Trouble.SERVER_ERROR),
    ("", 413, Trouble.TOO_LARGE),
    ("RESOURCE_EXHAUSTED", 429, Trouble.THROTTLED),
    ("CANCELLED", 499, Trouble.SERVER_ERROR),
    ("INTERNAL", 500, Trouble.SERVER_ERROR),
    ("UNKNOWN", 500, Trouble.SERVER_ERROR),
    ("DATA_LOSS", 500, Trouble.SERVER_ERROR),
    ("UNIMPLEMENTED", 501, Trouble.NO_SUCH_PLACE),
    ("UNAVAILABLE", 503, Trouble.UNAVAILABLE),
    ("DEADLINE_EXCEEDED", 504, Trouble.SERVER_ERROR),
]


@pytest.mark.parametrize(("status", "http", "trouble"), STATUSES)
def test_a_status_means_what_the_table_of_the_api_says(status: str, http: int, trouble: Trouble) -> None:
    assert trouble_of_status(status, http, "The reason.") is trouble


@pytest.mark.parametrize(("status", "http", "trouble"), [row for row in STATUSES if row[0]])
@pytest.mark.parametrize("other", [200, 302, 400, 403, 413, 429, 500, 503])
def test_the_status_decides_first_and_the_http_number_second(
    status: str, http: int, trouble: Trouble, other: int
) -> None:
    assert trouble_of_status(status, other, "") is trouble


@pytest.mark.parametrize(
    ("http", "trouble"),
    [
        (301, Trouble.NOT_THIS_API),
        (302, Trouble.NOT_THIS_API),
        (307, Trouble.NOT_THIS_API),
        (400, Trouble.REFUSED),
        (401, Trouble.CREDENTIALS),
        (403, Trouble.CREDENTIALS),
        (404, Trouble.NOT_THIS_API),
        (405, Trouble.NOT_THIS_API),
        (407, Trouble.NOT_THIS_API),
        (408, Trouble.SERVER_ERROR),
        (409, Trouble.REFUSED),
        (410, Trouble.NOT_THIS_API),
        (413, Trouble.TOO_LARGE),
        (422, Trouble.REFUSED),
        (425, Trouble.UNAVAILABLE),
        (429, Trouble.THROTTLED),
        (499, Trouble.SERVER_ERROR),
        (500, Trouble.SERVER_ERROR),
        (502, Trouble.SERVER_ERROR),
        (503, Trouble.UNAVAILABLE),
        (504, Trouble.SERVER_ERROR),
        (520, Trouble.SERVER_ERROR),
        (201, Trouble.UNREADABLE),
        (204, Trouble.UNREADABLE),
    ],
)
@pytest.mark.parametrize("status", ["", "OK", "SOMETHING_NEW", "internal"])
def test_without_a_status_that_is_known_the_http_number_decides(status: str, http: int, trouble: Trouble) -> None:
    assert trouble_of_status(status, http, "") is trouble


@pytest.mark.parametrize("http", [*range(200, 600), 0, 100, 999])
def test_no_http_number_is_a_success_or_unknown_to_the_table(http: int) -> None:
    trouble = trouble_of_status("", http, "")
    assert trouble in POLICIES
    if http >= HTTPStatus.INTERNAL_SERVER_ERROR:
        assert POLICIES[trouble].step is Step.RETRY, "an outage is no row's fault"


@pytest.mark.parametrize(
    "message",
    [
        "Auth token is required",
        "auth token is required.",
        "Invalid API key.",
        "Invalid auth token",
        "Missing api-key",
        "The API key is not valid",
        "Auth-token expired",
        "header x-velt-auth-token is missing",
        "header x-velt-api-key is required",
        "it's an invalid API key, isn't it",
        'Invalid API key "k".',
        "Missing header 'x-velt-api-key'",
        'Invalid "x-velt-auth-token"',
        "Invalid `apiKey`",
    ],
)
def test_an_invalid_argument_about_credentials_is_no_rows_fault(message: str) -> None:
    assert trouble_of_status("INVALID_ARGUMENT", 400, message) is Trouble.CREDENTIALS
    assert trouble_of_status("NOT_FOUND", 404, message) is Trouble.NO_SUCH_PLACE
    assert trouble_of_status("INTERNAL", 500, message) is Trouble.SERVER_ERROR


@pytest.mark.parametrize(
    "message",
    [
        "",
        "activities[3].id is required",
        "changes must be an object",
        "apiKey and organizationId do not belong together",
        "organizationId is required",
        "Invalid value for entityData: the key is unknown",
        "x" * 200 + " invalid api key",
        'id "api-key-7" is not valid',
        "displayMessageTemplate: unknown variable {{api key}}",
        "no such template `the auth token`",
        'displayMessageTemplate: "The user says: ' + 60 * "x" + " your API key is invalid, please " + 200 * "x" + '"',
        "entityData: 'missing api key' cannot be stored",
    ],
)
def test_an_invalid_argument_about_a_row_is_a_refusal(message: str) -> None:
    assert trouble_of_status("INVALID_ARGUMENT", 400, message) is Trouble.REFUSED


# ----------------------------------------------------------------------------------------------- Retry-After

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)


def wait(value: str | None, cap: float = 300.0) -> float:
    return parse_retry_after(value, NOW.timestamp(), cap)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("0", 0),
        ("7", 7),
        (" 7\t", 7),
        ("007", 7),
        ("1.5", 1.5),
        ("300", 300),
        ("301", 300),
        ("3600", 300),
        ("9999999999", 300),
        ("9" * 5000, 300),
        ("9" * 400 + ".5", 300),
    ],
)
def test_seconds_are_waited_up_to_the_cap(value: str | None, seconds: float) -> None:
    assert wait(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "-5",
        "+5",
        "1e3",
        "nan",
        "inf",
        "0x10",
        "1,5",
        "5 seconds",
        "5;",
        ".5",
        "5.",
        "٣",
        "soon",
        "Fri, 31 Feb 2025 00:00:00 GMT",
        "Sat, 01 Mar 2025 25:00:00 GMT",
        "Sat, 01 Mar 2025 12:00:00 +9999999999",
        "Sat, 01 Mar 2025 12:00:00 +" + "9" * 20,
        "Sat, 01 Mar 2025 12:00:00 -" + "9" * 400,
        "Sat, 01 Mar " + "9" * 5000 + " 12:00:00 GMT",
        "\x00",
        "é" * 1000,
    ],
)
def test_what_makes_no_sense_is_no_wait(value: str) -> None:
    assert wait(value) == 0


@pytest.mark.parametrize("seconds", [0, 1, 59, 300])
def test_a_date_is_waited_for(seconds: int) -> None:
    then = NOW + timedelta(seconds=seconds)
    assert wait(format_datetime(then, usegmt=True)) == seconds
    assert wait(format_datetime(then.astimezone(timezone(timedelta(hours=5, minutes=30))))) == seconds


def test_a_date_is_capped_and_one_that_is_over_is_no_wait() -> None:
    assert wait("Sun, 02 Mar 2025 12:00:00 GMT") == 300
    assert wait("Sun, 02 Mar 2025 12:00:00 GMT", cap=10) == 10
    assert wait("Fri, 31 Dec 9999 23:59:59 GMT") == 300
    assert wait("Sat, 01 Mar 2025 11:59:59 GMT") == 0
    assert wait("Mon, 01 Jan 0001 00:00:00 GMT") == 0


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize(
    "value",
    [
        "Sat, 01 Mar 2025 12:01:00 GMT",
        "Saturday, 01-Mar-25 12:01:00 GMT",
        "Sat Mar  1 12:01:00 2025",
        "Sat, 01 Mar 2025 12:01:00 -0000",
    ],
)
def test_a_date_in_any_form_of_http_is_in_gmt_wherever_the_program_runs(
    value: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        assert wait(value) == 60
    time.tzset()


@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,6} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{1,9} [-+A-Z0-9]{1,9}"),
    st.floats(0, 1e10),
    st.floats(0, 1e6),
)
@example("Mon, 01 Jan 0001 00:00:00", 0.0, 300.0)
@example("Fri, 31 Dec 9999 23:59:59 -2359", 0.0, 300.0)
def test_any_header_is_a_wait_from_nothing_to_the_cap(value: str, now: float, cap: float) -> None:
    assert 0 <= parse_retry_after(value, now, cap) <= cap


# ------------------------------------------------------------------------------------------------- waiting


class Fixed:
    """Draw always the same number."""

    def __init__(self, number: float) -> None:
        self._number = number

    def random(self) -> float:
        return self._number


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 30), (8, 30), (10_000, 30)]
)
def test_waiting_is_drawn_from_nothing_to_a_bound_that_doubles(failures: int, bound: float) -> None:
    backoff = Backoff(base=0.5, cap=30)
    assert backoff.delay(failures, Fixed(0.0)) == 0
    assert backoff.delay(failures, Fixed(0.5)) == bound / 2
    assert backoff.delay(failures, Fixed(1.0)) == bound


def test_waiting_is_spread_evenly() -> None:
    chance = random.Random(1)
    delays = [Backoff(base=4, cap=30).delay(1, chance) for _ in range(4000)]
    quarters = [sum(low <= delay < low + 1 for delay in delays) for low in range(4)]
    assert all(900 < quarter < 1100 for quarter in quarters)


@given(st.integers(1, 10**9), st.floats(1e-3, 1e3), st.floats(1e-3, 1e5), st.integers())
def test_waiting_is_never_beyond_the_cap(failures: int, base: float, cap: float, seed: int) -> None:
    assert 0 <= Backoff(base, cap).delay(failures, random.Random(seed)) <= cap


# -------------------------------------------------------------------------------------------------- health


def test_an_outage_is_when_nothing_succeeds_any_more() -> None:
    health = Health(tolerated=3)
    for now in (10.0, 11.0):
        health.failed(now)
        assert not health.is_outage
    health.failed(12.0)
    assert health.is_outage
    assert health.failing_since == 10
    health.succeeded()
    told: tuple[object, ...] = (health.is_outage, health.failing_since, health.successes)
    assert told == (False, None, 1)


def test_failures_among_successes_are_no_outage() -> None:
    health = Health(tolerated=2)
    for now in range(100):
        health.failed(float(now))
        assert not health.is_outage
        health.succeeded()
    assert health.successes == 100


def test_a_server_that_throttles_is_there_but_nothing_succeeds() -> None:
    health = Health(tolerated=2)
    for now in range(5, 100):
        health.failed(float(now), is_throttled=True)
    assert not health.is_outage
    assert health.failing_since == 5


# ------------------------------------------------------------------------------------------ budget of retries


def test_retries_are_a_share_of_the_traffic() -> None:
    budget = RetryBudget(share=0.2, most=2, trickle=0.001)
    assert [budget.spend(0.0) for _ in range(2)] == [0, 0]
    assert budget.spend(0.0) > 0
    for _ in range(5):
        budget.earn()
    assert budget.spend(0.0) == 0
    assert budget.spend(0.0) > 0


def test_no_more_is_saved_than_the_most() -> None:
    budget = RetryBudget(share=0.5, most=3, trickle=1)
    for _ in range(100):
        budget.earn()
    assert [budget.spend(1e9) == 0 for _ in range(4)] == [True, True, True, False]


def test_some_retries_are_always_free_and_the_wait_for_them_is_told() -> None:
    budget = RetryBudget(share=0, most=1, trickle=0.5)
    now, times = 100.0, list[float]()
    while len(times) < 20:
        delay = budget.spend(now)
        if delay == 0:
            times.append(now)
        assert delay <= 2
        now += delay
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [pytest.approx(2)] * 19


def test_a_clock_that_stands_still_or_goes_back_gives_nothing_away() -> None:
    budget = RetryBudget(share=0, most=1, trickle=1)
    assert budget.spend(100.0) == 0
    assert budget.spend(100.0) == 1
    assert budget.spend(50.0) == 1


def test_a_retry_that_is_answered_costs_nothing() -> None:
    budget = RetryBudget(share=0, most=2, trickle=0.001)
    for _ in range(100):
        assert budget.spend(0) == 0
        budget.give_back()
    assert [budget.spend(0), budget.spend(0)] == [0, 0]
    assert budget.spend(0) > 0
