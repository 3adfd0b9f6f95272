"""What it costs when one attempt in ten fails, in all the ways in which attempts do."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.children import Failed
from benchmarks.figures import table
from benchmarks.inputs import Input
from benchmarks.ours import command
from benchmarks.watched import BATCH, rows_for, watch

RATE: Final = 200
REQUESTS: Final = 4_000
TIMEOUT: Final = 2
SHARE: Final = 0.1
_PAGE: Final = {"body": "<html>502 Bad Gateway</html>", "contentType": "text/html"}

FAULTS: Final[dict[str, dict[str, Any]]] = {
    "500": {"status": 500},
    "502 as a page": {"status": 502, **_PAGE},
    "503": {"status": 503},
    "500 when all is applied": {"status": 500, "applied": True},
    "closed before it is applied": {"drop": "before"},
    "closed after it is applied": {"drop": "after"},
    "half an answer": {"cut": 0.5},
    "no answer in time": {"late": 3 * TIMEOUT},
}


def faults(folder: Path, core: int | None, share: float) -> str:
    """Send to the sandbox, of which one attempt in ten fails."""
    source = rows_for(folder, round(REQUESTS * share))
    options = ("--rate", str(RATE), "--batch-size", str(BATCH), "--concurrency", "64", "--timeout", str(TIMEOUT))
    ledger = folder / "faults.ledger.ndjson"
    with _sandbox(folder, core, source) as url:
        run = watch(source, ledger, url, options)
    summary = run.summary
    if summary["updated"] != source.spec.rows:
        raise Failed(f"{summary['updated']:,} rows of {source.spec.rows:,} are updated: {summary}")
    attempts, best = summary["attempts"], source.best
    lines = [
        ("rows, all of them updated", f"{source.spec.rows:,}"),
        ("requests, at best", f"{best:,}"),
        ("attempts", f"{attempts:,}"),
        ("more than at best", f"{attempts / best - 1:+.1%}"),
        ("attempts that failed", f"{summary['retries'] / attempts:.1%}"),
        *((f"... {code}", f"{count:,}") for code, count in sorted(_troubles(ledger).items())),
        ("seconds", f"{run.seconds:.1f}"),
        ("requests ÷ rate", f"{best / RATE:.1f}"),
    ]
    note = f"One attempt in ten fails, evenly by: {', '.join(FAULTS)} ({TIMEOUT} s)."
    return f"{table((f'faults, at {RATE} a second', ''), lines)}\n\n{note}"


def _troubles(ledger: Path) -> Counter[str]:
    """Count what went wrong, by the program's own words for it."""
    with ledger.open("rb") as lines:
        found = (json.loads(text) for text in lines if text.startswith(b'{"type":"request"'))
        return Counter(f"{line['error']['code']}, HTTP {line.get('http', 'none')}" for line in found if "error" in line)


@contextmanager
def _sandbox(folder: Path, core: int | None, source: Input) -> Iterator[str]:
    """Serve the records of an input, with faults."""
    each = SHARE / len(FAULTS)
    rules = [
        # Asked one after the other: a later one has fewer attempts left to choose from.
        {"name": name, "match": {"chance": each / (1 - number * each)}, "act": act}
        for number, (name, act) in enumerate(FAULTS.items())
    ]
    path = folder / "faults.json"
    path.write_text(json.dumps({"seed": 1, "rules": rules}))
    words = [*command("sandbox", "--port", "0", "--seed", source.path, "--faults", path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            if core is not None and sys.platform != "darwin":
                os.sched_setaffinity(server.pid, {core})
            said = server.stdout.readline()
            if "http://" not in said:
                raise Failed(f"the sandbox did not begin: {said}")
            yield "http://" + said.partition("http://")[2].split(",")[0].strip()
        finally:
            server.terminate()
