"""The same command again, by the command line: canaries, another's ledger, damage, and what failed as an input."""

import json
from collections.abc import Sequence
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest

from bulk_update.cli import main
from tests.crash.world import open_world
from tests.runs import ndjson, row, rows
from tests.servers.actions import Action, Hang
from tests.servers.model import Request


class Shell:
    """Run commands in a folder of their own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.ledger = folder / "in.ndjson.sandbox.ledger.ndjson"
        self.err = ""
        self._capsys = capsys

    def write(self, records: Sequence[dict[str, Any]], name: str = "in.ndjson") -> None:
        (self.folder / name).write_text(ndjson(records))

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed."""
        self._capsys.readouterr()
        code = main([*words])
        out, self.err = self._capsys.readouterr()
        return code, out

    def job(self, *words: str, expected: int = 0, name: str = "in.ndjson") -> dict[str, Any]:
        """Run the main job against the sandbox; return its summary."""
        path = str(self.folder / name)
        code, out = self.run(path, "--sandbox", "--rate", "none", "--json", "--quiet", *words)
        assert code == expected, self.err
        summary: dict[str, Any] = json.loads(out)
        return summary


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("VELT_API_KEY", "key-1")
    monkeypatch.setenv("VELT_AUTH_TOKEN", "token-1")
    monkeypatch.delenv("VELT_API_URL", raising=False)
    return Shell(tmp_path, capsys)


def test_canaries_go_on_and_a_finished_ledger_sends_nothing(shell: Shell) -> None:
    shell.write(rows(30))
    assert shell.job("--limit", "5")["updated"] == 5
    assert shell.job("--limit", "5")["run_seconds"] is not None
    twelve = shell.job("--limit", "12")
    assert (twelve["updated"], twelve["skipped"], twelve["requests"]) == (12, 5, 2)
    whole = shell.job()
    assert (whole["rows"], whole["updated"], whole["skipped"], whole["requests"]) == (30, 30, 12, 3)
    before = shell.ledger.read_bytes()
    again = shell.job()
    assert (again["updated"], again["skipped"], again["requests"], again["attempts"]) == (30, 30, 3, 3)
    assert b'"sending"' not in shell.ledger.read_bytes()[len(before) :]


def test_a_new_row_over_a_canary_is_followed_by_the_settled_one_behind_it(shell: Shell) -> None:
    shell.write([row("a", actionIcon="last"), row("b")])
    shell.job()
    shell.write([row("a", actionIcon="first"), row("a", actionIcon="last"), row("b")])
    shell.job("--limit", "1")
    shell.job()
    lines = [json.loads(line) for line in shell.ledger.read_bytes().splitlines()]
    sent = [line["lines"] for line in lines if line["type"] == "sending"]
    assert sent == [[1, 2], [1], [2]]


def test_a_damaged_ledger_is_refused_with_its_line_and_left_as_it_is(shell: Shell) -> None:
    shell.write(rows(3))
    shell.job()
    whole = shell.ledger.read_bytes()
    size = whole.rindex(b'{"type":"seal"')
    for at in range(0, size, 97):
        damaged = whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
        shell.ledger.write_bytes(damaged)
        code, out = shell.run(str(shell.folder / "in.ndjson"), "--sandbox")
        assert (code, out) == (2, "")
        assert "is damaged at line " in shell.err or "is not a ledger" in shell.err
        assert shell.ledger.read_bytes() == damaged
        assert shell.run("retry", str(shell.ledger), "--sandbox")[0] == 2
        assert shell.run("failures", str(shell.ledger))[0] == 2
        assert shell.run("report", str(shell.ledger))[0] == 2


def test_a_torn_ledger_goes_on_and_what_was_torn_is_kept(shell: Shell) -> None:
    shell.write(rows(3))
    shell.job()
    whole = shell.ledger.read_bytes()
    for number, at in enumerate(range(5, len(whole), 211), 1):
        shell.ledger.write_bytes(whole[:at])
        assert shell.job()["updated"] == 3
        assert b'"type":"cut"' in shell.ledger.read_bytes()
        kept = shell.ledger.with_name(f"{shell.ledger.name}.torn-{number}").read_bytes()
        assert whole[:at].endswith(kept)
        # It is told, even to who asked for quiet.
        assert shell.err.startswith(f"WARNING: {shell.ledger} had a torn tail")
        assert f"; {len(kept):,} byte" in shell.err
        assert f"are kept in {shell.ledger}.torn-{number}. Rows of which only they tell are sent again" in shell.err


