"""A sandbox in a thread of its own: for tests of code that is not async, or runs its own event loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import msgspec
from anyio.from_thread import BlockingPortal, start_blocking_portal

from bulk_update.sandbox.admin import export
from bulk_update.sandbox.faults.presets import read_faults
from bulk_update.sandbox.faults.rules import NO_FAULTS, Faults
from bulk_update.sandbox.journal import Entry, Statistics
from bulk_update.sandbox.records import Event, seed_record
from bulk_update.sandbox.running import Setup, client_environment, start
from bulk_update.sandbox.server import Sandbox

T = TypeVar("T")


class BackgroundSandbox:
    """A sandbox to use from any thread. Make it with `sandbox_in_background`.

    `environment`: what a client reads: VELT_API_URL, VELT_API_KEY, VELT_AUTH_TOKEN.
    """

    def __init__(self, portal: BlockingPortal, sandbox: Sandbox, setup: Setup) -> None:
        self._portal = portal
        self._sandbox = sandbox
        self.url = sandbox.url
        self.api_key = setup.api_key or "sandbox-key"
        self.auth_token = setup.auth_token or "sandbox-token"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client reads from its environment to find the sandbox."""
        return client_environment(self.url, self.api_key, self.auth_token)

    @property
    def statistics(self) -> Statistics:
        """What it has seen until now."""
        return self._call(lambda: self._sandbox.statistics)

    @property
    def requests(self) -> Sequence[Entry]:
        """The latest requests, the first one first."""
        return self._call(lambda: list(reversed(self._sandbox.service.journal.latest())))

    def seed(self, records: Iterable[Mapping[str, object]]) -> int:
        """Put records, each with its `organizationId` and `id`; return how many there were. Raise ValueError."""
        lines = [seed_record(msgspec.json.encode(record)) for record in records]
        return self._call(partial(self._sandbox.store.seed, lines))

    def record(self, organization: str, id: str) -> dict[str, object] | None:
        """Return a record as `get` would, or None."""
        body = self._call(partial(self._sandbox.store.record, organization, id))
        return None if body is None else msgspec.json.decode(body, type=dict[str, object])

    def history(self, organization: str, id: str) -> Sequence[Event]:
        """Return all that happened to an id, oldest first."""
        return self._call(partial(self._sandbox.store.events, organization, id))

    def export(self) -> bytes:
        """Return every record as NDJSON, which is itself a seed."""
        return self._call(lambda: b"".join(export(self._sandbox.store)))

    def inject(self, faults: Faults | str | None, seed: int = 0) -> None:
        """Put fault rules in force: rules, the name of a preset, or None for none."""
        rules = NO_FAULTS if faults is None else faults if isinstance(faults, Faults) else read_faults(faults, seed)
        self._call(partial(self._sandbox.inject, rules))

    def reset(self) -> None:
        """Forget the records, what happened to them, and all that was seen."""
        self._call(self._sandbox.service.reset)

    def _call(self, function: Callable[[], T]) -> T:
        return self._portal.call(function)


@contextmanager
def sandbox_in_background(setup: Setup | None = None) -> Iterator[BackgroundSandbox]:
    """Serve in a thread until the block ends. Raise as `running.start` does."""
    setup = setup or Setup()
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(start(setup)) as sandbox:
        yield BackgroundSandbox(portal, sandbox, setup)
