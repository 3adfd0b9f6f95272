"""`bulk-update sandbox`, `sandbox exec`, `sandbox export`, and `--sandbox-faults`, as programs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_update.cli import main
from bulk_update.cli.parsing import parse
from bulk_update.cli.sandbox import read_setup
from bulk_update.errors import SettingsError, UsageError
from bulk_update.pure.pacing import Rate

ROOT = Path(__file__).parents[2]
SEED = b'{"organizationId":"o","id":"a","metadata":{}}\n{"organizationId":"o","id":"b","metadata":{}}\n'

SEND = """
import json, os, sys, urllib.request, urllib.error
for ids in json.loads(sys.argv[1]):
    data = {"organizationId": "o", "activities": [{"id": id, "actionIcon": "i"} for id in ids]}
    headers = {"content-type": "application/json", "x-velt-api-key": os.environ["VELT_API_KEY"],
               "x-velt-auth-token": os.environ["VELT_AUTH_TOKEN"]}
    request = urllib.request.Request(os.environ["VELT_API_URL"] + "/v2/activities/update",
                                     json.dumps({"data": data}).encode(), headers)
    try:
        urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        print(error.code)
sys.exit(int(sys.argv[2]))
"""


def sandbox(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bulk_update", "sandbox", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def send(*requests: list[str], code: int = 0) -> list[str]:
    return ["--", sys.executable, "-c", SEND, json.dumps(requests), str(code)]


@pytest.fixture
def seed(tmp_path: Path) -> str:
    path = tmp_path / "seed.ndjson"
    path.write_bytes(SEED)
    return str(path)


@pytest.mark.parametrize("code", [0, 7])
def test_exec_ends_with_the_code_of_the_command(seed: str, code: int) -> None:
    ran = sandbox("exec", "--seed", seed, *send(["a", "b"], ["a", "c"], code=code))
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.splitlines() == [
        "sandbox: 2 requests",
        "sandbox: 3 updates made, 1 failed",
        "sandbox: no violations",
    ]


def test_exec_counts_violations_and_ends_with_4(seed: str) -> None:
    ran = sandbox("--seed", seed, "--rate-limit", "1/h", "exec", *send(["a", "b", "a"], ["a"], code=1))
    assert (ran.returncode, ran.stdout) == (4, "429\n")
    assert ran.stderr.splitlines()[-4:] == [
        "sandbox: 2 violations:",
        "sandbox:       1 requests over the rate limit",
        "sandbox:       1 an id twice in a request",
        "sandbox: exit code 4 for the violations; the command's own was 1",
    ]


def test_exec_leads_the_command_to_the_sandbox_whatever_the_environment_says(
    tmp_path: Path, seed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changes.ndjson").write_text('{"organizationId":"o","id":"a","actionIcon":"i"}\n')
    (tmp_path / "key").write_text("the-key-of-another-place")
    monkeypatch.setenv("BULK_UPDATE_API_URL", "http://127.0.0.1:9")
    for name in ("BULK_UPDATE_API_KEY_FILE", "BULK_UPDATE_AUTH_TOKEN_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "key"))
    command = ["--", sys.executable, "-m", "bulk_update", str(tmp_path / "changes.ndjson"), "--give-up-after", "1s"]
    ran = sandbox("exec", "--seed", seed, *command)
    assert (ran.returncode, "sandbox: 1 update made, 0 failed" in ran.stderr) == (0, True), ran.stderr


def test_exec_of_what_cannot_be_run(seed: str) -> None:
    assert sandbox("exec", "--", "/no/such/command").returncode == 127
    assert sandbox("exec", "--", seed).returncode == 126
    ran = sandbox("exec")
    assert (ran.returncode, "found no -- COMMAND, expected one, such as -- python" in ran.stderr) == (2, True)


def test_exec_of_a_command_that_a_signal_ends() -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert sandbox("exec", "--", sys.executable, "-c", script).returncode == 128 + 15


def test_a_store_in_a_file_goes_on_and_is_exported(seed: str, tmp_path: Path) -> None:
    db, out = str(tmp_path / "db"), tmp_path / "out.ndjson"
    assert sandbox("exec", "--db", db, "--seed", seed, *send(["a"])).returncode == 0
    assert sandbox("exec", "--db", db, "--seed", seed, *send(["b"])).returncode == 0
    ran = sandbox("export", "--db", db)
    assert ran.stdout == SEED.decode().replace('"metadata":{}', '"metadata":{},"actionIcon":"i"')
    assert sandbox("export", "--db", db, "--output", str(out)).returncode == 0
    assert out.read_text() == ran.stdout
    again = str(tmp_path / "again")
    assert sandbox("exec", "--db", again, "--seed", str(out), "--", "true").returncode == 0
    assert sandbox("export", "--db", again).stdout == ran.stdout
    assert sandbox("export", "--db", str(tmp_path / "none")).returncode == 2


def test_the_main_job_keeps_its_manners_on_a_bad_day(seed: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.ndjson"
    rows.write_text("".join(f'{{"organizationId":"o","id":"id-{n}","actionIcon":"i"}}\n' for n in range(60)))
    words = ["--batch-size", "5", "--rate", "100/s", "--no-progress"]
    ran = sandbox("exec", "--rate-limit", "100/s", "--", sys.executable, "-m", "bulk_update", str(rows), *words)
    assert ran.returncode == 1, ran.stderr  # none of them exists here
    assert "no violations" in ran.stderr
    assert main([str(rows), "--sandbox", "--sandbox-faults", "flaky", "--quiet", *words]) == 0


def test_sandbox_faults_need_a_sandbox_and_a_preset(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([seed, "--sandbox-faults", "flaky"]) == 2
    assert "expected together with --sandbox" in capsys.readouterr().err
    assert main([seed, "--sandbox", "--sandbox-faults", "flakey"]) == 2
    assert "expected a preset" in capsys.readouterr().err


def test_words_before_the_action_hold_and_those_after_it_win() -> None:
    options = parse(
        ["sandbox", "--faults", "slow", "--port", "1", "exec", "--port", "2", "--rate-limit", "5/s", "--", "x", "-y"]
    )
    assert options is not None
    setup = read_setup(options)
    assert (setup.port, setup.conduct.faults.name, options.command) == (2, "slow", ["x", "-y"])
    assert setup.conduct.limits.key == (Rate(5, 1.0),)


def test_serving_has_its_own_defaults() -> None:
    options = parse(
        ["sandbox", "--immutable", "--switch", "null=keep", "--no-admin", "--rate-limit", "60/m", "--rate-limit", "5"]
    )
    assert options is not None
    setup = read_setup(options)
    assert (setup.port, setup.access.has_admin) == (8787, False)
    assert (setup.conduct.switches.immutable, setup.conduct.switches.null) == ("yes", "keep")
    assert setup.conduct.limits.key == (Rate(60, 60.0), Rate(5, 1.0))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rate-limit", "fast"], "--rate-limit: found 'fast'"),
        (["--faults", "x"], "--faults: found 'x', expected a preset"),
        (["--faults-seed", "x"], "--faults-seed: found 'x'"),
        (["--host", "0.0.0.0"], "--allow-remote"),  # noqa: S104
        (["--switch", "x=1"], "no switch"),
        (["--switch", "max-bytes=x"], "--switch max-bytes: found 'x', expected a size"),
        (["--switch", "max-activities=0"], "--switch max-activities: found '0', expected a whole number"),
        (["--api-key-file", "/dev/null"], "--api-key-file: /dev/null is empty, expected what is to be accepted"),
        (["--port", "70000"], "--port: found '70000', expected a whole number from 0 to 65,535"),
    ],
)
def test_words_that_make_no_sense_are_refused(words: list[str], message: str) -> None:
    options = parse(["sandbox", *words])
    assert options is not None
    with pytest.raises((SettingsError, UsageError), match=message):
        read_setup(options)
