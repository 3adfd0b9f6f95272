"""The main job as a process: what it sends, says and leaves behind, and its exit code."""

import asyncio
import gzip
import json
import os
import pty
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.process import CREDENTIALS, Ended, command, end, environment, run, running
from tests.runs import KEY, TOKEN, ndjson, read_ledger, row, rows
from tests.servers.actions import Action, Hang, Latency
from tests.servers.misbehaving import MisbehavingServer, busiest_window, open_misbehaving
from tests.servers.replies import failure, html, missing, ok, redirect, throttled, verdicts

COUNTS: Final = ("updated", "failed", "invalid", "unknown", "superseded", "unsent")


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    """Give an input of five rows of one organization."""
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(5)))
    return path


def ledger_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.ledger.ndjson")


async def send(server: MisbehavingServer, *words: str | Path) -> Ended:
    """Run the main job against a server, as fast as it goes."""
    return await run(*words, "--api-url", server.url, "--rate", "none")


# ------------------------------------------------------------------------------------- how it ends


async def test_every_row_updated_ends_in_0_and_is_told_on_standard_error(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, changes)
    assert (ended.code, ended.out) == (0, "")
    assert "5 rows: 5 updated" in ended.err
    assert str(ledger_of(changes)) in ended.err
    assert len(server.requests) == 1
    assert server.requests[0].headers["x-velt-api-key"] == KEY
    assert server.requests[0].headers["x-velt-auth-token"] == TOKEN


async def test_a_failed_row_ends_in_1_and_retry_sends_it_alone(changes: Path) -> None:
    async with open_misbehaving([verdicts({"a3": False}), ok()]) as server:
        first = await send(server, changes)
        again = await send(server, "retry", ledger_of(changes))
    assert (first.code, again.code) == (1, 0)
    assert "Failed to update activity." in first.err
    assert server.requests[1].ids == ("a3",)
    assert read_ledger(ledger_of(changes)).statuses == {"updated": 5}


async def test_an_invalid_row_ends_in_1_and_the_others_are_updated(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson([row("a"), {"organizationId": "org-1", "id": "b", "actionIcom": "x"}, row("c")]))
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, path)
    assert ended.code == 1
    assert 'did you mean "actionIcon"?' in ended.err
    assert server.requests[0].ids == ("a", "c")
    assert read_ledger(ledger_of(path)).status(2) == "invalid"


async def test_an_unknown_row_ends_in_1(changes: Path) -> None:
    async with open_misbehaving([missing(["a1"])]) as server:
        ended = await send(server, changes, "--json", "--max-attempts", "3")
    assert (ended.code, ended.json["unknown"], ended.json["updated"]) == (1, 1, 4)
    assert len(server.requests) == 3


async def test_the_same_again_sends_nothing_and_speaks_for_the_ledger(changes: Path) -> None:
    async with open_misbehaving([verdicts({"a3": False}), ok()]) as server:
        codes = [(await send(server, changes)).code for _ in range(2)]
        assert codes == [1, 1]
        assert len(server.requests) == 1
        assert (await send(server, "retry", ledger_of(changes))).code == 0
        assert (await send(server, changes)).code == 0
        assert len(server.requests) == 2


async def test_refused_credentials_end_in_3_and_no_row_has_failed(changes: Path) -> None:
    async with open_misbehaving([failure("PERMISSION_DENIED", "Invalid API key."), ok()]) as server:
        ended = await send(server, changes, "--json", "--batch-size", "1", "--concurrency", "1")
        assert (ended.code, ended.json["unsent"], ended.json["failed"]) == (3, 5, 0)
        assert ended.err.count("refused the credentials") == 1
        assert len(server.requests) == 1
        assert (await send(server, changes)).code == 0


async def test_a_redirect_ends_in_3_and_nothing_goes_there(changes: Path) -> None:
    async with open_misbehaving([ok()]) as elsewhere, open_misbehaving([redirect(308, elsewhere.url)]) as server:
        ended = await send(server, changes)
        assert (ended.code, elsewhere.connections) == (3, 0)
    assert "--api-url" in ended.err
    assert read_ledger(ledger_of(changes)).statuses == {}


