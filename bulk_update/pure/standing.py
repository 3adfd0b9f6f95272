"""How a run stands, in numbers and in words: what is done, how fast it goes, how long it will take.

No clock is read: a `Snapshot` carries the seconds since its run began.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import Final

from bulk_update.model import Snapshot, Status
from bulk_update.pure.plural import counted

LONGEST_MESSAGE: Final = 1_000
"""Characters of a message that are shown."""

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

_LONG_PAUSE: Final = 2.0
"""Seconds that a pause must last to be told of."""

_UNITS: Final = ((1.0, "s"), (60.0, "min"), (3_600.0, "h"))
_LONG_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_STEPS: Final = ((60, 5), (3_600, 60), (86_400, 600), (math.inf, 3_600))
"""Durations below so many seconds are estimated in steps of so many."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands and how it goes on.

    `settled`: rows that have their result. `in_flight`: rows that have left with a batch and have none yet.
    `share`: done of all rows, 0 to 1, and 1 at the very end only. `requests_per_second`: in the last
    seconds. `seconds_left`: estimated. Each of these three is None when it cannot be told.
    """

    snapshot: Snapshot
    settled: int
    in_flight: int
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


def _pace_span(allowed: tuple[float, float] | None) -> float:
    """Tell the seconds over which requests are counted."""
    if allowed is None:
        return _PACE_SPAN
    return min(_LONGEST_SPAN, max(_PACE_SPAN, _PACE_REQUESTS * allowed[1] / allowed[0]))


# ------------------------------------------------------------------------------------------ in words


class Tone(StrEnum):
    """What a part of a line means to the person who reads it."""

    PLAIN = "plain"
    FAILURE = "failure"
    TROUBLE = "trouble"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the progress line.

    `rank`: which parts go first when the line is too narrow: those of the highest. `short`: what it can be
    shortened to, "" if it cannot. `room`: columns to keep free for it, so that no other part comes and goes
    as it changes.
    """

    text: str
    rank: int
    tone: Tone = Tone.PLAIN
    short: str = ""
    room: int = 0


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What lines are drawn with. `half`: the bar's end, half done."""

    separator: str
    ellipsis: str
    done: str
    half: str
    rest: str


UNICODE: Final = Glyphs(" · ", "…", "━", "╾", "─")
ASCII: Final = Glyphs(", ", "...", "#", "#", "-")


def describe(standing: Standing) -> list[Part]:
    """Say how a run stands, part by part."""
    return [*_row_parts(standing), *_request_parts(standing), *_end_parts(standing)]


def fit(parts: Sequence[Part], width: int, glyphs: Glyphs = UNICODE) -> list[Part]:
    """Keep as many parts as fit into `width` columns when short, then lengthen those for which there is room.

    The last one left is cut if need be.
    """
    texts = {part: part.short or part.text for part in parts}
    while len(texts) > 1 and _width(texts, glyphs) > width:
        del texts[max(texts, key=attrgetter("rank"))]
    for part in sorted(texts, key=attrgetter("rank")):
        longer = {**texts, part: part.text}
        if _width(longer, glyphs) <= width:
            texts = longer
    if len(texts) == 1:
        texts = {part: _cut(text, width, glyphs.ellipsis) for part, text in texts.items()}
    return [replace(part, text=text) for part, text in texts.items()]


