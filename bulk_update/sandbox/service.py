"""One request from its arrival to its answer, without HTTP: limits, faults, manners and the journal around it.

    visit = service.receive(arrival)      what befalls it is decided
    sleep(visit.latency)
    delivery = visit.answer()             it is applied whole, or not at all: nothing awaits in here
    sleep(delivery.delay), send
    visit.close(is_whole=...)             it is written down

Whoever waits and sends is `server`; the tests do neither.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw

from bulk_update.sandbox.admission import Arrival, admit
from bulk_update.sandbox.answers import TOO_LARGE, Refused, Reply, refusal
from bulk_update.sandbox.faults.acts import Delivery, deliver
from bulk_update.sandbox.faults.choosing import Asked, Chooser
from bulk_update.sandbox.faults.rules import NO_FAULTS, Faults
from bulk_update.sandbox.journal import Entry, Journal, Statistics
from bulk_update.sandbox.limits import Limiter, Limits, retry_after
from bulk_update.sandbox.manners import Manners, Sent
from bulk_update.sandbox.operations import OPERATIONS, Workspace, respond
from bulk_update.sandbox.switches import Switches


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a sandbox behaves: what is only inferred, its rate limit, and its faults."""

    switches: Switches = field(default_factory=Switches)
    limits: Limits = field(default_factory=Limits)
    faults: Faults = NO_FAULTS


class _Activity(msgspec.Struct, gc=False):
    id: str


class _Data(msgspec.Struct, rename="camel", gc=False):
    organization_id: str | None = None
    activities: list[_Activity] = []  # msgspec copies it


class _Body(msgspec.Struct, gc=False):
    data: _Data


class _Verdicts(msgspec.Struct, gc=False):
    data: dict[str, Raw]


class _Told(msgspec.Struct, gc=False):
    result: _Verdicts


_body_decoder = msgspec.json.Decoder(_Body)
_told_decoder = msgspec.json.Decoder(_Told)
_UPDATE: Final = "/v2/activities/update"
_OK: Final = 200