async def test_an_outage_longer_than_allowed_ends_in_3_and_no_row_has_failed(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        server.refuse()
        ended = await send(server, changes, "--give-up-after", "1", "--json")
        assert (ended.code, ended.json["unsent"], ended.json["failed"], ended.json["unknown"]) == (3, 5, 0, 0)
        assert "--give-up-after" in ended.json["stopped"]
        assert "1 s" in ended.json["stopped"]
        await server.listen()
        assert (await send(server, changes)).code == 0


async def test_too_many_failures_end_in_3(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(20)))
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        words = ("--batch-size", "1", "--concurrency", "1", "--max-failures", "3", "--json")
        ended = await send(server, path, *words)
        assert (ended.code, ended.json["failed"], ended.json["unsent"]) == (3, 4, 16)
        assert len(server.requests) == 4


async def test_a_share_of_failures_stops_only_when_enough_rows_tell(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(2_000)))
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        ended = await send(server, path, "--max-failures", "10%", "--concurrency", "1", "--json")
        assert ended.code == 3
        assert 500 <= ended.json["failed"] < 1_000


# ------------------------------------------------------------------------------------ what it says


async def test_json_is_one_object_on_standard_output_and_its_counts_add_up(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson([*rows(4), {"id": "x"}]))
    async with open_misbehaving([verdicts({"a1": False})]) as server:
        ended = await send(server, path, "--json")
    summary = ended.json
    assert summary["rows"] == sum(summary[name] for name in COUNTS) == 5
    assert (summary["requests"], summary["attempts"], summary["complete"]) == (1, 1, True)
    assert (summary["exit"], ended.code) == (1, 1)
    assert summary["ledger"] == str(ledger_of(path))
    assert summary["next"].startswith("bulk-update retry ")
    assert {group["status"] for group in summary["failures"]} == {"failed", "invalid"}
    assert read_ledger(ledger_of(path)).lines[-1]["summary"]["failed"] == 1


async def test_quiet_leaves_one_line_the_counts_and_why_the_run_stopped(changes: Path) -> None:
    async with open_misbehaving([html(404), verdicts({"a1": False}), ok()]) as server:
        broken = await send(server, changes, "--quiet")
        amiss = await send(server, changes, "--quiet")
        well = await send(server, "retry", ledger_of(changes), "--quiet")
    assert (broken.code, amiss.code, well.code) == (3, 1, 0)
    assert (broken.out, amiss.out, well.out) == ("", "", "")
    where = f"; ledger: {ledger_of(changes)}"
    assert broken.err.startswith(f"bulk-update: 5 rows: 0 updated, 5 unsent{where}; stopped: what answers is not")
    assert broken.err.count("\n") == 1
    assert amiss.err == f"bulk-update: 5 rows: 4 updated, 1 failed{where}\n"
    assert well.err == f"bulk-update: 5 rows: 5 updated{where}\n"


async def test_quiet_says_the_counts_once_where_json_has_them(changes: Path) -> None:
    async with open_misbehaving([html(404), ok()]) as server:
        broken = await send(server, changes, "--quiet", "--json")
        well = await send(server, changes, "--quiet", "--json")
    assert (broken.json["unsent"], well.json["updated"], well.err) == (5, 5, "")
    assert "stopped: what answers is not" in broken.err


async def test_a_first_answer_without_a_success_is_told_at_once_and_loudly(changes: Path) -> None:
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        ended = await send(server, changes, "--quiet")
    assert ended.code == 1
    assert "WARNING" in ended.err


async def test_json_log_lines_are_json(changes: Path) -> None:
    async with open_misbehaving([verdicts({}, rest=False)]) as server:
        ended = await send(server, changes, "--log-format", "json", "--quiet")
    assert [json.loads(line)["event"] for line in ended.err.splitlines()] == ["notice", "summary"]


