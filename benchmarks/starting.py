"""What a person waits for before anything happens, against an interpreter that does nothing."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.children import Cost, run
from benchmarks.figures import Figure, table
from benchmarks.ours import command

BARE: Final = "python -c pass"
CASES: Final[dict[str, Sequence[str | Path]]] = {
    BARE: [sys.executable, "-c", "pass"],
    "bulk-update --help": command("--help"),
    "bulk-update run --help": command("run", "--help"),
    "import bulk_update": [sys.executable, "-c", "import bulk_update"],
    "from bulk_update import update": [sys.executable, "-c", "from bulk_update import update"],
    "all that check imports": [sys.executable, "-c", "import bulk_update.cli.check"],
    "all that the main job imports": [sys.executable, "-c", "import bulk_update.cli.run"],
}


def starting(rounds: int) -> str:
    """Measure how long it takes to start."""
    runs: dict[str, list[Cost]] = {label: [] for label in CASES}
    for _ in range(rounds):
        for label, words in CASES.items():
            runs[label].append(run(words))
    waits = {label: Figure([cost.seconds for cost in costs]) for label, costs in runs.items()}
    cpu = {label: Figure([cost.cpu for cost in costs]) for label, costs in runs.items()}
    lines = [
        (
            label,
            waits[label].words(0, 1e3),
            f"{(waits[label].median - waits[BARE].median) * 1e3:+.0f}",
            cpu[label].words(0, 1e3),
            f"{(cpu[label].median - cpu[BARE].median) * 1e3:+.0f}",
        )
        for label in CASES
    ]
    return table(("", "milliseconds", "above bare Python", "of CPU", "above bare Python"), lines)
