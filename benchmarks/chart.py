"""A picture of a few curves, written as SVG: no library, the same bytes for the same figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.figures import Figure

WIDTH: Final = 460
HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 44, 52
_INK, _FAINT, _CURVE, _BAND = "#24292f", "#d0d7de", "#0969da", "#ddf4ff"


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve: `points` by a quantity that grows tenfold; `flat`: how far from the middle still counts as flat."""

    title: str
    across: str
    up: str
    points: Sequence[tuple[int, Figure]]
    flat: float = 0.1


def draw(panels: Sequence[Panel]) -> str:
    """Draw curves side by side."""
    width = WIDTH * len(panels)
    body = "".join(
        f"<g transform='translate({WIDTH * at} 0)'>\n{_panel(panel)}</g>\n" for at, panel in enumerate(panels)
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {HEIGHT}' width='{width}' height='{HEIGHT}'>\n"
        f"<rect width='{width}' height='{HEIGHT}' fill='white'/>\n{body}</svg>\n"
    )


def short(number: int) -> str:
    """Write a number of rows or organizations in few letters."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return str(number)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where values lie in a panel."""

    least: float
    most: float
    top: float

    def x(self, value: float) -> float:
        share = (math.log10(value) - self.least) / (self.most - self.least or 1)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - value / self.top * (HEIGHT - _TOP - _BOTTOM), 1)


def _panel(panel: Panel) -> str:
    places = [math.log10(x) for x, _ in panel.points]
    highest = max(max(figure.values) for _, figure in panel.points)
    step = _step(highest)
    scale = _Scale(min(places), max(places), step * math.ceil(highest * 1.1 / step))
    return "".join([_band(panel, scale), _frame(panel, scale, step), _curve(panel, scale)])


def _step(highest: float) -> float:
    """Choose a round distance between lines, so that there are about five."""
    rough = highest / 5
    power = 10 ** math.floor(math.log10(rough))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))


def _frame(panel: Panel, scale: _Scale, step: float) -> str:
    parts = [
        _text(_LEFT, 20, panel.title, size=13),
        _text(_LEFT, 36, panel.up, size=11),
        _text(
            (WIDTH + _LEFT - _RIGHT) // 2,
            HEIGHT - 12,
            f"{panel.across} (shaded: within {panel.flat:.0%} of the middle)",
            "middle",
            size=11,
        ),
    ]
    for at in range(round(scale.top / step) + 1):
        y = scale.y(at * step)
        parts.append(f"<line x1='{_LEFT}' x2='{WIDTH - _RIGHT}' y1='{y}' y2='{y}' stroke='{_FAINT}'/>\n")
        parts.append(_text(_LEFT - 6, y + 4, f"{at * step:g}", "end"))
    parts += [_text(scale.x(x), HEIGHT - _BOTTOM + 16, short(x), "middle") for x, _ in panel.points]
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str = "start", *, size: int = 10) -> str:
    font = f"font-family='system-ui,sans-serif' font-size='{size}'"
    return f"<text x='{x}' y='{y}' {font} fill='{_INK}' text-anchor='{anchor}'>{escape(text)}</text>\n"


def _band(panel: Panel, scale: _Scale) -> str:
    """Shade what is as near to the middle as a flat curve is."""
    middle = Figure([figure.median for _, figure in panel.points]).median
    top, bottom = scale.y(middle * (1 + panel.flat)), scale.y(middle * (1 - panel.flat))
    left, right = scale.x(panel.points[0][0]), scale.x(panel.points[-1][0])
    return f"<rect x='{left}' y='{top}' width='{right - left:.1f}' height='{bottom - top:.1f}' fill='{_BAND}'/>\n"


def _curve(panel: Panel, scale: _Scale) -> str:
    path = " ".join(f"{scale.x(x)},{scale.y(figure.median)}" for x, figure in panel.points)
    parts = [f"<polyline points='{path}' fill='none' stroke='{_CURVE}' stroke-width='2'/>\n"]
    for number, figure in panel.points:
        x, y = scale.x(number), scale.y(figure.median)
        low, high = scale.y(min(figure.values)), scale.y(max(figure.values))
        parts.append(f"<line x1='{x}' x2='{x}' y1='{low}' y2='{high}' stroke='{_CURVE}'/>\n")
        parts.append(f"<circle cx='{x}' cy='{y}' r='3.5' fill='{_CURVE}'/>\n")
        parts.append(_text(x, high - 8, f"{figure.median:.1f}", "middle"))
    return "".join(parts)
