"""The ledger's lines, written and read (DESIGN section 2.3).

One JSON object a line. Lines by `type`, besides the seals that guard them (`pure.seals`):

    run      a run begins: what it reads, where it sends, with which settings
    sending  a request goes out, written and synced *before* it goes: whose rows may have been applied
    request  what became of one HTTP attempt
    result   what became of one row
    rate     another rate holds from now on
    cut      a torn tail was cut off, and where it is kept
    end      a run ends, with its summary
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Raw

from bulk_update.model import Batch, Change, Invalid, RowError, Status
from bulk_update.pure.transcoding import UTF8

FORMAT: Final = 1
"""Version of the format, in `run` lines."""

RETRY: Final = "retry"
"""The `verb` of a run that sends again what its ledger does not show as updated."""

SUPERSEDED: Final = RowError("superseded", "later changes of this activity have set all of its fields since")

DOUBT: Final = "; an earlier request with this change got no answer, so it may have been applied"
"""How the message of a refusal ends where a clean refusal would be a lie."""

_NO_CHANGE: Final = Raw()
"""The default itself: another empty `Raw` would be written, as nothing, where a value belongs."""
_json: Final = msgspec.json.Encoder()
_encode: Final = _json.encode


class Table(msgspec.Struct, rename="camel", omit_defaults=True):
    """How an input that is CSV is laid out, so that its rows can be written as they came.

    `columns`: under which header a field stands, where that is not its own name. `empty`: what an empty cell
    says. `encoding`: `utf-8-sig` is UTF-8 with a mark at its beginning.
    """

    input: str
    delimiter: str
    header: list[str]
    columns: dict[str, str] = {}
    encoding: str = UTF8
    empty: Literal["omit", "null", "keep"] = "omit"


class RunLine(msgspec.Struct, tag_field="type", tag="run", rename="camel", omit_defaults=True):
    """A run began. `key`: salted fingerprint of the API key. `verb`: run or retry. `tables`: of inputs that are CSV.

    `paths`: the inputs as they were named to a run of the main job, URLs without what may be a secret; none where a
    program gave the changes. `folder`: where it ran, from which relative paths begin.
    """

    format: int
    version: str
    time: str
    verb: str
    inputs: list[str]
    api: str
    salt: str
    key: str
    settings: dict[str, object] = {}
    tables: list[Table] = []
    paths: list[str] = []
    folder: str = ""


class SendingLine(msgspec.Struct, tag_field="type", tag="sending", rename="camel"):
    """A request is about to go out; the lists are in step, an element a row."""

    request: int
    organization_id: str
    time: str
    lines: list[int]
    ids: Sequence[str]
    checks: list[int]
    fields: list[int]


class RequestLine(msgspec.Struct, tag_field="type", tag="request", rename="camel", omit_defaults=True):
    """An HTTP attempt ended. `request`: the `sending` it belongs to. `attempt`: from 1.

    `settled`: nothing of this request is open any more: each row has its result, or stands in a later
    `sending`. `http` or `error` tells the outcome; `ms` is how long it took. `retry_after`: seconds for which
    the server asked to send nothing. `final`: it was refused whole, and all of its rows, which are several, failed by
    that.
    """

    request: int
    organization_id: str
    activities: int
    attempt: int
    ms: float
    time: str
    http: int | None = None
    error: RowError | None = None
    settled: bool = False
    retry_after: float | None = None
    final: bool = False


class ResultLine(msgspec.Struct, tag_field="type", tag="result", rename="camel", omit_defaults=True, gc=False):
    """What became of one row. `was`: the status of the earlier result of this row that this one replaces."""

    line: int
    organization_id: str | None
    id: str | None
    status: str
    check: str
    input: str | None = None
    was: str = ""
    error: RowError | None = None
    change: Raw = _NO_CHANGE
    raw: str = ""


class RateLine(msgspec.Struct, tag_field="type", tag="rate"):
    """The rate of a run was changed while it went on. `rate`: as in the settings of `run` lines."""

    rate: str
    time: str


class CutLine(msgspec.Struct, tag_field="type", tag="cut"):
    """A torn tail of `bytes` bytes was cut off; `kept` is the file that has it."""

    bytes: int
    kept: str
    time: str


class EndLine(msgspec.Struct, tag_field="type", tag="end"):
    """A run ended. `summary`: DESIGN section 2.4."""

    time: str
    exit: int
    summary: dict[str, object]

    @property
    def is_all_settled(self) -> bool:
        """Tell whether the input was read to its end, and each of its rows had a result."""
        return self.summary.get("complete") is True and self.summary.get("unsent") == 0

    @property
    def has_no_invalid(self) -> bool:
        """Tell whether the input was read to its end, and had no invalid row: what was invalid before is mended."""
        return self.summary.get("complete") is True and self.summary.get("invalid") == 0

    @property
    def is_in_order(self) -> bool:
        """Tell whether, besides, each row was sent again that had to be, for the order of its activity's changes.

        A run that is stopped leaves such rows as they were: with the result that they had.
        """
        return self.is_all_settled and self.summary.get("stopped") is None


Line = RunLine | SendingLine | RequestLine | ResultLine | RateLine | CutLine | EndLine
_line_decoder: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


def decode_line(line: bytes) -> Line | None:
    """Read a line; None for a type that this version does not know. ValueError for anything else."""
    try:
        return _line_decoder.decode(line)
    except msgspec.ValidationError:
        known = {"run", "sending", "request", "result", "rate", "cut", "end"}
        kind = msgspec.json.decode(line, type=dict[str, Raw]).get("type")
        if kind is not None and msgspec.json.decode(kind) not in known:
            return None
        raise


def decode_lines(lines: bytes) -> list[Line]:
    """Read whole lines at once, without those of a type that this version does not know. ValueError for any other."""
    try:
        return _line_decoder.decode_lines(lines)
    except msgspec.ValidationError:
        read = map(decode_line, lines.split(b"\n")[:-1])
        return [line for line in read if line is not None]


def encode_line(line: Line) -> bytes:
    """Write a line, its end included."""
    return _encode(line) + b"\n"


def sending_line(request: int, time: str, batch: Batch) -> bytes:
    """Write that a request with these changes is about to go out."""
    changes = batch.changes
    line = SendingLine(
        request,
        batch.organization,
        time,
        [change.line for change in changes],
        batch.ids,
        [change.check for change in changes],
        [change.fields for change in changes],
    )
    return encode_line(line)


class ResultWriter:
    """Write results. `inputs`: names of the inputs; a result names its own where there are several."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self._inputs = list(inputs) if len(inputs) > 1 else None

    def updated(self, organization: str, changes: Iterable[Change]) -> bytes:
        """Write that changes of one organization are updated."""
        name = _encode(organization)
        if self._inputs is not None:
            return b"".join([self.result(change, Status.UPDATED) for change in changes])
        again = [change for change in changes if change.was]
        fresh = [change for change in changes if not change.was] if again else list(changes)
        return _updated_lines(name, fresh) + b"".join([self.result(change, Status.UPDATED) for change in again])

    def result(self, change: Change, status: Status, error: RowError | None = None) -> bytes:
        """Write what became of one change; failed and unknown carry the change, to be sent again."""
        return encode_line(
            ResultLine(
                change.line,
                change.organization,
                change.id,
                status,
                f"{change.check:08x}",
                self._name(change.input),
                change.was,
                error,
                Raw(change.activity) if status in (Status.FAILED, Status.UNKNOWN) else _NO_CHANGE,
            )
        )

    def invalid(self, invalid: Invalid) -> bytes:
        """Write that a record was never sent, and why."""
        return encode_line(
            ResultLine(
                invalid.line,
                invalid.organization,
                invalid.id,
                Status.INVALID,
                f"{invalid.check:08x}",
                self._name(invalid.input),
                error=RowError(invalid.code, invalid.message),
                raw=invalid.raw.decode(errors="backslashreplace"),
            )
        )

    def superseded(self, change: Change) -> bytes:
        """Write that later changes of its activity have left nothing of a change to send."""
        return self.result(change, Status.SUPERSEDED, SUPERSEDED)

    def _name(self, source: int) -> str | None:
        return None if self._inputs is None else self._inputs[source]


def _updated_lines(name: bytes, changes: Sequence[Change]) -> bytes:
    """Write `updated` lines of one organization, whose JSON is `name`, all in one formatting."""
    ids = [change.id for change in changes]
    joined = "".join(ids)
    if len(_encode(joined)) != len(joined) + 2:  # some id needs an escape, or is no ASCII
        ids = [_encode(identifier)[1:-1].decode() for identifier in ids]
    line = (
        '{"type":"result","line":%d,"organizationId":'
        + name.decode().replace("%", "%%")
        + ',"id":"%s","status":"updated","check":"%08x"}\n'
    )
    columns: list[object] = [None] * (3 * len(changes))
    columns[0::3] = [change.line for change in changes]
    columns[1::3] = ids
    columns[2::3] = [change.check for change in changes]
    return (line * len(changes) % tuple(columns)).encode()
