"""The sandbox as a library: in a thread, and as a pytest fixture, the way people use it for their own code."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bulk_update.sandbox import BackgroundSandbox, Setup, sandbox_in_background

ROOT = Path(__file__).parents[2]
THEIR_TEST = """
import json, os, urllib.request

def migrate():
    data = {"organizationId": "o", "activities": [{"id": "a", "actionIcon": "pen"}]}
    headers = {"content-type": "application/json", "x-velt-api-key": os.environ["VELT_API_KEY"],
               "x-velt-auth-token": os.environ["VELT_AUTH_TOKEN"]}
    url = os.environ["VELT_API_URL"] + "/v2/activities/update"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps({"data": data}).encode(), headers)).read()

def test_migration(velt_sandbox):
    velt_sandbox.seed([{"organizationId": "o", "id": "a"}])
    migrate()
    assert velt_sandbox.record("o", "a")["actionIcon"] == "pen"
    assert velt_sandbox.statistics.violations == 0

def test_each_test_has_its_own(velt_sandbox):
    assert velt_sandbox.record("o", "a") is None
"""


def send(sandbox: BackgroundSandbox, *ids: str) -> dict[str, object]:
    data = {"organizationId": "o", "activities": [{"id": id, "actionIcon": "i"} for id in ids]}
    headers = {
        "content-type": "application/json",
        "x-velt-api-key": sandbox.api_key,
        "x-velt-auth-token": sandbox.auth_token,
    }
    url = f"{sandbox.url}/v2/activities/update"
    request = urllib.request.Request(url, json.dumps({"data": data}).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        told: dict[str, object] = json.loads(answer.read())["result"]["data"]
        return told


def test_a_sandbox_in_the_background() -> None:
    with sandbox_in_background(Setup(api_key="only-this-key")) as sandbox:
        assert sandbox.seed([{"organizationId": "o", "id": "a"}, {"organizationId": "o", "id": "b"}]) == 2
        assert list(send(sandbox, "a", "c")) == ["a", "c"]
        assert (sandbox.record("o", "a") or {})["actionIcon"] == "i"
        assert sandbox.record("o", "c") is None
        assert [event.kind for event in sandbox.history("o", "a")] == ["seed", "update"]
        assert [(entry.updated, entry.failed) for entry in sandbox.requests] == [(1, 1)]
        assert sandbox.export().count(b"\n") == 2
        sandbox.inject("outage")
        sandbox.inject(None)
        sandbox.reset()
        assert sandbox.export() == b""
        assert sandbox.statistics.requests == 0
        assert "only-this-key" not in repr(sandbox.statistics)


def test_the_fixture_works_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["bulk_update.sandbox.pytest_plugin"]\n')
    (tmp_path / "test_theirs.py").write_text(THEIR_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_a_seed_that_is_none_is_refused() -> None:
    with sandbox_in_background() as sandbox, pytest.raises(ValueError, match="organizationId"):
        sandbox.seed([{"id": "a"}])
