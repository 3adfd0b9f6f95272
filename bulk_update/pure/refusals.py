"""Why a record is invalid, found slowly and told to a person: what was found, what was expected, and where."""

import json
import re
import zlib
from typing import Final

import msgspec
from msgspec import Raw

from bulk_update.model import Invalid
from bulk_update.pure.names import nearest
from bulk_update.pure.shape import FIELDS, KEYS, MAX_NESTING, MAX_RAW

_SHOWN: Final = 40
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NOT_FINITE: Final = re.compile(rb"(?:NaN|Infinity)\b")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))

_decode_pairs: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_string: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode

_EXPECTED: Final = {
    "organizationId": "a non-empty string",
    "id": "a non-empty string",
    "changes": 'an object of field names to {"from": ..., "to": ...}',
    "displayMessageTemplate": "a string",
    "displayMessageTemplateData": "an object",
    "actionIcon": "a string",
}


class Refusal(Exception):
    """Carry why a record is invalid from the place that saw it to the one that records it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_record(record: bytes, line: int, source: int, code: str, message: str) -> Invalid:
    """Tell that a record is invalid for a reason that its reader saw before it was decoded."""
    return Invalid(line, source, zlib.crc32(record), None, None, code, message, record[:MAX_RAW])


def refused_record(record: bytes, line: int, source: int, refusal: Refusal) -> Invalid:
    """Tell that a record is invalid, and whose it is as far as that can be read."""
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


def check_repeated(record: bytes) -> None:
    """Check that no key stands twice at the top of a record, notes left aside. Refusal if one does."""
    seen = set()
    for key, _ in _pairs(record):
        if key in seen and not key.startswith("_"):
            raise Refusal("repeated_key", f"{_quoted(key)}: found twice in one record, expected once")
        seen.add(key)


def check_nesting(record: bytes) -> None:
    """Check that a record is not nested too deep. Refusal if it is."""
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
        raise Refusal("too_deep", f"found {deepest} levels of nesting, expected at most {MAX_NESTING}")


def without_notes(record: bytes) -> dict[str, Raw]:
    """Decode a record's members, without those that begin with `_`."""
    check_nesting(record)
    try:
        values = _decode_pairs(record)
    except msgspec.ValidationError:
        found = _found(record)
        raise Refusal("not_an_object", f"found {found}, expected a JSON object") from None
    except ValueError as error:
        raise Refusal("not_json", _explain_json(record, str(error))) from None
    check_repeated(record)
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


def explain(values: dict[str, Raw]) -> None:
    """Raise the first refusal that a record's members give cause for."""
    if "activityId" in values:
        raise Refusal(
            "activity_id_shape",
            'found "activityId", expected the id and the fields side by side: '
            '{"organizationId": "...", "id": "...", "displayMessageTemplate": "..."}',
        )
    for key in values:
        if key not in KEYS:
            meant = nearest(key, KEYS)
            hint = f"; did you mean {_quoted(meant)}?" if meant else f"; known are {', '.join(KEYS)}"
            raise Refusal("unknown_field", f"{_quoted(key)}: found an unknown field{hint}")
    for key in ("organizationId", "id"):
        if key not in values:
            hint = " (or give --organization-id)" if key == "organizationId" else ""
            raise Refusal("missing_field", f"{key}: found nothing, expected {_EXPECTED[key]}{hint}")
        _explain_value(key, values[key])
    present = [key for key in FIELDS if key in values]
    if not present:
        raise Refusal("nothing_to_change", f"found no field to change, expected one of {', '.join(FIELDS)}")
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
        raise Refusal("wrong_type", f"{key}: found {_found(value)}, expected {_EXPECTED[key]}")


def _explain_changes(value: bytes) -> None:
    try:
        members = _decode_object(value)
    except ValueError:
        raise Refusal("wrong_type", f"changes: found {_found(value)}, expected {_EXPECTED['changes']}") from None
    for name, raw in members.items():
        try:
            sides = _decode_object(raw)
        except ValueError:
            sides = {}
        if not ("from" in sides or "to" in sides):
            raise Refusal(
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
