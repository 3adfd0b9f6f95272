"""The API: the records it holds, what was applied to them and when, and what must not arrive."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

import msgspec
from msgspec import Raw

from tests.simulation.records import CULPRIT, POISON
from tests.simulation.weather import Allowance, Fault, Weather
from tests.simulation.world import World

Verdicts = dict[str, bool | None]
"""What an answer says of each id that was sent; None: nothing, or nothing that can be understood."""


@dataclass(slots=True)
class Attempt:
    """One request on its way.

    `activities`: id and raw JSON of each. `left`, `ended`: when its bytes left, and when whoever sent it
    knew how it ended or died. `outcome`: in a word. `verdicts`: what a whole answer that was delivered said.
    `refused`: a whole answer that was delivered refused the whole request, and waiting will not change it.
    `hold`: seconds for which it asked to send no more.
    """

    number: int
    run: int
    organization: str
    activities: Sequence[tuple[str, bytes]]
    size: int
    left: float
    fault: Fault
    ended: float | None = None
    outcome: str = ""
    verdicts: Verdicts | None = None
    refused: bool = False
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class Applied:
    """One activity that took effect."""

    attempt: Attempt
    time: float
    organization: str
    id: str
    activity: bytes
    fields: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API sends back. `verdicts`, `refused`, `hold`: as in `Attempt`, if it arrives."""

    status: int
    body: bytes
    outcome: str
    retry_after: str | None = None
    verdicts: Verdicts | None = None
    refused: bool = False

    @property
    def hold(self) -> float:
        try:
            return max(0.0, float(self.retry_after or 0))
        except ValueError:
            return 0.0


