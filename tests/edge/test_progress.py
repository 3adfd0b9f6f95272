"""What a person sees while a run goes on."""

import asyncio
import io
import itertools
import json
import re
import selectors
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any, TextIO, cast

import anyio
import pytest

from bulk_update.edge.progress import (
    Kind,
    Level,
    Progress,
    ProgressSettings,
    choose_kind,
    level_of,
    open_progress,
)
from bulk_update.model import Snapshot, Status

MIDWAY = Snapshot(
    read=17_403,
    counts={Status.UPDATED: 12_400, Status.FAILED: 3},
    unsent=5_000,
    waiting=3_400,
    skipped=0,
    attempts=126,
    retries=2,
    seconds=25.0,
    allowed=(5, 1.0),
    outage=None,
    bytes_read=1_740_300,
    bytes_total=2_000_000,
    is_read_whole=False,
    flying=16,
)
TERMINAL = ProgressSettings(is_terminal=True, environ={"TERM": "xterm", "COLUMNS": "80"})
PLAIN = ProgressSettings()
JSON = ProgressSettings(log_format="json")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"\x1b\[(\?25[lh]|[0-9;]*[A-Za-z])|\r|\n")


@pytest.fixture(autouse=True)
def _capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rich, which looks for itself, see what the settings say."""
    monkeypatch.setenv("TERM", "xterm")


def open_on(stream: object, settings: ProgressSettings) -> Progress:
    """Open progress with a time of day that counts its looks."""
    count = itertools.count(1)
    return open_progress(settings, cast("TextIO", stream), lambda: f"time {next(count)}")


def screen(written: str) -> list[str]:
    """Tell what a terminal shows of it."""
    lines, row, position = [""], 0, 0
    written = COLOUR.sub("", written)
    for match in CONTROL.finditer(written + "\r"):
        text, position = written[position : match.start()], match.end()
        lines[row] = text or lines[row]
        match match[0]:
            case "\n":
                row += 1
                lines[row:] = lines[row:] or [""]
            case "\x1b[1A":
                row -= 1
            case "\x1b[2K":
                lines[row] = ""
            case _:
                pass
    return lines


# ---------------------------------------------------------------------------------------- what kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Kind.TERMINAL),
        ({"is_terminal": False}, Kind.PLAIN),
        ({"environ": {"TERM": "dumb"}}, Kind.PLAIN),
        ({"environ": {"TERM": "unknown"}}, Kind.PLAIN),
        ({"environ": {}}, Kind.PLAIN),
        ({"environ": {"TERM": "xterm", "NO_COLOR": "1"}}, Kind.TERMINAL),
        ({"has_progress": False}, Kind.PLAIN),
        ({"is_quiet": True}, Kind.PLAIN),
        ({"log_format": "json"}, Kind.JSON),
        ({"log_format": "json", "is_terminal": False}, Kind.JSON),
        ({"log_format": "json", "is_quiet": True}, Kind.JSON),
        ({"log_format": "json", "has_progress": False}, Kind.JSON),
    ],
)
def test_the_kind(changes: dict[str, Any], kind: Kind) -> None:
    assert choose_kind(replace(TERMINAL, **changes)) is kind


@pytest.mark.parametrize(
    ("message", "level"),
    [
        ("the API answers again", Level.NOTICE),
        ("WARNING: no row is updated", Level.WARNING),
        ("ERROR: the disk is full", Level.ERROR),
        ("no WARNING", Level.NOTICE),
    ],
)
def test_the_level_of_a_notice(message: str, level: Level) -> None:
    assert level_of(message) is level


def test_rich_is_imported_for_a_bar_only() -> None:
    program = """
import io, sys
from bulk_update.edge.progress import ProgressSettings, open_progress
for settings in (ProgressSettings(), ProgressSettings(log_format="json"), ProgressSettings(is_quiet=True)):
    open_progress(settings, io.StringIO(), str).notice("hello")
