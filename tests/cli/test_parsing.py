"""What words are taken for, wherever they stand; and how those are refused that make no sense."""

import argparse
from pathlib import Path
from typing import Final

import pytest

from bulk_update.cli.grammar import Option
from bulk_update.cli.options import VERBS
from bulk_update.cli.parsing import parse
from bulk_update.errors import UsageError


def read(*words: str) -> argparse.Namespace:
    options = parse(words)
    assert options is not None
    return options


def refused(*words: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(words)
    return str(caught.value)


# ---------------------------------------------------------------------------------- words in any order


@pytest.mark.parametrize(
    "words",
    [
        "a b --rate 2 --quiet",
        "a --rate 2 b --quiet",
        "--rate 2 a --quiet b",
        "--rate=2 --quiet a b",
        "run --quiet a --rate=2 b",
        "run --rate 2 --quiet -- a b",
        "--quiet a --rate 2 -- b",
    ],
)
def test_options_can_stand_before_between_and_behind_inputs(words: str) -> None:
    options = read(*words.split())
    assert (options.verb, options.inputs, options.rate, options.quiet) == ("run", ["a", "b"], "2", True)


def test_behind_two_hyphens_all_are_inputs() -> None:
    assert read("run", "--", "--rate", "--", "-", "check").inputs == ["--rate", "--", "-", "check"]
    assert read("retry", "--", "--help").ledger == "--help"


def test_a_file_can_be_named_like_a_verb_and_like_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("check").touch()
    assert read("run", "check").inputs == ["check"]
    assert read("--quiet", "check", "3").inputs == ["check", "3"]
    assert read("--organization-id", "check", "2024.ndjson").organization_id == "check"


def test_the_last_word_on_an_option_counts_and_repeatable_ones_add_up() -> None:
    options = read("a", "--rate", "1", "--column", "id=x", "--rate", "2", "--column", "actionIcon=y")
    assert (options.rate, options.column) == ("2", ["id=x", "actionIcon=y"])


@pytest.mark.parametrize(
    ("words", "action", "db"),
    [("--db x", "", "x"), ("--db x export", "export", "x"), ("export --db x", "export", "x"), ("", "", None)],
)
def test_an_action_can_stand_before_and_behind_options(words: str, action: str, db: str | None) -> None:
    options = read("sandbox", *words.split())
    assert (options.action, options.db) == (action, db)


def test_what_exec_runs_is_left_as_it_is() -> None:
    assert read("sandbox", "exec", "--port", "0", "--", "x", "--port", "--help").command == ["x", "--port", "--help"]
    assert read("sandbox", "exec", "make", "test").command == ["make", "test"]


# ------------------------------------------------------------------------------------------- refusals

REFUSALS: Final = {
    "sandbox --prot 8080": "unknown option --prot; did you mean --port? See bulk-update sandbox --help",
    "sandbox --frob 8080": "unknown option --frob. See bulk-update sandbox --help",
    "sandbox 8080": "sandbox: found '8080', expected exec or export. See",
    "sandbox exex -- ls": "sandbox: found 'exex', expected exec or export; did you mean exec? See",
    "sandbox -- ls": "sandbox: found 'ls', expected exec or export",
    "sandbox exec": "sandbox exec: found no -- COMMAND, expected one, such as -- python migrate.py. See",
    "sandbox export x": "sandbox export: found 'x', expected no such word",
    "sandbox --output x": "unknown option --output. See",
    "run a --format jsn": "--format: found 'jsn', expected ndjson, csv or parquet; did you mean ndjson? See",
    "run a --format xml": "--format: found 'xml', expected ndjson, csv or parquet. See bulk-update run --help",
    "failures --format parquet a": "--format: found 'parquet', expected ndjson or csv. See bulk-update failures --help",
    "a --log-format jsom": "--log-format: found 'jsom', expected text or json; did you mean json?",
    "a --empty nul": "did you mean null?",
    "completion bsah": "completion: found 'bsah', expected bash, zsh or fish; did you mean bash?",
    "completion": "completion: found no bash|zsh|fish, expected one, such as bash",
    "check": "check: found no INPUT, expected one, such as changes.ndjson. See bulk-update check --help",
    "retry": "retry: found no LEDGER, expected one, such as changes.ndjson.ledger.ndjson. See",
    "report a b": "report: found 'b' behind 'a', expected one LEDGER. See bulk-update report --help",
    "man x": "man: found 'x', expected no such word. See bulk-update man --help",
    "a --json=yes": "--json: found a value, expected none: saying it is enough. See",
    "a --rate": "--rate: found nothing behind it, expected N[/s|/m|/h]|none|auto. See",
    "a --rate 5 --rate": "--rate: found nothing behind it, expected",
    "a --rate --quiet": "--rate: found '--quiet', expected N[/s|/m|/h]|none|auto. See",
    "a --rate -5m": "--rate: found '-5m', expected",
    "a -5": "unknown option -5. See",
    "a -x": "unknown option -x. See",
    "a --api-key=hunter2": "unknown option --api-key; did you mean --api-key-file? See",
    "chek a": "found chek, which is neither a file nor a verb; did you mean the verb check?",
    "--quiet check a": "found the verb check behind options, expected it first: bulk-update check ...",
    "config chekc --bufer 1": "unknown option --bufer; did you mean --buffer? See bulk-update config --help",
    "config check --concurrency 2": "unknown option --concurrency of config check; it is one of run and retry",
    "check a --dry-run": "unknown option --dry-run of check; it is one of run. See",
    "check a \u2014rate 5": "unknown option \u2014rate; did you mean --rate?",
    "check a -rate 5": "unknown option -rate; did you mean --rate?",
    "help chekc": "help: found 'chekc', expected run, check, retry, failures, report, sandbox, config, completion or",
}


@pytest.mark.parametrize("words", REFUSALS)
def test_words_that_make_no_sense_are_refused_with_what_was_meant(words: str) -> None:
    message = refused(*words.split())
    assert message.startswith(REFUSALS[words]) or (REFUSALS[words] in message and "did you mean" in REFUSALS[words])
    assert "hunter2" not in message
    assert "argument " not in message
    assert "?." not in message


@pytest.mark.parametrize("option", [option for option in VERBS["run"].options if option.metavar is not None])
def test_an_empty_word_is_refused(option: Option) -> None:
    assert refused("a", option.name, "").startswith(f"{option.name}: found an empty word, expected {option.metavar}.")


def test_an_empty_name_is_refused() -> None:
    for words in (("run", ""), ("a", ""), ("retry", ""), ("check", "--", "")):
        assert "found an empty word, expected the name of a file" in refused(*words)


def test_a_word_that_is_shown_cannot_write_on_the_screen() -> None:
    assert "\x1b" not in refused("--rat\x1b[2J", "a")
    assert "\x1b" not in refused("report", "a", "\x1b[2J")
    assert "\x1b" not in refused("a", "--format", "\x1b[2J")


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_that_is_misspelt_gets_its_name(verb: str) -> None:
    for option in VERBS[verb].options:
        if len(option.key) > 4:
            misspelt = option.name[:-3] + option.name[-2] + option.name[-3] + option.name[-1]
            if misspelt not in {other.name for other in VERBS[verb].options}:
                assert f"did you mean {option.name}?" in refused(verb, misspelt)
