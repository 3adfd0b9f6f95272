"""Invariants 2, 5, 6 and 9: what is written stays, every record is counted once, and a run ends when told to."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any, Final

from bulk_update.errors import LedgerUnwritable, OutageOutlasted
from bulk_update.pipeline import Ended
from tests.simulation.history import Evidence, key
from tests.simulation.ledger import Key, has_no_invalid, has_settled_all, in_doubt, sendings_in
from tests.simulation.seams import KEY, TOKEN

_SLACK: Final = 400.0
"""Seconds that a pause may take which the server asks for, and then some."""

_LONGEST_HOLD: Final = 300.0
"""Seconds of a Retry-After that are honoured, at most."""

_STATUSES: Final = ("updated", "failed", "invalid", "unknown", "superseded")


def judge_books(evidence: Evidence) -> None:
    """Judge the ledger's lines, the counts, and how the run ended."""
    _judge_lines(evidence)
    _judge_memory(evidence)
    _judge_signals(evidence)
    ended = evidence.done.ended
    if ended is not None:
        _judge_counts(evidence, ended)
        _judge_exit(evidence, ended)
        _judge_patience(evidence, ended)
    _judge_holds(evidence)


def _judge_lines(evidence: Evidence) -> None:
    done, accuse = evidence.done, evidence.history.accuse
    whole = min(len(done.before) - len(evidence.before.tail), done.durable)
    if done.after[:whole] != done.before[:whole]:
        accuse(6, "lines that were in the ledger have changed")
    if done.refused:
        accuse(6, f"the ledger is refused: {done.refused}")
        return
    tail = evidence.before.tail
    if tail and evidence.has_begun and tail not in evidence.history.disk.kept.values():
        accuse(6, "a torn tail was cut off and not kept")
    for wrong in evidence.stands.wrong:
        accuse(2, wrong)
    for secret in (KEY, TOKEN):
        if secret.encode() in done.after or any(secret in notice for notice in done.notices):
            accuse(9, "a secret is in the ledger or in what is said")


def _judge_memory(evidence: Evidence) -> None:
    done = evidence.done
    block = sum(len(record.text) + 600 for _, _, record in evidence.records)
    most = done.leg.plan.limits.buffer * 1.5 + block
    if done.most_waiting > most:
        evidence.history.accuse(5, f"rows that wait take {done.most_waiting} bytes, {most:.0f} are allowed")


def _judge_signals(evidence: Evidence) -> None:
    """A signal is followed by the end of what is in flight, a second one by nothing more."""
    done = evidence.done
    syncing = 6 * done.leg.disk.slowest
    if done.left_at is not None and done.over - done.left_at > 0.1 + syncing:
        evidence.history.accuse("signals", f"ends {done.over - done.left_at:.1f} s after the second signal")
    if done.signalled_at is not None and done.over - done.signalled_at > done.leg.timeout + 0.1 + syncing:
        evidence.history.accuse("signals", f"ends {done.over - done.signalled_at:.1f} s after a signal")
    if done.ended is not None and done.left_at is None and not isinstance(done.ended.reason, LedgerUnwritable):
        dropped = [attempt.number for attempt in evidence.attempts if not attempt.outcome]
        if dropped:
            evidence.history.accuse("signals", f"does not wait for what is in flight: {dropped}")


def _judge_counts(evidence: Evidence, ended: Ended) -> None:
    accuse, summary = evidence.history.accuse, asdict(ended.summary)
    told = {status: summary[status] for status in (*_STATUSES, "unsent")}
    if sum(told.values()) != summary["rows"] or min(told.values()) < 0:
        accuse(2, f"the counts are no {summary['rows']} rows: {told}")
    if isinstance(ended.reason, LedgerUnwritable):
        return
    if ended.reason is None and summary["complete"] and summary["in_doubt"] > summary["unsent"]:
        accuse(2, f"{summary['in_doubt']} rows are in doubt, and {summary['unsent']} unsent")
    _judge_end_line(evidence, summary)
    counted: dict[str, int] | None
    if evidence.done.leg.verb == "retry":
        counted = _count_ledger(evidence)
    else:
        counted = _count_input(evidence, summary)
    if counted is not None and counted != {**told, "absent": summary["absent"]}:
        accuse(2, f"counted are {counted}, told are {told} and {summary['absent']} absent")


def _judge_end_line(evidence: Evidence, summary: dict[str, Any]) -> None:
    accuse, ends = evidence.history.accuse, [line for line in evidence.new if line["type"] == "end"]
    if len(ends) != 1 or evidence.new[-1]["type"] != "end" or evidence.after.tail:
        accuse(2, "the ledger does not end with the end of the run")
    elif ends[0]["summary"] != summary or ends[0]["exit"] != summary["exit"]:
        accuse(2, f"the end line tells {ends[0]}, the run {summary}")
    requests = [line for line in evidence.after.of("request") if line["attempt"]]
    answered = sum(itertools.starmap(_is_answer, pairwise(evidence.after.lines)))
    if (summary["attempts"], summary["requests"]) != (len(requests), answered):
        accuse(
            2,
            f"{len(requests)} attempts and {answered} answers are in the ledger, "
            f"told are {summary['attempts']} and {summary['requests']}",
        )


