"""The programs in the documents run as they stand."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bulk_update
from tests.docs.markdown import ROOT, Fence, fences
from tests.docs.shell import environment

PROGRAMS = [fence for name in ("README.md", "docs/library.md") for fence in fences(ROOT / name, "python")]

PRINTED = {
    "backfill": "2 updated, 0 failed\n",
    "backfill again": "2 of 2 updated; exit code 0\n",
    "icons": "activity-003 failed Failed to update activity.\n2 updated\n",
    "rehearsal": "1 failed\n0 failed after the retry\n",
}


@pytest.mark.parametrize(("fence", "printed"), list(zip(PROGRAMS, PRINTED.values(), strict=True)), ids=PRINTED)
def test_programs_run(fence: Fence, printed: str, world: Path, api: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", fence.text],
        cwd=world,
        env=environment(world, api),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (printed, "", 0)


@pytest.mark.parametrize("fence", PROGRAMS, ids=lambda fence: fence.place)
def test_programs_use_the_public_names_alone(fence: Fence) -> None:
    for node in ast.walk(ast.parse(fence.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bulk_update"):
            assert node.module == "bulk_update"
            assert {alias.name for alias in node.names} <= set(bulk_update.__all__)


def test_the_library_shows_what_its_docstring_promises() -> None:
    from bulk_update import library

    text = (ROOT / "docs" / "library.md").read_text()
    assert "open_updates(" in (library.__doc__ or "")
    assert all(name in text for name in ("update", "open_updates", *bulk_update.__all__[:2], "Inputs", "Rehearsal"))
