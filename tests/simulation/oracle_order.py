"""Invariant 3: changes to one activity are applied in input order, and what stands in the API is the last."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.simulation.api import Applied
from tests.simulation.history import Evidence, History, check_of, is_part, key
from tests.simulation.ledger import Key, Line, in_doubt, key_of
from tests.simulation.records import Record

_DOUBT = "may have been applied"
Activity = tuple[str, str]


def judge_order(evidence: Evidence) -> None:
    """Judge in which order the changes to each activity left, and whether they had to."""
    wanted = _rows_of_ledger(evidence) if evidence.done.leg.verb == "retry" else _rows_of_input(evidence)
    sent: defaultdict[Activity, list[bytes]] = defaultdict(list)
    for attempt in evidence.attempts:
        for identifier, activity in attempt.activities:
            sent[attempt.organization, identifier].append(activity)
    for place, activities in sent.items():
        if evidence.done.leg.verb == "retry" and len({key(record) for record in wanted[place]}) < len(wanted[place]):
            continue  # a ledger does not tell which of two equal rows was sent again
        at = _follow(wanted[place], activities)
        if at is not None:
            evidence.history.accuse(3, f"{place}: {activities[at]!r} leaves out of order")
    if evidence.done.leg.verb == "run":
        _judge_again(evidence, sent)


def _rows_of_input(evidence: Evidence) -> defaultdict[Activity, list[Record]]:
    rows: defaultdict[Activity, list[Record]] = defaultdict(list)
    for _, _, record in evidence.records:
        if record.is_valid:
            rows[record.organization, record.id].append(record)
    return rows


def _rows_of_ledger(evidence: Evidence) -> defaultdict[Activity, list[Record]]:
    """List the rows of a ledger in the order in which the main job sent them last."""
    order: dict[tuple[Key, int], str] = {}
    numbers: Counter[Key] = Counter()
    verb = ""
    for line in evidence.before.lines:
        if line["type"] == "run":
            verb = line["verb"]
        if line["type"] != "result" or line["status"] == "invalid":
            continue
        row, was = key_of(line), line.get("was")
        place = next((place for place, status in order.items() if place[0] == row and status == was), None)
        if place is None or verb == "run":
            order.pop(place or (row, 0), None)
            numbers[row] += 1
            place = row, numbers[row]
        order[place] = line["status"]
    rows: defaultdict[Activity, list[Record]] = defaultdict(list)
    for row, _ in order:
        rows[row[:2]].append(evidence.history.written[row])
    return rows


def _follow(rows: Sequence[Record], activities: Sequence[bytes]) -> int | None:
    """Go along the rows with what was sent; tell which activity comes after a later row's, None if none does."""
    at = 0
    for number, activity in enumerate(activities):
        while at < len(rows) and not _carries(activity, rows[at]):
            at += 1
        if at == len(rows):
            return number
    return None


def _carries(activity: bytes, record: Record) -> bool:
    return activity == record.activity or is_part(activity, record)


def _judge_again(evidence: Evidence, sent: Mapping[Activity, Sequence[bytes]]) -> None:
    """What has its result is sent again only where an earlier change of its activity has come since."""
    last = _last_results(evidence.before.lines)
    numbers = Counter(key(record) for _, _, record in evidence.records)
    for place, rows in _rows_of_input(evidence).items():
        checks = {check_of(activity) for activity in sent.get(place, ())}
        settled = {row for row in map(key, rows) if len(evidence.stood.statuses(row)) >= numbers[row]}
        for row in settled:
            if row[2] not in checks or numbers[row] > 1 or len(evidence.stood.statuses(row)) > 1:
                continue
            earlier = {key(record) for record in rows[: [key(record) for record in rows].index(row)]}
            if not any(one not in settled or one[2] in checks or last[one] > last[row] for one in earlier):
                evidence.history.accuse(6, f"{row} is sent again although it has its result")


def _last_results(lines: Sequence[Line]) -> dict[Key, int]:
    """Tell where the last result of each row stands that the main job wrote: its place among the changes.

    A retry takes no place of its own, and may send less of a row.
    """
    last: dict[Key, int] = {}
    verb = ""
    for at, line in enumerate(lines):
        if line["type"] == "run":
            verb = line["verb"]
        elif line["type"] == "result" and (verb == "run" or key_of(line) not in last):
            last[key_of(line)] = at
    return last