def _is_answer(line: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether an attempt brought verdicts, or a refusal that stands in the result right behind it."""
    if line["type"] != "request" or "http" not in line or not line["attempt"]:
        return False
    error = line.get("error")
    is_final = after["type"] == "result" and after.get("error", {}).get("code") == (error or {}).get("code")
    return error is None or (is_final and 400 <= line["http"] < 500 and line["http"] not in (409, 429))


def _count_input(evidence: Evidence, summary: dict[str, Any]) -> dict[str, int] | None:
    """Count the rows that were read by what the ledger holds of them; None where that cannot be told."""
    rows, accuse = summary["rows"], evidence.history.accuse
    records = [record for _, _, record in evidence.records]
    limit = evidence.done.leg.plan.limit
    if rows > len(records) or (summary["complete"] and rows != len(records)):
        accuse(2, f"{rows} rows are told of an input of {len(records)}")
    if limit is not None and rows > limit:
        accuse(2, f"{rows} rows were read, and the limit is {limit}")
    wanted: Counter[Key] = Counter(key(record) for record in records[:rows])
    counts: Counter[str] = Counter()
    absent = sum(len(results) for place, results in evidence.stands.results.items() if place not in wanted)
    for place, number in wanted.items():
        statuses = evidence.stands.statuses(place)
        if len(statuses) > number and len(set(statuses)) > 1:
            return None
        counts.update(statuses[:number])
        counts["unsent"] += max(0, number - len(statuses))
        absent += max(0, len(statuses) - number)
    return {name: counts[name] for name in (*_STATUSES, "unsent")} | {"absent": absent if summary["complete"] else 0}


def _count_ledger(evidence: Evidence) -> dict[str, int]:
    """Count the rows of a ledger; those that were in flight when a run ended, and have no result, are unsent."""
    counts = Counter(str(row["status"]) for rows in evidence.stands.results.values() for row in rows)
    if not has_settled_all(evidence.before.lines):
        doubtful = in_doubt([*evidence.before.lines, *sendings_in(evidence.before.tail)])
        counts["unsent"] = sum(not evidence.stood.results.get(place) for place in doubtful)
    absent = counts["invalid"] if has_no_invalid(evidence.before.lines) else 0
    counts["invalid"] -= absent
    return {name: counts[name] for name in (*_STATUSES, "unsent")} | {"absent": absent}


def _judge_exit(evidence: Evidence, ended: Ended) -> None:
    summary, reason = ended.summary, ended.reason
    if reason is not None:
        expected = reason.exit_code
    elif summary.unsent:
        expected = 3
    else:
        amiss = summary.failed + summary.invalid + summary.unknown
        if not summary.complete:  # the ledger may hold results of rows that were not read
            counts = Counter(status for rows in evidence.stands.results for status in evidence.stands.statuses(rows))
            amiss += counts["failed"] + counts["invalid"] + counts["unknown"]
        expected = 1 if amiss else 0
    if summary.exit != expected:
        evidence.history.accuse(2, f"exit {summary.exit}, expected {expected}")


def _judge_patience(evidence: Evidence, ended: Ended) -> None:
    """An outage is waited out as long as is asked for, and not much longer."""
    leg, done = evidence.done.leg, evidence.done
    give_up = leg.plan.persistence.give_up_after
    successes = [
        attempt.ended
        for attempt in evidence.attempts
        if attempt.ended is not None and (attempt.verdicts is not None or attempt.refused)
    ]
    times = [done.began, *sorted(successes), done.over]
    longest = max(after - before for before, after in pairwise(times))
    if isinstance(ended.reason, OutageOutlasted) and longest < give_up:
        evidence.history.accuse(7, f"gives up when nothing has succeeded for {longest:.0f} s, and not {give_up:.0f}")
    for before, after in itertools.pairwise(times):
        failing = [attempt.left for attempt in evidence.attempts if before <= attempt.left <= after]
        if failing and after - failing[0] > give_up + leg.timeout + _SLACK:
            evidence.history.accuse(7, f"nothing succeeds for {after - failing[0]:.0f} s, and it goes on")


def _judge_holds(evidence: Evidence) -> None:
    """Where the API asks to send no more for a while, nothing leaves for the organization that asked."""
    for asked in evidence.attempts:
        if not asked.hold or asked.ended is None:
            continue
        until = asked.ended + min(asked.hold, _LONGEST_HOLD)
        for other in evidence.attempts:
            if other.organization == asked.organization and asked.ended < other.left < until:
                evidence.history.accuse(4, f"#{other.number} leaves before {until:.2f}, as #{asked.number} was told")
