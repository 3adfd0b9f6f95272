"""What is measured: the program as a user starts it, by its command line."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.children import Cost, Failed, run
from benchmarks.inputs import Input

KEYS: Final = {"VELT_API_KEY": "benchmark", "VELT_AUTH_TOKEN": "benchmark"}


def command(verb: str, *words: str | Path) -> list[str | Path]:
    """Name the program and what it is to do."""
    return [sys.executable, "-m", "bulk_update", verb, *words]


def main_job(source: Input, ledger: Path, url: str, options: Sequence[str] = ()) -> tuple[Cost, dict[str, Any]]:
    """Update all rows of an input; give the summary too. A ledger that is there is gone on with."""
    words = command("run", source.path, "--ledger", ledger, "--api-url", url, "--json", "--quiet")
    cost = run([*words, *(options or ("--rate", "none"))], KEYS)
    summary: dict[str, Any] = json.loads(cost.out)
    if summary["updated"] != source.spec.rows:
        raise Failed(f"{summary['updated']:,} rows of {source.spec.rows:,} are updated: {summary}")
    return cost, summary


def check(source: Input) -> Cost:
    """Read and validate all rows of an input."""
    cost = run([*command("check", source.path), "--json"], KEYS)
    found = json.loads(cost.out)
    if found["valid"] != source.spec.rows or found["requests"] != source.best:
        raise Failed(f"{source.spec.rows:,} rows in {source.best:,} requests were expected: {found}")
    return cost
