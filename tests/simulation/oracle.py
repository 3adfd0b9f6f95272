"""The oracle: after each run, and at the end, it compares the ledger, the API and the input."""

from tests.simulation.history import Evidence, History, key
from tests.simulation.oracle_books import judge_books
from tests.simulation.oracle_order import judge_order, judge_state
from tests.simulation.oracle_settled import judge_settled
from tests.simulation.oracle_truth import judge_truth
from tests.simulation.runs import Done

__all__ = ["History", "judge_end", "judge_run"]


def judge_run(history: History, done: Done) -> None:
    """Judge what a run left behind."""
    evidence = Evidence(history, done)
    for _, _, record in evidence.records:
        history.written.setdefault(key(record), record)
    judge_books(evidence)
    judge_truth(evidence)
    judge_order(evidence)


def judge_end(history: History, done: Done) -> None:
    """Judge a run that nothing befell, after all that did."""
    evidence = Evidence(history, done)
    judge_settled(evidence)
    if done.ended is None or done.ended.reason is not None:
        return
    # A retry has no input to tell the order of rows by: where that was edited, the next run of the main job
    # brings it about.
    if done.leg.verb == "run" or not any(leg.edits for leg in history.scenario.legs):
        judge_state(evidence)
