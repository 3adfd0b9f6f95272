"""`python -m tests.simulation`: simulate many seeds, or tell the story of one."""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence

from tests.simulation.simulate import Outcome, simulate


def main(words: Sequence[str]) -> int:
    """Simulate; 1 when an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--trace", action="store_true", help="tell the story of each seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--stop", action="store_true", help="stop at the first violation")
    options = parser.parse_args(words)
    seeds = range(options.first, options.first + options.seeds)
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    began, violated, done = time.monotonic(), 0, 0
    for outcome in _outcomes(seeds, options.jobs):
        done += 1
        if options.trace:
            print(*outcome.story, sep="\n")
        if outcome.violations:
            violated += 1
            print(*(f"seed {outcome.seed}: {violation}" for violation in outcome.violations), sep="\n", flush=True)
            if options.stop:
                break
    seconds = time.monotonic() - began
    print(f"{done:,} seeds in {seconds:.1f} s ({done / seconds:.1f} a second), {violated:,} with violations")
    return 1 if violated else 0


def _outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(seeds) == 1:
        yield from map(simulate, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(simulate, seeds, chunksize=4)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
