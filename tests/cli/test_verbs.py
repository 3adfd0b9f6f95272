"""The verbs beside the main job, and what the command line says of itself."""

import asyncio
import csv
import io
import json
import signal
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Final

import pytest

from bulk_update.version import VERSION
from tests.cli.process import CREDENTIALS, Ended, command, end, environment, run, running
from tests.runs import KEY, ndjson, read_ledger, row, rows
from tests.servers.actions import Hang
from tests.servers.misbehaving import MisbehavingServer, Script, open_misbehaving
from tests.servers.replies import failure, missing, ok, verdicts

NASTY: Final = 'a,"b"\n\u2028é😀'
"""An id that needs quoting wherever it is written."""


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Give an input with rows that will be updated, refused, left without a verdict, and two that are invalid."""
    path = tmp_path / "changes.ndjson"
    odd = {"organizationId": "org-1", "id": "typo", "actionIcom": "x", "_note": "kept nowhere"}
    lines = [*rows(3), row("refused", entityData={"n": [1, 2]}), odd, row("lost"), row(NASTY)]
    path.write_text(ndjson(lines) + "no json\n")
    return path


def ledger_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.ledger.ndjson")


def mixed_script() -> Script:
    return [verdicts({"refused": False, "lost": None, NASTY: False}), missing(["lost"])]


async def send(server: MisbehavingServer, *words: str | Path) -> Ended:
    return await run(*words, "--api-url", server.url, "--rate", "none", "--max-attempts", "2")


# ------------------------------------------------------------------------------------------ check


async def test_check_says_all_and_sends_nothing_and_needs_no_credentials(mixed: Path) -> None:
    ended = await run("check", mixed, env={})
    assert (ended.code, ended.err) == (1, "")
    assert "8 rows: 6 valid, 2 invalid" in ended.out
    for word in ("1 request of", "6 on average", "bytes", "org-1", 'did you mean "actionIcon"?', "line 5", "line 8"):
        assert word in ended.out
    assert [path.name for path in mixed.parent.iterdir()] == [mixed.name]


async def test_check_of_a_good_input_ends_in_0_and_counts_what_will_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(row(f"a{n}", f"org-{n % 3}") for n in range(30)))
    words = ("--batch-size", "4")
    checked = await run("check", path, "--rate", "6/m", "--json", *words, env={})
    found = checked.json
    assert (checked.code, found["rows"], found["valid"], found["organizations"]) == (0, 30, 30, 3)
    assert found["seconds"] == pytest.approx(80, abs=1)
    async with open_misbehaving([ok()]) as server:
        await run(path, "--api-url", server.url, "--rate", "none", *words)
    assert found["requests"] == len(server.requests) == 9
    assert found["bytes"] == sum(len(request.body) for request in server.requests)
    assert found["mean_fill"] == pytest.approx(30 / 9, abs=0.1)


async def test_check_reads_standard_input() -> None:
    ended = await run("check", "-", "--json", stdin=ndjson(rows(3)).encode(), env={})
    assert (ended.code, ended.json["rows"]) == (0, 3)


# --------------------------------------------------------------------------------------- failures


async def test_failures_are_an_input_that_can_be_mended_and_run(mixed: Path) -> None:
    async with open_misbehaving(mixed_script()) as server:
        assert (await send(server, mixed)).code == 1
    failures = await run("failures", ledger_of(mixed), env={})
    assert (failures.code, failures.err) == (0, "")
    found = [json.loads(line) for line in failures.out.split("\n")[:-1]]
    assert [(row.get("id"), row["_status"], row["_line"]) for row in found] == [
        ("refused", "failed", 4),
        ("typo", "invalid", 5),
        ("lost", "unknown", 6),
        (NASTY, "failed", 7),
        (None, "invalid", 8),
    ]
    assert found[0]["entityData"] == {"n": [1, 2]}
    assert found[0]["_message"] == "Failed to update activity."
    mended = mixed.with_name("mended.ndjson")
    found[1]["actionIcon"] = found[1].pop("actionIcom")
    mended.write_text(ndjson(found[:-1]))
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, mended)).code == 0
    sent = [json.loads(activity) for activity in server.requests[0].activities]
    assert [activity["id"] for activity in sent] == ["refused", "typo", "lost", NASTY]
    assert not any(key.startswith("_") for activity in sent for key in activity)


async def test_failures_as_csv_are_an_input_too(mixed: Path) -> None:
    async with open_misbehaving(mixed_script()) as server:
        await send(server, mixed)
        requests = len(server.requests)
        failures = await run("failures", ledger_of(mixed), "--format", "csv", env={})
        table = list(csv.DictReader(io.StringIO(failures.out)))
        assert [cells["_status"] for cells in table] == ["failed", "invalid", "unknown", "failed", "invalid"]
        again = mixed.with_name("again.csv")
        again.write_text(failures.out)
        checked = await run("check", again, "--json", env={})
        assert (checked.json["rows"], checked.json["valid"]) == (5, 3)
        await send(server, again)
    sent = {json.loads(text)["id"]: json.loads(text) for text in server.requests[requests].activities}
    assert sent["refused"] == {"id": "refused", "entityData": {"n": [1, 2]}}
    assert NASTY in sent


async def test_without_failures_nothing_is_printed(tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(3)))
    async with open_misbehaving([ok()]) as server:
        await send(server, tmp_path / "changes.ndjson")
    failures = await run("failures", ledger_of(tmp_path / "changes.ndjson"), env={})
    assert (failures.code, failures.out, failures.err) == (0, "", "")


# ------------------------------------------------------------------------------------------ retry


async def test_retry_sends_what_is_failed_or_unknown_and_nothing_that_is_invalid(mixed: Path) -> None:
    async with open_misbehaving([*mixed_script()[:2], ok()]) as server:  # type: ignore[index]
        await send(server, mixed)
        before = len(server.requests)
        mixed.unlink()
        again = await send(server, "retry", ledger_of(mixed), "--json")
    assert {id_ for request in server.requests[before:] for id_ in request.ids} == {"refused", "lost", NASTY}
    summary = again.json
    assert (again.code, summary["rows"], summary["updated"], summary["invalid"]) == (1, 8, 6, 2)
    assert (summary["failed"], summary["unknown"], summary["unsent"]) == (0, 0, 0)


async def test_retry_goes_to_the_api_of_the_ledger_unless_told(mixed: Path) -> None:
    async with open_misbehaving([*mixed_script()[:2], ok()]) as server:  # type: ignore[index]
        await send(server, mixed)
        before = len(server.requests)
        assert (await run("retry", ledger_of(mixed), env=CREDENTIALS)).code == 1
        assert len(server.requests) > before


async def test_what_is_next_names_inputs_and_ledger_where_they_lie(tmp_path: Path) -> None:
    for folder in ("exports", "more", "ledgers"):
        (tmp_path / folder).mkdir()
    (tmp_path / "exports" / "changes.ndjson").write_text(ndjson(rows(3)))
    (tmp_path / "more" / "changes.csv").write_text("organizationId,id,actionIcon\norg-1,late,x\n")
    inputs = ("exports/changes.ndjson", "more/changes.csv")
    async with open_misbehaving([verdicts({"a1": False}), ok()]) as server:
        to = ("--api-url", server.url, "--rate", "none")
        first = await run(*inputs, "--ledger", "ledgers/l", "--limit", "2", *to, cwd=tmp_path)
        retried = await run("retry", "ledgers/l", "--rate", "none", cwd=tmp_path)
        report = await run("report", "ledgers/l", cwd=tmp_path)
        job = ("exports/changes.ndjson", "more/changes.csv", "--ledger", "ledgers/l", "--api-url", server.url)
        assert (first.code, retried.code) == (1, 0)
        assert retried.err.splitlines()[-1] == f"next: bulk-update {' '.join((*job[:4], *to[2:], *job[4:]))}"
        assert f"  bulk-update {' '.join(job)}\n" in report.out
        elsewhere = await run("report", "../ledgers/l", cwd=tmp_path / "more")
        paths = (tmp_path / "exports" / "changes.ndjson", "changes.csv", "--ledger", "../ledgers/l", "--api-url")
        assert f"  bulk-update {' '.join(map(str, paths))} {server.url}\n" in elsewhere.out
        assert (await run(*job, *to[2:], cwd=tmp_path)).code == 0


async def test_retry_of_a_ledger_without_failures_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(3)))
    async with open_misbehaving([ok()]) as server:
        await send(server, tmp_path / "changes.ndjson")
        assert (await send(server, "retry", ledger_of(tmp_path / "changes.ndjson"))).code == 0
        assert len(server.requests) == 1


@pytest.mark.parametrize("verb", ["retry", "failures", "report"])
async def test_a_ledger_that_is_not_there_is_told(verb: str, tmp_path: Path) -> None:
    ended = await run(verb, tmp_path / "none.ndjson")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "none.ndjson" in ended.err
    assert not list(tmp_path.iterdir())


# ----------------------------------------------------------------------------------------- report


async def test_report_tells_what_the_ledger_holds(mixed: Path) -> None:
    async with open_misbehaving(mixed_script()) as server:
        await send(server, mixed)
    report = await run("report", ledger_of(mixed), env={})
    assert report.code == 0
    for word in ("3 updated", "2 failed", "2 invalid", "1 unknown", "Failed to update activity.", "changes.ndjson"):
        assert word in report.out


async def test_report_can_be_made_while_a_run_goes_on(mixed: Path) -> None:
    async with open_misbehaving([ok(), Hang()]) as server:
        words = (mixed, "--api-url", server.url, "--batch-size", "1", "--concurrency", "1", "--rate", "none")
        async with running(*words) as process:
            await server.until(lambda: len(server.in_flight) == 1 and len(server.requests) == 2)
            report = await run("report", ledger_of(mixed), env={})
            assert report.code == 0
            assert "1 updated" in report.out
            process.kill()
            await process.communicate()


# ---------------------------------------------------------------------------------------- sandbox


async def line_of(process: Any) -> str:
    line: bytes = await process.stdout.readline()
    return line.decode()


async def test_the_sandbox_serves_its_seed_until_a_signal_ends_it(tmp_path: Path) -> None:
    (tmp_path / "seed.ndjson").write_text(ndjson({"organizationId": "org-1", "id": f"a{n}"} for n in range(2)))
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(3)))
    words = ("--port", "0", "--seed", tmp_path / "seed.ndjson", "--api-key-file", tmp_path / "key")
    async with running("sandbox", *words, env={}) as sandbox:
        announced = await line_of(sandbox)
        url = next(word for word in announced.replace(",", " ").split() if word.startswith("http://127.0.0.1:"))
        ended = await run(tmp_path / "changes.ndjson", "--api-url", url, "--rate", "none", "--json")
        assert (ended.code, ended.json["updated"], ended.json["failed"]) == (1, 2, 1)
        wrong = CREDENTIALS | {"VELT_API_KEY": "wrong-key"}
        refused = await run(tmp_path / "changes.ndjson", "--ledger", tmp_path / "l", "--api-url", url, env=wrong)
        assert refused.code == 3
        sandbox.send_signal(signal.SIGTERM)
        assert (await end(sandbox)).code == 0


async def test_a_sandbox_that_cannot_listen_says_so_in_one_sentence() -> None:
    async with open_misbehaving([ok()]) as taken:
        ended = await run("sandbox", "--port", taken.url.rpartition(":")[2], env={})
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "listen" in ended.err


async def test_a_seed_that_is_no_seed_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "seed.ndjson").write_text('{"organizationId":"org-1","id":"a"}\nnonsense\n')
    ended = await run("sandbox", "--port", "0", "--seed", tmp_path / "seed.ndjson", env={})
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "line 2" in ended.err


# -------------------------------------------------------------------------- nobody reads, or there is no room

BROKEN: Final = {
    "check, nobody reads": ("check changes.ndjson", "| true", 0),
    "check, closed": ("check changes.ndjson", ">&-", 0),
    "check, no room": ("check changes.ndjson", "> /dev/full", 3),
    "report, nobody reads": ("report changes.ndjson.ledger.ndjson", "| true", 0),
    "report, no room": ("report changes.ndjson.ledger.ndjson", "> /dev/full", 3),
    "failures, nobody reads": ("failures changes.ndjson.ledger.ndjson", "| true", 0),
    "failures, closed": ("failures changes.ndjson.ledger.ndjson", ">&-", 0),
    "failures, no room": ("failures changes.ndjson.ledger.ndjson", "> /dev/full", 3),
    "help, nobody reads": ("--help", "| true", 0),
    "help, closed": ("--help", ">&- 2>&-", 0),
    "help of a verb, nobody reads": ("run --help", "| true", 0),
    "help of a verb, no room": ("run --help", "> /dev/full", 3),
    "a refusal, nobody listens": ("check none.ndjson", "2>&1 >&- | true", 2),
    "a refusal, no room": ("check none.ndjson", "2> /dev/full", 2),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_stream_is_no_crash(name: str, tmp_path: Path) -> None:
    words, where, code = BROKEN[name]
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(2)))
    if "ledger" in words:
        async with open_misbehaving([verdicts({}, rest=False)]) as server:
            await send(server, tmp_path / "changes.ndjson")
    line = f"{' '.join(command(*words.split()))} {where}"
    if "|" in where:
        line = f"{{ {' '.join(command(*words.split()))}; echo $? > code; }} {where}; exit $(cat code)"
    shell = await asyncio.create_subprocess_shell(line, stdout=PIPE, stderr=PIPE, env=environment({}), cwd=tmp_path)
    out, err = await shell.communicate()
    assert (shell.returncode, out) == (code, b""), err.decode()
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err
    assert err.count(b"\n") <= 1


async def test_json_is_json_in_whatever_encoding_standard_output_has(tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson([row("é😀"), {"organizationId": "o", "id": "ü", "actionIcom": 1}]))
    env = {"PYTHONIOENCODING": "ascii"}
    changes = tmp_path / "changes.ndjson"
    summary = (await run(changes, "--sandbox", "--json", env=env)).json
    assert summary["failures"][0]["example"] == "ü"
    assert (await run("check", changes, "--json", env=env)).json["invalid"] == 1
    ledger = tmp_path / "changes.ndjson.sandbox.ledger.ndjson"
    assert (await run("report", ledger, "--json", env=env)).json["rows"] == 2


# ------------------------------------------------------------------------------------- about itself


@pytest.mark.parametrize("words", [(), ("run",), ("check",), ("retry",), ("failures",), ("report",), ("sandbox",)])
async def test_help_is_on_standard_output(words: tuple[str, ...]) -> None:
    ended = await run(*words, "--help", env={})
    assert (ended.code, ended.err) == (0, "")
    assert "bulk-update" in ended.out


async def test_help_lists_the_exit_codes_and_every_option_of_the_main_job() -> None:
    overview, main_job = await run("--help", env={}), await run("run", "--help", env={})
    for ended in (overview, main_job):
        for code in ("0 ", "1 ", "2 ", "3 ", "129, 130, 143"):
            assert f"\n  {code}" in ended.out
    for option in [
        "--organization-id",
        "--format",
        "--column",
        "--ledger",
        "--batch-size",
        "--batch-bytes",
        "--buffer",
        "--rate",
        "--organization-rate",
        "--concurrency",
        "--timeout",
        "--max-attempts",
        "--give-up-after",
        "--max-failures",
        "--limit",
        "--api-url",
        "--api-key-file",
        "--auth-token-file",
        "--sandbox",
        "--json",
        "--quiet",
        "--no-progress",
        "--log-format",
        "--dry-run",
        "--accept-new-key",
    ]:
        assert f"{option} " in main_job.out or f"{option}\n" in main_job.out


async def test_the_version_is_told() -> None:
    ended = await run("--version", env={})
    assert (ended.code, ended.out) == (0, f"bulk-update {VERSION}\n")


async def test_no_option_takes_a_secret_and_what_is_given_in_its_place_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(1)))
    for words in ((f"--api-key={KEY}",), ("--auth-token", KEY), (f"--api-key-file={KEY}",)):
        ended = await run(tmp_path / "changes.ndjson", *words)  # `run` checks that no stream holds the key
        assert ended.code == 2


async def test_secrets_stand_nowhere_in_what_a_run_leaves_behind(mixed: Path) -> None:
    echo = failure("INVALID_ARGUMENT", f"x-velt-api-key: {KEY} is fine, the row is not")
    async with open_misbehaving([echo]) as server:
        ended = await send(server, mixed, "--batch-size", "1", "--json")
    assert ended.code == 1
    ledger = ledger_of(mixed)
    assert KEY.encode() not in ledger.read_bytes()
    assert read_ledger(ledger).statuses == {"failed": 6, "invalid": 2}
    for verb in ("failures", "report"):
        await run(verb, ledger, env={})
