"""An API on loopback for the documents' commands."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, example
from tests.docs.shell import environment

SEED = "".join(f'{{"organizationId":"org-1","id":"activity-00{number}"}}\n' for number in (1, 2, 4))
"""The records that exist: activity-003, of which the documents' examples speak, does not."""


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Serve a sandbox with the records of `seed.ndjson`; give its URL."""
    command = [sys.executable, "-m", "bulk_update", "sandbox", "--port", "0", "--seed", "seed.ndjson", *options]
    with subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
            assert url is not None
            yield url[0]
        finally:
            server.terminate()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Make a folder with the files that the documents speak of."""
    rows = example(ROOT / "README.md", "changes.ndjson")
    (tmp_path / "changes.ndjson").write_text(rows.replace("Templte", "Template"))
    (tmp_path / "changes.csv").write_text(example(ROOT / "README.md", "changes.csv"))
    (tmp_path / "seed.ndjson").write_text(SEED)
    (tmp_path / "velt.toml").write_text((ROOT / "docs" / "samples" / "velt.toml").read_text())
    return tmp_path


@pytest.fixture
def api(world: Path) -> Iterator[str]:
    """Serve the records that exist; give the URL."""
    with serving(world) as url:
        yield url
