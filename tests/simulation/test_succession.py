"""A process dies with a write that is not synced, the next begins at once, and then the power fails."""

from dataclasses import replace
from random import Random

import pytest

from tests.simulation.process import End, Ending
from tests.simulation.scenario import Scenario, draw_scenario
from tests.simulation.simulate import simulate


def draw_succession(chance: Random) -> Scenario:
    """Draw a scenario of a crash right after a write, and a power cut in the first write after that."""
    scenario = draw_scenario(chance)
    leg = replace(scenario.legs[0], verb="run", pause=0.0, edits=0)
    crash = Ending(End.CRASH, "written", chance.randint(1, 3))
    return replace(
        scenario, legs=[replace(leg, ending=crash), replace(leg, ending=Ending(End.POWER_CUT, "written", 1))]
    )


@pytest.mark.parametrize("seed", range(25))
def test_what_a_dead_process_wrote_is_not_lost_with_what_the_next_one_writes(seed: int) -> None:
    assert not simulate(seed, draw_succession).violations
