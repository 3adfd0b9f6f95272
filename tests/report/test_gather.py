"""What is gathered from a ledger, by hand and from real runs: counts equal the summary's."""

import asyncio
import json
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bulk_update import Summary
from bulk_update.edge.ledger import open_ledger_for_reading
from bulk_update.model import RowError, Status
from bulk_update.pure.ledger_lines import RateLine, encode_line
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.seals import Append
from bulk_update.report.attempts import AttemptOutcome
from bulk_update.report.data import ReportData
from bulk_update.report.facts import facts_of
from bulk_update.report.gather import CHARTED, RUNS, SLOWEST, Gathering
from bulk_update.report.page import render
from bulk_update.report.text import describe
from tests.report.ledgers import BEGAN, SETTINGS, Came, LedgerMaker, change, gather, stamp
from tests.report.weather import Migration, Weather, migration
from tests.runs import carry_out, plan, row, rows
from tests.servers.actions import Action
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import failure, missing, ok, throttled, verdicts

NOT_FOUND = RowError("not_updated", "Activity not found", 200)
DONE: dict[str, object] = {"run_seconds": 2.0, "complete": True, "unsent": 0, "absent": 0, "stopped": None}


def made() -> tuple[LedgerMaker, list[bytes]]:
    appends: list[bytes] = []
    return LedgerMaker(appends.append), appends


def three_rows(status: Status = Status.FAILED) -> tuple[LedgerMaker, list[bytes]]:
    """Begin a ledger with a run of three rows, one of them not updated."""
    maker, appends = made()
    maker.run()
    changes = [change(number) for number in (1, 2, 3)]
    maker.sending(1, 0.5, changes)
    maker.attempt(1, 0.7, changes)
    maker.updated(changes[:2])
    maker.result(changes[2], status, NOT_FOUND)
    maker.seal()
    return maker, appends


def numbers(value: object) -> list[float]:
    """List the fractions anywhere in what JSON can hold."""
    if isinstance(value, dict):
        return numbers(list(value.values()))
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, float) else []


# --------------------------------------------------------------------------------------- by hand


def test_json_has_no_digits_that_mean_nothing() -> None:
    maker, appends = made()
    for _ in range(3):
        maker.run()
        maker.sending(1, 0.01, [change(1)])
        maker.attempt(1, 0.07, [change(1)], Came(ms=33.3))
        maker.end(0.1, 3, DONE | {"run_seconds": 0.1})
    facts = facts_of(gather(b"".join(appends)))
    assert (facts["at_work"], facts["seconds"]) == (0.3, 0.3)
    assert [number for number in numbers(facts) if len(repr(number)) > 12] == []


def test_a_run_that_has_just_begun_holds_nothing() -> None:
    maker, appends = made()
    maker.run()
    data = gather(b"".join(appends))
    assert (data.rows, data.attempts, data.courses, data.runs_total) == (0, 0, [], 1)
    assert data.last.ended is None
    assert data.is_open
    assert data.last.process == 4711


def test_rows_are_counted_by_their_last_result() -> None:
    maker, appends = three_rows()
    maker.end(2.0, 1, DONE)
    maker.run(100.0, verb="retry")
    again = change(3, was="failed")
    maker.sending(2, 100.1, [again])
    maker.attempt(2, 100.3, [again])
    maker.updated([again])
    maker.end(101.0, 0, DONE)
    data = gather(b"".join(appends))
    assert data.counts[Status.UPDATED] == 3
    assert sum(data.counts.values()) == data.rows == 3
    assert data.reasons == []
    assert [run.settled for run in data.runs] == [3, 1]
    assert data.organizations[0].counts[Status.FAILED] == 0
    assert data.seconds == 4.0
    assert [stretch.rows[0] for stretch in data.courses[1].stretches][-1] == 3


