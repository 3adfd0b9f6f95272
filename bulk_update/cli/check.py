"""`check`: everything the main job would do, without sending."""

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Final

import anyio

from bulk_update.cli.amounts import (
    option,
    read_inputs,
    read_limits,
    read_rate,
    refuse_missing,
    repeated_inputs,
)
from bulk_update.cli.streams import columns_of, give, give_json, safe, say
from bulk_update.cli.words import SHOWN, describe_failures
from bulk_update.edge.overflow import TemporaryOverflow
from bulk_update.model import Batch, Change, Invalid, RowError, Status
from bulk_update.pure.batching import Batcher
from bulk_update.pure.failure_groups import Failing, FailureGroups
from bulk_update.pure.group import Limits
from bulk_update.pure.names import file_name, readable
from bulk_update.pure.pacing import Rate
from bulk_update.pure.plural import counted
from bulk_update.pure.quantities import parse_rate
from bulk_update.pure.shape import ENVELOPE
from bulk_update.pure.shown import type_rate
from bulk_update.reading import Inputs, input_rows, look_into
from bulk_update.report.figures import size

_ADVICE: Final = "mend the input, or run it as it is: invalid rows are recorded and never sent"

_LONGEST: Final = 3_000_000_000
"""Seconds that are told as a time of day: no calendar goes on for ever."""

_organization: Final = attrgetter("organization")
_id: Final = attrgetter("id")
_activity: Final = attrgetter("activity")


@dataclass(slots=True)
class Findings:
    """What the inputs hold. `bytes`: of all request bodies.

    `seconds`: that it takes at the rate, and `done_by`: when it would be done if it began now; None without a rate.
    `pace`: the rate that it takes them at, as words: of all requests, or of each organization's.
    """

    rows: int = 0
    valid: int = 0
    invalid: int = 0
    organizations: int = 0
    requests: int = 0
    bytes: int = 0
    mean_fill: float = 0.0
    seconds: float | None = None
    done_by: str | None = None
    pace: str | None = None
    largest: list[tuple[str, int]] = field(default_factory=list)
    reasons: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast requests may leave: all of them, and those of each organization; None without such a rate."""

    all: Rate | None
    each: Rate | None

    def time_of(self, requests: int, most: int) -> tuple[float | None, str | None]:
        """Tell the seconds that requests take, and which rate makes it so many, in words.

        `most`: requests of the organization that has most of them.
        """
        times = []
        if self.all is not None:
            times.append((_seconds(requests, self.all), type_rate(self.all.limit, self.all.period)))
        if self.each is not None:
            pace = f"{type_rate(self.each.limit, self.each.period)} for each organization"
            times.append((_seconds(most, self.each), pace))
        return max(times, key=itemgetter(0), default=(None, None))


def _seconds(requests: int, rate: Rate) -> float:
    return round(max(0, requests - 1) * rate.spacing, 1)


def check(options: argparse.Namespace) -> int:
    """Read and validate everything; 0, or 1 when a row is invalid."""
    limits, inputs = read_limits(options), read_inputs(options)
    rates = Rates(read_rate(options), option("--organization-rate", parse_rate, options.organization_rate))
    refuse_missing(inputs.names)
    for notice in repeated_inputs(inputs.names):
        say(notice)
    findings = anyio.run(_find, inputs, limits, rates)
    now = datetime.now().astimezone()
    if findings.seconds is not None:
        findings.done_by = _done_by(findings.seconds, now).isoformat(timespec="seconds")
    if options.json:
        give_json(asdict(findings))
    else:
        give(_describe(findings, inputs.names, limits, now))
    return 1 if findings.invalid else 0


async def _find(inputs: Inputs, limits: Limits, rates: Rates) -> Findings:
    findings, groups = Findings(), FailureGroups()
    organizations: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    with TemporaryOverflow() as overflow:
        batcher = Batcher(limits, overflow)
        look_into(inputs)
        async with input_rows(inputs, limits.body) as rows:
            while (block := await rows.read()) is not None:
                changes = [row for row in block if type(row) is Change]
                findings.rows += len(block)
                if len(changes) < len(block):
                    _explain(block, groups, inputs.names)
                organizations.update(map(_organization, changes))
                batcher.add(changes)
                _drain(batcher, findings, requests)
        batcher.close()
        _drain(batcher, findings, requests)
    findings.invalid = findings.rows - findings.valid
    findings.organizations = len(organizations)
    findings.largest = organizations.most_common(SHOWN)
    findings.reasons = [dict(group) for group in groups.describe({Status.INVALID: findings.invalid})]
    if findings.requests:
        findings.mean_fill = round(findings.valid / findings.requests, 1)
    findings.seconds, findings.pace = rates.time_of(findings.requests, max(requests.values(), default=0))
    return findings


def _explain(block: Sequence[Change | Invalid], groups: FailureGroups, names: Sequence[str]) -> None:
    for row in block:
        if type(row) is Invalid:
            name = readable(file_name(names[row.input])) if len(names) > 1 else None
            failing = Failing(row.line, row.id or "", row.organization, name, row.input)
            groups.explain(Status.INVALID, RowError(row.code, row.message), failing)


def _drain(batcher: Batcher, findings: Findings, requests: Counter[str]) -> None:
    """Count the batches that would leave, as if each were answered at once."""
    while (batch := batcher.take()) is not None:
        findings.requests += 1
        requests[batch.organization] += 1
        findings.valid += len(batch.changes)
        findings.bytes += _body_size(batch)
        batcher.release(batch.organization, list(map(_id, batch.changes)))


def _body_size(batch: Batch) -> int:
    activities = sum(map(len, map(_activity, batch.changes))) + len(batch.changes) - 1
    return ENVELOPE + len(json.dumps(batch.organization, ensure_ascii=False).encode()) + activities


def _describe(findings: Findings, names: Sequence[str], limits: Limits, now: datetime) -> str:
    lines = [
        f"{counted(findings.rows, 'row')}: {findings.valid:,} valid, {findings.invalid:,} invalid",
        (
            f"{counted(findings.requests, 'request')} of at most {counted(limits.count, 'activity', 'activities')}, "
            f"{findings.mean_fill:g} on average; {size(findings.bytes)}"
        ),
    ]
    if findings.seconds is not None:
        done = clock_time(_done_by(findings.seconds, now), now)
        lines.append(f"{_duration(findings.seconds)} at {findings.pace}: done by {done} if it began now")
    if findings.largest:
        more = findings.organizations - len(findings.largest)
        named = ", ".join(f"{safe(name, 60)} {rows:,}" for name, rows in findings.largest)
        lines.append(
            f"{counted(findings.organizations, 'organization')}: {named}" + (f" and {more:,} more" if more > 0 else "")
        )
    if findings.reasons:
        lines += ["invalid:", *describe_failures(findings.reasons, names, columns_of(sys.stdout))]
        lines.append(_ADVICE)
    return "\n".join(lines)


def clock_time(moment: datetime, now: datetime) -> str:
    """Write a time of day with its zone: `14:05 UTC`, `2026-11-24 14:05 +02:00`; the date unless it is today's."""
    zone = moment.strftime("%z") if moment.utcoffset() else "UTC"
    date = "" if moment.date() == now.date() else f"{moment:%Y-%m-%d} "
    return f"{date}{moment:%H:%M} {zone if zone == 'UTC' else f'{zone[:3]}:{zone[3:]}'}"


def _done_by(seconds: float, now: datetime) -> datetime:
    return (now + timedelta(seconds=min(math.ceil(seconds), _LONGEST))).astimezone()


def _duration(seconds: float) -> str:
    whole = math.ceil(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (left, "s")]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 s"
