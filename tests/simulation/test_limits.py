"""Servers whose limits change while a run goes on, outages of any length, organizations with limits of their own.

What other seeds draw now and then, these draw in every run; culprits may stand anywhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from tests.simulation.scenario import Scenario, draw_scenario
from tests.simulation.simulate import simulate
from tests.simulation.weather import Allowance, Fault, Outage, Weather

SEEDS = 60
_AT_ONCE = 10
_FOR_GOOD = 1e9
_FAULTS = (Fault.UNREACHED, Fault.BUSY, Fault.GATEWAY, Fault.ANSWER_LOST, Fault.VANISHED, Fault.THROTTLED)


def draw_limits(chance: Random) -> Scenario:
    """Draw a scenario in which every run has limits that change, and often an outage."""
    scenario = draw_scenario(chance)
    taste = replace(scenario.taste, culprits=chance.choice((0.0, 0.02, 0.1)), poison=0.0)
    organizations = scenario.taste.organizations
    legs = [replace(leg, weather=_weather(chance, organizations)) for leg in scenario.legs]
    return replace(scenario, taste=taste, legs=legs)


def _weather(chance: Random, organizations: Sequence[str]) -> Weather:
    allowances = _stages(chance, None)
    if chance.random() < 0.5:
        allowances += _stages(chance, chance.choice(organizations))
    begin, length = chance.uniform(0, 20), 10 ** chance.uniform(-1, 3.5)
    outages = [Outage(begin, begin + length, chance.choice(_FAULTS))] if chance.random() < 0.6 else []
    return Weather(latency=chance.choice((0.02, 0.1, 0.5)), allowances=allowances, outages=outages)


def _stages(chance: Random, organization: str | None) -> list[Allowance]:
    """Draw limits that take turns: lower, higher, and now and then as good as none."""
    edges = [0.0, *sorted(chance.uniform(0, 60) for _ in range(3)), _FOR_GOOD]
    limits = [chance.choice((1, 2, 5, 10, 100)) for _ in edges[1:]]
    return [
        Allowance(begin, end, limit, chance.choice((1.0, 1.0, 5.0)), organization, says_when=chance.random() < 0.5)
        for begin, end, limit in zip(edges, edges[1:], limits, strict=False)
    ]


@pytest.mark.parametrize("first", range(0, SEEDS, _AT_ONCE))
def test_no_seed_violates_an_invariant_where_limits_change(first: int) -> None:
    outcomes = [simulate(seed, draw_limits) for seed in range(first, first + _AT_ONCE)]
    told = [f"seed {outcome.seed}: {violation}" for outcome in outcomes for violation in outcome.violations]
    assert not told, "\n".join(told)