async def test_json_log_lines_are_json_when_nothing_could_begin_or_be_told(changes: Path) -> None:
    no_input, no_ledger = (changes.with_name("none.ndjson"),), ("retry", changes)
    for words in (no_input, no_ledger, (changes, "--api-url", "ftp://x"), (changes, "--rat", "5"), ("chek", changes)):
        ended = await run(*words, "--log-format", "json")
        (event,) = map(json.loads, ended.err.splitlines())
        assert (ended.code, event["event"], event["level"]) == (2, "notice", "error")
        assert event["message"]
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, changes, "--log-format=json", "--quiet", "--metrics-file", "/dev/full/x.prom")
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert "--metrics-file" in next(event for event in events if event["event"] == "notice")["message"]


async def test_words_after_the_options_do_not_choose_the_form_of_what_is_said(changes: Path) -> None:
    ended = await run(changes, "--rat", "--", "--log-format=json")
    assert ended.err.startswith("bulk-update: ")


async def test_json_log_lines_end_with_the_summary(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, changes, "--log-format", "json")
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert (events[-1]["event"], events[-1]["updated"], events[-1]["next"]) == ("summary", events[-1]["rows"], None)


async def test_what_the_server_says_cannot_steer_the_terminal(changes: Path) -> None:
    message = "bad\x1b[2J\x1b]0;owned\x07\r\nok: 5 rows updated\u202e"
    async with open_misbehaving([failure("INVALID_ARGUMENT", message), failure("UNAUTHENTICATED", message)]) as server:
        ended = await send(server, changes, "--batch-size", "1", "--concurrency", "1")
    assert ended.code == 3
    assert not set("\x1b\x07\r\u202e") & set(ended.err)
    assert "\nok: 5 rows updated" not in ended.err


@pytest.mark.parametrize("colors", [{}, {"NO_COLOR": "1"}])
async def test_no_color_holds_on_a_terminal(changes: Path, colors: dict[str, str]) -> None:
    reading, writing = pty.openpty()
    said: list[bytes] = []

    def read() -> None:
        try:
            said.append(os.read(reading, 65_536))
        except OSError:
            loop.remove_reader(reading)

    loop = asyncio.get_running_loop()
    loop.add_reader(reading, read)
    async with open_misbehaving([verdicts({"a0": False}), Latency(0.5), ok()]) as server:
        words = ("--rate", "none", "--batch-size", "1", "--concurrency", "1", "--json")
        process = await asyncio.create_subprocess_exec(
            *command(changes, "--api-url", server.url, *words),
            stderr=writing,
            stdout=asyncio.subprocess.PIPE,
            env=environment(CREDENTIALS | colors | {"TERM": "xterm-256color"}),
        )
        os.close(writing)
        out, _ = await process.communicate()
    loop.remove_reader(reading)
    os.close(reading)
    shown = b"".join(said)
    assert json.loads(out)["updated"] == 4
    assert b"1 failed" in shown
    assert bool(re.search(rb"\x1b\[[0-9;]*[349][0-7]m", shown)) == (not colors)


# ---------------------------------------------------------------------------- canary, resumption, inputs


