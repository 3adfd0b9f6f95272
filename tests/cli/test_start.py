"""What a verb must not import: who waits for it has no use for it."""

import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "aiolimiter", "anyio._backends._asyncio", "asyncio", "rich", "ssl"}


def imported(statement: str) -> set[str]:
    """Tell what a fresh interpreter has imported after a statement."""
    words = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    return set(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("verb", ["check", "failures", "report"])
def test_what_sends_nothing_imports_nothing_that_sends(verb: str) -> None:
    assert imported(f"import bulk_update.cli.{verb}") & HEAVY == set()


def test_a_job_that_cannot_begin_is_told_before_http_is_imported() -> None:
    assert "aiohttp" not in imported("import bulk_update.cli.run")


def test_the_collector_seldom_visits_what_a_verb_holds() -> None:
    for words in (["check", "-"], ["failures", "none.ledger.ndjson"], ["report", "none.ledger.ndjson"]):
        statement = f"from bulk_update.cli import main; main({words}); import gc; print(gc.get_threshold())"
        told = subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True, text=True, input="")
        assert told.stdout.endswith("(100000, 50, 1000)\n")
