"""The API's words: request bodies out, answers judged.

Sources: the official page (DOC) for the shapes; API.md for what is read in published code or inferred.
An answer is judged by the ids that were *sent*. An id that is absent is never a success; an id that was
not sent means that the answer belongs to another request, and then nothing in it counts.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw

from bulk_update.model import Answer, Batch, Change, RowError
from bulk_update.pure.retrying import Trouble, trouble_of_status

_json: Final = msgspec.json.Encoder()


class _Verdict(msgspec.Struct, gc=False):
    success: bool
    message: str = ""


class _Result(msgspec.Struct):
    data: dict[str, _Verdict]
    status: str


class _Success(msgspec.Struct):
    result: _Result


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""
    details: Raw = Raw()


class _Failure(msgspec.Struct):
    error: _Error


class _LooseResult(msgspec.Struct):
    data: Raw
    status: str


class _LooseSuccess(msgspec.Struct):
    result: _LooseResult


_decode_success: Final = msgspec.json.Decoder(_Success).decode
_decode_loosely: Final = msgspec.json.Decoder(_LooseSuccess).decode
_decode_failure: Final = msgspec.json.Decoder(_Failure).decode
_decode_verdict: Final = msgspec.json.Decoder(_Verdict).decode
_decode_verdicts: Final = msgspec.json.Decoder(dict[str, Raw]).decode


_READ: Final = 16_384
"""Characters of a text in an answer that are looked at; no more of it than a thousand are told."""

_EXCERPT: Final = 400
"""Bytes of a body without a message that are looked at."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an answer says of the changes that were sent, each in exactly one of three places.

    `trouble` tells why the `unanswered` are unanswered, None when the answer merely left them out.
    `code` and `message` are for the ledger and the person, as those of each `RowError`: without secrets.
    """

    updated: Sequence[Change] = ()
    refused: Sequence[tuple[Change, RowError]] = ()
    unanswered: Sequence[Change] = ()
    trouble: Trouble | None = None
    code: str = ""
    message: str = ""
    http: int | None = None


def encode_request(batch: Batch) -> bytes:
    """Build the body of `POST /v2/activities/update` (DOC); activities stand in it as they are."""
    activities = b",".join([change.activity for change in batch.changes])
    organization = _json.encode(batch.organization)
    return b'{"data":{"organizationId":%b,"activities":[%b]}}' % (organization, activities)


def judge(answer: Answer, batch: Batch) -> Judgement:
    """Tell what the answer to a request says of each change in it."""
    failure = _failure(answer)
    if failure is not None:
        return _judge_failure(failure, answer, batch)
    if answer.status != 200:
        trouble = trouble_of_status("", answer.status, "")
        return _nothing(batch, trouble, answer, f"HTTP {answer.status}{_excerpt(answer)}")
    return _judge_success(answer, batch)


def _judge_success(answer: Answer, batch: Batch) -> Judgement:
    try:
        status, verdicts = _read_success(answer.body)
    except (msgspec.ValidationError, RecursionError) as error:
        return _nothing(batch, Trouble.UNREADABLE, answer, f"an answer of another form: {error}")
    except ValueError:
        trouble = Trouble.WEB_PAGE if answer.body.lstrip()[:1] == b"<" else Trouble.UNREADABLE
        return _nothing(batch, trouble, answer, f"an answer that is not JSON{_excerpt(answer)}")
    if status != "success":
        return _nothing(
            batch, Trouble.UNREADABLE, answer, f"result.status {_said(answer, status, 60)!r}, not 'success'"
        )
    return _match(verdicts, answer, batch)


def _read_success(body: bytes) -> tuple[str, Mapping[str, _Verdict | None]]:
    """Read `result.status` and the verdicts. ValueError or RecursionError if it is no answer."""
    try:
        result = _decode_success(body).result
    except msgspec.ValidationError:
        pass
    else:
        # Each verdict says "success", and so does the status; if nothing else does, no id is named twice.
        is_each_once = body.count(b'"data"') == body.count(b'"result"') == 1
        if is_each_once and body.count(b'"success"') == len(result.data) + 1 and b"\\u" not in body:
            return result.status, result.data
    loose = _decode_loosely(body).result
    _check_said_once(body)
    return loose.status, _verdicts(loose.data)


def _check_said_once(body: bytes) -> None:
    """Refuse an answer that names a member above the ids twice: which of them holds nobody knows. ValueError."""
    outer = json.loads(body, object_pairs_hook=list, parse_int=str)
    for members in (outer, *(inner for name, inner in outer if name == "result")):
        names = [name for name, _ in members]
        if len(set(names)) < len(names):
            raise msgspec.ValidationError("a member that is there twice")


def _match(verdicts: Mapping[str, _Verdict | None], answer: Answer, batch: Batch) -> Judgement:
    """Look up the ids that were sent."""
    changes = batch.changes
    find = verdicts.get
    if len(verdicts) == len(changes) and all(
        (verdict := find(change.id)) is not None and verdict.success for change in changes
    ):
        return Judgement(changes, http=answer.status)
    if len(verdicts) > len(changes) or not verdicts.keys() <= {change.id for change in changes}:
        return _nothing(batch, Trouble.UNREADABLE, answer, "an answer that names ids that were not sent")
    updated: list[Change] = []
    refused: list[tuple[Change, RowError]] = []
    unanswered: list[Change] = []
    for change in changes:
        verdict = verdicts.get(change.id)
        if verdict is None:
            unanswered.append(change)
        elif verdict.success:
            updated.append(change)
        else:
            refused.append((change, RowError("not_updated", _said(answer, verdict.message), answer.status)))
    return Judgement(updated, refused, unanswered, None, "no_verdict", "the answer does not tell", answer.status)


def _failure(answer: Answer) -> _Error | None:
    """Find the error in an answer, whatever its HTTP status: it may come inside a 200."""
    if answer.status == 200 and b'"error"' not in answer.body and b"\\u" not in answer.body:
        return None
    try:
        return _decode_failure(answer.body).error
    except (ValueError, RecursionError):
        return None


def _judge_failure(failure: _Error, answer: Answer, batch: Batch) -> Judgement:
    # Sister endpoints answer a partial failure with the map of verdicts in error.details (API.md).
    if bytes(failure.details).startswith(b"{"):
        try:
            details = _verdicts(failure.details)
        except (ValueError, RecursionError):
            details = {}
        if details and None not in details.values():
            return _match(details, answer, batch)
    message = _said(answer, failure.message)
    trouble = trouble_of_status(failure.status, answer.status, message)
    code = _said(answer, failure.status, 60) or trouble.value
    return Judgement((), (), batch.changes, trouble, code, message or f"HTTP {answer.status}", answer.status)


def _verdicts(data: Raw) -> dict[str, _Verdict | None]:
    """Read each verdict by itself: one that is malformed or given twice leaves only its own id unanswered."""
    verdicts: dict[str, _Verdict | None] = {}
    for identifier, raw in _decode_verdicts(data).items():
        try:
            verdicts[identifier] = _decode_verdict(raw)
        except (ValueError, RecursionError):
            verdicts[identifier] = None
    pairs = json.loads(bytes(data), object_pairs_hook=list, parse_int=str)
    times = Counter(identifier for identifier, _ in pairs)
    for identifier, members in pairs:
        if times[identifier] > 1 or (verdicts[identifier] and [name for name, _ in members].count("success") > 1):
            verdicts[identifier] = None
    return verdicts


def _nothing(batch: Batch, trouble: Trouble, answer: Answer, message: str) -> Judgement:
    return Judgement((), (), batch.changes, trouble, trouble.value, message, answer.status)


def _said(answer: Answer, text: str, most: int = 1_000) -> str:
    """Take what a server says, cut: it stands in the ledger once a row. A cut secret would not be found any more."""
    said = answer.redact(text[:_READ])
    return said if len(said) <= most else said[:most] + "…"


def _excerpt(answer: Answer) -> str:
    text = answer.redact(" ".join(answer.body[:_EXCERPT].decode(errors="replace").split()))
    return f": {text[:80]}" if text else ""
