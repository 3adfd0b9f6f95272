"""What goes wrong on the way to the API and back: how often, and when nothing else happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final


class Fault(StrEnum):
    """What befalls one attempt."""

    NONE = "none"
    UNREACHED = "unreached"
    """No connection; nothing leaves."""
    LOST = "lost"
    """It leaves, does not arrive, and the connection is reset."""
    VANISHED = "vanished"
    """It leaves, does not arrive, and nobody says so."""
    ANSWER_LOST = "answer lost"
    """It is applied, and the connection is reset before the answer."""
    ANSWER_VANISHED = "answer vanished"
    """It is applied, and no answer ever comes."""
    FROZEN = "frozen"
    """It is applied, no answer comes, and its records can be updated no more."""
    ANSWER_CUT = "answer cut"
    """It is applied, and half of the answer comes."""
    ANSWER_FOREIGN = "answer foreign"
    """It is applied, and an answer to another request comes first over its connection."""
    GARBAGE = "garbage"
    """It is applied, and what comes with 200 is no verdict on anything."""
    MISSING = "missing"
    """The answer leaves ids out."""
    MALFORMED = "malformed"
    """Some verdicts of the answer are none."""
    REPEATED = "repeated"
    """The answer names an id twice, once as updated and once not."""
    STRAY = "stray"
    """The answer has one id more than was asked for, so it is not known whose answer it is."""
    REFUSING = "refusing"
    """Some rows are refused that would be updated another time."""
    DETAILS = "details"
    """The verdicts come with a 500, in `error.details`."""
    BUSY = "busy"
    ERROR = "error"
    """A 5xx before anything is applied."""
    ERROR_AFTER = "error after"
    """A 5xx when some or all is applied."""
    ERROR_INSIDE = "error inside"
    """An error that comes with 200."""
    GATEWAY = "gateway"
    """HTML from what stands before the API, with 502, 503 or 504."""
    THROTTLED = "throttled"
    NO_CREDENTIALS = "no credentials"
    """The key or the token is refused."""


_OUTAGES: Final = (
    Fault.UNREACHED,
    Fault.UNREACHED,
    Fault.LOST,
    Fault.VANISHED,
    Fault.ANSWER_LOST,
    Fault.ANSWER_VANISHED,
    Fault.GARBAGE,
    Fault.BUSY,
    Fault.ERROR,
    Fault.ERROR_AFTER,
    Fault.GATEWAY,
    Fault.THROTTLED,
)
_ALL_DAY: Final = tuple(fault for fault in Fault if fault not in (Fault.NONE, Fault.NO_CREDENTIALS))


@dataclass(frozen=True, slots=True)
class Outage:
    """From `begin` to `end`, in seconds of the run, every attempt has the same fault."""

    begin: float
    end: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Allowance:
    """From `begin` to `end` the API lets `limit` requests through in any `period` seconds.

    `organization`: which one's; None for all together. `says_when`: it sends Retry-After.
    """

    begin: float
    end: float
    limit: int
    period: float
    organization: str | None = None
    says_when: bool = False


@dataclass(frozen=True, slots=True)
class Weather:
    """What a run has to bear.

    `faults`: drawn from for a share `risk` of the attempts. `latency`: seconds to an answer, about.
    `stall`: share of the answers that take much longer, perhaps longer than anyone waits.
    `renews`: there are other credentials to be read when the first are refused.
    `most_rows`, `most_bytes`: of a request; a larger one is refused with 413.
    """

    risk: float = 0.0
    faults: Sequence[Fault] = ()
    latency: float = 0.05
    stall: float = 0.0
    outages: Sequence[Outage] = ()
    allowances: Sequence[Allowance] = ()
    renews: bool = False
    most_rows: int = 1_000_000
    most_bytes: int = 1_000_000

    def fault(self, seconds: float, chance: Random) -> Fault:
        """Draw what befalls an attempt at a time of the run."""
        for outage in self.outages:
            if outage.begin <= seconds < outage.end:
                return outage.fault
        if self.faults and chance.random() < self.risk:
            return chance.choice(self.faults)
        return Fault.NONE


CALM: Final = Weather()


def draw_weather(chance: Random, organizations: Sequence[str]) -> Weather:
    """Draw a weather: often fair, sometimes with few kinds of faults, sometimes with many."""
    kinds = chance.choice((0, 1, 2, 4, 8, 12))
    return Weather(
        risk=chance.choice((0.03, 0.1, 0.3, 0.6)),
        faults=chance.sample(_ALL_DAY, kinds),
        latency=chance.choice((0.02, 0.1, 0.5)),
        stall=chance.choice((0.0, 0.0, 0.05)),
        outages=[_outage(chance) for _ in range(chance.choice((0, 0, 0, 1, 2)))],
        allowances=[_allowance(chance, organizations) for _ in range(chance.choice((0, 0, 0, 1, 2)))],
        renews=chance.random() < 0.5,
        most_rows=chance.choice((1_000_000, 1_000_000, chance.randint(1, 12))),
        most_bytes=chance.choice((1_000_000, 1_000_000, chance.randint(600, 3_000))),
    )


def _outage(chance: Random) -> Outage:
    begin = chance.choice((0.0, chance.uniform(0, 3), chance.uniform(0, 30)))
    fault = Fault.NO_CREDENTIALS if chance.random() < 0.2 else chance.choice(_OUTAGES)
    return Outage(begin, begin + chance.choice((0.5, 5, 40, 200, 2_000)) * chance.uniform(0.5, 1), fault)


def _allowance(chance: Random, organizations: Sequence[str]) -> Allowance:
    begin = chance.choice((0.0, chance.uniform(0, 20)))
    return Allowance(
        begin,
        begin + chance.choice((5, 60, 1_000)),
        chance.randint(1, 10),
        chance.choice((1.0, 1.0, 5.0)),
        chance.choice(organizations) if chance.random() < 0.4 else None,
        says_when=chance.random() < 0.5,
    )
