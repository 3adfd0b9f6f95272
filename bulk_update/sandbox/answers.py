"""Request JSON -> a checked request, or the refusal it gets; results -> answer JSON. Pure.

What is documented, and what is inferred and was chosen here:

    the shape of an update, its verdicts and messages           the official page on update
    get, add, delete, activityconfig/get: shapes and messages   Velt's pages on each
    google.rpc status -> HTTP number                            the protocol's own table
    extra keys beside `data`: INVALID_ARGUMENT                  inferred: a callable refuses them
    null for changes, the templates, actionIcon: refused        inferred; null is a value of entityData
    unknown keys of an activity: left behind silently           inferred
    an empty list of activities or ids: INVALID_ARGUMENT        inferred
    an unknown organization: its ids are not found, each        inferred; NOT_FOUND is possible
    a page token of another query: INVALID_ARGUMENT             inferred
    half a surrogate pair escaped in a string: not JSON         inferred: it is no Unicode
    a key of `data` that no page names: UNIMPLEMENTED           the sandbox's own: nobody knows
    any number of activities in a request, 30,000 ids           no limit is documented; the body is capped

An activity may be without any field to update: no page forbids it, and nothing happens to the record.
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Raw

from bulk_update.sandbox.records import ActivityUpdate, AddedActivity, Feature, Query, Text

HTTP: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The google.rpc statuses and the HTTP number of each (API.md)."""

JSON: Final = "application/json; charset=utf-8"


class Refused(Exception):
    """Refuse a request whole: nothing of it is applied. `status`: a key of `HTTP`."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back for one request, and what it did.

    `updated` and `failed`: verdicts of an update. `duplicates`: ids that stood in it more than once.
    """

    status: int
    body: bytes
    content_type: str = JSON
    updated: int = 0
    failed: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """A checked update: each activity with its id, as it came and in the order it came."""

    organization: str
    activities: list[tuple[str, Raw]]


@dataclass(frozen=True, slots=True)
class Page:
    """A checked get. `size`: records on the page, at most; from 1."""

    query: Query
    size: int


@dataclass(frozen=True, slots=True)
class Add:
    """A checked add: each activity as it was checked, and as it came."""

    organization: str
    document: str
    activities: list[tuple[AddedActivity, Raw]]


# ------------------------------------------------------------------------------------ what is accepted

_Data = TypeVar("_Data", bound=msgspec.Struct)
_Activity = TypeVar("_Activity", bound=msgspec.Struct)
_Activities = Annotated[list[Raw], Meta(min_length=1)]
_Texts = Annotated[tuple[Text, ...], Meta(min_length=1)]
# SQLite takes 32,766 values in a statement; nobody asks for so many records by id.
_Ids = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=30_000)]


class _Envelope(msgspec.Struct, Generic[_Data], forbid_unknown_fields=True):
    data: _Data


