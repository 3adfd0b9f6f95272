"""What a person sees while a run goes on: a bar on a terminal, a line now and then elsewhere, or JSON."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Final, Protocol, TextIO, cast

import anyio

from bulk_update.model import Snapshot
from bulk_update.pure.progress_line import ASCII, UNICODE, Glyphs, Tone, bar_width, describe, draw_bar, fit
from bulk_update.pure.shown import printable
from bulk_update.pure.standing import Cadence, Course, Standing, as_event

if TYPE_CHECKING:
    from rich.text import Text

REFRESH: Final = 0.2
"""Seconds between two looks at the run."""

_DUMB: Final = frozenset({"", "dumb", "unknown"})


class Kind(StrEnum):
    """How progress is shown."""

    TERMINAL = "terminal"
    PLAIN = "plain"
    JSON = "json"


class Level(StrEnum):
    """How much a notice matters. A message that begins with `WARNING` or `ERROR` is one."""

    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


_LEVEL_STYLES: Final = {Level.NOTICE: "", Level.WARNING: "yellow", Level.ERROR: "red"}
_TONE_STYLES: Final = {Tone.PLAIN: "", Tone.FAILURE: "red", Tone.TROUBLE: "yellow", Tone.ASIDE: "dim"}


@dataclass(frozen=True, slots=True)
class ProgressSettings:
    """What a person wants to see, and where.

    `log_format`: `text` or `json`. `environ`: `TERM`, `COLUMNS` and `NO_COLOR` are heeded. `limit`: rows
    after which the run stops reading, None when it reads them all.
    """

    is_quiet: bool = False
    has_progress: bool = True
    log_format: str = "text"
    is_terminal: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None


def choose_kind(settings: ProgressSettings) -> Kind:
    """Choose how to show progress: a bar only where it is wanted and the terminal can draw it."""
    if settings.log_format == "json":
        return Kind.JSON
    has_bar = settings.has_progress and not settings.is_quiet and settings.is_terminal
    return Kind.TERMINAL if has_bar and settings.environ.get("TERM", "") not in _DUMB else Kind.PLAIN


def level_of(message: str) -> Level:
    """Tell how much a notice matters."""
    for level in (Level.WARNING, Level.ERROR):
        if message.startswith(level.upper()):
            return level
    return Level.NOTICE


def open_progress(settings: ProgressSettings, stream: TextIO | None, stamp: Callable[[], str]) -> "Progress":
    """Open what shows progress on `stream`; None for a stream that does not exist.

    `stamp` tells the time of day, for JSON. `Progress.close` ends it; the stream stays open.
    """
    safe = SafeStream(stream)
    kind = choose_kind(settings)
    face: Face
    if kind is Kind.TERMINAL:
        face = TerminalFace(safe, settings.environ)
    else:
        face = JsonFace(safe, stamp) if kind is Kind.JSON else PlainFace(safe)
    return Progress(settings, face, safe)


class Face(Protocol):
    """One way of showing what is told."""

    def notice(self, level: Level, message: str) -> None:
        """Show a sentence; it holds nothing that a terminal would obey."""

    def progress(self, standing: Standing, now: float) -> None:
        """Show how the run stands, if it is time to. `now`: seconds of the event loop's clock."""

    def close(self) -> None:
        """Leave the stream as a person expects it; notices may still come."""


class Progress:
    """Tell a person how a run goes. Nothing that befalls the stream hurts the run."""

    def __init__(self, settings: ProgressSettings, face: Face, stream: "SafeStream") -> None:
        self._is_quiet = settings.is_quiet
        self._is_open = settings.has_progress and not settings.is_quiet
        self._course = Course(settings.limit)
        self._face = face
        self._stream = stream

    def notice(self, message: str) -> None:
        """Show a sentence; when quiet, only a warning or an error."""
        level = level_of(message)
        if not self._is_quiet or level is not Level.NOTICE:
            self._face.notice(level, printable(message))

    async def show(self, snapshot: Callable[[], Snapshot]) -> None:
        """Show how the run stands, again and again; run it as a task until it is cancelled."""
        while self._is_open and not self._stream.is_broken:
            self.tick(snapshot(), anyio.current_time())
            await anyio.sleep(REFRESH)
        await anyio.sleep_forever()

    def tick(self, snapshot: Snapshot, now: float) -> None:
        """Show how the run stands. `now`: seconds of a clock that never goes back."""
        if self._is_open:
            self._face.progress(self._course.follow(snapshot), now)

    def close(self) -> None:
        """Take the bar away; notices may still come."""
        self._is_open = False
        self._face.close()


