"""The admin API, under a prefix that no API of Velt's has: look at the sandbox and change it, without HTTP.

    GET  /_sandbox/                   the page
    GET  /_sandbox/statistics         counts, organizations, faults in force, violations
    GET  /_sandbox/requests           the request log: ?after=NUMBER&limit=N
    GET  /_sandbox/records            ?text=PART-OF-ID&organization=ID&limit=N
    GET  /_sandbox/record             the state and the history of an id: ?organization=ID&id=ID
    GET  /_sandbox/export             every record, as NDJSON that is itself a seed
    POST /_sandbox/seed               NDJSON records in the body
    POST /_sandbox/reset              forget everything; then the seed it was started with is read again
    GET  /_sandbox/faults             the rules in force, the presets, how often each befell a request
    PUT  /_sandbox/faults             rules as JSON, or {"preset": "flaky", "seed": 7}
    DELETE /_sandbox/faults           none

It asks for no credentials: it is for loopback. A page of another site that a browser shows is kept out by its
`Origin` and by the `Host` it asks for. Credentials never stand in an answer.
"""

import ipaddress
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bulk_update.errors import BulkUpdateError
from bulk_update.pure.quantities import parse_whole
from bulk_update.sandbox.answers import JSON
from bulk_update.sandbox.faults.presets import PRESETS, read_faults
from bulk_update.sandbox.faults.rules import NO_FAULTS, Faults, parse_faults
from bulk_update.sandbox.page import page
from bulk_update.sandbox.records import exported
from bulk_update.sandbox.seeds import seed_records
from bulk_update.sandbox.service import Service
from bulk_update.sandbox.store import Store

