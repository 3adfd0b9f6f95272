"""The sandbox over HTTP: requests to `service` and back; the only file here that knows aiohttp."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
from aiohttp import web

from bulk_update.errors import SettingsError
from bulk_update.sandbox.admin import Admin, AdminRequest, is_admin_path
from bulk_update.sandbox.admission import Arrival, Credentials
from bulk_update.sandbox.answers import TOO_LARGE, Refused, Reply, refusal
from bulk_update.sandbox.faults.acts import Delivery
from bulk_update.sandbox.faults.rules import Faults
from bulk_update.sandbox.journal import Statistics
from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.records import Folding
from bulk_update.sandbox.service import Conduct, Service
from bulk_update.sandbox.store import Store
from bulk_update.sandbox.switches import Switches

HOST: Final = "127.0.0.1"
GRACE: Final = 0.5  # seconds that a request under way has when the sandbox closes
_ADMIN_BODY: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Access:
    """Where the sandbox listens, and who may use its admin API.

    `host`: an address of this machine; one that is not loopback needs `allow_remote`. `has_admin`: whether there is
    an admin API, and the page. `reseed`: fills the store again after a reset.
    """

    host: str = HOST
    allow_remote: bool = False
    has_admin: bool = True
    reseed: Callable[[], int] | None = field(default=None, repr=False)


class _Front:
    """Turn HTTP requests into visits, and deliveries into responses."""

    def __init__(self, service: Service, admin: Admin | None) -> None:
        self._service = service
        self._admin = admin

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self._admin is not None and is_admin_path(request.path):
            return await self._administer(self._admin, request)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return await self._turn_away(request, TOO_LARGE)
        except (web.RequestPayloadError, ConnectionError):
            broken = Refused("INVALID_ARGUMENT", "The body broke off, or is not encoded as it says")
            return await self._turn_away(request, refusal(broken))
        arrival = Arrival(request.method, request.path, request.headers, body)
        visit = self._service.receive(arrival, lambda: _is_connected(request))
        is_whole = False
        try:
            if visit.latency:
                await asyncio.sleep(visit.latency)
            delivery = visit.answer()
            # Even without a delay others get their turn: what came at the same time is seen to overlap.
            await asyncio.sleep(delivery.delay)
            response, is_whole = await _send(request, delivery)
            return response
        finally:
            visit.close(is_whole=is_whole)

    async def _turn_away(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        """Answer a request whose body cannot be had."""
        visit = self._service.receive(Arrival(request.method, request.path, request.headers, b""))
        visit.turn_away(reply)
        response, is_whole = await _send(request, Delivery(reply))
        visit.close(is_whole=is_whole)
        return response

    async def _administer(self, admin: Admin, request: web.Request) -> web.StreamResponse:
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > _ADMIN_BODY:
                return web.Response(status=413)
        asked = AdminRequest(request.method, request.path, request.query, request.headers, bytes(body))
        reply = admin.answer(asked)
        headers = dict(reply.headers) | {"Content-Type": reply.content_type}
        if isinstance(reply.body, bytes):
            return web.Response(status=reply.status, body=reply.body, headers=headers)
        return await _stream(request, reply.status, headers, reply.body)


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


async def _send(request: web.Request, delivery: Delivery) -> tuple[web.StreamResponse, bool]:
    """Send a reply as far as it is to go; tell whether all of it went out."""
    reply, transport = delivery.reply, request.transport
    if transport is None or transport.is_closing():
        return web.Response(), False
    if reply is None:
        transport.abort()
        return web.Response(), False
    headers = {"Content-Type": reply.content_type, **dict(reply.headers)}
    if delivery.cut is None:
        response = web.Response(status=reply.status, body=reply.body, headers=headers)
        await response.prepare(request)
        await response.write_eof()
        return response, not transport.is_closing()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    start = f"HTTP/1.1 {reply.status} Cut\r\n{head}Content-Length: {len(reply.body)}\r\n\r\n".encode()
    transport.write(start + reply.body[: int(len(reply.body) * delivery.cut)])
    transport.close()
    return web.Response(), False


async def _stream(
    request: web.Request, status: int, headers: dict[str, str], pieces: Iterable[bytes]
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that is serving. `url`: base of its API, without a slash at the end."""

    url: str
    store: Store
    service: Service = field(repr=False)

    @property
    def statistics(self) -> Statistics:
        """What it has seen until now."""
        return self.service.statistics

    def inject(self, faults: Faults) -> None:
        """Put other fault rules in force."""
        self.service.inject(faults)


@asynccontextmanager
async def open_sandbox(
    store: Store | None = None,
    *,
    port: int = 0,
    api_key: str | None = None,
    auth_token: str | None = None,
    conduct: Conduct | None = None,
    access: Access | None = None,
) -> AsyncIterator[Sandbox]:
    """Serve `store`, or an empty one, until the block ends.

    `port`: 0 takes a free one; raise SettingsError when it cannot be had. `api_key`, `auth_token`: the only
    ones accepted; without them any that are not empty. A store that was given stays open, and folds updates as
    it was made to. No signal is handled here, and no access is logged.
    """
    conduct, access = conduct or Conduct(), access or Access()
    check_host(access)
    with ExitStack() as resources:
        held = store if store is not None else resources.enter_context(store_for(conduct.switches))
        service = Service(Workspace(held, Credentials(api_key, auth_token)), conduct)
        admin = Admin(service, access.host, access.reseed) if access.has_admin else None
        front = _Front(service, admin)
        application = web.Application(client_max_size=conduct.switches.max_bytes)
        application.router.add_route("*", "/{path:.*}", front.answer)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=GRACE)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, access.host, port).start()
            except (OSError, OverflowError) as error:
                raise SettingsError(_explain_listening(access.host, port, error)) from None
            host = f"[{access.host}]" if ":" in access.host else access.host
            yield Sandbox(f"http://{host}:{runner.addresses[0][1]}", held, service)
        finally:
            with anyio.CancelScope(shield=True):
                await runner.cleanup()


def store_for(switches: Switches, path: Path | None = None) -> Store:
    """Open a store whose records change as the switches have it; raise InputError."""
    folding = Folding(merge=switches.update == "merge", clear=switches.null == "clear")
    return Store(path, folding=folding, immutable=switches.immutable == "yes")


def check_host(access: Access) -> None:
    """Raise SettingsError for an address that others can reach, unless that is allowed."""
    try:
        is_loopback = access.host == "localhost" or ipaddress.ip_address(access.host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback and not access.allow_remote:
        raise SettingsError(
            f"--host {access.host}: others could reach the sandbox and the records in it; say --allow-remote if "
            "they may"
        )


def _explain_listening(host: str, port: int, error: Exception) -> str:
    """Say why nothing can listen there, and what to do."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        why = "another program does; choose another --port, or 0 for any that is free"
    elif number == errno.EACCES:
        why = "this user may not; choose a --port above 1023, or 0 for any that is free"
    elif isinstance(error, socket.gaierror) or number == errno.EADDRNOTAVAIL:
        why = "--host is no address of this machine"
    else:
        why = f"{getattr(error, 'strerror', None) or error}; choose another --port or --host"
    return f"the sandbox cannot listen on {host}:{port}: {why}"
