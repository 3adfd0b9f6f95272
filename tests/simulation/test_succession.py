"""A run that follows at once on one that died or was stopped."""

from dataclasses import replace
from random import Random

import pytest

from bulk_update.plan import Plan
from bulk_update.pure.group import Limits
from bulk_update.pure.pacing import Rate
from tests.simulation.process import End, Ending
from tests.simulation.runs import Leg
from tests.simulation.scenario import Scenario, draw_scenario
from tests.simulation.simulate import simulate


def draw_death_in_a_write(chance: Random) -> Scenario:
    """Draw a crash right after a write that is not synced, and a power cut in the first write after that."""
    scenario = draw_scenario(chance)
    leg = replace(scenario.legs[0], verb="run", pause=0.0, edits=0)
    crash = Ending(End.CRASH, "written", chance.randint(1, 3))
    return replace(
        scenario, legs=[replace(leg, ending=crash), replace(leg, ending=Ending(End.POWER_CUT, "written", 1))]
    )


def draw_restart(chance: Random) -> Scenario:
    """Draw a run that is stopped or dies when it has used up its rate, and another one."""
    plan = Plan(Limits(count=1), rate=Rate(3, 10.0))
    end = chance.choice((End.SIGNAL, End.CRASH, End.POWER_CUT))
    first = Leg(plan=plan, ending=Ending(end, chance.choice(("left", "delivered")), 3), pause=0.0)
    return replace(draw_scenario(chance), legs=[first, Leg(plan=plan, pause=0.0)])


@pytest.mark.parametrize("seed", range(25))
def test_what_a_dead_process_wrote_is_not_lost_with_what_the_next_one_writes(seed: int) -> None:
    assert not simulate(seed, draw_death_in_a_write).violations


@pytest.mark.parametrize("seed", range(10))
def test_two_runs_keep_the_rate_together(seed: int) -> None:
    assert not simulate(seed, draw_restart).violations
