"""Fault rules with a name: a bad day to choose from. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from bulk_update.errors import SettingsError
from bulk_update.pure.names import nearest
from bulk_update.sandbox.faults.rules import Act, Draw, Faults, Match, Rule, read_rules_file

_HTML: Final = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
_PAGE: Final = "text/html; charset=utf-8"


def _sometimes(name: str, chance: float, act: Act) -> Rule:
    return Rule(act, Match(chance=chance), name)


PRESETS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "flaky": (
        _sometimes("unavailable", 0.06, Act(status=503)),
        _sometimes("internal error, applied", 0.03, Act(status=500, applied=True)),
        _sometimes("dropped before", 0.03, Act(drop="before")),
        _sometimes("dropped after", 0.03, Act(drop="after")),
        _sometimes("cut answer", 0.02, Act(cut=0.5)),
        _sometimes("gateway", 0.02, Act(status=502, body=_HTML, content_type=_PAGE)),
    ),
    "outage": (
        Rule(Act(status=503, message="The service is unavailable."), Match(after=3, first=6), "outage"),
        Rule(Act(drop="before"), Match(after=9, first=3), "outage, connections dropped"),
    ),
    "rate-limited": (
        Rule(Act(status=429, retry_after=1), Match(every=7), "busy, Retry-After in seconds"),
        Rule(Act(status=429, retry_after_date=2), Match(every=19), "busy, Retry-After as a date"),
        Rule(Act(status=429), Match(every=11), "busy"),
        Rule(Act(status=429, body=_HTML, content_type=_PAGE), Match(every=29), "busy, from a front end"),
    ),
    "slow": (
        Rule(Act(latency=Draw(lognormal=(0.3, 0.6), most=5.0)), name="slow"),
        _sometimes("very slow", 0.02, Act(latency=2.0)),
        _sometimes("late answer", 0.02, Act(late=3.0)),
    ),
    "immutable": (Rule(Act(refuse=0.2), name="immutable"),),
    "hostile": (
        _sometimes("answer for strangers", 0.04, Act(missing=1.0, strangers=3)),
        _sometimes("strangers in the answer", 0.03, Act(strangers=1)),
        _sometimes("verdicts missing", 0.04, Act(missing=0.1)),
        _sometimes("garbled answer", 0.04, Act(garble=True)),
        _sometimes("cut answer", 0.04, Act(cut=0.7)),
        _sometimes("dropped after", 0.04, Act(drop="after")),
        _sometimes("login page", 0.03, Act(status=200, body="<html>Sign in</html>", content_type=_PAGE)),
        _sometimes("error with 200", 0.03, Act(status=200, error="INTERNAL")),
        _sometimes("deadline exceeded, applied", 0.03, Act(error="DEADLINE_EXCEEDED", applied=True)),
        _sometimes("partial failure", 0.05, Act(refuse=0.05, details=True)),
        Rule(Act(latency=Draw(exponential=0.05, most=1.0)), name="latency"),
    ),
}
"""The presets; none makes a correct client lose a row, or wait for ever."""


def read_faults(words: str, seed: int | None = None) -> Faults:
    """Read presets (`flaky`, `flaky+slow`) or a file of rules; raise SettingsError.

    `seed`: in place of the file's own.
    """
    names = words.split("+")
    if all(name in PRESETS for name in names):
        faults = Faults(tuple(rule for name in names for rule in PRESETS[name]), 0, words)
    elif Path(words).exists():
        faults = read_rules_file(Path(words))
        faults = msgspec.structs.replace(faults, name=faults.name or Path(words).name)
    else:
        meant = next((near for name in names if name not in PRESETS and (near := nearest(name, PRESETS))), None)
        hint = f"; did you mean {meant}?" if meant else ""
        known = f"expected a preset ({', '.join(PRESETS)}; several joined by +) or a file of rules"
        raise SettingsError(f"found {words!r}, {known}{hint}")
    return faults if seed is None else msgspec.structs.replace(faults, seed=seed)
