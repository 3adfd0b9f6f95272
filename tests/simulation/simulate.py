"""Simulate one seed: draw its scenario, carry out its runs, and let the oracle judge each."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.simulation.api import Api
from tests.simulation.disk import Disk
from tests.simulation.oracle import History, judge_end, judge_run
from tests.simulation.records import Author, Lines
from tests.simulation.runs import Done, Leg, carry_out
from tests.simulation.scenario import Scenario, calm_leg, draw_scenario
from tests.simulation.world import Violation, World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed. `story_hash`: equal for equal stories."""

    seed: int
    violations: Sequence[Violation]
    story: Sequence[str]
    story_hash: str


def simulate(seed: int, draw: Callable[[Random], Scenario] = draw_scenario) -> Outcome:
    """Live through one seed; `draw`: what it stands for."""
    world = World(seed)
    try:
        _live_through(world, draw)
    except Exception as error:  # noqa: BLE001 - whatever a run raises, it is this seed's
        world.accuse("raises", "".join(traceback.format_exception(error)))
    finally:
        world.loop.close()
    return Outcome(seed, world.violations, world.story, world.story_hash())


def _live_through(world: World, draw: Callable[[Random], Scenario]) -> None:
    chance = world.chance("scenario")
    scenario = draw(chance)
    disk, api = Disk(world), Api(world, world.chance("api"), scenario.missing, scenario.closed)
    author = Author(scenario.taste, world.chance("author"))
    names = [f"part-{number}.ndjson" for number in range(len(scenario.sizes))]
    files: dict[str, Lines] = dict(zip(names, map(author.records, scenario.sizes), strict=True))
    history = History(world, api, disk, scenario)
    for leg in scenario.legs:
        _next_run(history, leg, files, author)
    for verb in ("run", "retry", "run"):
        done = _next_run(history, calm_leg(chance, verb), files, author)
        judge_end(history, done)


def _next_run(history: History, leg: Leg, files: dict[str, Lines], author: Author) -> Done:
    world, disk = history.world, history.disk
    world.loop.run_until_complete(asyncio.sleep(leg.pause))
    if leg.pause:
        disk.settle()
    for _ in range(leg.edits):
        world.tell(f"the input changes: {author.edit(list(files.values()))}")
    done = carry_out(world, disk, history.api, leg, files, len(history.runs) + 1)
    history.runs.append(done)
    judge_run(history, done)
    return done
