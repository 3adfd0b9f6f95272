"""The nouns of a report: what was gathered from a ledger, frozen.

Times are seconds since 1970, durations seconds, latencies milliseconds, unless said. Texts are cut where
they are long, and otherwise as they stood in the ledger: who shows them makes them safe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulk_update.model import Status
from bulk_update.report.attempts import AttemptOutcome
from bulk_update.report.latency import Percentiles


@dataclass(frozen=True, slots=True)
class RateChange:
    """Another rate for a run that went on: `rate` as a person types it, from `time` on."""

    time: float
    rate: str


@dataclass(frozen=True, slots=True)
class OutageFacts:
    """Times when nothing succeeded. `seconds`: all of them together. `last`: when the last began, None of none."""

    count: int = 0
    seconds: float = 0.0
    last: float | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run. `number`: from 1. `ended`, `exit`: None when the ledger has no end of it.

    `seconds`: of the run; when it has no end, until it was last heard of. `settled`: results it recorded.
    `stopped`: why it ended early. `complete`: it read its input to the end. `skipped`: rows that had their
    result before. `unsent`, `absent`, `outages`: as its summary has them, None and none without one. `rates`:
    those that it was given while it went on.
    """

    number: int
    verb: str
    version: str
    api: str
    began: float
    seconds: float
    ended: float | None
    exit: int | None
    stopped: str | None
    complete: bool
    attempts: int
    settled: int
    skipped: int
    unsent: int | None
    absent: int | None
    process: int | None
    outages: OutageFacts = OutageFacts()
    rates: tuple[RateChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened in a bin of time: `begin` seconds after the run began, for `seconds`.

    `first`, `retries`: attempts that left. `outcomes`: attempts that ended, in the order of `OUTCOMES`.
    `first_rate`, `retry_rate`, `outcome_rates`: the same a second, over the stretch or over the window of the
    rate's period that ends with it, whichever is longer. `in_flight`: attempts, on average. `latency`: of
    those that brought verdicts. `rows`: results that the ledger has at the end, in the order of `Status`.
    """

    begin: float
    seconds: float
    first: int
    retries: int
    outcomes: Sequence[int]
    first_rate: float
    retry_rate: float
    outcome_rates: Sequence[float]
    in_flight: float
    latency: Percentiles
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class Course:
    """A run over time. `rate`: requests and seconds that were allowed; `concurrency`: attempts at once."""

    run: int
    verb: str
    began: float
    seconds: float
    rate: tuple[float, float] | None
    concurrency: int | None
    stretches: Sequence[Stretch]


@dataclass(frozen=True, slots=True)
class Reason:
    """Rows that are not updated for the same reason.

    `organizations`: None where it was not counted. `input`: of the first row, where there are several inputs.
    `varies`: the message is that of the first row, and others name something else.
    """

    status: Status
    code: str
    message: str
    count: int
    first_line: int
    example: str
    organizations: int | None = None
    input: str | None = None
    varies: bool = False


@dataclass(frozen=True, slots=True)
class OrganizationFacts:
    """One organization: rows by what became of them, and attempts. `name` None: rows that name none."""

    name: str | None
    counts: Mapping[Status, int]
    attempts: int

    @property
    def rows(self) -> int:
        """Rows that have a result."""
        return sum(self.counts.values())

    @property
    def amiss(self) -> int:
        """Rows that failed, are invalid, or unknown."""
        return sum(self.counts[status] for status in (Status.FAILED, Status.INVALID, Status.UNKNOWN))


@dataclass(frozen=True, slots=True)
class SlowAttempt:
    """One of the attempts that took longest. `outcome` tells what it came to; `code` and `message` why."""

    milliseconds: float
    request: int
    attempt: int
    organization: str
    activities: int
    ended: float
    outcome: AttemptOutcome
    http: int | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the latest run. `source`: where it came from, "" when the ledger does not tell.

    `before`: what it was in the run before that had another value, "" when none had.
    """

    name: str
    value: str
    source: str
    before: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something to run next. `command` is ready to be copied."""

    command: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """What a ledger tells.

    `is_csv`: all of its inputs were, when they were read last. `main_job`, `retry`: the words of commands that go on
    with it. `counts`: rows by their last result. `unsent`: rows that the main job has read and left
    without one, None when its last run has no end. `in_doubt`: rows without a result that were on their way when a
    run ended; `doubtful`: rows with one that were on their way again. `requests`, `attempts`, `seconds`,
    `complete`: DESIGN section 2.4. `at_work`: seconds, those of runs without an end included. `outages`: of the
    runs that have an end. `retries`: attempts beyond the first of their request. `latency`: of attempts that
    brought verdicts. `reasons_left`: reasons that `reasons` leaves out. `reasons_outdated`: some of the rows that
    `reasons` count have been updated since. `organizations`: of `organizations_total`, those with most amiss and
    the largest; `is_rough` when there were too many to count each exactly. `runs`: of `runs_total`, the first and
    the latest. `torn`: bytes after the last whole append. `cut`: bytes of torn tails that were cut off before.
    """

    ledger: str
    inputs: Sequence[str]
    is_csv: bool
    main_job: Sequence[str]
    retry: Sequence[str]
    counts: Mapping[Status, int]
    unsent: int | None
    in_doubt: int
    doubtful: int
    requests: int
    attempts: int
    retries: int
    seconds: float
    at_work: float
    complete: bool
    outcomes: Mapping[AttemptOutcome, int]
    latency: Percentiles
    courses: Sequence[Course]
    reasons: Sequence[Reason]
    reasons_left: int
    reasons_outdated: bool
    organizations: Sequence[OrganizationFacts]
    organizations_total: int
    is_rough: bool
    slowest: Sequence[SlowAttempt]
    settings: Sequence[Setting]
    runs: Sequence[RunFacts]
    runs_total: int
    outages: OutageFacts
    torn: int
    cut: int

    @property
    def settled(self) -> int:
        """Rows that have a result."""
        return sum(self.counts.values())

    @property
    def rows(self) -> int:
        """Rows that the ledger knows of: those that have a result, and those that are known to have none."""
        return self.settled + (self.unsent or 0)

    @property
    def last(self) -> RunFacts:
        """The latest run."""
        return self.runs[-1]

    @property
    def is_amiss(self) -> bool:
        """Tell whether some row is failed, invalid or unknown."""
        return any(self.counts[status] for status in (Status.FAILED, Status.INVALID, Status.UNKNOWN))

    @property
    def is_open(self) -> bool:
        """Tell whether some row may still be without a result."""
        return self.last.ended is None or not self.complete or bool(self.in_doubt or self.unsent)
