"""The library against a real server: what goes in, what comes out, and how it ends when the caller leaves."""

import asyncio
import contextlib
import gc
import json
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulk_update import (
    Api,
    Changes,
    Credentials,
    Inputs,
    NothingSent,
    Outcome,
    Rehearsal,
    Status,
    Updates,
    open_updates,
    update,
)
from bulk_update.library import Source
from tests.runs import HASTY, KEY, TOKEN, Row, carry_out, ndjson, plan, read_ledger, row, rows
from tests.servers.actions import Hang
from tests.servers.fast import open_fast
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import ok, verdicts


@pytest.fixture(autouse=True)
def nothing_goes_unheard() -> Iterator[list[dict[str, Any]]]:
    """Fail a test in which the event loop had something to complain of, such as an error that nobody saw."""
    complaints: list[dict[str, Any]] = []
    original = asyncio.BaseEventLoop.call_exception_handler

    def note(_loop: asyncio.BaseEventLoop, context: dict[str, Any]) -> None:
        complaints.append(context)

    asyncio.BaseEventLoop.call_exception_handler = note  # type: ignore[assignment,method-assign]
    try:
        yield complaints
        gc.collect()
    finally:
        asyncio.BaseEventLoop.call_exception_handler = original  # type: ignore[method-assign]
    assert complaints == []


def api(url: str) -> Api:
    """Make a target that is waited for no longer than a test can be: a server that hangs holds up who leaves."""
    return Api(url, Credentials(KEY, TOKEN), timeout=1.0)


def updates_of(url: str, changes: object, folder: Path, size: int = 100, name: str = "test") -> Updates:
    source = Changes(changes, name)  # type: ignore[arg-type]
    return open_updates(source, ledger=folder / "test.ledger.ndjson", target=api(url), plan=plan(size))


# ------------------------------------------------------------------------------------- what goes in


async def test_a_file_an_iterable_and_an_async_iterable_send_the_same(tmp_path: Path) -> None:
    async def trickle() -> AsyncIterator[Row]:
        for one in rows(7):
            yield one

    (tmp_path / "changes.ndjson").write_text(ndjson(rows(7)))
    sources: list[Source] = [
        str(tmp_path / "changes.ndjson"),
        tmp_path / "changes.ndjson",
        Inputs((str(tmp_path / "changes.ndjson"),)),
        Changes(rows(7), "a list"),
        Changes(iter(rows(7)), "an iterator"),
        Changes((json.dumps(one) for one in rows(7)), "text"),
        Changes((json.dumps(one).encode() for one in rows(7)), "bytes"),
        Changes(trickle(), "async"),
    ]
    for number, source in enumerate(sources):
        async with open_misbehaving([ok()]) as server:
            target, ledger = api(server.url), tmp_path / f"{number}.ledger"
            summary = await update(source, ledger=ledger, target=target, plan=plan(3))
        assert (summary.updated, summary.exit, summary.complete) == (7, 0, True)
        assert sorted(applied.id for applied in server.applied) == [f"a{n}" for n in range(7)]


async def test_an_organization_is_given_to_rows_that_name_none(tmp_path: Path) -> None:
    changes = Changes([{"id": "a", "actionIcon": "x"}], "test", organization="org-7")
    async with open_misbehaving([ok()]) as server:
        await update(changes, ledger=tmp_path / "l", target=api(server.url), plan=HASTY)
    assert server.requests[0].organization == "org-7"


async def test_an_integer_of_any_size_arrives_as_it_was(tmp_path: Path) -> None:
    numbers = [2**53 + 1, 2**64, -(2**200), 10**1000]
    async with open_misbehaving([ok()]) as server:
        done = await carry_out(server.url, [row("a", entityData=numbers)], tmp_path)
    assert done.summary.updated == 1
    assert json.loads(server.requests[0].activities[0])["entityData"] == numbers


def _loop() -> list[object]:
    loop: list[object] = []
    loop.append(loop)
    return loop


def _deep() -> object:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    return deep


class _Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


