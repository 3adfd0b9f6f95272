"""The tables of the documents say what the code says."""

import ast
import re
from pathlib import Path

import pytest

from bulk_update import errors
from bulk_update.cli import VERBS, options
from bulk_update.cli.grammar import Option
from bulk_update.cli.help_texts import EXIT_CODES
from bulk_update.cli.sources import COMMAND_ALONE
from bulk_update.model import Status
from bulk_update.pure.retrying import POLICIES, Trouble
from bulk_update.pure.shape import KEYS
from bulk_update.pure.tally import Summary
from tests.docs.markdown import ROOT, table

README = ROOT / "README.md"
LEDGER = ROOT / "docs" / "ledger.md"
SETTINGS = ROOT / "docs" / "settings.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
SOURCES = sorted((ROOT / "bulk_update").rglob("*.py"))

MAIN_VERBS = ("run", "check", "retry", "failures", "report")


def actions(verb: str) -> dict[str, Option]:
    """Return the options of a verb, by name."""
    return {option.name: option for option in options.VERBS[verb].options}


def options_in_readme() -> dict[str, list[str]]:
    """Return the rows of the table of options: usage, default, meaning, other verbs."""
    return {row[0].split()[0]: row for row in table(README, "option")}


def usage(name: str, option: Option) -> str:
    """Write an option as the table does."""
    return name if option.metavar is None else f"{name} {option.metavar}"


def default(option: Option) -> str:
    """Tell an option's default: its own, else what its help has in brackets, else what an error names."""
    if isinstance(option.default, str):
        return option.default
    bracketed = re.search(r"\[([^]]+)\]$", option.meaning)
    named = re.search(r"else (\w+)$", option.meaning)
    return bracketed[1] if bracketed else named[1] if named else ""


def test_the_exit_codes_are_those_of_help() -> None:
    said = re.sub(r"\n {7,}", " ", EXIT_CODES).removeprefix("exit codes:\n")
    expected = [re.fullmatch(r" +((?:\d+(?:, )?)+) +(.+)", line) for line in said.splitlines()]
    assert [row[:2] for row in table(README, "code")] == [[match[1], match[2]] for match in expected if match]
    assert None not in expected


def test_the_exit_codes_are_those_of_the_errors() -> None:
    codes = {re.sub(r"\D.*", "", row[0]) for row in table(README, "code")}
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    told = {str(each.exit_code) for each in classes if issubclass(each, errors.BulkUpdateError)}
    assert told == {"2", "3"}
    assert told <= codes


def test_the_options_of_the_main_job_are_those_of_its_parser() -> None:
    parsed = {name: action for name, action in actions("run").items() if name != "--help"}
    told = options_in_readme()
    assert list(told) == sorted(told, key=list(told).index)
    assert set(told) == set(parsed)
    assert {name: row[0] for name, row in told.items()} == {name: usage(name, each) for name, each in parsed.items()}
    assert {name: row[1] for name, row in told.items()} == {name: default(each) for name, each in parsed.items()}


@pytest.mark.parametrize("verb", ["check", "retry", "report"])
def test_the_options_of_other_verbs_are_those_of_their_parsers(verb: str) -> None:
    told = {name for name, row in options_in_readme().items() if verb in row[3].split(", ")}
    own = {"report": {"--html"}}.get(verb, set())
    assert told == actions(verb).keys() - {"--help"} - own


@pytest.mark.parametrize("verb", MAIN_VERBS)
def test_the_readme_names_each_verb_and_option(verb: str) -> None:
    text = README.read_text()
    assert verb == "run" or f"bulk-update {verb}" in text
    assert [name for name in actions(verb) if name != "--help" and name not in text] == []


def test_there_is_no_verb_that_the_readme_does_not_name() -> None:
    assert {verb for verb in VERBS if verb != "run" and f"bulk-update {verb}" not in README.read_text()} == set()


def test_what_is_no_setting_is_told_with_its_reason() -> None:
    told = {row[0].removeprefix("--"): row[1] for row in table(SETTINGS, "option")}
    assert told == COMMAND_ALONE
    readme = README.read_text()
    assert [key for key in COMMAND_ALONE if f"`--{key}`" not in readme] == []


def test_the_fields_are_those_of_an_activity() -> None:
    told = [name.strip() for row in table(README, "field") for name in row[0].split(",")]
    assert tuple(told) == KEYS


@pytest.mark.parametrize("document", [README, LEDGER], ids=["readme", "ledger"])
def test_the_statuses_are_those_of_the_model(document: Path) -> None:
    assert {row[0] for row in table(document, "status")} == set(Status)


def test_the_keys_of_the_summary_are_told() -> None:
    told = [key.strip() for row in table(LEDGER, "key") for key in row[0].split(",")]
    assert sorted(told) == sorted(Summary.__dataclass_fields__)


def test_the_policy_is_the_one_that_is_followed() -> None:
    told = {row[0]: row[1:4] for row in table(ARCHITECTURE, "trouble")}
    words = {True: "yes", False: "no"}
    assert told == {
        trouble.value: [policy.step.value, words[policy.may_be_applied], words[policy.counts]]
        for trouble, policy in POLICIES.items()
    }


def test_each_error_code_is_explained() -> None:
    told = {code.strip() for row in table(TROUBLESHOOTING, "error.code") for code in row[0].split(",")}
    assert codes_in_source() - told == set()
    assert told - codes_in_source() == {"a google.rpc status", "other"}


def codes_in_source() -> set[str]:
    """Find the codes that results can carry: what is put into refusals and errors, and the troubles."""
    codes = {trouble.value for trouble in Trouble if POLICIES[trouble].step.value != "stop"}
    for path in SOURCES:
        if "sandbox" in path.parts:
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            place = {"_Refusal": 0, "Refusal": 0, "RowError": 0, "invalid_record": 3, "Judgement": 4}.get(call.func.id)
            arguments = call.args
            if place is not None and len(arguments) > place:
                code = arguments[place]
                if isinstance(code, ast.Constant) and isinstance(code.value, str) and code.value:
                    codes.add(code.value)
    return codes | {"too_long"}  # made by a function, and by a class of its own


def test_each_message_is_one_of_the_program() -> None:
    messages = messages_in_source()
    told = [row[0] for row in table(TROUBLESHOOTING, "message")]
    fragments = {part.strip() for row in told for part in row.split("…") if part.strip()}
    assert fragments
    assert {part for part in fragments if part not in messages} == set()


def messages_in_source() -> str:
    """Collect all texts of the program, with `…` for what is filled in."""
    texts = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                texts.append("".join(map(str, parts)))
    return "\n".join(texts)