assert "rich" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# -------------------------------------------------------------------------------------- on a terminal


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (40, "12,400 updated · 3 failed · 62 %"),
        (60, "12,400 updated · 3 failed · 2 retries · 16 in flight · 62 %"),
        (80, "━━━━━━━━───── 12,400 updated · 3 failed · 2 retries · 16 in flight · 62 %"),
        (200, "━" * 20 + "─" * 13 + " 12,400 updated · 3 failed · 2 retries · 16 in flight · 62 %"),
    ],
)
def test_the_bar_and_as_many_words_as_fit(columns: int, line: str) -> None:
    stream = io.StringIO()
    progress = open_on(stream, replace(TERMINAL, environ={"TERM": "xterm", "COLUMNS": str(columns)}))
    progress.tick(MIDWAY, 0.0)
    assert screen(stream.getvalue()) == [line]


def test_notices_stand_above_the_bar_and_the_bar_goes_away() -> None:
    stream = io.StringIO()
    progress = open_on(stream, TERMINAL)
    progress.notice("first")
    progress.tick(MIDWAY, 0.0)
    bar = screen(stream.getvalue())[-1]
    progress.notice("second")
    assert screen(stream.getvalue()) == ["first", "second", bar]
    progress.close()
    progress.notice("third")
    assert screen(stream.getvalue()) == ["first", "second", "third", ""]


def test_a_long_notice_is_wrapped_between_words() -> None:
    stream = io.StringIO()
    open_on(stream, TERMINAL).notice("a word " * 20)
    lines = screen(stream.getvalue())
    assert len(lines) > 1
    assert all(len(line) <= 80 for line in lines)
    assert " ".join("".join(f"{line} " for line in lines).split()) == "a word " * 19 + "a word"


def test_no_text_is_taken_for_markup() -> None:
    stream = io.StringIO()
    open_on(stream, TERMINAL).notice("[red]found[/red] :smile: \x1b[31m")
    assert stream.getvalue() == "[red]found[/red] :smile: \\x1b[31m\n"


def test_what_has_not_changed_is_not_drawn_again() -> None:
    stream = io.StringIO()
    progress = open_on(stream, TERMINAL)
    progress.tick(MIDWAY, 0.0)
    written = stream.getvalue()
    progress.tick(replace(MIDWAY, seconds=25.2), 0.2)
    assert stream.getvalue() == written


