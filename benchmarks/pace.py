"""Rates, push-back and faults on real sockets: `python -m benchmarks.pace`.

A rate is kept when no more than that leaves, and arrives, in any second, and used when nearly as much does. Where
the server allows less than is asked of it, what it allows should get through, and little be refused. Where one
attempt in ten fails, every row should end right, for few more attempts than if none did.
"""

import argparse
import math
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks.children import Failed, cores, pin
from benchmarks.faults import faults
from benchmarks.figures import table
from benchmarks.readme import record
from benchmarks.server import Statistics, open_server
from benchmarks.throttling import throttling
from benchmarks.watched import BATCH, Departure, Watched, core_wait, rows_for, watch

RATES: Final = ((10, 100), (50, 500), (400, 4_000), (2_000, 20_000))
"""Requests a second, and how many are sent: for ten seconds."""

LATENCIES: Final = (0.005, 0.05, 0.3)
QUIET: Final = 0.01
"""Share of the time that client and server may wait for a core, for the machine to count as quiet."""

ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Round:
    """One run at a rate. `busy`: the share of the time that client or server waited for a core."""

    run: Watched
    seen: Statistics
    busy: float


def main() -> int:
    """Measure what is asked for; 1 when a program failed."""
    options = _parse()
    client, other = cores()
    pin(client)
    share = 0.25 if options.quick else 1.0
    said = []
    try:
        with tempfile.TemporaryDirectory(prefix="bulk-update-pace-") as name:
            folder = Path(name)
            parts: Mapping[str, Callable[[], str]] = {
                "rates": lambda: rates(folder, other, share),
                "throttling": lambda: throttling(folder, other, is_quick=options.quick),
                "faults": lambda: faults(folder, other, share),
            }
            for part in options.only or parts:
                said.append(parts[part]())
                print(f"{said[-1]}\n", flush=True)
    except Failed as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    if options.record:
        record({"pace": "\n\n".join(said)})
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pace", description="Measure rates on real sockets.")
    parser.add_argument("--quick", action="store_true", help="a rough look, of seven minutes")
    parser.add_argument("--only", action="append", choices=("rates", "throttling", "faults"), help="(repeatable)")
    parser.add_argument("--record", action="store_true", help="write what is found into README.md; not with --only")
    options = parser.parse_args()
    if options.record and options.only:
        parser.error("--record writes all parts, and --only measures some")
    return options


def rates(folder: Path, core: int | None, share: float) -> str:
    """Send at several rates and latencies: how much left and arrived in the busiest second, and how long it took."""
    lines, loud = [], 0
    for (rate, requests), latency in product(RATES, LATENCIES):
        best = _quietest(partial(_round, folder, core, rate, round(requests * share), latency))
        seen, ideal = best.seen, best.seen.requests / rate + latency
        loud += best.busy > QUIET
        lines.append(
            (
                f"{rate:,} a second, {latency * 1000:g} ms",
                f"{seen.requests:,}",
                f"{_busiest_second(best.run.departures):,}",
                f"{seen.busiest_second:,}",
                f"{(seen.requests - 1) / rate / seen.span_seconds:.1%}",
                f"{best.run.seconds:.2f}",
                f"{ideal:.2f}",
                f"{best.run.seconds / ideal - 1:+.1%}",
                f"{best.busy:.1%}",
            )
        )
    headers = (
        "--rate, latency",
        "requests",
        "most left in a second",
        "most arrived",
        "of the rate used",
        "seconds",
        "requests ÷ rate + latency",
        "above that",
        "machine late",
    )
    note = (
        f"Each is the first of up to {ROUNDS} rounds in which client and server waited for a core for less than "
        f"{QUIET:.0%} of the time (`machine late`), or the one with the least "
        f"of it; {loud} of {len(lines)} had no quiet round."
    )
    return f"{table(headers, lines)}\n\n{note}"


def _quietest(measure: Callable[[], Round]) -> Round:
    rounds: list[Round] = []
    while len(rounds) < ROUNDS and not any(found.busy <= QUIET for found in rounds):
        rounds.append(measure())
    return min(rounds, key=lambda found: found.busy)


def _round(folder: Path, core: int | None, rate: int, requests: int, latency: float) -> Round:
    concurrency = min(1_000, math.ceil(rate * latency * 1.5) + 16)
    options = ("--rate", str(rate), "--batch-size", str(BATCH), "--concurrency", str(concurrency))
    with open_server(latency=latency, cpu=core) as server:
        run = watch(rows_for(folder, requests), folder / "pace.ledger.ndjson", server.url, options)
        seen, late = server.statistics(), core_wait(server.pid)
    return Round(run, seen, max(run.waited, late) / run.seconds)


def _busiest_second(departures: Iterable[Departure]) -> int:
    """Count the most that left in any half-open second."""
    times, most = deque[float](), 0
    for time in sorted(departure.left for departure in departures):
        times.append(time)
        while times[0] <= time - 1.0:
            times.popleft()
        most = max(most, len(times))
    return most


if __name__ == "__main__":
    sys.exit(main())
