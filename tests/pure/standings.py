"""Runs that stand somewhere, for tests of what is said of them."""

from dataclasses import replace
from typing import Final

from bulk_update.model import Snapshot, Status
from bulk_update.pure.progress_line import UNICODE, describe, fit
from bulk_update.pure.standing import Standing

BEGUN: Final = Snapshot(
    read=0,
    counts=dict.fromkeys(Status, 0),
    unsent=0,
    waiting=0,
    skipped=0,
    attempts=0,
    retries=0,
    seconds=0.0,
    allowed=(5, 1.0),
    outage=None,
    bytes_read=0,
    bytes_total=1_000_000,
    is_read_whole=False,
)


def run_at(seconds: float, *, updated: int = 0, unsent: int = 0, **others: object) -> Snapshot:
    """Make a snapshot of a run whose rows have 100 bytes each."""
    read = updated + unsent
    snapshot = replace(
        BEGUN,
        read=read,
        counts={**BEGUN.counts, Status.UPDATED: updated},
        unsent=unsent,
        attempts=updated // 100,
        seconds=seconds,
        bytes_read=read * 100,
    )
    return replace(snapshot, **others)  # type: ignore[arg-type]


def say(standing: Standing) -> str:
    """Join the parts of a line as they are shown."""
    return UNICODE.separator.join(part.text for part in describe(standing))


def say_in(standing: Standing, width: int) -> str:
    """Join the parts that are kept in so many columns."""
    return UNICODE.separator.join(part.text for part in fit(describe(standing), width))


def standing_of(snapshot: Snapshot, **others: float) -> Standing:
    """Make a standing of a snapshot."""
    settled = sum(snapshot.counts.values())
    return replace(Standing(snapshot, settled, in_flight=0), **others)  # type: ignore[arg-type]


MIDWAY: Final = standing_of(
    run_at(600, counts={**BEGUN.counts, Status.UPDATED: 12_400, Status.FAILED: 3}, retries=2),
    share=0.639,
    requests_per_second=4.94,
    seconds_left=236,
)
OUTAGE: Final = replace(MIDWAY, snapshot=replace(MIDWAY.snapshot, outage=125.0), requests_per_second=None)