def test_a_failure_is_told_with_its_reason_and_place() -> None:
    _, appends = three_rows()
    data = gather(b"".join(appends))
    (reason,) = data.reasons
    assert (reason.status, reason.code, reason.message, reason.count) == (
        "failed",
        "not_updated",
        "Activity not found",
        1,
    )
    assert (reason.first_line, reason.example) == (3, "activity-000003")
    assert data.organizations[0].amiss == 1
    assert data.is_amiss


def test_a_row_that_only_looks_updated_is_not() -> None:
    """A change may hold the very words that a result is written in."""
    maker, appends = made()
    maker.run()
    odd = change(1)
    words = b'{"id":"a","entityData":{"type":"result","status":"updated","check":"00000000"}}'
    maker.result(type(odd)("org-1", "a", 1, 0, 5, 1, words), Status.FAILED, NOT_FOUND)
    maker.seal()
    assert gather(b"".join(appends)).counts == dict.fromkeys(Status, 0) | {Status.FAILED: 1}


def test_attempts_are_told_by_outcome_and_the_slowest_by_name() -> None:
    maker, appends = made()
    maker.run()
    changes = [change(1)]
    maker.sending(1, 0.0, changes)
    maker.attempt(1, 1.0, changes, Came(1, 80.0, 429, RowError("RESOURCE_EXHAUSTED", "slow down", 429)))
    maker.attempt(1, 31.0, changes, Came(2, 30_000.0, None, RowError("timeout", "no answer")))
    maker.attempt(1, 32.0, changes, Came(3, 200.0))
    maker.updated(changes)
    maker.seal()
    data = gather(b"".join(appends))
    assert data.outcomes[AttemptOutcome.THROTTLED] == data.outcomes[AttemptOutcome.NO_ANSWER] == 1
    assert data.outcomes[AttemptOutcome.VERDICTS] == data.latency.attempts == 1
    assert (data.attempts, data.requests, data.retries) == (3, 1, 2)
    assert [attempt.milliseconds for attempt in data.slowest] == [30_000.0, 200.0, 80.0]
    assert (data.slowest[0].code, data.slowest[0].ended) == ("timeout", BEGAN + 31.0)


def test_an_attempt_that_never_left_is_none() -> None:
    maker, appends = made()
    maker.run()
    changes = [change(1)]
    maker.sending(1, 0.0, changes)
    maker.attempt(1, 0.1, changes, Came(0, 0.0, None, RowError("not_sent", "the run stopped"), settled=True))
    maker.seal()
    data = gather(b"".join(appends))
    assert (data.attempts, data.in_doubt, data.slowest) == (0, 0, [])


def test_only_the_slowest_are_kept() -> None:
    maker, appends = made()
    maker.run()
    for number in range(1, 100):
        changes = [change(number)]
        maker.sending(number, number, changes)
        maker.attempt(number, number + 0.1, changes, Came(ms=float(number * 37 % 101)))
    maker.seal()
    told = [attempt.milliseconds for attempt in gather(b"".join(appends)).slowest]
    assert told == sorted((float(number * 37 % 101) for number in range(1, 100)), reverse=True)[:SLOWEST]


def stopped_early(*, is_known: bool) -> tuple[LedgerMaker, list[bytes]]:
    """Make the ledger of a run that left four rows unsent. `is_known`: it has told its end."""
    maker, appends = three_rows()
    if is_known:
        maker.end(2.0, 3, DONE | {"unsent": 4, "stopped": "nothing succeeded for 15 min (--give-up-after)"})
    return maker, appends


@pytest.mark.parametrize("then", ["nothing", "retry"])
def test_rows_that_were_left_unsent_are_rows(then: str) -> None:
    maker, appends = stopped_early(is_known=True)
    if then == "retry":
        maker.run(10.0, "retry")
        maker.end(11.0, 0, DONE)
    data = gather(b"".join(appends))
    assert (data.rows, data.unsent, facts_of(data)["rows"], facts_of(data)["unsent"]) == (7, 4, 7, 4)
    assert "7 rows: 2 updated, 1 failed, 4 unsent (28.6 % updated)" in describe(data)
    page = render(data, 0.0)
    assert "2 of 7 rows updated so far" in page
    assert "… unsent" in page
    assert "1 failed, 4 unsent." in page


