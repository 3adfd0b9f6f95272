"""The manual page: what it says, and that the tools which show it have nothing against it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bulk_update.cli.grammar import Option, Verb
from bulk_update.cli.man import page
from bulk_update.cli.options import VERBS
from tests.cli.process import ROOT, run

PAGE = page(list(VERBS.values()))
COMMITTED = ROOT / "docs" / "bulk-update.1"


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: the manual page was NOT CHECKED with it")
    return found


def shown(tmp_path: Path) -> str:
    """Show the page as plain text, a line a paragraph."""
    path = tmp_path / "bulk-update.1"
    path.write_text(PAGE + "\n")
    command = [tool("groff"), "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=1000n", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.replace("‐", "-")


def test_it_has_its_sections_in_order(tmp_path: Path) -> None:
    titles = [line for line in shown(tmp_path).splitlines() if line.isupper() and not line.startswith(" ")]
    assert titles == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "SETTINGS", "EXIT STATUS", "ENVIRONMENT", "FILES",
        "EXAMPLES",
    ]  # fmt: skip


def test_it_has_every_verb_and_every_option_and_says_what_help_says(tmp_path: Path) -> None:
    text = " ".join(shown(tmp_path).split())
    for verb in list(VERBS.values()):
        assert verb.meaning in text
        for option in (*verb.options, *(each for action in verb.actions for each in action.options)):
            assert f"{option.name} {option.metavar or ''}".strip() in text
            assert option.meaning in text


def test_it_tells_the_exit_codes_of_each_verb(tmp_path: Path) -> None:
    text = shown(tmp_path)
    for verb in VERBS:
        assert verb in ("run", "retry") or f"{verb}\n" in text or f"{verb} and " in text
    assert "some row is invalid" in text
    assert "3      stopped early and worth running again: credentials refused" in text
    assert "VELT_API_KEY, VELT_AUTH_TOKEN" in text
    assert "[profile.nightly]" in text
    assert 'rate = "10/s"' in text


def test_mandoc_has_nothing_against_it(tmp_path: Path) -> None:
    path = tmp_path / "bulk-update.1"
    path.write_text(PAGE + "\n")
    done = subprocess.run([tool("mandoc"), "-T", "lint", str(path)], capture_output=True, text=True, check=False)
    # The page is the same for the same version, whenever it is made: it has no date.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def test_man_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "bulk-update.1"
    path.write_text(PAGE + "\n")
    environment = {"PATH": "/usr/bin:/bin", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}
    command = [tool("man"), "--warnings", "-l", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "BULK" in done.stdout


def test_lines_that_roff_would_obey_are_text() -> None:
    for line in PAGE.splitlines():
        assert not line.startswith("'")
        assert not line.startswith(".") or line.split()[0] in {
            ".TH", ".SH", ".SS", ".TP", ".B", ".BR", ".PP", ".br", ".nf", ".fi",
        }  # fmt: skip


def test_words_are_text_wherever_they_stand() -> None:
    verb = Verb("run", ".hidden\\fB 'and' -so\" on", (Option(("--x",), None, "'tis one"),), ())
    lines = page([verb]).splitlines()
    assert "\\&.hidden\\efB 'and' \\-so\\(dq on" in lines
    assert "\\&'tis one" in lines


async def test_the_verb_prints_it() -> None:
    ended = await run("man", env={})
    assert (ended.code, ended.err, ended.out) == (0, "", PAGE + "\n")


def test_the_page_that_is_installed_is_the_one_that_is_printed() -> None:
    assert COMMITTED.read_text() == PAGE + "\n", "the parsers have changed since: run `make man`"
