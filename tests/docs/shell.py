"""The commands of the documents: found, taken apart, and run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.docs.markdown import ROOT, Fence

_EXIT_CODE: Final = re.compile(r"\s# exit code (\d+)\b")
_PUNCTUATION: Final = re.compile(r"[();<>|&]+")
_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a fence, perhaps over several lines. `code`: the exit code that is to be expected."""

    text: str
    code: int

    @property
    def tools(self) -> set[str]:
        """The programs that it calls."""
        return {words[0] for words in simple_commands(self.text)}

    @property
    def missing(self) -> set[str]:
        """Those of them that are not installed here."""
        return {tool for tool in self.tools if shutil.which(tool, path=path()) is None}


@dataclass(frozen=True, slots=True)
class Done:
    """A command that was run."""

    command: Command
    code: int
    output: str


def commands(fence: Fence) -> list[Command]:
    """List the commands of a fence: lines, joined where a quote or a backslash carries on.

    Of a `console` these are the lines behind a prompt; the others are output.
    """
    lines = fence.text.splitlines()
    if fence.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    found = []
    text = ""
    for line in lines:
        text += line + "\n"
        if line.endswith("\\") or _has_open_quote(text):
            continue
        if text.strip() and not text.lstrip().startswith("#"):
            code = _EXIT_CODE.search(text)
            found.append(Command(text.strip(), int(code[1]) if code else 0))
        text = ""
    assert not text, fence.place
    return found


def simple_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each simple command in a line of shell; redirections and assignments are left out."""
    words: list[str] = []
    is_target = False  # what follows a redirection
    for token in [*_tokens(text), ";"]:
        if _PUNCTUATION.fullmatch(token):
            is_target = bool({"<", ">"} & set(token))
            if words and not is_target:
                yield words
                words = []
        elif is_target:
            is_target = False
        elif words or not re.fullmatch(r"\w+=.*", token):
            words.append(token)


def program_words(text: str) -> list[list[str]]:
    """Find what is said to bulk-update in a line of shell, by the script of the samples, too."""
    found = []
    for words in simple_commands(text):
        if words[0].rpartition("/")[2] == "bulk-update":
            found.append(words[1:])
        elif words[1:3] == ["-m", "bulk_update"]:
            found.append(words[3:])
        elif words[0].endswith("nightly.sh"):
            found += [["run", "input", *words[2:]], ["retry", "ledger", *words[2:]]]  # it passes its options on
    return found


def path() -> str:
    """Return a PATH that has the program before all else."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def environment(home: Path, api: str = "") -> dict[str, str]:
    """Return what commands see: made-up credentials, and an API on loopback if one is given."""
    seen = {"PATH": path(), "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    if api:
        seen |= {"VELT_API_URL": api, "VELT_API_KEY": "a-key", "VELT_AUTH_TOKEN": "a-token"}
    return seen


def run(command: Command, folder: Path, env: Mapping[str, str]) -> Done:
    """Run a command as a shell does."""
    done = subprocess.run(
        ["bash", "-c", command.text],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return Done(command, done.returncode, done.stdout)


def run_all(fences: Sequence[Fence], folder: Path, env: Mapping[str, str]) -> dict[Fence, list[Done]]:
    """Run the commands of fences one after the other, but those whose tools are not there."""
    return {
        fence: [run(command, folder, env) for command in commands(fence) if not command.missing] for fence in fences
    }


def _has_open_quote(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)
