"""What to know and what to run next, from the ledger alone; commands are ready to be copied."""

import shlex
from typing import Final

from bulk_update.model import Status
from bulk_update.report import figures
from bulk_update.report.data import ReportData, Step

_ON_THEIR_WAY: Final = "were on their way when a run ended and may have been applied"
_SANDBOX: Final = "sandbox"
_DEFAULT_API: Final = "https://api.velt.dev"
_ENDINGS: Final = (".sandbox.ledger.ndjson", ".ledger.ndjson")
_INTERRUPTED: Final = 128
_STOPPED: Final = 3


def steps_of(data: ReportData) -> list[Step]:
    """List what is left to do, in order; nothing when every row is updated and the input was read whole."""
    steps = _going_on(data)
    again = _command(["retry", data.ledger, *_sandbox(data)])
    if data.counts[Status.FAILED] or data.counts[Status.UNKNOWN]:
        if data.last.verb == "retry":
            steps.append(Step(_command(["failures", data.ledger]), "lists the rows that a retry did not mend, and why"))
            steps.append(Step(again, "sends them once more, when what stood in their way is gone"))
        else:
            steps.append(Step(again, "sends the rows again that failed or whose fate is unknown"))
    if data.counts[Status.INVALID]:
        command = f"{_command(['failures', data.ledger])} > mend.ndjson"
        steps.append(Step(command, "writes the rows into a file, to be mended there and run"))
    return list({step.command: step for step in reversed(steps)}.values())[::-1]


def remarks_of(data: ReportData) -> list[str]:
    """Say what counts alone do not tell."""
    unsent = data.last.unsent
    remarks = [
        (unsent, f"{unsent or 0:,} rows were read and have no result"),
        (data.in_doubt, f"{data.in_doubt:,} rows without a result {_ON_THEIR_WAY}"),
        (data.doubtful, f"{data.doubtful:,} rows that are not updated {_ON_THEIR_WAY.replace('way', 'way again')}"),
        (data.last.absent, f"{data.last.absent or 0:,} results are of rows that the input no longer has"),
        (data.cut, f"a crash left {figures.size(data.cut)} of a torn tail, which were cut off"),
        (data.torn, f"{figures.size(data.torn)} at the end of the ledger are not whole yet and were left out"),
    ]
    return [words for is_so, words in remarks if is_so]


def _going_on(data: ReportData) -> list[Step]:
    last = data.last
    job = _command(_main_job(data))
    same = _command(["retry", data.ledger, *_sandbox(data)]) if last.verb == "retry" else job
    if last.ended is None:
        process = f" (process {last.process})" if last.process is not None else ""
        return [
            Step(
                same,
                f"goes on where the last run{process} broke off: the ledger has no end of it. If it is still at "
                "work, let it finish",
            )
        ]
    if last.exit is not None and (last.exit == _STOPPED or last.exit > _INTERRUPTED):
        return [Step(same, "goes on: the last run stopped before its end")]
    if last.unsent:
        return [Step(job, f"sends what has no result yet: {figures.count(last.unsent, 'row')}")]
    if not data.complete:
        return [Step(job, "goes on with the rest of the input, which was not read to its end (--limit)")]
    return []


def _main_job(data: ReportData) -> list[str]:
    """Guess the words of the main job: the ledger knows its inputs by name, not where they lie."""
    folder, slash, name = data.ledger.rpartition("/")
    derived = [data.inputs[0] + ending for ending in _ENDINGS] if data.inputs else []
    if name in derived:
        return [*(folder + slash + each for each in data.inputs), *_target(data)]
    return [*data.inputs, "--ledger", data.ledger, *_target(data)]


def _target(data: ReportData) -> list[str]:
    if data.last.api in (_SANDBOX, _DEFAULT_API):
        return _sandbox(data)
    return ["--api-url", data.last.api]


def _sandbox(data: ReportData) -> list[str]:
    return ["--sandbox"] if data.last.api == _SANDBOX else []


def _command(words: list[str]) -> str:
    return " ".join(["bulk-update", *map(_word, words)])


def _word(word: str) -> str:
    """Quote a word for the shell; one that does not print is spelled out, so that it survives being copied."""
    if word.isprintable():
        return shlex.quote(word)
    letters = (_spelled(letter) for letter in word)
    return f"$'{''.join(letters)}'"


def _spelled(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    errors = "surrogateescape" if "\udc80" <= letter <= "\udcff" else "replace"
    return "".join(f"\\x{byte:02x}" for byte in letter.encode(errors=errors))
