"""The mutants can still be planted, and those that are caught soonest are: `make mutants` sees to all of them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.mutants import MUTANTS, Mutant
from tests.mutants.planting import Overgrown, edited

ROOT = Path(__file__).parents[2]

SOON = (
    "success recorded before the answer",
    "no record before sending",
    "user-space buffering of the ledger",
    "verdicts paired by position",
)
"""Mutants that the first seeds catch."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_words_of_a_mutant_stand_in_the_source(mutant: Mutant) -> None:
    for module in {edit.module for edit in mutant.edits}:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        compile(edited(module, Path(spec.origin).read_text(), mutant.edits), module, "exec")


def test_words_that_stand_in_the_source_no_longer_are_told() -> None:
    with pytest.raises(Overgrown):
        edited(MUTANTS[0].edits[0].module, "", MUTANTS[0].edits)


def test_each_mutant_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("name", SOON)
def test_a_mutant_is_caught(name: str) -> None:
    words = [sys.executable, "-m", "tests.mutants.planting", name]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["caught"]
