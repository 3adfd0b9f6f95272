"""Whenever the process is killed, the same command ends right, and the ledger never tells what is not so."""

from pathlib import Path

import pytest

from tests.crash.kills import play


@pytest.mark.parametrize("seed", range(4))
async def test_a_killed_job_ends_right_when_it_runs_again(tmp_path: Path, seed: int) -> None:
    assert await play(tmp_path, seed) >= 5