def judge_state(evidence: Evidence) -> None:
    """Judge what stands in the API: of each field the value of the last change that may have set it."""
    history = evidence.history
    doubtful = in_doubt(evidence.after.lines)
    for place, rows in _rows_of_input(evidence).items():
        if _was_reordered(history, place) or _is_ambiguous(evidence, rows):
            continue
        record = history.api.records.get(place, {})
        for name in {name for row in rows for name in row.fields}:
            _judge_field(evidence, name, rows, record.get(name), doubtful)
        if evidence.done.leg.verb == "run":
            _judge_superseded(evidence, place, rows)


def _judge_superseded(evidence: Evidence, place: Activity, rows: Sequence[Record]) -> None:
    """A row is superseded by changes that stand behind it in the input, or that the input no longer has."""
    checks = {row.check for row in rows}
    updated = [row for row in map(evidence.history.written.__getitem__, evidence.ever_updated) if row.is_valid]
    gone = [row for row in updated if (row.organization, row.id) == place and row.check not in checks]
    for at, row in enumerate(rows):
        if evidence.stands.statuses(key(row)) != ["superseded"]:
            continue
        behind = [other for other in rows[at + 1 :] if key(other) in evidence.ever_updated]
        if not row.fields.keys() <= {name for other in (*behind, *gone) for name in other.fields}:
            evidence.history.accuse(3, f"{place}: {row.activity!r} is superseded, but not by what stands behind it")


def _judge_field(
    evidence: Evidence, name: str, rows: Sequence[Record], writer: Applied | None, doubtful: Collection[Key]
) -> None:
    candidates: list[Record] = []
    updated: Record | None = None
    for row in reversed(rows):
        if name not in row.fields:
            continue
        line = evidence.stands.results[key(row)][-1] if evidence.stands.statuses(key(row)) else None
        if line is None or key(row) in doubtful or _is_open(evidence, line):
            candidates.append(row)
        elif line["status"] == "updated":
            updated = row
            candidates.append(row)
            break
    found = writer.fields[name] if writer is not None else None
    if any(row.fields[name] == found for row in candidates):
        return
    if writer is not None and not any(_carries(writer.activity, row) for row in rows):
        if updated is None or not _overwrote(evidence.history, writer, updated):
            return
    elif updated is None and found is None:
        return
    evidence.history.accuse(
        3,
        f"{rows[0].organization} {rows[0].id}: {name} is {found!r}, "
        f"expected {[row.fields[name] for row in candidates]}",
    )


def _is_open(evidence: Evidence, line: Line) -> bool:
    """Tell whether a row that is not updated may have been applied."""
    if line["status"] == "failed":
        return _DOUBT in line["error"]["message"] or key_of(line) in evidence.ever_updated
    return bool(line["status"] == "unknown")


def _overwrote(history: History, writer: Applied, updated: Record) -> bool:
    """Tell whether a retry applied a change that the input no longer has over a later one."""
    done = history.runs[writer.attempt.run - 1]
    if done.leg.verb != "retry":
        return False
    places = _last_results(Evidence(history, done).before.lines)
    mine = [
        at
        for row, at in places.items()
        if row[:2] == (writer.organization, writer.id) and _carries(writer.activity, history.written[row])
    ]
    return bool(mine) and places.get(key(updated), -1) > mine[0]


def _was_reordered(history: History, place: Activity) -> bool:
    """Tell whether an edit changed the order of changes to an activity that two inputs share."""
    orders: list[list[bytes]] = []
    for done in history.runs:
        order = [
            record.activity
            for lines in done.files
            for record in lines
            if record is not None and (record.organization, record.id) == place
        ]
        if order not in orders:
            orders.append(order)
    return any(_common(one, other) != _common(other, one) for one in orders for other in orders)


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> list[bytes]:
    return [activity for activity in one if activity in other]


def _is_ambiguous(evidence: Evidence, rows: Sequence[Record]) -> bool:
    """Tell whether it cannot be told which of two equal rows a result belongs to."""
    places = [key(row) for row in rows]
    return len(set(places)) < len(places) or any(len(evidence.stands.statuses(place)) > 1 for place in _iterate(places))


def _iterate(places: Sequence[Key]) -> Iterator[Key]:
    yield from places