def test_each_drawing_is_one_write() -> None:
    class Writes(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.texts: list[str] = []

        def write(self, text: str) -> int:
            self.texts.append(text)
            return len(text)

    stream = Writes()
    progress = open_on(stream, TERMINAL)
    progress.tick(MIDWAY, 0.0)
    before = len(stream.texts)
    progress.tick(replace(MIDWAY, retries=3), 0.2)
    assert len(stream.texts) == before + 1


def test_no_thread_draws() -> None:
    threads = threading.active_count()
    open_on(io.StringIO(), TERMINAL).tick(MIDWAY, 0.0)
    assert threading.active_count() == threads


def test_the_cursor_is_given_back() -> None:
    stream = io.StringIO()
    progress = open_on(stream, TERMINAL)
    progress.tick(MIDWAY, 0.0)
    assert stream.getvalue().count("\x1b[?25l") == 1
    progress.close()
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_nothing_is_drawn_after_the_end() -> None:
    stream = io.StringIO()
    progress = open_on(stream, TERMINAL)
    progress.close()
    progress.close()
    progress.tick(MIDWAY, 0.0)
    assert stream.getvalue() == ""


def test_standard_output_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    progress = open_on(io.StringIO(), TERMINAL)
    streams = sys.stdout, sys.stderr
    progress.tick(MIDWAY, 0.0)
    assert (sys.stdout, sys.stderr) == streams
    sys.stdout.write('{"rows":1}\n')
    progress.close()
    assert capsys.readouterr().out == '{"rows":1}\n'


def test_colours_tell_failures_warnings_and_outages() -> None:
    stream = io.StringIO()
    progress = open_on(stream, TERMINAL)
    progress.notice("plain")
    progress.notice("WARNING: look")
    progress.notice("ERROR: stop")
    progress.tick(replace(MIDWAY, outage=65.0), 0.0)
    written = stream.getvalue()
    assert "plain\n\x1b[33mWARNING: look\x1b[0m\n\x1b[31mERROR: stop\x1b[0m\n" in written
    assert "\x1b[31m3 failed\x1b[0m" in written
    assert "\x1b[33mno success for 1 min 5 s\x1b[0m" in written


def test_no_colour_where_none_is_wanted() -> None:
    stream = io.StringIO()
    progress = open_on(stream, replace(TERMINAL, environ={"TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}))
    progress.notice("WARNING: look")
    progress.tick(replace(MIDWAY, outage=65.0), 0.0)
    assert {code[2:-1] for code in COLOUR.findall(stream.getvalue())} <= {"0", "2"}  # dim is no colour
    assert "no success for 1 min 5 s" in stream.getvalue()


def test_without_an_end_in_sight_there_is_no_bar() -> None:
    stream = io.StringIO()
    open_on(stream, TERMINAL).tick(replace(MIDWAY, bytes_read=None, bytes_total=None), 0.0)
    (line,) = screen(stream.getvalue())
    assert line == "12,400 updated · 3 failed · 2 retries · 16 in flight · 25 s so far"


# ------------------------------------------------------------------------------------- in plain lines


def test_plain_lines_come_now_and_then() -> None:
    stream = io.StringIO()
    progress = open_on(stream, PLAIN)
    for tick in range(301):
        progress.tick(replace(MIDWAY, seconds=25 + tick / 5), 100 + tick / 5)
    line = "12,400 updated · 3 failed · 0.0 of 5 requests/s · 2 retries · 16 in flight · 62 %\n"
    # The first tells what earlier runs had done already.
    assert stream.getvalue().splitlines(keepends=True)[1:] == [line]
    assert stream.getvalue().count("\n") == 2


def test_plain_notices_are_one_line_each_and_bare() -> None:
    stream = io.StringIO()
    progress = open_on(stream, PLAIN)
    progress.notice("WARNING: two\nlines \x1b[31m")
    progress.close()
    progress.notice("x" * 5_000)
    first, second = stream.getvalue().splitlines()
    assert first == r"WARNING: two\nlines \x1b[31m"
    assert len(second) == 1_000


@pytest.mark.parametrize("base", [TERMINAL, PLAIN, JSON], ids=["terminal", "plain", "json"])
def test_without_progress_notices_stay(base: ProgressSettings) -> None:
    stream = io.StringIO()
    progress = open_on(stream, replace(base, has_progress=False))
    progress.notice("going on")
    for minute in range(5):
        progress.tick(MIDWAY, 60.0 * minute)
    assert stream.getvalue().count("\n") == 1
    assert "going on" in stream.getvalue()


@pytest.mark.parametrize("base", [TERMINAL, PLAIN, JSON], ids=["terminal", "plain", "json"])
def test_when_quiet_only_warnings_and_errors_are_told(base: ProgressSettings) -> None:
    stream = io.StringIO()
    progress = open_on(stream, replace(base, is_quiet=True))
    for message in ("going on", "WARNING: look", "ERROR: stop"):
        progress.notice(message)
    for minute in range(5):
        progress.tick(MIDWAY, 60.0 * minute)
    assert [re.findall(r"WARNING|ERROR", line)[0] for line in stream.getvalue().splitlines()] == [
        "WARNING",
        "ERROR",
    ]


# -------------------------------------------------------------------------------------------- as JSON


def test_json_is_one_object_a_line() -> None:
    stream = io.StringIO()
    progress = open_on(stream, JSON)
    progress.notice("WARNING: two\nlines \u202e")
    progress.tick(MIDWAY, 0.0)
    progress.tick(MIDWAY, 30.0)
    notice, event = map(json.loads, stream.getvalue().splitlines()[:2])
    assert notice == {
        "event": "notice",
        "time": "time 1",
        "level": "warning",
        # Escaped as for a terminal, where `jq -r` would send it.
        "message": r"WARNING: two\nlines \u202e",
    }
    assert (event["event"], event["time"]) == ("progress", "time 2")
    assert (event["updated"], event["share"], event["in_flight"], event["rows_in_flight"]) == (12_400, 0.62, 16, 1_600)


# ------------------------------------------------------------------------- on a stream that fails


class Failing(io.StringIO):
    """Fail as a stream does whose reader has gone."""

    def __init__(self, error: Exception, *, at_flush: bool = False) -> None:
        super().__init__()
        self._error, self._at_flush = error, at_flush
        self.calls = 0

    def write(self, text: str) -> int:
        self.calls += 1
        if not self._at_flush:
            raise self._error
        return len(text)

    def flush(self) -> None:
        if self._at_flush:
            raise self._error


def failing_streams() -> Iterator[Failing]:
    """Make a stream of each kind of failure."""
    for error in (BrokenPipeError(), ValueError("closed"), OSError(5, "hung up")):
        yield from (Failing(error), Failing(error, at_flush=True))


@pytest.mark.parametrize("settings", [TERMINAL, PLAIN, JSON], ids=["terminal", "plain", "json"])
def test_a_stream_that_fails_is_left_alone(settings: ProgressSettings) -> None:
    for stream in failing_streams():
        progress = open_on(stream, settings)
        for minute in range(5):
            progress.tick(replace(MIDWAY, retries=minute), 60.0 * minute)
            progress.notice("going on")
        progress.close()
        assert stream.calls == 1


@pytest.mark.parametrize("settings", [TERMINAL, PLAIN, JSON], ids=["terminal", "plain", "json"])
def test_no_stream_and_a_closed_one_do_no_harm(settings: ProgressSettings) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        progress = open_on(stream, settings)
        progress.tick(MIDWAY, 0.0)
        progress.tick(MIDWAY, 60.0)
        progress.notice("going on")
        progress.close()


@pytest.mark.parametrize(("settings", "separator"), [(TERMINAL, ", "), (PLAIN, ", ")], ids=["terminal", "plain"])
def test_a_stream_of_ascii_is_written_in_ascii(settings: ProgressSettings, separator: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    progress = open_on(stream, settings)
    progress.notice("naïve")
    progress.tick(MIDWAY, 0.0)
    progress.tick(MIDWAY, 60.0)
    written = COLOUR.sub("", raw.getvalue().decode())
    assert written.startswith("na\\xefve\n")
    assert separator.join(["12,400 updated", "3 failed", "2 retries"]) in written
    assert ("######" in written) is (settings is TERMINAL)


# ---------------------------------------------------------------------------------------- over time


class VirtualTime(selectors.DefaultSelector):
    """Let the time pass that a loop would wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


def run_virtually(work: Coroutine[Any, Any, None]) -> None:
    """Run without waiting."""

    def open_loop() -> asyncio.AbstractEventLoop:
        virtual = VirtualTime()
        loop = asyncio.SelectorEventLoop(virtual)
        loop.time = lambda: virtual.now  # type: ignore[method-assign]
        return loop

    with asyncio.Runner(loop_factory=open_loop) as runner:
        runner.run(work)


async def looks_in(seconds: float, settings: ProgressSettings, stream: object) -> int:
    """Count how often the run is looked at."""
    looks = 0

    def look() -> Snapshot:
        nonlocal looks
        looks += 1
        return MIDWAY

    with anyio.move_on_after(seconds) as scope:
        await open_on(stream, settings).show(look)
    assert scope.cancelled_caught
    return looks


@pytest.mark.parametrize(
    ("settings", "looks"),
    [
        (TERMINAL, 50),
        (PLAIN, 50),
        (JSON, 50),
        (replace(PLAIN, has_progress=False), 0),
        (replace(PLAIN, is_quiet=True), 0),
    ],
    ids=["terminal", "plain", "json", "no progress", "quiet"],
)
def test_a_run_is_looked_at_five_times_a_second_until_cancelled(settings: ProgressSettings, looks: int) -> None:
    async def work() -> None:
        assert await looks_in(9.9, settings, io.StringIO()) == looks

    run_virtually(work())


def test_nobody_looks_once_the_stream_has_failed() -> None:
    async def work() -> None:
        assert await looks_in(10, TERMINAL, Failing(BrokenPipeError())) == 1

    run_virtually(work())


def test_lines_come_by_the_clock_of_the_event_loop() -> None:
    stream = io.StringIO()

    async def work() -> None:
        await looks_in(100, replace(PLAIN), stream)

    run_virtually(work())
    assert stream.getvalue().count("\n") == 4
