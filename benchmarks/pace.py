"""Rates and push-back on real sockets: `python -m benchmarks.pace`.

A rate is kept when the server sees no more than that in any second, and used when it sees nearly as much. Where the
server allows less than is asked of it, what it allows should get through, and little be refused.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks.children import LONGEST, Failed, cores, pin
from benchmarks.figures import table
from benchmarks.inputs import Spec, make_input
from benchmarks.ours import KEYS, command, main_job
from benchmarks.readme import record
from benchmarks.server import Server, Statistics, open_server

BATCH: Final = 5
"""Rows a request: few, so that it is the pace that is seen."""

ORGANIZATIONS: Final = 10
RATES: Final = ((10, 200), (50, 600), (400, 4_000), (2_000, 20_000))
"""Requests a second, and how many are sent."""

LATENCIES: Final = (0.005, 0.05, 0.3)
ALLOWED: Final = (10, 50, 200)
"""Requests a second that the server lets through; five times as many are asked for."""

THROTTLED_SECONDS: Final = 45
SETTLED: Final = 10.0
"""Seconds after which the pace should have found what is allowed."""

LOOK: Final = 0.25


@dataclass(frozen=True, slots=True)
class Look:
    """What the server had seen at a time."""

    at: float
    seen: Statistics


def main() -> int:
    """Measure what is asked for; 1 when a program failed."""
    options = _parse()
    share = 0.25 if options.quick else 1.0
    client, other = cores()
    pin(client)
    said = []
    try:
        with tempfile.TemporaryDirectory(prefix="bulk-update-pace-") as folder:
            said.append(rates(Path(folder), other, share))
            print(f"{said[-1]}\n", flush=True)
            said.append(push_back(Path(folder), other, THROTTLED_SECONDS if share == 1 else 20))
            print(said[-1], flush=True)
    except Failed as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    if options.record:
        record({"pace": "\n\n".join(said)})
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pace", description="Measure rates on real sockets.")
    parser.add_argument("--quick", action="store_true", help="a quarter of the requests")
    parser.add_argument("--record", action="store_true", help="write what is found into README.md")
    return parser.parse_args()


def rates(folder: Path, core: int | None, share: float) -> str:
    """Send at several rates and latencies: what the server saw in its busiest second, and how long it took."""
    lines = []
    for (rate, requests), latency in product(RATES, LATENCIES):
        count = max(ORGANIZATIONS, round(requests * share) // ORGANIZATIONS * ORGANIZATIONS)
        with open_server(latency=latency, cpu=core) as server:
            seconds = _send(folder, server, count, rate, latency)
            seen = server.statistics()
        used = (seen.requests - 1) / rate / seen.span_seconds
        best = seen.requests / rate + latency
        lines.append(
            (
                f"{rate:,} a second, {latency * 1000:g} ms",
                f"{seen.requests:,}",
                f"{seen.busiest_second:,}",
                f"{used:.1%}",
                f"{seconds:.2f}",
                f"{best:.2f}",
                f"{seconds / best - 1:+.1%}",
            )
        )
    headers = ("--rate, latency", "requests", "busiest second", "of the rate used", "seconds", "at best", "above that")
    return table(headers, lines)


def _send(folder: Path, server: Server, requests: int, rate: int, latency: float) -> float:
    """Send so many requests; tell how many seconds the run took by its own account."""
    source = make_input(folder, Spec(BATCH * requests, ORGANIZATIONS, spread="turns", batch=BATCH))
    ledger = folder / "pace.ledger.ndjson"
    ledger.unlink(missing_ok=True)
    _, summary = main_job(source, ledger, server.url, _options(rate, math.ceil(rate * latency * 1.5) + 16))
    return float(summary["run_seconds"])


def _options(rate: int, concurrency: int) -> tuple[str, ...]:
    return ("--rate", str(rate), "--batch-size", str(BATCH), "--concurrency", str(min(1_000, concurrency)))


def push_back(folder: Path, core: int | None, seconds: int) -> str:
    """Ask for five times what the server allows; tell what gets through once the pace has settled."""
    lines = []
    for allowed in ALLOWED:
        with open_server(latency=0.02, allow=allowed, cpu=core) as server:
            looks = _watch(folder, server, allowed, seconds)
        first = next(look for look in looks if look.at >= looks[0].at + SETTLED)
        last = looks[-1]
        asked = last.seen.requests - first.seen.requests
        refused = last.seen.throttled - first.seen.throttled
        through = (asked - refused) / (last.at - first.at)
        lines.append(
            (
                f"{allowed:,} a second, asked for {5 * allowed:,}",
                f"{last.at - first.at:.0f}",
                f"{through:.1f}",
                f"{through / allowed:.1%}",
                f"{refused / asked:.1%}",
                f"{first.seen.throttled / first.seen.requests:.1%}",
            )
        )
    headers = (
        "allowed",
        "seconds",
        "through a second",
        "of what is allowed",
        "refused",
        f"refused in the first {SETTLED:g} s",
    )
    return table(headers, lines)


def _watch(folder: Path, server: Server, allowed: int, seconds: int) -> Sequence[Look]:
    """Run against a server that throttles; look at it now and then while there is enough to send."""
    requests = allowed * seconds // ORGANIZATIONS * ORGANIZATIONS
    source = make_input(folder, Spec(BATCH * requests, ORGANIZATIONS, spread="turns", batch=BATCH))
    ledger = folder / "throttled.ledger.ndjson"
    ledger.unlink(missing_ok=True)
    words = command("run", source.path, "--ledger", ledger, "--api-url", server.url, "--quiet")
    looks: list[Look] = []
    with subprocess.Popen([*words, *_options(5 * allowed, 64)], env={**os.environ, **KEYS}) as process:
        end = time.monotonic() + LONGEST
        while process.poll() is None and time.monotonic() < end:
            time.sleep(LOOK)
            look = Look(time.monotonic(), server.statistics())
            if look.seen.requests and look.seen.activities < 0.95 * source.spec.rows:
                looks.append(look)
        process.kill()
    if process.returncode or looks[-1].at < looks[0].at + 2 * SETTLED:
        raise Failed(f"the run at {5 * allowed} a second ended with {process.returncode}, after {len(looks)} looks")
    return looks


if __name__ == "__main__":
    sys.exit(main())
