"""What to run next: the table of how a ledger can stand."""

import subprocess
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from bulk_update.model import RowError, Status
from bulk_update.pure.ledger_lines import FORMAT, RunLine, Table, encode_line
from bulk_update.report.advice import remarks_of, steps_of
from bulk_update.report.data import ReportData
from tests.report.ledgers import LedgerMaker, change, gather, stamp

LEDGER = "data/changes.ndjson.ledger.ndjson"
FAILURES = f"bulk-update failures {LEDGER}"
RETRY = f"bulk-update retry {LEDGER}"
SAME = "bulk-update data/changes.ndjson"
CSV = f"bulk-update changes.csv --ledger {LEDGER}"


@dataclass(frozen=True)
class Stand:
    """How a ledger stands: runs by verb, the last ended in `code` (None: not yet), a row left as `status`."""

    status: Status | None = None
    code: int | None = 0
    verbs: tuple[str, ...] = ("run",)
    summary: dict[str, object] = field(default_factory=dict)
    ledger: str = LEDGER
    api: str = "https://api.velt.dev"
    inputs: tuple[str, ...] = ("changes.ndjson",)


def read(stand: Stand) -> ReportData:
    """Make such a ledger and read it."""
    appends: list[bytes] = []
    maker = LedgerMaker(appends.append)
    whole: dict[str, object] = {"run_seconds": 1.0, "complete": True, "unsent": 0}
    for number, verb in enumerate(stand.verbs):
        run = RunLine(FORMAT, "0.1.0", stamp(number), verb, list(stand.inputs), stand.api, "00", "k", {"pid": 7})
        maker.line(encode_line(run))
        if number == 0:
            maker.updated([change(1)])
            if stand.status is Status.INVALID:
                maker.invalid(2, "org-1", "not_json", "no JSON")
            elif stand.status is not None:
                maker.result(change(2), stand.status, RowError("not_updated", "no"))
        maker.seal()
        if number < len(stand.verbs) - 1:
            maker.end(number + 0.5, 0, whole)
    if stand.code is not None:
        maker.end(9.0, stand.code, whole | stand.summary)
    return gather(b"".join(appends), stand.ledger)


TABLE = [
    (Stand(), []),
    (Stand(Status.SUPERSEDED), []),
    (Stand(Status.FAILED, 1), [RETRY]),
    (Stand(Status.UNKNOWN, 1), [RETRY]),
    (Stand(Status.INVALID, 1), [FAILURES, SAME]),
    (Stand(Status.INVALID, 1, ("run", "retry")), [FAILURES, SAME]),
    (Stand(Status.INVALID, 0, summary={"complete": False}), [SAME, FAILURES]),
    (Stand(Status.INVALID, 1, inputs=("changes.csv",)), [f"{FAILURES} --format csv", CSV]),
    (Stand(Status.FAILED, 1, ("run", "retry")), [FAILURES, RETRY]),
    (Stand(Status.FAILED, 3), [SAME, RETRY]),
    (Stand(Status.FAILED, 3, ("run", "retry")), [RETRY, FAILURES]),
    (Stand(None, 130), [SAME]),
    (Stand(None, None), [SAME]),
    (Stand(None, None, ("run", "retry")), [RETRY]),
    (Stand(None, 0, summary={"complete": False}), [SAME]),
    (Stand(None, 3, summary={"unsent": 5}), [SAME]),
    (Stand(None, 1, ("run", "retry"), {"unsent": 5}), [SAME]),
    (Stand(None, 3, ("run", "retry"), {"unsent": 5}), [SAME]),
    (Stand(None, 3, ("run", "retry"), {"unsent": 5, "stopped": "the API refused the credentials"}), [RETRY]),
    (
        Stand(None, 130, api="sandbox", ledger="changes.ndjson.sandbox.ledger.ndjson"),
        ["bulk-update changes.ndjson --sandbox"],
    ),
    (Stand(Status.FAILED, 1, api="sandbox"), [f"{RETRY} --sandbox"]),
    (Stand(None, 130, api="http://127.0.0.1:8787"), [f"{SAME} --api-url http://127.0.0.1:8787"]),
    (Stand(None, 130, ledger="l.ndjson"), ["bulk-update changes.ndjson --ledger l.ndjson"]),
    (Stand(None, 130, inputs=("-",), ledger="l.ndjson"), ["bulk-update - --ledger l.ndjson"]),
    (Stand(None, 130, inputs=("changes.ndjson", "b.csv")), [f"{SAME} data/b.csv"]),
    (Stand(Status.FAILED, 1, ledger="my ledger.ndjson"), ["bulk-update retry 'my ledger.ndjson'"]),
]


