"""What no client may do, and how often it was done. Pure: times and requests are told, nothing is read.

    over_limit           requests over the rate limit
    repeated_ids         an id twice in one request: the answer has one place for it
    overlapping_ids      an id in two requests at once: nobody knows which is applied last
    out_of_order         a change that comes back after a newer one of its id, though it never had a verdict
    credentials_in_body  the request's own key or token in its body

The order of changes is known from what arrives: a change without a verdict (dropped, refused, answered badly)
is still to be sent; a newer change of the same id that arrives before it overtakes it; when the older one then
comes again, it is out of order. Changes that a client never sent cannot be judged.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw

_SHORTEST_SECRET: Final = 8
"""Characters of a credential that is looked for in bodies: a shorter one stands in any text."""
_EXAMPLES: Final = 200


class _Data(msgspec.Struct):
    activities: list[Raw]


class _Body(msgspec.Struct):
    data: _Data


_body_decoder = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Violations:
    """How often a client did what no client may do; a correct one leaves all at 0."""

    over_limit: int = 0
    repeated_ids: int = 0
    overlapping_ids: int = 0
    out_of_order: int = 0
    credentials_in_body: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, kind.name) for kind in fields(self))


@dataclass(frozen=True, slots=True)
class Violation:
    """One that was seen. `request`: its number. `id`: of the activity, where it is about one."""

    kind: str
    request: int
    organization: str | None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """An update as manners see it: its ids in their order, and the body they came in. `ids`: empty of all else."""

    request: int
    organization: str
    ids: Sequence[str]
    body: bytes = field(repr=False)
    is_awaited: Callable[[], bool] = field(default=lambda: True, repr=False)
    """Whether the client still waits: one that has given up may send again."""

    def changes(self) -> Iterable[tuple[str, bytes]]:
        """Return each id with a digest of its activity."""
        activities = _body_decoder.decode(self.body).data.activities if self.ids else ()
        return [(id, blake2b(raw, digest_size=8).digest()) for id, raw in zip(self.ids, activities, strict=True)]


class Manners:
    """Watch requests come and go."""

    def __init__(self) -> None:
        self.examples: deque[Violation] = deque(maxlen=_EXAMPLES)
        self.secrets: set[str] = set()
        """Credentials that stood in a body, and so perhaps in a record: never to be shown."""
        self._counts: Counter[str] = Counter()
        # By organization and request, with its ids.
        self._in_flight: dict[str, dict[int, tuple[Sent, set[str]]]] = {}
        # Changes that have no verdict, by organization and id; True where a newer one has overtaken them.
        self._unsettled: dict[tuple[str, str], dict[bytes, bool]] = {}

    @property
    def violations(self) -> Violations:
        """What was seen until now."""
        return Violations(**self._counts)

    def note(self, kind: str, request: int, organization: str | None, id: str | None = None) -> None:
        """Count a violation."""
        self._counts[kind] += 1
        self.examples.append(Violation(kind, request, organization, id))

    def look_for_secrets(self, request: int, organization: str | None, secrets: Iterable[str], body: bytes) -> None:
        """Count a body that holds a credential of its own request."""
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET and secret.encode("utf-8", "replace") in body:
                self.note("credentials_in_body", request, organization)
                self.secrets.add(secret)
                return

    def begin(self, sent: Sent) -> None:
        """See an update arrive."""
        organization, ids = sent.organization, set(sent.ids)
        if len(ids) < len(sent.ids):
            for id, times in Counter(sent.ids).items():
                for _ in range(times - 1):
                    self.note("repeated_ids", sent.request, organization, id)
        beside = self._in_flight.setdefault(organization, {})
        for other, others in beside.values():
            for id in sorted(ids & others) if other.is_awaited() else ():
                self.note("overlapping_ids", sent.request, organization, id)
        beside[sent.request] = (sent, ids)
        if self._unsettled:
            self._check_order(sent)

    def end(self, sent: Sent, settled: Collection[str]) -> None:
        """See the answer leave, or be lost. `settled`: ids whose verdict went out."""
        organization = sent.organization
        beside = self._in_flight[organization]
        del beside[sent.request]
        if not beside:
            del self._in_flight[organization]
        if not self._unsettled and len(settled) >= len(sent.ids):
            return
        for id, digest in sent.changes():
            self._settle((organization, id), digest, has_verdict=id in settled)

    def reset(self) -> None:
        """Forget all."""
        self.__init__()  # type: ignore[misc]

    def _check_order(self, sent: Sent) -> None:
        organization = sent.organization
        if not any((organization, id) in self._unsettled for id in sent.ids):
            return
        for id, digest in sent.changes():
            waiting = self._unsettled.get((organization, id), {})
            if waiting.get(digest):
                self.note("out_of_order", sent.request, organization, id)
            elif digest not in waiting:
                waiting.update(dict.fromkeys(waiting, True))

    def _settle(self, key: tuple[str, str], digest: bytes, *, has_verdict: bool) -> None:
        waiting = self._unsettled.get(key)
        if not has_verdict:
            if waiting is None:
                waiting = self._unsettled[key] = {}
            waiting.setdefault(digest, False)
        elif waiting is not None:
            waiting.pop(digest, None)
            if not waiting:
                del self._unsettled[key]
