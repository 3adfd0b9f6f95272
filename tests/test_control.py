"""Another rate for a run that goes on: it holds, and the ledger tells of it."""

from pathlib import Path

import pytest

from bulk_update import Rate
from bulk_update.edge.control import RateFile
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.retry_plan import RetryPlan
from bulk_update.pure.seals import SealedReader
from tests.fake_api import FakeApi, Listener, MemoryLedger, make_run, updated
from tests.runs import ledger_of, plan, rows
from tests.virtual_time import VIRTUAL_BACKEND


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_BACKEND


class Written(RateFile):
    """A control file into which something is written before each look."""

    def __init__(self, path: Path, words: list[str]) -> None:
        super().__init__(path)
        self._words = words

    def look(self) -> tuple[bool, Rate | None]:
        if self._words:
            self.path.unlink(missing_ok=True)
            self.path.write_text(self._words.pop(0))
        return super().look()


async def test_each_rate_that_a_run_is_given_stands_in_its_ledger(tmp_path: Path) -> None:
    control = Written(tmp_path / "ledger", ["20/s", "nonsense", "none"])
    file, listener = MemoryLedger(control=control), Listener()
    run = make_run(FakeApi(updated, latency=1.0), rows(6), plan(1, concurrency=1), file=file, listener=listener)
    ended = await run.carry_out()
    assert ended.summary.exit == 0
    told = [line for line in ledger_of(bytes(file.data)).lines if line["type"] == "rate"]
    assert [line["rate"] for line in told] == ["20 in 1 s", "none"]
    assert [float(line["time"][17:-1]) for line in told] == [1.0, 3.0]
    assert [notice for notice in listener.notices if notice.startswith("the rate is")] == [
        "the rate is 20/s now",
        "the rate is none now",
    ]
    reader, state, again = SealedReader(), LedgerState(), RetryPlan()
    for append in reader.feed(bytes(file.data)):
        state.fold(append)
        again.fold(append)
    assert (reader.finish(), state.requests, len(again.rows())) == (b"", 6, 0)
