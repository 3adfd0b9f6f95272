"""A run that follows on one that died or was stopped: at once, or as a retry when the input was edited between."""

from dataclasses import replace
from random import Random

import pytest

from bulk_update.plan import Plan
from bulk_update.pure.group import Limits
from bulk_update.pure.pacing import Rate
from tests.simulation.process import End, Ending
from tests.simulation.runs import Leg
from tests.simulation.scenario import Scenario, calm_leg, draw_scenario
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


def draw_retry_of_edited_rows(chance: Random) -> Scenario:
    """Draw rows that fail, edits, a run that ends soon after the first of its rows, and a retry."""
    scenario = draw_scenario(chance)
    rows = chance.randint(1, 6)
    taste = replace(scenario.taste, ids=1, culprits=0.4, invalid=0.0, repeated=0.0, poison=0.0)
    broken = replace(calm_leg(chance, "run"), edits=chance.randint(1, 4), ending=_soon(chance))
    legs = [calm_leg(chance, "run"), broken, calm_leg(chance, "retry")]
    return Scenario(taste, [rows], frozenset(), frozenset(), legs)


def _soon(chance: Random) -> Ending:
    end = chance.choice((End.SIGNAL, End.TWO_SIGNALS, End.CRASH, End.POWER_CUT))
    return Ending(end, chance.choice(("left", "delivered", "synced")), chance.randint(1, 4))


@pytest.mark.parametrize("seed", range(100))
def test_a_retry_supersedes_no_row_by_one_that_stands_before_it(seed: int) -> None:
    assert not simulate(seed, draw_retry_of_edited_rows).violations


@pytest.mark.parametrize("seed", range(25))
def test_what_a_dead_process_wrote_is_not_lost_with_what_the_next_one_writes(seed: int) -> None:
    assert not simulate(seed, draw_death_in_a_write).violations


@pytest.mark.parametrize("seed", range(10))
def test_two_runs_keep_the_rate_together(seed: int) -> None:
    assert not simulate(seed, draw_restart).violations
