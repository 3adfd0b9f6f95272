"""The main job and `retry`: carry out, show, and tell how it ended."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import anyio

from bulk_update.cli.amounts import refuse_missing, repeated_inputs
from bulk_update.cli.monitoring import Monitor, monitored
from bulk_update.cli.next_step import next_step
from bulk_update.cli.settings import read_job, read_plan, read_retry
from bulk_update.cli.streams import LONGEST, OutputLost, columns_of, complain, give_json, safe, say
from bulk_update.cli.words import describe_briefly, describe_summary
from bulk_update.edge.clock import WallClock
from bulk_update.edge.ledger import open_ledger_for_reading
from bulk_update.edge.progress import Progress, ProgressSettings, open_progress
from bulk_update.edge.signals import heed_signals
from bulk_update.errors import Interrupted, NothingSent
from bulk_update.jobs import Job, open_run
from bulk_update.model import Outcome
from bulk_update.pipeline import Ended
from bulk_update.pure.commands import SANDBOX
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.reading import Inputs


class _Voice:
    """Pass on what a person should hear; outcomes are in the ledger."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    wants_outcomes = False

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Say nothing of single rows."""

    def notice(self, message: str) -> None:
        """Show a sentence."""
        self._progress.notice(message)

    async def room(self) -> None:
        """Let sending go on: nothing is kept here."""


def run(options: argparse.Namespace) -> int:
    """Carry out the main job."""
    if options.dry_run:
        from bulk_update.cli.check import check

        read_plan(options)
        return check(options)
    with monitored(options, os.environ) as monitor:
        refuse_missing(options.inputs)
        return _carry_out(read_job(options, os.environ), options, monitor)


def retry(options: argparse.Namespace) -> int:
    """Send again what the ledger does not show as updated."""
    with monitored(options, os.environ) as monitor:
        job = read_retry(options, os.environ, recorded_api(Path(options.ledger)))
        return _carry_out(job, options, monitor)


def recorded_api(path: Path) -> str | None:
    """Find which API a ledger belongs to; None for a sandbox."""
    state = LedgerState()
    with open_ledger_for_reading(path) as file:
        file.read_first(state.fold)
    api = state.first_run.api if state.first_run is not None else None
    return None if api == SANDBOX else api


def _carry_out(job: Job, options: argparse.Namespace, monitor: Monitor) -> int:
    ended = anyio.run(_run, job, options, monitor)
    monitor.exit = ended.summary.exit
    _tell(ended, options, monitor)
    return ended.summary.exit


async def _run(job: Job, options: argparse.Namespace, monitor: Monitor) -> Ended:
    settings = ProgressSettings(
        is_quiet=options.quiet,
        has_progress=not options.no_progress,
        log_format=options.log_format,
        environ=dict(os.environ),
        is_terminal=sys.stderr is not None and sys.stderr.isatty(),
        limit=job.plan.limit,
    )
    progress = open_progress(settings, sys.stderr, WallClock().stamp)
    repeated = repeated_inputs(job.source.names) if isinstance(job.source, Inputs) else []
    for notice in (*options.notices, *repeated):
        progress.notice(notice)
    try:
        async with open_run(job, _Voice(progress)) as run, anyio.create_task_group() as beside:

            def drain(reason: Interrupted) -> None:
                run.stop(reason)
                progress.notice(f"{reason}; waiting for the answers that are on their way. Once more ends at once")

            beside.start_soon(heed_signals, drain, run.leave)
            beside.start_soon(progress.show, run.snapshot)
            beside.start_soon(monitor.follow, run.snapshot, progress.notice, job.plan.limit)
            ended = await run.carry_out()
            monitor.ended(run.snapshot())
            beside.cancel_scope.cancel()
    finally:
        progress.close()
    return ended


def _tell(ended: Ended, options: argparse.Namespace, monitor: Monitor) -> None:
    """Say how it ended: words on standard error, data on standard output."""
    if isinstance(ended.reason, NothingSent):
        complain(safe(str(ended.reason), LONGEST), options.log_format)
        return
    following = next_step(ended, options.words)
    summary = asdict(ended.summary) | {"next": None if following is None else following.command}
    monitor.told(summary)
    if options.json:
        try:
            give_json(summary)
        except OutputLost as lost:  # the exit code speaks for the ledger
            complain(str(lost), options.log_format)
    if options.log_format == "json":
        say(json.dumps({"event": "summary", "time": WallClock().stamp(), **summary}))
    elif not options.quiet:
        say(describe_summary(ended, following, columns_of(sys.stderr)))
    elif ended.reason is not None or not options.json:
        say(f"bulk-update: {describe_briefly(ended)}")
