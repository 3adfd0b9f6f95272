"""Our jobs and what others would use instead, a row each of one table.

All take turns, round by round, against one server. A ratio is taken within its round, so that what slows the machine
down for a while cancels out. That all rows were updated is asked of the server as well.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import Cost, Costs, Failed
from benchmarks.contenders import MAIN, SCRIPT, Contender, open_field, our_jobs, rivals
from benchmarks.figures import Figure, digits_for, table
from benchmarks.server import Server

HEADERS = ("", "rows", "CPU us a row", "of the script's", "of the main job's", "rows a second", "peak MB", "requests")


@dataclass(frozen=True, slots=True)
class Result:
    """What a contender showed. `requests`: of one run."""

    contender: Contender
    costs: Costs
    requests: int

    @property
    def cpu(self) -> Figure:
        """CPU microseconds a row."""
        return self.costs.cpu(self.contender.source.spec.rows)


def contest(folder: Path, server: Server, *, rows: int, rounds: int) -> str:
    """Let all take turns; return the table, and what is not in it."""
    field = open_field(folder, server.url, rows)
    others, missing = rivals(field)
    contenders = [*our_jobs(field), *others]
    runs: dict[str, list[Cost]] = {contender.label: [] for contender in contenders}
    requests: dict[str, int] = {}
    for number in range(1, rounds + 1):
        for contender in contenders:
            print(f"\r  round {number} of {rounds}: {contender.label:50}", end="", file=sys.stderr, flush=True)
            cost, requests[contender.label] = take_turn(contender, server)
            runs[contender.label].append(cost)
    print("\r" + " " * 80, end="\r", file=sys.stderr)
    results = {each.label: Result(each, Costs(runs[each.label]), requests[each.label]) for each in contenders}
    lines = [describe(result, results) for result in results.values()]
    return "\n".join([table(HEADERS, lines), *(f"\n**Not measured**: {reason}." for reason in missing)])


def take_turn(contender: Contender, server: Server) -> tuple[Cost, int]:
    """Run a contender once; tell how many requests it took."""
    before = server.statistics()
    cost = contender.run()
    after = server.statistics()
    updated = after.activities - before.activities
    if updated != contender.source.spec.rows * contender.sends:
        raise Failed(f"{contender.label}: the server saw {updated:,} rows of {contender.source.spec.rows:,}")
    return cost, after.requests - before.requests


def describe(result: Result, results: Mapping[str, Result]) -> Sequence[str]:
    """Write the row of a contender."""
    source, cpu = result.contender.source, result.cpu
    fewest = f"{result.requests / source.best:.3g} x {source.best:,}" if result.contender.sends else "none"
    return (
        result.contender.label,
        f"{source.spec.rows:,}",
        cpu.words(digits_for(cpu.median)),
        _ratio(cpu.against(results[SCRIPT].cpu)),
        _ratio(cpu.against(results[MAIN].cpu)),
        f"{result.costs.speed(source.spec.rows).median:,.0f}",
        f"{result.costs.peak().median:,.0f}",
        fewest,
    )


def _ratio(figure: Figure) -> str:
    return figure.words(digits_for(figure.median))