def test_where_no_end_tells_how_many_are_unsent_it_is_said_to_be_unknown() -> None:
    words = "how many more rows are unsent is not known"
    maker, appends = stopped_early(is_known=False)
    data = gather(b"".join(appends))
    assert (data.rows, data.unsent, facts_of(data)["unsent"]) == (3, None, None)
    assert "3 rows have a result: 2 updated, 1 failed\n" in describe(data)
    assert "2 rows updated so far" in render(data, 0.0)
    assert words in describe(data)
    assert words in render(data, 0.0)
    maker.end(2.0, 3, DONE | {"unsent": 4})
    assert words not in describe(gather(b"".join(appends)))
    maker.run(10.0)
    assert words in describe(gather(b"".join(appends)))


def test_attempts_that_found_no_connection_are_none_that_the_rate_is_about() -> None:
    maker, appends = made()
    maker.run(settings={"rate": "5 in 1 s"})
    nobody = Came(ms=3.0, http=None, error=RowError("unreached", "no connection: Connection refused"))
    for number in range(1, 21):
        maker.sending(number, 0.2 * (number % 5), [change(number)])
        maker.attempt(number, 0.2 * (number % 5), [change(number)], nobody)
        maker.attempt(number, 0.2 * (number % 5), [change(number)], replace(nobody, number=2))
    for number in range(1, 6):
        maker.attempt(number, 0.3 + 0.2 * number, [change(number)], Came(3))
    maker.end(3.0, 0, DONE)
    data = gather(b"".join(appends))
    assert (data.attempts, data.outcomes[AttemptOutcome.NO_ANSWER]) == (45, 40)
    assert "up to 5/s of 5/s allowed" in describe(data)
    assert "Up to 5 a second (allowed 5/s)" in render(data, 0.0)


def test_outages_of_all_runs_are_told_together() -> None:
    maker, appends = made()
    for at, outages in ((0.0, 2), (100.0, 1), (200.0, 0)):
        maker.run(at)
        told = {"outages": outages, "outage_seconds": 30.04 * outages, "last_outage": outages and stamp(at + 7.0)}
        maker.end(at + 90.0, 3, DONE | told)
    data = gather(b"".join(appends))
    assert "3 outages: nothing succeeded for 1 min 30 s; the last began 2026-11-23 02:01:47 UTC" in describe(data)
    assert facts_of(data)["outages"] == {"count": 3, "seconds": 90.12, "last": "2026-11-23T02:01:47.000Z"}
    (first, *_) = cast(list[dict[str, Any]], facts_of(data)["runs"])
    assert first["outages"] == {"count": 2, "seconds": 60.08, "last": "2026-11-23T02:00:07.000Z"}


def test_settings_tell_where_they_came_from_and_what_they_were_before() -> None:
    maker, appends = made()
    maker.run(settings={"rate": "10 in 1 s", "batchSize": 50})
    maker.end(1.0, 0, DONE)
    maker.run(10.0, settings=SETTINGS)
    settings = {setting.name: setting for setting in gather(b"".join(appends)).settings}
    assert (settings["rate"].value, settings["rate"].source, settings["rate"].before) == (
        "5/s",
        "--rate",
        "10/s",
    )
    assert (settings["batch-size"].before, settings["max-attempts"].before) == ("50", "")
    assert "pid" not in settings


def test_of_very_many_runs_the_first_and_the_latest_are_told() -> None:
    maker, appends = made()
    for number in range(1, RUNS + 51):
        maker.run(number * 10.0)
        changes = [change(number)]
        maker.sending(number, number * 10.0, changes)
        for attempt in range(1, 2 + number % 7):
            maker.attempt(number, number * 10.0 + attempt, changes, Came(attempt))
        maker.end(number * 10.0 + 9.0, 3, DONE | {"stopped": "an outage"})
    data = gather(b"".join(appends))
    assert data.runs_total == RUNS + 50
    assert [run.number for run in data.runs] == [1, *range(52, RUNS + 51)]
    assert len(data.courses) == CHARTED
    assert {sum(sum(stretch.outcomes) for stretch in course.stretches) for course in data.courses} == {7}
    assert data.last.stopped == "an outage"