async def test_a_canary_sends_the_first_rows_and_the_same_command_goes_on_from_there(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        canary = await send(server, changes, "--limit", "2", "--json")
        assert (canary.code, canary.json["updated"], canary.json["rows"], canary.json["complete"]) == (0, 2, 2, False)
        assert (await send(server, changes, "--limit", "2")).code == 0
        rest = await send(server, changes, "--json")
    assert [request.ids for request in server.requests] == [("a0", "a1"), ("a2", "a3", "a4")]
    assert (rest.code, rest.json["updated"], rest.json["complete"], rest.json["skipped"]) == (0, 5, True, 2)
    assert "--limit" not in canary.json["next"]


async def test_a_canary_with_a_failed_row_ends_in_1(changes: Path) -> None:
    async with open_misbehaving([verdicts({"a0": False})]) as server:
        assert (await send(server, changes, "--limit", "1")).code == 1


async def test_an_edited_input_sends_what_is_new_or_changed(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        await send(server, changes)
        edited = [row("new"), row("a1", actionIcon="another"), *rows(5)[2:], row("a0")]
        changes.write_text(ndjson(edited))
        ended = await send(server, changes, "--json")
    assert [request.ids for request in server.requests][1:] == [("new", "a1")]
    assert (ended.code, ended.json["absent"]) == (0, 1)


async def test_standard_input_needs_a_ledger_and_goes_on_with_it(tmp_path: Path) -> None:
    text = ndjson(rows(3)).encode()
    async with open_misbehaving([ok()]) as server:
        words = ("-", "--api-url", server.url, "--rate", "none")
        without = await run(*words, stdin=text)
        assert (without.code, len(server.requests)) == (2, 0)
        assert "--ledger" in without.err
        ledger = tmp_path / "ledger.ndjson"
        assert (await run(*words, "--ledger", ledger, stdin=text)).code == 0
        assert (await run(*words, "--ledger", ledger, stdin=text)).code == 0
    assert len(server.requests) == 1


async def test_several_inputs_are_one_stream_and_results_name_theirs(tmp_path: Path) -> None:
    inputs = [tmp_path / name for name in ("one.ndjson", "two.csv", "three.jsonl.gz")]
    inputs[0].write_text(ndjson([row("a"), row("b")]))
    inputs[1].write_text("organizationId,id,actionIcon\norg-1,c,x\norg-2,d,x\n")
    inputs[2].write_bytes(gzip.compress(ndjson([row("e")]).encode()))
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, *inputs)
    assert ended.code == 0
    sent = {(request.organization, request.ids) for request in server.requests}
    assert sent == {("org-1", ("a", "b", "c", "e")), ("org-2", ("d",))}
    lines = read_ledger(ledger_of(inputs[0])).lines
    named = {line["id"]: (line["input"], line["line"]) for line in lines if line["type"] == "result"}
    assert named["b"] == ("one.ndjson", 2)
    assert named["c"] == ("two.csv", 2)
    assert named["e"] == ("three.jsonl.gz", 1)


async def test_the_ledger_is_for_its_owner_alone(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        await send(server, changes)
    assert stat.S_IMODE(ledger_of(changes).stat().st_mode) == 0o600


async def test_numbers_strings_and_nesting_arrive_as_they_stood(tmp_path: Path) -> None:
    fields = (
        r'"entityData":{"big":12345678901234567890123,"one":1.0,"e":1E+2,"s":"\u00e9\u2028","deep":[[[{}]]]},'
        r'"changes":{"n":{"from":-0.0,"to":9007199254740993}}'
    )
    path = tmp_path / "changes.ndjson"
    path.write_text(f'{{"organizationId":"org-1","id":"a",{fields}}}\n')
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, path)).code == 0
    sent = server.requests[0].body.decode()
    for part in ("12345678901234567890123", '"one":1.0', '"e":1E+2', r'"\u00e9\u2028"', "9007199254740993", "-0.0"):
        assert part in sent


# ------------------------------------------------------------------------------------------- options


async def test_batches_are_bounded_by_count_and_by_bytes(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(row(f"a{n}", actionIcon="x" * 300) for n in range(20)))
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, path, "--batch-size", "7")).code == 0
        assert [len(request.ids) for request in server.requests] == [7, 7, 6]
        ledger_of(path).unlink()
        assert (await send(server, path, "--batch-bytes", "2KB")).code == 0
        sizes = [len(request.body) for request in server.requests[3:]]
    assert max(sizes) <= 2_000
    assert len(sizes) == 4


async def test_no_more_requests_are_in_flight_than_the_concurrency(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(30)))
    async with open_misbehaving([Latency(0.02)]) as server:
        assert (await send(server, path, "--batch-size", "1", "--concurrency", "3")).code == 0
    assert server.peak_in_flight == 3
    assert server.violations == []


