"""The scaffolding holds what it promises: make, CI, the locks, the console script, no traces of a machine."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from bulk_update.version import VERSION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
LOCKED = re.compile(r"(?P<name>[a-z0-9-]+)==[^ ]+( ; [^\\]+?)?( --hash=sha256:[0-9a-f]{64})+")

# Put together here, so that this file does not hold what it looks for.
MACHINE_PATHS = [f"/{folder}/".encode() for folder in ("work", "root")]
LEFT_BEHIND = {"build", "dist", "node_modules", "__pycache__"}


def name_of(requirement: str) -> str:
    """Return the normalized name at the head of a requirement."""
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def requirements_in(lock: Path) -> list[str]:
    """Return the requirements of a lock file, each on one line, without comments."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [re.sub(r" +", " ", line).strip() for line in joined.splitlines() if line.strip()]


def own_files() -> Iterator[Path]:
    """Yield the project's own files: not what tools and runs leave behind."""
    for folder, folders, files in os.walk(ROOT):
        hidden = {name for name in folders if name.startswith(".") and name != ".ci"}
        folders[:] = [f for f in folders if f not in hidden | LEFT_BEHIND and not f.endswith(".egg-info")]
        yield from (Path(folder, file) for file in files if not file.endswith(".ledger.ndjson"))


def test_bare_make_lists_each_target_with_its_help() -> None:
    make = shutil.which("make")
    assert make is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    listed = subprocess.run(
        [make, "--no-print-directory"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    helps = dict(re.findall(r"^  ([a-z]+) +(\S.*)$", listed.stdout, re.MULTILINE))
    assert {"setup", "demo", "test", "check", "bench", "simulate", "mutants", "lock", "clean"} <= set(targets)
    assert list(helps) == targets


def test_ci_is_executable_and_runs_the_checks_and_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert [line for line in lines if line.startswith("make ")] == ["make check", "make test"]


def test_there_is_a_lock_for_running_and_one_for_developing() -> None:
    assert [lock.name for lock in LOCKS] == ["core.txt", "dev.txt", "velt-py.txt"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    requirements = requirements_in(lock)
    assert requirements
    assert [line for line in requirements if not LOCKED.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_index_host_or_path(lock: Path) -> None:
    text = lock.read_text()
    assert re.findall(r"://|index-url|find-links|trusted-host|file:|@ ", text) == []


@pytest.mark.parametrize(("lock", "extras"), [("core.txt", ["zst"]), ("dev.txt", ["zst", "dev"])])
def test_a_lock_holds_what_the_project_declares(lock: str, extras: list[str]) -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    optional = [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    declared = {name_of(line) for line in [*PROJECT["dependencies"], *optional, *build]}
    locked = {name_of(line) for line in requirements_in(ROOT / "requirements" / lock)}
    assert declared - locked == set()


def test_both_locks_agree() -> None:
    core, dev = (dict(line.split(" ")[0].split("==") for line in requirements_in(lock)) for lock in LOCKS[:2])
    assert {name: dev.get(name) for name in core} == core


def test_no_file_holds_a_path_of_a_machine() -> None:
    holds = [f for f in own_files() if any(path in f.read_bytes() for path in MACHINE_PATHS)]
    assert holds == []


def test_the_console_script_resolves() -> None:
    (script,) = entry_points(group="console_scripts", name="bulk-update")
    assert script.value == PROJECT["scripts"]["bulk-update"]
    assert callable(script.load())


def test_the_version_is_the_same_everywhere() -> None:
    latest = re.search(r"^## \[([0-9.]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert latest is not None
    assert PROJECT["version"] == VERSION == latest[1]


def test_types_are_shipped() -> None:
    assert (ROOT / "bulk_update" / "py.typed").is_file()
