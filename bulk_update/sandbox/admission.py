"""Whether a request gets as far as its body: route, credentials, method, content type. Pure.

The order, first failure first, and where each answer is from:

    body over the cap                   413, HTML                               inferred
    a path outside /v2/                 401 UNAUTHENTICATED, always             inferred from several pages
    no token                            400 INVALID_ARGUMENT                    documented
    no key                              400 INVALID_ARGUMENT                    inferred: as the token
    wrong key or token                  403 PERMISSION_DENIED                   documented
    an unrouted path under /v2/         501 UNIMPLEMENTED, 401 if not let in    the sandbox's own choice
    not POST, or not application/json   400 INVALID_ARGUMENT                    inferred: as a callable
    what the body says                  see `answers`

An empty header is a missing one.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from bulk_update.sandbox.answers import Refused


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is accepted; None accepts anything that is not empty."""

    api_key: str | None = field(default=None, repr=False)
    auth_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came. `headers` is to be asked in any case of letters. `number`: from 1; 0 is no number."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    number: int = 0


def admit(arrival: Arrival, credentials: Credentials, routes: Container[str]) -> None:
    """Let a request through to its endpoint; raise Refused."""
    refused = _refused_credentials(arrival.headers, credentials)
    if arrival.path not in routes:
        if refused or not arrival.path.startswith("/v2/"):
            raise Refused("UNAUTHENTICATED", "Unauthorized")
        raise Refused("UNIMPLEMENTED", f"The sandbox does not emulate {arrival.path}")
    if refused:
        raise refused
    if arrival.method != "POST":
        raise Refused("INVALID_ARGUMENT", f"The method must be POST, not {arrival.method}")
    content_type = arrival.headers.get("content-type", "").partition(";")[0].strip().lower()
    if arrival.body and content_type != "application/json":
        raise Refused("INVALID_ARGUMENT", "The content-type must be application/json")


def _refused_credentials(headers: Mapping[str, str], credentials: Credentials) -> Refused | None:
    api_key, auth_token = headers.get("x-velt-api-key"), headers.get("x-velt-auth-token")
    if not auth_token:
        return Refused("INVALID_ARGUMENT", "Auth token is required")
    if not api_key:
        return Refused("INVALID_ARGUMENT", "API key is required")
    if credentials.api_key not in {None, api_key} or credentials.auth_token not in {None, auth_token}:
        return Refused("PERMISSION_DENIED", "Invalid API key.")
    return None
