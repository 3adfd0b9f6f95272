"""Request JSON -> a checked request, or the refusal it gets. Pure.

Syntax goes before keys beside `data`, those before unknown keys of `data`, those before types: first failure first.
A key of `data` that no page names is UNIMPLEMENTED: nobody knows what it would do. An activity may be without any
field to update: no page forbids it, and nothing happens to the record.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Raw

from bulk_update.sandbox.answers import Refused
from bulk_update.sandbox.page_tokens import read_page_token
from bulk_update.sandbox.records import (
    ActivityUpdate,
    AddedActivity,
    Feature,
    NullableUpdate,
    Query,
    StrictNullableUpdate,
    StrictUpdate,
    Text,
)
from bulk_update.sandbox.switches import Switches


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


_AS_DOCUMENTED = Switches()

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


@dataclass(frozen=True, slots=True)
class _Checks:
    """Check activities of an update: one, to say what is wrong with it, or all at once."""

    one: msgspec.json.Decoder[ActivityUpdate]
    all: msgspec.json.Decoder[list[ActivityUpdate]]


def _checks(kind: type[ActivityUpdate]) -> _Checks:
    return _Checks(msgspec.json.Decoder(kind), msgspec.json.Decoder(list[kind]))  # type: ignore[valid-type]


_update_checks: dict[tuple[bool, bool], _Checks] = {
    (False, False): _checks(ActivityUpdate),
    (False, True): _checks(StrictUpdate),
    (True, False): _checks(NullableUpdate),
    (True, True): _checks(StrictNullableUpdate),
}
"""By whether null is taken, and whether unknown keys are refused."""
_added_activity_decoder = msgspec.json.Decoder(AddedActivity)
_loose_decoder = msgspec.json.Decoder(dict[str, Raw])


def read_update(body: bytes, switches: Switches = _AS_DOCUMENTED) -> Update:
    """Check an update; raise Refused."""
    data = _read(_update_decoder, body)
    raws = data.activities
    if switches.max_activities is not None and len(raws) > switches.max_activities:
        if switches.over_max == "refuse":
            at_most = f"At most {switches.max_activities} activities are allowed in a request."
            raise Refused("INVALID_ARGUMENT", at_most)
        raws = raws[: switches.max_activities]
    checks = _update_checks[switches.null != "refuse", switches.unknown_keys == "refuse"]
    try:
        # All at once: a hundred calls cost more than the decoding.
        checked = checks.all.decode(b"[" + b",".join(raws) + b"]")
    except msgspec.ValidationError:
        checked = [activity for activity, _ in _activities(checks.one, raws)]  # says which it is
    return Update(data.organization_id, [(activity.id, raw) for activity, raw in zip(checked, raws, strict=True)])


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
        try:
            query = replace(query, after=read_page_token(query, data.page_token))
        except ValueError as error:
            raise Refused("INVALID_ARGUMENT", str(error)) from None
    return Page(query, data.page_size)


def read_add(body: bytes) -> Add:
    """Check an add, `targetEntityId` of custom activities included; raise Refused."""
    data = _read(_add_decoder, body)
    activities = _activities(_added_activity_decoder, data.activities)
    for index, (activity, _) in enumerate(activities):
        if activity.feature_type == "custom" and not activity.target_entity_id:
            # The message is the one that the official SDK quotes; the place is the sandbox's own.
            message = f"Target entity ID is required - at `$.data.activities[{index}]`"
            raise Refused("INVALID_ARGUMENT", message)
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
