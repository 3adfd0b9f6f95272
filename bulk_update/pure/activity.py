"""One record in, one change out.

The fields and their types are those of the official page (`POST /v2/activities/update`). A record is
decoded once, and its values are kept as the bytes that stood in the input. Only a record that fails is
looked at a second time, slowly, to say what is wrong with it (`pure.refusals`).
"""

import zlib
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from bulk_update.model import Change, Invalid
from bulk_update.pure.refusals import (
    Refusal,
    check_nesting,
    check_repeated,
    explain,
    refused_record,
    without_notes,
)
from bulk_update.pure.shape import ENVELOPE, MAX_NESTING, MAX_RAW

MAX_SHARED: Final = 10_000
"""Names of organizations that are kept, so that the rows of each share one string."""

_SHORTEST_WITH_REPEAT: Final = len(b'"organizationId":"",') + len(b'"id":"",')
"""Bytes by which a record with a repeated key is longer, at least, than its content."""

_SHORTEST_TOO_DEEP: Final = 2 * MAX_NESTING


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
_decode_both: Final = msgspec.json.Decoder(dict[str, _Both]).decode
_decode_changes: Final = msgspec.json.Decoder(dict[str, _FromTo]).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_string: Final = msgspec.json.Decoder(str).decode
_json: Final = msgspec.json.Encoder()
_encode: Final = _json.encode
_encode_into: Final = _json.encode_into
_crc32: Final = zlib.crc32


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
            return refused_record(record, line, source, refusal)
        shared = self._organizations.get(organization) or self._share(organization)
        return Change(shared, identifier, line, source, _crc32(activity), fields, activity)

    def _share(self, organization: str) -> str:
        """Keep the name of an organization for the rows to come."""
        if len(self._organizations) >= MAX_SHARED:
            self._organizations.clear()
        return self._organizations.setdefault(organization, organization)

    def _refuse(self, record: bytes, organization: str, activity: bytes) -> Refusal | None:
        try:
            check_nesting(record)
            check_repeated(record)
        except Refusal as refusal:
            return refusal
        size = len(activity) + len(_encode(organization)) + ENVELOPE
        if size > self._max_body:
            return Refusal(
                "too_large",
                f"the request with this row alone would be {size:,} bytes; expected at most "
                f"{self._max_body:,} (--batch-bytes)",
            )
        return None

    def _read_slowly(self, record: bytes, line: int, source: int) -> Change | Invalid:
        """Read a record that has notes, or say what is wrong with it."""
        try:
            values = without_notes(record)
            if "organizationId" not in values and self._organization is not None:
                values["organizationId"] = Raw(_encode(self._organization))
            explain(values)
        except Refusal as refusal:
            return refused_record(record, line, source, refusal)
        # With its organization filled in and its notes left out, the record is read as any other.
        plain = b"{" + b",".join(_encode(key) + b":" + bytes(raw) for key, raw in values.items()) + b"}"
        if plain == record:
            unexplained = Refusal("invalid", "the record cannot be read as a change")
            return refused_record(record, line, source, unexplained)
        outcome = self.read(plain, line, source)
        if type(outcome) is Invalid:
            return msgspec.structs.replace(outcome, raw=record[:MAX_RAW], check=zlib.crc32(record))
        return outcome


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
