"""What may have been applied is never told as if it had not been, and nothing else is said to be in doubt."""

import errno
import json
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from bulk_update import Api, Credentials, Plan, Summary, update
from bulk_update.edge.ledger import LedgerFile
from bulk_update.errors import Interrupted
from bulk_update.jobs import Changes, Job, open_run
from bulk_update.pipeline import Run
from bulk_update.pure.ledger_lines import DOUBT
from tests.runs import KEY, TOKEN, carry_out, plan, read_ledger, row, rows
from tests.servers.actions import Action, Drop, Hang, When
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.model import Request
from tests.servers.replies import failure, missing, ok, throttled, verdicts

LEDGER = "test.ledger.ndjson"
FAILED = "Failed to update activity."
NONE = verdicts({}, rest=False)
DROPPED = Drop(When.AFTER_APPLYING)


def api(url: str) -> Api:
    return Api(url, Credentials(KEY, TOKEN), 10.0)


async def retry(url: str, folder: Path) -> Summary:
    return await update(None, ledger=folder / LEDGER, target=api(url), plan=plan())


def told(folder: Path) -> dict[int, tuple[str, str]]:
    """Tell of each row its status and its error's message, by line."""
    results = read_ledger(folder / LEDGER).results
    return {line: (row["status"], row.get("error", {}).get("message", "")) for line, row in results.items()}


async def interrupted(
    server: MisbehavingServer, folder: Path, count: int, how: Plan, act: Callable[[Run], Coroutine[None, None, None]]
) -> Summary:
    """Run a job and act on it meanwhile."""
    async with open_run(Job(Changes(rows(count), "test"), folder / LEDGER, api(server.url), how)) as run:
        async with anyio.create_task_group() as group:
            group.start_soon(act, run)
            ended = await run.carry_out()
    return ended.summary


async def test_a_refusal_on_retry_of_a_row_that_was_unknown_says_that_it_may_have_been_applied(tmp_path: Path) -> None:
    silent = missing(["a1"], applied=True)
    async with open_misbehaving([*[silent] * 5, NONE]) as server:
        await carry_out(server.url, rows(2), tmp_path)
        assert told(tmp_path) == {1: ("updated", ""), 2: ("unknown", "the answer does not tell")}
        for _ in range(2):
            summary = await retry(server.url, tmp_path)
            assert (summary.failed, summary.unknown, summary.in_doubt) == (1, 0, 0)
            assert told(tmp_path)[2] == ("failed", FAILED + DOUBT)


async def test_a_refusal_after_a_lost_answer_says_so_for_good(tmp_path: Path) -> None:
    async with open_misbehaving([DROPPED, NONE]) as server:
        await carry_out(server.url, rows(1), tmp_path)
        assert told(tmp_path)[1] == ("failed", FAILED + DOUBT)
        await retry(server.url, tmp_path)
        assert told(tmp_path)[1] == ("failed", FAILED + DOUBT)


@pytest.mark.parametrize("first", [throttled("0"), failure("INVALID_ARGUMENT"), ok()])
async def test_a_refusal_is_clean_where_no_request_can_have_been_applied(tmp_path: Path, first: Action) -> None:
    async with open_misbehaving([first, NONE]) as server:
        await carry_out(server.url, [row("b"), row("a"), row("b")], tmp_path)
        assert {status for status, message in told(tmp_path).values() if DOUBT in message} == set()


async def test_what_a_partial_answer_left_out_is_in_doubt_and_the_rest_of_its_batch_is_not(tmp_path: Path) -> None:
    partly = verdicts({"a0": False, "a1": None})
    async with open_misbehaving([partly, NONE]) as server:
        summary = (await carry_out(server.url, rows(3), tmp_path)).summary
        assert summary.in_doubt == 0
        assert told(tmp_path) == {1: ("failed", FAILED), 2: ("failed", FAILED + DOUBT), 3: ("updated", "")}
        summary = (await carry_out(server.url, rows(3), tmp_path)).summary
        assert (summary.in_doubt, summary.skipped, summary.updated) == (0, 3, 1)
        summary = await retry(server.url, tmp_path)
        assert (summary.in_doubt, summary.unsent, summary.exit) == (0, 0, 1)
        assert told(tmp_path) == {1: ("failed", FAILED), 2: ("failed", FAILED + DOUBT), 3: ("updated", "")}


