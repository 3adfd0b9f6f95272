"""Who takes turns: our jobs, and the rivals that can be had here."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.children import Cost, Failed, run
from benchmarks.inputs import Input, Spec, make_bodies, make_input
from benchmarks.ours import KEYS, check, command, main_job

RIVALS: Final = Path(__file__).with_name("rivals")
ENVIRONMENT: Final = Path(__file__).parents[1] / "build" / "elasticsearch"

MAIN: Final = "main job"
SCRIPT: Final = "script: aiohttp, json, semaphore, gather"


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to be run each round. `source`: what it works on. `sends`: it updates all rows of that."""

    label: str
    source: Input
    run: Callable[[], Cost]
    sends: bool = True


@dataclass(frozen=True, slots=True)
class Field:
    """What the contenders work on; those that are slow have fewer rows of the same kind."""

    folder: Path
    url: str
    full: Input
    csv: Input
    medium: Input
    few: Input


def open_field(folder: Path, url: str, rows: int) -> Field:
    """Make the inputs: 1,000 rows an organization, or all of one."""
    spec = Spec(rows, max(1, rows // 1_000))
    few = [Spec(part, max(1, part // 1_000)) for part in (rows // 5, max(1_000, rows // 100))]
    specs = (spec, replace(spec, form="csv"), *few)
    return Field(folder, url, *[make_input(folder, each) for each in specs])


def our_jobs(field: Field) -> list[Contender]:
    """List what the program does, in an order in which each finds the ledger that it needs."""
    full, table, ledger = field.full, field.csv, field.folder / "main.ledger.ndjson"

    def begin(source: Input, path: Path) -> Cost:
        path.unlink(missing_ok=True)
        return main_job(source, path, field.url)[0]

    return [
        Contender(MAIN, full, lambda: begin(full, ledger)),
        Contender("main job, the same rows as CSV", table, lambda: begin(table, ledger.with_suffix(".csv"))),
        Contender("check", full, lambda: check(full), sends=False),
        Contender("resume of a finished ledger", full, lambda: main_job(full, ledger, field.url)[0], sends=False),
        Contender("report", full, lambda: run(command("report", ledger)), sends=False),
        Contender("failures", full, lambda: run(command("failures", ledger)), sends=False),
    ]


def rivals(field: Field) -> tuple[list[Contender], list[str]]:
    """List the rivals; those that cannot be had are told of instead."""
    bodies, single = make_bodies(field.full), make_bodies(field.few, batch=1)
    found = [
        _rival("floor: ready bodies, bare protocol", field, field.full, "load_generator.py", bodies),
        _rival(SCRIPT, field, field.full, "script.py"),
        _rival("OpenAI cookbook, batched beforehand", field, field.full, "cookbook.py", bodies),
        _rival("OpenAI cookbook, a row a request", field, field.few, "cookbook.py", single),
    ]
    missing = []
    python = elasticsearch_python()
    if python is not None:
        label = "elasticsearch-py, async_streaming_bulk"
        found.append(_rival(label, field, field.medium, "elasticsearch_bulk.py", python=python))
    else:
        missing.append("elasticsearch-py: its environment cannot be made under build/")
    absent = [name for name in ("parallel", "jq", "curl") if shutil.which(name) is None]
    if not absent:
        found.append(_rival("GNU parallel, jq, curl", field, field.few, "parallel_curl.sh", python=Path("/bin/sh")))
    else:
        missing.append(f"GNU parallel with jq and curl: there is no {' and no '.join(absent)} here")
    return found, missing


def _rival(
    label: str, field: Field, source: Input, file: str, requests: Path | None = None, *, python: Path | None = None
) -> Contender:
    """Let a rival update the rows of an input, which it is given as they are or as ready `requests`."""
    results = field.folder / "rival.results"
    words: list[str | Path] = [python or sys.executable, RIVALS / file, field.url, requests or source.path, results]

    def update() -> Cost:
        results.unlink(missing_ok=True)
        cost = run(words, KEYS)
        if int(cost.out) != source.spec.rows:
            raise Failed(f"{label}: {cost.out.strip()} rows of {source.spec.rows:,} are updated")
        return cost

    return Contender(label, source, update)


def elasticsearch_python() -> Path | None:
    """Find the interpreter of the environment that has elasticsearch-py, which is made when there is none."""
    python, needed = ENVIRONMENT / "bin" / "python", RIVALS / "elasticsearch_bulk.txt"
    stamp = ENVIRONMENT / "installed.txt"
    if stamp.exists() and stamp.read_text() == needed.read_text():
        return python
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            needed,
        ]
        subprocess.run(install, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError):
        return None
    stamp.write_text(needed.read_text())
    return python
