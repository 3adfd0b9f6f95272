"""One record in, one change out: the fields of an activity, and what each may hold.

The fields and their types are those of the official page (`POST /v2/activities/update`). A record is
decoded once, and its values are kept as the bytes that stood in the input. Only a record that fails is
looked at a second time, slowly, to say what is wrong with it.
"""

import json
import re
import zlib
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from bulk_update.model import Change, Invalid
from bulk_update.pure.names import nearest

FIELDS: Final = (
    "changes",
    "entityData",
    "entityTargetData",
    "displayMessageTemplate",
    "displayMessageTemplateData",
    "actionIcon",
)
"""What an update can set; the bits of `Change.fields` are in this order."""

KEYS: Final = ("organizationId", "id", *FIELDS)

MAX_NESTING: Final = 500
"""Levels of objects and arrays in one record, at most."""

MAX_RAW: Final = 65_536
"""Bytes of an invalid record that are kept (DESIGN section 2.3)."""

MAX_SHARED: Final = 10_000
"""Names of organizations that are kept, so that the rows of each share one string."""

ENVELOPE: Final = len(b'{"data":{"organizationId":,"activities":[]}}')
"""Bytes of a request body around the organization and the activities."""

_SHOWN: Final = 40
_SHORTEST_WITH_REPEAT: Final = len(b'"organizationId":"",') + len(b'"id":"",')
"""Bytes by which a record with a repeated key is longer, at least, than its content."""

_SHORTEST_TOO_DEEP: Final = 2 * MAX_NESTING
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NOT_FINITE: Final = re.compile(rb"(?:NaN|Infinity)\b")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


class _Both(msgspec.Struct, gc=False):
    before: Raw = msgspec.field(name="from")
    to: Raw


class _FromTo(msgspec.Struct, gc=False):
    before: Raw | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Raw | UnsetType = UNSET