async def test_a_batch_that_was_split_in_doubt_leaves_none_behind_when_its_rows_have_results(tmp_path: Path) -> None:
    def script(index: int, request: Request) -> Action:
        del index
        return failure("INTERNAL") if request.ids == ("a0", "a1") else ok()

    async with open_misbehaving(script) as server:
        changes = [*rows(2), *(row(f"b{number}", "org-2") for number in range(40))]
        summary = (await carry_out(server.url, changes, tmp_path, plan(2, concurrency=2, max_attempts=2))).summary
        assert (summary.updated, summary.in_doubt) == (42, 0)
        again = (await carry_out(server.url, changes, tmp_path)).summary
        assert (again.in_doubt, again.skipped, again.attempts) == (0, 42, summary.attempts)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(failure("INTERNAL"), "unknown"), (failure("INVALID_ARGUMENT"), "failed"), (DROPPED, "unknown")],
)
async def test_a_row_that_is_given_up_is_unknown_where_it_may_have_been_applied(
    tmp_path: Path, trouble: Action, status: str
) -> None:
    def script(index: int, request: Request) -> Action:
        del index
        return trouble if request.ids == ("bad",) else ok()

    async with open_misbehaving(script) as server:
        changes = [row("bad"), *(row(f"b{number}", "org-2") for number in range(40))]
        summary = (await carry_out(server.url, changes, tmp_path, plan(1, concurrency=2, max_attempts=2))).summary
        assert (summary.updated, summary.unsent) == (40, 0)
        assert told(tmp_path)[1][0] == status


async def test_an_interrupted_wait_for_a_throttled_request_leaves_no_doubt(tmp_path: Path) -> None:
    async with open_misbehaving([throttled("60")]) as server:

        async def stop(run: Run) -> None:
            await server.until(lambda: bool(server.sent))
            run.stop(Interrupted(2))

        summary = await interrupted(server, tmp_path, 3, plan(), stop)
        assert (summary.unsent, summary.in_doubt, summary.exit) == (3, 0, 130)
    ledger = read_ledger(tmp_path / LEDGER)
    last = [line for line in ledger.lines if line["type"] == "request"][-1]
    assert last["settled"] is True


async def test_a_request_that_the_end_overtakes_is_in_doubt(tmp_path: Path) -> None:
    async with open_misbehaving([Hang(applied=True)]) as server:

        async def leave(run: Run) -> None:
            await server.until(lambda: len(server.requests) == 2)
            run.stop(Interrupted(15))
            run.leave(Interrupted(15))

        summary = await interrupted(server, tmp_path, 4, plan(2), leave)
        assert (summary.unsent, summary.in_doubt, summary.exit) == (4, 4, 143)
        assert read_ledger(tmp_path / LEDGER).lines[-1]["summary"]["in_doubt"] == 4


async def test_a_row_that_was_on_its_way_is_in_doubt_until_the_input_has_it_no_more(tmp_path: Path) -> None:
    first, edited = rows(1)[0], row("a0", actionIcon="edited")
    async with open_misbehaving([Hang(applied=True), ok(), NONE]) as server:

        async def leave(run: Run) -> None:
            await server.until(lambda: len(server.requests) == 1)
            run.leave(Interrupted(15))

        await interrupted(server, tmp_path, 1, plan(), leave)
        summary = (await carry_out(server.url, [edited], tmp_path, replace(plan(), limit=0))).summary
        assert (summary.unsent, summary.in_doubt) == (0, 1)
        for _ in range(2):
            summary = (await carry_out(server.url, [edited], tmp_path)).summary
            assert (summary.updated, summary.unsent, summary.in_doubt, summary.exit) == (1, 0, 0, 0)
            summary = await retry(server.url, tmp_path)
            assert (summary.updated, summary.unsent, summary.in_doubt, summary.exit) == (1, 0, 0, 0)
        summary = (await carry_out(server.url, [edited, first], tmp_path)).summary
    assert (summary.failed, summary.in_doubt) == (1, 0)
    assert told(tmp_path)[2] == ("failed", FAILED + DOUBT)


