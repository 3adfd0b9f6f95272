"""What is missing is named so that one command installs it, wherever the program came from."""

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from bulk_update.edge.source.extras import EXTRAS, explain_missing

PROJECT: Final = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_is_installed_is_what_the_project_asks_for(extra: str) -> None:
    (requirement,) = PROJECT["optional-dependencies"][extra]
    assert requirement.partition(";")[0].strip() == EXTRAS[extra]


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_command_is_one_that_works_here(extra: str) -> None:
    command = shlex.split(explain_missing(extra).partition("install it: ")[2])
    assert command[-2:] == ["install", EXTRAS[extra]]
    assert sys.executable in command


def test_without_pip_the_command_is_for_another_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulk_update.edge.source.extras.find_spec", {"x": None}.get)
    command = shlex.split(explain_missing("zst").partition("install it: ")[2])
    assert command == ["python3", "-m", "pip", "--python", sys.executable, "install", "zstandard>=0.23"]


def test_a_name_with_spaces_is_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/my programs/python")
    assert "/my programs/python" in shlex.split(explain_missing("parquet").partition("install it: ")[2])


def test_the_pip_that_is_named_knows_the_options() -> None:
    done = subprocess.run(["python3", "-m", "pip", "--help"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("python3 has no pip here")
    assert "--python <python>" in done.stdout