def draw_bar(share: float, width: int, glyphs: Glyphs = UNICODE) -> tuple[str, str]:
    """Draw a bar of `width` columns: what is done, and the rest. `share`: 0 to 1."""
    halves = int(min(1.0, max(0.0, share)) * width * 2)
    done = glyphs.done * (halves // 2) + glyphs.half * (halves % 2)
    return done, glyphs.rest * (width - len(done))


def bar_width(columns: int) -> int:
    """Tell how wide the bar is on a terminal of so many columns; 0 where the words need them all."""
    return min(40, columns // 6) if columns >= 48 else 0  # noqa: PLR2004 - below, the words are cut


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
        "share": _rounded(standing.share),
        "seconds": _rounded(snapshot.seconds),
        "seconds_left": _rounded(standing.seconds_left),
        "outage_seconds": _rounded(snapshot.outage),
        "next_probe_seconds": _rounded(snapshot.next_probe),
        "pushbacks": snapshot.pushbacks,
        "pause_seconds": _rounded(snapshot.pause),
        "complete": snapshot.is_read_whole,
    }


def format_duration(seconds: float) -> str:
    """Write a duration in its two largest units: `45 s`, `2 min 5 s`, `1 h 12 min`, `3 d 4 h`."""
    left, words = max(0, int(seconds)), list[str]()
    for length, unit in _LONG_UNITS:
        amount, left = divmod(left, length)
        if amount:
            words.append(f"{amount:,} {unit}")
        if words and (not amount or len(words) == 2):  # noqa: PLR2004 - the two largest
            break
    return " ".join(words) or "0 s"


def format_estimate(seconds: float) -> str:
    """Write a duration that is only guessed: rounded up to a step that suits it, so that it is steady."""
    step = next(step for below, step in _STEPS if seconds <= below)
    return format_duration(max(1, math.ceil(seconds / step)) * step)


def format_pace(per_second: float, allowed: tuple[float, float] | None) -> str:
    """Write how fast requests leave, in the unit in which it is allowed: `4.9 of 5.0 requests/s`."""
    if allowed is None:
        return f"{_figure(per_second, per_second)} requests/s"
    limit, period = allowed
    length, unit = _pace_unit(limit, period)
    most = limit * length / period
    return f"{_figure(per_second * length, most)} of {_figure(most, most)} requests/{unit}"


def printable(message: str, longest: int = LONGEST_MESSAGE) -> str:
    r"""Make a message safe for a terminal: escape what does not print (`\x1b`), cut what is long."""
    head = message[: longest + 1]
    if not head.isprintable():
        head = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    return _cut(head, longest, UNICODE.ellipsis)


def _row_parts(standing: Standing) -> list[Part]:
    """Say what became of the rows; what is amiss is said whenever there is some."""
    counts, skipped = standing.snapshot.counts, standing.snapshot.skipped
    parts = [Part(f"{counts.get(Status.UPDATED, 0):,} updated", rank=0)]
    if skipped:
        parts.append(Part(f"{skipped:,} done before", rank=9, tone=Tone.ASIDE))
    failed = counts.get(Status.FAILED, 0)
    if failed:
        parts.append(Part(f"{failed:,} failed", rank=2, tone=Tone.FAILURE))
    else:
        parts.append(Part("0 failed", rank=6))
    parts.extend(
        Part(f"{counts[status]:,} {status}", rank=3, tone=Tone.FAILURE)
        for status in (Status.INVALID, Status.UNKNOWN)
        if counts.get(status, 0)
    )
    if counts.get(Status.SUPERSEDED, 0):
        parts.append(Part(f"{counts[Status.SUPERSEDED]:,} superseded", rank=11, tone=Tone.ASIDE))
    return parts


def _request_parts(standing: Standing) -> list[Part]:
    """Say how the requests go."""
    parts, snapshot = [], standing.snapshot
    if standing.requests_per_second is not None:
        pace = format_pace(standing.requests_per_second, snapshot.allowed)
        parts.append(Part(pace, rank=7, short=pace.replace(" requests", "")))
    if snapshot.retries:
        parts.append(Part(counted(snapshot.retries, "retry", "retries"), rank=8))
    if snapshot.pushbacks:
        parts.append(Part(f"pushed back {counted(snapshot.pushbacks, 'time')}", rank=9, tone=Tone.TROUBLE))
    if snapshot.flying:
        parts.append(Part(f"{snapshot.flying:,} in flight", rank=10, tone=Tone.ASIDE))
    return parts


def _end_parts(standing: Standing) -> list[Part]:
    """Say how far it is, and what is to be expected."""
    parts = []
    if standing.share is not None:
        parts.append(Part(f"{int(standing.share * 100)} %", rank=5, room=len("99 %")))
    hindrance = _hindrance_parts(standing.snapshot)
    if hindrance:
        parts.extend(hindrance)
    elif standing.seconds_left:
        text = f"{format_estimate(standing.seconds_left)} left"
        parts.append(Part(text, rank=4, room=len("59 min left")))
    elif standing.share is None:
        elapsed = format_duration(standing.snapshot.seconds)
        parts.append(Part(f"{elapsed} so far", rank=4, room=len("59 min 59 s so far")))
    return parts


def _hindrance_parts(snapshot: Snapshot) -> list[Part]:
    """Say what keeps the run from going on."""
    if snapshot.outage is None and snapshot.pause >= _LONG_PAUSE:
        pause = format_duration(snapshot.pause)
        return [Part(f"the server asked to wait {pause}", rank=1, tone=Tone.TROUBLE, short=f"waits {pause}")]
    if snapshot.outage is None:
        return []
    # An outage may be answers as well as silence: the server may say 503 to everything.
    since = format_duration(snapshot.outage)
    probe = snapshot.next_probe
    after = "one request at a time" if probe is None else f"next try in {format_duration(math.ceil(probe))}"
    return [
        Part(f"no success for {since}", rank=1, tone=Tone.TROUBLE, short=f"stalled {since}"),
        Part(after, rank=6, tone=Tone.TROUBLE, room=len("next try in 30 s")),
    ]


def _pace_unit(limit: float, period: float) -> tuple[float, str]:
    """Choose the unit in which a rate was given; else the smallest that makes it 1 or more."""
    given = [unit for unit in _UNITS if unit[0] == period]
    whole = [unit for unit in _UNITS if limit * unit[0] >= period]
    return [*given, *whole, _UNITS[-1]][0]


def _figure(amount: float, beside: float) -> str:
    return f"{amount:,.1f}" if beside < 10 else f"{amount:,.0f}"  # noqa: PLR2004 - two digits say enough


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 3)


def _width(texts: Mapping[Part, str], glyphs: Glyphs) -> int:
    columns = sum(max(len(text), part.room) for part, text in texts.items())
    return columns + len(glyphs.separator) * (len(texts) - 1)


def _cut(text: str, width: int, ellipsis: str) -> str:
    """Cut a text that is wider than `width` columns, 0 or more."""
    return text if len(text) <= width else (text[: max(0, width - len(ellipsis))] + ellipsis)[:width]
