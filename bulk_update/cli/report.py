"""`report`: what happened, from the ledger alone."""

import argparse
import json
from pathlib import Path

from bulk_update.cli.streams import give, safe
from bulk_update.cli.words import describe_failures
from bulk_update.edge.ledger import open_ledger_for_reading
from bulk_update.errors import LedgerError
from bulk_update.model import Status
from bulk_update.pure.ledger_state import LedgerState


def report(options: argparse.Namespace) -> int:
    """Tell what the ledger holds; 0."""
    state = LedgerState()
    path = Path(options.ledger)
    with open_ledger_for_reading(path) as file:
        file.read(state.fold)
    if state.run is None:
        raise LedgerError(f"{path} holds no run")
    counts = {status.value: rows for status, rows in state.settled.counts().items() if rows}
    facts: dict[str, object] = {
        "ledger": str(path),
        "inputs": state.run.inputs,
        "api": state.run.api,
        "rows": len(state.settled),
        "counts": counts,
        "in_doubt": sum(not state.settled.has(key) for key in state.doubtful_keys()),
        "requests": state.requests,
        "attempts": state.attempts,
        "seconds": round(state.seconds, 3),
        "complete": state.complete,
        "failures": state.tally.describe_failures(),
    }
    give(json.dumps(facts, ensure_ascii=False) if options.json else _describe(state, path))
    return 0


def _describe(state: LedgerState, path: Path) -> str:
    assert state.run is not None
    counts = state.settled.counts()
    told = ", ".join(f"{counts.get(status, 0):,} {status.value}" for status in Status if counts.get(status))
    attempts = f" ({state.attempts:,} attempts)" if state.attempts != state.requests else ""
    lines = [
        f"{path}: {', '.join(safe(name) for name in state.run.inputs)} to {state.run.api}",
        f"{len(state.settled):,} rows: {told or 'none has a result'}",
        f"{state.requests:,} requests{attempts}, {state.seconds:.1f} s",
        "the input was read to its end" if state.complete else "the input was not read to its end",
    ]
    lines += describe_failures(state.tally.describe_failures())
    return "\n".join(lines)