NOT_JSON: dict[str, Callable[[], object]] = {
    "NaN": lambda: row("a", entityData=math.nan),
    "infinity": lambda: row("a", entityData={"x": [-math.inf]}),
    "an object of a program": lambda: row("a", entityData=object()),
    "an object that cannot be shown": lambda: row("a", entityData=_Rude()),
    "a loop": lambda: row("a", entityData=_loop()),
    "nesting without end": lambda: row("a", entityData=_deep()),
    "half a character": lambda: row("a", entityData="\ud800"),
    "half a character in the id": lambda: row("\udfff", entityData=1),
    "bytes that are no text": lambda: b'{"organizationId":"org-1","id":"a","actionIcon":"\xff"}',
    "an integer too long to write": lambda: row("a", entityData=10**5000),
    "a number": lambda: 5,
    "nothing": lambda: None,
    "a list": lambda: [row("a")],
    "a set": lambda: {1, 2},
    "two in one text": lambda: json.dumps(row("a")) + "\n" + json.dumps(row("b")),
    "an empty text": lambda: "",
}


@pytest.mark.parametrize("name", NOT_JSON)
async def test_what_cannot_be_sent_is_invalid_and_sinks_no_other(name: str, tmp_path: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        done = await carry_out(server.url, [row("first"), NOT_JSON[name](), row("last")], tmp_path)  # type: ignore[list-item]
        assert [done.ledger.status(line) for line in (1, 2, 3)] == ["updated", "invalid", "updated"]
        assert server.requests[0].ids == ("first", "last")
        again = await carry_out(server.url, [row("first"), NOT_JSON[name](), row("last")], tmp_path)  # type: ignore[list-item]
        assert (again.summary.updated, again.summary.invalid, len(server.requests)) == (2, 1, 1)


async def test_a_text_of_several_lines_is_one_change_and_one_line_of_the_ledger(tmp_path: Path) -> None:
    text = json.dumps(row("a", entityData={"x": [1, "two\nlines"]}), indent=2)
    async with open_misbehaving([verdicts({"a": False}), ok()]) as server:
        done = await carry_out(server.url, [text], tmp_path)  # type: ignore[list-item]
        assert done.ledger.results[1]["change"]["entityData"] == {"x": [1, "two\nlines"]}
        again = await update(None, ledger=tmp_path / "test.ledger.ndjson", target=api(server.url), plan=HASTY)
    assert again.updated == 1
    assert json.loads(server.requests[1].activities[0])["entityData"] == {"x": [1, "two\nlines"]}


async def test_the_same_changes_again_send_nothing_and_others_only_themselves(tmp_path: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        await carry_out(server.url, rows(5), tmp_path)
        await carry_out(server.url, rows(5), tmp_path)
        done = await carry_out(server.url, [*rows(5), row("new")], tmp_path)
    assert [request.ids for request in server.requests[1:]] == [("new",)]
    assert (done.summary.rows, done.summary.skipped) == (6, 5)


@pytest.mark.parametrize("how", ["update", "iterate"])
async def test_what_an_iterable_raises_comes_out_when_all_that_had_left_is_recorded(how: str, tmp_path: Path) -> None:
    def broken() -> Iterator[Row]:
        yield from rows(1_234)
        raise ZeroDivisionError

    async def broken_too() -> AsyncIterator[Row]:
        for one in rows(1_234):
            yield one
        raise ZeroDivisionError

    async with open_misbehaving([ok()]) as server:
        both: list[Iterable[object] | AsyncIterable[object]] = [broken(), broken_too()]
        for number, changes in enumerate(both):
            folder = tmp_path / str(number)
            folder.mkdir()
            ledger, applied = folder / "test.ledger.ndjson", len(server.applied)
            with pytest.raises(ZeroDivisionError):
                if how == "update":
                    await update(Changes(changes, "test"), ledger=ledger, target=api(server.url), plan=HASTY)
                else:
                    async with updates_of(server.url, changes, folder) as updates:
                        async for _ in updates:
                            pass
            found = read_ledger(ledger)
            assert found.lines[-1]["type"] == "end"
            assert found.statuses.get("updated", 0) == len(server.applied) - applied


# ------------------------------------------------------------------------------------ what comes out


async def test_outcomes_come_as_they_settle_and_are_on_disk_by_then(tmp_path: Path) -> None:
    seen: list[Outcome] = []
    async with open_misbehaving(lambda n, _: ok() if n == 0 else Hang()) as server:
        async with updates_of(server.url, rows(4), tmp_path, size=2) as updates:
            async for outcome in updates:
                seen.append(outcome)
                results = read_ledger(tmp_path / "test.ledger.ndjson").results
                assert results[outcome.line]["status"] == outcome.status
                if len(seen) == 2:
                    break
        assert updates.summary.unsent == 2
    assert {(outcome.line, outcome.id, outcome.status) for outcome in seen} == {
        (1, "a0", Status.UPDATED),
        (2, "a1", Status.UPDATED),
    }


async def test_each_row_has_one_outcome_with_its_reason(tmp_path: Path) -> None:
    changes = [row("a"), row("b"), {"id": "no organization"}, row("a", actionIcon="later")]
    async with open_misbehaving([verdicts({"b": False})]) as server:
        async with updates_of(server.url, changes, tmp_path) as updates:
            outcomes = {outcome.line: outcome async for outcome in updates}
        assert updates.summary.exit == 1
    assert {line: outcome.status for line, outcome in outcomes.items()} == {
        1: "updated", 2: "failed", 3: "invalid", 4: "updated",
    }  # fmt: skip
    failed, invalid = outcomes[2].error, outcomes[3].error
    assert failed is not None
    assert invalid is not None
    assert (failed.code, failed.http) == ("not_updated", 200)
    assert "organizationId" in invalid.message
    assert len(server.requests) == 2  # the second change of `a` waited for the first


async def test_the_summary_is_not_there_before_the_end(tmp_path: Path) -> None:
    async with open_misbehaving([Hang()]) as server:
        with pytest.raises(ValueError, match="enough"):
            async with updates_of(server.url, rows(1), tmp_path) as updates:
                with pytest.raises(RuntimeError):
                    _ = updates.summary
                await server.until(lambda: len(server.in_flight) == 1)
                raise_in_body()
    assert updates.summary.stopped is not None


def raise_in_body() -> None:
    raise ValueError("enough")


async def test_what_listens_is_told_of_every_row_once(tmp_path: Path) -> None:
    async with open_misbehaving([verdicts({"a3": False})]) as server:
        done = await carry_out(server.url, rows(250), tmp_path, plan(7))
    assert sorted(outcome.line for outcome in done.outcomes) == list(range(1, 251))


# ------------------------------------------------------------------------------------ nothing was sent


async def test_a_ledger_that_cannot_be_used_is_raised_and_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "test.ledger.ndjson").write_text("no ledger\n")
    async with open_misbehaving([ok()]) as server:
        with pytest.raises(NothingSent):
            await carry_out(server.url, rows(3), tmp_path)
        with pytest.raises(NothingSent):
            async with updates_of(server.url, rows(3), tmp_path) as updates:
                async for _ in updates:
                    pass
        with pytest.raises(NothingSent):
            async with updates_of(server.url, rows(3), tmp_path):
                pass
        with pytest.raises(NothingSent):
            await update(None, ledger=tmp_path / "none", target=api(server.url))
        with pytest.raises(NothingSent):
            await update(tmp_path / "none.ndjson", ledger=tmp_path / "l", target=api(server.url))
        (tmp_path / "prose.txt").write_text("Dear all,\nplease update these.\n")
        with pytest.raises(NothingSent):
            await update(tmp_path / "prose.txt", ledger=tmp_path / "l2", target=api(server.url))
        assert server.connections == 0


async def test_an_error_of_the_body_goes_before_the_one_that_nothing_was_sent(tmp_path: Path) -> None:
    (tmp_path / "test.ledger.ndjson").write_text("no ledger\n")
    with pytest.raises(ValueError, match="enough"):
        async with updates_of("http://127.0.0.1:1", rows(3), tmp_path) as updates:
            await asyncio.wait([updates._task])  # type: ignore[type-var]  # noqa: SLF001
            raise_in_body()


async def test_two_runs_do_not_share_a_ledger(tmp_path: Path) -> None:
    async with open_misbehaving([Hang()]) as server:
        with pytest.raises(ValueError, match="enough"):
            async with updates_of(server.url, rows(1), tmp_path):
                await server.until(lambda: len(server.in_flight) == 1)
                with pytest.raises(NothingSent, match="in use"):
                    await carry_out(server.url, rows(1), tmp_path)
                raise_in_body()


# ----------------------------------------------------------------------------------------- leaving


async def test_who_leaves_before_taking_anything_stops_the_run_before_it_sends(tmp_path: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        async with updates_of(server.url, rows(5_000), tmp_path) as updates:
            pass
        assert len(server.requests) == 0
    assert updates.summary.exit == 3


async def test_who_leaves_early_stops_reading_and_all_that_had_left_is_recorded(tmp_path: Path) -> None:
    taken = 0

    def endless() -> Iterator[Row]:
        nonlocal taken
        while True:
            yield row(f"a{taken}")
            taken += 1

    async with open_misbehaving([ok()]) as server:
        async with updates_of(server.url, endless(), tmp_path, size=10) as updates:
            async for _ in updates:
                break
        ledger = read_ledger(tmp_path / "test.ledger.ndjson")
        assert ledger.statuses == {"updated": len(server.applied)}
        assert ledger.lines[-1]["type"] == "end"
        summary = updates.summary
        assert (summary.updated, summary.in_doubt, summary.exit) == (len(server.applied), 0, 3)
        assert taken < 50_000


async def test_an_error_of_the_body_comes_out_when_all_that_had_left_is_recorded(tmp_path: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        with pytest.raises(ValueError, match="enough"):
            async with updates_of(server.url, rows(1_000), tmp_path, size=10) as updates:
                async for _ in updates:
                    raise_in_body()
        assert read_ledger(tmp_path / "test.ledger.ndjson").statuses == {"updated": len(server.applied)}


async def test_who_is_cancelled_gives_up_what_is_on_its_way_and_the_ledger_is_whole(tmp_path: Path) -> None:
    async def use(url: str) -> None:
        async with updates_of(url, rows(10), tmp_path, size=5) as updates:
            async for _ in updates:
                pass

    async with open_misbehaving(lambda n, _: ok() if n == 0 else Hang(applied=True)) as server:
        using = asyncio.get_running_loop().create_task(use(server.url))
        await server.until(lambda: len(server.in_flight) == 1 and len(server.requests) == 2)
        await server.until(lambda: 0 in server.sent)
        using.cancel()
        await asyncio.wait([using])
        assert using.cancelled()
    async with open_misbehaving([ok()]) as server:
        ledger = tmp_path / "test.ledger.ndjson"
        with pytest.raises(NothingSent):  # another URL; but it is whole and nobody has it
            await carry_out(server.url, rows(10), tmp_path)
        assert sum(read_ledger(ledger).statuses.values()) in (0, 5)


async def test_a_cancelled_update_leaves_nothing_behind(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with open_misbehaving([Hang()]) as server:
        updating = asyncio.get_running_loop().create_task(carry_out(server.url, rows(3), tmp_path))
        await server.until(lambda: len(server.in_flight) == 1)
        updating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await updating
        await server.until(lambda: len(server.in_flight) == 0)
    assert asyncio.all_tasks() == before


async def test_who_takes_slowly_holds_up_the_sending_and_gets_all_in_the_end(tmp_path: Path) -> None:
    count = 30_000
    async with open_fast() as server:
        async with updates_of(server.url, rows(count), tmp_path) as updates:
            sent = -1
            while sent != (sent := server.statistics.counts[0].counters[1]) or sent < 10_000:
                await asyncio.sleep(0.2)  # until two looks see the same
            assert sent <= 10_000 + 36 * 100  # a batch for each sender
            taken = [outcome async for outcome in updates]
        assert (len(taken), updates.summary.updated) == (count, count)


async def test_who_takes_nothing_and_leaves_is_not_waited_for(tmp_path: Path) -> None:
    async with open_fast() as server:
        async with updates_of(server.url, (row(f"a{n}") for n in range(10**9)), tmp_path) as updates:
            while server.statistics.counts[0].counters[1] < 10_000:
                await asyncio.sleep(0.05)
            assert await anext(updates)
        assert updates.summary.exit == 3


@pytest.mark.parametrize("organizations", [1, 200])
async def test_no_more_is_read_than_there_is_room_for(organizations: int, tmp_path: Path) -> None:
    taken = 0

    def endless() -> Iterator[Row]:
        nonlocal taken
        while True:
            yield row(f"a{taken}", f"org-{taken % organizations}")
            taken += 1

    async with open_misbehaving([Hang()]) as server:
        async with updates_of(server.url, endless(), tmp_path) as updates:
            before = -1
            while before < taken or not server.in_flight:  # until two looks see the same
                before = taken
                await asyncio.sleep(0.1)
            assert taken < 150_000
        assert updates.summary.unsent == updates.summary.rows


async def test_a_rehearsal_needs_no_server(tmp_path: Path) -> None:
    summary = await update(
        Changes(rows(3), "test"), ledger=tmp_path / "l", target=Rehearsal(), plan=replace(HASTY, limit=2)
    )
    assert (summary.updated, summary.complete, summary.exit) == (2, False, 0)