class SafeStream:
    """Write to a stream that may be closed, broken or unable to write every character.

    It falls silent at the first error, and never raises one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.is_broken = stream is None
        self.encoding: str = getattr(stream, "encoding", None) or "utf-8"

    @property
    def glyphs(self) -> Glyphs:
        """What its lines are drawn with."""
        try:
            "".join(astuple(UNICODE)).encode(self.encoding)
        except UnicodeEncodeError:
            return ASCII
        return UNICODE

    @property
    def columns(self) -> int:
        """Columns of the terminal behind it, 80 when that cannot be told."""
        try:
            return (self._stream and os.get_terminal_size(self._stream.fileno()).columns) or 80
        except (OSError, ValueError):  # it is no terminal, or closed
            return 80

    def write(self, text: str) -> int:
        """Write, with what cannot be encoded shown escaped."""
        if self._stream is not None and not self.is_broken:
            try:
                self._stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            except (OSError, ValueError):  # ValueError: it is closed
                self.is_broken = True
        return len(text)

    def flush(self) -> None:
        """Let out what was written."""
        if self._stream is not None and not self.is_broken:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self.is_broken = True

    def line(self, text: str) -> None:
        """Write a line, at once and in one piece."""
        self.write(f"{text}\n")
        self.flush()


class PlainFace:
    """Lines now and then, for a log or a terminal that can do no more."""

    def __init__(self, stream: SafeStream) -> None:
        self._stream = stream
        self._separator = stream.glyphs.separator
        self._cadence = Cadence()

    def notice(self, level: Level, message: str) -> None:  # noqa: ARG002 - the message begins with it
        """Write a line."""
        self._stream.line(message)

    def progress(self, standing: Standing, now: float) -> None:
        """Write a line if it is time to."""
        if self._cadence.is_due(standing.share, now):
            self._stream.line(self._separator.join(part.text for part in describe(standing)))

    def close(self) -> None:
        """Do nothing: every line is out."""


class JsonFace:
    """One JSON object a line, for a program that collects logs."""

    def __init__(self, stream: SafeStream, stamp: Callable[[], str]) -> None:
        self._stream = stream
        self._stamp = stamp
        self._cadence = Cadence()

    def notice(self, level: Level, message: str) -> None:
        """Write a `notice` event."""
        self._event("notice", {"level": level, "message": message})

    def progress(self, standing: Standing, now: float) -> None:
        """Write a `progress` event if it is time to."""
        if self._cadence.is_due(standing.share, now):
            self._event("progress", as_event(standing))

    def close(self) -> None:
        """Do nothing: every line is out."""

    def _event(self, event: str, what: Mapping[str, object]) -> None:
        self._stream.line(json.dumps({"event": event, "time": self._stamp(), **what}))


class TerminalFace:
    """A bar with words, on the last line of a terminal; notices scroll away above it."""

    def __init__(self, stream: SafeStream, environ: Mapping[str, str]) -> None:
        from rich import console, live, text

        self._stream = stream
        self._glyphs = stream.glyphs
        self._fixed = int(environ["COLUMNS"]) if environ.get("COLUMNS", "").isdecimal() else 0
        self._console = console.Console(
            file=cast("IO[str]", stream),
            force_terminal=True,
            force_interactive=True,
            color_system="standard",
            no_color=bool(environ.get("NO_COLOR")),
            highlight=False,
        )
        self._live = live.Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._assemble = text.Text.assemble
        self._shown: tuple[Text, int] | None = None

    def notice(self, level: Level, message: str) -> None:
        """Print a sentence above the bar."""
        self._resize()
        self._console.print(self._assemble((message, _LEVEL_STYLES[level])))

    def progress(self, standing: Standing, now: float) -> None:  # noqa: ARG002 - the bar is always up to date
        """Draw the bar anew if it has changed."""
        columns = self._resize()
        line = self._draw(standing, columns - 1)  # a full line would make some terminals wrap
        if (line, columns) != self._shown:
            self._shown = (line, columns)
            self._live.start()
            self._live.update(line, refresh=True)

    def close(self) -> None:
        """Take the bar away and give the cursor back."""
        self._live.stop()

    def _resize(self) -> int:
        columns = max(1, self._fixed or self._stream.columns)
        self._console.size = (columns, 25)
        return columns

    def _draw(self, standing: Standing, columns: int) -> "Text":
        """Draw the bar, if the share done is known, and the words that fit beside it."""
        line: list[tuple[str, str]] = []
        width = bar_width(columns) if standing.share is not None else 0
        if width:
            done, rest = draw_bar(standing.share or 0.0, width, self._glyphs)
            line += [(done, "green" if standing.snapshot.outage is None else "yellow"), (f"{rest} ", "dim")]
            columns -= width + 1
        for place, part in enumerate(fit(describe(standing), columns, self._glyphs)):
            if place:
                line.append((self._glyphs.separator, "dim"))
            line.append((part.text, _TONE_STYLES[part.tone]))
        return self._assemble(*line, no_wrap=True, overflow="crop")
