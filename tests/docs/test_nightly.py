"""The samples for a nightly job: they parse, they agree with the program, and the script does what is said of it."""

import re
import shlex
from pathlib import Path
from typing import cast

import pytest

from bulk_update.cli.parsing import parse
from bulk_update.cli.settings import read_job
from bulk_update.model import Snapshot
from bulk_update.pure.metrics import NAMES
from bulk_update.pure.standing import Standing, as_event
from tests.docs.conftest import SEED, serving
from tests.docs.markdown import ROOT, table
from tests.docs.shell import Command, Done, environment, run
from tests.docs.yaml_subset import Value, read_documents

SAMPLES = ROOT / "docs" / "samples"
SCRIPT = SAMPLES / "nightly.sh"
INSTALLED = "/usr/local/lib/bulk-update/nightly.sh"
ROW = '{"organizationId":"org-1","id":"activity-00%s","actionIcon":"edit"}\n'


def unit(name: str) -> dict[str, list[tuple[str, str]]]:
    """Read a unit of systemd: sections, in which a key may stand several times."""
    text = (SAMPLES / name).read_text().replace("\\\n", " ")
    sections: dict[str, list[tuple[str, str]]] = {}
    section: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), [])
        else:
            key, equals, value = line.partition("=")
            assert equals, line
            section.append((key, value.strip()))
    return sections


def at(value: Value, *path: str | int) -> Value:
    """Go down a path of keys and places."""
    for step in path:
        value = cast("dict[str | int, Value]", value)[step]
    return value


def passed_on(words: list[str]) -> None:
    """See that both the main job and `retry` take the options that the script passes on."""
    assert words
    assert parse(["run", "input", *words]) is not None
    assert parse(["retry", "ledger", *words]) is not None


def test_systemd_hands_over_the_secrets_as_files() -> None:
    service = unit("bulk-update.service")["Service"]
    loaded = [value.partition(":")[0] for key, value in service if key == "LoadCredential"]
    words = shlex.split(dict(service)["ExecStart"])
    assert words[0] == INSTALLED
    assert [f"${{CREDENTIALS_DIRECTORY}}/{name}" for name in loaded] == [words[3], words[5]]
    passed_on(words[2:])
    assert not [value for key, value in service if key == "Environment" and "VELT" in value]


def test_systemd_starts_again_what_is_worth_it() -> None:
    service = dict(unit("bulk-update.service")["Service"])
    assert service["Type"] == "oneshot"
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == ["1", "2"]
    assert int(service["TimeoutStopSec"]) > int(actions_default("--timeout"))


def actions_default(option: str) -> str:
    """Return an option's default as the README tells it."""
    return next(row[1] for row in table(ROOT / "README.md", "option") if row[0].startswith(option))


def test_the_settings_file_can_be_used_with_each_of_its_profiles(tmp_path: Path) -> None:
    for word in ("api-key", "auth-token"):
        (tmp_path / word).write_text("a-secret")
    text = (SAMPLES / "velt.toml").read_text().replace("/etc/bulk-update", str(tmp_path))
    (tmp_path / "velt.toml").write_text(text)
    profiles = re.findall(r"^\[profile\.(\w+)\]$", text, re.MULTILINE)
    assert profiles == ["nightly", "staging"]
    for profile in profiles:
        words = ["--config", str(tmp_path / "velt.toml"), "--profile", profile]
        passed_on(words)
        options = parse(["input", *words])
        assert options is not None
        read_job(options, {} if profile == "nightly" else {"VELT_API_KEY": "a", "VELT_AUTH_TOKEN": "b"})


def test_the_timer_wakes_the_service_at_night() -> None:
    timer = unit("bulk-update.timer")
    assert dict(timer["Timer"])["OnCalendar"] == "*-*-* 02:15:00"
    assert dict(timer["Install"])["WantedBy"] == "timers.target"


def test_cron_has_one_job_with_a_user() -> None:
    lines = [line for line in (SAMPLES / "bulk-update.cron").read_text().splitlines() if re.match(r"[\d*]", line)]
    (job,) = lines
    words = job.split()
    assert re.fullmatch(r"\d+ \d+ \* \* \*", " ".join(words[:5]))
    assert words[5:8] == ["bulk-update", INSTALLED, "/var/lib/bulk-update"]
    passed_on(words[8:])
    assert "%" not in job  # cron makes a line end of it