PREFIX: Final = "/_sandbox"
_SLICE: Final = 1_000
_NDJSON: Final = "application/x-ndjson; charset=utf-8"
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_SAFE: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", _POLICY),
)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """A request under the prefix, its body read."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class AdminReply:
    """What goes back; a body in pieces is streamed."""

    status: int
    body: bytes | Iterable[bytes]
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = _SAFE


class _Preset(msgspec.Struct, forbid_unknown_fields=True):
    preset: str
    seed: int = 0


class _Denied(Exception):
    """A request that is not let in, or makes no sense; with the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def is_admin_path(path: str) -> bool:
    """Tell whether a path is under the prefix."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def export(store: Store) -> Iterator[bytes]:
    """Yield every record as a line of NDJSON; pieces of many lines."""
    after = 0
    while True:
        records, after = store.slice(after, _SLICE)
        if not records:
            return
        yield b"".join([exported(organization, record) + b"\n" for organization, record in records])


class Admin:
    """Answer admin requests about one service. `host`: where it listens. `reseed`: fills the store after a reset."""

    def __init__(self, service: Service, host: str, reseed: Callable[[], int] | None = None) -> None:
        self._service = service
        self._is_for_loopback = _is_loopback(host)
        self._reseed = reseed
        self._routes: Mapping[tuple[str, str], Callable[[AdminRequest], AdminReply]] = {
            ("GET", ""): lambda _: AdminReply(200, page(), "text/html; charset=utf-8"),
            ("GET", "statistics"): self._statistics,
            ("GET", "requests"): self._requests,
            ("GET", "records"): self._records,
            ("GET", "record"): self._record,
            ("GET", "export"): lambda _: AdminReply(200, export(service.workspace.store), _NDJSON),
            ("POST", "seed"): self._seed,
            ("POST", "reset"): self._reset,
            ("GET", "faults"): self._faults,
            ("PUT", "faults"): self._put_faults,
            ("DELETE", "faults"): self._put_faults,
        }

    def answer(self, request: AdminRequest) -> AdminReply:
        """Answer a request, whatever it is."""
        try:
            self._let_in(request)
            reply = self._route(request)(request)
        except _Denied as denied:
            reply = _said(denied.status, {"error": str(denied)})
        except BulkUpdateError as error:
            reply = _said(400, {"error": str(error)})
        return reply if not isinstance(reply.body, bytes) else self._without_secrets(reply, reply.body)

    def _route(self, request: AdminRequest) -> Callable[[AdminRequest], AdminReply]:
        name = request.path.removeprefix(PREFIX).strip("/")
        route = self._routes.get((request.method, name))
        if route is None:
            is_known = any(name == path for _, path in self._routes)
            raise _Denied(405 if is_known else 404, f"There is no {request.method} {PREFIX}/{name}")
        return route

    def _let_in(self, request: AdminRequest) -> None:
        """Keep out pages of other sites that a browser on this machine shows."""
        host = request.headers.get("Host", "")
        if self._is_for_loopback and not _is_loopback(urlsplit(f"//{host}").hostname or ""):
            raise _Denied(403, "The admin API is for this machine alone: ask for it by a loopback address")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise _Denied(403, "The admin API is not for pages of other sites")

    def _without_secrets(self, reply: AdminReply, body: bytes) -> AdminReply:
        credentials = self._service.workspace.credentials
        for secret in (credentials.api_key, credentials.auth_token, *self._service.manners.secrets):
            if secret:
                body = body.replace(json.dumps(secret)[1:-1].encode(), b"[credential]")
        return AdminReply(reply.status, body, reply.content_type, reply.headers)

    # ----------------------------------------------------------------------------------- looking

    def _statistics(self, _: AdminRequest) -> AdminReply:
        service = self._service
        statistics = service.statistics
        return _said(
            200,
            {
                "records": service.workspace.store.count(),
                "organizations": service.workspace.store.organizations(),
                "statistics": asdict(statistics) | {"violations": statistics.violations},
                "violations": [asdict(each) for each in service.manners.examples],
                "faults": service.chooser.faults.name or ("rules" if service.chooser.faults.rules else ""),
                "limits": {
                    "key": [f"{rate.limit} in {rate.period:g} s" for rate in service.limits.key],
                    "organization": [f"{rate.limit} in {rate.period:g} s" for rate in service.limits.organization],
                },
                "switches": asdict(service.workspace.switches),
            },
        )

    def _requests(self, request: AdminRequest) -> AdminReply:
        after, limit = _whole(request, "after", 0), _whole(request, "limit", 200)
        entries = self._service.journal.latest(after, limit)
        return _said(200, {"requests": [asdict(entry) for entry in entries]})

    def _records(self, request: AdminRequest) -> AdminReply:
        found = self._service.workspace.store.search(
            request.query.get("text", ""),
            request.query.get("organization") or None,
            limit=_whole(request, "limit", 100),
        )
        records = [{"organization": organization, "id": id, "updates": updates} for organization, id, updates in found]
        return _said(200, {"records": records})

    def _record(self, request: AdminRequest) -> AdminReply:
        organization, id = request.query.get("organization", ""), request.query.get("id", "")
        store = self._service.workspace.store
        record, events = store.record(organization, id), store.events(organization, id)
        if record is None and not events:
            raise _Denied(404, "There is no such record, and never was")
        history = [
            {"kind": event.kind, "request": event.request, "time": event.time, "body": _raw(event.body)}
            for event in events
        ]
        return _said(200, {"record": _raw(record), "history": history})

    def _faults(self, _: AdminRequest) -> AdminReply:
        chooser = self._service.chooser
        return _said(200, {"faults": chooser.faults, "hits": dict(chooser.hits), "presets": PRESETS})

    # ---------------------------------------------------------------------------------- changing

    def _seed(self, request: AdminRequest) -> AdminReply:
        records = seed_records("the body", request.body.split(b"\n"))
        return _said(200, {"records": self._service.workspace.store.seed(records)})

    def _reset(self, _: AdminRequest) -> AdminReply:
        self._service.reset()
        return _said(200, {"records": self._reseed() if self._reseed is not None else 0})

    def _put_faults(self, request: AdminRequest) -> AdminReply:
        self._service.inject(_read_faults(request))
        return self._faults(request)


def _read_faults(request: AdminRequest) -> Faults:
    if request.method == "DELETE" or not request.body.strip():
        return NO_FAULTS
    try:
        chosen = msgspec.json.decode(request.body, type=_Preset)
    except msgspec.DecodeError:
        return parse_faults(request.body)
    # A file of rules may be named on the command line alone: nobody reads files through the admin API.
    if not set(chosen.preset.split("+")) <= PRESETS.keys():
        raise _Denied(400, f"found no preset {chosen.preset!r}, expected {', '.join(PRESETS)}")
    return read_faults(chosen.preset, chosen.seed)


def _raw(text: bytes | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text)


def _said(status: int, value: object) -> AdminReply:
    return AdminReply(status, _encode(value))


def _whole(request: AdminRequest, name: str, default: int) -> int:
    return parse_whole(request.query[name], 0, 10**12) if name in request.query else default


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