@pytest.mark.parametrize(("stand", "expected"), TABLE, ids=str)
def test_what_is_next_follows_from_how_the_ledger_stands(stand: Stand, expected: list[str]) -> None:
    assert [step.command for step in steps_of(read(stand))] == expected


def test_the_main_job_reads_its_inputs_as_it_did() -> None:
    appends: list[bytes] = []
    maker = LedgerMaker(appends.append)
    tables = [Table("export.txt", ";", ["activity"], {"id": "activity id"})]
    settings = {"encoding": {"value": "cp1252", "from": "flag"}, "empty": "null", "pid": 7}
    for verb, said in (("run", settings), ("retry", {})):
        head = RunLine(FORMAT, "0.1.0", stamp(0), verb, ["export.txt"], "https://api.velt.dev", "00", "k", said)
        maker.line(encode_line(replace(head, tables=tables if verb == "run" else [])))
    maker.invalid(2, "org-1", "not_json", "no JSON")
    maker.end(9.0, 1, {"run_seconds": 1.0, "complete": True, "unsent": 0})
    assert [step.command for step in steps_of(gather(b"".join(appends), "export.txt.ledger.ndjson"))] == [
        "bulk-update export.txt --column 'id=activity id' --encoding cp1252 --empty null",
        "bulk-update failures export.txt.ledger.ndjson --format csv",
    ]


def test_the_main_job_names_its_inputs_where_they_lay_last_and_goes_where_it_went() -> None:
    appends: list[bytes] = []
    maker = LedgerMaker(appends.append)
    first = RunLine(FORMAT, "0.1.0", stamp(0), "run", ["c.ndjson"], "sandbox", "00", "sandbox", paths=["old/c.ndjson"])
    retry = replace(first, verb="retry", paths=[], settings={"sandboxSeed": {"value": "seed.ndjson", "from": "flag"}})
    for line in (first, replace(first, paths=["new/c.ndjson"]), retry):
        maker.line(encode_line(line))
    maker.result(change(1), Status.FAILED, RowError("not_updated", "no"))
    maker.end(9.0, 1, {"run_seconds": 1.0, "complete": True, "unsent": 5})
    assert [step.command for step in steps_of(gather(b"".join(appends), "l"))] == [
        "bulk-update new/c.ndjson --ledger l --sandbox --sandbox-seed seed.ndjson",
        "bulk-update failures l",
        "bulk-update retry l --sandbox --sandbox-seed seed.ndjson",
    ]


@pytest.mark.parametrize(("inputs", "is_whole"), [(31, True), (3000, False)])
def test_a_command_of_many_inputs_is_whole_or_says_that_it_is_not(inputs: int, is_whole: bool) -> None:
    names = tuple(f"day-{number}.ndjson" for number in range(inputs))
    (step,) = steps_of(read(Stand(None, 130, ledger="l", inputs=names)))
    assert step.command.endswith("day-30.ndjson --ledger l" if is_whole else " '…'")
    assert len(step.command) < 3_000


@pytest.mark.parametrize(
    "name", ["a b", "it's", "tab\there", "two\nlines", "back\\slash", "$(id)", "`id`", "\udcff", "ü\x1b[0m", "-n;*?"]
)
def test_a_command_survives_being_copied(name: str) -> None:
    (step,) = steps_of(read(Stand(Status.FAILED, 1, ledger=name)))
    words = step.command.removeprefix("bulk-update retry ")
    assert step.command.isprintable()
    shown = subprocess.run(["bash", "-c", f"printf %s {words}"], capture_output=True, check=True)
    assert shown.stdout.decode(errors="surrogateescape").removeprefix("./") == name


def test_remarks_say_what_counts_do_not() -> None:
    maker_data = read(Stand(None, 3, summary={"outages": 5, "absent": 2}))
    assert [remark.split()[0] for remark in remarks_of(maker_data)] == ["2", "5"]
