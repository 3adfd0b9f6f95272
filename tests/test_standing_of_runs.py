"""How a run that is at work says it stands, where rows are sent again."""

from collections.abc import Sequence
from pathlib import Path

from bulk_update import Api, Changes, Credentials, Inputs
from bulk_update.jobs import Job, open_run
from bulk_update.model import Outcome, Snapshot
from bulk_update.pipeline import Run
from bulk_update.pure.standing import Course, Standing, as_event
from tests.runs import KEY, TOKEN, Row, carry_out, plan, row, rows
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import ok, verdicts


class Looking:
    """Look at a run whenever rows have got their results."""

    wants_outcomes = True

    def __init__(self) -> None:
        self.run: Run | None = None
        self.seen: list[Snapshot] = []

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        if self.run is not None:
            self.seen.append(self.run.snapshot())

    def notice(self, message: str) -> None:
        """Pass over it."""

    async def room(self) -> None:
        """Let sending go on."""


async def look(url: str, folder: Path, source: Inputs | Changes | None) -> list[Standing]:
    """Carry out a run two rows at a time; tell how it stood after each batch, and at its end."""
    looking, course = Looking(), Course()
    how = plan(2, concurrency=1)
    async with open_run(
        Job(source, folder / "test.ledger.ndjson", Api(url, Credentials(KEY, TOKEN)), how), looking
    ) as run:
        looking.run = run
        course.follow(run.snapshot())
        await run.carry_out()
        return [course.follow(snapshot) for snapshot in (*looking.seen, run.snapshot())]


async def test_a_retry_stands_where_the_rows_stand_that_it_sends_again(tmp_path: Path) -> None:
    async with open_misbehaving([verdicts(dict.fromkeys(("a1", "a2", "a4", "a5"), False)), ok()]) as server:
        await carry_out(server.url, rows(7), tmp_path)
        stood = await look(server.url, tmp_path, None)
    assert [standing.share for standing in stood] == [0.5, 1.0, 1.0]
    events = [as_event(standing) for standing in stood]
    assert [(event["done"], event["expected"], event["settled"]) for event in events] == [
        (2, 4, 7),
        (4, 4, 7),
        (4, 4, 7),
    ]
    assert [standing.in_flight for standing in stood] == [2, 0, 0]
    assert (stood[-1].snapshot.again, stood[-1].snapshot.resending, stood[-1].snapshot.to_resend) == (4, 0, 4)
    assert stood[-1].snapshot.answered == 2


async def test_rows_that_the_main_job_sends_again_are_not_done_meanwhile(tmp_path: Path) -> None:
    late: list[Row] = [row("a0", actionIcon="late"), row("a1", actionIcon="late")]
    async with open_misbehaving([ok()]) as server:
        await carry_out(server.url, late, tmp_path)
        early = [row("a0", actionIcon="early"), row("a1", actionIcon="early")]
        stood = await look(server.url, tmp_path, Changes([*early, *late], "test"))
    assert [standing.share for standing in stood] == [0.5, 1.0, 1.0]
    assert (stood[-1].snapshot.again, stood[-1].snapshot.resending) == (2, 0)


async def test_rows_of_which_a_retry_has_nothing_left_to_send_are_done(tmp_path: Path) -> None:
    twice: list[Row] = [row("a0", actionIcon="early"), row("a0", actionIcon="late")]
    async with open_misbehaving([verdicts({"a0": False}), ok()]) as server:
        await carry_out(server.url, twice, tmp_path)
        stood = await look(server.url, tmp_path, None)
        assert len(server.requests) == 2
    snapshot = stood[-1].snapshot
    assert (snapshot.again, snapshot.resending, snapshot.to_resend, stood[-1].share) == (1, 0, 1, 1.0)
