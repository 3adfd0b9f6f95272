"""`failures` as an input: what runs from it, in which order, and what does not before somebody has mended it."""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.cli.process import Ended, run
from tests.runs import ndjson, row
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.replies import ok, verdicts

_REPEATED: Final = {
    "an id": '{"organizationId":"o","id":"a","id":"b","actionIcon":"x"}',
    "an organization": '{"organizationId":"o","organizationId":"other","id":"b","actionIcon":"x"}',
    "a field, beside an unknown one": '{"organizationId":"o","id":"b","actionIcon":"x","actionIcon":"y","icon":1}',
}


async def send(server: MisbehavingServer, *words: str | Path) -> Ended:
    return await run(*words, "--api-url", server.url, "--rate", "none")


async def run_failures_of(ledger: Path, form: str) -> list[str]:
    """Run what `failures` prints; tell the icons that the API got, in their order."""
    printed = await run("failures", ledger, "--format", form, env={})
    again = ledger.with_name(f"again.{form}")
    again.write_text(printed.out)
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, again, "--ledger", ledger.with_name("again.ledger"))).code == 0
    return [json.loads(activity)["actionIcon"] for request in server.requests for activity in request.activities]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
async def test_changes_to_an_activity_stay_in_order_when_the_input_is_another_one(form: str, tmp_path: Path) -> None:
    """Lines of Monday's rows tell nothing of Tuesday's."""
    path, ledger = tmp_path / "nightly.ndjson", tmp_path / "ledger"
    async with open_misbehaving([verdicts({"a": False})]) as server:
        path.write_text(ndjson([row("x"), row("y"), row("a", actionIcon="monday")]))
        await send(server, path, "--ledger", ledger)
        path.write_text(ndjson([row("a", actionIcon="tuesday"), row("z")]))
        await send(server, path, "--ledger", ledger)
    assert await run_failures_of(ledger, form) == ["monday", "tuesday"]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
async def test_changes_to_an_activity_stay_in_order_when_inputs_have_one_name(form: str, tmp_path: Path) -> None:
    paths = [tmp_path / month / "changes.ndjson" for month in ("january", "february")]
    for path, rows in zip(
        paths, ([row("x"), row("a", actionIcon="first")], [row("a", actionIcon="then")]), strict=True
    ):
        path.parent.mkdir()
        path.write_text(ndjson(rows))
    async with open_misbehaving([verdicts({"a": False})]) as server:
        await send(server, *paths, "--ledger", tmp_path / "ledger")
    assert await run_failures_of(tmp_path / "ledger", form) == ["first", "then"]


async def test_an_invalid_row_keeps_its_place_among_the_changes_to_its_activity(tmp_path: Path) -> None:
    """It gets its result first of all, being known as invalid before any other is sent."""
    path, ledger = tmp_path / "changes.ndjson", tmp_path / "ledger"
    path.write_text(ndjson([row("a"), {**row("a"), "unknown": 1}, row("a")]))
    async with open_misbehaving([verdicts({"a": False})]) as server:
        await send(server, path, "--ledger", ledger)
    printed = await run("failures", ledger, env={})
    assert [json.loads(line)["_line"] for line in printed.out.splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
@pytest.mark.parametrize("record", _REPEATED.values(), ids=_REPEATED)
async def test_which_of_two_values_was_meant_is_for_a_person_to_say(record: str, form: str, tmp_path: Path) -> None:
    path, ledger, again = tmp_path / "changes.ndjson", tmp_path / "ledger", tmp_path / f"again.{form}"
    path.write_text(record + "\n")
    async with open_misbehaving([ok()]) as server:
        await send(server, path, "--ledger", ledger)
        again.write_text((await run("failures", ledger, "--format", form, env={})).out)
        assert (await send(server, again)).code == 1
    assert not server.requests
    assert json.dumps(record)[1:-1] in again.read_text().replace('""', '\\"')


async def test_rows_that_later_changes_have_made_void_are_left_out_and_counted(tmp_path: Path) -> None:
    path, ledger = tmp_path / "changes.ndjson", tmp_path / "ledger"
    path.write_text(ndjson([row("a", actionIcon="old"), row("a", actionIcon="new")]))
    async with open_misbehaving([verdicts({"a": False}), ok()]) as server:
        await send(server, path, "--ledger", ledger)
    for form in ("ndjson", "csv"):
        ended = await run("failures", ledger, "--format", form, env={})
        assert "old" not in ended.out
        assert ended.err.startswith("1 row is left out: later changes")


async def test_a_row_whose_own_words_look_like_a_result_is_none_the_less_there(tmp_path: Path) -> None:
    path, ledger = tmp_path / "changes.ndjson", tmp_path / "ledger"
    path.write_text(ndjson([row("a", entityData={"status": "invalid"}), {**row("b"), "unknown": 1}]))
    async with open_misbehaving([verdicts({"a": False})]) as server:
        await send(server, path, "--ledger", ledger)
    printed = await run("failures", ledger, env={})
    assert [json.loads(line)["id"] for line in printed.out.splitlines()] == ["a", "b"]


# ------------------------------------------------------------------------------ what a summary says of them


async def test_after_a_retry_the_groups_are_of_the_rows_that_are_left(tmp_path: Path) -> None:
    path, ledger = tmp_path / "changes.ndjson", tmp_path / "ledger"
    path.write_text(ndjson([row("a"), row("b"), row("c"), *[row("same")] * 20]))
    failing = {"a", "c", "same"}
    async with open_misbehaving(lambda _number, _request: verdicts(dict.fromkeys(failing, False))) as server:
        assert (await send(server, path, "--ledger", ledger)).code == 1
        failing -= {"a", "same"}
        ended = await send(server, "retry", ledger, "--json")
        again = await send(server, path, "--ledger", ledger, "--json")
    for told in (ended, again):
        assert (told.code, told.json["failed"]) == (1, 1)
        (group,) = told.json["failures"]
        assert (group["count"], group["first_line"], group["example"]) == (1, 3, "c")


async def test_a_canary_speaks_for_rows_that_it_left_unread(tmp_path: Path) -> None:
    path, ledger = tmp_path / "changes.ndjson", tmp_path / "ledger"
    path.write_text(ndjson([row("a"), row("b"), row("c")]))
    async with open_misbehaving([verdicts({"c": False})]) as server:
        assert (await send(server, path, "--ledger", ledger)).code == 1
        canary = await send(server, path, "--ledger", ledger, "--limit", "2", "--json")
        assert (canary.code, canary.json["rows"], canary.json["failures"][0]["first_line"]) == (1, 2, 3)
        path.write_text(ndjson([row("a"), row("b")]))
        whole = await send(server, path, "--ledger", ledger, "--json")
    assert (whole.code, whole.json["absent"], whole.json["failures"]) == (0, 1, [])
