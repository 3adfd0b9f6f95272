"""SIGKILL when the server has received, applied, half answered or answered, one time after the other."""

from pathlib import Path
from random import Random

from tests.crash.world import KILLED, Point, Strike, many_rows, open_world

_MOST_KILLS = 8


async def play(folder: Path, seed: int) -> int:
    """Kill one job a few times as `seed` says, let it end, and check all; return how many kills there were."""
    random = Random(seed)
    async with open_world(folder, many_rows(random)) as world:
        for at in range(_MOST_KILLS):
            # The point follows from the seed, so that a few seeds see all of them.
            point = list(Point)[(seed + at) % len(Point)]
            ended = await world.run(Strike(random.randrange(4), point))
            if ended.code != KILLED:
                world.check_finished(ended)
                break
        ended = await world.run()
        world.check_finished(ended)
        sent = len(world.server.requests)
        world.check_finished(await world.run())
        assert len(world.server.requests) == sent
        return world.kills