def test_a_ledger_is_for_its_owner_alone_when_a_run_or_retry_has_opened_it(shell: Shell) -> None:
    shell.write(rows(3))
    shell.ledger.touch(0o644)
    for words in [(str(shell.folder / "in.ndjson"), "--sandbox"), ("retry", str(shell.ledger), "--sandbox")]:
        shell.ledger.chmod(0o644)
        assert shell.run(*words)[0] == 0
        assert S_IMODE(shell.ledger.stat().st_mode) == 0o600
    shell.ledger.chmod(0o644)
    assert shell.run("failures", str(shell.ledger))[0] == 0
    assert S_IMODE(shell.ledger.stat().st_mode) == 0o644


@pytest.mark.parametrize("text", ["hello\n", ndjson(rows(2)), '{"type":"run","format":1}\nhello\n'])
def test_the_mode_of_what_is_refused_is_left_as_it_is(shell: Shell, text: str) -> None:
    shell.write(rows(3))
    shell.ledger.write_text(text)
    shell.ledger.chmod(0o644)
    assert shell.run(str(shell.folder / "in.ndjson"), "--sandbox")[0] == 2
    assert S_IMODE(shell.ledger.stat().st_mode) == 0o644


def test_a_torn_tail_is_told_as_an_event_and_by_retry(shell: Shell) -> None:
    shell.write(rows(3))
    shell.job()
    whole = shell.ledger.read_bytes()
    shell.ledger.write_bytes(whole[:-20])
    assert shell.run("retry", str(shell.ledger), "--sandbox", "--log-format", "json")[0] == 0
    event = json.loads(shell.err.splitlines()[0])
    assert (event["event"], event["level"]) == ("notice", "warning")
    assert event["message"].endswith(".torn-1. Rows of which only they tell are sent again, now or by the main command")
    shell.run("retry", str(shell.ledger), "--sandbox")
    assert "torn tail" not in shell.err


def test_the_ledger_of_another_input_is_refused_and_says_whose_it_is(shell: Shell) -> None:
    shell.write(rows(2))
    shell.write(rows(2), "other.ndjson")
    shell.job()
    before = shell.ledger.read_bytes()
    code, _ = shell.run(str(shell.folder / "other.ndjson"), "--sandbox", "--ledger", str(shell.ledger))
    assert code == 2
    assert "is the ledger of in.ndjson, not of other.ndjson" in shell.err
    assert shell.ledger.read_bytes() == before


def test_inputs_in_another_order_are_the_same_set(shell: Shell) -> None:
    shell.write([row("x", actionIcon="1"), row("a")], "a.ndjson")
    shell.write([row("x", actionIcon="2"), {"id": "b"}], "b.ndjson")
    first, second = (str(shell.folder / name) for name in ("a.ndjson", "b.ndjson"))
    ledger = ("--ledger", str(shell.ledger))
    assert shell.job(second, *ledger, "--limit", "1", name="a.ndjson")["updated"] == 1
    # The second file goes first now, so what is settled behind it is sent again.
    turned = shell.job(first, *ledger, name="b.ndjson", expected=1)
    assert (turned["rows"], turned["updated"], turned["invalid"]) == (4, 3, 1)
    assert (turned["failures"][0]["input"], turned["failures"][0]["first_line"]) == ("b.ndjson", 2)
    lines = [json.loads(line) for line in shell.ledger.read_bytes().splitlines()]
    results = [(line["input"], line["id"], line.get("was", "")) for line in lines if line["type"] == "result"]
    assert results.index(("b.ndjson", "x", "")) < results.index(("a.ndjson", "x", "updated"))
    code, out = shell.run("failures", *ledger[1:])
    assert (code, json.loads(out)["_input"], json.loads(out)["_line"]) == (0, "b.ndjson", 2)
    again = shell.job(second, *ledger, name="a.ndjson", expected=1)
    assert (again["rows"], again["skipped"], again["attempts"]) == (4, 4, turned["attempts"])
    assert shell.run("retry", *ledger[1:], "--sandbox")[0] == 1
    assert shell.run("report", *ledger[1:])[0] == 0


@pytest.mark.parametrize("names", [["in.ndjson"], ["in.ndjson"] * 3, ["in.ndjson", "other.ndjson"]])
def test_inputs_that_are_fewer_more_or_others_are_another_set(shell: Shell, names: list[str]) -> None:
    shell.write(rows(2))
    shell.write(rows(2), "other.ndjson")
    shell.job(str(shell.folder / "in.ndjson"))
    paths = [str(shell.folder / name) for name in names]
    assert shell.run(*paths, "--sandbox", "--ledger", str(shell.ledger))[0] == 2
    assert f"is the ledger of in.ndjson, in.ndjson, not of {', '.join(names)};" in shell.err


def test_the_ledger_of_a_rehearsal_never_counts_for_the_real_thing(shell: Shell) -> None:
    shell.write(rows(2))
    shell.job()
    code, _ = shell.run(str(shell.folder / "in.ndjson"), "--ledger", str(shell.ledger))
    assert code == 2
    assert "is the ledger of a run against sandbox, not https://api.velt.dev" in shell.err
    code, _ = shell.run("retry", str(shell.ledger))
    assert code == 2


def test_a_refused_ledger_keeps_its_torn_tail(shell: Shell) -> None:
    shell.write(rows(2))
    shell.job()
    torn = shell.ledger.read_bytes()[:-7]
    shell.ledger.write_bytes(torn)
    assert shell.run(str(shell.folder / "in.ndjson"), "--ledger", str(shell.ledger))[0] == 2
    assert shell.ledger.read_bytes() == torn


@pytest.mark.parametrize("text", [b"", b'{"type":"run","format":1,'])
def test_there_is_nothing_to_retry_in_a_ledger_without_a_run(shell: Shell, text: bytes) -> None:
    shell.ledger.write_bytes(text)
    assert shell.run("retry", str(shell.ledger), "--sandbox")[0] == 2
    assert "holds no run" in shell.err
    shell.write(rows(2))
    assert shell.job()["updated"] == 2


async def test_another_key_is_refused_unless_it_is_said_to_be_of_the_same_workspace(tmp_path: Path) -> None:
    async with open_world(tmp_path, ["{}"]) as world:
        assert (await world.run()).code == 1
        world.environ["VELT_API_KEY"] = "key-2"
        refused = await world.run()
        assert refused.code == 2
        assert "another API key" in refused.err
        assert "key-1" not in refused.err + world.ledger.read_text()
        world.options.append("--accept-new-key")
        assert (await world.run()).code == 1
        world.options.pop()
        assert (await world.run()).code == 1
        world.environ["VELT_API_KEY"] = "key-1"
        assert (await world.run()).code == 2


async def test_a_second_process_is_refused_and_told_which_one_has_the_ledger(tmp_path: Path) -> None:
    async with open_world(tmp_path, [json.dumps(row("a"))]) as world:
        answer, is_over = world.script, False

        def script(index: int, request: Request) -> Action:
            return answer(index, request) if is_over else Hang()

        world.script = script  # type: ignore[method-assign]
        first = await world.start()
        await world.server.until(lambda: bool(world.server.requests))
        before = world.ledger.read_bytes()
        for verb in ("run", "retry"):
            second = await world.start(verb=verb)
            out, err = await second.communicate()
            assert (second.returncode, out) == (2, b"")
            assert f"is in use by process {first.pid}" in err.decode()
        assert world.ledger.read_bytes() == before
        first.kill()
        await first.communicate()
        is_over = True
        world.check_finished(await world.run())


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_what_failed_is_a_valid_input(shell: Shell, form: str) -> None:
    failing = [
        row("x", displayMessageTemplate='say "hi", {{you}}\n', entityData=[1.0, {"a": 2**70}]),
        row("y", changes={}),
    ]
    (shell.folder / "seed.ndjson").write_text(ndjson([{"organizationId": "org-1", "id": "a0"}]))
    shell.write([*rows(1), *failing, {"organizationId": "org-1", "id": "z", "nonsense": 1}])
    shell.job("--sandbox-seed", str(shell.folder / "seed.ndjson"), expected=1)
    code, out = shell.run("failures", str(shell.ledger), "--format", form)
    assert code == 0
    name = f"mend.{form}"
    (shell.folder / name).write_text(out)
    code, out = shell.run("check", str(shell.folder / name), "--json")
    assert code == 1
    again = shell.job(name=name, expected=1)
    assert (again["rows"], again["updated"], again["invalid"]) == (3, 2, 1)


def test_a_retry_goes_on_again_and_again(shell: Shell) -> None:
    (shell.folder / "seed.ndjson").write_text(ndjson([{"organizationId": "org-1", "id": "a0"}]))
    shell.write(rows(4))
    seed = ("--sandbox-seed", str(shell.folder / "seed.ndjson"))
    assert shell.job(*seed, expected=1)["failed"] == 3
    for _ in range(2):
        code, out = shell.run("retry", str(shell.ledger), "--sandbox", *seed, "--rate", "none", "--json", "--quiet")
        summary = json.loads(out)
        assert (code, summary["updated"], summary["failed"], summary["unsent"]) == (1, 1, 3, 0)
    code, out = shell.run("retry", str(shell.ledger), "--sandbox", "--rate", "none", "--json", "--quiet")
    assert (code, json.loads(out)["updated"]) == (0, 4)
    assert shell.job()["skipped"] == 4
