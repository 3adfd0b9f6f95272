"""Run a program on one core and tell what it cost: CPU and peak memory are the kernel's own count.

The server has the other core. This process sleeps meanwhile, and stays small: the kernel counts what a
program was before it became itself into its peak.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from benchmarks.figures import Figure

LONGEST: Final = 900.0
"""Seconds that one program may take."""

_KIB: Final = 1 if sys.platform == "darwin" else 1024
_SHOWN: Final = 2_000


class Failed(Exception):
    """A program did not do what it was to do."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost. `cpu`: seconds, user and system. `seconds`: on the wall. `peak`: bytes resident."""

    cpu: float
    seconds: float
    peak: int
    out: str


@dataclass(frozen=True, slots=True)
class Costs:
    """What several runs cost."""

    runs: Sequence[Cost]

    def cpu(self, rows: int) -> Figure:
        """CPU microseconds a row."""
        return Figure([run.cpu / rows * 1e6 for run in self.runs])

    def speed(self, rows: int) -> Figure:
        """Rows a second."""
        return Figure([rows / run.seconds for run in self.runs])

    def peak(self) -> Figure:
        """Megabytes resident, at most."""
        return Figure([run.peak / 1e6 for run in self.runs])


def cores() -> tuple[int | None, int | None]:
    """Choose a core for the client and another for the server; None where there is nothing to choose."""
    if sys.platform == "darwin":
        return None, None
    own = sorted(os.sched_getaffinity(0))
    return (own[0], own[1]) if len(own) > 1 else (None, None)


def pin(core: int | None) -> None:
    """Keep this process, and what it starts from now on, on one core."""
    if core is not None and sys.platform != "darwin":
        os.sched_setaffinity(0, {core})


def run(
    words: Sequence[str | Path],
    environ: Mapping[str, str] | None = None,
    accepted: Sequence[int] = (0,),
) -> Cost:
    """Run a program to its end. `Failed` when it ends with another code than those accepted, or takes too long."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = monotonic()
        process = subprocess.Popen(words, stdout=out, stderr=err, env={**os.environ, **(environ or {})})
        guard = threading.Timer(LONGEST, process.kill)
        guard.start()
        try:
            code, usage = _wait(process)
        finally:
            guard.cancel()
        seconds = monotonic() - began
        out.seek(0)
        if code not in accepted:
            err.seek(0)
            said = err.read()[-_SHOWN:].decode(errors="replace")
            raise Failed(f"{' '.join(map(str, words))}\nended with {code} after {seconds:.0f} s: {said}")
        return Cost(usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss * _KIB, out.read().decode())


def _wait(process: "subprocess.Popen[bytes]") -> tuple[int, resource.struct_rusage]:
    """Wait for a program; its own use and that of all that it waited for itself is one number."""
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage
