"""The update server that benchmarks run against: written in C, so that the client is what is measured.

with open_server(latency=0.1) as server:
    ...  # point the client at server.url
    print(server.statistics())
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Literal

SOURCE = Path(__file__).with_name("server.c")
COMPILE = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the server saw.

    `refused`: what was no update. `throttled`: what was more than is allowed. `busiest_second`: requests in
    a sliding second, at most, throttled ones included. `span_seconds`: from the first request to the last.
    `cpu_seconds`: what it cost the server.
    """

    requests: int
    activities: int
    bytes: int
    connections: int
    refused: int
    throttled: int
    busiest_second: int
    span_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `url` is its base URL, without a slash at its end."""

    url: str
    pid: int

    def statistics(self) -> Statistics:
        """Ask the server what it saw."""
        with closing(HTTPConnection(self.url.removeprefix("http://"), timeout=10)) as connection:
            connection.request("GET", "/stats")
            return Statistics(**json.load(connection.getresponse()))


@dataclass(frozen=True, slots=True)
class Throttle:
    """What a server lets through: `allowed` requests in a second, counted as `kind` says.

    `sliding`: any second. `fixed`: each second of its clock. `bucket`: of tokens, a second's worth at most.
    `says_when`: what is refused is told with Retry-After when to come again.
    """

    allowed: int
    kind: Literal["sliding", "fixed", "bucket"] = "sliding"
    says_when: bool = False

    def words(self) -> list[str]:
        """Say it on the server's command line."""
        return ["--allow", str(self.allowed), "--throttle", self.kind, "--says-when", str(int(self.says_when))]


@contextmanager
def open_server(
    *, latency: float = 0, throttle: Throttle | None = None, port: int = 0, cpu: int | None = None
) -> Iterator[Server]:
    """Serve on loopback until the block ends, compiled first where it is not yet.

    `latency`: seconds from a whole request to its answer. `throttle`: beyond it the answer is 429.
    `port`: 0 for any that is free. `cpu`: the one CPU that it may run on. Raises RuntimeError without a C
    compiler, CalledProcessError when it does not compile or start.
    """
    words = [str(compiled()), "--port", str(port), "--latency-ms", str(latency * 1000)]
    words += throttle.words() if throttle is not None else []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise subprocess.CalledProcessError(process.wait(), words)
            if cpu is not None:
                os.sched_setaffinity(process.pid, {cpu})
            yield Server(url, process.pid)
        finally:
            process.terminate()


def compiled() -> Path:
    """Return the path of the compiled server; compile it once for each version of its source."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise RuntimeError("no C compiler found: install one, or name it in CC")
    version = hashlib.sha256(" ".join((compiler, *COMPILE)).encode() + SOURCE.read_bytes()).hexdigest()[:16]
    path = _cache() / f"server-{version}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            fresh = Path(folder) / "server"
            subprocess.run([compiler, *COMPILE, "-o", fresh, SOURCE], check=True)
            # Complete or absent, whoever else compiles at the same time.
            fresh.replace(path)
    return path


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bulk_update" / "benchmarks"