def test_the_cron_job_of_kubernetes() -> None:
    claim, job = read_documents((SAMPLES / "cronjob.yaml").read_text())
    assert at(claim, "kind") == "PersistentVolumeClaim"
    assert at(job, "kind") == "CronJob"
    assert at(job, "spec", "concurrencyPolicy") == "Forbid"
    inner = at(job, "spec", "jobTemplate", "spec")
    rule = at(inner, "podFailurePolicy", "rules", 0)
    assert at(rule, "action") == "FailJob"
    assert at(rule, "onExitCodes", "values") == [1, 2]
    pod = at(inner, "template", "spec")
    assert at(pod, "restartPolicy") == "Never"  # a podFailurePolicy needs it
    assert cast("int", at(pod, "terminationGracePeriodSeconds")) > int(actions_default("--timeout"))
    container = at(pod, "containers", 0)
    assert at(rule, "onExitCodes", "containerName") == at(container, "name")
    command = cast("list[str]", at(container, "command"))
    assert command[:2] == [INSTALLED, "/data"]
    passed_on(command[2:])
    mounts = cast("list[Value]", at(container, "volumeMounts"))
    volumes = cast("list[Value]", at(pod, "volumes"))
    assert [at(mount, "name") for mount in mounts] == [at(volume, "name") for volume in volumes]
    assert at(volumes[0], "persistentVolumeClaim", "claimName") == at(claim, "metadata", "name")
    assert at(volumes[1], "secret", "defaultMode") == 0o440


def test_the_image_holds_what_the_job_calls() -> None:
    text = (SAMPLES / "Dockerfile").read_text()
    assert INSTALLED in text
    assert (ROOT / "requirements" / "core.txt").is_file()
    assert "requirements/core.txt" in text


def test_the_workflow_keeps_the_ledger_and_the_secrets() -> None:
    (workflow,) = read_documents((SAMPLES / "github-actions.yml").read_text())
    assert at(workflow, "on", "schedule", 0, "cron") == "15 2 * * *"
    steps = cast("list[dict[str, Value]]", at(workflow, "jobs", "update", "steps"))
    by_name = {step.get("name"): step for step in steps}
    update = by_name["Update"]
    assert at(update, "env") == {name: f"${{{{ secrets.{name} }}}}" for name in ("VELT_API_KEY", "VELT_AUTH_TOKEN")}
    assert by_name["Keep the ledger"]["if"] == "always()"
    assert at(by_name["Keep the ledger"], "with", "path") == "changes.ndjson.ledger.ndjson"
    assert [step for step in steps if "env" in step] == [update]


