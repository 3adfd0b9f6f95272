"""docs/sandbox.md says what the program does: its tables are compared with the code."""

import re
from dataclasses import fields
from pathlib import Path

import msgspec

from bulk_update.sandbox.faults.presets import PRESETS
from bulk_update.sandbox.faults.rules import Act, Match, parse_faults
from bulk_update.sandbox.manners import Violations
from bulk_update.sandbox.summary import KINDS
from bulk_update.sandbox.switches import REASONS, default_of, values_of

TEXT = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def section(title: str) -> str:
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def named(text: str) -> set[str]:
    """Return what stands in backquotes in the first column of tables."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall("`(.+?)`", cell)}


def switch_rows() -> list[str]:
    """Return the table of switches as the code has it."""
    rows = []
    for name, reason in REASONS.items():
        values = ", ".join(f"`{value}`" for value in values_of(name)) or "a number"
        rows.append(f"| `{name}` | {values} | `{default_of(name)}` | {reason} |")
    return rows


def test_the_table_of_switches_is_that_of_the_code() -> None:
    assert [line for line in section("Switches").splitlines() if line.startswith("| `")] == switch_rows()


def test_presets_matches_and_acts_are_all_there() -> None:
    faults = named(section("Faults"))
    words = set(re.findall('`"?([a-zA-Z]+)', section("Faults")))
    assert set(PRESETS) <= faults
    assert {field.encode_name for field in msgspec.structs.fields(Match)} <= faults
    assert {field.encode_name for field in msgspec.structs.fields(Act)} <= faults | words


def test_the_example_of_rules_is_read() -> None:
    (example,) = re.findall("```json\n(.+?)```", section("Faults"), re.DOTALL)
    assert len(parse_faults(example.encode()).rules) == 2


def test_every_kind_of_violation_is_there() -> None:
    rows = [line.split("|")[1].strip() for line in section("Violations").splitlines() if line.startswith("| ")][1:]
    words = [words.removeprefix("requests ") for words in KINDS.values()]
    assert rows == words
    assert list(KINDS) == [field.name for field in fields(Violations)]
