"""What is only inferred of the API, as switches: each with its values, its default and its reason. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args, get_type_hints

from bulk_update.errors import SettingsError, UsageError
from bulk_update.pure.names import nearest
from bulk_update.pure.quantities import parse_size, parse_whole

BODY_LIMIT: Final = 10 * 1024 * 1024
"""Bytes of a request body, at most: what a cloud function takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the sandbox decides where no page of Velt's does; `REASONS` tells why each default is what it is."""

    update: Literal["replace", "merge"] = "replace"
    null: Literal["refuse", "keep", "clear"] = "refuse"
    unknown_keys: Literal["strip", "refuse"] = "strip"
    unknown_organization: Literal["failed", "not-found"] = "failed"
    partial_failure: Literal["ok", "error"] = "ok"
    max_activities: int | None = None
    over_max: Literal["refuse", "truncate"] = "refuse"
    max_bytes: int = BODY_LIMIT
    immutable: Literal["no", "yes"] = "no"
    retry_after: Literal["none", "seconds", "date"] = "none"


REASONS: Final[Mapping[str, str]] = {
    "update": "whether a supplied object replaces the field whole or is merged into it; replaced: the page "
    "speaks of snapshots, and Firestore replaces unless told",
    "null": "null for changes, the templates or actionIcon: the request is refused, null is kept, or the field "
    "is removed; refused: the page gives these fields types without null",
    "unknown-keys": "keys of an activity that the page does not name: left behind, or the request is refused; "
    "left behind: the SDK filters them itself and says that the server strips them elsewhere",
    "unknown-organization": "an organization without records: its ids fail one by one, or NOT_FOUND; failed: the "
    "page tells only of activities that are not found",
    "partial-failure": "some ids fail: HTTP 200 with verdicts, or HTTP 500 with the map in error.details; 200: the "
    "page shows it, the 500 is documented for sister endpoints",
    "max-activities": "activities in a request, at most; none: no page names a limit",
    "over-max": "more activities than that: refused whole, or the rest silently left out; refused: silence is "
    "documented for one other endpoint alone",
    "max-bytes": "bytes of a request body, at most: 413 above; 10MiB: what a cloud function takes",
    "immutable": "whether records that have no `immutable` of their own, added ones included, refuse updates; no: "
    "the configuration decides it, and a rehearsal in which every row fails teaches little",
    "retry-after": "the header of a 429 by the rate limit; none: Velt documents none",
}
"""Why each default is what it is, by the name of the switch on the command line."""


def read_switches(words: list[str]) -> Switches:
    """Read words such as `null=keep`; raise SettingsError."""
    chosen: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in REASONS:
            meant = nearest(name, REASONS)
            hint = f"; did you mean {meant}?" if meant else f"; known are {', '.join(REASONS)}"
            raise SettingsError(f"--switch: found no switch {name!r}{hint}")
        try:
            chosen[name.replace("-", "_")] = _value(name, text)
        except UsageError as error:
            raise SettingsError(f"--switch {name}: {error}") from None
    return Switches(**chosen)


def values_of(name: str) -> tuple[str, ...]:
    """Return the words that a switch can be set to; none where it is a number."""
    hint = get_type_hints(Switches)[name.replace("-", "_")]
    return tuple(word for word in get_args(hint) if isinstance(word, str))


def default_of(name: str) -> str:
    """Return the default of a switch as a word."""
    (default,) = (field.default for field in fields(Switches) if field.name == name.replace("-", "_"))
    return "none" if default is None else "10MiB" if default == BODY_LIMIT else str(default)


def _value(name: str, text: str) -> object:
    if name == "max-bytes":
        return parse_size(text)
    if name == "max-activities":
        return None if text == "none" else parse_whole(text)
    if text not in values_of(name):
        raise SettingsError(f"--switch {name}: found {text!r}, expected {' or '.join(values_of(name))}")
    return text
