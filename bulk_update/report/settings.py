"""Settings as `run` lines have them: plain values, or values that tell where they came from."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from bulk_update.pure.shown import type_duration, type_rate, type_size
from bulk_update.report.data import Setting

_NOT_SETTINGS: Final = frozenset({"pid"})
_SIZES: Final = frozenset({"batchBytes", "buffer"})
_SOURCES: Final = ("from", "source")
_RATE: Final = re.compile(r"([0-9.]+) in ([0-9.e+]+) s|([0-9.]+)(?:/([smh]))?")
_DURATION: Final = re.compile(r"([0-9.]{1,30}(?:e[+-]?[0-9]{1,3})?) s")
_PERIODS: Final = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST: Final = 300
_MOST: Final = 60

Settings = Mapping[str, object]


def value_of(settings: Settings, name: str) -> object:
    """Find a setting's value; None when it is not there."""
    return _split(settings.get(name))[0]


def whole_of(settings: Settings, name: str) -> int | None:
    """Find a setting that is a whole number; None when it is none."""
    value = value_of(settings, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def rate_of(settings: Settings) -> tuple[float, float] | None:
    """Find the rate, as requests and seconds; None when there is none, or none that can be read."""
    return read_rate(str(value_of(settings, "rate")))


def read_rate(text: str) -> tuple[float, float] | None:
    """Read a rate as a ledger has it, as requests and seconds; None when it is none."""
    match = _RATE.fullmatch(text)
    if match is None:
        return None
    requests, seconds, amount, unit = match.groups()
    try:
        rate = (float(requests), float(seconds)) if requests else (float(amount), _PERIODS[unit])
    except ValueError:
        return None
    return rate if all(0 < amount < math.inf for amount in rate) else None


def settings_of(runs: Sequence[Settings]) -> list[Setting]:
    """List the settings of the latest run, and what each was before it changed."""
    settings = []
    for name, value in list(runs[-1].items())[:_MOST]:
        if name in _NOT_SETTINGS:
            continue
        shown, source = _split(value)
        text = _text(name, shown)
        others = (_text(name, _split(run[name])[0]) for run in reversed(runs[:-1]) if name in run)
        before = next((other for other in others if other != text), "")
        settings.append(Setting(_option(name), text, source, before))
    return settings


def _split(value: object) -> tuple[object, str]:
    """Part a value from where it came from."""
    if isinstance(value, dict) and "value" in value:
        source = next((value[key] for key in _SOURCES if key in value), "")
        return value["value"], str(source)[:_LONGEST]
    return value, ""


def typed(text: str) -> str:
    """Write a rate or a duration of a ledger as a person types it; whatever else as it stands."""
    rate, duration = read_rate(text) if " in " in text else None, _DURATION.fullmatch(text)
    try:
        return type_rate(*rate) if rate else type_duration(float(duration[1])) if duration else text
    except (ValueError, OverflowError):
        return text


def _text(name: str, value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return type_size(value) if name in _SIZES and value > 0 else f"{value:,}"
    text = typed(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:_LONGEST]


def _option(name: str) -> str:
    """Spell a name as the command line does: `batchSize` is `batch-size`."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"-{match[0].lower()}", name[:_LONGEST])
