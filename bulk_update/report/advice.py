"""What to know and what to run next, from the ledger alone; commands are ready to be copied."""

from typing import Final

from bulk_update.model import Status
from bulk_update.pure.commands import command, failures
from bulk_update.pure.plural import counted
from bulk_update.report import figures
from bulk_update.report.data import ReportData, RunFacts, Step

_MAY_BE_APPLIED: Final = "when a run ended and may have been applied"
_INTERRUPTED: Final = 128
_STOPPED: Final = 3


def steps_of(data: ReportData) -> list[Step]:
    """List what is left to do, in order; nothing when every row is updated and the input was read whole."""
    steps = _going_on(data)
    again = command(data.retry)
    listing = failures(data.ledger, is_csv=data.is_csv)
    if data.counts[Status.FAILED] or data.counts[Status.UNKNOWN]:
        if data.last.verb == "retry":
            steps.append(Step(listing, "lists the rows that a retry did not mend, and why"))
            steps.append(Step(again, "sends them once more, when what stood in their way is gone"))
        else:
            steps.append(Step(again, "sends the rows again that failed or whose fate is unknown"))
    if data.counts[Status.INVALID]:
        steps.append(Step(listing, "lists the invalid rows, to be mended in the input"))
        steps.append(Step(command(data.main_job), "then sends what was mended, and nothing that is done"))
    first: dict[str, Step] = {}
    for step in steps:
        first.setdefault(step.command, step)
    return list(first.values())


def remarks_of(data: ReportData) -> list[str]:
    """Say what counts alone do not tell."""
    outages = data.outages
    remarks = [
        (data.unsent is None, "how many more rows are unsent is not known: the main job has told no end"),
        (
            data.in_doubt,
            counted(data.in_doubt, "row without a result was on its way", "rows without a result were on their way")
            + f" {_MAY_BE_APPLIED}",
        ),
        (
            data.doubtful,
            counted(data.doubtful, "row that is not updated was", "rows that are not updated were")
            + f" on the way again {_MAY_BE_APPLIED}",
        ),
        (
            data.last.absent,
            counted(data.last.absent or 0, "result is of a row", "results are of rows")
            + " that the input no longer has",
        ),
        (
            outages.count,
            f"{counted(outages.count, 'outage')}: nothing succeeded for {figures.duration(outages.seconds)}"
            + (f"; the last began {figures.stamp(outages.last)} UTC" if outages.last is not None else ""),
        ),
        (data.cut, f"a crash left {figures.size(data.cut)} of a torn tail, which were cut off"),
        (data.torn, f"{figures.size(data.torn)} at the end of the ledger are not whole yet and were left out"),
    ]
    return [words for is_so, words in remarks if is_so]


def _going_on(data: ReportData) -> list[Step]:
    last = data.last
    job = command(data.main_job)
    same = command(data.retry) if last.verb == "retry" else job
    if last.ended is None:
        process = f" (process {last.process})" if last.process is not None else ""
        return [
            Step(
                same,
                f"goes on where the last run{process} broke off: the ledger has no end of it. If it is still at "
                "work, let it finish",
            )
        ]
    if last.exit is not None and (last.exit > _INTERRUPTED or (last.exit == _STOPPED and not _is_lost(last))):
        return [Step(same, "goes on: the last run stopped before its end")]
    unsent = max(last.unsent or 0, data.unsent or 0)
    if unsent:
        return [Step(job, f"sends what has no result yet: {figures.count(unsent, 'row')}")]
    if not data.complete:
        return [Step(job, "goes on with the rest of the input, which was not read to its end (--limit)")]
    return []


def _is_lost(last: RunFacts) -> bool:
    """Tell whether a run went to its end and rows are left all the same: a retry cannot know their changes."""
    return bool(last.unsent) and last.stopped is None
