"""What is checked while a run goes on: each request when it leaves, each line when it is synced or told."""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bulk_update.model import Outcome
from bulk_update.plan import Plan
from bulk_update.pure.pacing import Rate
from tests.simulation.api import Api, Attempt

_ROUNDING: Final = 1e-6
_ON_DISK_WITHIN: Final = 1.0
"""Seconds from an answer to its results on disk, when the disk is quick (DESIGN section 2.3)."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Watch:
    """Watch one run of a process. Implements the observer of a run. `slowest`: seconds that a sync takes."""

    wants_outcomes = True

    def __init__(self, api: Api, plan: Plan, slowest: float) -> None:
        self._api = api
        self._world = api.world
        self._rate = plan.rate
        self._organization_rate = plan.organization_rate
        self._rate_since = float("-inf")
        self._began = api.world.now()
        self._on_disk_within = _ON_DISK_WITHIN + 4 * slowest
        self._announced: dict[tuple[str, str], str] = {}
        self._under_way: dict[tuple[str, str], Attempt] = {}
        self._results: Counter[tuple[object, ...]] = Counter()
        self.notices: list[str] = []

    def synced(self, append: bytes) -> None:
        """See an append that is on disk for good."""
        for text in append.split(b"\n")[:-1]:
            line = _decode(text)
            if line["type"] == "sending":
                for identifier, check in zip(line["ids"], line["checks"], strict=True):
                    self._announced[line["organizationId"], identifier] = f"{check:08x}"
            elif line["type"] == "result":
                self._results[line["line"], line["organizationId"], line["id"], line["status"]] += 1
                self._check_time(line)

    def leaves(self, attempt: Attempt) -> None:
        """See a request that leaves now."""
        self._check_rates(attempt)
        named: set[str] = set()
        for identifier, activity in attempt.activities:
            place = attempt.organization, identifier
            if identifier in named:
                self._accuse(3, f"#{attempt.number} names {identifier} twice")
            named.add(identifier)
            earlier = self._under_way.get(place)
            if earlier is not None and earlier.ended is None:
                self._accuse(3, f"#{attempt.number} leaves with {identifier} while #{earlier.number} is under way")
            self._under_way[place] = attempt
            if place not in self._announced:
                self._accuse(6, f"#{attempt.number} leaves with {identifier}, and no sending line says so")
            elif self._announced[place] != f"{zlib.crc32(activity):08x}":
                # Of a change that is sent again only a part may be left; its check stays.
                self._world.tell(f"#{attempt.number} carries a part of {identifier}")

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """See rows of which the run says that their result is on disk."""
        for outcome in outcomes:
            place = (outcome.line, outcome.organization, outcome.id, outcome.status.value)
            if self._results[place] <= 0:
                self._accuse(6, f"line {outcome.line} is told to be {outcome.status} before that is on disk")
            self._results[place] -= 1
            self._world.tell(f"line {outcome.line} {outcome.id}: {outcome.status}")

    def notice(self, message: str) -> None:
        """See a sentence for a person."""
        self.notices.append(message)
        self._world.tell(f"says: {message}")

    async def room(self) -> None:
        """Let sending go on."""

    def rate_changes(self, rate: Rate | None) -> None:
        """See that another rate is asked for from now on."""
        self._world.tell(f"the rate becomes {rate}")
        self._rate, self._rate_since = rate, self._world.now()

    def _check_time(self, line: dict[str, Any]) -> None:
        """A result is on disk soon after its answer, and never before."""
        attempt = self._under_way.get((line["organizationId"], line["id"]))
        if attempt is None or line["status"] in ("invalid", "superseded"):
            return
        if attempt.ended is None:
            self._accuse(1, f"line {line['line']} is {line['status']} while #{attempt.number} is under way")
        elif self._world.now() - attempt.ended > self._on_disk_within:
            self._accuse(
                6, f"line {line['line']} is on disk {self._world.now() - attempt.ended:.1f} s after its answer"
            )

    def _check_rates(self, attempt: Attempt) -> None:
        """Count the requests in the window that ends now; an earlier run's count as well."""
        if self._rate is not None:
            since = max(attempt.left - self._rate.period + _ROUNDING, self._rate_since)
            self._check_rate(self._rate, "--rate", self._number(since, None))
        if self._organization_rate is not None:
            since = max(attempt.left - self._organization_rate.period + _ROUNDING, self._began)
            self._check_rate(self._organization_rate, "--organization-rate", self._number(since, attempt.organization))

    def _check_rate(self, rate: Rate, name: str, number: int) -> None:
        if number > rate.limit:
            self._accuse(4, f"{number} requests within {rate.period:g} s; {name} allows {rate.limit}")

    def _number(self, since: float, organization: str | None) -> int:
        number = 0
        for attempt in reversed(self._api.attempts):
            if attempt.left < since:
                break
            number += organization in (None, attempt.organization)
        return number

    def _accuse(self, invariant: int, words: str) -> None:
        self._world.accuse(invariant, words)
