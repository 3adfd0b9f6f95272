"""What arrives at the API is, byte for byte, what the plainest program would send.

That one takes each row as it stands, puts the rows of an organization together in the order of the input, as many
as go into a request, and nothing else.
"""

import json
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.cli.process import run
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import ok

SIZE: Final = 7

# Values as they may stand in an input, each in the place of one field, in the order of the page.
VALUES: Final = {
    "changes": ['{"s":{"from":1,"to":1.0}}', '{"s":{"to":2,"from":18446744073709551616}}', '{ "é" : {"to":null} }'],
    "entityData": [
        "9007199254740993",
        "1e2",
        "1.0",
        '{"a":1,"a":2}',
        '"\\u0041\\/\\n\\ud83d\\ude00"',
        "[ 1,\t2 ]",
        "null",
    ],
    "entityTargetData": ['"\u2028"', "-0.0", "[]", "{}"],
    "displayMessageTemplate": ['"{{user.name}}, \\"x\\""', '""', '"☃"'],
    "displayMessageTemplateData": ["{}", '{"user":{"name":"n"},"user2":1.10}'],
    "actionIcon": ['"i"'],
}


def draw_row(chance: Random, number: int) -> tuple[str, str, str]:
    """Draw a row: its organization, its activity as it has to arrive, and its line."""
    organization = chance.choice(["org-1", "org-2", "org é", 'org "q"', "org-5"])
    fields = [name for name in VALUES if chance.random() < 0.5] or ["entityData"]
    members = [f'"id":"a{number}"', *(f'"{name}":{chance.choice(VALUES[name])}' for name in fields)]
    named = [f'"organizationId":{json.dumps(organization, ensure_ascii=chance.random() < 0.5)}', *members]
    if chance.random() < 0.3:
        chance.shuffle(named)
    if chance.random() < 0.2:
        named.append('"_note":{"kept":false}')
    gap = chance.choice([",", ",", ", ", " ,\t"])
    return (
        organization,
        "{" + ",".join(members) + "}",
        "{" + gap.join(named) + "}" + chance.choice(["\n", "\r\n", " \n"]),
    )


def write_body(organization: str, activities: list[str]) -> str:
    name = json.dumps(organization, ensure_ascii=False)
    return f'{{"data":{{"organizationId":{name},"activities":[{",".join(activities)}]}}}}'


@pytest.mark.parametrize("seed", range(3))
async def test_the_bytes_on_the_wire_are_those_of_the_plainest_program(seed: int, tmp_path: Path) -> None:
    chance = Random(seed)
    waiting: defaultdict[str, list[str]] = defaultdict(list)
    path = tmp_path / "changes.ndjson"
    with path.open("w", newline="") as file:
        for number in range(500):
            organization, activity, line = draw_row(chance, number)
            waiting[organization].append(activity)
            file.write(line)
    expected = [
        write_body(organization, rows[at : at + SIZE])
        for organization, rows in waiting.items()
        for at in range(0, len(rows), SIZE)
    ]
    async with open_misbehaving([ok()]) as server:
        words = ("--api-url", server.url, "--rate", "none", "--batch-size", str(SIZE))
        assert (await run(path, *words)).code == 0
    assert sorted(request.body.decode() for request in server.requests) == sorted(expected)
