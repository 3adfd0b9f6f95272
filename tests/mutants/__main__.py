"""`python -m tests.mutants`: plant each mutant, and print who caught it and when. 1 when one survives."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.mutants.mutants import MUTANTS, Mutant

_ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 600
"""Seconds after which a mutant is taken for one that never ends, and so for caught."""


def main(names: Sequence[str]) -> int:
    """Plant the mutants of these names, or all."""
    mutants = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    width = max(len(mutant.name) for mutant in mutants)
    survived = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, (is_caught, words) in zip(mutants, pool.map(_plant, mutants), strict=True):
            survived += not is_caught
            print(f"{mutant.name:<{width}}  {words}", flush=True)
    print(f"\n{len(mutants) - survived} of {len(mutants)} caught")
    return 1 if survived else 0


def _plant(mutant: Mutant) -> tuple[bool, str]:
    words = [sys.executable, "-m", "tests.mutants.planting", mutant.name]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=False, cwd=_ROOT)
    except subprocess.TimeoutExpired:
        return True, f"does not end within {_PATIENCE} s"
    try:
        told = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return False, f"ERROR: {done.stderr.strip().splitlines()[-1:]}"
    if "error" in told:
        return False, f"ERROR: {told['error']}"
    return told["caught"] is not None, told["caught"] or "SURVIVES"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
