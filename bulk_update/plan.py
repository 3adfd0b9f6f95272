"""What a run is given: how it is to go, and what it acts on."""

import random
from dataclasses import dataclass, field

from bulk_update.edge.books import MaxFailures, Observer
from bulk_update.edge.clock import WallClock
from bulk_update.edge.control import RateFile
from bulk_update.edge.ledger import LedgerFile
from bulk_update.edge.rows import Rows
from bulk_update.edge.sender import Persistence
from bulk_update.ports import Clock, Transport
from bulk_update.pure.group import Limits
from bulk_update.pure.intake import Intake
from bulk_update.pure.ledger_lines import RunLine
from bulk_update.pure.ledger_state import LedgerState
from bulk_update.pure.pacing import Rate
from bulk_update.pure.retrying import Chance


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is to go: `limits` of a request and of memory, `rate`s, and when to stop.

    `explores`: raise the rate while requests succeed, until the server first pushes back.
    """

    limits: Limits = Limits()
    rate: Rate | None = Rate(5, 1.0)
    explores: bool = False
    organization_rate: Rate | None = None
    persistence: Persistence = Persistence()
    max_failures: MaxFailures = MaxFailures()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """What a run acts on: where rows come from, where they go, and what is recorded.

    `waiting`: rows that a retry leaves for the main job to settle first.
    """

    rows: Rows
    intake: Intake
    state: LedgerState
    file: LedgerFile
    begin: RunLine
    transport: Transport
    observer: Observer | None = None
    control: RateFile | None = None
    clock: Clock = field(default_factory=WallClock)
    chance: Chance = field(default_factory=random.SystemRandom)
    waiting: int = 0
