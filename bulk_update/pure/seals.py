"""The seals that guard a ledger: one closes each append.

A seal holds a checksum of its append and of the seal before, so every line is guarded by all seals after
it: a line changed, dropped, doubled or moved is found. `lines` counts the lines before the seal; `since`
is the `lines` of the seal before it.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from bulk_update.pure.ledger_lines import decode_line

_SEAL_START: Final = b'{"type":"seal",'
_ZERO: Final = b"\0"
"""No line holds it: JSON has it escaped."""


class SealLine(msgspec.Struct, tag_field="type", tag="seal"):
    """An append is whole."""

    lines: int
    since: int
    chain: str


_encode: Final = msgspec.json.Encoder().encode
_decode_seal: Final = msgspec.json.Decoder(SealLine).decode


@dataclass(frozen=True, slots=True)
class Seal:
    """The end of what is known to be whole.

    `lines`: lines of the file before the seal. `since`: line number of the seal before, 0 for the first.
    `chain`: checksum of the append and of the chain before it, in hex.
    """

    lines: int = 0
    since: int = 0
    chain: str = ""

    def next(self, append: bytes) -> "Seal":
        """Compute the seal that closes an append of whole lines after this one."""
        since = self.lines + 1 if self.chain else 0
        digest = hashlib.blake2b(self.chain.encode() + append, digest_size=12)
        return Seal(since + append.count(b"\n"), since, digest.hexdigest())

    def encode(self) -> bytes:
        """Write the seal line, its end included."""
        return _encode(SealLine(self.lines, self.since, self.chain)) + b"\n"


@dataclass(frozen=True, slots=True)
class Append:
    """Whole lines under one verified seal. `first_line`: number of the first, from 1. `offset`: its first byte."""

    first_line: int
    lines: bytes
    offset: int


class Damage(Exception):
    """Tell that a ledger is damaged at a line (from 1), and not merely torn at its end."""

    def __init__(self, line: int, found: str) -> None:
        super().__init__(f"line {line}: {found}")
        self.line = line
        self.found = found


class SealedReader:
    """Verify a ledger while it is read in blocks, wherever they are cut; `finish` tells what is left at its end.

    Only the last append can be torn: the one before it was synced before it began. What a crash leaves of it
    is a beginning; or, of a power cut, also zeros in the place of pages that had not reached the disk, even
    before a seal that had. All else that follows the last good seal is damage.
    """

    def __init__(self) -> None:
        self.seal = Seal()
        """The last seal that is good."""
        self.size = 0
        """Bytes of the file up to the end of that seal."""
        self._rest = b""
        self._damage: Damage | None = None

    def feed(self, block: bytes) -> list[Append]:
        """Hand out the appends that the block completes. `Damage` when one is broken."""
        if self._damage is not None and block:
            raise self._damage
        rest = self._rest + block
        appends: list[Append] = []
        begin = 0
        while (at := _find_seal(rest, begin)) >= 0 and (end := rest.find(b"\n", at) + 1) > 0:
            lines, found = rest[begin:at], rest[at:end]
            seal = self.seal.next(lines)
            if found != seal.encode():
                self._damage = _damage(seal, lines, found)
                if end < len(rest) or _follows_another(found, seal):
                    raise self._damage
                break
            appends.append(Append(seal.since + 1, lines, self.size))
            self.seal = seal
            self.size += end - begin
            begin = end
        self._rest = rest[begin:]
        return appends

    def finish(self) -> bytes:
        """Return the torn tail, b"" when there is none. `Damage` when it is not what a crash leaves."""
        tail = self._rest
        if _ZERO in tail:
            return tail
        damage = self._damage or _foreign_line(self.seal.next(b"").since + 1, tail)
        if damage is not None:
            raise damage
        return tail


def _find_seal(text: bytes, begin: int) -> int:
    if text.startswith(_SEAL_START, begin):
        return begin
    return text.find(b"\n" + _SEAL_START, begin) + 1 or -1


def _follows_another(found: bytes, expected: Seal) -> bool:
    """Tell whether a seal was written after one that is no longer there."""
    try:
        return _decode_seal(found).since != expected.since
    except ValueError:
        return False


def _damage(expected: Seal, lines: bytes, found: bytes) -> Damage:
    """Find the line that is damaged, as nearly as can be told."""
    foreign = _foreign_line(expected.since + 1, lines)
    if foreign is not None:
        return foreign
    try:
        seal = _decode_seal(found)
    except ValueError:
        return Damage(expected.lines + 1, "found a seal that cannot be read")
    if seal.since != expected.since or seal.lines != expected.lines:
        return Damage(expected.since + 1, "found lines missing, added or moved since they were written")
    return Damage(expected.since + 1, f"found lines up to {expected.lines} changed since they were written")


def _foreign_line(number: int, text: bytes) -> Damage | None:
    """Find the first whole line that is not the ledger's. `number`: of the first line of the text."""
    for at, line in enumerate(text.split(b"\n")[:-1], number):
        try:
            decode_line(line)
        except (ValueError, RecursionError):
            return Damage(at, "found a line that is not the ledger's")
    return None
