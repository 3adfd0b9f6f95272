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


class ActivityUpdate(_Fields, gc=False):
    """Check an activity of an update; unknown keys pass here and are left behind by `current`."""

    id: Text


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
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is put into the store, and the keys that it is found by.

    `body`: the JSON object that `get` returns, before any update. `timestamp`: milliseconds since 1970,
    0 where the record has none. `immutable`: refuses updates and deletion.
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
    immutable: bool = False


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
        members = _members_decoder.decode(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    del members["organizationId"]
    return Record(
        organization=seed.organization_id,
        id=seed.id,
        body=_encode(members),
        document=seed.metadata.document_id if seed.metadata else None,
        target=seed.target_entity_id,
        feature=seed.feature_type,
        action=seed.action_type,
        user=seed.action_user.user_id if seed.action_user else None,
        timestamp=seed.timestamp,
        immutable=seed.immutable,
    )


@dataclass(frozen=True, slots=True)
class Addition:
    """What every activity of one add has in common; `timestamp` in milliseconds since 1970."""

    organization: str
    document: str
    timestamp: int


def added_record(addition: Addition, id: str, activity: AddedActivity, raw: Raw) -> Record:
    """Make the record of an added activity: its documented fields, and what the server stamps on it."""
    members = {name: value for name, value in _members_decoder.decode(raw).items() if name in ADDABLE}
    metadata = {"apiKey": WORKSPACE, "documentId": addition.document, "organizationId": addition.organization}
    stamped = {"metadata": Raw(_encode(metadata)), "timestamp": Raw(_encode(addition.timestamp))}
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
    )


def current(organization: str, id: str, body: bytes | None, updates: Iterable[bytes]) -> bytes:
    """Return the record after `updates`, oldest first: a supplied field is replaced whole.

    A record without a `body` has its id alone. One without `metadata` gets the part of it that is known.
    """
    members = _members_decoder.decode(body) if body else {"id": Raw(_encode(id))}
    for update in updates:
        supplied = _members_decoder.decode(update)
        members.update((name, supplied[name]) for name in UPDATABLE if name in supplied)
    if "metadata" not in members:
        members["metadata"] = Raw(_encode({"apiKey": WORKSPACE, "organizationId": organization}))
    return _encode(members)
