"""What a job tells a monitor, in Prometheus's text format (version 0.0.4).

Every sample has the label `name`, which tells the jobs of one machine apart: a collector of text files takes
no sample twice. What cannot be told is left out.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bulk_update.model import Snapshot, Status
from bulk_update.pure.standing import Standing

BEGINS: Final = b"# HELP bulk_update_"
"""How each file of metrics begins."""

Samples = Iterable[tuple[Mapping[str, str], float]]
"""Values, each with its labels."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last run that has ended. `exit`: its code. `ended`, `success`: when one ended, and when one in 0.

    Times are seconds since 1970; None where it is not known.
    """

    exit: int | None = None
    ended: float | None = None
    success: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """How a job stands.

    `name`: of the job. `run`: what its run is, as labels. `began`, `now`: seconds since 1970. `seconds`: how long
    the run has taken. `standing`: None before it begins, or where it could not.
    """

    name: str
    run: Mapping[str, str]
    began: float
    now: float
    seconds: float
    is_running: bool
    last: Last
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    kind: str
    help: str
    samples: Callable[[Figures], Samples]


def expose(figures: Figures) -> str:
    """Write all that is known."""
    return "".join(line for family in _FAMILIES for line in _lines(family, figures))


def read_last(text: str) -> Last:
    """Find in an earlier file how the last run ended: it counts until another one has."""
    code = _value(text, "bulk_update_last_exit_code")
    return Last(
        None if code is None else int(code),
        _value(text, "bulk_update_last_end_timestamp_seconds"),
        _value(text, "bulk_update_last_success_timestamp_seconds"),
    )


def _lines(family: _Family, figures: Figures) -> list[str]:
    samples = [
        f"{family.name}{_labels({'name': figures.name, **labels})} {_number(value)}\n"
        for labels, value in family.samples(figures)
        if not math.isnan(value)
    ]
    if not samples:
        return []
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return [f"# HELP {family.name} {text}\n", f"# TYPE {family.name} {family.kind}\n", *samples]


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    """Write a label's value: any text but what no UTF-8 has."""
    text = value.encode(errors="replace").decode()
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _value(text: str, name: str) -> float | None:
    match = re.search(rf"^{name}\{{.*\}} ([0-9]+(?:\.[0-9]+)?)$", text, re.MULTILINE)
    return float(match[1]) if match else None


def _of_run(tell: Callable[[Figures], float | None]) -> Callable[[Figures], Samples]:
    """Make the one sample of a value; none where it is not known."""

    def samples(figures: Figures) -> Samples:
        value = tell(figures)
        return [] if value is None else [({}, value)]

    return samples


def _of_standing(tell: Callable[[Standing], float | None]) -> Callable[[Figures], Samples]:
    return _of_run(lambda figures: None if figures.standing is None else tell(figures.standing))


def _of_snapshot(tell: Callable[[Snapshot], float | None]) -> Callable[[Figures], Samples]:
    return _of_standing(lambda standing: tell(standing.snapshot))


def _rows(figures: Figures) -> Samples:
    if figures.standing is None:
        return []
    snapshot = figures.standing.snapshot
    counts: list[tuple[Mapping[str, str], float]] = [
        ({"status": status.value}, snapshot.counts.get(status, 0)) for status in Status
    ]
    return [*counts, ({"status": "unsent"}, snapshot.unsent)]


def _allowed(snapshot: Snapshot) -> float:
    return math.inf if snapshot.allowed is None else snapshot.allowed[0] / snapshot.allowed[1]


_FAMILIES: Final = (
    _Family("bulk_update_running", "gauge", "1 while a run is at work, 0 after it.", _of_run(lambda f: f.is_running)),
    _Family("bulk_update_run_info", "gauge", "What the run is.", lambda f: [(f.run, 1)]),
    _Family(
        "bulk_update_written_timestamp_seconds",
        "gauge",
        "When this was written: every few seconds while a run is at work.",
        _of_run(lambda f: f.now),
    ),
    _Family("bulk_update_start_timestamp_seconds", "gauge", "When the run began.", _of_run(lambda f: f.began)),
    _Family("bulk_update_duration_seconds", "gauge", "How long the run has taken.", _of_run(lambda f: f.seconds)),
    _Family(
        "bulk_update_last_exit_code",
        "gauge",
        "Exit code of the last run that has ended.",
        _of_run(lambda f: f.last.exit),
    ),
    _Family(
        "bulk_update_last_end_timestamp_seconds",
        "gauge",
        "When a run ended last, however it ended.",
        _of_run(lambda f: f.last.ended),
    ),
    _Family(
        "bulk_update_last_success_timestamp_seconds",
        "gauge",
        "When a run ended last in 0: every row was updated.",
        _of_run(lambda f: f.last.success),
    ),
    _Family(
        "bulk_update_input_complete",
        "gauge",
        "1 when the input has been read to its end.",
        _of_snapshot(lambda s: s.is_read_whole),
    ),
    _Family(
        "bulk_update_done_ratio",
        "gauge",
        "Share of the rows that is done, as far as it can be told.",
        _of_standing(lambda s: s.share),
    ),
    _Family("bulk_update_rows", "gauge", "Rows of the whole ledger, by what became of them.", _rows),
    _Family(
        "bulk_update_rows_in_flight",
        "gauge",
        "Rows of the batches that are out, or next in turn.",
        _of_standing(lambda s: s.in_flight),
    ),
    _Family(
        "bulk_update_requests_in_flight",
        "gauge",
        "Requests that are out now.",
        _of_snapshot(lambda s: s.flying),
    ),
    _Family(
        "bulk_update_requests_total",
        "counter",
        "Requests of this run whose answer told what became of their rows.",
        _of_snapshot(lambda s: s.answered),
    ),
    _Family(
        "bulk_update_attempts_total",
        "counter",
        "HTTP attempts of this run that have ended.",
        _of_snapshot(lambda s: s.attempts),
    ),
    _Family(
        "bulk_update_retries_total",
        "counter",
        "Attempts of this run that brought no verdicts.",
        _of_snapshot(lambda s: s.retries),
    ),
    _Family(
        "bulk_update_pushbacks_total",
        "counter",
        "Attempts of this run that the server asked to slow down for.",
        _of_snapshot(lambda s: s.pushbacks),
    ),
    _Family(
        "bulk_update_requests_per_second",
        "gauge",
        "Attempts a second in the last seconds.",
        _of_standing(lambda s: s.requests_per_second),
    ),
    _Family(
        "bulk_update_allowed_requests_per_second",
        "gauge",
        "Attempts a second that are allowed now.",
        _of_snapshot(_allowed),
    ),
    _Family(
        "bulk_update_outage_seconds",
        "gauge",
        "For how long nothing has succeeded any more; 0 when all is well.",
        _of_snapshot(lambda s: s.outage or 0.0),
    ),
)

NAMES: Final = frozenset(family.name for family in _FAMILIES)
"""All that may be written."""
