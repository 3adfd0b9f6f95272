"""The samples: generated as committed, and all that their README counts is true.

The files are read with the standard library alone, by rules written down here again, so that neither the
program nor the generator vouches for itself.
"""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[1] / "samples"
FILES = ("activities.ndjson", "activities.csv", "seed.ndjson", "missing.ndjson")
INPUTS = FILES[:2]
STRINGS = ("displayMessageTemplate", "actionIcon")
OBJECTS = ("changes", "displayMessageTemplateData")
FIELDS = {*STRINGS, *OBJECTS, "entityData", "entityTargetData"}


@dataclass(frozen=True)
class Row:
    """A row of an input: the physical line where it begins, its text, and its values if it has any."""

    line: int
    text: str
    values: dict[str, Any] | None

    @property
    def valid(self) -> bool:
        """Whether the row can be sent (DESIGN, section 2.2)."""
        if self.values is None:
            return False
        told = {key: value for key, value in self.values.items() if not key.startswith("_")}
        keys = [told.pop(key, None) for key in ("organizationId", "id")]
        return (
            all(isinstance(key, str) and key for key in keys)
            and told.keys() <= FIELDS
            and bool(told)
            and all(isinstance(told.get(name, ""), str) for name in STRINGS)
            and all(isinstance(told.get(name, {}), dict) for name in OBJECTS)
            and all(change.keys() == {"from", "to"} for change in told.get("changes", {}).values())
        )

    @property
    def key(self) -> tuple[str, str]:
        """Organization and id."""
        assert self.values is not None
        return self.values["organizationId"], self.values["id"]


def read(name: str) -> str:
    return (SAMPLES / name).read_bytes().decode()


def lines_of(name: str) -> list[str]:
    return read(name).removesuffix("\n").split("\n")


def ndjson_rows() -> Iterator[Row]:
    for line, text in enumerate(lines_of("activities.ndjson"), start=1):
        try:
            yield Row(line, text, json.loads(text, parse_float=Decimal))
        except json.JSONDecodeError:
            yield Row(line, text, None)


def csv_rows() -> Iterator[Row]:
    reader = csv.reader(StringIO(read("activities.csv"), newline=""))
    header, line = next(reader), 2
    for cells in reader:
        yield Row(line, "\n".join(cells), csv_values(header, cells))
        line = reader.line_num + 1


def csv_values(header: list[str], cells: list[str]) -> dict[str, Any] | None:
    """Return a row's values: dotted columns put together, cells of JSON decoded; None if one is not JSON."""
    values: dict[str, Any] = {}
    for column, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        *path, last = column.removesuffix(":json").split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
        try:
            is_json = column.endswith(":json") or column in {"entityData", "entityTargetData"}
            place[last] = json.loads(cell, parse_float=Decimal) if is_json else cell
        except json.JSONDecodeError:
            return None
    return values


def rows_of(name: str) -> list[Row]:
    return list(ndjson_rows() if name.endswith(".ndjson") else csv_rows())


def valid_rows(name: str) -> list[Row]:
    return [row for row in rows_of(name) if row.valid]


def records(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(name)]


def keys(name: str) -> list[tuple[str, str]]:
    return [(record["organizationId"], record["id"]) for record in records(name)]


def table(heading: str) -> list[list[str]]:
    """Return the cells of the README's first table behind a heading, without its first two lines."""
    lines = read("README.md").partition(f"# {heading}\n")[2].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("|"))
    cells = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return cells


def numbers(cell: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", cell)]


def test_the_generator_writes_what_is_committed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SAMPLES / "generate.py", tmp_path], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes(), name


def test_the_readme_counts_rows() -> None:
    seeded = set(keys("seed.ndjson"))
    expected = []
    for name in INPUTS:
        valid = {row.key for row in valid_rows(name)}
        counts = (len(rows_of(name)), len(valid_rows(name)), len(rows_of(name)) - len(valid_rows(name)))
        expected.append([read(name).count("\n"), *counts, len(valid), len(valid - seeded)])
    expected += [[read(name).count("\n"), len(records(name)), len(set(keys(name)))] for name in FILES[2:]]
    cells = table("Samples")
    assert [row[0] for row in cells] == list(FILES)
    assert [[int(cell) for cell in row[1:] if cell] for row in cells] == expected


