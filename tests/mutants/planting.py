"""Plant a mutant: exchange words of a module's source while it is imported.

`python -m tests.mutants.planting NAME`, in a process of its own, says in one line of JSON what came of it.
"""

import importlib.machinery
import importlib.util
import io
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.abc import MetaPathFinder
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

from tests.mutants.mutants import MUTANTS, Edit, Mutant

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SEEDS = 50
"""Seeds within which a mutant must be caught."""


class Overgrown(Exception):
    """Tell that the words which a mutant exchanges no longer stand in the source, once."""


def edited(module: str, source: str, edits: Sequence[Edit]) -> str:
    """Exchange words of a module's source."""
    for edit in edits:
        if edit.module != module:
            continue
        if source.count(edit.old) != 1:
            raise Overgrown(f"{module} has {source.count(edit.old)} times, expected once:\n{edit.old}")
        source = source.replace(edit.old, edit.new)
    return source


def plant(mutant: Mutant) -> None:
    """Let the modules that a mutant changes be imported changed, from now on."""
    touched = {edit.module for edit in mutant.edits}
    for module in touched & sys.modules.keys():
        raise ImportError(f"{module} is imported already")
    sys.meta_path.insert(0, _Planter(mutant.edits))


class _Planter(MetaPathFinder):
    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in {edit.module for edit in self._edits}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.origin is not None
        return importlib.util.spec_from_file_location(name, spec.origin, loader=_Loader(name, spec.origin, self._edits))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, edits: Sequence[Edit]) -> None:
        super().__init__(name, path)
        self._edits = edits

    def get_code(self, fullname: str) -> CodeType:
        """Compile anew: what is cached was compiled from other words."""
        return self.source_to_code(self.get_data(self.path), self.path)

    def source_to_code(self, data: "ReadableBuffer | str", path: "ReadableBuffer | str", **_: int) -> CodeType:  # type: ignore[override]
        """Compile the edited source."""
        text = data if isinstance(data, str) else bytes(data).decode()
        code: CodeType = compile(edited(self.name, text, self._edits), str(path), "exec", dont_inherit=True)
        return code


def catch(mutant: Mutant) -> str | None:
    """Plant a mutant and tell who caught it and when; None when nobody did."""
    plant(mutant)
    if mutant.test:
        return _catch_by_test(mutant.test)
    from tests.simulation.simulate import simulate

    for seed in range(SEEDS):
        violations = simulate(seed).violations
        if violations:
            invariant = violations[0].invariant
            name = f"invariant {invariant}" if invariant.isdigit() else f"'{invariant}'"
            return f"simulator, {name}, after {seed + 1} seed{'s' if seed else ''}"
    return None


def _catch_by_test(test: str) -> str | None:
    import pytest

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        has_failed = pytest.main([test, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]) == 1
    return test if has_failed else None


def main(name: str) -> int:
    """Plant the mutant of a name."""
    try:
        caught = catch(next(mutant for mutant in MUTANTS if mutant.name == name))
    except Overgrown as error:
        print(json.dumps({"error": str(error)}))
        return 2
    print(json.dumps({"caught": caught}))
    return 0 if caught else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
