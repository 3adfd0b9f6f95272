"""Invariants 1, 7 and 8: each result says what the API said, and no row pays for what is not its fault."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tests.simulation.api import Attempt
from tests.simulation.history import Evidence, check_of, is_part
from tests.simulation.ledger import Key, Line, key_of
from tests.simulation.records import Record

_DOUBT = "may have been applied"


class _Said:
    """What the API said in one run, by row."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._by_activity: defaultdict[tuple[str, str], list[tuple[Attempt, bytes]]] = defaultdict(list)
        self._used: Counter[tuple[int, str]] = Counter()
        unreached = [attempt for attempt in evidence.history.api.unreached if attempt.run == evidence.done.number]
        for attempt in sorted((*evidence.attempts, *unreached), key=lambda attempt: attempt.left):
            for identifier, activity in attempt.activities:
                self._by_activity[attempt.organization, identifier].append((attempt, activity))

    def attempts(self, row: Key, record: Record) -> Iterator[Attempt]:
        """Go through the attempts that carried a row, or what was left of it."""
        organization, identifier, check = row
        for attempt, activity in self._by_activity[organization, identifier]:
            if check_of(activity) == check or is_part(activity, record):
                yield attempt

    def use(self, row: Key, record: Record, *, success: bool) -> bool:
        """Tell whether the API said so of a row, once more than was told before."""
        for attempt in self.attempts(row, record):
            if attempt.verdicts is not None and attempt.verdicts.get(row[1]) is success:
                place = attempt.number, row[1]
                if not self._used[place]:
                    self._used[place] += 1
                    return True
        return False


def judge_truth(evidence: Evidence) -> None:
    """Judge each result that the run wrote."""
    said, history = _Said(evidence), evidence.history
    lines = {
        (line if len(evidence.done.files) == 1 else (index, line)): record for index, line, record in evidence.records
    }
    for result in evidence.new:
        if result["type"] != "result":
            continue
        row = key_of(result)
        record = history.written.get(row)
        if record is None:
            history.accuse(1, f"a result of a row that no input ever had: {result}")
            continue
        _judge_form(evidence, result, record, lines)
        if result["status"] == "updated" and not said.use(row, record, success=True):
            history.accuse(1, f"line {result['line']} {row[1]} is updated, and the API never said so")
        elif result["status"] == "failed":
            _judge_failed(evidence, result, record, said)
        elif result["status"] == "unknown":
            _judge_unknown(evidence, result, record, said)
        elif result["status"] == "superseded":
            _judge_superseded(evidence, result)


def _judge_form(
    evidence: Evidence, result: Line, record: Record, lines: Mapping[int | tuple[int, int], Record]
) -> None:
    """A result stands where its record stands, and holds enough to send the record again."""
    accuse, status = evidence.history.accuse, result["status"]
    where: int | tuple[int, int] = result["line"]
    if len(evidence.done.files) > 1:
        where = (int(result["input"].split(".")[0].rpartition("-")[2]), result["line"])
    if evidence.done.leg.verb == "run" and lines.get(where) != record:
        accuse(2, f"{result} is not what stands in that line")
    if status in ("failed", "unknown"):
        activity = evidence.done.after.find(b'"change":' + record.activity)
        if activity < 0 or "error" not in result:
            accuse(2, f"{result} does not carry its change, or no reason")
    if status == "invalid" and (record.is_valid or result.get("raw", "").encode() != record.text):
        accuse(2, f"{result} is not the invalid record {record.text!r}")
    if status != "invalid" and not record.is_valid:
        accuse(2, f"{result} of an invalid record")


def _judge_failed(evidence: Evidence, result: Line, record: Record, said: _Said) -> None:
    row, accuse = key_of(result), evidence.history.accuse
    words = f"line {result['line']} {row[1]} has failed ({result['error']['message']})"
    is_refused = any(
        attempt.refused and (len(attempt.activities) == 1 or attempt.outcome == "closed")
        for attempt in said.attempts(row, record)
    )
    if not is_refused and not said.use(row, record, success=False) and not _was_given_up(evidence, row, record, said):
        accuse(7, f"{words}, and the API never refused it")
    is_repeated = sum(other == record for _, _, other in evidence.records) > 1
    if (
        not is_repeated
        and len(evidence.stands.statuses(row)) == 1
        and row not in evidence.ever_updated
        and _DOUBT not in result["error"]["message"]
        and _was_applied(evidence, row, record)
    ):
        accuse(1, f"{words}, and it has been applied")


def _judge_unknown(evidence: Evidence, result: Line, record: Record, said: _Said) -> None:
    row = key_of(result)
    most = evidence.done.leg.plan.persistence.max_attempts
    asked = sum(
        attempt.verdicts is not None and attempt.verdicts.get(row[1]) is None for attempt in said.attempts(row, record)
    )
    if asked < most and not _was_given_up(evidence, row, record, said):
        evidence.history.accuse(
            7, f"line {result['line']} {row[1]} is unknown ({result['error']['message']}) for no fault of its own"
        )


def _was_given_up(evidence: Evidence, row: Key, record: Record, said: _Said) -> bool:
    """Tell whether a row was tried as often as is asked for, while the API answered others."""
    failures = [attempt for attempt in said.attempts(row, record) if attempt.verdicts is None and not attempt.refused]
    if len(failures) < evidence.done.leg.plan.persistence.max_attempts or failures[0].ended is None:
        return False
    last = failures[-1].ended or evidence.done.over
    return any(
        (other.verdicts is not None or other.refused)
        and other.ended is not None
        and failures[0].left <= other.ended <= last
        for other in evidence.attempts
    )


def _was_applied(evidence: Evidence, row: Key, record: Record) -> bool:
    organization, identifier, check = row
    return any(
        (applied.organization, applied.id) == (organization, identifier)
        and (check_of(applied.activity) == check or is_part(applied.activity, record))
        for applied in evidence.history.api.applied
    )


def _judge_superseded(evidence: Evidence, result: Line) -> None:
    """Changes that came later have set all of its fields since."""
    row, written = key_of(result), evidence.history.written
    first: dict[Key, int] = {}
    updated: dict[Key, int] = {}
    for at, line in enumerate(evidence.after.lines):
        if line["type"] == "result" and line["status"] != "invalid" and key_of(line)[:2] == row[:2]:
            first.setdefault(key_of(line), at)
            if line["status"] == "updated":
                updated[key_of(line)] = at
    later = {name for other, at in updated.items() if at > first[row] for name in written[other].fields}
    if not written[row].fields.keys() <= later:
        evidence.history.accuse(3, f"line {result['line']} {row[1]} is superseded, and later changes set only {later}")
