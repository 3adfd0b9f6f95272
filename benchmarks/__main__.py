"""Measure what is claimed of speed and memory: `make bench`, or `python -m benchmarks --help`."""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.children import Failed, cores, pin
from benchmarks.contest import contest
from benchmarks.memory import batching, memory
from benchmarks.readme import README, record
from benchmarks.sampled import stages
from benchmarks.scaling import scaling
from benchmarks.server import Server, open_server
from benchmarks.starting import starting

PICTURE: Final = Path(__file__).with_name("scaling.svg")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    contest_rows: int
    rounds: int
    most_rows: int
    most_organizations: int
    scaling_rounds: int
    memory_rows: int
    memory_sizes: tuple[int, ...]
    memory_organizations: tuple[int, ...]
    batching_rows: int
    batching_organizations: int
    starts: int


FULL: Final = Size(
    500_000, 5, 3_000_000, 100_000, 3, 1_000_000, (300, 2_000), (1, 1_000, 100_000), 1_000_000, 5_000, 25
)
QUICK: Final = Size(30_000, 3, 100_000, 1_000, 1, 50_000, (300,), (1, 10_000), 50_000, 2_000, 5)


def main() -> int:
    """Run the sections that were asked for; 2 when something needed is missing, 1 when a program failed."""
    options = _parse()
    size = QUICK if options.quick else FULL
    client, other = cores()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bulk-update-bench-") as folder,
            open_server(cpu=other) as server,
        ):
            pin(client)
            print(_machine(placed_apart=client is not None), flush=True)
            sections = _sections(Path(folder), server, size, record=options.record)
            said = _carry_out({name: sections[name] for name in sections if not options.only or name in options.only})
    except Failed as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"benchmarks: the server cannot be had: {error}", file=sys.stderr)
        return 2
    if options.record:
        record(said)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed and memory.")
    parser.add_argument("--quick", action="store_true", help="a small run of about a minute; its figures are rough")
    parser.add_argument("--only", action="append", choices=tuple(TITLES), help="this section alone (repeatable)")
    parser.add_argument("--record", action="store_true", help=f"write what is found into {README.name}")
    return parser.parse_args()


TITLES: Final = {
    "jobs": "The jobs, and what others would use",
    "stages": "Where the time goes",
    "scaling": "More rows, more organizations",
    "memory": "Memory",
    "batching": "Requests",
    "start": "Start",
}


def _sections(folder: Path, server: Server, size: Size, *, record: bool) -> Mapping[str, Callable[[], str]]:
    """Name the sections, each with what measures it."""

    def curves() -> str:
        found = scaling(
            folder,
            server,
            most_rows=size.most_rows,
            most_organizations=size.most_organizations,
            rounds=size.scaling_rounds,
        )
        if record:
            PICTURE.write_text(found.picture())
        return found.words()

    return {
        "jobs": lambda: contest(folder, server, rows=size.contest_rows, rounds=size.rounds),
        "stages": lambda: stages(folder, server, rows=size.contest_rows, rounds=size.rounds),
        "scaling": curves,
        "memory": lambda: memory(
            folder, server, rows=size.memory_rows, sizes=size.memory_sizes, organizations=size.memory_organizations
        ),
        "batching": lambda: batching(
            folder, server, rows=size.batching_rows, organizations=size.batching_organizations
        ),
        "start": lambda: starting(size.starts),
    }


def _carry_out(sections: Mapping[str, Callable[[], str]]) -> Mapping[str, str]:
    """Measure and print section by section."""
    said = {}
    for name, measure in sections.items():
        began = time.monotonic()
        said[name] = measure()
        print(f"\n## {TITLES[name]}\n\n{said[name]}", flush=True)
        print(f"  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return said


def _machine(*, placed_apart: bool) -> str:
    """Describe the machine in general words."""
    placed = "client and server on a core each" if placed_apart else "client and server wherever the system puts them"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{platform.system()} on {platform.machine()}, {placed}, {python}"


if __name__ == "__main__":
    sys.exit(main())
