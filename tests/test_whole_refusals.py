"""Whole runs in virtual time against servers that refuse requests whole, or answer badly for a while."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bulk_update import Rate
from bulk_update.model import Answer
from bulk_update.pure.retrying import Backoff
from tests.fake_api import FakeApi, Sent, carry_out_with, failing, unavailable, updated
from tests.runs import plan, row, rows
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


def knowing(gone: Callable[[Sent], bool]) -> Callable[[Sent], Answer]:
    """Answer that there is no such place where `gone` says so."""
    return lambda sent: failing("NOT_FOUND", 404, "no such place") if gone(sent) else updated(sent)


# ----------------------------------------------------------------------------------- what is not found


@pytest.mark.parametrize("missing", [{"a0"}, {"a37"}, {"a99"}, {"a3", "a4"}, {f"a{n}" for n in range(20, 60)}])
async def test_a_row_that_is_not_found_sinks_no_other(missing: set[str]) -> None:
    """Where something of its organization was updated before, however many such rows follow each other."""
    api = FakeApi(knowing(lambda sent: not missing.isdisjoint(sent.ids)))
    changes = [*(row(f"first-{n}") for n in range(100)), *rows(100)]
    done = await carry_out_with(api, changes, plan(100, concurrency=1))
    assert (done.summary.updated, done.summary.failed) == (200 - len(missing), len(missing))


async def test_an_organization_that_is_not_found_costs_few_requests() -> None:
    api = FakeApi(knowing(lambda sent: sent.organization == "gone"))
    changes = [row(f"a{n}", "gone") for n in range(1_000)] + [row(f"b{n}", "here") for n in range(1_000)]
    done = await carry_out_with(api, changes, plan(100, concurrency=1))
    assert (done.summary.updated, done.summary.failed, done.summary.exit) == (1_000, 1_000, 1)
    assert sum(sent.organization == "gone" for sent in api.sent) < 60


@pytest.mark.parametrize("other", ["NOT_FOUND", "INVALID_ARGUMENT"])
async def test_many_rows_at_the_start_that_are_refused_alone_are_not_their_organization(other: str) -> None:
    """Whatever the first of them are refused for, in each part that is left something is found."""
    bad, gone = {f"a{n}" for n in range(12)}, {"a20", "a40", "a60"}

    def behave(sent: Sent) -> Answer:
        if not bad.isdisjoint(sent.ids):
            return failing(other, 400 if other == "INVALID_ARGUMENT" else 404)
        return updated(sent) if gone.isdisjoint(sent.ids) else failing("NOT_FOUND", 404)

    done = await carry_out_with(FakeApi(behave), rows(100), plan(100, concurrency=1))
    assert (done.summary.updated, done.summary.failed) == (85, 15)


async def test_rows_of_an_organization_that_is_found_after_all_are_updated() -> None:
    api = FakeApi(knowing(lambda sent: sent.number < 30))
    done = await carry_out_with(api, rows(1_000), plan(100, concurrency=1))
    found = {sent.ids for sent in api.sent if sent.number >= 30}
    assert done.summary.updated == sum(map(len, found)) >= 600
    assert done.summary.updated + done.summary.failed == 1_000


# ---------------------------------------------------------------------- answers that no Velt API gives


@pytest.mark.parametrize("http", [302, 404, 405, 410])
async def test_a_front_end_that_is_wrong_for_a_while_stops_no_run_that_has_worked(http: int) -> None:
    def behave(sent: Sent) -> Answer:
        return Answer(http, b"<html>not here</html>") if 5 <= sent.time < 60 else updated(sent)

    done = await carry_out_with(FakeApi(behave), rows(200), replace(plan(10), rate=Rate(1, 1.0)))
    assert (done.summary.exit, done.summary.updated) == (0, 200)


@pytest.mark.parametrize("http", [302, 404, 405, 410])
async def test_a_front_end_that_stays_wrong_ends_the_run_and_fails_no_row(http: int) -> None:
    def behave(sent: Sent) -> Answer:
        return Answer(http, b"<html>not here</html>") if sent.time >= 5 else updated(sent)

    how = replace(plan(10, give_up_after=60.0), rate=Rate(1, 1.0))
    done = await carry_out_with(FakeApi(behave), rows(200), how)
    assert (done.summary.exit, done.summary.failed, done.summary.unknown) == (3, 0, 0)


# --------------------------------------------------------------------------------------- max attempts


@pytest.mark.parametrize("most", [2, 3, 5])
async def test_a_batch_is_tried_as_often_as_is_said(most: int) -> None:
    """Beside others that are answered well: the first failure counts, too, as soon as that is known."""

    def behave(sent: Sent) -> Answer:
        return unavailable() if sent.organization == "bad" else updated(sent)

    changes = [row(f"a{n}", f"org-{n}") for n in range(300)]
    changes.insert(20, row("b", "bad"))
    api = FakeApi(behave)
    done = await carry_out_with(api, changes, replace(plan(100, max_attempts=most), rate=Rate(10, 1.0)))
    assert (done.summary.updated, done.summary.unknown) == (300, 1)
    assert sum(sent.organization == "bad" for sent in api.sent) == most


# ------------------------------------------------------------------------- rows that break the server


@pytest.mark.parametrize("organizations", [1, 8])
@pytest.mark.parametrize("poisoned", [5, 20])
async def test_rows_that_break_the_server_in_many_batches_sink_no_other(poisoned: int, organizations: int) -> None:
    """One in each of the first batches: as long as only those are tried, it looks like an outage."""
    bad = {f"a{100 * n + 37}" for n in range(poisoned)}

    def behave(sent: Sent) -> Answer:
        return updated(sent) if bad.isdisjoint(sent.ids) else failing("INTERNAL", 500)

    api = FakeApi(behave)
    changes = [row(f"a{n}", f"org-{n // 100 % organizations}") for n in range(4_000)]
    how = plan(100)
    how = replace(how, rate=Rate(50, 1.0), persistence=replace(how.persistence, backoff=Backoff()))
    done = await carry_out_with(api, changes, how)
    assert (done.summary.updated, done.summary.unknown) == (4_000 - poisoned, poisoned)
    whole = [time for time, sent, _ in api.answered if bad.isdisjoint(sent.ids) and len(sent.ids) == 100]
    assert max(whole) < 300, "batches with no such row in them"
    assert done.seconds < 1_200
    assert len(api.sent) < 600