async def test_an_attempt_takes_no_longer_than_the_timeout(changes: Path) -> None:
    async with open_misbehaving([Hang(applied=True), ok()]) as server:
        ended = await send(server, changes, "--timeout", "0.2", "--json")
    assert (ended.code, ended.json["attempts"], len(server.requests)) == (0, 2, 2)
    assert read_ledger(ledger_of(changes)).attempts[0]["error"]["code"] == "timeout"


async def test_the_rate_holds_for_all_and_for_each_organization(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson([row(f"a{n}", f"org-{n % 2}") for n in range(8)]))
    async with open_misbehaving([ok()]) as server:
        words = ("--api-url", server.url, "--batch-size", "1", "--organization-rate", "2/s", "--rate", "10")
        assert (await run(path, *words)).code == 0
    ledger = read_ledger(ledger_of(path))
    for organization in ("org-0", "org-1"):
        assert busiest_window(ledger.departures(organization), 1.0) <= 2
    assert len(server.requests) == 8


async def test_rows_that_name_no_organization_get_the_one_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "changes.txt"
    path.write_text("activity,icon\na,x\n")
    words = ("--format", "csv", "--column", "id=activity", "--column", "actionIcon=icon")
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, path, *words, "--organization-id", "org-9")).code == 0
    assert server.requests[0].organization == "org-9"
    assert server.requests[0].activities == (b'{"id":"a","actionIcon":"x"}',)


