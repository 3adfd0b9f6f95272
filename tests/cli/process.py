"""The command line as a process: words and an environment in; an exit code, two streams and its memory out."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from tests.runs import KEY, TOKEN

ROOT: Final = Path(__file__).parents[2]
CREDENTIALS: Final = {"VELT_API_KEY": KEY, "VELT_AUTH_TOKEN": TOKEN}

LONGEST: Final = 60
"""Seconds that a process may take, on a machine that has much else to do."""

_STARTER: Final = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(f"\\n{status} {usage.ru_maxrss}", end="")
"""

_UNSEEMLY: Final = ("Traceback", "Warning:", "never retrieved", "never awaited", "Exception ignored")


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended. `peak`: bytes of memory that it held at most."""

    code: int
    out: str
    err: str
    peak: int = 0

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output. AssertionError when there is anything else."""
        assert self.out.count("\n") == 1, self.out
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make an environment in which nothing of the caller's shows through; warnings come out."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    tested = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    return kept | tested | (CREDENTIALS if extra is None else dict(extra))


def command(*words: str | Path) -> list[str]:
    """Put the interpreter before the words."""
    return [sys.executable, "-m", "bulk_update", *map(str, words)]


def seemly(ended: Ended) -> Ended:
    """Check what must hold of whatever was said: no secret, no traceback, no warning."""
    said = ended.out + ended.err
    assert KEY not in said
    assert TOKEN not in said
    for word in _UNSEEMLY:
        assert word not in ended.err, ended.err
    return ended


async def run(
    *words: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Ended:
    """Run the command line to its end. `env`: beyond the least that is needed [credentials]."""
    async with running(*words, env=env, cwd=cwd) as process, asyncio.timeout(LONGEST):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return seemly(Ended(process.returncode, out.decode(), err.decode()))


@asynccontextmanager
async def running(
    *words: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command line while the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *command(*words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(env),
        cwd=cwd,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def end(process: asyncio.subprocess.Process) -> Ended:
    """Wait for a process that is running."""
    async with asyncio.timeout(LONGEST):
        out, err = await process.communicate()
    assert process.returncode is not None
    return seemly(Ended(process.returncode, out.decode(), err.decode()))


async def run_measured(*words: str | Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run the command line to its end, and tell its peak memory."""
    return await asyncio.to_thread(_run_measured, command(*words), environment(env))


def _run_measured(words: list[str], env: Mapping[str, str]) -> Ended:
    """Let a small process start it and wait for it: a child's peak begins with the memory of who starts it."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        starter = subprocess.Popen(
            [sys.executable, "-S", "-c", _STARTER, *words],
            stdin=subprocess.PIPE, stdout=out, stderr=err, env=env, text=True,
        )  # fmt: skip
        starter.communicate()
        for stream in (out, err):
            stream.seek(0)
        said, _, measured = out.read().rpartition("\n")
        status, peak = map(int, measured.split())
        unit = 1 if sys.platform == "darwin" else 1024
        return seemly(Ended(os.waitstatus_to_exitcode(status), said, err.read(), peak * unit))
