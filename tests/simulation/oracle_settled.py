"""Invariants 2, 6 and 8 at the end: nothing befell these runs, so every record has the result that it deserves."""

from collections import Counter

from tests.simulation.history import Evidence, key
from tests.simulation.ledger import Key, in_doubt
from tests.simulation.records import CULPRIT, Record


def judge_settled(evidence: Evidence) -> None:
    """Judge a run in a calm."""
    if evidence.history.scenario.taste.poison:
        return
    done, accuse = evidence.done, evidence.history.accuse
    if done.ended is None or done.ended.reason is not None:
        accuse("ends", f"a run that nothing befell was stopped by {done.ended and done.ended.reason}")
        return
    wanted: Counter[Key] = Counter(key(record) for _, _, record in evidence.records)
    for place, number in wanted.items():
        statuses = evidence.stands.statuses(place)
        if len(statuses) < number:
            accuse(2, f"{place} has {len(statuses)} results, expected {number}")
    calm_runs = len(evidence.history.runs) - len(evidence.history.scenario.legs)
    if calm_runs > 1:
        for _, _, record in evidence.records:
            _judge_row(evidence, record)
    # Where the order of an activity's changes was edited, they may be sent again to bring it about.
    is_edited = any(leg.edits for leg in evidence.history.scenario.legs)
    if calm_runs > 2 and evidence.attempts and not is_edited:
        accuse(6, f"everything has its result, and {len(evidence.attempts)} requests leave")


def _judge_row(evidence: Evidence, record: Record) -> None:
    history, statuses = evidence.history, set(evidence.stands.statuses(key(record)))
    if not record.is_valid:
        expected = {"invalid"}
    elif (record.organization, record.id) in history.api.frozen:
        expected = {"updated", "failed", "superseded"}
    elif _is_hopeless(evidence, record):
        expected = {"failed"}
    elif CULPRIT in record.activity:
        # Of a culprit that is sent again, what is left may be innocent.
        expected = {"failed", "updated", "superseded"}
    else:
        expected = {"updated", "superseded"}
    doubtful = in_doubt(evidence.after.lines)
    if any(place[:2] == (record.organization, record.id) for place in doubtful):
        # A row that the input no longer has may have been applied: an older one is not sent over it.
        expected |= {"failed", "unknown"}
    if not statuses <= expected:
        history.accuse(8, f"{key(record)} is {statuses}, expected {expected}")


def _is_hopeless(evidence: Evidence, record: Record) -> bool:
    api = evidence.history.api
    return (record.organization, record.id) in api.missing or record.organization in api.closed