def test_rates_that_a_run_was_given_meanwhile_are_told() -> None:
    maker, appends = made()
    maker.run(0.0, settings={"rate": "5 in 1 s"})
    for at, rate in ((10.0, "20 in 1 s"), (20.0, "300 in 60 s"), (30.0, "\x1b[31m")):
        maker.line(encode_line(RateLine(rate, stamp(at))))
    maker.end(40.0, 0, {"run_seconds": 40.0})
    data = gather(b"".join(appends))
    assert [given.rate for given in data.last.rates] == ["20/s", "300/m", "\x1b[31m"]
    text = describe(data)
    assert "run 1: the rate was 20/s from 2026-" in text
    assert "run 1: the rate was \\x1b[31m from 2026-" in text
    assert "the rate was 300/m from 2026-" in render(data, 0.0)
    (run,) = cast(list[dict[str, Any]], facts_of(data)["runs"])
    assert [given["rate"] for given in run["rates"]][:2] == ["20/s", "300/m"]
    assert run["rates"][0]["time"].endswith("10.000Z")


@pytest.mark.parametrize(("rates", "highest"), [(["20 in 1 s", "2 in 1 s"], (20, 1)), (["none", "2 in 1 s"], None)])
def test_a_course_is_drawn_under_the_highest_rate_of_its_run(
    rates: list[str], highest: tuple[float, float] | None
) -> None:
    maker, appends = made()
    maker.run(0.0, settings={"rate": "5 in 1 s"})
    maker.attempt(1, 1.0, [change(1)])
    for rate in rates:
        maker.line(encode_line(RateLine(rate, stamp(2.0))))
    maker.seal()
    assert [course.rate for course in gather(b"".join(appends)).courses] == [highest]


def test_a_torn_tail_and_what_was_cut_before_are_told() -> None:
    maker, appends = three_rows()
    maker.line(b'{"type":"cut","bytes":77,"kept":"x.torn-1","time":"2026-11-23T02:00:00Z"}\n')
    maker.seal()
    data = gather(b"".join(appends) + b'{"type":"resu')
    assert (data.torn, data.cut) == (13, 77)


def test_a_line_of_a_later_version_is_passed_over() -> None:
    maker, appends = three_rows()
    maker.line(b'{"type":"weather","sky":"blue"}\n')
    maker.updated([change(4)])
    maker.seal()
    assert gather(b"".join(appends)).counts[Status.UPDATED] == 3


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"result","line":1,"organizationId":"o","id":"a","status":"splendid","check":"00000001"}\n',
        b'{"type":"result","line":"one"}\n',
        b'{"type":"run","format":99,"version":"9","time":"","verb":"run","inputs":[],"api":"","salt":"","key":""}\n',
        b"no line\n",
    ],
)
def test_a_line_that_is_not_the_ledgers_is_refused(line: bytes) -> None:
    maker, appends = three_rows()
    maker.line(line)
    maker.seal()
    with pytest.raises(ValueError, match=r"."):
        gather(b"".join(appends))


@pytest.mark.parametrize("line", [b'{"type":"end","time":"","exit":0,"summary":{}}\n', b""])
def test_a_ledger_begins_with_a_run(line: bytes) -> None:
    result = b'{"type":"result","line":1,"organizationId":"o","id":"a","status":"updated","check":"00000001"}\n'
    with pytest.raises(ValueError, match="begin with a run"):
        Gathering().fold(Append(1, line or result, 0))


