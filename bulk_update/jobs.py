"""Jobs: what is asked for, made into a run. The command line and the library both come through here."""

import hashlib
import json
import os
import secrets
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bulk_update.edge.clock import WallClock
from bulk_update.edge.control import RateFile
from bulk_update.edge.folder import current_folder
from bulk_update.edge.ledger import LedgerFile, open_ledger_file
from bulk_update.edge.rows import IterableRows, LedgerRows, Rows, SeedingRows
from bulk_update.errors import LedgerError
from bulk_update.model import Change, Credentials, Invalid, Target
from bulk_update.pipeline import Run
from bulk_update.plan import Plan, Stage
from bulk_update.ports import Clock
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.commands import INPUT_FORMAT, ORGANIZATION, SANDBOX, SANDBOX_FAULTS, SANDBOX_SEED
from bulk_update.pure.intake import Intake, RetryIntake, RunIntake
from bulk_update.pure.ledger_lines import FORMAT, RETRY, CutLine, ResultLine, RunLine, Table, decode_line
from bulk_update.pure.ledger_state import BYTES_A_ROW, LedgerState
from bulk_update.pure.names import file_name, is_url, readable, without_secrets
from bulk_update.pure.pacing import Rate
from bulk_update.pure.plural import counted
from bulk_update.pure.refusals import invalid_record
from bulk_update.pure.retry_plan import OpenRow, RetryPlan, change_again
from bulk_update.pure.seals import Append
from bulk_update.pure.settled import SettledRows
from bulk_update.reading import Inputs, input_rows, look_into
from bulk_update.version import VERSION

