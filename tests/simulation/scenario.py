"""What a seed stands for: an input, runs one after the other, and what befalls each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from bulk_update.edge.books import MaxFailures
from bulk_update.edge.sender import Persistence
from bulk_update.plan import Plan
from bulk_update.pure.group import Limits
from bulk_update.pure.pacing import Rate
from tests.simulation.disk import DiskFault, DiskTrouble
from tests.simulation.process import MOMENTS, End, Ending
from tests.simulation.records import Taste
from tests.simulation.runs import Leg
from tests.simulation.weather import CALM, draw_weather

_RATES: Final = (None, Rate(5, 1.0), Rate(50, 1.0), Rate(2, 1.0), Rate(3, 10.0), Rate(300, 60.0), Rate(1, 0.4))
_ENDS: Final = (End.NONE,) * 3 + (End.SIGNAL, End.TWO_SIGNALS, End.CRASH, End.CRASH, End.POWER_CUT, End.POWER_CUT)
_PATIENT: Final = Persistence(give_up_after=900.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that a seed decides before the first run. `sizes`: records of each file of the input."""

    taste: Taste
    sizes: Sequence[int]
    missing: frozenset[tuple[str, str]]
    closed: frozenset[str]
    legs: Sequence[Leg]


def draw_scenario(chance: Random) -> Scenario:
    """Draw a scenario."""
    organizations = [f"org-{number}" for number in range(chance.choice((1, 1, 2, 3, 8)))]
    rows = chance.choice((chance.randint(1, 8), chance.randint(5, 40), chance.randint(30, 120)))
    taste = Taste(
        organizations,
        ids=max(1, int(rows * chance.choice((0.1, 0.5, 1, 3)) / len(organizations))),
        invalid=chance.choice((0.0, 0.0, 0.1)),
        repeated=chance.choice((0.0, 0.0, 0.1)),
        culprits=chance.choice((0.0, 0.0, 0.01, 0.05, 0.2)),
        poison=chance.choice((0.0,) * 19 + (0.03,)),
        odd=chance.choice((0.0, 0.2)),
    )
    share = chance.choice((0.0, 0.0, 0.05, 0.3))
    missing = frozenset(
        (name, f"a{number}") for name in organizations for number in range(taste.ids) if chance.random() < share
    )
    closed = frozenset(organizations[1:2] if chance.random() < 0.1 else ())
    sizes = [rows] if chance.random() < 0.8 else [rows // 2, rows - rows // 2]
    legs = [_leg(chance, number, rows, organizations) for number in range(chance.choice((1, 1, 2, 2, 3, 4, 6)))]
    if chance.random() < 0.1:
        legs = [_in_quick_succession(chance, leg) for leg in legs]
    return Scenario(taste, sizes, missing, closed, legs)


def calm_leg(chance: Random, verb: str) -> Leg:
    """Draw a run that nothing befalls."""
    plan = replace(_plan(chance, 0), limit=None, max_failures=MaxFailures(), persistence=_PATIENT)
    return Leg(verb, plan, CALM, timeout=30.0, pause=60.0)


def _leg(chance: Random, number: int, rows: int, organizations: Sequence[str]) -> Leg:
    is_first = number == 0
    weather = draw_weather(chance, organizations) if chance.random() < 0.85 else CALM
    return Leg(
        verb="retry" if not is_first and chance.random() < 0.25 else "run",
        plan=_plan(chance, rows),
        weather=weather,
        ending=_ending(chance),
        disk=_disk_trouble(chance),
        timeout=chance.choice((2.0, 10.0, 30.0)),
        edits=0 if is_first else chance.choice((0, 0, 1, 2, 5, 20)),
        pause=chance.choice((0.0, 1.0, 100.0)),
        slowness=chance.choice((0.0, 0.0, 0.05, 2.0)),
        rates=_rates(chance) if chance.random() < 0.1 else (),
    )


def _rates(chance: Random) -> Sequence[tuple[float, Rate | None]]:
    times = sorted(chance.uniform(0, 20) for _ in range(chance.randint(1, 3)))
    return [(after, chance.choice(_RATES)) for after in times]


def _in_quick_succession(chance: Random, leg: Leg) -> Leg:
    """Let a run die early, and the next one begin at once: what it wrote may not be synced even then."""
    end = chance.choice((End.CRASH, End.POWER_CUT))
    ending = Ending(end, chance.choice(("writing", "written", "synced")), chance.randint(1, 4))
    return replace(leg, ending=ending, pause=0.0, edits=0)


def _plan(chance: Random, rows: int) -> Plan:
    """Draw settings. `rows`: of the input, for a canary; 0: no canary."""
    return Plan(
        Limits(
            count=chance.choice((1, 2, 3, 5, 10, 20, 100)),
            body=chance.choice((1_000_000, 1_000_000, 1_500, 3_000)),
            buffer=chance.choice((256_000_000, 256_000_000, 20_000, 4_000)),
            ahead=chance.choice((1, 2, 8)),
        ),
        rate=chance.choice(_RATES),
        organization_rate=chance.choice((None, None, None, Rate(4, 1.0), Rate(1, 2.0))),
        persistence=Persistence(
            concurrency=chance.choice((1, 2, 3, 5, 8)),
            max_attempts=chance.choice((1, 2, 3, 5)),
            give_up_after=chance.choice((20.0, 60.0, 60.0, 300.0, 900.0)),
        ),
        max_failures=MaxFailures(rows=chance.randint(0, 10)) if chance.random() < 0.05 else MaxFailures(),
        limit=chance.randint(1, rows) if rows and chance.random() < 0.15 else None,
    )


def _ending(chance: Random) -> Ending:
    end = chance.choice(_ENDS)
    if end is End.NONE:
        return Ending()
    moment = chance.choice(MOMENTS) if chance.random() < 0.8 else ""
    if end is End.POWER_CUT and chance.random() < 0.6:
        moment = "written"
    nth = chance.choice((1, 2, 3, chance.randint(1, 12), chance.randint(5, 60)))
    after = chance.choice((chance.uniform(0, 3), chance.uniform(0, 30), chance.uniform(0, 300)))
    return Ending(end, moment, nth, after, chance.choice((0.0, 0.1, 3.0, 40.0)))


def _disk_trouble(chance: Random) -> DiskTrouble:
    nth = chance.randint(1, 20) if chance.random() < 0.06 else 0
    return DiskTrouble(chance.choice(tuple(DiskFault)), nth, chance.choice((0.0, 0.002, 0.02, 0.2)))
