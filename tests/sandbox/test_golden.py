"""Every documented request and answer of update, get, add and delete, as pairs: `golden.json` beside this file.

A pair is a request as Velt's page has it, what must be there before, and the answer word for word. What the server
makes up (ids, times, page tokens) is fixed by the `workspace` fixture.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.records import seed_record
from tests.sandbox.requests import ask

PAIRS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden.json").read_text())


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_a_documented_request_gets_its_documented_answer(workspace: Workspace, pair: dict[str, Any]) -> None:
    workspace.store.seed(seed_record(json.dumps(record).encode()) for record in pair["given"])
    reply = ask(workspace, pair["path"], json.dumps(pair["request"]))
    assert (reply.status, json.loads(reply.body)) == (pair["status"], pair["answer"])


def test_each_endpoint_has_its_pairs() -> None:
    ends = [pair["path"].rpartition("/")[2] for pair in PAIRS]
    assert {end: ends.count(end) for end in set(ends)} == {"update": 6, "get": 9, "add": 5, "delete": 6}
