"""Scales and the marks on them: round numbers upward, round times across."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bulk_update.report import figures

_STEEP: Final = 25.0
"""How many times the least the most must be for a scale of lines to become logarithmic."""

_STEPS: Final = (1, 2, 5, 10)
_TIME_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 604_800, 2_592_000),
)
_YEAR: Final = 31_536_000
_DAY: Final = 86_400
_MINUTE: Final = 60
_SECONDS_WIDTH: Final = 1.3
"""How much wider a time with seconds is than one without."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From `least`, at the bottom, to `most`. `is_log`: each doubling takes as much room as the next."""

    least: float
    most: float
    ticks: Sequence[float]
    is_log: bool = False

    @classmethod
    def of(cls, least: float, most: float, *, may_be_log: bool = False, is_whole: bool = False) -> "Scale":
        """Make a scale for values above 0, from `least` to `most`; `is_whole`: marked at whole numbers only."""
        if most <= 0 or not math.isfinite(most):
            return cls(0.0, 1.0, (0.0, 1.0))
        if may_be_log and least > 0 and most / least > _STEEP:
            return _logarithmic(least, most)
        step = max(_round_step(most / 4), 1.0 if is_whole else 0.0)
        top = step * math.ceil(most / step - 1e-9)
        return cls(0.0, top, tuple(step * count for count in range(round(top / step) + 1)))

    def share(self, value: float) -> float:
        """Tell how high a value lies: 0 is the bottom, 1 the top."""
        if self.is_log:
            height = math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        else:
            height = (value - self.least) / (self.most - self.least)
        return min(1.0, max(0.0, height))


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis of time, `offset` seconds after its begin. One that is not major gives way on a phone."""

    offset: float
    label: str
    anchor: str
    is_major: bool


def ticks_of(began: float, seconds: float, room: float, *, has_seconds: bool = True) -> list[Tick]:
    """Choose round times from `began` on, which is marked itself; `room`: share of the width that each needs.

    `has_seconds`: there may be times with seconds, which need a little more.
    """
    apart = min(room, 1.0) * seconds
    step = max(_time_step(apart), 1 if has_seconds else _MINUTE)
    if step < _MINUTE:
        apart *= _SECONDS_WIDTH
        step = _time_step(apart)
    form = "%Y-%m" if step >= _YEAR else "%b %d" if step >= _DAY else "%H:%M" if step >= _MINUTE else "%H:%M:%S"
    ticks = [Tick(0.0, figures.moment(began).strftime(form), "start", is_major=True)]
    moment = math.ceil((began + apart) / step) * step
    while moment < began + seconds - apart / 2:
        label = figures.moment(moment).strftime(form)
        ticks.append(Tick(moment - began, label, "middle", is_major=len(ticks) % 2 == 0))
        moment += step
    return ticks


def _time_step(apart: float) -> float:
    return next((step for step in _TIME_STEPS if step >= apart), _YEAR * math.ceil(apart / _YEAR))


def _round_step(least: float) -> float:
    """Find the round number at or above: 1, 2 or 5 times a power of ten."""
    magnitude = 10.0 ** math.floor(math.log10(least))
    return magnitude * next(step for step in _STEPS if magnitude * step >= least * (1 - 1e-9))


def _logarithmic(least: float, most: float) -> Scale:
    bottom, top = 10.0 ** math.floor(math.log10(least)), 10.0 ** math.ceil(math.log10(most) - 1e-9)
    decades = round(math.log10(top / bottom))
    return Scale(bottom, top, tuple(bottom * 10.0**decade for decade in range(decades + 1)), is_log=True)
