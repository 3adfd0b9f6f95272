"""Where the simulator touches `bulk_update`: the only file here that knows how a run is made."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

from bulk_update.edge.control import RateFile
from bulk_update.edge.rows import InputRows, Rows
from bulk_update.jobs import _cut_off, _ledger_rows, _read_back
from bulk_update.pipeline import Run
from bulk_update.plan import Plan, Stage
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.intake import Intake, RetryIntake, RunIntake
from bulk_update.pure.ledger_lines import FORMAT, RunLine
from bulk_update.pure.ndjson import NdjsonReader
from bulk_update.pure.pacing import Rate
from bulk_update.pure.seals import Append
from tests.simulation.disk import SimulatedFile
from tests.simulation.network import SimulatedTransport
from tests.simulation.records import Shelf
from tests.simulation.watch import Watch
from tests.simulation.world import World

KEY = "key-SECRET-5d1f"
TOKEN = "token-SECRET-77aa"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of."""

    world: World
    plan: Plan
    verb: str
    names: Sequence[str]
    shelf: Shelf
    file: SimulatedFile
    transport: SimulatedTransport
    watch: Watch
    chance: Random
    rates: Sequence[tuple[float, Rate | None]] = ()


class SimulatedRateFile(RateFile):
    """Ask for other rates as time goes by: `rates` are pairs of seconds of the run and a rate."""

    def __init__(self, watch: Watch, world: World, rates: Sequence[tuple[float, Rate | None]]) -> None:
        self._watch = watch
        self._world = world
        self._rates = [(world.now() + after, rate) for after, rate in rates]

    def look(self) -> tuple[bool, Rate | None]:
        """Tell whether another rate is asked for since the last look."""
        if not self._rates or self._world.now() < self._rates[0][0]:
            return False, None
        _, rate = self._rates.pop(0)
        self._watch.rate_changes(rate)
        return True, rate


@asynccontextmanager
async def open_run(parts: Parts) -> AsyncIterator[Run]:
    """Make a run as `jobs.open_run` does, of simulated parts."""
    is_retry = parts.verb == "retry"
    state, retry, tail = _read_back(parts.file, is_retry=is_retry)
    if tail:
        _cut_off(parts.file, tail, state, parts.world)
        retry.fold(Append(0, state.mended, parts.file.size))
    begin = RunLine(
        FORMAT, "0", parts.world.stamp(), parts.verb, list(parts.names), "https://api.test", "00", "fingerprint"
    )
    reader = InputRows(parts.names, parts.shelf.open, lambda _name, _head, index: _reader(index, parts.plan))
    async with reader:
        rows: Rows = reader
        intake: Intake = RunIntake(state.settled, state.tally, state.doubtful_keys())
        if is_retry:
            again = retry.rows(state.lost_keys())
            rows, intake = _ledger_rows(parts.file, again, parts.names), RetryIntake(state)
        yield Run(
            parts.plan,
            Stage(
                rows,
                intake,
                state,
                parts.file,
                begin,
                parts.transport,
                observer=parts.watch,
                control=SimulatedRateFile(parts.watch, parts.world, parts.rates) if parts.rates else None,
                clock=parts.world,
                chance=parts.chance,
            ),
        )


@contextmanager
def no_threads() -> Iterator[None]:
    """Let what would run in a thread run at once: under virtual time nothing takes any."""

    async def run_sync(work: Callable[..., Any], *args: object, **_options: object) -> Any:
        return work(*args)

    with patch("anyio.to_thread.run_sync", run_sync):
        yield


def waiting_bytes(run: Run) -> int:
    """Tell the bytes of memory that the rows take which wait for their batch."""
    batcher: Any = run._outbox._batcher  # noqa: SLF001 - what a run holds in memory is told by nothing public
    used: int = batcher._used  # noqa: SLF001 - as above
    return used


def _reader(index: int, plan: Plan) -> NdjsonReader:
    return NdjsonReader(ActivityReader(None, plan.limits.body).read, index)
