import pytest

from bulk_update.pure.pacing import Rate
from bulk_update.sandbox.admission import Arrival
from bulk_update.sandbox.limits import Limiter, Limits, retry_after
from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.service import Conduct, Service
from bulk_update.sandbox.switches import Switches
from tests.sandbox.requests import HEADERS


def test_no_window_holds_more_than_the_limit() -> None:
    limiter = Limiter(Limits(key=(Rate(3, 1.0),)))
    times = [number / 8 for number in range(32)]
    admitted = [time for time in times if limiter.admit("k", None, time) is None]
    for end in admitted:
        assert sum(end - 1.0 < time <= end for time in admitted) <= 3
    assert len(admitted) == 12


def test_a_second_and_a_minute_hold_at_once_and_each_key_has_its_own() -> None:
    limiter = Limiter(Limits(key=(Rate(2, 1.0), Rate(3, 60.0))))
    assert [limiter.admit("k", None, time) is None for time in (0.0, 0.1, 0.2, 1.2, 5.0, 59.9, 60.0)] == [
        True, True, False, True, False, False, True,
    ]  # fmt: skip
    assert limiter.admit("other", None, 5.0) is None


def test_an_organization_has_its_own_limit() -> None:
    limiter = Limiter(Limits(organization=(Rate(1, 1.0),)))
    assert limiter.admit("k", "a", 0.0) is None
    assert limiter.admit("k", "b", 0.0) is None
    assert limiter.admit("k", "a", 0.25) == 0.75
    assert limiter.admit("k", None, 0.25) is None


@pytest.mark.parametrize(
    ("form", "header"), [("none", ()), ("seconds", "2"), ("date", "Wed, 31 Jul 2024 07:05:22 GMT")]
)
def test_retry_after(form: str, header: object) -> None:
    headers = retry_after(form, 1.5, 1_722_409_519_944)  # type: ignore[arg-type]
    assert headers == (() if form == "none" else (("Retry-After", header),))


def test_a_request_over_the_limit_is_answered_as_the_api_would_and_counted(workspace: Workspace) -> None:
    workspace.store.ensure("o", ["a"])
    now = [0.0]
    conduct = Conduct(Switches(retry_after="seconds"), Limits(key=(Rate(1, 1.0),)))
    service = Service(workspace, conduct, now=lambda: now[0])
    body = b'{"data":{"organizationId":"o","activities":[{"id":"a"}]}}'

    def status(key: str = "key") -> tuple[int, object]:
        visit = service.receive(Arrival("POST", "/v2/activities/update", HEADERS | {"x-velt-api-key": key}, body))
        reply = visit.answer().reply
        visit.close(is_whole=True)
        assert reply is not None
        return reply.status, reply.headers

    assert status() == (200, ())
    assert status() == (429, (("Retry-After", "1"),))
    assert status("other")[0] == 200
    assert service.statistics.manners.over_limit == service.statistics.violations == 1
    assert status("")[0] == 400
    now[0] = 1.0
    assert status()[0] == 200
    assert len(workspace.store.history("o", "a")) == 3
