"""Runs at a given pace, watched from both ends: when requests left, when they arrived, and how late the machine was.

Where a machine has other things to do, a program that is ready has to wait for a core. The kernel counts that, so
that what the machine delays can be told from what the program does.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.children import LONGEST, Failed
from benchmarks.inputs import Input, Spec, make_input
from benchmarks.ours import KEYS, command

BATCH: Final = 1
"""Rows a request: so few that it is the pace that is seen."""

ORGANIZATIONS: Final = 10


@dataclass(frozen=True, slots=True)
class Departure:
    """An attempt: when it left, when its answer was there, and the HTTP status of that, 0 where there was none."""

    left: float
    answered: float
    status: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A run. `waited`: seconds for which the program was ready to go on and had no core."""

    summary: dict[str, Any]
    departures: Sequence[Departure]
    waited: float

    @property
    def seconds(self) -> float:
        """How long it took, by its own account."""
        return float(self.summary["run_seconds"])


def rows_for(folder: Path, requests: int) -> Input:
    """Make rows for so many requests."""
    requests = max(1, requests // ORGANIZATIONS) * ORGANIZATIONS
    return make_input(folder, Spec(BATCH * requests, ORGANIZATIONS, spread="turns", batch=BATCH))


def watch(source: Input, ledger: Path, url: str, options: Sequence[str], stop_after: float | None = None) -> Watched:
    """Run the main job to its end, or interrupt it after so many seconds; `Failed` when it ends badly."""
    ledger.unlink(missing_ok=True)
    words = command("run", source.path, "--ledger", ledger, "--api-url", url, "--json", "--quiet")
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([*words, *options], stdout=out, env={**os.environ, **KEYS})
        guard = threading.Timer(LONGEST, process.kill)
        stop = threading.Timer(LONGEST if stop_after is None else stop_after, process.terminate)
        guard.start()
        stop.start()
        try:
            waited = _wait(process)
        finally:
            guard.cancel()
            stop.cancel()
        out.seek(0)
        said = out.read()
    if process.returncode not in ((0,) if stop_after is None else (0, 143)):
        raise Failed(f"{' '.join(map(str, words))}\nended with {process.returncode}")
    return Watched(json.loads(said), list(departures(ledger)), waited)


def core_wait(pid: int) -> float:
    """Tell the seconds for which a process was ready to go on and had no core; 0 where that cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def departures(ledger: Path) -> Iterable[Departure]:
    """Read from a ledger when requests left: to the millisecond, by the program's own clock."""
    with ledger.open("rb") as lines:
        for text in lines:
            if text.startswith(b'{"type":"request"'):
                line = json.loads(text)
                if line["attempt"]:
                    answered = datetime.fromisoformat(line["time"]).timestamp()
                    yield Departure(answered - line["ms"] / 1000, answered, line.get("http") or 0)


def _wait(process: "subprocess.Popen[bytes]") -> float:
    """Wait for a process; tell how long it waited for a core."""
    if sys.platform == "linux":
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    waited = core_wait(process.pid)
    process.wait()
    return waited
