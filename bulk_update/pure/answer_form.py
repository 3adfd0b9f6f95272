"""Judge answers without decoding those that are, but for their ids, byte for byte like one that was judged.

Nearly every answer says of all its ids, in the order in which they were sent, that they are updated. Its form
is learned from the first such answer, and proven with ids that nobody sent: filled with these, it must be
judged to say the same of them. Then the ids are all that matters: an answer that equals the form filled with
the ids of its request says that all are updated. Any other is decoded and judged as ever.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from bulk_update.model import Answer, Batch, Change
from bulk_update.pure.wire import Judgement, judge

_LESSONS: Final = 16
"""Forms that are learned, at most: an answer that carries its own time is never like another."""

_NOBODY: Final = Batch("", [Change("", f"nobody's id {number}", 0, 0, 0, 0, b"") for number in range(3)])

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Form:
    """What stands in an answer before the first id, between two, and after the last; quotes belong to the ids."""

    head: bytes
    between: bytes
    tail: bytes

    def fill(self, batch: Batch) -> bytes | None:
        """Make the answer of this form for the ids of a batch; None where an id may look like two."""
        ids: bytes = _encode(batch.ids)[1:-1]
        if b"\\" in ids:
            return None
        return self.head + ids.replace(b'","', b'"' + self.between + b'"') + self.tail


class Judge:
    """Judge the answers of one run."""

    def __init__(self) -> None:
        self._form: _Form | None = None
        self._lessons = _LESSONS

    def judge(self, answer: Answer, batch: Batch) -> Judgement:
        """Tell what an answer says of each change of its request: what `wire.judge` says."""
        if self._form is not None and answer.status == HTTPStatus.OK and answer.body == self._form.fill(batch):
            return Judgement(batch.changes, http=answer.status)
        judgement = judge(answer, batch)
        if self._lessons and judgement.updated is batch.changes and len(batch.changes) > 1:
            self._lessons -= 1
            self._form = _learn(answer, batch) or self._form
        return judgement


def _learn(answer: Answer, batch: Batch) -> _Form | None:
    """Find the form of an answer that says that all ids are updated; None when it cannot be proven."""
    body = answer.body
    first, second, last = (_encode(batch.ids[at]) for at in (0, 1, -1))
    at = body.find(first)
    begin, end = at + len(first), body.find(second, at + len(first))
    if at < 0 or end < 0:
        return None
    form = _Form(body[:at], body[begin:end], body[body.rfind(last) + len(last) :])
    nobody = form.fill(_NOBODY)
    if form.fill(batch) != body or nobody is None:
        return None
    return form if judge(Answer(HTTPStatus.OK, nobody), _NOBODY).updated is _NOBODY.changes else None