class _UpdateData(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    organization_id: Text
    activities: _Activities


class _GetData(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    organization_id: Text
    activity_ids: _Ids | None = None
    document_id: Text | None = None
    target_entity_id: Text | None = None
    feature_types: Annotated[tuple[Feature, ...], Meta(min_length=1)] | None = None
    action_types: _Texts | None = None
    user_id: Text | None = None
    order: Literal["asc", "desc"] = "desc"
    page_size: Annotated[int, Meta(ge=1, le=2**31)] = 1000
    page_token: str | None = None


class _AddData(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    organization_id: Text
    document_id: Text
    activities: _Activities


class _DeleteData(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    organization_id: Text
    activity_ids: _Ids | None = None
    document_id: Text | None = None
    target_entity_id: Text | None = None


class _NoData(msgspec.Struct, forbid_unknown_fields=True):
    pass


_update_decoder = msgspec.json.Decoder(_Envelope[_UpdateData])
_get_decoder = msgspec.json.Decoder(_Envelope[_GetData])
_add_decoder = msgspec.json.Decoder(_Envelope[_AddData])
_delete_decoder = msgspec.json.Decoder(_Envelope[_DeleteData])
_config_decoder = msgspec.json.Decoder(_Envelope[_NoData])
_activity_update_decoder = msgspec.json.Decoder(ActivityUpdate)
_added_activity_decoder = msgspec.json.Decoder(AddedActivity)
_loose_decoder = msgspec.json.Decoder(dict[str, Raw])


# ----------------------------------------------------------------------------------- reading requests


def read_update(body: bytes) -> Update:
    """Check an update; raise Refused."""
    data = _read(_update_decoder, body)
    activities = _activities(_activity_update_decoder, data.activities)
    return Update(data.organization_id, [(activity.id, raw) for activity, raw in activities])


def read_get(body: bytes) -> Page:
    """Check a get and the page token in it; raise Refused."""
    data = _read(_get_decoder, body)
    query = Query(
        organization=data.organization_id,
        ids=data.activity_ids,
        document=data.document_id,
        target=data.target_entity_id,
        features=data.feature_types,
        actions=data.action_types,
        user=data.user_id,
        descending=data.order == "desc",
    )
    if data.page_token is not None:
        query = replace(query, after=_read_page_token(query, data.page_token))
    return Page(query, data.page_size)


def read_add(body: bytes) -> Add:
    """Check an add, `targetEntityId` of custom activities included; raise Refused."""
    data = _read(_add_decoder, body)
    activities = _activities(_added_activity_decoder, data.activities)
    for index, (activity, _) in enumerate(activities):
        if activity.feature_type == "custom" and not activity.target_entity_id:
            raise Refused(
                "INVALID_ARGUMENT",
                f"targetEntityId is required when featureType is custom - at `$.data.activities[{index}]`",
            )
    return Add(data.organization_id, data.document_id, activities)


def read_delete(body: bytes) -> Query:
    """Check a delete: what is to go must be named somehow; raise Refused."""
    data = _read(_delete_decoder, body)
    if data.activity_ids is None and data.document_id is None and data.target_entity_id is None:
        raise Refused(
            "INVALID_ARGUMENT",
            "At least one of documentId, targetEntityId, or activityIds must be provided",
        )
    return Query(
        organization=data.organization_id,
        ids=data.activity_ids,
        document=data.document_id,
        target=data.target_entity_id,
    )


def read_config(body: bytes) -> None:
    """Check a get of the activity configuration, which needs no body; raise Refused."""
    if body:
        _read(_config_decoder, body)


def _read(decoder: msgspec.json.Decoder[_Envelope[_Data]], body: bytes) -> _Data:
    try:
        if not body.isascii():
            body.decode()  # what msgspec skips as Raw it does not check
        return decoder.decode(body).data
    except UnicodeDecodeError as error:
        raise Refused("INVALID_ARGUMENT", f"The body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError as error:
        raise _not_as_documented(body, get_args(decoder.type)[0], str(error)) from None
    except msgspec.DecodeError as error:
        raise _not_json(error) from None


def _not_as_documented(body: bytes, data_type: type[msgspec.Struct], found: str) -> Refused:
    """Return why a body was refused in which `found` was found first.

    Syntax goes before keys beside `data`, those before unknown keys of `data`, those before types.
    """
    try:
        whole = _loose_decoder.decode(body)
        data = _loose_decoder.decode(whole.get("data", b"{}"))
    except RecursionError:
        return _too_deep()
    except msgspec.ValidationError:
        return Refused("INVALID_ARGUMENT", found)  # no object where one must be: `found` says so
    except msgspec.DecodeError as error:
        return _not_json(error)
    if extra := sorted(whole.keys() - {"data"}):
        return Refused("INVALID_ARGUMENT", f"The body contains an extra field `{extra[0]}`")
    if unknown := sorted(data.keys() - {field.encode_name for field in msgspec.structs.fields(data_type)}):
        message = f"The sandbox knows no `$.data.{unknown[0]}`: Velt's page on this endpoint does not name it"
        return Refused("UNIMPLEMENTED", message)
    return Refused("INVALID_ARGUMENT", found)


def _not_json(error: msgspec.DecodeError) -> Refused:
    return Refused("INVALID_ARGUMENT", f"The body is not JSON: {error}")


def _too_deep() -> Refused:
    return Refused("INVALID_ARGUMENT", "The body is nested too deeply")


def _activities(decoder: msgspec.json.Decoder[_Activity], raws: list[Raw]) -> list[tuple[_Activity, Raw]]:
    checked = []
    for index, raw in enumerate(raws):
        try:
            activity = decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise Refused("INVALID_ARGUMENT", _placed(str(error), index)) from None
        checked.append((activity, raw))
    return checked


def _placed(message: str, index: int) -> str:
    """Return msgspec's message about an activity with the place that it has in the request."""
    place = f"`$.data.activities[{index}]"
    return message.replace("`$", place, 1) if "`$" in message else f"{message} - at {place}`"


# ------------------------------------------------------------------------------------ writing answers

_encode = msgspec.json.Encoder().encode

_UPDATED = b':{"success":true,"message":"Activity updated."}'
_NOT_UPDATED = b':{"success":false,"message":"Failed to update activity."}'
_DELETED = b':{"success":true,"message":"Activity deleted."}'
_NOT_DELETED = b':{"success":false,"message":"Failed to delete activity."}'

ADDED: Final = Reply(
    200,
    b'{"result":{"status":"success","message":"Activity(s) added successfully.",'
    b'"data":{"success":true,"message":"Activity(s) added successfully."}}}',
)
CONFIG: Final = Reply(
    200,
    b'{"result":{"status":"success","message":"Activity logs configuration retrieved successfully.",'
    b'"data":{"activityServiceConfig":'
    b'{"isEnabled":true,"immutable":false,"triggers":{"comment":{"added":true}}}}}}',
)
TOO_LARGE: Final = Reply(
    413,
    b"<html><head><title>413 Request Entity Too Large</title></head>"
    b"<body><h1>Error: Request Entity Too Large</h1></body></html>",
    content_type="text/html; charset=utf-8",
)
"""No page tells what a body over the cap gets: a front end's HTML, so that nobody counts on JSON."""


def update_reply(update: Update, found: Iterable[str]) -> Reply:
    """Write the verdicts, one for each id: `found` were updated, the others do not exist or refuse it."""
    ids = dict.fromkeys(id for id, _ in update.activities)
    existing = set(found)
    verdicts = b",".join([_encode(id) + (_UPDATED if id in existing else _NOT_UPDATED) for id in ids])
    updated = len(existing)
    return Reply(
        200,
        b'{"result":{"status":"success","message":"Activity(s) updated successfully.","data":{'
        + verdicts
        + b"}}}",
        updated=updated,
        failed=len(ids) - updated,
        duplicates=len(update.activities) - len(ids),
    )


def get_reply(records: list[bytes], page_token: str | None) -> Reply:
    """Write a page of records; `page_token` where more follow."""
    token = b"" if page_token is None else b',"pageToken":' + _encode(page_token)
    return Reply(
        200,
        b'{"result":{"status":"success","message":"Activity(s) retrieved successfully.","data":['
        + b",".join(records)
        + b"]"
        + token
        + b"}}",
    )


def delete_reply(verdicts: Mapping[str, bool]) -> Reply:
    """Write the verdicts of a delete by id."""
    members = [_encode(id) + (_DELETED if deleted else _NOT_DELETED) for id, deleted in verdicts.items()]
    return Reply(
        200,
        b'{"result":{"status":"success","message":"Activity(s) deleted successfully.","data":{'
        + b",".join(members)
        + b"}}}",
    )


def refusal(refused: Refused) -> Reply:
    """Write the failure response of the official page."""
    error = {"message": refused.message, "status": refused.status}
    return Reply(HTTP[refused.status], _encode({"error": error}))


# ---------------------------------------------------------------------------------------- page tokens


def page_token(query: Query, timestamp: int, id: str) -> str:
    """Return the token of the page after the record of `timestamp` and `id`: opaque, as Velt's is."""
    return urlsafe_b64encode(_encode((_fingerprint(query), timestamp, id))).decode()


def _read_page_token(query: Query, token: str) -> tuple[int, str]:
    try:
        fingerprint, timestamp, id = msgspec.json.decode(urlsafe_b64decode(token), type=tuple[int, int, str])
    except ValueError:  # msgspec's errors, binascii's and UnicodeEncodeError are all of them
        raise Refused("INVALID_ARGUMENT", "Invalid pageToken.") from None
    if fingerprint != _fingerprint(query):
        raise Refused("INVALID_ARGUMENT", "The pageToken belongs to another query.")
    return timestamp, id


def _fingerprint(query: Query) -> int:
    return zlib.crc32(_encode(replace(query, after=None)))