async def test_a_retry_waits_for_no_row_that_the_input_has_no_more(tmp_path: Path) -> None:
    older = row("a0", entityData={"n": 1}, actionIcon="older")
    newer, edited = row("a0", actionIcon="newer"), row("a0", actionIcon="edited")
    async with open_misbehaving([NONE, Hang(applied=True), ok()]) as server:

        async def leave(run: Run) -> None:
            await server.until(lambda: len(server.requests) == 2)
            run.leave(Interrupted(15))

        job = Job(Changes([older, newer], "test"), tmp_path / LEDGER, api(server.url), plan())
        async with open_run(job) as run, anyio.create_task_group() as group:
            group.start_soon(leave, run)
            await run.carry_out()
        summary = await retry(server.url, tmp_path)
        assert (summary.failed, summary.unsent, summary.in_doubt, summary.exit) == (1, 1, 1, 3)
        summary = (await carry_out(server.url, [older, edited], tmp_path)).summary
        assert (summary.failed, summary.updated, summary.in_doubt) == (1, 1, 0)
        summary = await retry(server.url, tmp_path)
        assert (summary.updated, summary.exit) == (2, 0)
        assert json.loads(server.requests[-1].activities[0]) == {"id": "a0", "entityData": {"n": 1}}


async def test_a_retry_waits_for_a_row_whose_request_stands_in_a_torn_tail(tmp_path: Path) -> None:
    older, newer = row("a0", actionIcon="older"), row("a0", actionIcon="newer")
    async with open_misbehaving([NONE, ok()]) as server:
        await carry_out(server.url, [older, newer], tmp_path)
        ledger = (tmp_path / LEDGER).read_bytes()
        sent = ledger.index(b'{"type":"sending","request":2,')
        (tmp_path / LEDGER).write_bytes(ledger[: ledger.index(b"\n", sent) + 1])
        for _ in range(2):
            summary = await retry(server.url, tmp_path)
            assert (summary.failed, summary.unsent, summary.in_doubt, summary.exit) == (1, 1, 1, 3)
        assert len(server.requests) == 2


async def test_what_is_on_disk_is_counted_though_the_run_is_left_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = LedgerFile.append
    left: list[Run] = []

    async def slow(file: LedgerFile, data: bytes) -> None:
        if b'"status":"updated"' in data:
            left[0].leave(Interrupted(2))
            await anyio.lowlevel.checkpoint()
        await append(file, data)

    monkeypatch.setattr(LedgerFile, "append", slow)
    async with open_misbehaving([ok()]) as server:

        async def nothing(run: Run) -> None:
            left.append(run)

        summary = await interrupted(server, tmp_path, 3, plan(), nothing)
    assert (summary.updated, summary.unsent, summary.in_doubt) == (3, 0, 0)
    assert read_ledger(tmp_path / LEDGER).statuses == {"updated": 3}


@pytest.mark.parametrize("first", [ok(), DROPPED])
async def test_what_was_answered_and_could_not_be_recorded_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Action
) -> None:
    append = LedgerFile.append

    async def fail(file: LedgerFile, data: bytes) -> None:
        if b'"type":"request"' in data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await append(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(LedgerFile, "append", fail)
        async with open_misbehaving([first]) as server:
            summary = (await carry_out(server.url, rows(3), tmp_path)).summary
    assert (summary.unsent, summary.in_doubt, summary.exit) == (3, 3, 3)


async def test_sending_stops_at_once_when_the_ledger_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, seen = LedgerFile.append, list[int]()

    async def fail(file: LedgerFile, data: bytes) -> None:
        if b'"updated"' in data:
            seen.append(len(server.requests))
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        await append(file, data)

    monkeypatch.setattr(LedgerFile, "append", fail)
    async with open_misbehaving([ok()]) as server:
        summary = (await carry_out(server.url, rows(50), tmp_path, plan(1, concurrency=1))).summary
        assert (seen, len(server.requests)) == ([1], 1)
    assert (summary.exit, summary.updated, summary.unsent) == (3, 0, 50)
    assert "the ledger cannot be written: Input/output error" in str(summary.stopped)


async def test_parts_that_wait_behind_a_part_in_doubt_are_in_doubt_too(tmp_path: Path) -> None:
    def script(index: int, request: Request) -> Action:
        del index
        answers: dict[int, Action] = {1: ok(), 4: failure("INTERNAL"), 2: Hang()}
        return answers[len(request.ids)]

    async with open_misbehaving(script) as server:

        async def leave(run: Run) -> None:
            await server.until(lambda: len(server.requests[-1:]) == 1 and len(server.requests[-1].ids) == 2)
            run.leave(Interrupted(15))

        how = plan(4, concurrency=1, max_attempts=2)
        changes = [row("first", "org-0"), *rows(4)]
        async with open_run(Job(Changes(changes, "test"), tmp_path / LEDGER, api(server.url), how)) as run:
            async with anyio.create_task_group() as group:
                group.start_soon(leave, run)
                summary = (await run.carry_out()).summary
        assert (summary.unsent, summary.in_doubt) == (4, 4)
