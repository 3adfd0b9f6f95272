"""What an activity record is: its fields, how it is made, and how updates change it. Pure.

A record's JSON values are never decoded and encoded again: they are kept as the text they came in, so
that an integer of thirty digits, `1.0` or an escaped character is given back as it stood.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

UPDATABLE: Final = (
    "changes",
    "entityData",
    "entityTargetData",
    "displayMessageTemplate",
    "displayMessageTemplateData",
    "actionIcon",
)
"""The fields that an update can replace, and nothing else (the official page, API.md)."""

ADDABLE: Final = frozenset(
    {
        "id",
        "featureType",
        "actionType",
        "actionUser",
        "targetEntityId",
        "targetSubEntityId",
        "isActivityResolverUsed",
        *UPDATABLE,
    }
)
"""The fields that an added activity can have (Velt's page on add)."""

WORKSPACE: Final = "sandbox"
"""Stands in `metadata.apiKey` of the records made here: the caller's key is a secret and is not kept."""

Text = Annotated[str, Meta(min_length=1)]
Feature = Literal["comment", "reaction", "recorder", "crdt", "custom"]


class _Fields(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """Check the fields to update: types as the official page has them, null refused.

    `entityData` and `entityTargetData` may be anything, so nothing here looks at them.
    """

    changes: dict[str, Raw] | UnsetType = UNSET
    display_message_template: str | UnsetType = UNSET
    display_message_template_data: dict[str, Raw] | UnsetType = UNSET
    action_icon: str | UnsetType = UNSET


class ActivityUpdate(_Fields, kw_only=True, gc=False):
    """Check an activity of an update; unknown keys pass here and are left behind by `current`."""

    id: Text


class StrictUpdate(ActivityUpdate, kw_only=True, gc=False, forbid_unknown_fields=True):
    """The same, and refuse unknown keys."""

    entity_data: Raw | UnsetType = UNSET
    entity_target_data: Raw | UnsetType = UNSET


class NullableUpdate(ActivityUpdate, kw_only=True, gc=False):
    """Check an activity of an update in which any field may be null."""

    changes: dict[str, Raw] | UnsetType | None = UNSET  # type: ignore[assignment]
    display_message_template: str | UnsetType | None = UNSET  # type: ignore[assignment]
    display_message_template_data: dict[str, Raw] | UnsetType | None = UNSET  # type: ignore[assignment]
    action_icon: str | UnsetType | None = UNSET  # type: ignore[assignment]


class StrictNullableUpdate(NullableUpdate, kw_only=True, gc=False, forbid_unknown_fields=True):
    """The same, and refuse unknown keys."""

    entity_data: Raw | UnsetType = UNSET
    entity_target_data: Raw | UnsetType = UNSET


class _User(msgspec.Struct, rename="camel"):
    user_id: str | None = None


class _AddedUser(msgspec.Struct, rename="camel"):
    user_id: Text


class _Metadata(msgspec.Struct, rename="camel"):
    document_id: str | None = None


class AddedActivity(_Fields, kw_only=True):
    """Check an activity of an add: the id may be left to the server (Velt's page on add)."""

    id: Text | UnsetType = UNSET
    feature_type: Feature
    action_type: Text
    action_user: _AddedUser
    target_entity_id: Text | UnsetType = UNSET
    target_sub_entity_id: str | UnsetType = UNSET
    is_activity_resolver_used: bool | UnsetType = UNSET


class _SeedRecord(ActivityUpdate, kw_only=True):
    organization_id: Text
    feature_type: str | None = None
    action_type: str | None = None
    action_user: _User | None = None
    target_entity_id: str | None = None
    metadata: _Metadata | None = None
    timestamp: Annotated[int, Meta(ge=0, le=2**53)] = 0
    immutable: bool | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it is put into the store, and the keys that it is found by.

    `body`: the JSON object that `get` returns, before any update; an `organizationId` at its top, as a seed
    has it, is left out when it is read. `timestamp`: milliseconds since 1970,
    0 where the record has none. `immutable`: refuses updates and deletion; None: as the workspace has it.
    """

    organization: str
    id: str
    body: bytes
    document: str | None = None
    target: str | None = None
    feature: str | None = None
    action: str | None = None
    user: str | None = None
    timestamp: int = 0
    immutable: bool | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What a change comes from: the number of its request, its time in milliseconds since 1970, its path."""

    request: int
    time: int
    path: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an id. `kind`: seed, add, update or delete.

    `request` and `time` as in `Origin`; None for what a seed brought. `body`: the record, or the activity of an
    update, as it came; None of a deletion, and of a record that has its id alone.
    """

    kind: str
    request: int | None
    time: int | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Folding:
    """How an update changes a record: `merge` objects into what is there; `clear` fields that are null."""

    merge: bool = False
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Which records of an organization are meant; None means any (Velt's page on get).

    `after`: timestamp and id of the last record of the page before, exclusive.
    """

    organization: str
    ids: tuple[str, ...] | None = None
    document: str | None = None
    target: str | None = None
    features: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    user: str | None = None
    descending: bool = True
    after: tuple[int, str] | None = None


_seed_decoder = msgspec.json.Decoder(_SeedRecord)
_members_decoder = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


def seed_record(line: bytes) -> Record:
    """Read a line of a seed: a record with its `organizationId` and `id`; raise ValueError."""
    if not line.isascii():
        line.decode()  # what msgspec skips as Raw it does not check; UnicodeDecodeError is a ValueError
    try:
        seed = _seed_decoder.decode(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return Record(
        seed.organization_id,
        seed.id,
        line.strip(),
        seed.metadata.document_id if seed.metadata else None,
        seed.target_entity_id,
        seed.feature_type,
        seed.action_type,
        seed.action_user.user_id if seed.action_user else None,
        seed.timestamp,
        seed.immutable,
    )


@dataclass(frozen=True, slots=True)
class Addition:
    """What every activity of one add has in common; `timestamp` in milliseconds since 1970."""

    organization: str
    document: str
    timestamp: int
    immutable: bool = False


def added_record(addition: Addition, id: str, activity: AddedActivity, raw: Raw) -> Record:
    """Make the record of an added activity: its documented fields, and what the server stamps on it."""
    members = {name: value for name, value in _members_decoder.decode(raw).items() if name in ADDABLE}
    metadata = {"apiKey": WORKSPACE, "documentId": addition.document, "organizationId": addition.organization}
    stamped = {"metadata": Raw(_encode(metadata)), "timestamp": Raw(_encode(addition.timestamp))}
    if addition.immutable:
        stamped["immutable"] = Raw(b"true")
    return Record(
        organization=addition.organization,
        id=id,
        body=_encode({"id": Raw(_encode(id)), **members, **stamped}),
        document=addition.document,
        target=activity.target_entity_id or None,
        feature=activity.feature_type,
        action=activity.action_type,
        user=activity.action_user.user_id,
        timestamp=addition.timestamp,
        immutable=True if addition.immutable else None,
    )


_AS_DOCUMENTED: Final = Folding()


def current(
    organization: str, id: str, body: bytes | None, updates: Iterable[bytes], folding: Folding = _AS_DOCUMENTED
) -> bytes:
    """Return the record after `updates`, oldest first: a supplied field is replaced whole, unless told.

    A record without a `body` has its id alone. One without `metadata` gets the part of it that is known.
    """
    members = _members_decoder.decode(body) if body else {"id": Raw(_encode(id))}
    members.pop("organizationId", None)
    for update in updates:
        supplied = _members_decoder.decode(update)
        for name in UPDATABLE:
            if name in supplied:
                _supply(members, name, supplied[name], folding)
    if "metadata" not in members:
        members["metadata"] = Raw(_encode({"apiKey": WORKSPACE, "organizationId": organization}))
    return _encode(members)


def exported(organization: str, record: bytes) -> bytes:
    """Return a record, as `get` would give it, as a line of a seed, without the newline."""
    return b'{"organizationId":' + _encode(organization) + b"," + record[1:]


def _supply(members: dict[str, Raw], name: str, value: Raw, folding: Folding) -> None:
    # Only null of a typed field means "clear": entityData and entityTargetData may be anything.
    if folding.clear and bytes(value) == b"null" and not name.startswith("entity"):
        members.pop(name, None)
    elif folding.merge and name in members:
        members[name] = _merged(members[name], value)
    else:
        members[name] = value


def _merged(old: Raw, new: Raw) -> Raw:
    try:
        into, supplied = _members_decoder.decode(old), _members_decoder.decode(new)
    except msgspec.ValidationError:  # one of them is no object
        return new
    for key, value in supplied.items():
        into[key] = _merged(into[key], value) if key in into else value
    return Raw(_encode(into))
