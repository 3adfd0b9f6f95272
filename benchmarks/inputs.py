"""Inputs, the same in every run: rows of one size, spread over organizations.

    python -m benchmarks.inputs rows PATH SPEC           SPEC: a JSON object with the fields of `Spec`
    python -m benchmarks.inputs bodies PATH INPUT BATCH  the request bodies that rows make, one a line

They are made by a process of their own, so that the one that measures stays small.
"""

import csv
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal

BATCH: Final = 100
"""Activities in a request."""

_BLOCK: Final = 10_000
_WORDS: Final = "The invoice was sent to the customer, checked by two people, and is waiting to be paid. "


@dataclass(frozen=True, slots=True)
class Spec:
    """What rows to make.

    `size`: bytes of a row's line. `spread`: how rows fall to organizations: `even`, at random; `zipf`, at
    random by a power law with the exponent 1.1; `turns`, one after the other, so that all have as many.
    """

    rows: int
    organizations: int
    size: int = 300
    spread: Literal["even", "zipf", "turns"] = "even"
    form: Literal["ndjson", "csv"] = "ndjson"
    batch: int = BATCH

    def name(self) -> str:
        """Name a file of these rows."""
        return f"{self.rows}-{self.organizations}-{self.size}-{self.spread}-{self.batch}.{self.form}"


@dataclass(frozen=True, slots=True)
class Input:
    """A file of rows. `best`: the fewest requests. `waiting`: rows that must wait at once to make do with them."""

    path: Path
    spec: Spec
    best: int
    waiting: int
    bytes: int


def make_input(folder: Path, spec: Spec) -> Input:
    """Make a file of rows."""
    path = folder / spec.name()
    words = [sys.executable, "-m", "benchmarks.inputs", "rows", str(path), json.dumps(asdict(spec))]
    told = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return Input(path, spec, told["best"], told["waiting"], path.stat().st_size)


def make_bodies(source: Input, batch: int = BATCH) -> Path:
    """Make the request bodies of a file of NDJSON rows, each of `batch` rows where there are as many."""
    path = source.path.with_suffix(f".{batch}.bodies")
    words = [sys.executable, "-m", "benchmarks.inputs", "bodies", str(path), str(source.path), str(batch)]
    subprocess.run(words, check=True)
    return path


def write_rows(path: Path, spec: Spec) -> dict[str, int]:
    """Write rows; tell the fewest requests that they take, and how many must wait for that."""
    counts = [0] * spec.organizations
    waiting = most = 0
    with path.open("w", newline="") as file:
        if spec.form == "csv":
            csv.writer(file, lineterminator="\n").writerow(CSV_HEADER)
        number = 0
        for block in _organizations(spec):
            for organization in block:
                counts[organization] += 1
                full = counts[organization] % spec.batch == 0
                waiting += 1 - spec.batch * full
                most = max(most, waiting)
            line = _csv_lines if spec.form == "csv" else _ndjson_lines
            file.write(line(block, number, spec.size))
            number += len(block)
    return {"best": sum(-(-count // spec.batch) for count in counts), "waiting": most}


def _organizations(spec: Spec) -> Iterator[Sequence[int]]:
    """Choose the organization of each row, a block at a time."""
    chance = random.Random(1)
    everyone = range(spec.organizations)
    weights = list(accumulate((rank + 1) ** -1.1 for rank in everyone)) if spec.spread == "zipf" else None
    for first in range(0, spec.rows, _BLOCK):
        count = min(_BLOCK, spec.rows - first)
        if spec.spread == "turns":
            yield [number % spec.organizations for number in range(first, first + count)]
        else:
            yield chance.choices(everyone, cum_weights=weights, k=count)


_ROW: Final = (
    '{"organizationId":"org-%06d","id":"activity-%09d","changes":{"status":{"from":"open","to":"closed"}},'
    '"displayMessageTemplate":"{{user.name}} closed {{item}}",'
    '"displayMessageTemplateData":{"user":{"name":"User %03d"},"item":"Invoice %09d"},"entityData":{"note":"%s"}}\n'
)

CSV_HEADER: Final = (
    "organizationId",
    "id",
    "changes",
    "displayMessageTemplate",
    "displayMessageTemplateData.user.name",
    "displayMessageTemplateData.item",
    "entityData.note",
)
_CSV_ROW: Final = (
    'org-%06d,activity-%09d,"{""status"":{""from"":""open"",""to"":""closed""}}",{{user.name}} closed {{item}},'
    'User %03d,Invoice %09d,"%s"\n'
)


def _ndjson_lines(organizations: Sequence[int], first: int, size: int) -> str:
    note = _note(size)
    return "".join(
        [
            _ROW % (organization, number, number % 997, number, note)
            for number, organization in enumerate(organizations, first)
        ]
    )


def _csv_lines(organizations: Sequence[int], first: int, size: int) -> str:
    """Write the rows whose NDJSON lines would have a size."""
    note = _note(size)
    return "".join(
        [
            _CSV_ROW % (organization, number, number % 997, number, note)
            for number, organization in enumerate(organizations, first)
        ]
    )


def _note(size: int) -> str:
    left = size - len(_ROW % (0, 0, 0, 0, ""))
    return (_WORDS * (left // len(_WORDS) + 1))[: max(0, left)]


def write_bodies(path: Path, source: Path, batch: int) -> None:
    """Write the bodies of the requests that the rows of a file make, in the order in which they are full."""
    waiting: dict[bytes, list[bytes]] = {}
    with source.open("rb") as rows, path.open("wb") as out:
        for line in rows:
            organization, _, rest = line[1:-1].partition(b",")
            group = waiting.setdefault(organization, [])
            group.append(b"{" + rest)
            if len(group) == batch:
                out.write(_body(organization, group))
                group.clear()
        out.writelines(_body(organization, group) for organization, group in waiting.items() if group)


def _body(organization: bytes, activities: Sequence[bytes]) -> bytes:
    return b'{"data":{%b,"activities":[%b]}}\n' % (organization, b",".join(activities))


if __name__ == "__main__":
    what, where, how, *batch = sys.argv[1:]
    if what == "rows":
        print(json.dumps(write_rows(Path(where), Spec(**json.loads(how)))))
    else:
        write_bodies(Path(where), Path(how), int(batch[0]))