def test_the_readme_names_the_invalid_lines() -> None:
    expected = [[name, str(row.line)] for name in INPUTS for row in rows_of(name) if not row.valid]
    assert [row[:2] for row in table("Invalid rows")] == expected


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [
        ("activities.ndjson", 31, '"displayMessageTemplte": '),
        ("activities.ndjson", 134, '"id": 40213'),
        ("activities.ndjson", 190, '"changes": "'),
        ("activities.ndjson", 298, '"activityId": '),
        ("activities.csv", 81, "{annotationId: ann-1"),
    ],
)
def test_the_readme_says_what_is_wrong(file: str, line: int, text: str) -> None:
    (row,) = (row for row in rows_of(file) if row.line == line)
    assert text in row.text


def test_the_readme_says_what_is_left_out() -> None:
    by_line = {(name, row.line): row.values for name in INPUTS for row in rows_of(name)}
    assert by_line["activities.ndjson", 87] == {
        "organizationId": "northwind",
        "displayMessageTemplate": "{{user.name}} commented",
    }
    assert by_line["activities.ndjson", 241] is None
    assert (by_line["activities.ndjson", 355] or {}).keys() == {"organizationId", "id"}
    assert (by_line["activities.csv", 179] or {}).keys() == {"organizationId", "displayMessageTemplate"}


def test_the_readme_names_the_missing_lines() -> None:
    absent = keys("missing.ndjson")
    lines = {name: [row for row in valid_rows(name) if row.key in absent] for name in INPUTS}
    expected = [[name, [row.line for row in rows]] for name, rows in lines.items()]
    assert [[name, numbers(cell)] for name, cell in table("Missing activities")] == expected
    assert [row.key for rows in lines.values() for row in rows] == absent


def test_the_readme_names_the_lines_of_activities_that_are_changed_twice() -> None:
    valid = valid_rows("activities.ndjson")
    twice = [key for key, count in Counter(row.key for row in valid).items() if count > 1]
    pairs = [[row for row in valid if row.key == key] for key in twice]
    expected = [[row.line for row in pair] for pair in pairs]
    assert [numbers(cell) for _, cell in table("Activities that are changed twice")] == expected
    wordings = [[(row.values or {})["displayMessageTemplate"] for row in pair] for pair in pairs]
    assert {last for _, last in wordings} == {"{{user.name}} was active here"}
    assert all(first != last for first, last in wordings)


def test_the_seed_has_all_ids_but_the_missing_ones() -> None:
    named = {row.key for name in INPUTS for row in valid_rows(name)}
    text = read("activities.ndjson") + read("activities.csv")
    seeded, absent = keys("seed.ndjson"), keys("missing.ndjson")
    assert len(set(seeded)) == len(seeded)
    assert set(seeded) | set(absent) >= named
    assert not set(seeded) & set(absent)
    assert all(id_ in text for _, id_ in seeded)


@pytest.mark.parametrize("name", FILES[2:])
def test_records_are_whole(name: str) -> None:
    for record in records(name):
        assert record["featureType"] in {"comment", "reaction", "recorder", "crdt", "custom"}
        assert record["actionUser"]["userId"]
        assert record["metadata"]["organizationId"] == record["organizationId"]
        assert record["metadata"]["documentId"]
        assert record["targetEntityId"]
        assert record["timestamp"] > 0


def test_the_inputs_hold_what_is_hard_to_pass_on() -> None:
    lines = [row.text for row in valid_rows("activities.ndjson")]
    cells = read("activities.csv")
    assert {row.key[0] for row in valid_rows("activities.ndjson")} == {
        row.key[0] for row in valid_rows("activities.csv")
    }
    assert len({row.key[0] for row in valid_rows("activities.ndjson")}) == 6
    assert not lines[0].isascii()
    assert not cells.isascii()
    assert any(re.search(r":\d{30}\b", line) for line in lines)
    assert any(re.search(r":1\.0\b", line) for line in lines)
    for part in ('\\"', "\\n", "\\t", "\\\\", "\\/", "\\ud83d", '": "', '"_ticket":', "\N{ROCKET}"):
        assert any(part in line for line in lines), part
    assert re.search(r":\d{30}\b", cells)
    for part in ("commented.\nOpen", "; {{replies}}", '""note"", see', '"":1.0', ":json,"):
        assert part in cells, part
