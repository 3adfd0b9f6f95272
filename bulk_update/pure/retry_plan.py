"""What to send again from a ledger, and how much of it: an older change never overwrites a newer one.

Rows whose last result is failed or unknown are sent again in the order of their first result, which is
input order for each activity. Of a change that a later one of its activity has since been updated over,
only the fields are sent that the later one left alone; where it left none, the row is superseded.

Which of two changes is the later one a ledger tells of rows that one run of the main job has sent, and of all rows
when such a run has gone to its end: until then, what it has sent may stand before rows that an earlier one has
sent, which it would have sent again behind it (`pure.intake`).
"""

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec import Raw

from bulk_update.model import Change, Status
from bulk_update.pure.ledger_lines import DOUBT, RETRY, EndLine, ResultLine, RunLine, SendingLine, decode_line
from bulk_update.pure.seals import Append
from bulk_update.pure.settled import row_key
from bulk_update.pure.shape import FIELDS

_OPEN: Final = (Status.FAILED, Status.UNKNOWN)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Raw]).decode


class OpenRow(msgspec.Struct, gc=False):
    """A row to be sent again.

    `offset`, `size`: where its first result stands in the ledger, which is its place among the changes of its
    activity; `last_offset`, `last_size`: its last one.
    `status`: of the last. `overwritten`: bit mask of the fields that later changes of its activity have set
    since. `doubt`: some request with it got no answer, so that it may have been applied. `later`: keys of later
    changes of its activity that were sent since. `passed`: the stretch of the ledger in which a later run of the
    main job has sent a change of its activity, so that it is not known which of them is the later one.
    """

    offset: int
    size: int
    last_offset: int
    last_size: int
    status: Status
    overwritten: int = 0
    doubt: bool = False
    later: frozenset[int] | None = None
    passed: int = 0


class RetryPlan:
    """Find the rows of a ledger that are to be sent again; feed it every append, in order."""

    def __init__(self) -> None:
        # Tuples, since nearly all hold one row: there may be as many as rows that failed.
        self._rows: dict[int, tuple[OpenRow, ...]] = {}
        self._by_activity: dict[int, tuple[OpenRow, ...]] = {}
        self._fields: dict[int, int] = {}
        self._is_retry = False
        self._run_began = 0
        """Where the last run of the main job begins."""
        self._stretch = 1
        """Number of this part of the ledger: one ends where a run of the main job has brought all rows in order."""

    def fold(self, append: Append) -> None:
        """Take in what one append tells."""
        offset = append.offset
        for text in append.lines.split(b"\n")[:-1]:
            line = decode_line(text)
            if isinstance(line, ResultLine):
                self._fold_result(line, offset, len(text))
            elif isinstance(line, SendingLine) and self._by_activity:
                self._note_fields(line)
            elif isinstance(line, RunLine):
                self._is_retry = line.verb == RETRY
                self._run_began = self._run_began if self._is_retry else offset
            elif isinstance(line, EndLine):
                self._stretch += line.is_in_order and not self._is_retry
            offset += len(text) + 1

    def rows(self, doubtful: Collection[int] = ()) -> list[OpenRow]:
        """List what is to be sent again, in the order of the ledger.

        `doubtful`: keys of rows that may have been applied and have no result, as far as they may still be in the
        input. A row that such a later one of its activity may have been applied over is left out, and so is one of
        which it is not known which changes of its activity are the later ones: it waits until the main job has
        settled that.
        """
        lost = {key for key in doubtful if key not in self._rows}  # the others are sent again here, in their turn
        return [
            row
            for row in self.not_updated()
            if row.passed != self._stretch and (row.later is None or row.later.isdisjoint(lost))
        ]

    def not_updated(self) -> list[OpenRow]:
        """List all rows that failed or are unknown, in the order of the ledger."""
        return sorted((row for rows in self._rows.values() for row in rows), key=lambda row: row.offset)

    def _fold_result(self, line: ResultLine, offset: int, size: int) -> None:
        status = Status(line.status)
        key = row_key(line.organization_id, line.id, int(line.check, 16))
        activity = row_key(line.organization_id, line.id, 0)
        row = self._close(key, activity, line.was) if line.was and line.was != Status.UPDATED else None
        if not self._is_retry and row is not None:
            # The main job has sent it again behind all that stands before it in the input: this is its place now.
            row = OpenRow(offset, size, offset, size, status, doubt=row.doubt)
        if status is Status.UPDATED:
            self._overwrite(activity, key, row)
        elif status in _OPEN:
            kept = row or OpenRow(offset, size, offset, size, status)
            kept.status, kept.last_offset, kept.last_size = status, offset, size
            kept.doubt |= status is Status.UNKNOWN or (line.error is not None and line.error.message.endswith(DOUBT))
            self._rows[key] = (*self._rows.get(key, ()), kept)
            self._by_activity[activity] = (*self._by_activity.get(activity, ()), kept)

    def _close(self, key: int, activity: int, was: str) -> OpenRow | None:
        """Take out the row that has another result now; of equal ones, the first that had the status `was`."""
        rows = self._rows.get(key)
        if not rows:
            return None
        row = next((row for row in rows if row.status == was), rows[0])
        if len(rows) > 1:
            self._rows[key] = tuple(other for other in rows if other is not row)
        else:
            del self._rows[key]
        left = tuple(other for other in self._by_activity[activity] if other is not row)
        if left:
            self._by_activity[activity] = left
        else:
            del self._by_activity[activity]
        return row

    def _overwrite(self, activity: int, key: int, updated: OpenRow | None) -> None:
        """Note which fields of earlier open rows of this activity the row that is updated now has set."""
        fields = self._fields.get(key, 0)
        for row in self._by_activity.get(activity, ()):
            if updated is None or row.offset < updated.offset:
                row.overwritten |= fields

    def _note_fields(self, line: SendingLine) -> None:
        for identifier, check, fields in zip(line.ids, line.checks, line.fields, strict=True):
            rows = self._by_activity.get(row_key(line.organization_id, identifier, 0))
            if rows is None:
                continue
            key = row_key(line.organization_id, identifier, check)
            self._fields[key] = fields
            is_new = key not in self._rows
            for row in rows:
                if is_new:
                    row.later = (row.later or frozenset()) | {key}
                if not self._is_retry and row.offset < self._run_began:
                    row.passed = self._stretch


def change_again(row: OpenRow, line: ResultLine, source: int) -> Change:
    """Build what is left to send of a row; `fields` is 0 when later changes have set all of its fields.

    `line`: its first result. `source`: index of its input. ValueError when the line carries no change.
    """
    values = _decode(line.change)
    fields = sum(1 << bit for bit, name in enumerate(FIELDS) if name in values)
    left = fields & ~row.overwritten
    activity = bytes(line.change)
    if left not in (0, fields):
        kept = [name for bit, name in enumerate(FIELDS) if left & 1 << bit]
        members = [b'"id":' + bytes(values["id"]), *(_encode(name) + b":" + bytes(values[name]) for name in kept)]
        activity = b"{" + b",".join(members) + b"}"
    if line.organization_id is None or line.id is None:
        raise ValueError("a result without organization or id carries a change")
    return Change(
        line.organization_id,
        line.id,
        line.line,
        source,
        int(line.check, 16),
        left,
        activity,
        row.status.value,
        row.doubt,
    )