@pytest.mark.parametrize("time", ["", "yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-11-23"])
def test_a_time_that_is_none_stops_nothing(time: str) -> None:
    maker, appends = made()
    maker.run()
    changes = [change(1)]
    maker.line(
        b'{"type":"request","request":1,"organizationId":"o","activities":1,"attempt":1,"ms":1e12,"time":'
        + json.dumps(time).encode()
        + b',"http":200,"settled":true}\n'
    )
    maker.updated(changes)
    maker.seal()
    data = gather(b"".join(appends))
    assert (data.rows, data.attempts) == (1, 1)
    assert len(data.courses[0].stretches) <= 200


# ----------------------------------------------------------------------------- whole and from runs


def test_a_migration_is_counted_row_by_row() -> None:
    ledger, counts = migration(Migration(rows=20_000))
    data = gather(ledger)
    assert dict(data.counts) == counts
    assert data.rows == 20_000
    assert sum(reason.count for reason in data.reasons) == sum(counts.values()) - counts[Status.UPDATED]
    assert not data.reasons_outdated
    assert sum(run.settled for run in data.runs) > data.rows
    assert sum(run.attempts for run in data.runs) == data.attempts
    for course in data.courses:
        assert course.rate is not None
        allowed = course.rate[0] / course.rate[1]
        assert max(stretch.first_rate + stretch.retry_rate for stretch in course.stretches) <= allowed


def test_memory_does_not_grow_with_the_ledger() -> None:
    """Appends are made and read one by one; four times the rows take no more memory."""
    peaks = []
    for count in (4_000, 16_000):
        gathering = Gathering()

        def take(append: bytes, gathering: Gathering = gathering) -> None:
            gathering.fold(Append(1, append[: append.rindex(b'{"type":"seal"')], 0))

        tracemalloc.start()
        Weather(LedgerMaker(take), Migration(rows=count, organizations=50)).make()
        gathering.data("x")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 3_000_000


async def both(
    server: list[Action], changes: Sequence[dict[str, object]], folder: Path, times: int
) -> tuple[Summary, ReportData]:
    """Carry out a run so many times; return the last summary and what the ledger tells."""
    async with open_misbehaving(server) as api:
        done = await carry_out(api.url, changes, folder, plan(4))
        for _ in range(times - 1):
            done = await carry_out(api.url, changes, folder, plan(4))
    gathering, state = Gathering(), LedgerState()
    with open_ledger_for_reading(folder / "test.ledger.ndjson") as file:
        file.read(gathering.fold)
        file.read(state.fold)
    data = gathering.data("x")
    assert {status: count for status, count in data.counts.items() if count} == {
        status: count for status, count in state.settled.counts().items() if count
    }
    assert (data.attempts, data.requests) == (state.attempts, state.requests)
    assert data.in_doubt + data.doubtful == len(state.lost_keys())
    assert data.complete == state.complete
    return done.summary, data


@pytest.mark.parametrize(
    "script",
    [
        [ok()],
        [verdicts({"a1": False, "a2": False}), ok()],
        [throttled(), ok()],
        [failure("INVALID_ARGUMENT", "no"), ok()],
        [missing(["a1"])],
        [ok(), verdicts({"a5": False}), missing(["a9"])],
    ],
    ids=["well", "failed", "throttled", "split", "unknown", "mixed"],
)
@pytest.mark.parametrize("times", [1, 2])
async def test_a_real_ledger_is_counted_as_its_summary_counts(script: list[Action], times: int, tmp_path: Path) -> None:
    changes = [*rows(12), row("b1", "org-2"), {"organizationId": "org-2", "id": "b2"}]
    summary, data = await asyncio.wait_for(both(script, changes, tmp_path, times), 30)
    for status in Status:
        assert data.counts[status] == getattr(summary, status.value)
    assert (data.requests, data.attempts) == (summary.requests, summary.attempts)
    assert data.seconds == pytest.approx(summary.seconds, abs=0.01)
    assert (data.unsent, data.rows) == (summary.unsent, summary.rows)
    told = {(reason.status, reason.code, reason.count) for reason in data.reasons}
    assert told == {(group["status"], group["code"], group["count"]) for group in summary.failures}
