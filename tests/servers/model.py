"""What the misbehaving server keeps: requests, changes applied, and ids that met where they must not."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import msgspec

from tests.servers.http1 import Head


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived.

    `time`: when its first byte was read, in seconds of the loop's clock. `connection`: number of its
    connection, from 0 in the order of acceptance. `headers`: names in lower case. `whole`: its body
    was read to the end; until then `body` is empty. `activities`: raw JSON, in order, and `ids` beside
    it; both are empty, and `organization` is None, when the body is no update.
    """

    time: float
    connection: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    whole: bool = False
    organization: str | None = None
    ids: tuple[str, ...] = ()
    activities: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """One change that took effect; `activity` is its raw JSON."""

    organization: str
    id: str
    activity: bytes


@dataclass(frozen=True, slots=True)
class Violation:
    """An id that stood twice in one request, or in two requests in flight.

    `requests`: the numbers of the requests, from 0; one number, or the earlier and the later.
    """

    organization: str
    id: str
    requests: tuple[int, ...]


class _Data(msgspec.Struct, rename={"organization": "organizationId"}):
    organization: str
    activities: list[msgspec.Raw]


class _Envelope(msgspec.Struct):
    data: _Data


class _Identified(msgspec.Struct):
    id: str


def unread_request(head: Head, connection: int) -> Request:
    """Return the record of a request of which only the head was read."""
    return Request(head.time, connection, head.method, head.target, head.headers)


def whole_request(head: Head, connection: int, body: bytes) -> Request:
    """Return the record of a request read to its end."""
    try:
        data = msgspec.json.decode(body, type=_Envelope).data
        ids = tuple(msgspec.json.decode(raw, type=_Identified).id for raw in data.activities)
        activities = tuple(map(bytes, data.activities))
        organization: str | None = data.organization
    except msgspec.DecodeError:
        organization, ids, activities = None, (), ()
    return Request(
        head.time,
        connection,
        head.method,
        head.target,
        head.headers,
        body,
        True,
        organization,
        ids,
        activities,
    )


class Model:
    """The API behind the server, as small as the client's invariants need it."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """Start empty; `changed` is called after each change of what is kept here."""
        self._changed = changed
        self.applied: list[Applied] = []
        """Changes that took effect, in order."""
        self.violations: list[Violation] = []
        self.peak_in_flight = 0
        """The largest number of requests that were in flight at once."""
        self._in_flight: dict[int, Request] = {}
        self._holder: dict[tuple[str, str], int] = {}

    @property
    def in_flight(self) -> Collection[Request]:
        """Requests that were begun and have not ended."""
        return self._in_flight.values()

    def begin(self, index: int, request: Request) -> None:
        """Note that request number `index` is in flight from now on."""
        self._in_flight[index] = request
        self.peak_in_flight = max(self.peak_in_flight, len(self._in_flight))
        for id_, count in Counter(request.ids).items():
            key = (request.organization or "", id_)
            if count > 1:
                self.violations.append(Violation(*key, (index,)))
            if key in self._holder:
                self.violations.append(Violation(*key, (self._holder[key], index)))
            self._holder[key] = index
        self._changed()

    def end(self, index: int) -> None:
        """Note that request number `index` is no longer in flight; a second time changes nothing."""
        request = self._in_flight.pop(index, None)
        if request is None:
            return
        for id_ in request.ids:
            key = (request.organization or "", id_)
            if self._holder.get(key) == index:
                del self._holder[key]
        self._changed()

    def apply(self, request: Request, ids: Collection[str]) -> None:
        """Let the activities of `request` whose id is in `ids` take effect, in their order."""
        self.applied += [
            Applied(request.organization or "", id_, activity)
            for id_, activity in zip(request.ids, request.activities, strict=True)
            if id_ in ids
        ]
        self._changed()
