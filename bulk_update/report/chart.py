"""Charts as inline SVG: runs side by side on one scale, in light and dark, at any width, without a script.

Across, everything is in percent, so that letters and patterns keep their size while the chart changes its own;
lines, which SVG does not draw in percent, lie in a stretched view of their own. Down, everything is in pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bulk_update.report import figures
from bulk_update.report.axes import Scale, ticks_of
from bulk_update.report.data import Course, Stretch
from bulk_update.report.markup import NOTHING, Column, Markup, join, table, tag

TOP: Final = 20
HEIGHT: Final = 180
BOTTOM: Final = 22

_GAP: Final = 1.4
"""Percent of the width between two runs."""

_LEAST_WIDTH: Final = 9.0
"""Percent of the width that a run takes, however short it was."""

_NARROW: Final = 14.0
"""Percent of the width below which a run has room for one label."""

_TICK_WIDTH: Final = 12.0
"""Percent of the width that a label on the axis of time takes."""

_ROOM_FOR_SECONDS: Final = 40.0
"""Percent of the width above which times may have seconds."""

_ROOMY: Final = 3
"""Runs that have room for their labels on a phone."""

_SEAM: Final = 0.08
"""Percent by which bars without a gap overlap, so that nothing shines through between them."""

_VIEW: Final = 1000.0
_PATTERNED: Final = 4.0
"""Pixels of a bar from which its pattern can be seen; below it would only make printing slow."""

_HAIR: Final = 1.0
"""Pixels of a bar that stands for anything at all."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn of a stretch. `kind`: a class that gives colour and pattern. `value` None: nothing to draw."""

    name: str
    kind: str
    value: Callable[[Stretch], float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart shows. `unit`: of the scale. `limit`: of a run, drawn as a line. `write`: shows a value.

    `as_lines`: each series by itself, as a line; else they are stacked as bars, `gap` of each width apart.
    `is_whole`: of things that are counted.
    """

    name: str
    title: str
    unit: str
    series: Sequence[Series]
    write: Callable[[float], str]
    limit: Callable[[Course], float | None] = lambda _course: None
    limit_name: str = "limit"
    as_lines: bool = False
    is_whole: bool = False
    gap: float = 0.12


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a run lies in a chart: `left` and `width` in percent."""

    course: Course
    left: float
    width: float

    @property
    def is_last(self) -> bool:
        """Tell whether it ends where the chart does."""
        return self.left + self.width > 100.0 - _GAP / 2

    @property
    def seconds(self) -> float:
        """Seconds that it shows."""
        last = self.course.stretches[-1]
        return last.begin + last.seconds

    def place(self, offset: float) -> float:
        """Tell where a moment lies, `offset` seconds after the run began, in percent."""
        return self.left + self.width * offset / self.seconds


def lay_out(courses: Sequence[Course]) -> list[Segment]:
    """Give each run its share of the width, by how long it took; a short one is not lost."""
    shown = [course for course in courses if course.stretches]
    if not shown:
        return []
    total = sum(course.seconds for course in shown) or 1.0
    room = 100.0 - _GAP * (len(shown) - 1)
    wished = [max(_LEAST_WIDTH, room * course.seconds / total) for course in shown]
    segments, left = list[Segment](), 0.0
    for course, wish in zip(shown, wished, strict=True):
        width = room * wish / sum(wished)
        segments.append(Segment(course, left, width))
        left += width + _GAP
    return segments


def draw(chart: Chart, segments: Sequence[Segment], note: str) -> Markup:
    """Draw a chart with its legend, what it says in words, and its figures as a table."""
    scale = _scale(chart, segments)
    plot = tag(
        "svg",
        join(_backdrop(scale, segment) for segment in segments),
        join((_lines if chart.as_lines else _bars)(chart, scale, segment) for segment in segments),
        join(_limit(chart, scale, segment) for segment in segments),
        join(_times(segment, is_crowded=len(segments) > _ROOMY) for segment in segments),
        join(_run_name(segment) for segment in segments if len(segments) > 1),
        class_="plot",
        width="100%",
        height=TOP + HEIGHT + BOTTOM,
        shape_rendering=None if chart.gap else "crispEdges",
        role="img",
        aria_label=f"{chart.title}. {note}",
    )
    return tag(
        "figure",
        tag("h3", chart.title),
        tag("figcaption", note),
        _legend(chart, scale, segments),
        tag("div", _scale_labels(scale, chart), plot, class_="chart"),
        _figures(chart, segments),
        id=chart.name,
    )


def _scale(chart: Chart, segments: Sequence[Segment]) -> Scale:
    """Make room for all values, and for a limit unless it would press them flat."""
    values, limits = list[float](), list[float]()
    for segment in segments:
        limits.append(chart.limit(segment.course) or 0.0)
        for stretch in segment.course.stretches:
            drawn = [value for series in chart.series if (value := series.value(stretch)) is not None]
            values += drawn if chart.as_lines else [sum(drawn)]
    most = max(values, default=0.0)
    fitting = [limit for limit in limits if limit <= 4 * most]
    return Scale.of(
        min((value for value in values if value > 0), default=0.0),
        max([most, *fitting]),
        may_be_log=chart.as_lines,
        is_whole=chart.is_whole,
    )


def _backdrop(scale: Scale, segment: Segment) -> Markup:
    left, right = f"{segment.left:.2f}%", f"{segment.left + segment.width:.2f}%"
    lines = [
        tag("line", class_="grid", x1=left, x2=right, y1=_down(scale, value), y2=_down(scale, value))
        for value in scale.ticks
    ]
    panel = tag("rect", class_="panel", x=left, y=TOP, width=f"{segment.width:.2f}%", height=HEIGHT)
    return join([panel, *lines])


def _bars(chart: Chart, scale: Scale, segment: Segment) -> Markup:
    return join(_bar(chart, scale, segment, stretch) for stretch in segment.course.stretches)


def _bar(chart: Chart, scale: Scale, segment: Segment, stretch: Stretch) -> Markup:
    """Stack what happened in one stretch; what happened at all can be seen."""
    left = segment.place(stretch.begin)
    width = segment.place(stretch.begin + stretch.seconds) - left
    place = {
        "x": f"{left + width * chart.gap / 2:.2f}%",
        "width": f"{width * (1 - chart.gap) + (0 if chart.gap else _SEAM):.2f}%",
    }
    drawn, floor = list[Markup](), float(TOP + HEIGHT)
    for series in chart.series:
        value = series.value(stretch)
        if value is not None and value > 0:
            height = min(max(_HAIR, scale.share(value) * HEIGHT), floor - TOP)
            floor -= height
            look = "f" if height >= _PATTERNED else "t"
            drawn.append(
                tag("rect", class_=f"{look}-{series.kind}", y=round(floor, 1), height=round(height, 1), **place)
            )
    return _hoverable(chart, segment, stretch, join(drawn))


def _lines(chart: Chart, scale: Scale, segment: Segment) -> Markup:
    paths = [
        tag("path", class_=f"l-{series.kind}", d=path)
        for series in chart.series
        if (path := _path(series, scale, segment))
    ]
    view = tag(
        "svg",
        join(paths),
        x=f"{segment.left:.2f}%",
        y=TOP,
        width=f"{segment.width:.2f}%",
        height=HEIGHT,
        viewBox=f"0 0 {_VIEW:g} {HEIGHT}",
        preserveAspectRatio="none",
    )
    columns = [_hoverable(chart, segment, stretch, NOTHING) for stretch in segment.course.stretches]
    return join([*columns, view])


def _path(series: Series, scale: Scale, segment: Segment) -> Markup:
    """Connect the middles of stretches that follow each other; one that stands alone becomes a level."""
    path, points = "", list[tuple[Stretch, float]]()
    for stretch in segment.course.stretches:
        value = series.value(stretch)
        if value is not None:
            points.append((stretch, HEIGHT * (1 - scale.share(value))))
            continue
        path += _connected(points, segment)
        points = []
    return Markup(path + _connected(points, segment))


def _connected(points: Sequence[tuple[Stretch, float]], segment: Segment) -> str:
    across = _VIEW / segment.seconds
    if len(points) == 1:
        stretch, down = points[0]
        return f"M{across * stretch.begin:.1f} {down:.1f}h{across * stretch.seconds:.1f}"
    words = [f"{across * (stretch.begin + stretch.seconds / 2):.1f} {down:.1f}" for stretch, down in points]
    return f"M{'L'.join(words)}" if words else ""


def _hoverable(chart: Chart, segment: Segment, stretch: Stretch, drawn: Markup) -> Markup:
    left = segment.place(stretch.begin)
    width = segment.place(stretch.begin + stretch.seconds) - left
    hit = tag("rect", class_="hit", x=f"{left:.2f}%", y=TOP, width=f"{width:.2f}%", height=HEIGHT)
    told = [
        f"{series.name} {chart.write(value)}"
        for series in chart.series
        if (value := series.value(stretch)) is not None and (value or chart.as_lines)
    ]
    when = f"{figures.moment(segment.course.began + stretch.begin):%H:%M:%S}, {figures.duration(stretch.seconds)}"
    return tag("g", tag("title", f"{when}: {', '.join(told) or 'nothing'}"), hit, drawn, class_="bin")


def _limit(chart: Chart, scale: Scale, segment: Segment) -> Markup:
    limit = chart.limit(segment.course)
    if limit is None or limit > scale.most:
        return NOTHING
    left, right = f"{segment.left:.2f}%", f"{segment.left + segment.width:.2f}%"
    down = _down(scale, limit)
    return tag("line", class_="limit", x1=left, x2=right, y1=down, y2=down)


def _times(segment: Segment, *, is_crowded: bool) -> Markup:
    """Write the time below."""
    base, is_narrow = TOP + HEIGHT, segment.width < _NARROW
    words = []
    room, has_seconds = _TICK_WIDTH / segment.width, segment.width > _ROOM_FOR_SECONDS
    for tick in ticks_of(segment.course.began, segment.seconds, room, has_seconds=has_seconds):
        place, anchor = f"{segment.place(tick.offset):.2f}%", tick.anchor
        kind = "tick" if tick.is_major and not (is_narrow and is_crowded) else "tick minor"
        words.append(tag("line", class_=kind, x1=place, x2=place, y1=base, y2=base + 4))
        if is_narrow and segment.is_last:
            place, anchor = "100%", "end"
        words.append(tag("text", tick.label, class_=kind, x=place, y=base + 16, text_anchor=anchor))
        if is_narrow:
            break
    return join(words)


def _run_name(segment: Segment) -> Markup:
    """Write above which run it is; where it is narrow a phone shows only the number."""
    is_narrow = segment.width < _NARROW
    place, anchor = (100.0, "end") if is_narrow and segment.is_last else (segment.left, "start")
    verb = tag("tspan", f"{segment.course.verb} ", class_="minor" if is_narrow else None)
    name = join([verb, tag("tspan", str(segment.course.run))])
    return tag("text", name, class_="run-name", x=f"{place:.2f}%", y=TOP - 7, text_anchor=anchor)


def _scale_labels(scale: Scale, chart: Chart) -> Markup:
    labels = [
        tag("text", chart.write(value), x=44, y=round(_down(scale, value) + 4, 1), text_anchor="end")
        for value in scale.ticks
    ]
    return tag("svg", join(labels), class_="scale", width=48, height=TOP + HEIGHT + BOTTOM, aria_hidden="true")


def _legend(chart: Chart, scale: Scale, segments: Sequence[Segment]) -> Markup:
    items = [
        tag("li", swatch(series.kind, is_line=chart.as_lines), series.name)
        for series in chart.series
        if any(series.value(stretch) for segment in segments for stretch in segment.course.stretches)
    ]
    limits = {limit for segment in segments if (limit := chart.limit(segment.course)) is not None}
    if any(limit <= scale.most for limit in limits):
        line = tag("line", class_="limit", x1=0, x2=18, y1=7, y2=7)
        sample = tag("svg", line, class_="swatch", width=18, height=14, aria_hidden="true")
        items.append(tag("li", sample, chart.limit_name))
    if beyond := sorted(limit for limit in limits if limit > scale.most):
        items.append(tag("li", f"{chart.limit_name} {', '.join(map(chart.write, beyond))}: above this chart"))
    unit = chart.unit + (", on a log scale" if scale.is_log else "")
    return tag("ul", tag("li", unit, class_="unit"), join(items), class_="legend")


def swatch(kind: str, *, is_line: bool = False) -> Markup:
    """Show colour and pattern of a series as the legend does."""
    if is_line:
        shape = tag("path", class_=f"l-{kind}", d="M0 7h18")
    else:
        shape = tag("rect", class_=f"f-{kind}", width=18, height=14, rx=2)
    return tag("svg", shape, class_="swatch", width=18, height=14, aria_hidden="true")


def _figures(chart: Chart, segments: Sequence[Segment]) -> Markup:
    """Put the same as a table behind the chart."""
    columns = [Column("time (UTC)"), *(Column(series.name, "figure") for series in chart.series)]
    rows = [
        [
            figures.stamp(segment.course.began + stretch.begin),
            *("" if (value := series.value(stretch)) is None else chart.write(value) for series in chart.series),
        ]
        for segment in segments
        for stretch in segment.course.stretches
    ]
    caption = f"{chart.title}, {chart.unit}"
    return tag("details", tag("summary", "The figures"), table(caption, columns, rows))


def _down(scale: Scale, value: float) -> float:
    return round(TOP + HEIGHT * (1 - scale.share(value)), 1)