def test_the_workflow_tries_again_what_is_worth_it(tmp_path: Path) -> None:
    (workflow,) = read_documents((SAMPLES / "github-actions.yml").read_text())
    steps = cast("list[dict[str, Value]]", at(workflow, "jobs", "update", "steps"))
    script = next(str(step["run"]) for step in steps if step.get("name") == "Update")
    # In the place of the program: it ends with what stands in a file, a line a call.
    fake = 'bulk-update() { read -r code < codes; sed -i 1d codes; return "$code"; }; sleep() { :; }\n'
    for codes, expected, left in (("3 3 0 9", 0, "9"), ("1 9", 1, "9"), ("3 3 3 3 9", 3, "9")):
        (tmp_path / "codes").write_text("\n".join(codes.split()) + "\n")
        done = run(Command(f"set -eo pipefail\n{fake}{script}", expected), tmp_path, environment(tmp_path))
        assert done.code == expected
        assert (tmp_path / "codes").read_text().strip() == left


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with an inbox, and the seed of an API."""
    (tmp_path / "seed.ndjson").write_text(SEED)
    (tmp_path / "jobs" / "inbox").mkdir(parents=True)
    return tmp_path / "jobs"


def start(folder: Path, url: str, options: str = "") -> Done:
    """Start the script as cron does."""
    return run(Command(f"{SCRIPT} {folder} --rate none {options}", 0), folder.parent, environment(folder.parent, url))


def put(folder: Path, name: str, *numbers: int) -> None:
    """Put an input into the inbox."""
    (folder / "inbox" / name).write_text("".join(ROW % number for number in numbers))


def found(folder: Path) -> dict[str, list[str]]:
    """List what is where."""
    return {place.name: sorted(path.name for path in place.iterdir()) for place in sorted(folder.iterdir())}


def test_the_script_sends_every_file_and_puts_it_away(folder: Path) -> None:
    put(folder, "changes-1.ndjson", 1, 2)
    put(folder, "changes-2.ndjson", 3, 1)
    put(folder, "changes-3.ndjson", 4)
    with serving(folder.parent) as url:
        done = start(folder, url)
    assert done.code == 1
    assert "changes-2.ndjson" in done.output
    assert "Failed to update activity." in done.output
    assert "changes-1.ndjson" not in done.output
    assert found(folder) == {
        "attention": ["changes-2.ndjson", "changes-2.ndjson.ledger.ndjson"],
        "done": [
            "changes-1.ndjson",
            "changes-1.ndjson.ledger.ndjson",
            "changes-3.ndjson",
            "changes-3.ndjson.ledger.ndjson",
        ],
        "inbox": [],
        "ledgers": [],
    }


def test_the_script_says_nothing_when_all_is_well(folder: Path) -> None:
    put(folder, "changes-1.ndjson", 1, 2)
    with serving(folder.parent) as url:
        assert start(folder, url) == Done(Command(f"{SCRIPT} {folder} --rate none ", 0), 0, "")


def test_the_script_says_nothing_when_there_is_nothing_to_do(folder: Path) -> None:
    done = start(folder, "http://127.0.0.1:1")
    assert (done.code, done.output) == (0, "")


def test_the_script_stops_at_what_is_worth_trying_again_and_goes_on_from_there(folder: Path) -> None:
    put(folder, "changes-1.ndjson", 1)
    put(folder, "changes-2.ndjson", 2)
    (folder.parent / "token").write_text("another-token")
    with serving(folder.parent, "--auth-token-file", "token") as url:
        stopped = start(folder, url)
        assert stopped.code == 3
        assert "the API refused the credentials" in stopped.output
        assert found(folder)["inbox"] == ["changes-1.ndjson", "changes-2.ndjson"]
        assert found(folder)["ledgers"] == ["changes-1.ndjson.ledger.ndjson"]
        assert start(folder, url, f"--auth-token-file {folder.parent}/token").code == 0
    assert found(folder)["inbox"] == []


def test_the_script_tells_what_it_does_with_each_code() -> None:
    told = [row[0] for row in table(ROOT / "docs" / "nightly.md", "code")]
    assert ", ".join(told) == "0, 1, 2, 3, 129, 130, 143"


# ------------------------------------------------------------------------------------- monitoring


def rules() -> list[dict[str, Value]]:
    (document,) = read_documents((SAMPLES / "bulk-update.rules.yml").read_text())
    return cast("list[dict[str, Value]]", at(document, "groups", 0, "rules"))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alerts_ask_for_metrics_that_are_written(rule: dict[str, Value]) -> None:
    expression = str(rule["expr"])
    asked = set(re.findall(r"bulk_update_\w+", expression))
    assert asked
    assert asked <= NAMES
    assert expression.count("(") == expression.count(")")
    assert re.fullmatch(r"\d+[mh]", str(rule.get("for", "0m")))
    summary = str(at(rule, "annotations", "summary"))
    assert set(re.findall(r"\{\{ *(.*?) *\}\}", summary)) <= {"$labels.name", "$value"}


def test_each_metric_is_told_of() -> None:
    told = [name.strip() for row in table(ROOT / "docs" / "nightly.md", "metric") for name in row[0].split(",")]
    assert set(told) == NAMES
    assert len(told) == len(NAMES)


def test_each_key_of_a_progress_event_is_told_of() -> None:
    told = [name.strip() for row in table(ROOT / "docs" / "nightly.md", "key") for name in row[0].split(",")]
    none = Snapshot(0, {}, 0, 0, 0, 0, 0, 0.0, None, None, 0, None, is_read_whole=False)
    assert sorted(told) == sorted(as_event(Standing(none, 0, 0)))