async def test_the_url_comes_from_the_option_and_else_from_the_environment(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        env = CREDENTIALS | {"VELT_API_URL": server.url}
        assert (await run(changes, env=env)).code == 0
        other = await run(changes, "--ledger", changes.with_suffix(".l"), "--api-url", server.url, env=CREDENTIALS)
    assert (other.code, len(server.requests)) == (0, 2)


async def test_secrets_come_from_files_when_they_are_named(changes: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "token").write_text(f"  {TOKEN}\r\n")
    words = ("--api-key-file", tmp_path / "key", "--auth-token-file", tmp_path / "token")
    async with open_misbehaving([ok()]) as server:
        ended = await run(changes, *words, "--api-url", server.url, env={"VELT_API_KEY": "another"})
    assert ended.code == 0
    assert server.requests[0].headers["x-velt-api-key"] == KEY
    assert server.requests[0].headers["x-velt-auth-token"] == TOKEN


async def test_a_secret_that_was_replaced_meanwhile_is_said_nowhere(changes: Path, tmp_path: Path) -> None:
    old, new = "token-Old1-SECRET-05aB7", TOKEN

    def behave(number: int, request: object) -> Action:
        if number == 0:
            (tmp_path / "token").write_text(new)
            return failure("UNAUTHENTICATED", "expired")
        return failure("INVALID_ARGUMENT", f"the session of {old} was replaced by {new}")

    (tmp_path / "token").write_text(old)
    async with open_misbehaving(behave) as server:
        ended = await send(server, changes, "--auth-token-file", tmp_path / "token")
        report = await run("report", ledger_of(changes))
    assert (ended.code, server.requests[1].headers["x-velt-auth-token"]) == (1, new)
    said = ended.err + report.out + ledger_of(changes).read_text()
    assert "the session of [secret] was replaced by [secret]" in said
    assert (old in said, new in said) == (False, False)


async def test_another_key_is_refused_until_it_is_accepted(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        await send(server, changes, "--limit", "1")
        words = (changes, "--api-url", server.url)
        env = CREDENTIALS | {"VELT_API_KEY": "another-key-4711"}
        refused = await run(*words, env=env)
        assert (refused.code, len(server.requests)) == (2, 1)
        assert "--accept-new-key" in refused.err
        assert "4711" not in refused.err
        assert (await run(*words, "--accept-new-key", env=env)).code == 0
        assert (await run(*words, env=env)).code == 0


async def test_a_rehearsal_needs_no_credentials_and_never_counts_for_the_real_thing(changes: Path) -> None:
    rehearsal = await run(changes, "--sandbox", "--json", env={})
    assert (rehearsal.code, rehearsal.json["updated"]) == (0, 5)
    sandbox_ledger = changes.with_name("changes.ndjson.sandbox.ledger.ndjson")
    assert sandbox_ledger.exists()
    assert not ledger_of(changes).exists()
    async with open_misbehaving([ok()]) as server:
        mixed = await send(server, changes, "--ledger", sandbox_ledger)
        assert (mixed.code, len(server.requests)) == (2, 0)
        assert (await send(server, changes)).code == 0
        assert len(server.requests) == 1


async def test_a_rehearsal_with_a_seed_knows_only_its_records(changes: Path, tmp_path: Path) -> None:
    (tmp_path / "seed").write_text(ndjson([{"organizationId": "org-1", "id": "a0"}]))
    ended = await run(changes, "--sandbox", "--sandbox-seed", tmp_path / "seed", "--json", env={})
    assert (ended.code, ended.json["updated"], ended.json["failed"]) == (1, 1, 4)


async def test_a_throttled_run_waits_and_gets_through(changes: Path) -> None:
    async with open_misbehaving([throttled("1"), ok()]) as server:
        ended = await send(server, changes, "--json")
    assert (ended.code, ended.json["attempts"]) == (0, 2)
    assert server.times[1] - server.times[0] >= 1.0


async def test_dry_run_is_check(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, "run", changes, "--dry-run")
        assert (ended.code, server.connections) == (0, 0)
    assert ended.out == (await run("check", changes, "--rate", "none", env={})).out
    assert not ledger_of(changes).exists()


# ----------------------------------------------------------------------------------- one ledger, one run


async def test_a_second_run_on_the_same_ledger_is_told_who_has_it(changes: Path) -> None:
    async with open_misbehaving([Hang()]) as server, running(changes, "--api-url", server.url) as first:
        await server.until(lambda: len(server.in_flight) == 1)
        second = await send(server, changes)
        assert (second.code, len(server.requests)) == (2, 1)
        assert f"process {first.pid}" in second.err
        first.send_signal(signal.SIGTERM)
        first.send_signal(signal.SIGINT)  # another one, since two of the same may come as one
        assert (await end(first)).code in (130, 143)


# ------------------------------------------------------------------------------------- streams that break

_BREAKING: Final[dict[str, Callable[[str], str]]] = {
    "standard output closed": lambda words: f"{words} >&-",
    "standard error closed": lambda words: f"{words} 2>&-",
    "both closed": lambda words: f"{words} >&- 2>&-",
    "all closed": lambda words: f"{words} <&- >&- 2>&-",
    "nobody reads the output": lambda words: f"{{ {words}; echo $? > code; }} | true; exit $(cat code)",
    "nobody reads what is said": lambda words: f"{{ {words}; echo $? > code; }} 2>&1 >&- | true; exit $(cat code)",
    "no room for the output": lambda words: f"{words} > /dev/full",
    "no room for what is said": lambda words: f"{words} 2> /dev/full",
}


@pytest.mark.parametrize("name", _BREAKING)
async def test_a_broken_stream_changes_nothing_of_what_happened(name: str, changes: Path) -> None:
    async with open_misbehaving([verdicts({"a0": False})]) as server:
        words = " ".join(map(str, command(changes, "--api-url", server.url, "--json")))
        shell = await asyncio.create_subprocess_shell(
            _BREAKING[name](words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            cwd=changes.parent,
        )
        out, err = await shell.communicate()
        assert len(server.requests) == 1
    assert shell.returncode == 1, err.decode()
    ledger = read_ledger(ledger_of(changes))
    assert ledger.statuses == {"failed": 1, "updated": 4}
    assert ledger.lines[-1]["type"] == "end"
    assert b"Traceback" not in out + err
    assert b"Exception ignored" not in out + err
    if out:  # what was said to a person has not become data
        summary: dict[str, Any] = json.loads(out)
        assert summary["failed"] == 1
