"""The ledger as a stranger reads it: lines of JSON, each append closed by a seal.

Nothing of `bulk_update` is used here, so that its reader and its writer cannot be wrong together.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

Line = Mapping[str, Any]
Key = tuple[str, str, str]
"""What a row is known by: organization, id, check; of an invalid one the check alone."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class LedgerText:
    """The lines under seals, seals left out; the bytes up to the last seal that is whole, and what follows it."""

    lines: Sequence[Line]
    whole: bytes
    tail: bytes

    def of(self, kind: str) -> list[Line]:
        """List the lines of a type."""
        return [line for line in self.lines if line["type"] == kind]


def read_text(data: bytes, known: LedgerText | None = None) -> LedgerText:
    """Read a ledger up to the last seal whose append is whole; `known`: what its beginning was read as."""
    lines: list[Line] = []
    size = 0
    if known is not None and data.startswith(known.whole):
        lines, size = list(known.lines), len(known.whole)
    begin, pending = size, list[Line]()
    for text in data[size:].split(b"\n")[:-1]:
        begin += len(text) + 1
        try:
            line = _decode(text)
        except ValueError:
            break
        if line["type"] != "seal":
            pending.append(line)
            continue
        if line["lines"] - line["since"] != len(pending):
            break
        lines += pending
        pending, size = [], begin
    return LedgerText(lines, data[:size], data[size:])


def sendings_in(tail: bytes) -> list[Line]:
    """Find what a torn tail has kept whole of requests that may have gone out."""
    lines = []
    for text in tail.split(b"\n")[:-1]:
        with suppress(ValueError):
            lines.append(_decode(text))
    return [line for line in lines if line.get("type") == "sending"]


def key_of(result: Line) -> Key:
    """Tell what the row of a result is known by."""
    if result["status"] == "invalid":
        return "", "", str(result["check"])
    return str(result["organizationId"]), str(result["id"]), str(result["check"])


@dataclass(frozen=True, slots=True)
class Standing:
    """How the rows of a ledger stand: the results of each, in the order of their first ones."""

    results: Mapping[Key, Sequence[Line]]
    wrong: Sequence[str]
    """Results that say they replace one that is not there."""

    def statuses(self, key: Key) -> list[str]:
        """List the statuses of all rows that are known by this."""
        return [str(result["status"]) for result in self.results.get(key, ())]


def standing_of(lines: Sequence[Line]) -> Standing:
    """Let the last result of each row count."""
    results: defaultdict[Key, list[Line]] = defaultdict(list)
    wrong: list[str] = []
    for line in lines:
        if line["type"] != "result":
            continue
        rows, was = results[key_of(line)], line.get("was")
        if not was:
            rows.append(line)
            continue
        replaced = next((at for at, row in enumerate(rows) if row["status"] == was), None)
        if replaced is None:
            wrong.append(f"line {line['line']} {line['id']}: {line['status']} replaces {was}, which is not there")
        else:
            rows[replaced] = line
    return Standing(results, wrong)


def in_doubt(lines: Sequence[Line]) -> Counter[Key]:
    """Count the rows that stand in a request which went out and of which the ledger does not tell the end."""
    sendings: dict[int, Line] = {}
    for line in lines:
        if line["type"] == "sending":
            sendings[line["request"]] = line
        elif line["type"] == "request" and line.get("settled"):
            sendings.pop(line["request"], None)
    rows: Counter[Key] = Counter()
    for line in sendings.values():
        for identifier, check in zip(line["ids"], line["checks"], strict=True):
            rows[line["organizationId"], identifier, f"{check:08x}"] += 1
    return rows


def has_no_invalid(lines: Sequence[Line]) -> bool:
    """Tell whether the last run of the main job has read its input to the end, and found no invalid row in it."""
    ends: list[Line] = []
    verb = ""
    for line in lines:
        if line["type"] == "run":
            verb = line["verb"]
            ends = ends if verb == "retry" else []
        elif line["type"] == "end" and verb == "run":
            ends.append(line)
    return any(end["summary"]["complete"] and not end["summary"]["invalid"] for end in ends)


def has_settled_all(lines: Sequence[Line]) -> bool:
    """Tell whether the last run of the main job had a result for each row of its input in the end."""
    has_settled, verb = False, ""
    for line in lines:
        if line["type"] == "run":
            verb = line["verb"]
            has_settled = has_settled and verb == "retry"
        elif line["type"] == "end" and verb == "run":
            has_settled = line["summary"]["complete"] and not line["summary"]["unsent"]
    return has_settled