if TYPE_CHECKING:
    from bulk_update.edge.books import Observer
    from bulk_update.edge.transport import HttpTransport
    from bulk_update.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes that a program hands over: mappings, or JSON objects as text or bytes.

    `name`: what stands for them in the ledger; the same changes have the same name when they run again.
    """

    changes: Iterable[object] | AsyncIterable[object]
    name: str
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class Api:
    """Where requests go.

    `timeout`: seconds of one attempt. `reload`: reads the credentials again when they are refused, None
    where they cannot change.
    """

    base_url: str
    credentials: Credentials
    timeout: float = 30.0
    accept_new_key: bool = False
    reload: Callable[[], Credentials] | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Send everything to a sandbox inside this process.

    `seed`: records it holds; None: all that are named. `faults`: a preset's name, or a file of rules.
    """

    seed: Path | None = None
    timeout: float = 30.0
    faults: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done. `source` None: send again what `ledger` does not show as updated.

    `origins`: where settings came from, by their names in `run` lines; none where a program gave them.
    """

    source: Inputs | Changes | None
    ledger: Path
    target: Api | Rehearsal
    plan: Plan = Plan()
    origins: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def open_run(job: Job, observer: "Observer | None" = None) -> AsyncIterator[Run]:
    """Make a job into a run that is ready to be carried out. `NothingSent` errors say why it cannot be."""
    clock = WallClock()
    async with AsyncExitStack() as stack:
        rows: Rows | None = None
        tables: Sequence[Table] = ()
        if isinstance(job.source, Inputs):
            tables = look_into(job.source)
            rows = await stack.enter_async_context(input_rows(job.source, job.plan.limits.body))
            _check_is_apart(job.ledger, job.source.names)
        elif isinstance(job.source, Changes):
            rows = _changes_rows(job.source, job.plan.limits.body)
        file = stack.enter_context(open_ledger_file(job.ledger, must_exist=job.source is None))
        state, retry, tail = _read_back(file, is_retry=job.source is None)
        begin = msgspec.structs.replace(_begin(job, state, clock), tables=list(tables))
        file.close_to_others()
        if tail:
            kept = _cut_off(file, tail, state, clock)
            retry.fold(Append(0, state.mended, file.size))  # as it will be told
            if observer is not None:
                observer.notice(_words_of_cut(job, len(tail), kept))
        transport, sandbox = await _open_target(stack, job)
        if sandbox is not None and observer is not None:
            stack.callback(_tell_violations, sandbox, observer)
        intake: Intake = RunIntake(state.settled, state.tally, state.doubtful_keys())
        waiting = 0
        if rows is None:
            again = retry.rows(state.lost_keys())
            waiting = len(retry.not_updated()) - len(again)
            rows, intake = _ledger_rows(file, again, begin.inputs), RetryIntake(state)
        if sandbox is not None and isinstance(job.target, Rehearsal) and job.target.seed is None:
            rows = SeedingRows(rows, sandbox.store.ensure)
        control = RateFile(job.ledger)
        yield Run(
            job.plan, Stage(rows, intake, state, file, begin, transport, observer, control, clock, waiting=waiting)
        )


def fingerprint(api_key: str, salt: str) -> str:
    """Tell one API key from another without showing it."""
    return hashlib.blake2b(api_key.encode(), digest_size=8, salt=bytes.fromhex(salt)).hexdigest()


def _read_back(file: LedgerFile, *, is_retry: bool) -> tuple[LedgerState, RetryPlan, bytes]:
    """Read what earlier runs left behind; what a crash tore is returned as it stands."""
    state = LedgerState(settled=SettledRows(file.size // BYTES_A_ROW))
    retry = RetryPlan()

    def fold(append: Append) -> None:
        state.fold(append)
        if is_retry:
            retry.fold(append)

    file.sync()
    return state, retry, file.read(fold)


def _cut_off(file: LedgerFile, tail: bytes, state: LedgerState, clock: Clock) -> Path:
    """Cut off a torn tail and keep it beside the ledger; return where."""
    kept = _spare_path(file.path)
    file.cut(tail, kept)
    state.mend(tail, CutLine(len(tail), kept.name, clock.stamp()))
    return kept


def _words_of_cut(job: Job, size: int, kept: Path) -> str:
    again = "are sent again" if job.source is not None else "are sent again, now or by the main command"
    return (
        f"WARNING: {job.ledger} had a torn tail, as a crash or a full disk leaves it; {counted(size, 'byte')} "
        f"were cut off and are kept in {kept}. Rows of which only they tell {again}"
    )


def _spare_path(ledger: Path) -> Path:
    number = 1
    while (path := ledger.with_name(f"{ledger.name}.torn-{number}")).exists():
        number += 1
    return path


def _begin(job: Job, state: LedgerState, clock: WallClock) -> RunLine:
    """Check that the ledger belongs to this job, and write the line that a run of it begins with."""
    first, last = state.first_run, state.run
    if job.source is None and first is None:
        raise LedgerError(f"{job.ledger} holds no run, so there is nothing to retry; run the main command first")
    if isinstance(job.source, Inputs):
        inputs = [readable(file_name(name)) for name in job.source.names]
    elif isinstance(job.source, Changes):
        inputs = [job.source.name]
    else:
        inputs = first.inputs if first is not None else []
    api = SANDBOX if isinstance(job.target, Rehearsal) else job.target.base_url
    salt = first.salt if first is not None else secrets.token_hex(16)
    key = SANDBOX if isinstance(job.target, Rehearsal) else fingerprint(job.target.credentials.api_key, salt)
    if first is not None and last is not None:
        _check_belongs(job, first, last, inputs=inputs, api=api, key=key)
    return RunLine(
        FORMAT,
        VERSION,
        clock.stamp(),
        RETRY if job.source is None else "run",
        inputs,
        api,
        salt,
        key,
        _with_origins(_settings(job), job.origins) | {"pid": os.getpid()},
        paths=[readable(without_secrets(name)) for name in job.source.names] if isinstance(job.source, Inputs) else [],
        folder=readable(current_folder()),
    )


def _check_belongs(job: Job, first: RunLine, last: RunLine, *, inputs: list[str], api: str, key: str) -> None:
    refused = f"{job.ledger} is the ledger of"
    choose = "name another with --ledger"
    if sorted(first.inputs) != sorted(inputs):  # a result names its input, so that their order does not matter
        ours, theirs = ", ".join(inputs), ", ".join(first.inputs)
        raise LedgerError(f"{refused} {theirs}, not of {ours}; {choose}")
    if first.api != api:
        raise LedgerError(
            f"{refused} a run against {first.api}, not {api}: a rehearsal must never count for the real thing; {choose}"
        )
    is_accepted = isinstance(job.target, Api) and job.target.accept_new_key
    if last.key != key and not is_accepted:
        raise LedgerError(
            f"{refused} a run with another API key, perhaps of another workspace; {choose}, or say "
            "--accept-new-key if the key of the same workspace has changed"
        )


def _settings(job: Job) -> dict[str, object]:
    plan, share = job.plan, job.plan.max_failures.share
    return {
        **(_reading_settings(job.source) if isinstance(job.source, Inputs) else {}),
        "batchSize": plan.limits.count,
        "batchBytes": plan.limits.body,
        "buffer": plan.limits.buffer,
        "rate": _rate_words(plan.rate),
        "organizationRate": _rate_words(plan.organization_rate),
        "concurrency": plan.persistence.concurrency,
        "timeout": f"{job.target.timeout:.15g} s",
        "maxAttempts": plan.persistence.max_attempts,
        "giveUpAfter": f"{plan.persistence.give_up_after:.15g} s",
        "maxFailures": plan.max_failures.rows if share is None else f"{share * 100:g}%",
        "limit": plan.limit,
        **(_sandbox_settings(job.target) if isinstance(job.target, Rehearsal) else {}),
    }


def _reading_settings(inputs: Inputs) -> dict[str, object]:
    asked: dict[str, object] = {ORGANIZATION: inputs.organization, INPUT_FORMAT: inputs.format}
    usual: dict[str, object] = {"encoding": inputs.codec, "empty": inputs.empty}
    return {name: value for name, value in asked.items() if value is not None} | usual


def _sandbox_settings(rehearsal: Rehearsal) -> dict[str, object]:
    asked = {SANDBOX_SEED: rehearsal.seed, SANDBOX_FAULTS: rehearsal.faults}
    return {name: readable(str(value)) for name, value in asked.items() if value is not None}


def _rate_words(rate: Rate | None) -> str:
    return "none" if rate is None else str(rate)


def _with_origins(settings: Mapping[str, object], origins: Mapping[str, str]) -> dict[str, object]:
    """Put beside each value where it came from, as far as that is known."""
    return {
        name: {"value": value, "from": origins[name]} if name in origins else value for name, value in settings.items()
    }


def _check_is_apart(ledger: Path, names: Sequence[str]) -> None:
    for name in names:
        is_same = False
        with suppress(OSError):  # a name that is too long for a file is none of a file
            is_same = name != "-" and not is_url(name) and ledger.samefile(name)
        if is_same:
            raise LedgerError(f"{ledger} is an input and the ledger at once; name another with --ledger")


async def _open_target(stack: AsyncExitStack, job: Job) -> "tuple[HttpTransport, Sandbox | None]":
    # Imported when there is something to send: what cannot be begun is told without the wait for it.
    from bulk_update.edge.transport import open_transport

    target, sandbox = job.target, None
    if isinstance(target, Rehearsal):
        from bulk_update.sandbox import Conduct, Store, open_sandbox, read_faults

        conduct = Conduct() if target.faults is None else Conduct(faults=read_faults(target.faults))
        store = stack.enter_context(Store())
        if target.seed is not None:
            store.seed_file(target.seed)
        sandbox = await stack.enter_async_context(open_sandbox(store, conduct=conduct))
        target = Api(sandbox.url, Credentials(SANDBOX, SANDBOX), target.timeout)
    transport = open_transport(Target(target.base_url, target.credentials, target.reload), target.timeout)
    return await stack.enter_async_context(transport), sandbox


def _tell_violations(sandbox: "Sandbox", observer: "Observer") -> None:
    """Say what the sandbox saw that no client may do: it would be a fault of this program."""
    if sandbox.statistics.violations:
        from bulk_update.sandbox.summary import describe

        observer.notice(f"the sandbox saw {' '.join(' '.join(describe(sandbox.statistics)[2:]).split())}")


def _changes_rows(source: Changes, max_body: int) -> IterableRows:
    reader = ActivityReader(source.organization, max_body)
    return IterableRows(source.changes, partial(_read_change, reader))


def _ledger_rows(file: LedgerFile, again: Sequence[OpenRow], inputs: Sequence[str]) -> LedgerRows:
    def row_at(index: int) -> Change:
        row = again[index]
        line = decode_line(file.bytes_at(row.offset, row.size))
        assert isinstance(line, ResultLine)
        return change_again(row, line, inputs.index(line.input) if line.input in inputs else 0)

    return LedgerRows(len(again), row_at)


def _read_change(reader: ActivityReader, change: object, number: int) -> Change | Invalid:
    """Read a change that a program hands over as if it stood in a line of NDJSON."""
    try:
        text = change if isinstance(change, str | bytes) else json.dumps(change, ensure_ascii=False, allow_nan=False)
        record = text if isinstance(text, bytes) else text.encode()
        record.decode()
    except (TypeError, ValueError, RecursionError) as error:
        record = _shown(change).encode(errors="replace")
        return invalid_record(record, number, 0, "not_json", f"found a value that JSON has not: {error}")
    row = reader.read(record, number, 0)
    if type(row) is Change and b"\n" in row.activity:
        # White space, since no string holds a bare one; but a line of the ledger must not.
        activity = row.activity.replace(b"\n", b" ")
        return msgspec.structs.replace(row, activity=activity, check=zlib.crc32(activity))
    return row


def _shown(change: object) -> str:
    """Show what is no JSON; its own code may do so, and fail."""
    try:
        return repr(change)
    except Exception:  # noqa: BLE001 - one bad row sinks no other
        return f"<{type(change).__name__}>"
