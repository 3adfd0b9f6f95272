"""What a row costs as there are more rows, and as they belong to more organizations. It should be the same.

By rows: always of 10 organizations, so that nothing else changes. By organizations: batches of 10, so that 1,000,000
rows take 100,000 requests whether there is one organization or as many as that; they come in turns, so that with many
of them nearly all rows must wait. What the first requests cost is subtracted: start, connections, code that warms up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

from benchmarks.chart import Panel, draw, short
from benchmarks.children import Cost
from benchmarks.figures import Figure, counted, table
from benchmarks.inputs import Input, Spec, make_input
from benchmarks.ours import main_job
from benchmarks.server import Server

SMALL_BATCH: Final = 10
FEW_ORGANIZATIONS: Final = 10
FIRST: Final = 1_600
"""Rows of the first requests: one for each that is in flight."""

STARTS: Final = 15
"""Runs that a figure is the mean of, at most."""

MEASURABLE: Final = 200_000
"""Rows that a figure should rest on: few of them cost less than what it costs to start varies by."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Microseconds a row."""

    rows: Sequence[tuple[int, Figure]]
    organizations: Sequence[tuple[int, Figure]]
    organization_rows: int

    def words(self) -> str:
        """Write both as tables."""
        parts = []
        for title, points in (("row", self.rows), ("organization", self.organizations)):
            middle = Figure([figure.median for _, figure in points]).median
            lines = [
                (counted(number, title), figure.words(), f"{(figure.median / middle - 1) * 100:+.0f} %")
                for number, figure in points
            ]
            parts.append(table(("", "CPU us a row", "off the middle"), lines))
        return "\n\n".join(parts)

    def picture(self) -> str:
        """Draw both."""
        up = "CPU microseconds a row, without the first requests"
        by_organizations = f"{short(self.organization_rows)} rows, {SMALL_BATCH} a request"
        return draw(
            [
                Panel(f"{FEW_ORGANIZATIONS} organizations, 100 a request", "rows", up, self.rows),
                Panel(by_organizations, "organizations", up, self.organizations),
            ]
        )


def scaling(folder: Path, server: Server, *, most_rows: int, most_organizations: int, rounds: int) -> Curves:
    """Measure both curves."""
    by_rows = [Spec(rows, FEW_ORGANIZATIONS) for rows in _decades(10_000, most_rows)]
    rows = SMALL_BATCH * most_organizations
    by_organizations = [
        Spec(rows, organizations, spread="turns", batch=SMALL_BATCH) for organizations in _powers(most_organizations)
    ]
    return Curves(
        [(spec.rows, cost) for spec, cost in _costs(folder, server, by_rows, rounds)],
        [(spec.organizations, cost) for spec, cost in _costs(folder, server, by_organizations, rounds)],
        rows,
    )


def _costs(folder: Path, server: Server, specs: Sequence[Spec], rounds: int) -> Sequence[tuple[Spec, Figure]]:
    """Let all sizes take turns, so that a machine that slows down meanwhile bends no curve."""
    first, *sources = [make_input(folder, spec) for spec in (Spec(FIRST, FEW_ORGANIZATIONS), *specs)]
    found = []
    for _ in range(rounds):
        start = _cost(first, folder, server)
        costs = [_cost(source, folder, server) - start for source in sources]
        found.append([cost / (spec.rows - FIRST) * 1e6 for cost, spec in zip(costs, specs, strict=True)])
    for source in (first, *sources):
        source.path.unlink()
    return [(spec, Figure(costs)) for spec, costs in zip(specs, zip(*found, strict=True), strict=True)]


def _cost(source: Input, folder: Path, server: Server) -> float:
    """Measure the CPU seconds of a run, of several where it is short."""
    times = min(STARTS, max(1, MEASURABLE // source.spec.rows))
    return fmean(_run(source, folder, server).cpu for _ in range(times))


def _run(source: Input, folder: Path, server: Server) -> Cost:
    ledger = folder / "scaling.ledger.ndjson"
    ledger.unlink(missing_ok=True)
    options = ("--rate", "none", "--batch-size", str(source.spec.batch))
    return main_job(source, ledger, server.url, options)[0]


def _decades(first: int, last: int) -> list[int]:
    """List 1 and 3 of each power of ten, from the first to the last."""
    numbers = [10**power * factor for power in range(10) for factor in (1, 3)]
    return [number for number in numbers if first <= number <= last]


def _powers(last: int) -> list[int]:
    return [10**power for power in range(10) if 10**power <= last]