class Service:
    """Answer requests for one workspace. `now`: seconds of a clock that never goes back."""

    def __init__(
        self, workspace: Workspace, conduct: Conduct | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        conduct = conduct or Conduct()
        self.workspace = replace(workspace, switches=conduct.switches)
        self.now = now
        self.journal = Journal()
        self.manners = Manners()
        self.chooser = Chooser(conduct.faults)
        self.limits = conduct.limits
        self.limiter = Limiter(conduct.limits) if conduct.limits else None
        self._last = workspace.store.last_request()
        # Fingerprints are salted with chance: they tell keys apart in this process alone.
        self._salt = time.time_ns().to_bytes(8)

    @property
    def statistics(self) -> Statistics:
        """What was seen until now."""
        return replace(self.journal.statistics, manners=self.manners.violations)

    def receive(self, arrival: Arrival, is_awaited: Callable[[], bool] = lambda: True) -> "Visit":
        """Take a request in and decide what befalls it. `is_awaited`: tells whether its client still waits."""
        self._last += 1
        return Visit(self, replace(arrival, number=self._last), is_awaited)

    def inject(self, faults: Faults) -> None:
        """Put other fault rules in force; they count from here."""
        self.chooser = Chooser(faults)

    def reset(self) -> None:
        """Forget the records, what happened to them, and all that was seen; rules and limits stay."""
        self.workspace.store.reset()
        self.journal = Journal()
        self.manners.reset()
        self.chooser = Chooser(self.chooser.faults)

    def check_limit(self, arrival: Arrival, organization: str | None) -> None:
        """Raise Refused for a request over the limit, and count it."""
        if self.limiter is None:
            return
        key = arrival.headers.get("x-velt-api-key", "")
        fingerprint = blake2b(key.encode("utf-8", "replace"), digest_size=8, salt=self._salt).digest()
        wait = self.limiter.admit(fingerprint, organization, self.now())
        if wait is not None:
            self.manners.note("over_limit", arrival.number, organization)
            headers = retry_after(self.workspace.switches.retry_after, wait, self.workspace.clock())
            raise Refused("RESOURCE_EXHAUSTED", "Too many requests. Please try again later.", headers)


class Visit:
    """One request under way. `latency`: seconds to wait before `answer`."""

    __slots__ = (
        "_arrival", "_began", "_counted", "_done", "_fault", "_organization", "_reply", "_sent", "_service", "_time",
    )  # fmt: skip

    def __init__(self, service: Service, arrival: Arrival, is_awaited: Callable[[], bool]) -> None:
        self._service = service
        self._arrival = arrival
        self._began = service.now()
        self._time = service.workspace.clock()
        self._reply: Reply | None = None
        self._done: Reply | None = None
        self._organization, ids = _contents(arrival)
        self._sent = Sent(arrival.number, self._organization or "", ids, arrival.body, is_awaited)
        self._counted = service.manners.violations.total
        headers = arrival.headers
        secrets = (headers.get("x-velt-api-key", ""), headers.get("x-velt-auth-token", ""))
        service.manners.look_for_secrets(arrival.number, self._organization, secrets, arrival.body)
        service.manners.begin(self._sent)
        self._fault = service.chooser.choose(Asked(arrival.path, self._organization, ids, arrival.body))

    @property
    def latency(self) -> float:
        """Seconds before the request is looked at."""
        return self._fault.latency if self._fault is not None else 0.0

    def answer(self) -> Delivery:
        """Apply the request, or not, and return what goes back."""
        service, arrival = self._service, self._arrival
        workspace = service.workspace
        try:
            if len(arrival.body) > workspace.switches.max_bytes:
                delivery = Delivery(TOO_LARGE)
            else:
                admit(arrival, workspace.credentials, OPERATIONS)
                service.check_limit(arrival, self._organization)
                if self._fault is None:
                    delivery = Delivery(respond(workspace, arrival))
                else:
                    delivery = deliver(self._fault, workspace, arrival, respond)
        except Refused as refused:
            self._fault = None  # it was turned away before anything befell it
            delivery = Delivery(refusal(refused))
        self._reply = delivery.reply
        self._done = delivery.reply or delivery.lost
        return delivery

    def turn_away(self, reply: Reply) -> None:
        """Note the answer to a request that is not looked at."""
        self._reply = self._done = reply

    def close(self, *, is_whole: bool) -> None:
        """Write the request down. `is_whole`: its answer went out, to the last byte."""
        service, reply = self._service, self._reply
        service.manners.end(self._sent, self._settled() if is_whole else ())
        counted = service.manners.violations.total - self._counted
        examples = service.manners.examples
        seen = {each.kind for each in examples if each.request == self._arrival.number} if counted else ()
        service.journal.note(self._entry(tuple(sorted(seen))), reply, is_whole=is_whole)

    def _settled(self) -> Collection[str]:
        """Return the ids that the answer has a verdict on."""
        reply = self._reply
        if reply is None or reply.status != _OK or not self._sent.ids:
            return ()
        if self._fault is None or self._fault.act is None:
            return self._sent.ids  # each has its verdict, known to be there
        try:
            return _told_decoder.decode(reply.body).result.data.keys()
        except msgspec.DecodeError:
            return ()

    def _entry(self, violations: tuple[str, ...]) -> Entry:
        arrival, reply, done, service = self._arrival, self._reply, self._done, self._service
        return Entry(
            arrival.number,
            self._time,
            arrival.method,
            arrival.path[:200],
            self._organization,
            len(self._sent.ids),
            len(arrival.body),
            reply.status if reply is not None else None,
            _error_of(reply),
            done.updated if done is not None else 0,
            done.failed if done is not None else 0,
            service.now() - self._began,
            self._fault.names if self._fault is not None else (),
            violations,
        )


def _contents(arrival: Arrival) -> tuple[str | None, list[str]]:
    """Return the organization of a body, and of an update its ids; what cannot be read is left out."""
    try:
        data = _body_decoder.decode(arrival.body).data
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None, []
    return data.organization_id, [activity.id for activity in data.activities] if arrival.path == _UPDATE else []


def _error_of(reply: Reply | None) -> str | None:
    """Return what an answer says went wrong."""
    if reply is None or reply.status == _OK:
        return None
    try:
        error = msgspec.json.decode(reply.body, type=dict[str, dict[str, object]])["error"]
        return f"{error['status']}: {error['message']}"
    except (msgspec.DecodeError, KeyError):
        return "no JSON"
