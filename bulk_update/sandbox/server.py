"""The sandbox on loopback: HTTP to `operations.respond` and back; the only file here that knows aiohttp."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import anyio
from aiohttp import web

from bulk_update.errors import SettingsError
from bulk_update.sandbox.admission import Arrival, Credentials
from bulk_update.sandbox.answers import TOO_LARGE, Refused, Reply, refusal
from bulk_update.sandbox.operations import Workspace, respond
from bulk_update.sandbox.store import Store

HOST: Final = "127.0.0.1"
BODY_LIMIT: Final = 10 * 1024 * 1024  # bytes; inferred: what a cloud function takes
GRACE: Final = 0.5  # seconds that a request under way has when the sandbox closes


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the sandbox has seen so far: counts of HTTP requests, and of the verdicts of updates."""

    requests: int = 0
    """Requests answered, on any path."""
    refused: int = 0
    """Requests among them that were answered with an error."""
    updated: int = 0
    """Verdicts `success: true` of updates."""
    failed: int = 0
    """Verdicts `success: false` of updates."""
    duplicates: int = 0
    """Ids that stood in an update after they had stood in it before: the answer has one place for them."""

    @property
    def violations(self) -> int:
        """How often a client did what no client may do; a correct one leaves this at 0."""
        return self.duplicates

    def counting(self, reply: Reply) -> "Statistics":
        """Return the statistics with one reply more."""
        return Statistics(
            requests=self.requests + 1,
            refused=self.refused + (reply.status != web.HTTPOk.status_code),
            updated=self.updated + reply.updated,
            failed=self.failed + reply.failed,
            duplicates=self.duplicates + reply.duplicates,
        )


class _Service:
    """Turn HTTP requests into arrivals and replies into responses, and count them."""

    def __init__(self, workspace: Workspace) -> None:
        self.statistics = Statistics()
        self._workspace = workspace

    async def answer(self, request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            reply = TOO_LARGE
        except (web.RequestPayloadError, ConnectionError):
            reply = refusal(Refused("INVALID_ARGUMENT", "The body broke off, or is not encoded as it says"))
        else:
            arrival = Arrival(request.method, request.path, request.headers, body)
            # From here to the reply nothing awaits: a request is applied whole, or not at all.
            reply = respond(self._workspace, arrival)
        self.statistics = self.statistics.counting(reply)
        return web.Response(
            status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type}
        )


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that is serving. `url`: base of its API, without a slash at the end."""

    url: str
    store: Store
    _service: _Service

    @property
    def statistics(self) -> Statistics:
        """What it has seen until now."""
        return self._service.statistics


class Stop(Protocol):
    """What ends a sandbox when it is set; anyio.Event and asyncio.Event are such."""

    async def wait(self) -> object:
        """Return when it is set."""


@asynccontextmanager
async def open_sandbox(
    store: Store | None = None,
    *,
    port: int = 0,
    api_key: str | None = None,
    auth_token: str | None = None,
) -> AsyncIterator[Sandbox]:
    """Serve `store`, or an empty one, on loopback until the block ends.

    `port`: 0 takes a free one; raise SettingsError when it cannot be had. `api_key`, `auth_token`: the only
    ones accepted; without them any that are not empty. A store that was given stays open. No signal is
    handled here, and no access is logged.
    """
    with ExitStack() as resources:
        held = store if store is not None else resources.enter_context(Store())
        service = _Service(Workspace(held, Credentials(api_key, auth_token)))
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", service.answer)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=GRACE)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, HOST, port).start()
            except (OSError, OverflowError) as error:
                raise SettingsError(f"the sandbox cannot listen on {HOST}:{port}: {error}") from None
            yield Sandbox(f"http://{HOST}:{runner.addresses[0][1]}", held, service)
        finally:
            with anyio.CancelScope(shield=True):
                await runner.cleanup()


async def run_sandbox(
    port: int,
    seed: Path | None,
    api_key: str | None,
    auth_token: str | None,
    stop: Stop,
    announce: Callable[[str], None],
) -> Statistics:
    """Serve the records of `seed` until `stop`; return what was seen.

    `announce` is told, in a line, when the sandbox listens and where. Raise InputError for the seed,
    SettingsError for the port.
    """
    with Store() as store:
        rows = 0 if seed is None else store.seed_file(seed)
        async with open_sandbox(store, port=port, api_key=api_key, auth_token=auth_token) as sandbox:
            announce(f"sandbox: listening on {sandbox.url}, {rows} records")
            await stop.wait()
            return sandbox.statistics
