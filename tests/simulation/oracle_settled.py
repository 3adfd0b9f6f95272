"""Invariants 2, 6 and 8 at the end: nothing befell these runs, so every record has the result that it deserves."""

from collections import Counter
from typing import Final

from tests.simulation.history import Evidence, key
from tests.simulation.ledger import Key
from tests.simulation.records import CULPRIT, Record

_ANSWER: Final = 0.2
"""Seconds to an answer in a calm, at most."""

_SETTING_OUT: Final = 2.0


def judge_settled(evidence: Evidence) -> None:
    """Judge a run in a calm."""
    if evidence.history.scenario.taste.poison:
        return
    done, accuse = evidence.done, evidence.history.accuse
    if done.ended is None or done.ended.reason is not None:
        accuse("ends", f"a run that nothing befell was stopped by {done.ended and done.ended.reason}")
        return
    _judge_time(evidence)
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


def _judge_time(evidence: Evidence) -> None:
    """What the rates allow is used: each request takes its share of them, an answer and a few writes."""
    leg, done = evidence.done.leg, evidence.done
    rates = [rate for rate in (leg.plan.rate, leg.plan.organization_rate) if rate is not None]
    share = sum(rate.spacing * 1.1 for rate in rates) + _ANSWER + 4 * leg.disk.slowest
    # What a run that died had in flight counts as if it had left just before.
    most = _SETTING_OUT + sum(rate.period for rate in rates) + len(evidence.attempts) * share
    if done.over - done.began > most:
        evidence.history.accuse(4, f"takes {done.over - done.began:.0f} s, and {most:.0f} would be enough")


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
    if not statuses <= expected:
        history.accuse(8, f"{key(record)} is {statuses}, expected {expected}")


def _is_hopeless(evidence: Evidence, record: Record) -> bool:
    api = evidence.history.api
    return (record.organization, record.id) in api.missing or record.organization in api.closed
