import pytest

from bulk_update.sandbox.admission import Arrival, Credentials, admit
from bulk_update.sandbox.answers import HTTP, Refused

UPDATE = "/v2/activities/update"
ROUTES = {UPDATE}
JSON = {"content-type": "application/json"}
BOTH = {"x-velt-api-key": "key", "x-velt-auth-token": "token"}
ANYTHING = Credentials()
ONLY = Credentials(api_key="key", auth_token="token")

NO_TOKEN = (400, "INVALID_ARGUMENT", "Auth token is required")
NO_KEY = (400, "INVALID_ARGUMENT", "API key is required")
WRONG = (403, "PERMISSION_DENIED", "Invalid API key.")
UNAUTHORIZED = (401, "UNAUTHENTICATED", "Unauthorized")


def refusal_of(arrival: Arrival, credentials: Credentials) -> tuple[int, str, str]:
    with pytest.raises(Refused) as caught:
        admit(arrival, credentials, ROUTES)
    return HTTP[caught.value.status], caught.value.status, caught.value.message


@pytest.mark.parametrize(
    ("headers", "credentials", "refusal"),
    [
        ({}, ANYTHING, NO_TOKEN),
        ({"x-velt-api-key": "key"}, ANYTHING, NO_TOKEN),
        ({"x-velt-api-key": "key", "x-velt-auth-token": ""}, ANYTHING, NO_TOKEN),
        ({"x-velt-auth-token": "token"}, ANYTHING, NO_KEY),
        ({"x-velt-api-key": "", "x-velt-auth-token": "token"}, ANYTHING, NO_KEY),
        ({"x-velt-api-key": "other", "x-velt-auth-token": "token"}, ONLY, WRONG),
        ({"x-velt-api-key": "key", "x-velt-auth-token": "other"}, ONLY, WRONG),
        ({"x-velt-api-key": "other", "x-velt-auth-token": "token"}, Credentials(api_key="key"), WRONG),
    ],
)
def test_credentials_are_refused(
    headers: dict[str, str], credentials: Credentials, refusal: tuple[int, str, str]
) -> None:
    assert refusal_of(Arrival("POST", UPDATE, headers | JSON, b"{}"), credentials) == refusal


@pytest.mark.parametrize("credentials", [ANYTHING, ONLY, Credentials(auth_token="token")])
def test_credentials_are_accepted(credentials: Credentials) -> None:
    admit(Arrival("POST", UPDATE, BOTH | JSON, b"{}"), credentials, ROUTES)


@pytest.mark.parametrize(
    ("path", "headers", "status", "message"),
    [
        ("/v2/activities/upsert", BOTH, 501, "The sandbox does not emulate /v2/activities/upsert"),
        ("/v2/activities/update/", BOTH, 501, "The sandbox does not emulate /v2/activities/update/"),
        ("/v2/activities/upsert", {}, 401, "Unauthorized"),
        ("/v2/activities/upsert", BOTH | {"x-velt-api-key": "other"}, 401, "Unauthorized"),
        ("/", BOTH, 401, "Unauthorized"),
        ("/api/v2/activities/update", BOTH, 401, "Unauthorized"),
    ],
)
def test_an_unrouted_path(path: str, headers: dict[str, str], status: int, message: str) -> None:
    refusal = refusal_of(Arrival("POST", path, headers | JSON, b"{}"), ONLY)
    assert (refusal[0], refusal[2]) == (status, message)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_content_type_of_json_is_accepted(content_type: str) -> None:
    admit(Arrival("POST", UPDATE, BOTH | {"content-type": content_type}, b"{}"), ANYTHING, ROUTES)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonlines"])
def test_another_content_type_is_refused(content_type: str) -> None:
    arrival = Arrival("POST", UPDATE, BOTH | {"content-type": content_type}, b"{}")
    assert refusal_of(arrival, ANYTHING)[:2] == (400, "INVALID_ARGUMENT")


def test_no_body_needs_no_content_type() -> None:
    admit(Arrival("POST", UPDATE, BOTH, b""), ANYTHING, ROUTES)


def test_another_method_is_refused() -> None:
    refusal = refusal_of(Arrival("GET", UPDATE, BOTH, b""), ANYTHING)
    assert refusal == (400, "INVALID_ARGUMENT", "The method must be POST, not GET")


def test_no_secret_stands_in_a_repr() -> None:
    arrival = Arrival("POST", UPDATE, BOTH, b"")
    assert repr(ONLY) == "Credentials()"
    assert "token" not in repr(arrival)