class _Data(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    organization_id: str
    activities: list[Raw]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    data: _Data


_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_UPDATED: Final = "Activity updated."
_NOT_UPDATED: Final = "Failed to update activity."


@dataclass(slots=True)
class Api:
    """Hold records, and answer.

    `missing`: (organization, id) that do not exist; `closed`: organizations likewise. `frozen`: those that
    can be updated no more.
    """

    world: World
    chance: Random
    missing: frozenset[tuple[str, str]] = frozenset()
    closed: frozenset[str] = frozenset()
    frozen: set[tuple[str, str]] = field(default_factory=set)
    weather: Weather = field(default_factory=Weather)
    records: dict[tuple[str, str], dict[str, Applied]] = field(default_factory=dict)
    """The last that was applied to each field of each record."""
    attempts: list[Attempt] = field(default_factory=list)
    unreached: list[Attempt] = field(default_factory=list)
    """What was not even an attempt, since there was no connection."""
    applied: list[Applied] = field(default_factory=list)
    _began: float = 0.0
    _let_through: dict[Allowance, deque[float]] = field(default_factory=dict)

    def begin(self, weather: Weather) -> None:
        """Begin a run's weather."""
        self.weather = weather
        self._began = self.world.now()
        self._let_through = {allowance: deque() for allowance in weather.allowances}

    def read(self, body: bytes, run: int, fault: Fault) -> Attempt:
        """Note a request that leaves now, or would if there were a connection."""
        data = _decode_body(body).data
        activities = [(_identifier(raw), bytes(raw)) for raw in data.activities]
        attempt = Attempt(
            len(self.attempts) + 1, run, data.organization_id, activities, len(body), self.world.now(), fault
        )
        (self.unreached if fault is Fault.UNREACHED else self.attempts).append(attempt)
        return attempt

    def receive(self, attempt: Attempt) -> Reply:
        """Take a request that has arrived, and answer it; what becomes of the answer is up to the network."""
        fault = attempt.fault
        refusal = self._refusal(attempt)
        if refusal is not None:
            return refusal
        if fault in (Fault.BUSY, Fault.ERROR, Fault.GATEWAY, Fault.ERROR_INSIDE):
            return self._trouble(fault)
        if fault is Fault.ERROR_AFTER:
            some = self.chance.randint(0, len(attempt.activities))
            for identifier, activity in attempt.activities[:some]:
                self._apply(attempt, identifier, activity)
            return self._trouble(fault)
        for at, (_, activity) in enumerate(attempt.activities):
            if POISON in activity:
                for identifier, before in attempt.activities[: self.chance.randint(0, at)]:
                    self._apply(attempt, identifier, before)
                return _error(500, "INTERNAL", "Internal error", "poisoned")
        return self._answer(attempt, self._update(attempt))

    def _update(self, attempt: Attempt) -> dict[str, bool]:
        """Apply what can be applied; tell what became of each id."""
        verdicts = {}
        for identifier, activity in attempt.activities:
            place = attempt.organization, identifier
            is_refused = place in self.missing or place in self.frozen
            if attempt.fault is Fault.REFUSING and self.chance.random() < 0.5:
                is_refused = True
            if not is_refused:
                self._apply(attempt, identifier, activity)
            if attempt.fault is Fault.FROZEN:
                self.frozen.add(place)
            verdicts[identifier] = not is_refused
        return verdicts

    def _apply(self, attempt: Attempt, identifier: str, activity: bytes) -> None:
        if (attempt.organization, identifier) in self.missing | self.frozen:
            return
        members = {key: bytes(raw) for key, raw in _decode_members(activity).items() if key != "id"}
        applied = Applied(attempt, self.world.now(), attempt.organization, identifier, activity, members)
        self.applied.append(applied)
        record = self.records.setdefault((attempt.organization, identifier), {})
        for name in members:
            record[name] = applied

    def _refusal(self, attempt: Attempt) -> Reply | None:
        """Refuse a request whole, before anything is applied."""
        if attempt.fault is Fault.NO_CREDENTIALS:
            if self.chance.random() < 0.5:
                return _error(403, "PERMISSION_DENIED", "Invalid API key.", "no credentials")
            return _error(400, "INVALID_ARGUMENT", "Auth token is required", "no credentials")
        throttled = self._throttled(attempt)
        if throttled is not None:
            return throttled
        weather = self.weather
        if len(attempt.activities) > weather.most_rows or attempt.size > weather.most_bytes:
            return Reply(413, b"<html>Request Entity Too Large</html>", "too large", refused=True)
        if attempt.organization in self.closed:
            return _error(404, "NOT_FOUND", "Organization not found.", "closed", refused=True)
        if any(CULPRIT in activity for _, activity in attempt.activities):
            return _error(400, "INVALID_ARGUMENT", "Value does not conform.", "culprit", refused=True)
        return None

    def _throttled(self, attempt: Attempt) -> Reply | None:
        now, seconds = self.world.now(), self.world.now() - self._began
        if attempt.fault is Fault.THROTTLED:
            return _too_many(
                self.chance.choice((None, None, "1", "3.5", "-2", "soon", "Mon, 01 Jan 2001 00:00:00 GMT"))
            )
        for allowance, times in self._let_through.items():
            is_asked = allowance.organization in (None, attempt.organization)
            if not is_asked or not allowance.begin <= seconds < allowance.end:
                continue
            while times and times[0] <= now - allowance.period:
                times.popleft()
            if len(times) >= allowance.limit:
                wait = times[0] + allowance.period - now
                return _too_many(f"{wait:.0f}" if allowance.says_when else None)
            times.append(now)
        return None

    def _trouble(self, fault: Fault) -> Reply:
        chance = self.chance
        if fault is Fault.BUSY:
            return _error(503, "UNAVAILABLE", "The service is unavailable", "busy")
        if fault is Fault.GATEWAY:
            return Reply(chance.choice((502, 503, 504)), b"<html>Bad Gateway</html>", "gateway")
        if fault is Fault.ERROR_INSIDE:
            return _error(200, "UNAVAILABLE", "The service is unavailable", "error inside")
        status, http = chance.choice(
            (("INTERNAL", 500), ("UNKNOWN", 500), ("ABORTED", 409), ("DEADLINE_EXCEEDED", 504))
        )
        return _error(http, status, "Internal error", "error")

    def _answer(self, attempt: Attempt, done: Mapping[str, bool]) -> Reply:
        """Put what became of each id into words, as wrongly as the fault asks for."""
        chance, fault = self.chance, attempt.fault
        said: list[tuple[str, object]] = [(identifier, _verdict(success)) for identifier, success in done.items()]
        told: Verdicts | None = dict(done)
        chance.shuffle(said)
        if fault is Fault.MISSING:
            said = [pair for pair in said if chance.random() < 0.6]
            told = {identifier: done[identifier] for identifier, _ in said}
        elif fault is Fault.MALFORMED:
            said = [(name, word if chance.random() < 0.5 else _malformed(chance)) for name, word in said]
            told = {name: done[name] for name, word in said if word == _verdict(done[name])}
        elif fault is Fault.REPEATED:
            twice = chance.choice(said)[0]
            said += [(twice, _verdict(not done[twice]))]
            told = {name: success for name, success in done.items() if name != twice}
        elif fault is Fault.STRAY:
            said += [("a-stray", _verdict(success=True))]
            told = None
        members = b",".join(json.dumps(name).encode() + b":" + json.dumps(word).encode() for name, word in said)
        if fault is Fault.DETAILS:
            body = b'{"error":{"message":"Some failed","status":"INTERNAL","details":{%b}}}' % members
            return Reply(500, body, "details", verdicts=told)
        if fault is Fault.GARBAGE:
            garbage = (b"", b"<html>Sign in</html>", b"[]", b'{"result":{"status":"success","data":[]}}', b"null")
            return Reply(200, chance.choice(garbage), "garbage")
        words = b'{"result":{"status":"success","message":"Activity(s) updated successfully.","data":{%b}}}'
        return Reply(200, words % members, "answered", verdicts=told)


def _identifier(raw: Raw) -> str:
    identifier = msgspec.json.decode(_decode_members(raw)["id"])
    assert isinstance(identifier, str)
    return identifier


def _verdict(success: bool) -> dict[str, object]:
    return {"success": success, "message": _UPDATED if success else _NOT_UPDATED}


def _malformed(chance: Random) -> object:
    truths = [{"success": word} for word in ("true", "false", 1, [True])]
    return chance.choice((None, True, "ok", [], {}, {"message": _UPDATED}, *truths, *truths))


def _error(http: int, status: str, message: str, outcome: str, *, refused: bool = False) -> Reply:
    error = {"error": {"message": message, "status": status}}
    return Reply(http, json.dumps(error).encode(), outcome, refused=refused)


def _too_many(retry_after: str | None) -> Reply:
    reply = _error(429, "RESOURCE_EXHAUSTED", "Too many requests", "throttled")
    return replace(reply, retry_after=retry_after)
