"""What a fault does to a request: around the one call that answers it. Pure but for that call."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Final

import msgspec
from msgspec import Raw

from bulk_update.sandbox.admission import Arrival
from bulk_update.sandbox.answers import HTTP, Refused, Reply, refusal
from bulk_update.sandbox.faults.choosing import Fault, drawn
from bulk_update.sandbox.faults.rules import Act
from bulk_update.sandbox.operations import Workspace

Respond = Callable[[Workspace, Arrival], Reply]

_NAMES: Final = {number: name for name, number in reversed(list(HTTP.items()))} | {500: "INTERNAL"}
_STRANGER: Final = Raw(b'{"success":true,"message":"Activity updated."}')
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a reply goes back.

    `reply`: None for a connection that is closed without one. `delay`: seconds before it leaves. `cut`: the part
    of it that is sent, before the connection is closed; None for all of it, and no closing. `lost`: what was done,
    and is not told.
    """

    reply: Reply | None
    delay: float = 0.0
    cut: float | None = None
    lost: Reply | None = None


def deliver(fault: Fault, workspace: Workspace, arrival: Arrival, respond: Respond) -> Delivery:
    """Answer a request as the fault has it."""
    act = fault.act
    if act is None:
        return Delivery(respond(workspace, arrival))
    if act.drop == "before":
        return Delivery(None)
    if act.is_canned and not act.applied:
        return Delivery(_canned(act, workspace))
    reply = respond(_troubled(workspace, fault, act), arrival)
    if act.drop == "after":
        return Delivery(None, lost=reply)
    delay = 0.0 if act.late is None else drawn(act.late, fault.chance)
    if act.is_canned:
        return Delivery(replace(_canned(act, workspace), updated=reply.updated, failed=reply.failed), delay)
    return Delivery(_altered(reply, act, fault), delay, act.cut)


def _troubled(workspace: Workspace, fault: Fault, act: Act) -> Workspace:
    if act.refuse is not None:
        workspace = replace(workspace, refuses=fault.refuses)
    if act.details:
        workspace = replace(workspace, switches=replace(workspace.switches, partial_failure="error"))
    return workspace


def _canned(act: Act, workspace: Workspace) -> Reply:
    headers: tuple[tuple[str, str], ...] = ()
    if act.retry_after is not None:
        headers = (("Retry-After", str(act.retry_after)),)
    elif act.retry_after_date is not None:
        then = workspace.clock() / 1000 + act.retry_after_date
        headers = (("Retry-After", formatdate(then, usegmt=True)),)
    name = act.error or _NAMES.get(act.status or 0, "UNKNOWN")
    status = HTTP[name] if act.status is None else act.status
    if act.body is None:
        return replace(refusal(Refused(name, act.message)), status=status, headers=headers)
    return Reply(status, act.body.encode(), act.content_type, headers=headers)


def _altered(reply: Reply, act: Act, fault: Fault) -> Reply:
    if act.missing is not None or act.strangers is not None:
        reply = replace(reply, body=_other_verdicts(reply.body, act, fault))
    if act.garble:
        reply = replace(reply, body=_garbled(reply.body))
    return reply


def _other_verdicts(body: bytes, act: Act, fault: Fault) -> bytes:
    """Leave verdicts out of an answer and put others in; what holds no verdicts stays as it is."""
    try:
        result = _members.decode(_members.decode(body)["result"])
        verdicts = _members.decode(result["data"])
    except (KeyError, msgspec.DecodeError):
        return body
    kept = {id: verdict for id, verdict in verdicts.items() if not _is_missing(id, act, fault, fault.chance)}
    kept |= {f"stranger-{number}": _STRANGER for number in range(1, (act.strangers or 0) + 1)}
    result["data"] = Raw(_encode(kept))
    return _encode({"result": result})


def _is_missing(id: str, act: Act, fault: Fault, chance: random.Random) -> bool:
    if act.missing is None or (fault.ids and not fnmatchcase(id, fault.ids)):
        return False
    return chance.random() < act.missing


def _garbled(body: bytes) -> bytes:
    """Break the JSON in its middle, and its UTF-8 as well; the length stays."""
    middle = len(body) // 2
    noise = b"\xff\x00{]"
    return body[:middle] + noise + body[middle + len(noise) :]
