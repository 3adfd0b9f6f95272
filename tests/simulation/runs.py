"""One run, from its beginning to its end, however it ends."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bulk_update.errors import BulkUpdateError, Interrupted
from bulk_update.pipeline import Ended
from bulk_update.plan import Plan
from bulk_update.pure.pacing import Rate
from tests.simulation.api import Api
from tests.simulation.disk import Disk, DiskTrouble, SimulatedFile
from tests.simulation.network import SimulatedTransport
from tests.simulation.process import Crashed, End, Ending, Process
from tests.simulation.records import Lines, Shelf, file_bytes
from tests.simulation.seams import Parts, no_threads, open_run, waiting_bytes
from tests.simulation.watch import Watch
from tests.simulation.weather import CALM, Weather
from tests.simulation.world import World
from tests.virtual_time import Stuck

_LONGEST: Final = 30 * 86_400.0
"""Seconds that a run may take, at most: what takes longer does not end."""

_UNDER_WAY: Final = 0.05
"""Seconds after which whatever has left has arrived or is lost."""

_ROUNDS: Final = 20
"""Times that a task is told to end before it is taken for one that does not."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One run of a scenario: what is asked for, and what befalls it.

    `edits`: of the input, before. `pause`: seconds before. `slowness`: seconds to a block of the input.
    `rates`: other rates that are asked for while it goes on, each after so many seconds.
    """

    verb: str = "run"
    plan: Plan = Plan()
    weather: Weather = CALM
    ending: Ending = Ending()
    disk: DiskTrouble = DiskTrouble()
    timeout: float = 30.0
    edits: int = 0
    pause: float = 1.0
    slowness: float = 0.0
    rates: Sequence[tuple[float, Rate | None]] = ()


@dataclass(slots=True)
class Done:
    """A run that is over.

    `before`, `after`: the ledger; its first `durable` bytes were synced at the end. `ended` None: the process
    died, or could not begin.
    """

    number: int
    leg: Leg
    files: Sequence[Lines]
    before: bytes
    began: float
    after: bytes = b""
    durable: int = 0
    over: float = 0.0
    ended: Ended | None = None
    refused: str = ""
    signalled_at: float | None = None
    left_at: float | None = None
    most_waiting: int = 0
    notices: list[str] = field(default_factory=list)


def carry_out(world: World, disk: Disk, api: Api, leg: Leg, files: Mapping[str, Lines], number: int) -> Done:
    """Carry out one run; come back when it is over and nothing of it is under way any more."""
    done = Done(number, leg, [list(lines) for lines in files.values()], bytes(disk.data), world.now())
    world.tell(f"run {number} begins: {leg.verb}, ledger of {len(disk.data)} bytes")
    process, watch = Process(world, leg.ending), Watch(api, leg.plan, leg.disk.slowest)
    chance = world.chance(f"run {number}")
    texts = {name: file_bytes(lines, ends=chance.random() < 0.8) for name, lines in files.items()}
    file = SimulatedFile(disk, process, leg.disk, watch.synced)
    transport = SimulatedTransport(process, api, number, leg.timeout, watch.leaves)
    api.begin(leg.weather)
    shelf = Shelf(texts, process, chance, leg.slowness)
    parts = Parts(world, leg.plan, leg.verb, list(files), shelf, file, transport, watch, chance, leg.rates)
    try:
        _live(parts, process, done)
    finally:
        process.bury()
        file.close()
    done.over, done.notices = world.now(), watch.notices
    done.signalled_at, done.left_at = process.signalled_at, process.left_at
    done.durable = disk.synced
    if done.ended is None and leg.ending.end is End.POWER_CUT and not done.refused:
        disk.cut_power()
    _let_time_pass(world, _UNDER_WAY)
    done.after = bytes(disk.data)
    words = f"exit {done.ended.summary.exit}, {done.ended.summary.stopped}" if done.ended else done.refused or "died"
    world.tell(f"run {number} is over: {words}")
    return done


def _live(parts: Parts, process: Process, done: Done) -> None:
    """Let a process live until it ends or dies."""
    loop = parts.world.loop
    main = loop.create_task(_main(parts, process, done))
    main.add_done_callback(lambda _: loop.stop() if process.is_alive else None)
    too_long = loop.call_later(_LONGEST, loop.stop)
    try:
        with no_threads():
            loop.run_forever()
        if process.is_alive and not main.done():
            parts.world.accuse("ends", f"run {done.number} does not end")
    except Stuck:
        parts.world.accuse("ends", f"run {done.number} waits for something that will never happen")
    too_long.cancel()
    _end_tasks(process)
    error = main.exception() if not main.cancelled() else None
    if error is not None and not isinstance(error, Crashed):
        raise error


async def _main(parts: Parts, process: Process, done: Done) -> None:
    try:
        async with open_run(parts) as run:
            process.stop = lambda: run.stop(Interrupted(signal.SIGINT))
            process.leave = lambda: run.leave(Interrupted(signal.SIGTERM))

            def on_read() -> None:
                done.most_waiting = max(done.most_waiting, waiting_bytes(run))

            process.on_read = on_read
            done.ended = await run.carry_out()
    except BulkUpdateError as error:
        done.refused = str(error)


def _end_tasks(process: Process) -> None:
    """Take away what is left of a process that has died."""
    loop = process.world.loop
    process.bury()
    # What has not begun yet begins, so that it can be ended; being dead, it comes to nothing.
    for _ in range(_ROUNDS):
        loop.run_until_complete(asyncio.sleep(0))
    for _ in range(_ROUNDS):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=1))
    raise AssertionError(f"tasks that cannot be ended: {asyncio.all_tasks(loop)}")


def _let_time_pass(world: World, seconds: float) -> None:
    """Let what has left arrive, or get lost."""
    world.loop.run_until_complete(asyncio.sleep(seconds))
