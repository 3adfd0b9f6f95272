"""Completion, in the shells themselves: what each offers for a line that somebody has begun."""

import os
import pty
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from bulk_update.cli.completion_bash import bash_script
from bulk_update.cli.completion_fish import fish_script
from bulk_update.cli.completion_zsh import zsh_script
from bulk_update.cli.options import VERBS
from tests.cli.process import run

SCRIPTS: Final = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
SECONDS: Final = 60

LINES: Final[dict[str, set[str]]] = {
    "bulk-update fail": {"failures"},
    "bulk-update re": {"retry", "report"},
    "bulk-update check --batch-b": {"--batch-bytes"},
    "bulk-update check --conc": set(),
    "bulk-update changes.ndjson --conc": {"--concurrency"},
    "bulk-update --accept": {"--accept-new-key"},
    "bulk-update run --log-format ": {"text", "json"},
    "bulk-update failures --format c": {"csv"},
    "bulk-update run --rate a": {"auto"},
    "bulk-update run --batch-size ": set(),
    "bulk-update run cha": {"changes.ndjson", "changes.ndjson.ledger.ndjson"},
    "bulk-update cha": {"changes.ndjson", "changes.ndjson.ledger.ndjson"},
    "bulk-update retry ": {"changes.ndjson.ledger.ndjson", "folder"},
    "bulk-update retry --config v": {"velt.toml"},
    "bulk-update report --js": {"--json"},
    "bulk-update completion ": {"bash", "zsh", "fish"},
    "bulk-update sandbox ex": {"exec", "export"},
    "bulk-update sandbox --immut": {"--immutable"},
    "bulk-update sandbox export --outp": {"--output"},
    "bulk-update sandbox --outp": set(),
    "bulk-update sandbox --faults ra": {"rate-limited"},
    "bulk-update changes.ndjson --sandbox-faults fl": {"flaky"},
    "bulk-update changes.ndjson --sandbox-faults v": {"velt.toml"},
    "bulk-update check --encoding iso": {"iso-8859-15"},
    "bulk-update check --empty ": {"omit", "null", "keep"},
    "bulk-update check --config velt.toml --profile ": {"nightly", "canary"},
    "bulk-update check --config velt.toml --profile n": {"nightly"},
    "bulk-update check --profile n": set(),
    "bulk-update config ch": {"check", "changes.ndjson", "changes.ndjson.ledger.ndjson"},
    "bulk-update config check --conc": set(),
    "bulk-update config retry ": {"changes.ndjson.ledger.ndjson", "folder"},
    "bulk-update report ch": {"changes.ndjson.ledger.ndjson"},
    "bulk-update failures changes.ndjson.ledger.ndjson --f": {"--format"},
}
"""Lines, and what can stand in the place of their last word."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with an input, its ledger, settings and a folder."""
    for name in ("changes.ndjson", "changes.ndjson.ledger.ndjson", "velt.toml", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "velt.toml").write_text('quiet = true\n[profile.nightly]\nrate = 5\n\n  [profile."canary"] # few\n')
    return tmp_path


def shell(name: str) -> str:
    """Find a shell; skip, and say of what, where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: its completion was NOT RUN")
    return found


def script(folder: Path, name: str) -> Path:
    path = folder.parent / f"{folder.name}-completion.{name}"
    path.write_text(SCRIPTS[name](list(VERBS.values())))
    return path


def bash(folder: Path, words: list[str]) -> set[str]:
    """Ask bash as it asks itself: the words, and which of them is completed."""
    ask = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bulk_update; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = [shell("bash"), "--norc", "--noprofile", "-uc", ask, "bash", str(script(folder, "bash")), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=SECONDS)
    said = [line for line in done.stderr.splitlines() if "not currently executing completion function" not in line]
    assert said == []
    return {line for line in done.stdout.split("\n") if line}


@pytest.mark.parametrize("line", LINES)
def test_bash_completes(line: str, folder: Path) -> None:
    assert bash(folder, line.split(" ")) == LINES[line]


def test_bash_completes_a_value_behind_an_equals_sign(folder: Path) -> None:
    assert bash(folder, ["bulk-update", "run", "--log-format", "=", "t"]) == {"text"}
    assert bash(folder, ["bulk-update", "run", "--log-format", "="]) == {"text", "json"}


def test_bash_calls_it(folder: Path) -> None:
    ask = 'source "$1"; complete -p bulk-update'
    command = [shell("bash"), "--norc", "--noprofile", "-c", ask, "bash", str(script(folder, "bash"))]
    assert "_bulk_update" in subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


@pytest.mark.parametrize("line", LINES)
def test_fish_completes(line: str, folder: Path) -> None:
    ask = "source $argv[1]; complete -C $argv[2]"
    command = [shell("fish"), "--no-config", "-c", ask, str(script(folder, "fish")), line]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=SECONDS)
    assert done.stderr == ""
    assert {offer.split("\t")[0].rstrip("/") for offer in done.stdout.splitlines()} == LINES[line]


ZSH_SETUP: Final = r"""
autoload -Uz compinit
compinit -D -u
source $COMPLETION
zstyle ':completion:*' list-prompt ''
LISTMAX=0
probe() {
    local -a offers
    compadd() {
        local -a found
        if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
            builtin compadd -A found "$@"
            offers+=($found)
        fi
        builtin compadd "$@"
    }
    zle complete-word
    print -r -- ${(u)offers%=} >> $OFFERED
    unfunction compadd
    BUFFER=
}
zle -N probe
bindkey '^T' probe
"""


def zsh(folder: Path, lines: list[str]) -> list[set[str]]:
    """Type lines at a zsh on a terminal of its own, and note what it offers for each."""
    home = folder.parent / f"{folder.name}-home"
    home.mkdir()
    (home / ".zshrc").write_text(ZSH_SETUP)
    offered = home / "offered"
    environment = {
        "PATH": os.environ["PATH"], "ZDOTDIR": str(home), "HOME": str(home), "TERM": "dumb",
        "OFFERED": str(offered), "COMPLETION": str(script(folder, "zsh")),
    }  # fmt: skip
    master, slave = pty.openpty()
    command = [shell("zsh"), "-d", "-i"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        os.write(master, "".join(f"{line}\x14" for line in lines).encode() + b"exit\n")
        screen = b""
        try:
            while block := os.read(master, 65_536):
                screen += block
        except OSError:  # its end
            pass
        os.close(master)
        process.wait(SECONDS)
    assert offered.exists(), screen.decode()
    return [set(line.split()) for line in offered.read_text().split("\n")[:-1]]


def test_zsh_completes(folder: Path) -> None:
    assert dict(zip(LINES, zsh(folder, list(LINES)), strict=True)) == LINES


@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_verb_prints_the_script(name: str) -> None:
    ended = await run("completion", name, env={})
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == SCRIPTS[name](list(VERBS.values()))


async def test_another_shell_is_refused() -> None:
    ended = await run("completion", "tcsh", env={})
    assert (ended.code, ended.out) == (2, "")
    assert "bash" in ended.err
