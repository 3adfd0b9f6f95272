"""How a run stands, in words: the parts of the progress line, and which of them fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import Final

from bulk_update.model import Snapshot, Status
from bulk_update.pure.plural import counted
from bulk_update.pure.shown import cut, format_duration
from bulk_update.pure.standing import Standing

_LONG_PAUSE: Final = 2.0
"""Seconds that a pause must last to be told of."""

_LEAST_WITH_BAR: Final = 72
"""Columns of a line that has a bar: in fewer it would take the place of words that say more."""

_UNITS: Final = ((1.0, "s"), (60.0, "min"), (3_600.0, "h"))
_STEPS: Final = ((60, 5), (3_600, 60), (86_400, 600), (math.inf, 3_600))
"""Durations below so many seconds are estimated in steps of so many."""


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
        texts = {part: cut(text, width, glyphs.ellipsis) for part, text in texts.items()}
    return [replace(part, text=text) for part, text in texts.items()]


def draw_bar(share: float, width: int, glyphs: Glyphs = UNICODE) -> tuple[str, str]:
    """Draw a bar of `width` columns: what is done, and the rest. `share`: 0 to 1."""
    halves = int(min(1.0, max(0.0, share)) * width * 2)
    done = glyphs.done * (halves // 2) + glyphs.half * (halves % 2)
    return done, glyphs.rest * (width - len(done))


def bar_width(columns: int) -> int:
    """Tell how wide the bar is on a terminal of so many columns; 0 where the words need them all."""
    return min(40, columns // 6) if columns >= _LEAST_WITH_BAR else 0


def format_estimate(seconds: float) -> str:
    """Write a duration that is only guessed: rounded up to a step that suits it, so that it is steady."""
    step = next(step for below, step in _STEPS if seconds <= below)
    return format_duration(max(1, math.ceil(seconds / step)) * step)


def format_pace(per_second: float, allowed: tuple[float, float] | None) -> str:
    """Write how fast requests leave, in the unit in which it is allowed: `4.9 of 5 requests/s`."""
    if allowed is None:
        return f"{_figure(per_second, per_second)} requests/s"
    limit, period = allowed
    length, unit = _pace_unit(limit, period)
    most = limit * length / period
    shown = f"{most:,.0f}" if most == int(most) else _figure(most, most)
    return f"{_figure(per_second * length, most)} of {shown} requests/{unit}"


def _row_parts(standing: Standing) -> list[Part]:
    """Say what became of the rows; what is amiss is said whenever there is some."""
    counts, skipped = standing.snapshot.counts, standing.snapshot.skipped
    parts = [Part(f"{counts.get(Status.UPDATED, 0):,} updated", rank=0)]
    if skipped:
        parts.append(Part(f"{skipped:,} done before", rank=11, tone=Tone.ASIDE))
    failed = counts.get(Status.FAILED, 0)
    if failed:
        parts.append(Part(f"{failed:,} failed", rank=2, tone=Tone.FAILURE))
    else:
        parts.append(Part("0 failed", rank=9))
    parts.extend(
        Part(f"{counts[status]:,} {status}", rank=3, tone=Tone.FAILURE)
        for status in (Status.INVALID, Status.UNKNOWN)
        if counts.get(status, 0)
    )
    if counts.get(Status.SUPERSEDED, 0):
        parts.append(Part(f"{counts[Status.SUPERSEDED]:,} superseded", rank=13, tone=Tone.ASIDE))
    return parts


def _request_parts(standing: Standing) -> list[Part]:
    """Say how the requests go."""
    parts, snapshot = [], standing.snapshot
    if standing.requests_per_second is not None:
        pace = format_pace(standing.requests_per_second, snapshot.allowed)
        parts.append(Part(pace, rank=4, short=pace.replace(" requests", "")))
    if snapshot.retries:
        parts.append(Part(counted(snapshot.retries, "retry", "retries"), rank=10))
    if snapshot.pushbacks:
        times, short = counted(snapshot.pushbacks, "time"), counted(snapshot.pushbacks, "pushback")
        parts.append(Part(f"pushed back {times}", rank=5, tone=Tone.TROUBLE, short=short))
    # Told from the first request on: a part that comes and goes would move all that stands behind it.
    if snapshot.flying or (snapshot.attempts and snapshot.outage is None):
        parts.append(Part(f"{snapshot.flying:,} in flight", rank=12, tone=Tone.ASIDE))
    return parts


def _end_parts(standing: Standing) -> list[Part]:
    """Say how far it is, and what is to be expected."""
    parts = []
    if standing.share is not None:
        parts.append(Part(f"{int(standing.share * 100)} %", rank=6, room=len("99 %")))
    hindrance = _hindrance_parts(standing.snapshot)
    if hindrance:
        parts.extend(hindrance)
    elif standing.seconds_left:
        text = f"{format_estimate(standing.seconds_left)} left"
        parts.append(Part(text, rank=7, room=len("59 min left")))
    elif standing.share is None:
        elapsed = format_duration(standing.snapshot.seconds)
        parts.append(Part(f"{elapsed} so far", rank=7, room=len("59 min 59 s so far")))
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
        Part(after, rank=8, tone=Tone.TROUBLE, room=len("next try in 30 s")),
    ]


def _pace_unit(limit: float, period: float) -> tuple[float, str]:
    """Choose the unit in which a rate was given; else the smallest that makes it 1 or more."""
    given = [unit for unit in _UNITS if unit[0] == period]
    whole = [unit for unit in _UNITS if limit * unit[0] >= period]
    return [*given, *whole, _UNITS[-1]][0]


def _figure(amount: float, beside: float) -> str:
    return f"{amount:,.1f}" if beside < 10 else f"{amount:,.0f}"  # noqa: PLR2004 - two digits say enough


def _width(texts: Mapping[Part, str], glyphs: Glyphs) -> int:
    columns = sum(max(len(text), part.room) for part, text in texts.items())
    return columns + len(glyphs.separator) * (len(texts) - 1)
