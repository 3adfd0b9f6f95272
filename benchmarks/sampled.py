"""Where the time of the main job goes: its stages, by samples.

`python -m benchmarks.sampled OUT WORDS...` runs the program with these words and interrupts it after each millisecond
of CPU that it used; what it was doing then counts for a stage. Time in C counts for what called it.
"""

import json
import re
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from benchmarks.children import run
from benchmarks.figures import Figure, table
from benchmarks.inputs import Spec, make_input
from benchmarks.ours import KEYS
from benchmarks.server import Server

EVERY: Final = 0.001
"""Seconds of CPU between samples; the system may take them more seldom."""

STAGES: Final[Mapping[str, Sequence[str]]] = {
    "read a row and validate it": (
        "reading.",
        "edge/source/",
        "edge/rows.",
        "pure/ndjson.",
        "pure/activity.",
        "pure/refusals.",
    ),
    "sift and batch": (
        "pure/intake.",
        "pure/settled.",
        "edge/outbox.",
        "pure/batching.",
        "pure/group.",
        "pure/ready.",
        "pure/places.",
    ),
    "make bodies, judge answers": ("pure/wire.", "pure/answer_form."),
    "record: lines and seals": (
        "pure/ledger_",
        "pure/seals.",
        "edge/ledger.",
        "edge/sender/minutes.",
        "pure/doubts.",
        "edge/clock.",
    ),
    "count and release": ("edge/books.", "pure/tally."),
    "attempts, slots and pace": (
        "edge/sender/",
        "edge/gate.",
        "edge/pace.",
        "edge/stop.",
        "turns.",
        "pure/",
        "pipeline.",
    ),
    "HTTP": ("edge/transport.", "aiohttp/", "multidict/", "yarl/"),
    "event loop, selecting and writing included": ("asyncio/", "anyio/", "selectors.", "aiolimiter/"),
}
"""Whose files count for what; the first that fits."""

OTHER: Final = "start, and anything else"
_PLACES: Final = re.compile(r".*(?:/bulk_update/|/site-packages/|/lib/python[^/]*/)")


def stages(folder: Path, server: Server, *, rows: int, rounds: int) -> str:
    """Tell what share of the main job's CPU each stage takes."""
    source, ledger, out = make_input(folder, Spec(rows, max(1, rows // 1_000))), folder / "sampled", folder / "samples"
    shares: dict[str, list[float]] = {stage: [] for stage in (*STAGES, OTHER)}
    costs = []
    for _ in range(rounds):
        ledger.unlink(missing_ok=True)
        words = ("run", source.path, "--ledger", ledger, "--api-url", server.url, "--rate", "none", "--quiet")
        cost = run([sys.executable, "-m", "benchmarks.sampled", out, *words], KEYS)
        costs.append(cost.cpu / rows * 1e6)
        counts = json.loads(out.read_text())
        for stage, found in shares.items():
            found.append(counts.get(stage, 0) / sum(counts.values()))
    source.path.unlink()
    whole = Figure(costs).median
    lines = [
        (stage, Figure(found).words(0, 100), f"{Figure(found).median * whole:.2f}") for stage, found in shares.items()
    ]
    return table(("", "of the CPU, %", "us a row"), [*lines, ("all", "100", f"{whole:.2f}")])


def main() -> int:
    """Run the program, and write down what it was doing."""
    from bulk_update.cli import main as bulk_update

    counts: Counter[str] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        counts[stage_of(frame)] += 1

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        return bulk_update(sys.argv[2:])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(sys.argv[1]).write_text(json.dumps(counts))


def stage_of(frame: FrameType | None) -> str:
    """Name the stage of what is being done; what is imported is of the start."""
    while frame is not None:
        file = frame.f_code.co_filename
        if "importlib" in file:
            return OTHER
        name = _PLACES.sub("", file)
        for stage, files in STAGES.items():
            if name.startswith(tuple(files)):
                return stage
        frame = frame.f_back
    return OTHER


if __name__ == "__main__":
    sys.exit(main())
