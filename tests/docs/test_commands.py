"""Every command in the documents is one that the program takes; those that can be run are run, in order."""

import os
import re
import shutil
import textwrap
from pathlib import Path

import pytest

from bulk_update.cli.help_texts import EPILOGS
from bulk_update.cli.parsing import parse
from bulk_update.cli.settings import read_job, read_retry
from bulk_update.errors import UsageError
from tests.docs.markdown import DOCUMENTS, ROOT, Fence, example, fences, name, output_of
from tests.docs.shell import Command, Done, commands, environment, path, program_words, run, run_all

README = ROOT / "README.md"
SHELL = [fence for document in DOCUMENTS for fence in fences(document, "sh")]
CONSOLES = [fence for document in DOCUMENTS for fence in fences(document, "console")]
SAMPLES = sorted((ROOT / "docs" / "samples").iterdir())
WALKS = [
    "README.md",
    "docs/inputs.md",
    "docs/migration.md",
    "docs/ledger.md",
    "docs/troubleshooting.md",
    "docs/settings.md",
]
TOOLS = ["jq", "duckdb"]
SECRETS = {"VELT_API_KEY": "a-key", "VELT_AUTH_TOKEN": "a-token"}

SETTINGS_SHOWN = [
    *(fence.text for document in DOCUMENTS for fence in fences(document, "toml")),
    textwrap.dedent(EPILOGS["config"].split("as keys:\n\n")[1].partition("\n\nexamples:")[0]).replace(
        "api-key-file", "# api-key-file"
    ),
]

TIMES = re.compile(r"\d+(\.\d+)? s\b|(\d{4}-\d\d-\d\d )?\d\d:\d\d (UTC|[+-]\d\d:\d\d)")


def told_in_samples() -> list[tuple[str, list[str]]]:
    """List what the samples say to the program, with their own variables filled in."""
    found = []
    for sample in SAMPLES:
        text = sample.read_text().replace('"$@"', "").replace("\\\n", " ")
        for line in re.findall(r"(?<![\w/.])bulk-update +(?:[a-z]+ +)?\S*(?:changes|input|ledger)[^\n]*", text):
            found += [(sample.name, words) for words in program_words(line)]
    return found


@pytest.mark.parametrize("fence", SHELL + CONSOLES, ids=lambda fence: fence.place)
def test_the_program_takes_the_words(fence: Fence, tmp_path: Path) -> None:
    for word in ("api-key", "auth-token"):
        (tmp_path / word).write_text("a-secret")
    for command in commands(fence):
        for words in program_words(command.text):
            check_words([in_place(word, tmp_path) for word in words])


def in_place(word: str, folder: Path) -> str:
    """Put the files that a word names where they are."""
    if word.endswith("velt.toml"):
        return str(ROOT / "docs" / "samples" / "velt.toml")
    return word.replace("/etc/bulk-update", str(folder))


@pytest.mark.parametrize(("file", "words"), told_in_samples())
def test_the_program_takes_the_words_of_the_samples(file: str, words: list[str]) -> None:
    assert file in {"nightly.sh", "github-actions.yml", "velt.toml"}
    check_words([in_place(word, Path()) for word in words])


@pytest.mark.parametrize("text", SETTINGS_SHOWN)
def test_the_settings_files_that_are_shown_can_be_used(text: str, tmp_path: Path) -> None:
    path = tmp_path / "velt.toml"
    path.write_text(text)
    options = parse(["changes.ndjson", "--config", str(path), "--profile", "nightly"])
    assert options is not None
    assert options.sources["quiet"].profile == "nightly"
    read_job(options, SECRETS)


def test_the_samples_say_something_to_the_program() -> None:
    assert len(told_in_samples()) == 6


def test_what_is_no_command_is_refused() -> None:
    with pytest.raises(UsageError):
        check_words(["changes.ndjson", "--no-such-option"])
    with pytest.raises(UsageError):
        check_words(["changes.ndjson", "--rate", "fast"])


def check_words(words: list[str]) -> None:
    """See that the parser takes the words, and that the settings they give can be used."""
    if "--" in words:
        words = words[: words.index("--") + 2]
    options = parse(words, SECRETS)
    if options is not None and options.verb == "run":
        read_job(options, SECRETS)
    elif options is not None and options.verb == "retry":
        read_retry(options, SECRETS, None)


@pytest.mark.parametrize("document", WALKS)
def test_the_commands_do_what_is_said(document: str, world: Path, api: str) -> None:
    env = environment(world, api)
    if document == "README.md":
        (world / "changes.ndjson").write_text(example(README, "changes.ndjson"))
    if document in {"docs/ledger.md", "docs/troubleshooting.md"}:
        run(Command("bulk-update changes.ndjson", 1), world, env)
    walked = run_all([fence for fence in SHELL if name(fence.document) == document and is_walked(fence)], world, env)
    assert walked
    for fence, done in walked.items():
        for each in done:
            assert each.code == each.command.code, f"{fence.place}: {each.command.text}\n{each.output}"
        check_output(fence, done)


def check_output(fence: Fence, done: list[Done]) -> None:
    """See that what the document shows is what was printed, but for times."""
    shown = output_of(fence)
    if shown is not None:
        printed = TIMES.sub("…", "".join(each.output for each in done)).splitlines()
        assert [line for line in TIMES.sub("…", shown.text).splitlines() if line not in printed] == [], printed


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tools_that_recipes_need_are_there(tool: str) -> None:
    needing = [f"{fence.place}" for fence in SHELL for command in commands(fence) if tool in command.tools]
    assert needing
    if shutil.which(tool, path=path()) is None:
        pytest.skip(f"{tool} is not installed: recipes were NOT RUN, those of {', '.join(sorted(set(needing)))}")


def is_walked(fence: Fence) -> bool:
    """Tell whether a fence is run: nothing before it says that it is not, and it does more than call make."""
    return fence.is_run and {tool for command in commands(fence) for tool in command.tools} != {"make"}


def test_what_is_not_run_says_so() -> None:
    walked = {name(fence.document) for fence in SHELL if is_walked(fence)}
    assert walked - {"docs/sandbox.md"} == set(WALKS)


def test_make_has_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"`make ([a-z]+)[^`]*`|^ *make ([a-z]+)", document.read_text(), re.MULTILINE)
        assert {one or other for one, other in named} <= targets, name(document)


def test_scripts_are_executable() -> None:
    assert [path.name for path in SAMPLES if path.suffix == ".sh" and not os.access(path, os.X_OK)] == []
