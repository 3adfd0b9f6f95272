"""All that has happened on one ledger, for the oracle to judge."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
from msgspec import Raw

from tests.simulation.api import Api, Attempt
from tests.simulation.disk import Disk
from tests.simulation.ledger import Key, LedgerText, Line, Standing, key_of, read_text, standing_of
from tests.simulation.records import Record, present
from tests.simulation.runs import Done
from tests.simulation.scenario import Scenario
from tests.simulation.world import World


@dataclass(slots=True)
class History:
    """The world, and the runs so far."""

    world: World
    api: Api
    disk: Disk
    scenario: Scenario
    runs: list[Done] = field(default_factory=list)
    read: LedgerText | None = None
    """The ledger as it was read last."""
    written: dict[Key, Record] = field(default_factory=dict)
    """Every record that any input had, by what it is known by."""

    def accuse(self, invariant: int | str, words: str) -> None:
        """Note a violation in the last run."""
        self.world.accuse(invariant, f"run {len(self.runs)}: {words}")


class Evidence:
    """What one run left behind, read once."""

    def __init__(self, history: History, done: Done) -> None:
        self.history = history
        self.done = done
        self.before: LedgerText = read_text(done.before, history.read)
        self.after: LedgerText = read_text(done.after, self.before)
        history.read = self.after
        if len(self.after.lines) < len(self.before.lines):
            # A power cut took what an earlier process had not synced, before this one could.
            self.before = self.after
        self.new: Sequence[Line] = self.after.lines[len(self.before.lines) :]
        self.attempts: list[Attempt] = [a for a in history.api.attempts if a.run == done.number]
        self.records: list[tuple[int, int, Record]] = list(present(done.files))

    @cached_property
    def stood(self) -> Standing:
        """How rows stood before the run."""
        return standing_of(self.before.lines)

    @cached_property
    def stands(self) -> Standing:
        """How rows stand after the run."""
        return standing_of(self.after.lines)

    @cached_property
    def ever_updated(self) -> set[Key]:
        """The rows that the ledger has ever called updated; one may be refused when it is sent again."""
        return {key_of(line) for line in self.after.of("result") if line["status"] == "updated"}

    @cached_property
    def has_begun(self) -> bool:
        """Tell whether the run got so far as to say that it begins."""
        return any(line["type"] == "run" for line in self.new)


def key(record: Record) -> Key:
    """Tell what the ledger knows a record by."""
    if not record.is_valid:
        return "", "", record.check
    return record.organization, record.id, record.check


def check_of(activity: bytes) -> str:
    """Compute the check of an activity as it was sent."""
    return f"{zlib.crc32(activity):08x}"


def is_part(activity: bytes, record: Record) -> bool:
    """Tell whether an activity sets some fields of a record, each to the record's value."""
    members = members_of(activity)
    return bool(members) and all(record.fields.get(name) == value for name, value in members.items())


def members_of(activity: bytes) -> Mapping[str, bytes]:
    """Tell which fields an activity sets."""
    members = msgspec.json.decode(activity, type=dict[str, Raw])
    return {name: bytes(raw) for name, raw in members.items() if name != "id"}
