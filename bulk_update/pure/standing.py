"""How a run stands, in numbers: what is done, how fast it goes, how long it will take.

No clock is read: a `Snapshot` carries the seconds since its run began.
"""

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from bulk_update.model import Snapshot, Status

_LEAST_SPAN: Final = 3.0
"""Seconds of a run that must be known before a speed is told."""

_PACE_SPAN: Final = 10.0
"""Seconds over which requests are counted; longer where few are allowed."""

_PACE_REQUESTS: Final = 20
"""Requests that the rate must allow in the time over which they are counted."""

_SPEED_SPAN: Final = 60.0
"""Seconds over which rows are counted: batches of many sizes come in turn."""

_LONGEST_SPAN: Final = 3_600.0

_NOT_YET: Final = 0.999
"""Share of a run that has rows left, at most."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands and how it goes on.

    `settled`: rows that have their result. `in_flight`: rows that have left with a batch and have none yet.
    `expected`: rows that this run will have seen to at its end, estimated as long as they are not all known.
    `share`: done of these, 0 to 1, and 1 at the very end only. `requests_per_second`: in the last
    seconds. `seconds_left`: estimated. Each of these four is None when it cannot be told.
    """

    snapshot: Snapshot
    settled: int
    in_flight: int
    expected: float | None = None
    share: float | None = None
    requests_per_second: float | None = None
    seconds_left: float | None = None


class Course:
    """Remember how a run stood in the last minute, or longer where few requests are allowed.

    `limit`: rows after which the run stops reading, None when it reads them all.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._samples: deque[Snapshot] = deque()
        self._share = 0.0
        self._bytes_total: int | None = None

    def follow(self, snapshot: Snapshot) -> Standing:
        """Tell how the run stands; the share done never falls."""
        if snapshot.bytes_total is None:
            # An input that has been closed no longer tells its size, and its last rows still wait.
            snapshot = replace(snapshot, bytes_total=self._bytes_total)
        self._bytes_total = snapshot.bytes_total
        self._remember(snapshot)
        samples = self._samples
        share = share_done(snapshot, self._limit)
        if share is not None:
            share = self._share = max(share, self._share)
        return Standing(
            snapshot,
            settled=sum(snapshot.counts.values()),
            in_flight=max(0, _under_way(snapshot) - snapshot.waiting),
            expected=expected_rows(snapshot, self._limit),
            share=share,
            requests_per_second=requests_per_second(self._lately(), samples[-1]) if samples else None,
            seconds_left=seconds_left(samples[0], samples[-1], self._limit) if samples else None,
        )

    def _lately(self) -> Snapshot:
        """Choose the sample from which on requests are counted."""
        last, span = self._samples[-1], _pace_span(self._samples[-1].allowed)
        old = (sample for sample in reversed(self._samples) if last.seconds - sample.seconds >= span)
        return next(old, self._samples[0])

    def _remember(self, snapshot: Snapshot) -> None:
        """Take a sample now and then, so that what is told is steady and the samples are few."""
        samples, span = self._samples, _pace_span(snapshot.allowed)
        if snapshot.outage is not None:
            samples.clear()  # how fast it went before, or goes now, does not tell how fast it will go
            return
        if not samples or snapshot.seconds - samples[-1].seconds >= span / _PACE_SPAN:
            samples.append(snapshot)
        while samples[-1].seconds - samples[0].seconds > max(span, _SPEED_SPAN):
            samples.popleft()


class Cadence:
    """Choose when a line is due: at each further tenth of the run or half minute, whichever comes first."""

    LONGEST: Final = 30.0
    """Seconds between two lines, at most."""

    SHORTEST: Final = 1.0
    """Seconds between two lines, at least."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._tenths = 0

    def is_due(self, share: float | None, now: float) -> bool:
        """Tell whether a line is due; if so, it counts as said.

        `now`: seconds of a clock that never goes back.
        """
        if self._last is None:
            self._last = now
        tenths = int((share or 0.0) * 10)
        wait = self.SHORTEST if tenths > self._tenths else self.LONGEST
        if now - self._last < wait:
            return False
        self._last, self._tenths = now, max(tenths, self._tenths)
        return True


