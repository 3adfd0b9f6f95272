"""What gets through to a server that allows less than is asked of it, and how much is refused."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Final, Literal

from benchmarks.figures import table
from benchmarks.inputs import Input
from benchmarks.server import Throttle, open_server
from benchmarks.watched import BATCH, rows_for, watch

Kind = Literal["sliding", "fixed", "bucket"]

SETTLED: Final = 10.0
"""Seconds after which the pace should have found what is allowed."""

SECONDS: Final = 70.0
START: Final = 2.0
"""Seconds that a program may take to start; as many that start at once take as often as long."""

LONG_SECONDS: Final = 130.0
"""Where so few requests are let through that their shares need more time to tell."""

ALLOWED: Final = {2: 18, 10: 18, 50: 6, 400: 1, 2_000: 1}
"""Requests a second that the server lets through, and how many such runs go on at once: slow ones take no turns."""

LATENCIES: Final = (0.005, 0.05, 0.3)
KINDS: Final[tuple[Kind, ...]] = ("sliding", "fixed", "bucket")
REFUSED: Final = 429


@dataclass(frozen=True, slots=True)
class Case:
    """What a server allows, and how far away it is."""

    throttle: Throttle
    latency: float

    @property
    def seconds(self) -> float:
        """How long it is asked."""
        return LONG_SECONDS if self.throttle.allowed < 10 else SECONDS  # noqa: PLR2004 - a thousand requests tell


@dataclass(frozen=True, slots=True)
class Share:
    """`used`: of what is allowed. `refused`: of the attempts; at first, before the pace was found, and later."""

    case: Case
    used: float
    refused: float
    refused_at_first: float


def throttling(folder: Path, core: int | None, *, is_quick: bool) -> str:
    """Ask for five times what a server allows; tell what gets through once the pace has settled."""
    lines = []
    for allowed in ALLOWED:
        cases = list(_cases(allowed, is_quick=is_quick))
        found = _measure(folder, core, cases, ALLOWED[allowed])
        for kind, says_when in product(KINDS, (False, True)):
            shares = [
                share
                for share in found
                if (share.case.throttle.kind, share.case.throttle.says_when) == (kind, says_when)
            ]
            if shares:
                lines.append(_line(allowed, kind, shares, says_when=says_when))
    headers = ("allowed, counted by, says when", "latencies, ms", "used, of what is allowed", "refused", "at first")
    note = (
        f"Five times as much is asked for, for {SECONDS:g} s ({LONG_SECONDS:g} s below 10 a second). Used and refused "
        f"are the worst of all latencies, from second {SETTLED:g} on; at first: refused before that."
    )
    return f"{table(headers, lines)}\n\n{note}"


def _line(allowed: int, kind: Kind, shares: Sequence[Share], *, says_when: bool) -> tuple[str, ...]:
    return (
        f"{allowed:,} a second, {kind}{', Retry-After' if says_when else ''}",
        ", ".join(f"{share.case.latency * 1000:g}" for share in shares),
        f"{min(share.used for share in shares):.1%}",
        f"{max(share.refused for share in shares):.1%}",
        f"{max(share.refused_at_first for share in shares):.1%}",
    )


def _cases(allowed: int, *, is_quick: bool) -> Iterable[Case]:
    is_fast = ALLOWED[allowed] == 1
    latencies = (0.05,) if is_fast else LATENCIES
    if is_quick and (is_fast or allowed == 2):  # noqa: PLR2004 - they take longest
        return
    for latency, kind, says_when in product(latencies, KINDS, (False, True)):
        yield Case(Throttle(allowed, kind, says_when), latency)


def _measure(folder: Path, core: int | None, cases: Iterable[Case], at_once: int) -> list[Share]:
    shares: list[Share] = []
    cases = iter(cases)
    while batch := list(islice(cases, at_once)):
        first = batch[0]
        source = rows_for(folder, round(1.1 * first.throttle.allowed * (first.seconds + START * len(batch))))
        with ThreadPoolExecutor(at_once) as pool:
            longest = first.seconds + START * len(batch)
            runs = [pool.submit(_ask, folder, core, source, number, case, longest) for number, case in enumerate(batch)]
            shares += [run.result() for run in runs]
    return shares


def _ask(folder: Path, core: int | None, source: Input, number: int, case: Case, longest: float) -> Share:
    rate = case.throttle.allowed
    concurrency = min(1_000, round(5 * rate * case.latency) + 16)
    options = ("--rate", str(5 * rate), "--batch-size", str(BATCH), "--concurrency", str(concurrency))
    with open_server(latency=case.latency, throttle=case.throttle, cpu=core) as server:
        ledger = folder / f"throttled-{number}.ledger.ndjson"
        run = watch(source, ledger, server.url, options, stop_after=longest)
    begin = min(departure.left for departure in run.departures)
    first = [departure.status == REFUSED for departure in run.departures if departure.left < begin + SETTLED]
    later = [
        departure.status == REFUSED
        for departure in run.departures
        if begin + SETTLED <= departure.left < begin + case.seconds
    ]
    used = later.count(False) / (case.seconds - SETTLED) / rate
    return Share(case, used, later.count(True) / len(later), first.count(True) / len(first))