class _Record(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    organization_id: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    changes: Raw | UnsetType = UNSET
    entity_data: Raw | UnsetType = UNSET
    entity_target_data: Raw | UnsetType = UNSET
    display_message_template: Raw | UnsetType = UNSET
    display_message_template_data: Raw | UnsetType = UNSET
    action_icon: Raw | UnsetType = UNSET


_decode_record: Final = msgspec.json.Decoder(_Record).decode
_decode_pairs: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_both: Final = msgspec.json.Decoder(dict[str, _Both]).decode
_decode_changes: Final = msgspec.json.Decoder(dict[str, _FromTo]).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_string: Final = msgspec.json.Decoder(str).decode
_json: Final = msgspec.json.Encoder()
_encode: Final = _json.encode
_encode_into: Final = _json.encode_into
_crc32: Final = zlib.crc32

_EXPECTED: Final = {
    "organizationId": "a non-empty string",
    "id": "a non-empty string",
    "changes": 'an object of field names to {"from": ..., "to": ...}',
    "displayMessageTemplate": "a string",
    "displayMessageTemplateData": "an object",
    "actionIcon": "a string",
}


class _Refusal(Exception):
    """Carry why a record is invalid from the place that saw it to the one that records it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ActivityReader:
    """Read records, one JSON object each, into changes.

    `organization`: for records that name none. `max_body`: bytes of a request body, envelope included;
    a record that does not fit alone is invalid.
    """

    def __init__(self, organization: str | None = None, max_body: int = 1_000_000) -> None:
        self._organization = organization
        self._max_body = max_body
        self._organizations: dict[str, str] = {}
        self._encoded = bytearray()

    def read(self, record: bytes, line: int, source: int = 0) -> Change | Invalid:
        """Decode and validate one record; `record` is valid UTF-8 without its line end.

        Never raises for what a record holds: whatever is wrong comes back as an `Invalid`.
        """
        try:
            decoded = _decode_record(record)
            fields = _fields_set(decoded)
            organization = decoded.organization_id
            identifier = decoded.id
            if not (fields and organization and identifier):
                return self._read_slowly(record, line, source)
            decoded.organization_id = UNSET
            # What `encode` gives takes half as much again in memory, and rows wait there.
            _encode_into(decoded, self._encoded)
            activity = bytes(self._encoded)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return self._read_slowly(record, line, source)
        size, rest = len(record), len(activity) + len(organization)
        if (
            (size - rest >= _SHORTEST_WITH_REPEAT and _may_repeat(record, organization, activity))
            or (size >= _SHORTEST_TOO_DEEP and record.count(b"{") + record.count(b"[") > MAX_NESTING)
            or rest + 5 * len(organization) + 2 + ENVELOPE > self._max_body
        ) and (refusal := self._refuse(record, organization, activity)):
            return _invalid(record, line, source, refusal)
        shared = self._organizations.get(organization) or self._share(organization)
        return Change(shared, identifier, line, source, _crc32(activity), fields, activity)

    def _share(self, organization: str) -> str:
        """Keep the name of an organization for the rows to come."""
        if len(self._organizations) >= MAX_SHARED:
            self._organizations.clear()
        return self._organizations.setdefault(organization, organization)

    def _refuse(self, record: bytes, organization: str, activity: bytes) -> _Refusal | None:
        try:
            _check_nesting(record)
            _check_repeated(_pairs(record))
        except _Refusal as refusal:
            return refusal
        size = len(activity) + len(_encode(organization)) + ENVELOPE
        if size > self._max_body:
            return _Refusal(
                "too_large",
                f"the request with this row alone would be {size:,} bytes; expected at most "
                f"{self._max_body:,} (--batch-bytes)",
            )
        return None

    def _read_slowly(self, record: bytes, line: int, source: int) -> Change | Invalid:
        """Read a record that has notes, or say what is wrong with it."""
        try:
            values = _without_notes(record)
            if "organizationId" not in values and self._organization is not None:
                values["organizationId"] = Raw(_encode(self._organization))
            _explain(values)
        except _Refusal as refusal:
            return _invalid(record, line, source, refusal)
        # With its organization filled in and its notes left out, the record is read as any other.
        plain = b"{" + b",".join(_encode(key) + b":" + bytes(raw) for key, raw in values.items()) + b"}"
        if plain == record:
            unexplained = _Refusal("invalid", "the record cannot be read as a change")
            return _invalid(record, line, source, unexplained)
        outcome = self.read(plain, line, source)
        if type(outcome) is Invalid:
            return msgspec.structs.replace(outcome, raw=record[:MAX_RAW], check=zlib.crc32(record))
        return outcome


def invalid_record(record: bytes, line: int, source: int, code: str, message: str) -> Invalid:
    """Tell that a record is invalid for a reason that its reader saw before it was decoded."""
    return Invalid(line, source, zlib.crc32(record), None, None, code, message, record[:MAX_RAW])


def _may_repeat(record: bytes, organization: str, activity: bytes) -> bool:
    """Tell whether a record may name a key twice; False only when it cannot.

    A repeated key has two quotes that its content has not; only a quote that is written as an escape could hide
    that.
    """
    quotes = activity.count(b'"') + organization.count('"') + 4
    return record.count(b'"') != quotes or (b"\\" in record and b"\\u0022" in record)


def _check_sides(changes: Raw) -> None:
    """Check that each field's change is an object with from or to, or both. ValueError if one is not."""
    for change in _decode_changes(changes).values():
        if change.before is UNSET and change.to is UNSET:
            raise ValueError


def _fields_set(record: _Record) -> int:
    """Check the type of each value that is there; tell which are, as a bit mask. ValueError if one is off."""
    fields = 0
    if record.changes is not UNSET:
        try:
            _decode_both(record.changes)
        except ValueError:
            _check_sides(record.changes)
        fields = 1
    if record.entity_data is not UNSET:
        fields |= 2
    if record.entity_target_data is not UNSET:
        fields |= 4
    if record.display_message_template is not UNSET:
        _decode_string(record.display_message_template)
        fields |= 8
    if record.display_message_template_data is not UNSET:
        _decode_object(record.display_message_template_data)
        fields |= 16
    if record.action_icon is not UNSET:
        _decode_string(record.action_icon)
        fields |= 32
    return fields


def _invalid(record: bytes, line: int, source: int, refusal: _Refusal) -> Invalid:
    organization, identifier = _names(record)
    check = zlib.crc32(record)
    return Invalid(line, source, check, organization, identifier, refusal.code, refusal.message, record[:MAX_RAW])


def _names(record: bytes) -> tuple[str | None, str | None]:
    """Find the organization and the id of a record that is invalid, as far as it tells them."""
    try:
        values = _decode_pairs(record)
    except (ValueError, RecursionError):
        return None, None

    def text(key: str) -> str | None:
        try:
            return _decode_string(values[key]) or None
        except (KeyError, ValueError):
            return None

    return text("organizationId"), text("id")


def _pairs(record: bytes) -> list[tuple[str, object]]:
    """List the top-level members of a record, repeated ones included."""
    members = json.loads(record, object_pairs_hook=list, parse_int=str, parse_float=str)
    return members if isinstance(members, list) else []


def _check_repeated(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _Refusal("repeated_key", f"{_quoted(key)}: found twice in one record, expected once")
        seen.add(key)


def _check_nesting(record: bytes) -> None:
    if record.count(b"{") + record.count(b"[") <= MAX_NESTING:
        return
    depth = deepest = 0
    for bracket in _STRING.sub(b"", record).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    if deepest > MAX_NESTING:
        raise _Refusal("too_deep", f"found {deepest} levels of nesting, expected at most {MAX_NESTING}")


def _without_notes(record: bytes) -> dict[str, Raw]:
    """Decode a record's members, without those that begin with `_`."""
    _check_nesting(record)
    try:
        values = _decode_pairs(record)
    except msgspec.ValidationError:
        found = _found(record)
        raise _Refusal("not_an_object", f"found {found}, expected a JSON object") from None
    except ValueError as error:
        raise _Refusal("not_json", _explain_json(record, str(error))) from None
    _check_repeated(_pairs(record))
    return {key: raw for key, raw in values.items() if not key.startswith("_")}


def _explain_json(record: bytes, error: str) -> str:
    """Say where JSON ends to be JSON, in columns from 1."""
    if _is_json_elsewhere(record):
        return "found half of a surrogate pair (such as \\ud800 alone), expected whole characters"
    position = re.search(r"byte (\d+)", error)
    reason = re.sub(r"^JSON is malformed: | \(byte \d+\)$", "", error).lower()
    if "truncated" in reason:
        return "found a line that ends before its JSON does, expected one whole JSON object on the line"
    if position is None:
        return f"found JSON that is not well-formed ({reason}), expected one JSON object on the line"
    at = int(position[1]) - reason.startswith("trailing characters")  # msgspec has read one more
    column = len(record[:at].decode(errors="replace")) + 1
    if (number := _NOT_FINITE.match(record, at)) is not None:
        return f"found {number[0].decode()} at column {column}, which JSON has not; expected a number, or null"
    excerpt = _clip(record[at : at + 24].decode(errors="replace"), 20)
    found = f"found {_quoted(excerpt)}" if excerpt else "found the end"
    return f"{found} at column {column} ({reason}), expected one JSON object on the line"


def _is_json_elsewhere(record: bytes) -> bool:
    """Tell whether a reader that lets half of a surrogate pair through would take the record."""
    try:
        json.loads(record.decode(), parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> str:
    raise ValueError(name)


def _explain(values: dict[str, Raw]) -> None:
    """Raise the first refusal that a record's members give cause for."""
    if "activityId" in values:
        raise _Refusal(
            "activity_id_shape",
            'found "activityId", expected the id and the fields side by side: '
            '{"organizationId": "...", "id": "...", "displayMessageTemplate": "..."}',
        )
    for key in values:
        if key not in KEYS:
            meant = nearest(key, KEYS)
            hint = f"; did you mean {_quoted(meant)}?" if meant else f"; known are {', '.join(KEYS)}"
            raise _Refusal("unknown_field", f"{_quoted(key)}: found an unknown field{hint}")
    for key in ("organizationId", "id"):
        if key not in values:
            hint = " (or give --organization-id)" if key == "organizationId" else ""
            raise _Refusal("missing_field", f"{key}: found nothing, expected {_EXPECTED[key]}{hint}")
        _explain_value(key, values[key])
    present = [key for key in FIELDS if key in values]
    if not present:
        raise _Refusal("nothing_to_change", f"found no field to change, expected one of {', '.join(FIELDS)}")
    for key in present:
        _explain_value(key, values[key])


def _explain_value(key: str, raw: Raw) -> None:
    value = bytes(raw)
    try:
        if key in ("organizationId", "id"):
            fits = bool(_decode_string(value))
        elif key == "changes":
            _explain_changes(value)
            return
        elif key == "displayMessageTemplateData":
            fits = isinstance(_decode_object(value), dict)
        elif key in ("displayMessageTemplate", "actionIcon"):
            fits = isinstance(_decode_string(value), str)
        else:
            return
    except ValueError:
        fits = False
    if not fits:
        raise _Refusal("wrong_type", f"{key}: found {_found(value)}, expected {_EXPECTED[key]}")


def _explain_changes(value: bytes) -> None:
    try:
        members = _decode_object(value)
    except ValueError:
        raise _Refusal("wrong_type", f"changes: found {_found(value)}, expected {_EXPECTED['changes']}") from None
    for name, raw in members.items():
        try:
            sides = _decode_object(raw)
        except ValueError:
            sides = {}
        if not ("from" in sides or "to" in sides):
            raise _Refusal(
                "wrong_type",
                f'changes.{_clip(name, 60)}: found {_found(bytes(raw))}, expected an object with "from" and "to"',
            )


def _found(value: bytes) -> str:
    """Name a JSON value for a person: its kind, and the value where it is short."""
    value = value.strip()
    kinds = {b"{": "an object", b"[": "an array", b"n": "null", b"t": "true", b"f": "false", b'"': "the string"}
    kind = kinds.get(value[:1], "the number")
    if value == b'""':
        return "an empty string"
    if value[:1] in (b"{", b"["):
        return kind if len(value) > _SHOWN else f"{kind} {value.decode(errors='replace')}"
    if value[:1] in (b"n", b"t", b"f"):
        return kind
    return f"{kind} {_clip(value.decode(errors='replace'), 40)}"


def _quoted(text: str) -> str:
    return '"' + _clip(text, 60) + '"'


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