def expected_rows(snapshot: Snapshot, limit: int | None = None) -> float | None:
    """Tell how many rows the run will have read at its end: estimated by bytes, exact when all are read, or sent again.

    None when it cannot be told. `limit`: rows after which it stops reading.
    """
    if snapshot.to_resend is not None:
        return snapshot.to_resend
    if snapshot.is_read_whole:
        return snapshot.read
    rows = math.inf if limit is None else limit
    if snapshot.read and snapshot.bytes_read and snapshot.bytes_total:
        rows = min(rows, snapshot.read * max(1.0, snapshot.bytes_total / snapshot.bytes_read))
    return rows if math.isfinite(rows) else None


def rows_done(snapshot: Snapshot) -> int:
    """Count the rows that were read and that nothing is left to be done for."""
    # What is sent again has an earlier result, so that it does not count as unsent meanwhile.
    return snapshot.again if snapshot.to_resend is not None else snapshot.read - snapshot.unsent - snapshot.resending


def _under_way(snapshot: Snapshot) -> int:
    """Count the rows that wait or are on their way. Rows that a retry finds lost do neither."""
    return snapshot.resending + (snapshot.unsent if snapshot.to_resend is None else 0)


def share_done(snapshot: Snapshot, limit: int | None = None) -> float | None:
    """Tell the share of all rows that is done, 0 to 1; None when it cannot be told.

    It is 1 at the very end only: an estimate may run out before the rows do.
    """
    expected, done = expected_rows(snapshot, limit), rows_done(snapshot)
    if expected is None:
        return None
    is_read = snapshot.is_read_whole or (limit is not None and snapshot.read >= limit)
    if is_read and done >= expected:
        return 1.0
    return min(_NOT_YET, max(0.0, done / expected)) if expected else 0.0


def requests_per_second(earlier: Snapshot, later: Snapshot) -> float | None:
    """Tell how fast requests left between two snapshots; None when they are too close to tell."""
    span = later.seconds - earlier.seconds
    if span < _LEAST_SPAN:
        return None
    pace = (later.attempts - earlier.attempts) / span
    if later.allowed is None:
        return pace
    # Attempts count when they end. Where they end in a bunch, they have not left faster than is allowed.
    return min(pace, later.allowed[0] / later.allowed[1])


def seconds_left(earlier: Snapshot, later: Snapshot, limit: int | None = None) -> float | None:
    """Estimate how long the run goes on at the speed between two snapshots; None when it cannot be told."""
    expected, span = expected_rows(later, limit), later.seconds - earlier.seconds
    # Rows that earlier runs have settled are passed over at once: they say nothing of the speed.
    rows = (rows_done(later) - later.skipped) - (rows_done(earlier) - earlier.skipped)
    if expected is None or span < _LEAST_SPAN or rows <= 0:
        return None
    return max(0.0, expected - rows_done(later)) * span / rows


def as_event(standing: Standing) -> dict[str, object]:
    """List how a run stands, under stable names. Numbers that cannot be told are None."""
    snapshot, allowed = standing.snapshot, standing.snapshot.allowed
    return {
        "rows": snapshot.read,
        "settled": standing.settled,
        **{status.value: snapshot.counts.get(status, 0) for status in Status},
        "unsent": snapshot.unsent,
        "waiting": snapshot.waiting,
        "in_flight": snapshot.flying,
        "rows_in_flight": standing.in_flight,
        "skipped": snapshot.skipped,
        "attempts": snapshot.attempts,
        "retries": snapshot.retries,
        "requests_per_second": _rounded(standing.requests_per_second),
        "requests_per_second_allowed": _rounded(allowed[0] / allowed[1]) if allowed is not None else None,
        "done": rows_done(snapshot),
        "expected": None if standing.expected is None else round(standing.expected),
        "share": _rounded(standing.share),
        "seconds": _rounded(snapshot.seconds),
        "seconds_left": _rounded(standing.seconds_left),
        "outage_seconds": _rounded(snapshot.outage),
        "next_probe_seconds": _rounded(snapshot.next_probe),
        "pushbacks": snapshot.pushbacks,
        "pause_seconds": _rounded(snapshot.pause),
        "complete": snapshot.is_read_whole,
    }


def _pace_span(allowed: tuple[float, float] | None) -> float:
    """Tell the seconds over which requests are counted."""
    if allowed is None:
        return _PACE_SPAN
    return min(_LONGEST_SPAN, max(_PACE_SPAN, _PACE_REQUESTS * allowed[1] / allowed[0]))


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 3)
