"""Kill the real process many times, and check after each: `python -m tests.crash --kills 200 [--seed N]`."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.crash.kills import play


async def kill_often(kills: int, first_seed: int, workers: int, folder: Path) -> int:
    """Play one seed after the other until there were so many kills; return how many."""
    seeds, done = iter(range(first_seed, first_seed + 1_000_000)), 0

    async def work() -> None:
        nonlocal done
        while done < kills:
            seed = next(seeds)
            try:
                made = await play(folder / str(seed), seed)
            except BaseException:
                sys.stderr.write(f"seed {seed} failed; its files are in {folder / str(seed)}\n")
                raise
            done += made  # not `+= await`: the other workers count meanwhile

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    sys.stdout.write(f"seeds {first_seed} to {next(seeds) - 1}\n")
    return done


def main(words: Sequence[str] | None = None) -> None:
    """Kill as often as the words say."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1_000, help="the first one")
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args(words)
    folder, began = Path(tempfile.mkdtemp(prefix="bulk-update-crash-")), time.monotonic()
    done = asyncio.run(kill_often(options.kills, options.seed, options.workers, folder))
    sys.stdout.write(f"{done} kills, {time.monotonic() - began:.0f} s: nothing lost, nothing falsely told\n")


if __name__ == "__main__":
    main()
