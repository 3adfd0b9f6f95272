"""What `--help` says: of each verb its own exit codes and examples, quickly, and true."""

import subprocess
import sys
from typing import Final

import pytest

from bulk_update.cli import VERBS
from bulk_update.cli.help_texts import ENVIRONMENT, EPILOGS, EXAMPLES
from bulk_update.cli.options import ENCODINGS, PRESETS
from bulk_update.cli.options import VERBS as GRAMMAR
from bulk_update.cli.parsing import parse
from bulk_update.cli.sources import CHOOSING, COMMAND_ALONE, SECRETS
from bulk_update.pure.transcoding import find_encoding
from bulk_update.sandbox.faults.presets import PRESETS as FAULTS
from tests.cli.process import ROOT, environment, run
from tests.docs.shell import program_words

HEAVY: Final = ("aiohttp", "anyio", "asyncio", "msgspec", "rich", "tomllib", "json", "enum", "dataclasses")

LOADED: Final = """
import sys
before = set(sys.modules)
from bulk_update.cli import main
main(sys.argv[1:])
print(*set(sys.modules) - before, file=sys.stderr)
"""

EXITS: Final[dict[str, list[str]]] = {
    "run": ["0", "1", "2", "3", "129, 130, 143"],
    "check": ["0", "1", "2", "3", "129, 130, 143"],
    "retry": ["0", "1", "2", "3", "129, 130, 143"],
    "failures": ["0", "2", "3", "129, 130, 143"],
    "report": ["0", "2", "3", "129, 130, 143"],
    "sandbox": ["0", "2", "3"],
    "config": ["0", "2", "3"],
    "completion": ["0", "2", "3"],
    "man": ["0", "2", "3"],
}


def examples_of(text: str) -> list[str]:
    """Take the commands of the examples, without what is said of them."""
    block = text.partition("examples:\n")[2].partition("\n\n")[0]
    return [line.strip() for line in block.splitlines() if "bulk-update" in line]


def test_every_verb_has_a_parser_and_a_help() -> None:
    assert set(VERBS) == set(GRAMMAR) == set(EPILOGS) == set(EXITS)


@pytest.mark.parametrize("verb", EXITS)
async def test_the_help_of_a_verb_tells_its_own_exit_codes(verb: str) -> None:
    ended = await run(verb, "--help", env={})
    codes = ended.out.partition("\nexit codes:\n")[2].partition("\n\n")[0]
    told = [line[2:].split("  ")[0] for line in codes.splitlines() if line[2:3] != " "]
    assert told == EXITS[verb]


@pytest.mark.parametrize("verb", EXITS)
def test_the_examples_of_a_verb_are_commands_that_it_takes(verb: str) -> None:
    examples = examples_of(EPILOGS[verb])
    said = [words for line in examples for words in program_words(line.partition("  ")[0])]
    assert said
    for each in said:
        words = [word for word in each if word not in ("--config", "velt.toml", "--profile", "nightly")]
        options = parse(words)
        assert options is not None
        assert verb in ("run", options.verb)


def test_the_examples_of_the_program_are_commands_that_it_takes() -> None:
    for line in examples_of(EXAMPLES):
        (words,) = program_words(line.partition("  ")[0])
        assert parse(words) is not None


@pytest.mark.parametrize("verb", ["", *EXITS, "sandbox exec", "sandbox export", "config check", "config retry"])
async def test_help_fits_a_terminal_of_80_columns(verb: str) -> None:
    ended = await run(*verb.split(), "--help", env={"COLUMNS": "80"})
    assert (ended.code, ended.err) == (0, "")
    assert [line for line in ended.out.splitlines() if len(line) > 80] == []
    assert "\nexamples:\n" in ended.out
    assert "\nexit codes:\n" in ended.out


@pytest.mark.parametrize(
    "words", ["help check", "check --help", "check --batch-size --help x.ndjson --rate", "check -h"]
)
async def test_help_is_given_wherever_it_is_asked_for(words: str) -> None:
    ended = await run(*words.split(), env={})
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("usage: bulk-update check [OPTION...] INPUT...\n")


def test_the_presets_and_encodings_that_are_named_are_those_that_there_are() -> None:
    assert tuple(FAULTS) == PRESETS
    assert all(find_encoding(name) for name in ENCODINGS)
    faults = [option.meaning for verb in ("run", "sandbox") for option in GRAMMAR[verb].options if option.offers]
    assert all(name in meaning for name in PRESETS for meaning in faults if "flaky" in meaning)


@pytest.mark.parametrize("verb", ["run", "check", "retry", "config"])
async def test_the_variables_that_a_verb_heeds_are_named(verb: str) -> None:
    ended = await run(verb, "--help", env={})
    for variable in ("BULK_UPDATE_OPTION", "BULK_UPDATE_CONFIG", "BULK_UPDATE_PROFILE", "TMPDIR"):
        assert f" {variable}" in ended.out
    assert ("VELT_API_URL  " in ended.out) == (verb != "check")


def test_what_stands_in_the_command_alone_is_named() -> None:
    for key in COMMAND_ALONE:
        assert f"--{key}" in ENVIRONMENT
    for variable in (*SECRETS.values(), *(f"BULK_UPDATE_{key.upper()}" for key in CHOOSING)):
        assert variable in ENVIRONMENT
    assert set(COMMAND_ALONE) < {option.key for option in GRAMMAR["run"].options}


@pytest.mark.parametrize("verb", ["--help", *EXITS])
def test_help_loads_nothing_that_it_does_not_need(verb: str) -> None:
    words = [verb] if verb == "--help" else [verb, "--help"]
    command = [sys.executable, "-c", LOADED, *words]
    done = subprocess.run(command, env=environment({}), cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "argparse" in loaded
    assert loaded & set(HEAVY) == set()
